"""Long kernels: a round that is tried is followed as far as it decides indices, templates that call themselves end."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.kernels.cuda.warp.accesses import verdicts
from kernelscope.kernels.cuda.warp.definitions import Definitions
from kernelscope.kernels.cuda.warp.kernel_run import Setting, run_kernel
from kernelscope.kernels.cuda.warp.sectors import Traffic
from kernelscope.kernels.cuda.warp.trials import Callees, deciding
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.source import parse

ALL_PARTS = """
__device__ void next(int &at, float value);
__device__ float measure(int at);
__global__ void parts(const float *x, float *y, int n) {
  int i = 0, j = 0, last = 0, unused = 0;
  float sum = 0;
  auto forward = [&](int by) { j += by; };
  for (int r = 0; r < n; r++) {
    float a = x[i];
    sum += a;
    unused = unused * 3 + 1;
    y[unused] = sum;
    measure(unused);
    int step = i + 2;
    int &other = i;
    other = step;
    if (x[r] > 3) { forward(2); } else { y[r] = a; }
    for (int q = 0; q < 4; q++) { if (q == last) break; next(last, 1); }
    for (int p = 0; p < 4; p++) { if (p == 3) break; y[p] = a; }
  }
}
"""


DISTANCES = """
__global__ void rows(const float *x, float *y, int n) {
  int i = 0;
  for (int r = 0; r < n; r++) {
    const float *row = x + (long)(i * n);
    *row++;
    int most = max(r, 3);
    auto twice = [&]() { i *= 2; };
    auto told = [&](int at) { y[at] = i; };
    twice();
    told(3);
    i = max(i, r);
  }
}
"""


def loop_of(text: str, name: str) -> t.For:
    function = parse(text.encode()).lowered.functions[name][-1]
    assert isinstance(function, t.Function)
    return next(part for part in function.body if isinstance(part, t.For))


def kept(wanted: str) -> list[str]:
    """What of the round stays, by its first names."""
    loop = loop_of(ALL_PARTS, "parts")
    names = frozenset(("forward", "j", "by"))
    callees = Callees(frozenset({("forward", names)}), frozenset({("next", frozenset({0}))}), frozenset())
    part, _ = deciding(loop, frozenset({wanted}), callees)
    return [_described(node) for node in part.body]


def _described(node: t.Stmt) -> str:
    match node:
        case t.Declare():
            return node.name
        case t.If():
            return f"if {len(node.body)} else {len(node.orelse)}"
        case t.For():
            return f"for {len(node.body)}"
        case t.Express(value=t.Assign(target=t.Name(id=name))):
            return f"{name} ="
        case _:
            return type(node).__name__


def test_references_lead_to_what_they_stand_for() -> None:
    assert kept("i") == ["step", "other", "other ="]


def test_a_distance_leads_nowhere_and_a_lambda_of_the_loop_s_own_where_it_changes_something() -> None:
    part, _ = deciding(loop_of(DISTANCES, "rows"), frozenset({"i"}), Callees(frozenset(), frozenset(), frozenset()))
    assert [_described(node) for node in part.body] == ["twice", "Express", "i ="]


def test_lambdas_change_what_they_capture_and_conditions_count() -> None:
    assert kept("j") == ["if 1 else 0"]


def test_functions_change_what_they_take_by_reference_and_jumps_stay_with_it() -> None:
    assert kept("last") == ["for 2"]


def test_what_is_only_handed_over_by_value_stays_as_it_is() -> None:
    loop = loop_of(ALL_PARTS, "parts")
    by_value = Callees(frozenset(), frozenset({("measure", frozenset[int]())}), frozenset())
    part, _ = deciding(loop, frozenset({"unused"}), by_value)
    assert [_described(node) for node in part.body].count("Express") == 0
    unseen = Callees(frozenset(), frozenset(), frozenset())
    part, _ = deciding(loop, frozenset({"unused"}), unseen)
    assert [_described(node) for node in part.body].count("Express") >= 1


LONG = """
__device__ float poly(float x) {
  float a = x * x + 1, b = a * x + 2, c = b * a + 3, d = c * b + 4, e = d * c + 5, f = e * d + 6, g = f * e + 7;
  return a + b + c + d + e + f + g + a * b + c * d + e * f + f * g + a * c + b * d;
}
__device__ float heavy(float x) {
  return poly(x) + poly(x + 1) + poly(x + 2) + poly(x + 3) + poly(x + 4) + poly(x + 5) + poly(x + 6) + poly(x + 7);
}
__global__ void long_rounds(const float *x, float *y, int n) {
  const float *from = x + threadIdx.x;
  float sum = 0;
  int at = threadIdx.x;
  for (int i = 0; i < n; i++) {
    sum += heavy(from[0]) + heavy(sum) + heavy(sum + 1) + heavy(sum + 2) + heavy(sum + 3) + heavy(sum + 4);
    sum += heavy(sum + 5) + heavy(sum + 6);
    if (n > 3) {
      from += 32;
      at = at + 32;
    }
    y[at] = sum;
  }
}
"""


def test_rounds_too_long_to_be_tried_are_tried_for_their_indices() -> None:
    source = parse(LONG.encode())
    run = run_kernel(Definitions.of(source), source.lowered.functions["long_rounds"][-1], Setting((32, 1, 1)))
    assert run.complete
    assert all(isinstance(verdict.outcome, Traffic) for verdict in verdicts(run))


SWITCHED = """
__global__ void switched(const float *x, float *y, int k) {
  float sum = x[threadIdx.x];
  switch (k) {
CASES
  }
  y[threadIdx.x * 2] = sum;
}
"""


def test_every_way_of_a_long_switch_is_followed() -> None:
    cases = "".join(f"    case {i}: sum += heavy(sum) + heavy(sum + {i}); break;\n" for i in range(1, 11))
    source = parse((LONG + SWITCHED.replace("CASES", cases)).encode())
    run = run_kernel(Definitions.of(source), source.lowered.functions["switched"][-1], Setting((32, 1, 1)))
    assert run.complete
    assert [access.memory.name for access in run.accesses] == ["x", "y"]


def test_templates_that_call_themselves_are_read_so_often(tmp_path: Path) -> None:
    path = tmp_path / "sort.cu"
    path.write_text(
        "template <int N> __device__ void sort(float *x) { x[N] = x[N - 1]; sort<N - 1>(x); }\n"
        "__global__ void sorted(float *x) { sort<300>(x); __syncthreads(); }\n"
    )
    facts = next(iter(Analysis([tmp_path]).cuda.in_file(str(path))))
    assert not facts.behaviour.complete
    assert len(facts.behaviour.reached) < 30
