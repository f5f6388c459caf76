"""Who communicates through functions of the program, which groups are made, and what a rank keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.serving.c_barriers import c_barriers
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import collectives
from kernelscope.serving.constraints import constraints
from kernelscope.serving.process_groups import groups
from kernelscope.serving.reaching import reaches
from kernelscope.serving.reading import Reading, read_python
from kernelscope.serving.sharding import masked_ids
from kernelscope.serving.system import join
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]

EXCHANGE = """
    import torch

    try:
        gather_func = torch.distributed.all_gather_into_tensor
    except Exception:
        gather_func = torch.distributed._all_gather_base

    def _sum(x, group):
        if group.size() == 1:
            return x
        torch.distributed.all_reduce(x, group=group)
        return x

    def _join(x, group):
        out = torch.empty(group.size() * x.shape[0])
        gather_func(out, x, group=group)
        return out

    class _Enter(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, group):
            return x

        @staticmethod
        def backward(ctx, grad):
            return _sum(grad, ctx.group)

    class _Leave(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, group):
            return _sum(x, group)

        @staticmethod
        def backward(ctx, grad):
            return _join(grad, ctx.group)

    def enter_region(x, group):
        return _Enter.apply(x, group)

    def reduce_from_region(x, group):
        return _Leave.apply(x, group)

    def gather_if_wanted(x, group, wanted):
        if wanted:
            return _join(x, group)
        return x
"""
LAYERS = """
    class Rows:
        def __init__(self, size, group):
            self.width = divide(size, group.world_size)
            self.group = group

        def forward(self, x):
            y = self.multiply(x)
            if self.sharded:
                y = reduce_from_region(y, group=self.group)
            return y

    class Columns:
        def forward(self, x):
            x = enter_region(x, self.made["group"])
            return gather_if_wanted(self.multiply(x), self.tp_group, False)
"""


def read(source: Source, name: str, text: str) -> Reading:
    return read_python(PythonSource(Path(f"/w/{name}.py"), source(text).module))


def test_calls_are_followed_to_the_primitive_in_both_passes(source: Source) -> None:
    system = join([read(source, "exchange", EXCHANGE), read(source, "layers", LAYERS)])
    told = [(c.primitive, c.where, c.phase, c.backward, c.group, c.confidence) for c in system.collectives]
    assert ("all_reduce", "Rows.forward", "forward", "all_gather", "self.group", "derived") in told
    assert ("all_reduce", "Columns.forward", "backward", "", 'self.made["group"]', "derived") in told
    assert ("all_gather", "_join", "", "", "group", "derived") in told
    (rows,) = (c for c in system.collectives if c.where == "Rows.forward")
    assert (rows.tensor, rows.condition, rows.after) == ("y", "self.sharded", "self.multiply")


def test_what_a_wrapper_does_only_if_it_is_asked_to_is_not_told_of_its_callers(source: Source) -> None:
    file = source(EXCHANGE)
    known = {reach.name: reach for reach in reaches(file, collectives(file))}
    assert known["_Leave.forward"].forward == ("all_reduce",)
    assert known["reduce_from_region"].backward == ("all_gather",)
    assert "gather_if_wanted" not in known
    system = join([read(source, "exchange", EXCHANGE), read(source, "layers", LAYERS)])
    assert not [c for c in system.collectives if c.where == "Columns.forward" and c.primitive == "all_gather"]


def test_functions_of_one_name_that_do_different_things_are_not_followed(source: Source) -> None:
    other = "import torch\n\ndef reduce_from_region(x, g):\n    torch.distributed.broadcast(x, 0)\n    return x\n"
    files = [read(source, "exchange", EXCHANGE), read(source, "layers", LAYERS), read(source, "other", other)]
    assert not [c for c in join(files).collectives if c.where == "Rows.forward"]


def test_groups_are_made_for_each_of_several_lists_of_ranks(source: Source) -> None:
    text = """
        import torch.distributed as dist

        def one_group(ranks, timeout=None):
            group = dist.new_group(ranks, timeout=timeout)
            return group

        def set_up(tensor_parallel_size: int = 1, layers: int = 4, order: str = "tp-dp"):
            model_size = tensor_parallel_size * 2
            data_size: int = world_size // model_size
            for ranks in grid.get_ranks("tp"):
                group = one_group(ranks)
            for ranks in grid.get_ranks("dp"):
                if rank in ranks:
                    other = one_group(ranks)
    """
    told = {claim.name: claim.value for claim in groups(source(text))}
    assert told["set_up process_groups"] == (
        'set_up makes process groups for grid.get_ranks("tp"); grid.get_ranks("dp")'
    )
    assert told["set_up parallel sizes"] == 'set_up divides the ranks by tensor_parallel_size=1, order="tp-dp"'
    assert told["set_up data_size"] == (
        "ranks left: data_size = world_size // model_size, where model_size = tensor_parallel_size * 2"
    )
    assert (
        'one_group (new_group) in set_up: one_group(ranks), one for each `ranks` in grid.get_ranks("dp")'
        in (told["set_up process_group"])
    )


def test_a_rank_knows_its_part_of_a_table(source: Source) -> None:
    text = """
        class Table:
            def __init__(self, n, rank):
                self.first = n * rank
                self.end = self.first + n

            def forward(self, ids):
                outside = (ids < self.first) | (ids >= self.end)
                return look_up(ids - self.first, outside)
    """
    (claim,) = masked_ids(source(text))
    assert claim.value.endswith("what is outside is (ids < self.first) | (ids >= self.end)")
    assert not list(masked_ids(source(text.replace("rank", "page"))))


def test_a_demand_tells_when_it_is_made(source: Source) -> None:
    text = """
        class Settings:
            def __post_init__(self):
                if self.sequence_parallel:
                    if self.size <= 1:
                        raise ValueError("one rank only")
                else:
                    assert self.heads % 2 == 0
                assert self.width > 0
    """
    told = {c.condition: c.when for c in constraints(source(text))}
    assert told == {
        "self.size > 1": "self.sequence_parallel",
        "self.heads % 2 == 0": "not self.sequence_parallel",
        "self.width > 0": "",
    }


def test_collectives_of_mlx(source: Source) -> None:
    text = """
        import mlx.core as mx

        def meet(x, group):
            x = mx.distributed.all_sum(x, group=group)
            return mx.sum(x)
    """
    (found,) = collectives(source(text))
    assert (found.primitive, found.tensor, found.group) == ("all_reduce", "x", "group")


def test_barriers_of_a_kernel_are_waited_on_by_phase() -> None:
    text = b"""
__device__ void run(state &s) {
    if (threadIdx.x == 0) {
        init_semaphore(s.page_finished[threadIdx.x], NUM_WARPS - 1);
        init_semaphore(s.keys_arrived, 0, 1);
    }
    lib::wait(s.page_finished[ring], phase);
    s.queue.wait(lock, 3);
    work();
    arrive(s.instruction_arrived[ring], 1);
    arrive(s.instruction_arrived[ring], 1);
    arrive(guest, 1);
}
"""
    found = list(c_barriers(CSource(Path("/w/a.cuh"), SourceText(text))))
    assert [(s.role, s.text, s.expected) for s in found] == [
        ("wait", "run makes s.page_finished[threadIdx.x] expect NUM_WARPS - 1 arrivals", "NUM_WARPS - 1"),
        ("wait", "run sets s.keys_arrived up with the counts 0, 1", ""),
        ("wait", "run waits for s.page_finished[ring], phase phase", ""),
        ("signal", "run arrives at s.instruction_arrived[ring], 1 at once", ""),
    ]
    assert not list(c_barriers(CSource(Path("/w/a.cpp"), SourceText(text))))
