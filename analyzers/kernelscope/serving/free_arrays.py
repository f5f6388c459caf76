"""Free lists that are arrays: stacks with a counter, arrays that are cut and joined again, maps of what is free.

Which of the freed ids is taken again first follows from the slices alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, guards_text, inside_of, last_name, own_of, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

JOINS = {"cat", "concat", "concatenate", "hstack"}
SORTS = {"sort", "sorted", "argsort"}
FREE = {"free", "available", "unused", "avail"}
"""Words of arrays of what is free, and not of other things that are cut from the front."""


def stacks_of_ids(source: PythonSource) -> Iterator[Claim]:
    """Free lists in arrays with a counter: slices `[n : n + k]` are taken and `[n - k : n]` given back."""
    for scope in source.module.classes():
        taken: dict[str, t.Subscript] = {}
        returned: dict[str, t.Subscript] = {}
        meant: dict[t.Subscript, str] = {}
        for method in scope.node.methods() if isinstance(scope.node, t.ClassDef) else ():
            known = assignments(method)
            for node in own_of(method, t.Subscript, t.Assign):
                match node:
                    case t.Subscript(value=t.Attribute() as array, slice=t.Slice(lower=low, upper=high)) if _begins_at(
                        low, high, known, "+"
                    ):
                        taken.setdefault(source.quote(array), node)
                        meant[node] = _where(source, known, low, high)
                    case t.Assign(
                        targets=[
                            t.Subscript(value=t.Attribute() as array, slice=t.Slice(lower=low, upper=high)) as target
                        ]
                    ) if _begins_at(high, low, known, "-"):
                        returned.setdefault(source.quote(array), target)
                        meant[target] = _where(source, known, low, high)
                    case _:
                        pass
        for array, put in returned.items():
            if array in taken:
                value = (
                    f"LIFO: a stack in an array, {source.quote(taken[array])}{meant[taken[array]]} is taken and "
                    f"{source.quote(put)}{meant[put]} given back: the most recently freed is reused first"
                )
                places = (source.at(taken[array]), source.at(put), source.at(scope.node))
                yield Claim(f"{scope.node.name} free list {array}", value, places)


def _where(source: PythonSource, known: dict[str, t.Expr], *bounds: t.Expr | None) -> str:
    """What the names of the bounds of a slice stand for."""
    named = [bound.id for bound in bounds if isinstance(bound, t.Name) and bound.id in known]
    return f" (where {', '.join(f'{name} = {source.quote(known[name])}' for name in named)})" if named else ""


def _begins_at(cursor: t.Expr | None, other: t.Expr | None, known: dict[str, t.Expr], op: str) -> bool:
    """Whether one bound of a slice is a counter and the other that counter plus or minus something; also by names."""
    named = [known.get(bound.id, bound) if isinstance(bound, t.Name) else bound for bound in (cursor, other)]
    for start, end in ((cursor, other), (named[0], named[1])):
        match end:
            case t.BinOp(left=left, op=found) if start is not None and found == op:
                if t.dotted(start) is not None and t.dotted(start) == t.dotted(left):
                    return True
            case _:
                pass
    return False


def cut_arrays(source: PythonSource) -> Iterator[Claim]:
    """`ids = self.free[:n]; self.free = self.free[n:]`, and `self.free = cat((self.free, ids))` when they come back."""
    for scope in source.module.classes():
        taken: dict[str, tuple[t.Assign, str]] = {}
        returned: dict[str, tuple[t.Assign, str]] = {}
        ordered: dict[str, str] = {}
        switched: dict[str, list[str]] = {}
        for method in scope.node.methods() if isinstance(scope.node, t.ClassDef) else ():
            parts = {(t.dotted(n.value), _bounds(source, n)) for n in own_of(method, t.Subscript)}
            for node, guards in statements(method):
                name = (t.dotted(node.targets[0]) or "") if isinstance(node, t.Assign) else ""
                if not isinstance(node, t.Assign) or not name.startswith("self.") or not FREE & set(words(name)):
                    continue
                match node.value:
                    case t.Subscript(value=cut, slice=t.Slice(lower=at, upper=None)) if (
                        at is not None and t.dotted(cut) == name and (name, ("", source.quote(at))) in parts
                    ):
                        taken.setdefault(name, (node, "front"))
                    case t.Subscript(value=cut, slice=t.Slice(lower=None, upper=at)) if (
                        at is not None and t.dotted(cut) == name and (name, (source.quote(at), "")) in parts
                    ):
                        taken.setdefault(name, (node, "back"))
                    case t.Call(func=func, args=[t.Tuple(elts=[one, other]) | t.List(elts=[one, other]), *_]) if (
                        last_name(func) in JOINS and name in (t.dotted(one), t.dotted(other))
                    ):
                        if name not in returned:
                            switched[name] = [text for text in guards_text(source, guards) if "self." in text]
                        returned.setdefault(name, (node, "back" if t.dotted(one) == name else "front"))
                    case value if any(isinstance(c, t.Call) and last_name(c.func) in SORTS for c in t.walk(value)):
                        ordered.setdefault(name, method.name)
                    case _:
                        pass
        for name, (take, end) in taken.items():
            if name not in returned:
                continue
            put, given = returned[name]
            how, back = source.quote(take), source.quote(put)
            back += f" if {' and '.join(tests)}" if (tests := switched[name]) else ""
            value = (
                f"LIFO: taken from the {end} ({how}) and returned there ({back}): the most recently freed is first"
                if end == given
                else f"FIFO: taken from the {end} ({how}), returned to the {given} ({back}): the least recently freed "
                "is reused first"
            )
            value += f"; {ordered[name]} sorts it anew" if name in ordered else ""
            yield Claim(
                f"{scope.node.name} free list {name}", value, (source.at(take), source.at(put), source.at(scope.node))
            )


def _bounds(source: PythonSource, part: t.Subscript) -> tuple[str, str]:
    """Both ends of a slice as they are written."""
    match part.slice:
        case t.Slice(lower=low, upper=high):
            return ("" if low is None else source.quote(low), "" if high is None else source.quote(high))
        case _:
            return ("", "")


def maps_of_ids(source: PythonSource) -> Iterator[Claim]:
    """Free maps: an array says of each id whether it is free: `nonzero(free)[:n]`, `free[ids] = True`.

    Or the first `n` of which the running count says so: `cumsum(free) <= n`.
    """
    for scope in source.module.classes():
        taken: dict[str | None, t.Expr] = {}
        stored: dict[str | None, dict[object, t.Assign]] = {}
        for node in inside_of(scope.node, t.Subscript, t.Call, t.Assign):
            match node:
                case t.Subscript(
                    value=t.Call(func=t.Attribute(attr="nonzero" | "flatnonzero" | "argwhere"), args=[array, *_]),
                    slice=t.Slice(lower=None),
                ):
                    taken.setdefault(t.dotted(array), node)
                case t.Call(func=t.Attribute(attr="cumsum"), args=[t.Attribute() as array, *_]):
                    taken.setdefault(t.dotted(array), node)
                case t.Assign(
                    targets=[t.Subscript(value=t.Attribute() as array)], value=t.Constant(value=(0 | 1) as free)
                ):
                    stored.setdefault(t.dotted(array), {}).setdefault(bool(free), node)
                case _:
                    pass
        for array, take in taken.items():
            states = stored.get(array, {})
            if array is not None and len(states) == 2:
                value = (
                    f"a map of what is free: the lowest free ids are taken first ({source.quote(take)}), marked by "
                    f"{source.quote(states[False])} and given back by {source.quote(states[True])}"
                )
                places = (source.at(take), source.at(states[False]), source.at(states[True]), source.at(scope.node))
                yield Claim(f"{scope.node.name} free map {array}", value, places)
