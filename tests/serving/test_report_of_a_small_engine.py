"""What the report of an engine of pipelines and schedulers by name said and was not so, or did not find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.explain.section_settings import declared
from kernelscope.serving.alternatives import alternatives
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import collectives
from kernelscope.serving.reaching import reaches, wrapped_collectives
from kernelscope.serving.reading import read_python
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import join
from kernelscope.serving.weights import shared_weights
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

from .test_read_beside_source import answers

Source = Callable[[str], PythonSource]


def test_a_choice_within_a_branch_is_told_with_the_test_of_that_branch(source: Source) -> None:
    text = """
        class Scheduler:
            def build(args):
                if args.kind == "first":
                    if args.slots:
                        return SlottedScheduler(args)
                    else:
                        return FirstScheduler(args)
                raise ValueError(args.kind)
    """
    (told,) = [claim.value for _, claim in alternatives(source(text))]
    assert told == (
        'Scheduler.build makes (if args.kind == "first") SlottedScheduler if args.slots; FirstScheduler otherwise'
    )


def test_what_is_received_into_new_memory_is_not_what_its_size_is_taken_from(source: Source) -> None:
    text = """
        import torch

        class Executor:
            def _recv_rows(self, tasks):
                rows = torch.empty([tasks.count, self.width])
                torch.distributed.irecv(rows, src=self.last)
                return rows

            def step(self, tasks):
                self._recv_rows(tasks)
    """
    file = source(text)
    rows = [c for c in wrapped_collectives(file, reaches(file, list(collectives(file)))) if c.where == "Executor.step"]
    assert [(c.primitive, c.tensor) for c in rows] == [("recv", "")]


def test_a_part_that_stands_for_another_shares_no_weight_with_it(source: Source) -> None:
    text = """
        def replaced(model, module):
            made = NarrowLinear(module.width)
            made.weight = module.weight
            return made

        class Model:
            def __init__(self):
                self.head.weight = self.embed.weight
    """
    assert [c.name for c in shared_weights(source(text))] == ["Model.__init__ tied weights"]


def test_quantisations_that_a_function_chooses_are_found_by_its_name(source: Source) -> None:
    text = """
        def quant(model, method=None):
            if method == "narrow":
                return quantize_narrow(model)
            elif method == "mixed":
                return quantize_mixed(model)
            return model
    """
    assert answers(join([read_python(source(text))]), "components.quantisation") == [
        "quant by method registers narrow → quantize_narrow, mixed → quantize_mixed"
    ]


def test_a_key_of_a_file_speaks_with_what_it_is_a_key_of(tmp_path: Path) -> None:
    main = '@hydra.main(config_path=".", config_name="desk")\ndef main(args): run(args.scheduler.type)\n'
    (tmp_path / "main.py").write_text(f"import hydra\n{main}")
    (tmp_path / "desk.yaml").write_text("scheduler:\n  type: oldest_first\npaper:\n  type: plain\n")
    workspace = Workspace(Files([str(tmp_path)]))
    system = Readings(workspace).system([entry.path for entry in workspace.files.walk()])
    assert answers(system, "scheduling.switches") == ["config.scheduler.type default oldest_first"]


def test_blocks_of_rotations_hold_no_cache_and_layouts_of_weights_schedule_nothing(source: Source) -> None:
    text = """
        class NarrowLinear:
            def __init__(self, interleave=4):
                self.interleave = interleave

        def rotary_embedding(x, block_size=128):
            return launch(x, block_size)

        class PagedCache:
            def __init__(self, block_size=64):
                self.block_size = block_size
    """
    system = join([read_python(source(text))])
    assert [p.owner for p in declared(system, "kv_cache")] == ["PagedCache"]
    assert declared(system, "scheduling") == []
