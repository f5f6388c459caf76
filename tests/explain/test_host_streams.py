"""Timelines of C++ functions that use several streams: launches, copies and collectives, events and waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target, UserError

SOURCE = """
#include <cuda_runtime.h>
#define CHECK(call) check((call), __FILE__, __LINE__)
template <int N> __global__ void scale(float* x, int n);
__global__ void add(float* x, const float* y, int n);

void overlap(float* d, float* h, float* e, int n, cudaStream_t compute, cudaStream_t copies) {
  cudaEvent_t ready;
  cudaStream_t first, second;
  cudaEventCreate(&ready);
  CHECK(cudaMemsetAsync(h, 0, sizeof(float), second));
  CHECK(cudaMemcpyAsync(d, h, n * sizeof(float), cudaMemcpyHostToDevice, copies));
  CHECK(cudaEventRecord(ready, copies));
  scale<4><<<n / 256, 256, 0, compute>>>(e, n);
  CHECK(cudaStreamWaitEvent(compute, ready, 0));
  add<<<dim3(n / 256), 256, 0, compute>>>(e, d, n);
  CHECK(cudaStreamSynchronize(compute));
}

struct Reducer {
  void reduce(float* grads, int parts) {
    for (int i = 0; i < parts; i++) {
      add<<<8, 256, 0, streams_[i]>>>(grads, grads, i);
      cudaEventRecord(done_, streams_[i]);
      cudaStreamWaitEvent(comm_stream_, done_, 0);
      ncclAllReduce(grads, grads, parts, ncclFloat, ncclSum, comm_, comm_stream_);
    }
    cudaDeviceSynchronize();
  }

  void turn(float* d, float* h, int rounds) {
    int now = 0;
    for (int i = 0; i < rounds; i++) {
      int next = (now + 1) % 2;
      cudaEventSynchronize(cycle_[next]);
      add<<<8, 256, 0, streams_[now]>>>(d, d, i);
      cudaMemcpyAsync(h, d, 4, cudaMemcpyDeviceToHost, streams_[next]);
      cudaEventRecord(cycle_[now], streams_[now]);
      now = next;
    }
  }

  void one(float* x) {
    add<<<8, 256, 0, comm_stream_>>>(x, x, 1);
    cudaStreamSynchronize(comm_stream_);
  }
};
"""


def rows(folder: Path, symbol: str) -> list[str]:
    (folder / "runner.cu").write_text(SOURCE)
    return to_text(Analysis([folder]).document("timeline", Target(folder / "runner.cu", None, symbol))).text.split("\n")


def bars(lines: list[str], lane: str) -> str:
    return next(line for line in lines if line.startswith(f"{lane}:"))


def test_a_launch_runs_beside_a_copy_and_what_needs_it_waits_for_the_event(tmp_path: Path) -> None:
    lines = rows(tmp_path, "overlap")
    copies, compute = bars(lines, "copies"), bars(lines, "compute")
    assert "[cudaMemcpyAsync]" in copies and "[cudaMemsetAsync]" in bars(lines, "second")
    assert compute.index("[scale]") < compute.index("(ready") < compute.index("[add]")
    assert compute.index("[add]") >= copies.index("[cudaMemcpyAsync]") + len("[cudaMemcpyAsync]")
    assert "(compute" in bars(lines, "host")


def test_streams_that_a_counter_chooses_are_others_in_each_round(tmp_path: Path) -> None:
    lines = rows(tmp_path, "Reducer.reduce")
    assert "[add 0]" in bars(lines, "streams_[0]") and "[add 1]" in bars(lines, "streams_[1]")
    shared = bars(lines, "comm_stream_")
    assert shared.index("(done_") < shared.index("[ncclAllReduce 0]") < shared.index("[ncclAllReduce 1]")
    assert any("Two rounds of `for (int i = 0; i < parts; i++)`" in line for line in lines)


def test_streams_that_a_round_deals_anew_are_told_for_one_round(tmp_path: Path) -> None:
    lines = rows(tmp_path, "Reducer.turn")
    assert "[add]" in bars(lines, "streams_[now]") and "[cudaMemcpyAsync]" in bars(lines, "streams_[next]")
    assert not any("Two rounds" in line for line in lines)


def test_one_stream_has_no_timeline(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        rows(tmp_path, "Reducer.one")
