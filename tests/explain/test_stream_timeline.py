"""Timelines of functions that use several streams: what runs beside what, and what waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target, UserError

SOURCE = """
import torch
import torch.distributed as dist


class Runner:
    def beside(self, x, shared, routed, done):
        if self.side is None:
            return shared(x) + routed(x)
        current = torch.cuda.current_stream()
        self.side.wait_stream(current)
        with torch.cuda.stream(self.side):
            y = shared(x)
            done.record()
        z = routed(x)
        done.wait()
        return y.add_(z)

    def gather(self, x, parts, weight):
        handles = []
        for part in parts:
            handles.append(dist.all_gather_into_tensor(part, x, async_op=True))
        y = torch.mm(x, weight)
        for handle in handles:
            handle.wait()
        return torch.cat(parts) + y

    def ahead(self, batches, model):
        for batch in batches:
            with torch.cuda.stream(self.copies):
                held = batch.to("cuda", non_blocking=True)
                self.copied_event.record()
            torch.cuda.current_stream().wait_event(self.copied_event)
            model(held)
        self.copies.synchronize()

    def one(self, x, model):
        return model(x)
"""


def rows(folder: Path, symbol: str) -> list[str]:
    (folder / "runner.py").write_text(SOURCE)
    return to_text(Analysis([folder]).document("timeline", Target(folder / "runner.py", None, symbol))).text.split("\n")


def bars(lines: list[str], lane: str) -> str:
    return next(line for line in lines if line.startswith(f"{lane}:"))


def test_a_side_stream_joined_by_an_event(tmp_path: Path) -> None:
    lines = rows(tmp_path, "Runner.beside")
    assert lines[0] == "Timeline of Runner.beside"
    current, side = bars(lines, "current stream"), bars(lines, "side")
    assert "[routed](done" in current and current.rstrip().endswith("[y.add_]")
    assert "(current·stream)[shared]" in side
    assert current.index(")[y.add_]") >= side.index("]"), "what waits goes on behind what it waits for"
    assert not any("return" in line or "Where self.side is None" in line for line in lines)


def test_collectives_that_are_waited_for_later(tmp_path: Path) -> None:
    lines = rows(tmp_path, "Runner.gather")
    link, current = bars(lines, "collectives"), bars(lines, "current stream")
    assert link.count("[all_gather") == 2 or link.count("[") == 2
    assert current.index("(") > current.index("["), "the product runs beside them"
    assert any("Two rounds of `for part in parts`" in line for line in lines)


def test_rounds_of_a_loop_overlap(tmp_path: Path) -> None:
    lines = rows(tmp_path, "Runner.ahead")
    copies, current = bars(lines, "copies"), bars(lines, "current stream")
    assert copies.index("[batch.to 1]") < current.index("[model 1]")
    assert copies.index("[batch.to 1]") == copies.index("[batch.to 0]") + len("[batch.to 0]"), "it waits for nothing"
    assert "(copies" in bars(lines, "host")


def test_one_stream_is_no_timeline(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing runs on a second stream"):
        rows(tmp_path, "Runner.one")
