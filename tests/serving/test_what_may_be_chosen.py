"""What settings may be and where they come from when their declaration says so elsewhere: enums, variables, folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.serving.alternatives import alternatives
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.environment import variables
from kernelscope.serving.filling_up import filled_up
from kernelscope.serving.reading import read_python
from kernelscope.serving.readings import Readings
from kernelscope.serving.registries import registries
from kernelscope.serving.service import orders
from kernelscope.serving.system import System, join
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

Source = Callable[[str], PythonSource]

WAYS = """
    import enum

    class Named(str, enum.Enum):
        def said(self): return self.value

    class Way(Named):
        by_sea: str = "by_sea"
        by_air = "by_air"

    class Road(TextEnum):
        narrow = "narrow"
        wide = "wide"

    class Traveller(Person):
        age = 3
        size = 4
"""


def test_a_class_is_an_enum_by_what_its_base_derives_from(source: Source) -> None:
    found = {r.name: [e.key for e in r.entries] for r in registries(source(WAYS)) if r.kind == "enum"}
    assert found["Way"] == ["by_sea", "by_air"]
    assert found["Road"] == ["narrow", "wide"]
    assert "Traveller" not in found


def test_a_setting_may_be_what_the_enum_of_another_file_lists(source: Source) -> None:
    asks = """
        from dataclasses import dataclass

        @dataclass
        class DeskConfig:
            way: Way = Way.by_sea
            road: Optional[Road] = None
            age: int = 3
    """
    ways = PythonSource(Path("/w/ways.py"), source(WAYS).module)
    desk = PythonSource(Path("/w/desk.py"), source(asks).module)
    found = {p.name: p for p in join([read_python(ways), read_python(desk)]).declared if p.owner == "DeskConfig"}
    assert found["way"].choices == ("by_sea", "by_air")
    assert found["way"].listed_at[0].path == Path("/w/ways.py")
    assert found["road"].choices == ("narrow", "wide")
    assert found["age"].choices == ()


def test_of_two_enums_of_one_name_neither_says_what_a_setting_may_be(source: Source) -> None:
    text = "class Way(Enum):\n    a = 'a'\n\nclass Config:\n    way: Way = Way.a\n"
    other = "class Way(Enum):\n    b = 'b'\n"
    one = PythonSource(Path("/w/one.py"), source(text).module)
    two = PythonSource(Path("/w/two.py"), source(other).module)
    mixed = join([read_python(two), read_python(PythonSource(Path("/w/third.py"), source(text).module))])
    assert next(p for p in mixed.declared if p.name == "way").listed_at == ()
    assert next(p for p in join([read_python(one)]).declared if p.name == "way").choices == ("a",)


def test_methods_that_look_up_the_environment_read_the_variables_that_they_spell(source: Source) -> None:
    text = """
        import os

        class Desk:
            @staticmethod
            def to_name(name):
                return "DESK_" + name.upper().replace("-", "_")

            def asked(self, name, default=""):
                name = self.to_name(name)
                return os.getenv(name) or default

            def plain(self, name, default=None):
                return os.getenv(name, default)

            def chosen(self, name, default=None):
                name = self.table[name]
                return os.getenv(name, default)

            @property
            def width(self):
                return int(self.asked("desk-width", default="80"))

            @property
            def height(self):
                return self.plain("HEIGHT", 30)

            @property
            def depth(self):
                return self.chosen("depth", 5)
    """
    found = {p.name: p.value for p in variables(source(text))}
    assert found["DESK_DESK_WIDTH"] == "80"
    assert found["HEIGHT"] == 30
    assert found["depth"] == 5, "what the name is looked up in is not known: it stands as it is written"


def _system(folder: Path, main: str) -> System:
    (folder / "office").mkdir()
    (folder / "office" / "main.py").write_text(main)
    (folder / "office" / "config").mkdir()
    (folder / "office" / "config" / "desk.yaml").write_text("width: 90\n")
    workspace = Workspace(Files([str(folder)]))
    return Readings(workspace).system([entry.path for entry in workspace.files.walk()])


def test_a_configuration_whose_folder_is_worked_out_is_found_where_such_files_lie(tmp_path: Path) -> None:
    main = """
import hydra

@hydra.main(version_base=None, config_path=folder_of("config"), config_name="desk")
def main(args): run(args.width)
"""
    found = {p.name: p.value for p in _system(tmp_path, main).parameters}
    assert found["width"] == 90


def test_one_that_says_its_folder_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    main = '@hydra.main(config_path="settings", config_name="desk")\ndef main(args): run(args.width)\n'
    found = {p.name for p in _system(tmp_path, main).parameters}
    assert "width" not in found


def test_what_only_fills_the_room_that_the_other_kind_leaves_comes_second(source: Source) -> None:
    text = """
        class FirstScheduler:
            def schedule(self):
                prefill_ids = filter(lambda x: POOL[x].kind == Kind.Prefill, POOL.ids)
                chosen = list(prefill_ids)[: self.most]
                if len(chosen) == 0 or (self.mixes and len(chosen) < self.most):
                    decode_ids = filter(lambda x: POOL[x].kind == Kind.Decode, POOL.ids)
                    chosen.extend(list(decode_ids)[: self.most - len(chosen)])
                return chosen

            def of_one_kind(self):
                chosen = [x for x in POOL.ids if POOL[x].kind == Kind.Prefill]
                if not chosen:
                    chosen = [x for x in POOL.late if POOL[x].kind == Kind.Prefill]
                return chosen
    """
    (claim,) = filled_up(source(text))
    assert claim.value.startswith(
        "prefill comes first: FirstScheduler.schedule takes chosen = list(prefill_ids)[: self.most], and adds decode "
    )
    assert "only if len(chosen) == 0 or (" in claim.value


def test_the_first_of_what_a_scheduler_orders_are_served_first_whatever_they_are_called(source: Source) -> None:
    text = """
        class LateScheduler:
            def schedule(self):
                return sorted(POOL.ids, key=lambda x: POOL.table[x].due)[: self.most]

            def shown(self):
                return sorted(POOL.ids, key=lambda x: POOL.table[x].due)[: self.most]

            def schedule_all(self):
                return sorted(POOL.ids, key=lambda x: POOL.table[x].due)
    """
    (claim,) = orders(source(text))
    assert claim.name == "LateScheduler.schedule order"
    assert claim.value.endswith("POOL.table[x].due, smallest first")


def test_a_function_that_gives_back_one_of_several_classes_called_alike_tells_which_when(source: Source) -> None:
    text = """
        class Runner:
            @staticmethod
            def build(args):
                if args.stages > 1:
                    return StagedRunner(args)
                elif args.ways > 1:
                    return SplitRunner(args)
                else:
                    return PlainRunner(args)

        def shaped(x):
            if x.ok:
                return FullAnswer(x)
            return EmptyPage(x)
    """
    found = list(alternatives(source(text)))
    assert [section for section, _ in found] == ["components"]
    assert found[0][1].value == (
        "Runner.build makes StagedRunner if args.stages > 1; SplitRunner if args.ways > 1; PlainRunner otherwise"
    )


def test_kinds_that_a_task_goes_through_are_its_states_beside_what_is_called_state(source: Source) -> None:
    text = """
        class TaskType(Enum):
            Prefill = 1
            Decode = 2
            Hybrid = 3

        class BackendState(Enum):
            Running = 1
            Terminated = 2

        class Task:
            def __init__(self):
                self.task_type = TaskType.Prefill

            def start_decoding(self):
                self.task_type = TaskType.Decode

        class Backend:
            def stop(self):
                self.state = BackendState.Terminated
    """
    system = join([read_python(source(text))])
    assert [r.name for r in system.states] == ["TaskType"]
    assert [x.state for x in system.transitions] == ["TaskType.Prefill", "TaskType.Decode"]
