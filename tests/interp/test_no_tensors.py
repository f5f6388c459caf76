"""What is called, or asked for what tensors do not have, is no tensor, though it is handed to methods like one; what is
asked to be reshaped is one, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from interp.expectations import found_at
from kernelscope.interp.runs import FileRun, run_file
from kernelscope.interp.values import present
from kernelscope.syntax.python.lower import Module
from kernelscope.tensor import Tensor
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace


def interpreted(tmp_path: Path, source: str) -> tuple[FileRun, Module]:
    path = tmp_path / "f.py"
    path.write_text(source)
    workspace = Workspace(Files([str(tmp_path)]))
    module = workspace.modules.module(str(path))
    assert module is not None
    return run_file(workspace, str(path)), module


HANDED = """
class Sampler:
    def step(self, thing, x):
        {}
        return x

    def loop(self, thing, x):
        return self.step(thing, x)
"""


@pytest.mark.parametrize(
    ("use", "is_tensor"),
    [
        ("return thing(x)", False),
        ("w = next(thing.parameters())", False),
        ("n = thing.hidden_size", False),
        ("w = thing['weight']", False),
        ("w = thing.shape[0]", True),
        ("w = thing.sum(0)", True),
        ("n = thing.size", True),
        ("placed = thing.sharding", True),
        ("x[:, thing] = 0", True),
        ("first = thing.split('*')[0]", False),
        ("first = thing.split(2)[0]", True),
        ("words = re.sub(' +', ' ', thing)", False),
        ("name = thing.lower()", False),
    ],
)
def test_what_is_handed_on_is_a_tensor_unless_it_is_used_otherwise(tmp_path: Path, use: str, is_tensor: bool) -> None:
    run, module = interpreted(tmp_path, HANDED.format(use))
    start = module.text.data.index(b"thing, x):\n        return self")
    held = next(seen.value for span, seen in run.values.items() if span.start == start)
    assert isinstance(held, Tensor) == is_tensor


def test_one_callers_function_does_not_stand_for_what_others_give(tmp_path: Path) -> None:
    run, module = interpreted(
        tmp_path,
        "class Steps:\n"
        "    def step(self, model, x):\n"
        "        y = model(x)\n"
        "    def loop(self, model, x):\n"
        "        B, C, T = x.shape\n"
        "        self.step(model, x)\n"
        "    def once(self, x):\n"
        "        B, C, T = x.shape\n"
        "        self.step(lambda h: h.sum(0), x)\n",
    )
    assert found_at(run, module, 3) == "?"


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        ("cache['key'].view(B, -1, 8)", "[B, y_dim1, 8]"),
        ("cache['key'].permute(0, 2, 1).reshape(-1, C)", "[key_size0*key_size1*key_size2//C, C]"),
        ("other(x).reshape(B, C)", "[B, C]"),
        ("cache['key'].view(x.dtype)", "[..., ?]"),
    ],
)
def test_what_is_reshaped_is_a_tensor(tmp_path: Path, call: str, shape: str) -> None:
    source = f"from lost import other\n\ndef f(x, cache):\n    B, C, T = x.shape\n    y = {call}\n"
    run, module = interpreted(tmp_path, source)
    assert found_at(run, module, 5) == shape


@pytest.mark.parametrize(
    ("name", "shape"),
    [("edge_index", "[2, E]"), ("src_tokens", "[B, S]"), ("prev_output_tokens", "[B, S_dec]")],
)
def test_names_of_the_field_promise_sizes(tmp_path: Path, name: str, shape: str) -> None:
    run, module = interpreted(tmp_path, f"def f(x, {name}):\n    y = {name}.clone()\n")
    assert found_at(run, module, 2) == shape


@pytest.mark.parametrize(
    ("use", "is_tensor"),
    [
        ("torch.cuda.set_device(x)", False),
        ("layer = torch.nn.Linear(x, 30)", False),
        ("state = torch.load(x)", False),
        ("y = torch.relu(x)", True),
        ("y = torch.ops.mine.scaled(x)", True),
        ("y = torch.exp(x * 2)", True),
    ],
)
def test_only_operators_take_a_tensor_first(tmp_path: Path, use: str, is_tensor: bool) -> None:
    source = f"import torch\n\ndef used(n, x):\n    {use}\n    return n\n\ndef call(n, x):\n    return used(n, x)\n"
    run, _ = interpreted(tmp_path, source)
    held = [seen.value for span, seen in run.values.items() if span.start == source.index("x):")]
    assert any(isinstance(value, Tensor) for value in held) == is_tensor


@pytest.mark.parametrize(("bases", "is_tensor"), [("", False), ("(torch.nn.Module)", True)])
def test_who_is_no_layer_gives_texts_to_what_it_holds(tmp_path: Path, bases: str, is_tensor: bool) -> None:
    source = (
        "import torch\n\n"
        f"class Chat{bases}:\n"
        "    def __init__(self, model):\n"
        "        super().__init__()\n"
        "        self.model = model\n"
        "    def start(self, n, role):\n"
        "        return [n, *self.model.encode(role)]\n"
    )
    run, _ = interpreted(tmp_path, source)
    held = [seen.value for span, seen in run.values.items() if span.start == source.index("role")]
    assert any(isinstance(value, Tensor) for value in held) == is_tensor


def test_what_a_method_does_arithmetic_with_alone_is_a_number_as_well_as_a_tensor(tmp_path: Path) -> None:
    source = (
        "class Model:\n"
        "    def rate(self, seconds):\n"
        "        return 2 * self.work / seconds\n"
        "class Trained:\n"
        "    def __init__(self):\n"
        "        self.model = Model()\n"
        "    def rate(self, elapsed):\n"
        "        return self.model.rate(elapsed)\n"
    )
    run, _ = interpreted(tmp_path, source)
    assert not any(isinstance(seen.value, Tensor) for seen in run.values.values())


ANNOTATED = """
from typing import Any, Callable, Iterator
import torch
from torch import Tensor

class Server:
    def step(self, thing: {}, x: Tensor):
        held = thing
        return held, x

    def loop(self, thing, x):
        return self.step(thing, x)
"""


@pytest.mark.parametrize(
    ("annotation", "is_tensor"),
    [
        ("str", False),
        ("dict[str, Any]", False),
        ("Callable[[Tensor], Tensor]", False),
        ("Callable[[Tensor], Tensor] | None", False),
        ("Iterator[Tensor]", False),
        ("type[Tensor]", False),
        ("Tensor", True),
        ("Tensor | None", True),
    ],
)
@pytest.mark.parametrize("caller", ["loop", "other"])
def test_what_is_annotated_as_something_else_is_no_tensor(
    tmp_path: Path, annotation: str, is_tensor: bool, caller: str
) -> None:
    """Whether somebody hands it on or nobody calls the function."""
    source = ANNOTATED.format(annotation)
    run, module = interpreted(tmp_path, source.replace("self.step(", "self.other(") if caller == "other" else source)
    start = module.text.data.index(b"held")
    held = next((seen.value for span, seen in run.values.items() if span.start == start), None)
    assert isinstance(present(held), Tensor) == is_tensor


CALLED = """
import argparse
from torch import nn

class {}:
    def __call__(self, thing, values):
        held = thing
        return held
"""


@pytest.mark.parametrize(("head", "is_tensor"), [("Store(argparse.Action)", False), ("Layer(nn.Module)", True)])
def test_what_an_object_is_called_with_is_a_tensor_if_it_is_a_layer(tmp_path: Path, head: str, is_tensor: bool) -> None:
    run, module = interpreted(tmp_path, CALLED.format(head))
    start = module.text.data.index(b"held")
    held = next((seen.value for span, seen in run.values.items() if span.start == start), None)
    assert isinstance(held, Tensor) == is_tensor
