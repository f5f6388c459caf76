"""Schedules: which tasks are made in which order, how they are dealt, which counters they wait for."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target, UserError, ViewOptions
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.counters import meetings
from kernelscope.serving.dealing import deals
from kernelscope.serving.tasks import plan
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import parse_module
from kernelscope.syntax.text import SourceText

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
SCHEDULE = SAMPLE / "tinyllm" / "schedule.py"
KERNEL = SAMPLE / "csrc" / "megakernel.cu"


def test_tasks_in_order_with_what_they_depend_on() -> None:
    workspace = Analysis([SAMPLE]).workspace
    module = workspace.modules.module(str(SCHEDULE))
    assert module is not None
    build = next(scope.node for scope in module.functions() if scope.qualified_name == "build")
    assert isinstance(build, t.FunctionDef)
    found = plan(workspace, SCHEDULE, module, build)
    assert found.kinds == ["NormProjectTask", "AttendTask", "OutputTask", "ExpandTask", "ContractTask"]
    assert found.puts[0].loops == (("layer", "layers"), ("tile", "processors"))
    assert found.before("AttendTask") == {"NormProjectTask": False}
    assert found.before("NormProjectTask") == {"ContractTask": True}, "those of the layer before"


def test_dealing_is_computed() -> None:
    module = Analysis([SAMPLE]).workspace.modules.module(str(SCHEDULE))
    assert module is not None
    plain, turning = deals(PythonSource(SCHEDULE, module))
    assert (plain.kind, plain.order[:6]) == ("round robin", (0, 1, 2, 3, 0, 1))
    assert (turning.kind, turning.order[:9]) == ("back and forth (zig-zag)", (0, 1, 2, 3, 3, 2, 1, 0, 0))


@pytest.mark.parametrize(
    "index", ["task.home % n", "len(task.needs) % n", "at % n", "home % n"], ids=["field", "length", "running", "bound"]
)
def test_an_index_that_is_no_number_of_the_task_gives_no_order(index: str) -> None:
    text = f"""
def spread(tasks, queues, n):
    at = 0
    for i, task in enumerate(tasks):
        home = task.home
        queues[{index}].append(task)
        at += task.cost
"""
    assert not list(deals(PythonSource(Path("/w/f.py"), parse_module(text.encode()))))


def met_in(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for met in meetings([CSource(KERNEL, SourceText(text.encode()))]):
        name = met.wait.task + (" (before)" if met.earlier else "")
        found.setdefault(name, set()).update(signal.task for signal in met.signals)
    return found


def test_waits_meet_the_signals_of_their_counter() -> None:
    assert met_in(KERNEL.read_text()) == {
        "norm_project (before)": {"contract"},
        "attend": {"norm_project"},
        "output": {"attend"},
        "expand": {"output"},
        "contract": {"expand"},
    }


def test_a_counter_that_nobody_adds_to_is_met_by_nobody() -> None:
    other = KERNEL.read_text().replace("#define CONTRACT 4", "#define CONTRACT 4\n#define ELSEWHERE 9")
    assert "expand" not in met_in(other.replace("done[{task.layer, OUTPUT, 0}]", "done[{task.layer, ELSEWHERE, 0}]"))


@pytest.mark.parametrize("path", [SCHEDULE, KERNEL], ids=lambda path: path.name)
def test_documents(path: Path) -> None:
    text = to_text(Analysis([SAMPLE]).document("timeline", Target(path))).text
    assert "Attend T0]" in text.replace("attend", "Attend") and "before" in text
    assert max(map(len, text.split("\n"))) <= 100


def test_tasks_without_room_for_their_names_have_letters() -> None:
    document = Analysis([SAMPLE]).document("timeline", Target(SCHEDULE), ViewOptions(width=60))
    text = to_text(document, width=60).text
    assert "queue 0: [A0](A)[B0](B)[C0](C)[D0](D)[E0]" in text


def test_a_file_without_a_schedule_says_so() -> None:
    with pytest.raises(UserError, match="no schedule"):
        Analysis([SAMPLE]).document("timeline", Target(SAMPLE / "tinyllm" / "rope.py"))


ONE_OF_TWO = """
from torch import nn


class Settings:
    pass


class Ahead(Settings):
    pass


class Lookup(Settings):
    pass


class Part(nn.Module):
    pass


class Left(Part):
    pass


class Right(Part):
    pass


def chosen(name):
    if name == "ahead":
        return Ahead()
    return Lookup()


def built():
    return nn.Sequential(*[Left() for _ in range(2)], *[Right() for _ in range(2)])
"""


@pytest.mark.parametrize("name", ["chosen", "built"])
def test_settings_of_which_one_is_made_and_layers_are_no_tasks(tmp_path: Path, name: str) -> None:
    (tmp_path / "parts.py").write_text(ONE_OF_TWO)
    with pytest.raises(UserError, match="no schedule"):
        Analysis([tmp_path]).document("timeline", Target(tmp_path / "parts.py", None, name))


WORKER = """
__device__ void run_worker(Config config, Desc *desc, unsigned long long needed) {
  size_t slot = desc->waits_for;
  unsigned long long seen = 0;
  while (seen < needed) {
    seen = load_acquire(&config.done[slot]);
    __nanosleep(10);
  }
  work(desc);
  slot = desc->then;
  atom_add_release(&config.done[slot], 1);
}
"""


def test_where_tasks_are_data_the_function_that_runs_them_waits(tmp_path: Path) -> None:
    (tmp_path / "worker.cu").write_text(WORKER)
    text = to_text(Analysis([tmp_path]).document("timeline", Target(tmp_path / "worker.cu"))).text
    assert "done[slot]" in text and "needed" in text and "A (+1)" in text
    assert "Tasks are data here" in text
    (tmp_path / "worker.cu").write_text(WORKER.replace("atom_add_release(&config.done", "store(&config.other"))
    with pytest.raises(UserError, match="waits for a counter"):
        Analysis([tmp_path]).document("timeline", Target(tmp_path / "worker.cu"))
