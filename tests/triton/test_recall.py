"""What an expression gave before is told again only where that makes no difference."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.recall import Held, Kept, Recall
from kernelscope.syntax.python import tree as t

FIXTURES = Path(__file__).parent / "fixtures"
LOOPS = """
import triton
import triton.language as tl


@triton.jit
def scaled(x, by, WIDE: tl.constexpr):
    return x * by


@triton.jit
def sums(src, dst, n, FLAG: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.float32)
    kept = 0
    for start in range(0, n, BLOCK):
        if FLAG:
            block = tl.load(src + start + offsets[:, None] * n + offsets[None, :], mask=offsets[:, None] < n)
            total += tl.sum(block, 1)
        else:
            block = tl.load(src + start + offsets, mask=start + offsets < n)
            total += scaled(block, 2, True)
        kept += start
    tl.atomic_add(dst + offsets, total, mask=offsets < n)
    tl.store(dst + n + offsets, scaled(total, kept, 1))
"""


def _runs(folder: Path) -> list[KernelRun]:
    analysis = Analysis([folder])
    paths = sorted(map(str, folder.glob("*.py")))
    return [analysis.triton.run(path, node) for path in paths for node in analysis.triton.kernels(path)]


def _told(run: KernelRun) -> tuple[object, ...]:
    facts = run.facts
    learnt = (facts.pointers, facts.integers, facts.floats, facts.descriptors)
    calls = [(call.function.node.name, call.arguments) for call in run.calls]
    known = (run.values, run.otherwise, run.accesses, run.products, run.rounds, run.found, run.operations)
    return (run.node.name, *learnt, calls, *known)


@pytest.mark.parametrize("folder", ["fixtures", "loops"])
def test_recalled_expressions_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    (tmp_path / "sums.py").write_text(LOOPS)
    place = FIXTURES if folder == "fixtures" else tmp_path
    hits: list[Kept] = []
    known = Recall.known

    def counted(self: Recall, node: t.Expr, on_top: bool, held: Held) -> Kept | None:
        found = known(self, node, on_top, held)
        hits.extend([found] if found is not None else [])
        return found

    monkeypatch.setattr(Recall, "known", counted)
    quick = _runs(place)
    assert hits, "rounds of loops and ways through switches see the same values again"
    monkeypatch.setattr(Recall, "known", lambda self, node, on_top, held: None)
    slow = _runs(place)
    assert [str(_told(run)[0]) for run in quick] == [str(_told(run)[0]) for run in slow]
    for one, other in zip(quick, slow, strict=True):
        assert _comparable(_told(one)) == _comparable(_told(other))


def _comparable(told: tuple[object, ...]) -> str:
    """As text, in which `1` is not `True`; sets in their order."""
    return repr([sorted(part) if isinstance(part, set) else part for part in told])
