"""Values of the Python code that launches kernels: sizes as Dims over its own names, tuples, tensors, grid functions.

A light reading of one host function, for grids and arguments; the full interpreter of PyTorch code is `interp`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from kernelscope.dims import Dim
from kernelscope.kernels.triton.host_bindings import (
    Binding,
    as_lambda,
    asserted_contiguous,
    bindings,
    changed_keys,
    within,
)
from kernelscope.kernels.triton.host_cases import Cases
from kernelscope.kernels.triton.host_expressions import evaluated
from kernelscope.kernels.triton.host_things import (
    Beginning,
    GridFunction,
    HostValue,
    Plain,
    ShapeOf,
    Table,
    Thing,
)
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, Modules

MAX_DEPTH = 24
CALL_DEPTH = 9
"""What a followed call counts as: functions behind functions seldom tell a size."""


@dataclass(slots=True)
class HostScope:
    """One host function, or a module's top level when `node` is None; `bound` holds arguments of a known call."""

    modules: Modules
    path: str
    node: t.FunctionDef | None
    bound: Mapping[str, HostValue] = field(default_factory=dict[str, HostValue])
    cases: Cases = field(default_factory=Cases)
    _bindings: dict[str, list[Binding]] | None = None
    _params: frozenset[str] | None = None
    _contiguous: frozenset[str] | None = None
    _ranks: dict[str, int] | None = None
    _changed: Mapping[str, frozenset[str] | None] | None = None
    _held: dict[tuple[Cases | None, str], HostValue] = field(
        default_factory=dict[tuple["Cases | None", str], "HostValue"]
    )
    """Values of bindings by their place, and of names of the module, in each case or in all."""

    def bindings(self) -> dict[str, list[Binding]]:
        if self._bindings is None:
            module = self.modules.module(self.path)
            body = self.node.body if self.node is not None else module.body if module is not None else []
            self._bindings = bindings(body)
        return self._bindings

    def params(self) -> frozenset[str]:
        if self._params is None:
            self._params = frozenset(p.name for p in self.node.args) if self.node is not None else frozenset[str]()
        return self._params

    # -- names -------------------------------------------------------------------------------------------

    def name(self, name: str, at: int, depth: int) -> HostValue:
        """What a name holds at an offset."""
        before = [b for b in self.bindings().get(name, ()) if b.start < at]
        elsewhere = name in self.bound or name in self.params()
        is_open = False
        for index in range(len(before) - 1, -1, -1):
            binding = before[index]
            reached = self._reached(binding, at, depth)
            if reached is None and len(before) == 1 and not elsewhere and not binding.loops:
                reached = True  # nothing else gives it a value
            if reached is None and binding.extends(name):
                is_open = True
                continue
            if reached is None or (reached and binding.value is None):
                return Thing(name + "′" * len(before))
            if reached:
                found = partial(self._bound_by, name, binding, index + 1, depth)
                value = self._kept(f"{name}@{binding.start}", depth, found)
                if not is_open or isinstance(value, Beginning):
                    return value
                return Beginning(value) if isinstance(value, tuple) else Thing(name + "′" * len(before))
        if is_open:
            return Thing(name + "′" * len(before))
        if name in self.bound:
            return self.bound[name]
        if elsewhere or self.node is None or before:
            return Thing(name, rank=self._rank(name), contiguous=name in self._asserted())
        return self._kept(name, depth, lambda: self._outer(name, depth))

    def _kept(self, key: str, depth: int, made: Callable[[], HostValue]) -> HostValue:
        """A value that is told once, or once per case; deep in a chain of names it may be cut short and is not kept."""
        if (None, key) in self._held:
            return self._held[None, key]
        asked = self.cases.questions
        if (self.cases, key) in self._held:
            self.cases.questions += 1
            return self._held[self.cases, key]
        value = made()
        if depth <= MAX_DEPTH // 2:
            self._held[self.cases if self.cases.questions > asked else None, key] = value
        return value

    # -- tests -------------------------------------------------------------------------------------------

    def _reached(self, binding: Binding, at: int, depth: int) -> bool | None:
        """Whether an assignment has been made when `at` is reached."""
        if any(not within(at, loop) for loop in binding.loops):
            return None
        certain = True
        for branch in binding.branches:
            if within(at, branch.other):
                return False
            if within(at, branch.reach):
                continue
            holds = self.decide(branch.test, branch.reach[0], depth)
            if holds is not None and holds != branch.holds:
                return False
            certain = certain and holds is not None
        return True if certain else None

    def decide(self, test: t.Expr, at: int, depth: int) -> bool | None:
        """Whether a test of the host holds: by what is known, else by the case that is being read."""
        positive = True
        while isinstance(test, t.UnaryOp) and test.op == "not":
            test, positive = test.operand, not positive
        likely = True
        if isinstance(test, t.Compare) and len(test.ops) == 1 and test.ops[0] in ("is", "is not"):
            if isinstance(test.comparators[0], t.Constant) and test.comparators[0].value is None:
                positive = positive == (test.ops[0] == "is")
                value = self.evaluate(test.left, at, depth + 1)
                if isinstance(value, Plain):
                    return (value.value is None) == positive
                if isinstance(value, Dim | tuple):
                    return not positive
                likely = self._optional(test.left)
                test = t.Compare(test.left, ["is"], test.comparators, test.span)
        elif isinstance(test, t.Name):
            value = self.evaluate(test, at, depth + 1)
            if isinstance(value, Plain):
                return bool(value.value) == positive
            likely = not self._optional(test)
        text = self.written(test)
        answer = self.cases.answer(text, likely) if text else None
        return answer == positive if answer is not None else None

    def _optional(self, node: t.Expr) -> bool:
        """Whether a name is a parameter that need not be passed, and is then None or False."""
        if not isinstance(node, t.Name) or self.node is None:
            return False
        default = next((p.default for p in self.node.args if p.name == node.id), None)
        return isinstance(default, t.Constant) and (default.value is None or default.value is False)

    def written(self, test: t.Expr) -> str:
        module = self.modules.module(self.path)
        if module is None:
            return ""
        if isinstance(test, t.Compare) and test.ops == ["is"]:
            return f"{' '.join(module.text.slice(test.left.span).split())} is None"
        return " ".join(module.text.slice(test.span).split())

    def _bound_by(self, name: str, binding: Binding, version: int, depth: int) -> HostValue:
        assert binding.value is not None
        label = name if version == 1 else name + "′" * (version - 1)
        if binding.index is not None:
            return self._part(binding.value, *binding.index, binding.start, label, depth)
        value = self.evaluate(binding.value, binding.start, depth + 1)
        if value is None:
            return Thing(label, rank=self._rank(name))
        if isinstance(value, Table):
            changed = self._changed_keys().get(name, frozenset[str]())
            return value.without(changed) if changed is not None else Thing(label)
        if isinstance(value, Thing) and isinstance(binding.value, t.Call):
            rank = value.rank if value.rank is not None else self._rank(name)
            return Thing(label, value.shape, value.shape_of or value.label, rank, value.contiguous)
        return value

    def _part(self, node: t.Expr, position: int, count: int, at: int, label: str, depth: int) -> HostValue:
        """What one of `count` targets gets of an unpacked value; `*x.shape` fills what the others leave."""
        stars = [i for i, e in enumerate(node.elts) if isinstance(e, t.Starred)] if isinstance(node, t.Tuple) else []
        if isinstance(node, t.Tuple) and len(stars) == 1:
            star, width = stars[0], count - (len(node.elts) - 1)
            inner = node.elts[star]
            if star <= position < star + width and isinstance(inner, t.Starred):
                return self._part(inner.value, position - star, width, at, label, depth)
            element = node.elts[position if position < star else position - width + 1]
            return self.evaluate(element, at, depth + 1)
        value = self.evaluate(node, at, depth + 1)
        if isinstance(value, ShapeOf):
            return Thing(value.thing.label, value.thing.shape, value.thing.shape_of, count).size(position)
        if isinstance(value, tuple) and position < len(value):
            return value[position]
        return Thing(label)

    def _outer(self, name: str, depth: int) -> HostValue:
        """A name of the module."""
        found = self.modules.resolve(self.path, name)
        if isinstance(found, Definition) and isinstance(found.node, t.Assign):
            outside = HostScope(self.modules, found.path, None, cases=self.cases)
            value = outside.evaluate(found.node.value, found.node.span.end, depth + 1)
            return value if value is not None else Thing(name)
        if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef):
            self.cases.questions += 1  # it asks for itself, in this case
            return grid_function(found.node, HostScope(self.modules, found.path, found.node, cases=self.cases))
        return Thing(name)

    def _asserted(self) -> frozenset[str]:
        """Names that the function asserts to be contiguous, or makes so where they are not."""
        if self._contiguous is None:
            body = self.node.body if self.node is not None else []
            self._contiguous = frozenset(asserted_contiguous(body))
        return self._contiguous

    def _changed_keys(self) -> Mapping[str, frozenset[str] | None]:
        """Keys of dictionaries that the function sets after they were made; None where that may be any."""
        if self._changed is None:
            self._changed = changed_keys(self.node.body if self.node is not None else [])
        return self._changed

    def _rank(self, name: str) -> int | None:
        """How many names `a, b = x.shape` unpacks, anywhere in the function."""
        if self._ranks is None:
            self._ranks = {}
            for given in self.bindings().values():
                for binding in given:
                    value = binding.value
                    if binding.index is None or not isinstance(value, t.Attribute | t.Call):
                        continue
                    source = value.func if isinstance(value, t.Call) else value
                    if not isinstance(source, t.Attribute) or source.attr not in ("shape", "size"):
                        continue
                    if isinstance(source.value, t.Name):
                        self._ranks.setdefault(source.value.id, binding.index[1])
        return self._ranks.get(name)

    # -- expressions -------------------------------------------------------------------------------------

    def evaluate(self, node: t.Expr, at: int, depth: int = 0, meta: tuple[str, ...] = ()) -> HostValue:
        """The value of an expression as it stands at an offset; `meta` names the argument of a grid function."""
        if depth > MAX_DEPTH:
            return None
        try:
            return evaluated(self, node, at, depth, meta)
        except (ArithmeticError, RecursionError):
            return None

    def followed(
        self, node: t.Call, arguments: list[HostValue], keywords: dict[str, HostValue], depth: int
    ) -> HostValue:
        """A function of the workspace that returns one expression."""
        name = t.dotted(node.func)
        found = self.modules.resolve(self.path, name) if name else None
        if isinstance(found, External) or not isinstance(found, Definition):
            return None
        if not isinstance(found.node, t.FunctionDef):
            return None
        function = found.node
        returns = [s for s in t.flat(function.body) if isinstance(s, t.Return) and s.value is not None]
        if len(returns) != 1 or returns[0].value is None:
            return None
        bound = dict(zip((p.name for p in function.args), arguments, strict=False))
        bound |= {k: v for k, v in keywords.items() if k}
        inside = HostScope(self.modules, found.path, function, bound, self.cases)
        return inside.evaluate(returns[0].value, returns[0].span.start, depth + CALL_DEPTH)


def grid_function(node: t.FunctionDef, scope: HostScope) -> HostValue:
    """A function whose returned expression is a grid."""
    returns = [s for s in t.flat(node.body) if isinstance(s, t.Return) and s.value is not None]
    if not returns or returns[0].value is None:
        return None
    chosen = as_lambda(node) if len(returns) > 1 else None
    result = chosen.body if isinstance(chosen, t.Lambda) else returns[0].value
    return GridFunction(tuple(p.name for p in node.args), result, scope) if chosen or len(returns) == 1 else None
