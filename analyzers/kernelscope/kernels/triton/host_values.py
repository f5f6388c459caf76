"""Values of the Python code that launches kernels: sizes as Dims over its own names, tuples, tensors, grid functions.

A light reading of one host function, for grids and arguments; the full interpreter of PyTorch code is `interp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kernelscope.dims import Dim, ceil_div, dim, maximum, minimum, product
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, Modules

META = "META."
"""Prefix of atoms that a grid function reads from its argument: names of the kernel, not of the host."""
MAX_DEPTH = 24
SAME_SHAPE = frozenset(
    (
        "contiguous", "to", "detach", "clone", "cuda", "cpu", "half", "float", "bfloat16", "double", "long", "int",
        "bool", "type_as", "requires_grad_", "zero_", "fill_", "empty_like", "zeros_like", "ones_like", "full_like",
        "rand_like", "randn_like",
    )
)  # fmt: skip
CREATORS = frozenset(("empty", "zeros", "ones", "full", "rand", "randn", "new_empty", "new_zeros", "new_full"))


@dataclass(frozen=True, slots=True)
class Thing:
    """Something with a name: a tensor or a number. `shape` where its making tells it, `shape_of` whose shape it has."""

    label: str
    shape: tuple[Dim, ...] | None = None
    shape_of: str = ""
    rank: int | None = None

    def size(self, index: int) -> Dim:
        if self.shape is not None and -len(self.shape) <= index < len(self.shape):
            return self.shape[index]
        if self.rank is not None and index < 0:
            index += self.rank
        return dim(f"{self.shape_of or self.label}.shape[{index}]")

    def numel(self) -> Dim:
        return product(self.shape) if self.shape is not None else dim(f"{self.shape_of or self.label}.numel()")


@dataclass(frozen=True, slots=True)
class ShapeOf:
    """`x.shape`, unpacked or indexed later."""

    thing: Thing


@dataclass(frozen=True, slots=True)
class Plain:
    """A float, bool, string or None."""

    value: float | bool | str | None


@dataclass(frozen=True, slots=True)
class Meta:
    """The argument of a grid function."""


@dataclass(frozen=True, slots=True, eq=False)
class GridFunction:
    """A lambda or inner function that computes a grid."""

    params: tuple[str, ...]
    result: t.Expr
    scope: HostScope


HostValue = Dim | Thing | ShapeOf | Plain | Meta | GridFunction | tuple["HostValue", ...] | None
"""None: nothing is known."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One assignment of a name. `reach` is the block around it: behind it, only later bindings inside count."""

    value: t.Expr | None
    start: int
    reach: tuple[int, int]
    index: tuple[int, int] | None = None
    """(position, count) in a tuple target."""


@dataclass(slots=True)
class HostScope:
    """One host function, or a module's top level when `node` is None; `bound` holds arguments of a known call."""

    modules: Modules
    path: str
    node: t.FunctionDef | None
    bound: Mapping[str, HostValue] = field(default_factory=dict[str, HostValue])
    _bindings: dict[str, list[Binding]] | None = None

    def bindings(self) -> dict[str, list[Binding]]:
        if self._bindings is None:
            self._bindings = {}
            module = self.modules.module(self.path)
            body = self.node.body if self.node is not None else module.body if module is not None else []
            _collect(body, self._bindings)
        return self._bindings

    def params(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.node.args) if self.node is not None else ()

    # -- names -------------------------------------------------------------------------------------------

    def name(self, name: str, at: int, depth: int) -> HostValue:
        """What a name holds at an offset."""
        before = [b for b in self.bindings().get(name, ()) if b.start < at]
        if before:
            last = before[-1]
            decided = last.reach[0] <= at < last.reach[1] or len(before) == 1
            if decided and last.value is not None:
                return self._bound_by(name, last, len(before), depth)
            return Thing(name + "′" * len(before))
        if name in self.bound:
            return self.bound[name]
        if name in self.params() or self.node is None:
            return Thing(name, rank=self._rank(name))
        return self._outer(name, depth)

    def _bound_by(self, name: str, binding: Binding, version: int, depth: int) -> HostValue:
        assert binding.value is not None
        label = name if version == 1 else name + "′" * (version - 1)
        value = self.evaluate(binding.value, binding.start, depth + 1)
        if binding.index is not None:
            position, count = binding.index
            if isinstance(value, ShapeOf):
                return Thing(value.thing.label, value.thing.shape, value.thing.shape_of, count).size(position)
            if isinstance(value, tuple) and position < len(value):
                return value[position]
            return Thing(label)
        if value is None:
            return Thing(label, rank=self._rank(name))
        if isinstance(value, Thing) and isinstance(binding.value, t.Call):
            return Thing(label, value.shape, value.shape_of or value.label, value.rank)
        return value

    def _outer(self, name: str, depth: int) -> HostValue:
        """A name of the module."""
        found = self.modules.resolve(self.path, name)
        if isinstance(found, Definition) and isinstance(found.node, t.Assign):
            value = HostScope(self.modules, found.path, None).evaluate(found.node.value, found.node.span.end, depth + 1)
            return value if value is not None else Thing(name)
        if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef):
            return grid_function(found.node, HostScope(self.modules, found.path, found.node))
        return Thing(name)

    def _rank(self, name: str) -> int | None:
        """How many names `a, b = x.shape` unpacks, anywhere in the function."""
        for bindings in self.bindings().values():
            for binding in bindings:
                value = binding.value
                if binding.index is None or not isinstance(value, t.Attribute | t.Call):
                    continue
                source = value.func if isinstance(value, t.Call) else value
                if not isinstance(source, t.Attribute) or source.attr not in ("shape", "size"):
                    continue
                if isinstance(source.value, t.Name) and source.value.id == name:
                    return binding.index[1]
        return None

    # -- expressions -------------------------------------------------------------------------------------

    def evaluate(self, node: t.Expr, at: int, depth: int = 0, meta: tuple[str, ...] = ()) -> HostValue:
        """The value of an expression as it stands at an offset; `meta` names the argument of a grid function."""
        if depth > MAX_DEPTH:
            return None
        try:
            return self._evaluate(node, at, depth, meta)
        except (ArithmeticError, RecursionError):
            return None

    def _evaluate(self, node: t.Expr, at: int, depth: int, meta: tuple[str, ...]) -> HostValue:
        def inner(part: t.Expr) -> HostValue:
            return self.evaluate(part, at, depth + 1, meta)

        match node:
            case t.Constant(value=bool() | float() | str() | None as value):
                return Plain(value)
            case t.Constant(value=int() as value):
                return dim(value)
            case t.Name():
                return Meta() if node.id in meta else self.name(node.id, at, depth)
            case t.Tuple() | t.List():
                return tuple(inner(e) for e in node.elts)
            case t.Attribute():
                return _attribute(inner(node.value), node)
            case t.Subscript():
                return _subscript(inner(node.value), node, inner)
            case t.BinOp():
                return _binary(node.op, inner(node.left), inner(node.right))
            case t.UnaryOp(op="-"):
                number = as_dim(inner(node.operand))
                return -number if number is not None else None
            case t.IfExp():
                return _either(inner(node.body), inner(node.orelse))
            case t.Lambda():
                return GridFunction(tuple(p.name for p in node.args), node.body, self)
            case t.Call():
                return self._call(node, at, depth, meta)
            case t.BoolOp(op="or"):
                return inner(node.values[-1])
            case _:
                return None

    def _call(self, node: t.Call, at: int, depth: int, meta: tuple[str, ...]) -> HostValue:
        arguments = [self.evaluate(a, at, depth + 1, meta) for a in node.args]
        name = node.func.attr if isinstance(node.func, t.Attribute) else t.dotted(node.func) or ""
        if name == "ceil" and len(node.args) == 1 and isinstance(node.args[0], t.BinOp) and node.args[0].op == "/":
            quotient = node.args[0]
            a = as_dim(self.evaluate(quotient.left, at, depth + 1, meta))
            b = as_dim(self.evaluate(quotient.right, at, depth + 1, meta))
            return ceil_div(a, b) if a is not None and b is not None else None
        keywords = {k.arg: self.evaluate(k.value, at, depth + 1, meta) for k in node.keywords if k.arg}
        known = _known_function(name, arguments)
        if known is not None:
            return known
        if isinstance(node.func, t.Attribute):
            owner = self.evaluate(node.func.value, at, depth + 1, meta)
            method = _method(owner, name, arguments, keywords)
            if method is not None:
                return method
        return self._followed(node, arguments, keywords, depth)

    def _followed(
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
        inside = HostScope(self.modules, found.path, function, bound)
        return inside.evaluate(returns[0].value, returns[0].span.start, depth + 4)


def grid_function(node: t.FunctionDef, scope: HostScope) -> HostValue:
    """A function whose returned expression is a grid."""
    returns = [s for s in t.flat(node.body) if isinstance(s, t.Return) and s.value is not None]
    if len(returns) != 1 or returns[0].value is None:
        return None
    return GridFunction(tuple(p.name for p in node.args), returns[0].value, scope)


def as_dim(value: HostValue) -> Dim | None:
    """A value where a number is meant."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, Thing) and value.shape is None:
        return dim(value.label)
    if isinstance(value, Plain) and isinstance(value.value, bool):
        return dim(int(value.value))
    return None


def _attribute(owner: HostValue, node: t.Attribute) -> HostValue:
    if isinstance(owner, Thing):
        if node.attr == "shape":
            return ShapeOf(owner)
        return Thing(f"{owner.label}.{node.attr}")
    name = t.dotted(node)
    return Thing(name) if name and owner is None else None


def _subscript(owner: HostValue, node: t.Subscript, inner: object) -> HostValue:
    index = node.slice
    if isinstance(owner, Meta):
        if isinstance(index, t.Constant) and isinstance(index.value, str):
            return dim(META + index.value)
        return None
    number = index.value if isinstance(index, t.Constant) and isinstance(index.value, int) else None
    if isinstance(index, t.UnaryOp) and index.op == "-" and isinstance(index.operand, t.Constant):
        number = -index.operand.value if isinstance(index.operand.value, int) else None
    if number is not None:
        if isinstance(owner, ShapeOf):
            return owner.thing.size(number)
        if isinstance(owner, tuple) and -len(owner) <= number < len(owner):
            return owner[number]
        if isinstance(owner, Thing):
            return Thing(f"{owner.label}[{number}]")
    return None


def _binary(op: str, left: HostValue, right: HostValue) -> HostValue:
    if op == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return (*left, *right)
    a, b = as_dim(left), as_dim(right)
    if a is None or b is None:
        return None
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "//":
            return a // b
        case "/":
            return a.exact_div(b)
        case "%":
            return a % b
        case "**" if b.const is not None:
            return a**b.const
        case "<<" if b.const is not None and 0 <= b.const < 64:
            return a * (1 << b.const)
        case _:
            return None


def _either(a: HostValue, b: HostValue) -> HostValue:
    return a if a == b else None


def _known_function(name: str, arguments: list[HostValue]) -> HostValue:
    """Functions that grids are written with, by their last name: of triton, math and Python itself."""
    numbers = [as_dim(a) for a in arguments]
    if any(n is None for n in numbers) or not numbers:
        return _length(arguments[0]) if name == "len" and arguments else None
    known = [n for n in numbers if n is not None]
    if name in ("cdiv", "ceil_div", "ceildiv") and len(known) == 2:
        return ceil_div(known[0], known[1])
    if name == "next_power_of_2":
        number = known[0].const
        return dim(1 << max(0, number - 1).bit_length()) if number is not None else dim(f"{name}({known[0]!r})")
    if name in ("min", "max") and len(known) > 1:
        return minimum(*known) if name == "min" else maximum(*known)
    if name in ("int", "round") and len(known) == 1:
        return known[0]
    return _length(arguments[0]) if name == "len" else None


def _length(value: HostValue) -> HostValue:
    """Of a tensor its first size, as of every sequence that looks like one here."""
    if isinstance(value, Thing):
        return value.size(0)
    return dim(len(value)) if isinstance(value, tuple) else None


def _method(owner: HostValue, name: str, arguments: list[HostValue], keywords: dict[str, HostValue]) -> HostValue:
    sizes = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], tuple) else tuple(arguments)
    if name in SAME_SHAPE and name.endswith("_like"):
        source = arguments[0] if arguments else None
        return source if isinstance(source, Thing) else None
    if name in CREATORS:
        given = keywords.get("size", sizes)
        if name in ("full", "new_full") or not isinstance(given, tuple):
            given = arguments[0] if arguments else given
        if isinstance(given, ShapeOf):
            return Thing("", given.thing.shape, given.thing.shape_of or given.thing.label, given.thing.rank)
        listed = given if isinstance(given, tuple) else (given,)
        dims = [as_dim(s) for s in listed]
        return Thing("", tuple(d for d in dims if d is not None)) if None not in dims else None
    if not isinstance(owner, Thing):
        return None
    if name == "size":
        if not arguments:
            return ShapeOf(owner)
        index = as_dim(arguments[0])
        return owner.size(index.const) if index is not None and index.const is not None else None
    if name in ("numel", "nelement"):
        return owner.numel()
    if name == "stride" and arguments:
        return dim(f"{owner.label}.stride({arguments[0]!r})")
    if name in SAME_SHAPE:
        return owner
    if name in ("view", "reshape"):
        return _viewed(owner, sizes)
    return None


def _viewed(owner: Thing, sizes: tuple[HostValue, ...]) -> HostValue:
    dims = [as_dim(s) for s in sizes]
    if any(d is None for d in dims):
        return None
    known = [d for d in dims if d is not None]
    open_places = [i for i, d in enumerate(known) if d == -1]
    if len(open_places) > 1:
        return None
    if open_places:
        rest = product(d for d in known if d != -1)
        known[open_places[0]] = owner.numel() // rest
    return Thing("", tuple(known))


def _collect(body: list[t.Stmt], found: dict[str, list[Binding]]) -> None:
    """All bindings of a body and its blocks, in source order."""
    todo: list[tuple[list[t.Stmt], tuple[int, int]]] = [(body, (0, 1 << 60))]
    collected: list[tuple[str, Binding]] = []
    while todo:
        block, reach = todo.pop()
        for statement in block:
            end = statement.span.end
            match statement:
                case t.Assign():
                    for target in statement.targets:
                        collected.extend(_targets(target, statement.value, end, reach))
                case t.AnnAssign(value=value) if value is not None:
                    collected.extend(_targets(statement.target, value, end, reach))
                case t.AugAssign():
                    both = t.BinOp(statement.target, statement.op, statement.value, statement.span)
                    collected.extend(_targets(statement.target, both, end, reach))
                case t.FunctionDef():
                    value = _as_lambda(statement)
                    collected.append((statement.name, Binding(value, end, reach)))
                case t.For():
                    collected.extend(_targets(statement.target, None, statement.span.start, reach))
                    todo.append((statement.body, _extent(statement.body)))
                case t.If() | t.While():
                    todo.append((statement.body, _extent(statement.body)))
                    todo.append((statement.orelse, _extent(statement.orelse)))
                case t.With():
                    todo.append((statement.body, reach))
                case t.Try():
                    todo.append((statement.body, reach))
                    for handler in statement.handlers:
                        todo.append((handler.body, _extent(handler.body)))
                    todo.append((statement.finalbody, reach))
                case _:
                    pass
    for name, binding in sorted(collected, key=lambda item: item[1].start):
        found.setdefault(name, []).append(binding)


def _as_lambda(node: t.FunctionDef) -> t.Expr | None:
    returns = [s for s in t.flat(node.body) if isinstance(s, t.Return) and s.value is not None]
    if len(returns) != 1 or returns[0].value is None or len(node.body) > 1 + (node.docstring is not None):
        return None
    return t.Lambda(node.args, returns[0].value, node.span)


def _extent(body: list[t.Stmt]) -> tuple[int, int]:
    return (body[0].span.start, body[-1].span.end + 1) if body else (0, 0)


def _targets(target: t.Expr, value: t.Expr | None, at: int, reach: tuple[int, int]) -> list[tuple[str, Binding]]:
    if isinstance(target, t.Name):
        return [(target.id, Binding(value, at, reach))]
    if isinstance(target, t.Tuple | t.List):
        starred = any(isinstance(e, t.Starred) for e in target.elts)
        found: list[tuple[str, Binding]] = []
        for position, element in enumerate(target.elts):
            inner = element.value if isinstance(element, t.Starred) else element
            if isinstance(inner, t.Name):
                usable = None if starred else value
                found.append((inner.id, Binding(usable, at, reach, (position, len(target.elts)))))
        return found
    return []
