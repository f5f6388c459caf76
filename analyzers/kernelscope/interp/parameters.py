"""The parameters of an object: weights of its layers and of the modules in it, with how often each is there.

Buffers are none, and a module or weight that hangs in several places is counted once.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.dims import Dim, dim
from kernelscope.interp.attributes import instance_attribute
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.values import Alike, Choice, Instance, Maybe, Sequential, Unpacked, Value, as_size, present
from kernelscope.ops import Module
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor
from kernelscope.workspace.modules import Definition, External

MAX_DEPTH = 12
TIED = "_tied_weights_keys"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One weight: where it hangs, and how often; the count is None where that is not known."""

    path: str
    tensor: Tensor
    count: Dim | None
    choice: str = ""
    """The attribute that holds it or another layer with other weights, where it is open which."""


def parameters(run: Interpreter, instance: Instance) -> tuple[Parameter, ...]:
    """The parameters of an object and of all modules in it, those once that are one weight in two places."""
    tied = tuple(_tied(run, instance))
    found = _Walk(run).of(instance, "", dim(1), 0)
    return tuple(p for p in found if not any(re.fullmatch(path, p.path) for path in tied))


def _tied(run: Interpreter, instance: Instance) -> Iterator[str]:
    """Paths of weights that are another's, as classes of Hugging Face's transformers declare them: they hold if the
    configuration says so."""
    declared = instance_attribute(run, instance, TIED)
    if isinstance(declared, dict | list):
        config = instance_attribute(run, instance, "config")
        if isinstance(config, Instance) and instance_attribute(run, config, "tie_word_embeddings") is True:
            yield from (path for path in declared if isinstance(path, str))


class _Walk:
    def __init__(self, run: Interpreter, is_in_choice: bool = False) -> None:
        self.run = run
        self.seen: set[int] = set()
        self.met: Counter[int] = Counter()
        """How often each object was met."""
        self.is_in_choice = is_in_choice

    def _is_open(self, choice: Choice, depth: int) -> bool:
        """Whether what a choice is between holds different weights."""
        each = (_Walk(self.run, True).of(entry, "", dim(1), depth + 1) for entry in choice.followed)
        return len({frozenset(Counter((p.tensor.shape, p.count) for p in found).items()) for found in each}) > 1

    def of(self, value: Value, path: str, count: Dim | None, depth: int) -> Iterator[Parameter]:
        if depth > MAX_DEPTH or (not isinstance(value, Maybe) and id(value) in self.seen):
            return
        match value:
            case Module():
                self.seen.add(id(value))
                for name, tensor in value.parameters.items():
                    if id(tensor) not in self.seen:
                        self.seen.add(id(tensor))
                        yield Parameter(f"{path}.{name}".lstrip("."), tensor, count)
            case Instance() if self.met[id(value)] < value.made:
                self.met[id(value)] += 1
                walk = self if self.met[id(value)] == 1 else _Walk(self.run)
                yield from walk._instance(value, path, count, depth)
            case Alike():
                times = as_size(value.count)
                many = count * times if isinstance(times, Dim) and count is not None else None
                yield from self.of(value.element, path, many, depth + 1)
            case Unpacked():
                yield from self.of(value.value, path, count, depth + 1)
            case Sequential():
                for index, part in enumerate(value.parts):
                    yield from self.of(part, f"{path}.{index}", count, depth + 1)
            case list() | tuple():
                for index, part in enumerate(value):
                    yield from self.of(part, f"{path}.{index}", count, depth + 1)
            case dict():
                for name, part in value.items():
                    yield from self.of(part, f"{path}.{name}", count, depth + 1)
            case Maybe():
                yield from self.of(value.value, path, count, depth + 1)
            case Choice():
                first = self.of(value.followed[0], path, count, depth + 1)
                is_open = not self.is_in_choice and self._is_open(value, depth)
                yield from (replace(p, choice=path) for p in first) if is_open else first
            case _:
                pass

    def _instance(self, instance: Instance, path: str, count: Dim | None, depth: int) -> Iterator[Parameter]:
        prepare(self.run, instance)
        own = self._declared(instance)
        for name, value in list(instance.attributes.items()):
            where = f"{path}.{name}".lstrip(".")
            if name in own and isinstance(held := present(value), Tensor):  # also one that may not be there
                yield Parameter(where, held, count)
            else:
                yield from self.of(value, where, count, depth + 1)

    def _declared(self, instance: Instance) -> set[str]:
        """Names that a class or base binds to an `nn.Parameter`, or that its layer base brings."""
        found: set[str] = set()
        for base in self.run.classes.mro(instance.cls):
            if isinstance(base, External) and base.dotted.startswith("torch.nn."):
                found |= {"weight", "bias"}
            if not isinstance(base, Definition) or not isinstance(base.node, t.ClassDef):
                continue
            for node in t.walk(*base.node.body):
                match node:
                    case t.Assign(targets=targets, value=value):
                        found |= {name for target in targets for name in _bound(target, value)}
                    case t.AnnAssign(target=target, value=value) if value is not None:
                        found |= set(_bound(target, value))
                    case t.Call(
                        func=t.Attribute(attr="register_parameter"), args=[t.Constant(value=str() as name), *_]
                    ):
                        found.add(name)
                    case _:
                        pass
        return found


def _bound(target: t.Expr, value: t.Expr) -> Iterator[str]:
    """The attributes that an assignment binds to parameters, one or several at once."""
    match target, value:
        case t.Tuple(elts=targets), t.Tuple(elts=values) if len(targets) == len(values):
            for one, its in zip(targets, values, strict=True):
                yield from _bound(one, its)
        case t.Tuple(elts=targets), t.GeneratorExp(elt=each) | t.ListComp(elt=each):
            for one in targets:
                yield from _bound(one, each)
        case t.Attribute(attr=name), _ if any(map(_is_parameter, _ways(value))):
            yield name
        case _:
            pass


def _ways(value: t.Expr) -> Iterator[t.Expr]:
    """What an expression may be: `Parameter(…) if scaled else None` is either."""
    if isinstance(value, t.IfExp):
        yield from _ways(value.body)
        yield from _ways(value.orelse)
    else:
        yield value


def _is_parameter(value: t.Expr) -> bool:
    return isinstance(value, t.Call) and (t.dotted(value.func) or "").rpartition(".")[2].endswith("Parameter")
