"""A file is interpreted as far as somebody asks: what a hover tells does not depend on what was asked before."""

from itertools import cycle
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.names_ahead import names_ahead
from kernelscope.interp.file_runs import FileRuns
from kernelscope.interp.order import FileOrder
from kernelscope.interp.runs import FileWork
from kernelscope.results import Span
from kernelscope.syntax.python.lower import parse_module
from kernelscope.syntax.python.tree import Stmt
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

CODE = """
import torch
from torch import nn

class Inner(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, 2 * width)

    def forward(self, states):
        wide = self.proj(states)
        return wide

class Outer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = Inner(width)

    def forward(self, x: torch.Tensor):
        batch, length, width = x.shape
        y = self.inner(x)
        return y

def first(x):
    a, b = x.shape
    z = x.sum(0)
    return z
"""
NAMES = ("wide", "y", "z")


def hovers(analysis: Analysis, path: Path, names: tuple[str, ...]) -> dict[str, str]:
    found = {name: analysis.hover(path, CODE.index(f"{name} = ")) for name in names}
    return {name: hover.signature if hover is not None else "" for name, hover in found.items()}


def test_the_order_of_hovers_changes_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE)
    whole = Analysis([tmp_path])
    whole.file_run(path)
    expected = hovers(whole, path, NAMES)
    assert expected["wide"] == "wide: Tensor[batch, length, 2*width]"
    assert hovers(Analysis([tmp_path]), path, NAMES) == expected
    assert hovers(Analysis([tmp_path]), path, NAMES[::-1]) == expected


CALLING_ITSELF = """
import torch
from torch import nn

class Model(nn.Module):
    def forward(self, tokens, targets=None):
        if targets is None:
            logits = tokens[:, -1:]
        else:
            logits = tokens
        return logits

    def generate(self, tokens, steps):
        rows, columns = tokens.shape
        for _ in range(steps):
            tokens = torch.cat([tokens, self(tokens)], 1)
        return tokens
"""


def test_an_object_that_its_own_method_calls_is_called_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CALLING_ITSELF)
    places = [CALLING_ITSELF.index(name) for name in ("tokens, targets", "logits = tokens[", "tokens = torch")]
    answers: list[list[str]] = []
    for order in (places, places[::-1]):
        analysis = Analysis([tmp_path])
        found = {place: analysis.hover(path, place) for place in order}
        answers.append([repr(found[place]) for place in places])
    assert answers[0] == answers[1]
    assert "Tensor[rows, " in answers[0][0]


MAKING_ITSELF = """
class Model:
    def forward(self, x):
        return self.wide(x)

    def __call__(self, x):
        return x

    @classmethod
    def of_width(cls, width):
        return cls(width)

    def twice(self, x):
        return self(x)
"""


def test_a_method_that_makes_an_object_of_its_class_calls_none() -> None:
    file = FileOrder(parse_module(MAKING_ITSELF.encode()))
    called = {scope.node.name: {other.node.name for other in file.called[scope.node]} for scope in file.functions}
    assert called["twice"] == {"forward", "__call__"}
    assert called["of_width"] == set()


OBJECTS_OF_A_FILE = """
import torch
from torch import nn

class Model(nn.Module):
    def forward(self, x):
        return self.inner(x)

    def inner(self, x):
        return x * 2

def run():
    return model(torch.ones(2, 3))

model = Model()
x = model(torch.ones(2, 3))
"""


def test_what_a_function_binds_itself_is_no_object_of_the_file() -> None:
    file = FileOrder(parse_module(OBJECTS_OF_A_FILE.encode()))
    called = {scope.node.name: {other.node.name for other in file.called[scope.node]} for scope in file.functions}
    assert called == {"forward": {"inner"}, "inner": set(), "run": {"forward", "inner"}}


GIVEN_LAYERS = """
from torch import nn

class Layer(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.proj = nn.Linear(8, 8)
        self.how = how

    def forward(self, x):
        return self.how(self, x)

    def split(self, x):
        return x.chunk(2)

    def width(self):
        return 8

class AsksForParts:
    def __call__(self, layer: Layer, x):
        return layer.split(layer.proj(x))

class CallsIt:
    def __call__(self, layer: Layer, x):
        return layer(x)

class HandsItOn:
    def __call__(self, layer: Layer, x):
        return run(layer, x)

class KeepsIt:
    def __init__(self, layer: Layer):
        self.layer = layer

    def __call__(self, x):
        return self.layer(x)
"""


def test_an_object_that_is_only_asked_for_its_parts_is_not_called() -> None:
    file = FileOrder(parse_module(GIVEN_LAYERS.encode()))
    names: dict[Stmt, str] = {scope.node: scope.qualified_name for scope in file.functions}
    callers = {names[called]: {names[node] for node in nodes} for called, nodes in file.callers.items()}
    assert callers["Layer.forward"] == {"CallsIt.__call__", "HandsItOn.__call__", "KeepsIt.__call__"}
    assert "AsksForParts.__call__" in callers["Layer.split"]
    assert "AsksForParts.__call__" not in callers["Layer.width"]


CHOOSING = """
from torch import nn

class First(nn.Module):
    def __init__(self, width, ratio: float = 0.5, hidden: int | None = None):
        super().__init__()
        if not hidden:
            hidden = int(width * ratio)
        self.up = nn.Linear(width, hidden)

    def forward(self, x):
        B, D = x.shape
        first = self.up(x)
        return first

class Second(nn.Module):
    def __init__(self, width, ratio: float = 0.5, hidden: int | None = None):
        super().__init__()
        if not hidden:
            hidden = int(width * ratio)
        self.up = nn.Linear(width, hidden)

    def forward(self, x):
        second = self.up(x)
        return second
"""


def test_what_a_constructor_chooses_has_the_same_number_whatever_was_looked_at_before(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CHOOSING)
    whole, alone = Analysis([tmp_path]), Analysis([tmp_path])
    whole.file_run(path)
    found = [analysis.hover(path, CHOOSING.index("first = ")) for analysis in (whole, alone)]
    assert [hover.signature if hover is not None else "" for hover in found] == ["first: Tensor[B, hidden_2]"] * 2


@pytest.mark.parametrize(("name", "others"), [("y", set()), ("z", set()), ("wide", {"y"})])
def test_callers_are_interpreted_and_nothing_else(tmp_path: Path, name: str, others: set[str]) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE)
    runs = FileRuns(Workspace(Files([str(tmp_path)])))
    places = {other: CODE.index(f"{other} = ") for other in NAMES}
    run = runs.exact_at(str(path), Span(places[name], places[name]))
    assert {other for other, at in places.items() if not run.waits_for(Span(at, at))} == {name, *others}
    assert not runs.exact(str(path)).waiting


def test_pauses_finish_what_was_begun_and_what_was_opened(tmp_path: Path) -> None:
    paths = [tmp_path / "model.py", tmp_path / "other.py"]
    for path in paths:
        path.write_text(CODE)
    runs = FileRuns(Workspace(Files([str(tmp_path)])))
    runs.exact_at(str(paths[0]), Span(0, 0))
    opened = [str(path) for path in paths]
    while runs.catch_up(opened, True, lambda: False):
        pass
    assert [runs.exact_at(path, Span(0, 0)).waiting for path in opened] == [set(), set()]


def test_a_pause_that_ends_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE)
    runs = FileRuns(Workspace(Files([str(tmp_path)])))
    is_over = cycle((False, True))  # after one function each time
    pauses = 0
    while runs.catch_up([str(path)], True, lambda: next(is_over)):
        pauses += 1
    assert pauses == len(runs.exact(str(path)).steps) + 1  # the last one finds that nothing is left


def test_of_what_is_left_in_the_middle_the_oldest_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernelscope.interp.file_runs.KEPT_BEGUN", 2)
    paths = [str(tmp_path / name) for name in ("done.py", "old.py", "used.py", "new.py")]
    for path in paths:
        Path(path).write_text(CODE)
    runs, place = FileRuns(Workspace(Files([str(tmp_path)]))), Span(CODE.index("y = "), CODE.index("y = "))
    runs.exact(paths[0])
    for path in (*paths[2:0:-1], *paths[2:]):  # `used` is asked again after `old`
        runs.exact_at(path, place)
    assert [path for path in paths if runs.waits_for(path, place)] == [paths[1]]


@pytest.mark.parametrize(("may_hold", "forgotten"), [(3, 0), (2, 1), (0, 2)])
def test_what_is_left_in_the_middle_holds_few_trees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_hold: int, forgotten: int
) -> None:
    """The one that was asked for last is kept whatever it holds."""
    monkeypatch.setattr("kernelscope.interp.file_runs.HELD_BYTES", may_hold * len(CODE))
    paths = [str(tmp_path / name) for name in ("old.py", "used.py", "new.py")]
    for path in paths:
        Path(path).write_text(CODE)
    runs, place = FileRuns(Workspace(Files([str(tmp_path)]))), Span(CODE.index("y = "), CODE.index("y = "))
    for path in paths:
        runs.exact_at(path, place)
    assert [path for path in paths if runs.waits_for(path, place)] == paths[:forgotten]


def test_work_that_goes_on_sees_the_files_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE)
    workspace = Workspace(Files([str(tmp_path)]))
    work = FileWork(workspace, str(path))
    work.go_on()
    workspace.files.set_text(str(path), b"x = 1\n")
    while not work.is_done:
        work.go_on()
    assert work.run.values
    assert FileRuns(workspace).exact(str(path)).values == {}


def test_names_are_asked_ahead_once_a_function() -> None:
    module = parse_module(CODE.encode())
    asked = [CODE[offset : CODE.index("\n", offset)] for offset in names_ahead(module)]
    assert len([text for text in asked if text.startswith("proj")]) == 2  # in `__init__` and in `forward`
    assert not any(text.startswith(("def ", "return", "class ")) for text in asked)


def test_of_files_that_are_closed_few_are_kept_while_others_are_open(tmp_path: Path) -> None:
    paths = [tmp_path / f"model{number}.py" for number in range(12)]
    for path in paths:
        path.write_text(CODE)
    analysis = Analysis([tmp_path])
    analysis.set_text(paths[0], CODE.encode())
    for path in paths:
        analysis.file_run(path)
    whole = Span(0, len(CODE))
    assert [path for path in paths if analysis.runs.waits_for(str(path), whole)] == paths[1:4]


def test_what_a_file_has_no_steps_for_is_told_to_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE)
    expected = hovers(Analysis([tmp_path]), path, NAMES)
    for most in ("FILE_STEPS", "MOST_STEPS"):
        monkeypatch.setattr(f"kernelscope.interp.runs.{most}", 1)
        monkeypatch.setattr("kernelscope.interp.runs.LATE_STEPS", 3)
        whole = Analysis([tmp_path])
        run = whole.file_run(path)
        assert run.passed_over
        assert not whole.runs.is_done(str(path))
        assert hovers(whole, path, NAMES[::-1]) == expected
        whole.runs.exact_at(str(path), Span(0, len(CODE)))
        assert whole.runs.is_done(str(path))
