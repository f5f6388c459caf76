"""Prompts in windows: from a position that is kept, or from the front of what is left, at most so many tokens a call.

`end = min(pos + size, len(ids))` with `pos` moved on; `n = min(size, left)`, `run(ids[:n])`, `ids = ids[n:]`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.chunking import DRAFTS, PROMPTS
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, calls, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

LENGTHS = {"len", "length", "num", "total", "remaining", "left"}
"""Words of how much there is."""


@by_function
def windows(source: PythonSource) -> Iterator[Claim]:
    """Prefills that run a part of the prompt and leave the rest for the next round."""
    for scope in source.module.functions():
        if not DRAFTS & set(words(scope.qualified_name)):
            yield from _from_a_position(source, scope.node, scope.qualified_name)
            yield from _from_the_front(source, scope.node, scope.qualified_name)


def _from_a_position(source: PythonSource, function: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    known = assignments(function)
    sums: dict[str, t.BinOp] = {}
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.BinOp(op="+") as total):
                sums[name] = total
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Name(id="min"), args=[one, other]) as cut):
                found = _window(one, other, sums, known) or _window(other, one, sums, known)
                if found is None or not PROMPTS & {*words(where), *words(name)}:
                    continue
                start, size = found
                moved = _moved_on(function, start)
                if moved is None or DRAFTS & set(words(last_name(size))):
                    continue
                value = (
                    f"chunked prefill: {where} runs at most {source.quote(size)} tokens of the prompt from "
                    f"{source.quote(start)} on ({name} = {source.quote(cut)}); the rest follows in the next step, from "
                    f"where {source.quote(moved)} leaves it"
                )
                yield Claim(f"{where} chunked prefill", value, (source.at(node), source.at(moved), source.at(function)))
            case _:
                pass


def _window(
    end: t.Expr, whole: t.Expr, sums: dict[str, t.BinOp], known: dict[str, t.Expr]
) -> tuple[t.Attribute, t.Expr] | None:
    """The kept position and the size of `min(position + size, length)`."""
    total = sums.get(end.id) if isinstance(end, t.Name) else end
    counted = any(t.dotted(call.func) == "len" for call in calls(whole)) or LENGTHS & set(words(last_name(whole)))
    if not isinstance(total, t.BinOp) or total.op != "+" or not counted:
        return None
    for start, size in ((total.left, total.right), (total.right, total.left)):
        place = known.get(start.id) if isinstance(start, t.Name) else start
        if isinstance(place, t.Attribute) and t.dotted(size) is not None:
            return place, size
    return None


def _moved_on(function: t.FunctionDef | t.ClassDef, position: t.Attribute) -> t.Assign | t.AugAssign | None:
    """Where a function last stores the position up to which it came."""
    found: t.Assign | t.AugAssign | None = None
    for node in own_of(function, t.Assign, t.AugAssign):
        match node:
            case t.AugAssign(target=target, op="+") if t.dotted(target) == t.dotted(position):
                found = node
            case t.Assign(targets=[target]) if t.dotted(target) == t.dotted(position):
                found = node
            case _:
                pass
    return found


def _from_the_front(source: PythonSource, function: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """A loop that runs the first `n` of what is left and goes on with the others."""
    for loop in own_of(function, t.While):
        sizes = {
            n.targets[0].id: n for n in t.walk(*loop.body)
            if isinstance(n, t.Assign) and isinstance(n.targets[0], t.Name)
            and isinstance(n.value, t.Call) and t.dotted(n.value.func) == "min" and len(n.value.args) == 2
        }  # fmt: skip
        for node in t.walk(*loop.body):
            match node:
                case t.Assign(targets=[t.Name(id=rest)], value=t.Subscript() as cut) if t.dotted(cut.value) == rest:
                    size = _bound(cut, "lower")
                case _:
                    continue
            run = next((n for n in _given(loop) if t.dotted(n.value) == rest and _bound(n, "upper") == size), None)
            if size not in sizes or run is None or not PROMPTS & {*words(where), *words(rest)}:
                continue
            value = (
                f"chunked prefill: {where} runs the prompt in pieces: {source.quote(sizes[size])}, then "
                f"{source.quote(run)} and {source.quote(node)}, until nothing is left (while {source.quote(loop.test)})"
            )
            places = (source.at(sizes[size]), source.at(run), source.at(node), source.at(function))
            yield Claim(f"{where} chunked prefill", value, places)
            return


def _bound(cut: t.Subscript, side: str) -> str | None:
    """The name at one side of the last slice of `x[:n]`, `x[n:]`, `x[:, n:]`."""
    last = cut.slice.elts[-1] if isinstance(cut.slice, t.Tuple) and cut.slice.elts else cut.slice
    if not isinstance(last, t.Slice):
        return None
    bound, other = (last.lower, last.upper) if side == "lower" else (last.upper, last.lower)
    return bound.id if isinstance(bound, t.Name) and other is None else None


def _given(loop: t.While) -> Iterator[t.Subscript]:
    """Parts of something that the calls of a loop are given."""
    for call in (c for statement in loop.body for c in calls(statement)):
        given = (n for a in (*call.args, *(k.value for k in call.keywords)) for n in t.walk(a))
        yield from (n for n in given if isinstance(n, t.Subscript))
