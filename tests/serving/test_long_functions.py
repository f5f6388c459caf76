"""What is told of functions: long ones in stretches, faults that are handled, their numbers and sections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import faq_answers, report_layout
from kernelscope.explain.faq_answers import Speaking
from kernelscope.explain.faq_functions import compared, functions
from kernelscope.explain.report_layout import steps_of
from kernelscope.explain.report_serving import SERVING
from kernelscope.serving.balancing import balancing
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.condensing import Condenser
from kernelscope.serving.constraints import constraints
from kernelscope.serving.parameters import parameters
from kernelscope.serving.procedures import procedures
from kernelscope.serving.processes import running_classes
from kernelscope.serving.reading import read_python
from kernelscope.serving.stretches import MAX_STEPS, stretches
from kernelscope.serving.system import join
from kernelscope.syntax.python import tree as t

Source = Callable[[str], PythonSource]
Json = dict[str, object]

SORTING = "\n".join(f"        self.sort_letters_of_shelf_{i}(self.shelves[{i}], by=self.address_of)" for i in range(30))
LONG = f"""
class Desk:
    def serve(self, late):
        self.open()
        for letter in self.letters:
            self.stamp(letter)
{SORTING}
        if late:
            while self.waiting and len(self.running) < self.most:
                letter = self.waiting.popleft()
                self.running.append(letter)
            self.close()
"""


def lines_of(source: PythonSource) -> list[str]:
    """The steps of the first function of a file."""
    (function, *_) = source.module.functions()
    return [step.line for step in Condenser(source).block(function.node.body)]


def test_a_long_function_is_told_in_stretches_under_the_heads_of_what_they_lie_in(source: Source) -> None:
    told = [p for p in procedures(source(LONG)) if p.section != "components"]
    assert len(told) > 1 and all(len(p.steps) < MAX_STEPS + 100 for p in told)
    first, *_, last = told
    assert first.name == "Desk.serve" and last.name == f"Desk.serve (from line {last.evidence[0].line})"
    assert [p.evidence[0].line for p in told[1:]] == [p.last_line + 1 for p in told[:-1]]
    assert first.steps.endswith("\n…") and last.steps.startswith("…\n")
    assert sum(p.steps.count("sort_letters") for p in told) == 30
    inner = "\n".join(f"            self.note(self.pages[{i}], self.columns[{i}], here)" for i in range(40))
    looped = f"def walk(tree):\n    for branch in tree:\n        if branch.is_alive:\n{inner}\n"
    (_, more, *_) = (p for p in procedures(source(looped)) if p.section == "components")
    assert more.steps.startswith("for branch in tree:\n  if branch.is_alive:\n    …\n    self.note(")


def test_an_answer_shows_the_stretch_that_it_cites(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(LONG)
    report = Analysis([tmp_path]).report()
    entries = {str(row["id"]): row for row in cast("list[Json]", report["faq"])}
    steps = str(entries["batching.strategy.steps.1"]["answer"])
    assert steps.startswith("Desk.serve (from line ") and "letter = self.waiting.popleft()" in steps


def test_faults_that_are_handled_are_told_and_what_is_only_logged_is_not(source: Source) -> None:
    text = """
        def take(self, size, count):
            self.size = size
            self._count, self.most = count, 8
            if size > 4:
                logger.warning("large")
            try:
                letter = self.queue.get()
            except queue.Empty:
                self.idle += 1
                return None
            except Exception:
                logger.error("lost")
                raise
            else:
                self.stamp(letter)
    """
    assert lines_of(source(text)) == [
        "self._count, self.most = count, 8", "try:", "  letter = self.queue.get()", "  self.stamp(letter)",
        "except queue.Empty:", "  self.idle += 1", "  return None",
    ]  # fmt: skip
    assert lines_of(source("def f(self, size):\n    self.size = size\n    self.width = size")) == ["self.width = size"]
    quiet = "def f():\n    try:\n        run()\n    except OSError:\n        logger.error('x')"
    assert lines_of(source(quiet)) == ["run()"]


def test_numbers_that_a_function_goes_by_stand_with_its_steps(source: Source) -> None:
    text = """
        SHORT_LETTER = 128
        OTHER_SIZE = 4

        def delay(pages, usual=0.15, most=5, name=None, quick=False):
            if pages < SHORT_LETTER:
                return usual
            return min(pages / 2, most)
    """
    (told, *_) = procedures(source(text))
    assert told.steps.splitlines()[0] == "by default usual=0.15, most=5"
    assert told.steps.splitlines()[-1] == "where SHORT_LETTER = 128"
    assert 2 in [place.line for place in told.evidence] and 3 not in [place.line for place in told.evidence]


def test_flags_and_arguments_that_are_worked_out_are_parameters(source: Source) -> None:
    text = """
        flags.DEFINE_integer("port", 8080, "where it listens")
        flags.DEFINE_enum("mode", "fast", ["fast", "safe"], "how it runs")

        class Desk:
            def __init__(self, shelves=None, drawers=None):
                if shelves is None:
                    shelves = 16 if self.is_wide else 4
                self.room = 2 * shelves
    """
    port, mode, shelves = parameters(source(text))
    assert (port.name, port.value, port.kind, port.doc) == ("--port", 8080, "option", "where it listens")
    assert (mode.value, mode.choices, mode.doc) == ("fast", ("fast", "safe"), "how it runs")
    assert [(o.value, o.condition) for o in shelves.overrides] == [("16 if self.is_wide else 4", "shelves is None")]


def test_sections_of_a_function_also_by_its_file_its_documentation_and_one_word_in_many_names(
    tmp_path: Path,
) -> None:
    text = """
class Layers:
    def make_room(self, size):
        '''Takes the oldest out of the cache, so that its memory is free. More.'''
        while not self.fits(size):
            self.take(self.oldest())

    def work_off(self, task):
        chunk_size = self.chunk_of(task)
        self.last_chunk = task.cut(chunk_size)
"""
    module = tmp_path / "prefix_layers.py"
    module.write_text(text)
    serving = cast("dict[str, list[Json]]", Analysis([tmp_path]).report()["serving"])
    names = {key: [row["name"] for row in rows] for key, rows in serving.items() if isinstance(rows, list)}
    assert "Layers.make_room steps" in names["prefix_cache"] and "Layers.make_room steps" in names["kv_cache"]
    assert "Layers.work_off steps" in names["scheduling"] and "Layers.work_off steps" in names["batching"]


def test_a_class_that_is_a_thread_is_cited_where_it_says_so(source: Source) -> None:
    (pool,) = running_classes(
        source("class Pool(threading.Thread):\n    size = 4\n\n    def run(self):\n        work()\n")
    )
    assert pool.location.line == 1


def test_limits_are_told_where_something_is_held_against_them_and_faults_where_they_are_handled(source: Source) -> None:
    text = """
        class Scheduler:
            def add_request(self, letter):
                if self.size_of(letter) > self.max_batch_size:
                    letter.refuse()
                else:
                    self.waiting.append(letter)

            def on_request_failure(self, peer):
                self.banned.add(peer)
                self.update()
    """
    system = join([read_python(source(text))])
    (limit,) = compared("max_batch")(system)
    assert limit.value == "Scheduler.add_request: if self.size_of(letter) > self.max_batch_size: letter.refuse()"
    assert [c.name for c in functions("fail")(system)] == ["Scheduler.on_request_failure"]


def test_states_of_other_things_stand_behind_those_of_requests(tmp_path: Path) -> None:
    text = "class ShelfState(enum.Enum):\n    OPEN = 0\n    FULL = 1\n\nclass Color(enum.Enum):\n    RED = 0\n"
    (tmp_path / "shelf.py").write_text(f"import enum\n\n{text}")
    serving = cast("dict[str, dict[str, list[Json]]]", Analysis([tmp_path]).report()["serving"])
    assert [(row["name"], row["value"]) for row in serving["lifecycle"]["states"]] == [
        ("ShelfState states", "OPEN, FULL")
    ]


def test_functions_are_nodes_of_the_tree(source: Source) -> None:
    """A step knows the statements that it tells, also those on the line of their test."""
    (function,) = source("def f(a):\n    if a:\n        return 1\n    return 2\n").module.functions()
    steps = Condenser(source("def f(a):\n    if a:\n        return 1\n    return 2\n")).block(function.node.body)
    assert [[type(node) for node in step.nodes] for step in steps] == [[t.If, t.Return], [t.Return]]


def test_answers_that_are_errors_refuse_and_what_holds_only_where_something_is_given_says_so(source: Source) -> None:
    text = """
        def check(request):
            if request.pages is not None and request.pages <= 0:
                return error_response(Code.RANGE, "too few")
            if request.late:
                return page_of(request)
            if request.key not in KEYS:
                raise Refused(status=401)
    """
    few, key = constraints(source(text))
    assert (few.condition, few.when) == ("request.pages > 0", "request.pages is not None")
    assert (few.enforced_by, few.message) == ("error answer", 'error_response(Code.RANGE, "too few")')
    assert (key.condition, key.message) == ("request.key in KEYS", "Refused(status=401)")


def test_a_function_that_only_works_something_out_is_told(source: Source) -> None:
    text = """
        class Queue:
            def pending_limit(self):
                return (self.late + 1) * self.batch

            def batch_name(self):
                return self.name
    """
    assert [p.name for p in procedures(source(text))] == ["Queue.pending_limit"]


def test_replicas_are_chosen_by_the_least_of_an_array_by_weights_and_by_the_shortest_queue(source: Source) -> None:
    text = """
        def address_of(self, model):
            if self.is_lottery:
                at = np.random.choice(np.arange(len(names)), p=speeds)
                return self.workers[at]
            at = np.argmin(lengths)
            return self.workers[at]

        def hand_on(self, letter):
            target = min(self.backlogs.items(), key=lambda entry: entry[1].qsize())[0]
            self.backlogs[target].put(letter)

        def best(self, scores):
            at = np.argmin(scores)
            return self.colours[at]
    """
    by_array, shortest = balancing(source(text))
    assert by_array.value == (
        "load balancing: one of self.workers at random, by the weights speeds; or the one of self.workers with the "
        "smallest of lengths (≈ replicas by their names)"
    )
    assert "the queue of self.backlogs.items() that holds least (entry[1].qsize())" in shortest.value


def test_stretches_begin_with_a_branch_rather_than_within_it(source: Source) -> None:
    path = "".join(f"        self.go_along_path(way, {i})\n" for i in range(12))
    ways = "".join(f"    {'el' if at else ''}if way == {at}:\n{path}" for at in range(9))
    told = [p.steps.splitlines() for p in procedures(source(f"def choose_road(self, way):\n{ways}")) if p.weight]
    assert len(told) > 2 and all(lines[1].startswith("elif") for lines in told[1:])


def test_what_texts_speak_of_is_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faq_answers, "MOST_REMEMBERED", 2)
    speaks = Speaking("queue")
    asked = ("a Queue", "none", "a Queue", "queues", "none")
    assert [speaks(text) for text in asked] == [True, False, True, True, False]


def test_small_systems_are_told_of_more_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = "".join(f"def abort_request_{i}(a):\n    a.run({i})\n    a.stop()\n\n\n" for i in range(12))
    (tmp_path / "queue.py").write_text(functions)

    def told() -> int:
        report = Analysis([tmp_path]).report()
        serving = cast("dict[str, dict[str, list[Json]]]", report["serving"])
        return sum(not str(row["name"]).startswith("more of") for row in serving["lifecycle"]["steps"])

    rows = steps_of("serving.lifecycle", 3)
    monkeypatch.setitem(cast("dict[str, object]", SERVING["lifecycle"]), "steps", rows)
    assert told() == 9
    monkeypatch.setattr(report_layout, "FEW_FILES", 0)
    assert told() == 3


def test_every_stretch_stands_where_the_whole_function_belongs(source: Source) -> None:
    rows = "\n".join(f"        self.letters[{i}] = fold(letters[{i}], creases=[{i}, {i} + 1])" for i in range(40))
    text = f"class Desk:\n    def sort(self, letters):\n        self.shard(letters, self.rank)\n{rows}"
    told = [p for p in read_python(source(text)).procedures if p.section != "components"]
    assert len(told) > 1
    assert all("distributed" in (p.section, *p.also) for p in told)


def test_what_is_tried_in_turn_and_what_compares_are_orders(source: Source) -> None:
    text = """
        class Letter:
            def __lt__(self, other):
                return self.day < other.day

        def fold(desk):
            seen = desk.seen
            return write(seen) or draw(seen) or wait(desk)

        def post(tasks, desk):
            tasks.add_task(desk.empty)
            return tasks
    """
    told = {p.name: {p.section, *p.also} for p in read_python(source(text)).procedures if p.section != "components"}
    assert "serving.scheduling" in told["Letter.__lt__"]
    assert "serving.scheduling" in told["fold"]
    assert "serving.lifecycle" in told["post"]


def test_what_is_worked_out_before_a_call_is_told(source: Source) -> None:
    text = """
        class Cache:
            def pages_needed(self, letter):
                return ceil(letter.words + letter.answer, self.page_size)
    """
    (found,) = (p for p in procedures(source(text)) if p.section != "components")
    assert found.steps == "return ceil(letter.words + letter.answer, self.page_size)"


def test_a_function_of_no_steps_is_one_stretch_of_nothing() -> None:
    assert stretches([]) == [([], [])]


def test_hundreds_of_branches_are_gone_through_one_by_one(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    branches = "".join(f"        elif letter == {i}:\n            self.put({i})\n" for i in range(1, 600))
    code = f"class Desk:\n    def step(self, letter):\n        if letter == 0:\n            self.put(0)\n{branches}"
    reading = read_python(source(code))
    assert not reading.faults
    assert not caplog.records
