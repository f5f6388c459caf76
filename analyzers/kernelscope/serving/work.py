"""Units of work of a program's own scheduler: how tasks are dealt to queues, how many tiles there are, what depends.

Dealing shows in the index of the queue that receives (`i % n`); a tile count in a product with a ceiling division;
dependencies in maps from a buffer to its producer and in tests of overlapping intervals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, inlined, last_name, own, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.rounding import CEILING, counts_pages
from kernelscope.serving.sections import words
from kernelscope.serving.sharding import is_world
from kernelscope.syntax.python import tree as t

TABLES = {"scoreboard", "semaphore", "semaphores", "counter", "counters", "barrier", "barriers", "signal", "signals",
          "flag", "flags", "sync", "locks", "lock"}  # fmt: skip
INTERSECTS = {"intersection", "intersect", "intersects", "overlap", "overlaps"}
ADDRESSES = {"data_ptr", "untyped_storage", "storage_ptr"}
ALLOCATORS = {"zeros", "empty", "full", "ones", "zeros_like"}


@by_function
def dealing(source: PythonSource) -> Iterator[Claim]:
    """`queues[i % n].append(task)` is round robin; with a direction that flips at every turn it is zig-zag."""
    for scope in source.module.functions():
        node = scope.node
        known = assignments(node)
        rows: list[tuple[str, t.Call]] = []
        for call in own_calls(node):
            match call.func:
                case t.Attribute(value=t.Subscript(value=queue, slice=index), attr="append"):
                    rows.append((_index(source, queue, index, known), call))
                case _:
                    pass
        rows = [(text, call) for text, call in rows if "%" in text]
        if not rows:
            continue
        flips = any(isinstance(n, t.BinOp | t.AugAssign) and n.op == "^" for n in own(node)) or len(rows) > 1
        kind = "back and forth (zig-zag, boustrophedon)" if flips else "round robin"
        value = f"{scope.qualified_name} deals tasks {kind}: task goes to {' or '.join(text for text, _ in rows)}"
        yield Claim(f"{scope.qualified_name} scheduling", value, (source.at(node), *(source.at(c) for _, c in rows)))


def _index(source: PythonSource, queue: t.Expr, index: t.Expr, known: dict[str, t.Expr]) -> str:
    return f"{source.quote(queue)}[{inlined(source, index, known, 1)}]"


@by_function
def tile_counts(source: PythonSource) -> Iterator[Claim]:
    """Numbers of tiles or programs: assignments of products with a ceiling division."""
    if source.aside:
        return
    for scope in source.module.functions():
        known = assignments(scope.node)
        for node in own_of(scope.node, t.Assign):
            if not isinstance(node.targets[0], t.Name):
                continue
            divides = [n for n in t.walk(node.value) if isinstance(n, t.Call) and last_name(n.func) in CEILING]
            name = node.targets[0].id
            if not divides or not {"tile", "tiles", "num", "grid", "blocks", "programs", "tasks"} & set(words(name)):
                continue
            spoken = [n for call in divides for n in t.walk(*call.args) if isinstance(n, t.Name | t.Attribute)]
            if any(is_world(n) for n in spoken) or counts_pages(source, node):
                continue  # shares of ranks and pages of caches, not tiles
            count = f"{name} = {inlined(source, node.value, known, 1)}"
            value = f"{scope.qualified_name}: number of tiles {count} (cdiv rounds up)"
            yield Claim(f"{scope.qualified_name} {name}", value, (source.at(node), source.at(scope.node)))


BYTES = {"bool", "bool_", "uint8"}


@by_function
def tables(source: PythonSource) -> Iterator[Claim]:
    """Tables of counters or flags: what synchronises tasks, with its axes."""
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            if not isinstance(node.value, t.Call):
                continue
            name = t.dotted(node.targets[0]) or ""
            if last_name(node.value.func) not in ALLOCATORS or not TABLES & set(words(name.rpartition(".")[2])):
                continue
            call = node.value
            if any(k.arg == "dtype" and last_name(k.value) in BYTES for k in call.keywords):
                continue  # marks of what was seen; counters that others wait for are words
            if any("vocab" in words(source.quote(a)) for a in call.args):
                continue  # how often each token came
            sizes = call.args[0].elts if call.args and isinstance(call.args[0], t.Tuple | t.List) else call.args
            if sizes:
                axes = ", ".join(source.quote(size) for size in sizes)
                entries = ", ".join(_counted(source.quote(size)) for size in sizes)
                value = f"{name} has shape [{axes}], one entry per {entries}: {source.quote(call)}"
                yield Claim(f"{scope.qualified_name} {name} shape", value, (source.at(node), source.at(scope.node)))


def _counted(size: str) -> str:
    """What a size counts, by its name: `max_num_tiles_per_op` counts tiles; what is worked out is itself."""
    if re.fullmatch(r"[\w.]+", size) is None:
        return f"({size})"
    spoken = words(size.rpartition(".")[2])
    parts = [w.removesuffix("s") for w in spoken if w not in ("max", "num", "self", "n", "total") and not w.isdigit()]
    return " ".join(parts) or size


@by_function
def producers(source: PythonSource) -> Iterator[Claim]:
    """Maps keyed by a buffer's address, set by what writes it and asked by what reads it: dependencies from data."""
    for scope in source.module.functions():
        addresses = [c for c in own_calls(scope.node) if last_name(c.func) in ADDRESSES]
        if not addresses:
            continue
        known = assignments(scope.node)
        for node in own_of(scope.node, t.Assign, t.Call):
            match node:
                case t.Assign(targets=[t.Subscript(value=t.Attribute() as table, slice=asked)]):
                    role = f"is recorded as the producer of its buffer: {source.quote(node)}"
                case t.Call(func=t.Attribute(value=t.Attribute() as table, attr="get"), args=[asked, *_]):
                    role = f"finds the producer of a tensor by its buffer: {source.quote(node)}"
                case _:
                    continue
            if not _is_address(asked, known) or _names_in(asked, known) & _beside(node):
                continue  # what is kept is the buffer itself
            key = source.quote(addresses[0])
            by = f"keyed by {key} in {source.quote(table)}"
            value = f"dependencies are derived from data: {scope.qualified_name} {role}, {by}"
            yield Claim(
                f"{scope.qualified_name} producer",
                value,
                (source.at(scope.node), source.at(node), source.at(addresses[0])),
            )


def _names_in(key: t.Expr, known: dict[str, t.Expr], depth: int = 2) -> set[str]:
    """The names that a key is made of, also by names that are bound once."""
    found = {n.id for n in t.walk(key) if isinstance(n, t.Name)}
    for name in [name for name in found if name in known] if depth else []:
        found |= _names_in(known[name], known, depth - 1)
    return found


def _beside(node: t.Node) -> set[str]:
    """The names of what is stored under a key, or given where there is nothing under it."""
    kept = [node.value] if isinstance(node, t.Assign) else node.args[1:] if isinstance(node, t.Call) else []
    return {n.id for value in kept for n in t.walk(value) if isinstance(n, t.Name)}


def _is_address(key: t.Expr, known: dict[str, t.Expr], depth: int = 2) -> bool:
    """Whether a key is made of a buffer's address, by itself or by names that are bound once."""
    for node in t.walk(key):
        if isinstance(node, t.Call) and last_name(node.func) in ADDRESSES:
            return True
        if isinstance(node, t.Name) and node.id in known and depth and _is_address(known[node.id], known, depth - 1):
            return True
    return False


def intersections(source: PythonSource) -> Iterator[Claim]:
    """Tests that two ranges overlap or that one covers another, and what follows from them."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        seen = _collected_ranges(scope.node)
        for node in own_of(scope.node, t.BoolOp):
            if node.op != "and" or len(node.values) != 2:
                continue
            first, second = node.values
            if not isinstance(first, t.Compare) or not isinstance(second, t.Compare):
                continue
            if {first.ops[0], second.ops[0]} == {"<=", ">="} and seen:
                value = (
                    f"{scope.qualified_name} drops what an earlier entry of the same queue already covers: "
                    f"`{source.quote(node)}` against ranges kept in {seen}"
                )
                yield Claim(
                    f"{scope.qualified_name} covered dependency", value, (source.at(node), source.at(scope.node))
                )
    for scope in source.module.functions():
        gates = [
            n for n in own_of(scope.node, t.Call)
            if INTERSECTS & set(words(last_name(n.func)))
        ]  # fmt: skip
        early = [
            n for n in own_of(scope.node, t.If)
            if n.body and isinstance(n.body[-1], t.Return)
            and isinstance(n.body[-1].value, t.Constant) and n.body[-1].value.value is True
        ]  # fmt: skip
        if gates and early:
            full = " or ".join(source.quote(n.test) for n in early)
            value = (
                f"{scope.qualified_name}: a consumer depends on a producer's whole output if {full}; else only on "
                f"those tiles whose slices intersect (overlap) its input: {last_name(gates[0].func)}"
            )
            places = (source.at(gates[0]), source.at(scope.node), *(source.at(n) for n in early))
            yield Claim(f"{scope.qualified_name} dependency of tiles", value, places)


def _collected_ranges(function: t.FunctionDef) -> str:
    """A dict or list that a loop fills with pairs that it also reads."""
    for node in own_of(function, t.Assign, t.Call):
        match node:
            case t.Assign(
                targets=[t.Subscript(value=t.Name(id=name))], value=t.BinOp(op="+", right=t.List(elts=[t.Tuple()]))
            ):
                return name
            case t.Call(func=t.Attribute(value=t.Name(id=name), attr="append"), args=[t.Tuple(elts=[_, _])]):
                return name
            case _:
                pass
    return ""
