"""Which layers are sharded and how: from how a class divides its sizes by a world size, and what its forward joins.

Input divided and an all-reduce after it is row-parallel, output divided column-parallel, a divided vocabulary is masked
and reduced. Names of classes do not decide; instances are found by the class that is constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own, own_calls, own_of, whole
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

DIVIDES = {"div", "divide", "distribute", "partition", "shard", "split"}
CALLS = {"__call__", "call", "apply"}
RUNS = {("forward",), ("infer",)}
"""Methods that compute what a layer gives, and how their names begin."""
LAYERS = {"layer", "layers"}
ADJECTIVES = {"in": "input", "input": "input", "out": "output", "output": "output"}


@dataclass(frozen=True, slots=True)
class Sharded:
    """A class whose sizes are divided: `axes` says which (input, output, vocabulary …) by which expression."""

    name: str
    bases: tuple[str, ...]
    axes: tuple[tuple[str, str], ...]
    location: Location
    places: tuple[Location, ...]
    runs: bool = True
    """Whether it has a forward pass of its own: engines and their tables divide sizes, too."""
    is_called: bool = True
    """Whether that is `forward` or the call of it: an engine has steps that begin so."""
    building: tuple[str, ...] = ()
    """The methods that its constructor calls."""


@dataclass(frozen=True, slots=True)
class Made:
    """A part that a class builds: `owner.attribute = cls(arguments)`."""

    owner: str
    attribute: str
    cls: str
    arguments: str
    location: Location


def sharded(source: PythonSource) -> Iterator[Sharded]:
    """The classes of a file whose constructors divide a size by a number of ranks."""
    for scope in source.module.classes():
        assert isinstance(scope.node, t.ClassDef)
        init = next((m for m in scope.node.methods() if m.name == "__init__"), None)
        axes: list[tuple[str, str]] = []
        places: list[Location] = []
        building = _building(scope.node, init)
        for method in building:
            many = dict(_entries(method))
            for node in own(method):
                if (found := _division(source, node, many)) is not None:
                    axes.append(found)
                    places.append(source.at(node))
        bases = tuple(b for base in scope.node.bases if (b := (t.dotted(base) or "").rpartition(".")[2]))
        runs = any(m.name in CALLS or words(m.name)[:1] in RUNS for m in scope.node.methods())
        name, divided = scope.node.name, tuple(dict.fromkeys(axes))
        called = CALLS if bases else CALLS - {"call"}  # of an engine it hands a message on
        is_called = any(m.name in called or m.name == "forward" for m in scope.node.methods())
        built = tuple(m.name for m in building)
        yield Sharded(name, bases, divided, source.at(scope.node), tuple(places), runs, is_called, built)


def _entries(method: t.FunctionDef) -> Iterator[tuple[str, t.Expr]]:
    """The names of entries of lists that comprehensions go through, with the list."""
    for node in own_of(method, t.ListComp):
        yield from ((g.target.id, g.iter) for g in node.generators if isinstance(g.target, t.Name))


def _division(source: PythonSource, node: t.Node, many: dict[str, t.Expr]) -> tuple[str, str] | None:
    """`size // world_size` or `divide(size, world_size)`: what is divided and the whole expression."""
    match node:
        case t.BinOp(left=left, op="//", right=right) if is_world(right) and not _counts_ranks(left):
            return _axis(many.get(t.dotted(left) or "", left)), source.quote(node)
        case t.Call(args=[left, right, *_], func=func) if is_world(right) and DIVIDES & set(words(last_name(func))):
            return _axis(many.get(t.dotted(left) or "", left)), source.quote(node)
        case _:
            return None


def _counts_ranks(node: t.Expr) -> bool:
    """Whether something is a rank or a number of ranks: divided by one it says which replica, or how many there are."""
    return bool({"rank", "ranks", "world"} & set(words(last_name(node))))


def _building(cls: t.ClassDef, init: t.FunctionDef | None) -> list[t.FunctionDef]:
    """The constructor and the methods of the class that it calls."""
    if init is None:
        return []
    called = {last_name(c.func) for c in own_calls(init) if (t.dotted(c.func) or "").startswith("self.")}
    return [init, *(m for m in cls.methods() if m.name in called and m is not init)]


def is_world(node: t.Expr) -> bool:
    """Whether something is the number of ranks, by its name."""
    name = last_name(node.func) if isinstance(node, t.Call) else last_name(node)
    parts = set(words(name))
    return bool(parts & {"world", "tp", "ep", "ranks", "partitions", "degree", "parallel"}) or name in (
        "size",
        "num_shards",
    )


def _axis(node: t.Expr) -> str:
    """What is divided, by the name of its size, also as an entry: `config["num_attention_heads"]`."""
    named = (
        node.slice.value if isinstance(node, t.Subscript) and isinstance(node.slice, t.Constant) else last_name(node)
    )
    parts = set(words(str(named)))
    for word, axis in ADJECTIVES.items():
        if word in parts:
            return axis
    if parts & {"vocab", "vocabulary", "embeddings"}:
        return "vocabulary"
    if parts & {"heads", "head"}:
        return "heads"
    return "experts" if "experts" in parts else "intermediate" if "intermediate" in parts else "size"


@by_function
def made(source: PythonSource) -> Iterator[Made]:
    """Parts that classes build in their constructors."""
    for scope in source.module.functions():
        if scope.node.name != "__init__" or scope.owner is None:
            continue
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attribute)], value=t.Call() as call):
                    cls = last_name(call.func)
                    if cls[:1].isupper():
                        arguments = ", ".join(source.quote(a, 60) for a in call.args[:3])
                        yield Made(scope.owner.name, attribute, cls, arguments, source.at(node))
                case _:
                    pass


@dataclass(frozen=True, slots=True)
class Plan:
    """One entry of a table that says how a parameter is sharded: `pattern` → `style`."""

    table: str
    pattern: str
    style: str
    location: Location


_STYLE = re.compile(r"\w*col\w*wise\w*|\w*row\w*wise\w*|ColwiseParallel|RowwiseParallel|SequenceParallel|Shard\(")
_SPLIT = re.compile(r"col\w*wise|row\w*wise", re.IGNORECASE)
_SPOKEN = re.compile(r"(?:col(?:umn)?|row)(?:_?wise|_?parallel)?$", re.IGNORECASE)


def plans(source: PythonSource) -> Iterator[Plan]:
    """Tables from names of modules to sharding styles: dicts, lists of tuples, calls that say a style."""
    yield from _spoken(source)
    for node in whole(source.module):
        if not isinstance(node, t.Dict):
            continue
        rows: list[Plan] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, t.Constant) or not isinstance(key.value, str):
                continue
            text = source.quote(value, 80)
            match value:
                case t.Constant(value=str() as style):
                    rows.append(Plan("", key.value, style, source.at(key)))
                case t.Call() if (found := _STYLE.search(text)) is not None:
                    rows.append(Plan("", key.value, found[0], source.at(key)))
                case _:
                    pass
        if any(_SPLIT.search(row.style) for row in rows):
            yield from rows


@by_function
def _spoken(source: PythonSource) -> Iterator[Plan]:
    """`("attention", "q_proj", "column")` in a list, and `shard(mlp.w1, "colwise")`: a part and its style."""
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Call, t.List):
            match node:
                case t.List(elts=entries):
                    rows = [e.elts for e in entries if isinstance(e, t.Tuple)]
                case t.Call(args=[_, _, *_] as arguments):
                    rows = [arguments]
                case _:
                    continue
            for row in rows:
                styles = [e for e in row if isinstance(e, t.Constant) and _SPOKEN.match(str(e.value))]
                before = row[: row.index(styles[0])] if len(styles) == 1 else []
                named = [source.quote(e).strip("\"'") for e in before if isinstance(e, t.Constant | t.Attribute)]
                if named and len(named[-1]) > 1:  # a letter names a layout of numbers
                    yield Plan("", ".".join(named[-2:]), str(styles[0].value), source.at(row[0]))


@by_function
def masked_ids(source: PythonSource) -> Iterator[Claim]:
    """`outside = (ids < self.first) | (ids >= self.end)` with bounds that follow from the rank."""
    if source.aside:
        return
    for scope in source.module.functions():
        for node in own(scope.node) if scope.owner is not None else ():
            match node:
                case t.BinOp(op="|" | "&", left=t.Compare() as one, right=t.Compare() as other):
                    held = {n.attr for bound in (one, other) for n in _bounds(bound)}
                case _:
                    continue
            compared = {source.quote(e) for c in (one, other) for e in (c.left, *c.comparators) if not _is_own(e)}
            assert scope.owner is not None
            if len(held) == 2 and len(compared) == 1 and _follow_from_ranks(scope.owner, held):
                kept = "outside" if node.op == "|" else "inside"
                value = (
                    f"{scope.qualified_name} tells the ids of this rank's part from the others: what is {kept} is "
                    f"{source.quote(node)}"
                )
                yield Claim(f"{scope.owner.name} range of ids", value, (source.at(node), source.at(scope.node)))


def _follow_from_ranks(cls: t.ClassDef, held: set[str]) -> bool:
    """Whether attributes are stored from something that speaks of ranks."""
    spoken: set[str] = set()
    for method in cls.methods():
        for node in own_of(method, t.Assign):
            if held & {n.attr for n in t.walk(node.targets[0]) if _is_own(n)}:
                named = (last_name(n) for n in t.walk(node.value) if isinstance(n, t.Name | t.Attribute))
                spoken |= {word for name in named for word in words(name)}
    return bool({"rank", "world", "tp", "shard", "partition"} & spoken)


def _bounds(test: t.Compare) -> list[t.Attribute]:
    return [e for e in (test.left, *test.comparators) if _is_own(e)]


def _is_own(node: t.Node) -> TypeGuard[t.Attribute]:
    return isinstance(node, t.Attribute) and t.dotted(node.value) == "self"


@by_function
def shares(source: PythonSource) -> Iterator[Claim]:
    """Layers dealt out to ranks: a count of layers divided by the number of ranks."""
    if source.aside:
        return
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[target], value=(t.BinOp() | t.Call() | t.ListComp()) as value):
                    divides = [n for n in t.walk(value) if isinstance(n, t.BinOp) and _deals_layers(n)]
                case _:
                    continue
            if divides:
                name, said = t.dotted(target) or "", source.quote(value)
                text = f"layers are dealt out to ranks (pipeline): {name} = {said} in {scope.qualified_name}"
                yield Claim(f"{scope.qualified_name} {name}", text, (source.at(node), source.at(scope.node)))


def _deals_layers(node: t.BinOp) -> bool:
    is_share = node.op in ("/", "//", "%") and is_world(node.right)
    return is_share and any(LAYERS & set(words(last_name(count))) for count in _summands(node.left))


def _summands(node: t.Expr) -> Iterator[t.Expr]:
    """What is added up, functions by their names: a count of layers times a size is no count of layers."""
    match node:
        case t.BinOp(left=left, op="+" | "-", right=right):
            yield from _summands(left)
            yield from _summands(right)
        case t.Call(func=t.Name(id="len" | "int"), args=[counted]):
            yield counted
        case t.Call(func=func):
            yield func
        case _:
            yield node
