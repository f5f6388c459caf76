"""What lies near the main loop of a system comes first, and what its functions are ordered and registered by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from kernelscope.explain.report_config import CONFIG
from kernelscope.explain.report_layout import Rows, steps_of
from kernelscope.explain.report_places import Json, Places, Texts
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.calling import callers
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.parameters import parameters
from kernelscope.serving.procedures import procedures
from kernelscope.serving.reading import read_c, read_python
from kernelscope.serving.registrars import registrars
from kernelscope.serving.system import System, join
from kernelscope.serving.victims import victims
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import Files

Source = Callable[[str], PythonSource]

LOOP = """
    class Engine:
        def run(self):
            while True:
                self.take_in()
                batch = self.next_batch()
                if batch:
                    self.desk.serve(batch)

        def next_batch(self):
            if self.settings.late_width > 3:
                return self.filler.fill(self.waiting)
            return None

        def report_all(self):
            while self.left > 0:
                self.left -= 1
                self.count()

    class Clock:
        def tick(self):
            while not self.over:
                self.strike()

        def strike(self):
            self.bell.ring()
"""
FILLER = """
    class Filler:
        def fill(self, waiting):
            return self._one(waiting[0])

        def _one(self, job):
            return job.page

    class Other:
        def fill_nothing(self, waiting):
            return self._one(waiting)

        def _one(self, job):
            return [job.page]
"""


def _system(source: Source, **files: str) -> System:
    return join([read_python(PythonSource(Path(f"/w/{name}.py"), source(text).module)) for name, text in files.items()])


def _rows(rows: object, system: System) -> list[Json]:
    return cast("Rows", rows)(system, Places(Path("/w"), Texts(Files(["/w"]))))


def test_calls_are_followed_from_loops_that_only_somebody_ends(source: Source) -> None:
    near = _system(source, engine=LOOP, filler=FILLER).nearness
    engine, filler = Path("/w/engine.py"), Path("/w/filler.py")
    assert near.of(engine, "Engine.run") > near.of(engine, "Engine.next_batch") > near.of(filler, "Filler.fill") > 0
    assert near.of(filler, "Filler._one") > 0
    assert near.of(filler, "Other._one") == near.of(filler, "Other.fill_nothing") == 0
    assert near.of(engine, "Engine.report_all") == 0, "a loop that ends by itself is no main loop"
    assert near.of(engine, "Clock.tick") == 0, "what schedules nothing is none where another does"
    assert near.of_name("late_width") > 0
    assert near.of_name("--late-width") > 0
    assert near.of_name("bell") == 0


def test_a_file_without_loops_has_nothing_near(source: Source) -> None:
    system = _system(source, filler=FILLER)
    assert system.nearness.functions == {}
    assert not any(c.is_endless for c in callers(source(FILLER)))


def test_of_two_functions_that_fit_alike_the_one_that_the_loop_comes_to_leads(source: Source) -> None:
    alike = "        def schedule_{0}(self, jobs):\n            jobs.sort()\n            return jobs[0]\n"
    text = f"""
    class Far:
{alike.format("far")}
    class Near:
{alike.format("near")}
    class Engine:
        def run(self):
            while True:
                self.near.schedule_near(self.jobs)
    """
    rows = _rows(steps_of("serving.scheduling"), _system(source, order=text))
    names = [str(row["name"]) for row in rows]
    assert names.index("Near.schedule_near steps") < names.index("Far.schedule_far steps")


def test_settings_that_the_loop_reads_and_demands_of_settings_come_first(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class DeskConfig:
            early_width: int = 1
            late_width: int = 2

            def __post_init__(self):
                assert self.late_width in (1, 2)

        def kernel(block):
            assert block % 16 == 0
    """
    system = _system(source, desk=text, engine=LOOP)
    names = [row["name"] for row in _rows(CONFIG["parameters"], system)]
    assert names.index("late_width") < names.index("early_width")
    demands = [str(row["condition"]) for row in _rows(CONFIG["constraints"], system)]
    assert demands.index("self.late_width in (1, 2)") < demands.index("block % 16 == 0")


def test_a_variable_that_several_files_read_alike_stands_once_with_all_its_places(source: Source) -> None:
    text = "import os\nWIDTH = int(os.getenv('DESK_WIDTH', '80'))\n"
    other = "import os\nWIDE = os.getenv('DESK_WIDTH', '90')\n"
    system = _system(source, one=text, two=text, three=other)
    rows = [row for row in _rows(CONFIG["parameters"], system) if row["name"] == "DESK_WIDTH"]
    cited = [sorted(str(place["path"]) for place in cast("list[Json]", row["evidence"])) for row in rows]
    assert sorted(cited) == [["one.py", "two.py"], ["three.py"]]


def test_who_gives_way_is_told_with_the_order_that_another_method_makes(source: Source) -> None:
    text = """
        class Batch:
            def retract(self):
                order = self._order_of(self.reqs)
                order = tidied(order)
                while not self.fits(order):
                    index = order.pop()
                    self.release_req(index)

            @staticmethod
            def _order_of(reqs):
                order = list(range(len(reqs)))

                def length_of(req):
                    return (len(req.output_ids), -len(req.prompt))

                order.sort(key=lambda i: length_of(reqs[i]), reverse=True)
                return order
    """
    (claim,) = victims(source(text))
    assert "the last of order is taken" in claim.value
    assert claim.value.endswith(
        "; it is in the order of lambda i: length_of(reqs[i]) "
        "(where length_of is (len(req.output_ids), -len(req.prompt))), largest first"
    )


def test_a_function_that_fills_a_table_with_what_it_is_given_registers_by_name(source: Source) -> None:
    text = """
        _CACHES: dict[str, type] = {}
        _SEEN = {}

        def register_cache(name, made):
            if name in _CACHES:
                raise ValueError(name)
            _CACHES[name] = made

        def cache_of(name):
            return _CACHES.get(name)

        def remember(name, made):
            _SEEN[name] = made
    """
    (claim,) = registrars(source(text))
    assert claim.value == (
        "registered by name: register_cache(name, made) puts what it is given into _CACHES (_CACHES[name] = made); "
        "cache_of looks it up"
    )


def test_choices_beside_a_type_are_read_whatever_a_file_calls_annotated(source: Source) -> None:
    text = """
        from office.marks import A, Arg

        class DeskConfig:
            way: A[str, Arg(help="how it goes", choices=["by_sea", "by_air"])] = "by_sea"
            table: Dict[str, int] = {}
    """
    found = {p.name: (p.doc, p.choices) for p in parameters(source(text))}
    assert found["way"] == ("how it goes", ("by_sea", "by_air"))
    assert found["table"] == ("", ())


def test_what_is_worked_out_in_one_statement_is_told(source: Source) -> None:
    text = """
        class Budget:
            def check_prefill(self, tokens, limit):
                return (True, limit) if tokens < self.remaining else (False, None)

            def decay_step(self):
                self.ratio = max(self.ratio - self.decay, self.least)

            def eviction_priority(self, node):
                return (node.hits, node.last_access)

            def set_batch(self, batch):
                self.batch = batch
    """
    told = {p.name for p in procedures(source(text))}
    assert {"Budget.check_prefill", "Budget.decay_step", "Budget.eviction_priority"} <= told
    assert "Budget.set_batch" not in told


def test_of_a_large_system_further_settings_stand_together_by_what_they_are_of(source: Source) -> None:
    fields = "\n".join(f"    width_{number}: int = {number}" for number in range(400))
    desk = f"from dataclasses import dataclass\n\n@dataclass\nclass DeskConfig:\n{fields}\n"
    files = {"desk": desk, **{f"empty_{number}": "import os\n" for number in range(310)}}
    rows = _rows(CONFIG["parameters"], _system(source, **files))
    names = [str(row["name"]) for row in rows]
    assert names[:240] == [f"width_{number}" for number in range(240)]
    assert names[240:] == ["more of DeskConfig"] * 20
    assert str(rows[240]["value"]).startswith("width_240 default 240; width_241 default 241; ")
    lines = [place["line"] for place in cast("list[Json]", rows[-1]["evidence"])]
    assert lines == list(range(397, 405))


def test_what_is_worked_out_is_told_as_it_is_written_also_among_others(source: Source) -> None:
    fields = "\n".join(f"    int64_t width_{number} = {number};" for number in range(250))
    desk = CSource(
        Path("/w/desk.h"), SourceText(f"struct DeskConfig {{\n{fields}\n    int late = 600 * 1000;\n}};".encode())
    )
    empty = (PythonSource(Path(f"/w/empty_{n}.py"), source("import os\n").module) for n in range(310))
    rows = _rows(CONFIG["parameters"], join([read_c(desk), *map(read_python, empty)]))
    assert str(rows[-1]["value"]).endswith("late default 600000 (written 600 * 1000)")


def test_what_is_demanded_of_a_name_that_a_setting_shares_is_no_demand_of_it(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class DeskConfig:
            name: str = "plain"  # how it is called
            width: int = 2

        def check(args, name, names, block):
            assert name in names
            assert block % 16 == 0
            assert args.width in (1, 2)
    """
    demands = [str(row["condition"]) for row in _rows(CONFIG["constraints"], _system(source, desk=text))]
    assert demands[0] == "args.width in (1, 2)"
