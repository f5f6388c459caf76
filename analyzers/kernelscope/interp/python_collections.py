"""Python's functions of lists, tuples, dicts and what is gone through."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelscope.dims import Dim, ceil_div, dim
from kernelscope.interp.agreement import joined
from kernelscope.interp.calls import call
from kernelscope.interp.interpreter import (
    Interpreter,
)
from kernelscope.interp.operators import binary, truth
from kernelscope.interp.selections import SELECTIONS
from kernelscope.interp.sequences import MAX_ELEMENTS, Range, any_of, as_alike, iterated, kinds_of_layers, sequence
from kernelscope.interp.values import (
    Alike,
    Arguments,
    External,
    Flag,
    Keywords,
    Maybe,
    Number,
    Opaque,
    Open,
    Partial,
    Unpacked,
    Value,
    as_size,
    has_unknown_length,
)
from kernelscope.tensor import Fields, Shape, Tensor, Unknown


def _len(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0]:
        case tuple() | list() if has_unknown_length(args[0]):
            count = as_alike(args[0]).count
            return count if isinstance(count, Dim) else Number(is_integer=True)
        case tuple() | list() | dict() | str():
            return dim(len(args[0]))
        case Shape() if args[0].dims is not None:
            return dim(len(args[0].dims))
        case Tensor() if args[0].rank:
            return args[0].shape.size(0)
        case Alike() if isinstance(args[0].count, Dim):
            return args[0].count
        case Opaque():
            return Opaque(f"len({args[0].name})")
        case _:
            return Number(is_integer=True)


def _range(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    sizes = [as_size(a) for a in args]
    if len(sizes) == 1 and isinstance(sizes[0], Dim):
        return Range(sizes[0])
    if all(isinstance(s, Dim) and s.const is not None for s in sizes):
        numbers = range(*(int(s.const) for s in sizes if isinstance(s, Dim) and s.const is not None))
        if len(numbers) <= 64:
            return [dim(n) for n in numbers]
    return Alike(Number("a loop counter", True), _count(sizes))


def _count(sizes: list[Value]) -> Dim | None:
    """How many numbers `range(start, stop, step)` gives, where none of them can lie behind the end."""
    match sizes:
        case [Dim() as start, Dim() as stop]:
            step = dim(1)
        case [Dim() as start, Dim() as stop, Dim() as step]:
            pass
        case _:
            return None
    number = stop - start
    is_forward = step != 0 and all(factor > 0 for _, factor in (*number.terms, *step.terms))
    return ceil_div(number, step) if is_forward else None


def _enumerate(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    items = iterated(run, args[0])
    if isinstance(items, list):
        return [(dim(i), item) for i, item in enumerate(items)]
    if (parts := kinds_of_layers(run, args[0])) is not None:
        return [_numbered(part, dim(i) if not has_unknown_length(parts[:i]) else None) for i, part in enumerate(parts)]
    return Alike((Opaque("index"), items.element), items.count)


def _numbered(part: Value, number: Value) -> Value:
    """An element, or any of several, with its number, if that is known."""
    if isinstance(part, Unpacked) and isinstance(part.value, Alike):
        return Unpacked(Alike((Opaque("index"), part.value.element), part.value.count))
    return Opaque("index") if number is None else number, part


def _zip(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    parts = [iterated(run, a) for a in args]
    lists = [p for p in parts if isinstance(p, list)]
    if lists and any(isinstance(a, Opaque) for a in args):
        length = min(map(len, lists))
        given = [[a.element(i) for i in range(length)] if isinstance(a, Opaque) else None for a in args]
        parts = [p if g is None else g for p, g in zip(parts, given, strict=True)]
        lists = [p for p in parts if isinstance(p, list)]
    if len(lists) == len(parts):
        return [tuple(entry) for entry in zip(*lists, strict=False)]
    return Alike(tuple(p.element if isinstance(p, Alike) else any_of(p) for p in parts))


def _same_elements(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if not args:
        return []
    items = iterated(run, args[0])
    return list(items) if isinstance(items, list) else items


def _reversed(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    found = _same_elements(run, args, kwargs, span)
    return found[::-1] if isinstance(found, list) else found


def _sorted(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Numbers and texts in their order; of others, and by a key, any may stand anywhere."""
    found = _same_elements(run, args, kwargs, span)
    if not isinstance(found, list) or len(found) < 2:
        return found
    numbers = [value.const for value in found if isinstance(value, Dim) and value.const is not None]
    texts = [value for value in found if isinstance(value, str)]
    descending = kwargs.get("reverse", False)
    if "key" in kwargs or not isinstance(descending, bool) or len(found) not in (len(numbers), len(texts)):
        return [any_of(found)] * len(found)
    return [*map(dim, sorted(numbers, reverse=descending)), *sorted(texts, reverse=descending)]


def _list(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Of what nobody knows it is not known how many elements there are; each is called as before. Nor are numbers
    counted of which one of two ways put more into a list."""
    is_uneven = bool(args) and id(args[0]) in run.changes.uneven
    if is_uneven and all(isinstance(part, Dim | Number | Opaque | Unknown) for part in args[0]):
        return Alike(any_of(list(args[0])))
    return [Unpacked(args[0])] if args and isinstance(args[0], Opaque) else _same_elements(run, args, kwargs, span)


def _tuple(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    found = _list(run, args, kwargs, span)
    return tuple(found) if isinstance(found, list) else found


def _repeated(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`repeat(value, times)`"""
    times = as_size(args[1]) if len(args) > 1 else None
    if isinstance(times, Dim) and times.const is not None and 0 <= times.const <= MAX_ELEMENTS:
        return [args[0]] * times.const
    return Alike(args[0] if args else None, times)


def _islice(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`islice(values, stop)`, `islice(values, start, stop)`; every how many is not counted."""
    items = iterated(run, args[0])
    element = items.element if isinstance(items, Alike) else any_of(items)
    start, stop = (dim(0), args[1]) if len(args) == 2 else ((dim(0) if args[1] is None else args[1]), args[2])
    if len(args) > 3:
        return Alike(element)
    first = as_size(start)
    last = as_size(stop) if stop is not None else items.count if isinstance(items, Alike) else dim(len(items))
    if not isinstance(first, Dim) or not isinstance(last, Dim):
        return Alike(element)
    if isinstance(items, list) and first.const is not None and last.const is not None:
        return items[first.const : last.const]
    return Alike(element, last - first)


def _map(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) != 2:
        return Alike(Unknown("a map over several sequences"))
    items = iterated(run, args[1])
    if isinstance(items, list):
        found: list[Value] = []
        for index, item in enumerate(items[:64]):
            with run.element(index, len(items)):
                found.append(call(run, args[0], [item], {}, span))
        return found
    return Alike(call(run, args[0], [items.element], {}, span))


def _each(name: str) -> Callable[..., Value]:
    """An operator of einops on each of several tensors."""

    def many(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        items = iterated(run, args[0]) if args else Alike(Unknown("parts that are not known"))
        parts = items if isinstance(items, list) else [items.element]
        found = [call(run, External(name), [part, *args[1:]], kwargs, span) for part in parts]
        return found if isinstance(items, list) else Alike(found[0])

    return many


def _reduce(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`reduce(function, values)`, `reduce(function, values, first)`"""
    values = iterated(run, args[1]) if len(args) > 1 else Alike(None)
    if isinstance(values, Alike) or len(values) > MAX_ELEMENTS:
        return Unknown("values of which the number is not known", span)
    values = [*args[2:], *values]
    result = values[0] if values else Unknown("an element of an empty sequence", span)
    for value in values[1:]:
        result = call(run, args[0], [result, value], {}, span)
    return result


def _sum(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Sizes by the algebra, tensors one after the other; of a sequence of unknown length one stands for all.

    `sum(lists, [])` joins lists.
    """
    if len(args) > 1 and isinstance(args[1], list):
        return _joined(run, args[0], args[1])
    if args and isinstance(args[0], Alike) and args[0].called:
        return Opaque(f"sum({args[0].called})")
    items = iterated(run, args[0]) if args else []
    first, *others = (items.element, items.element) if isinstance(items, Alike) else items or (None,)
    if isinstance(first, Tensor) or (run.trace is not None and isinstance(first, Unknown) and run.trace.origins(first)):
        result: Value = first
        for other in others[:MAX_ELEMENTS]:
            result = binary(run, "+", result, other, span)
        return result
    values = [as_size(v) for v in sequence(args[0]) or ()]
    if not values or not all(isinstance(v, Dim) for v in values):
        return Number(is_integer=isinstance(first, Dim) or (isinstance(first, Number) and first.is_integer))
    result = dim(0)
    for value in values:
        result = result + value
    return result


def _joined(run: Interpreter, lists: Value, before: list[Value]) -> Value:
    """All elements of several lists."""
    items = iterated(run, lists)
    parts = [before, *items] if isinstance(items, list) else [before]
    if isinstance(items, list) and all(isinstance(part, list) for part in parts):
        return [value for part in parts for value in part]
    one = iterated(run, items.element if isinstance(items, Alike) else any_of(items))
    return Alike(any_of(one) if isinstance(one, list) else one.element)


def _dict(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    first = _of_pairs(args[0]) if args else {}
    return Open.together(first, kwargs)


def _of_pairs(given: Value) -> dict[Any, Value]:
    """The dict of a dict, or of keys with their values: those of which nobody knows how many are under one key."""
    if isinstance(given, dict):
        return given
    pairs = list(given) if isinstance(given, tuple | list) else [Unpacked(given)] if isinstance(given, Alike) else []
    found: dict[Any, Value] = {}
    for pair in pairs:
        several = pair.value if isinstance(pair, Unpacked) else None
        entry = several.element if isinstance(several, Alike) else pair
        if isinstance(entry, tuple) and len(entry) == 2:
            key, value = entry
            is_one = several is None and not isinstance(key, Unknown | Opaque)
            found[key if is_one else Unknown("a key")] = value if several is None else Unpacked(_values_of(several))
    return found


def _values_of(pairs: Alike) -> Alike:
    return Alike(pairs.element[1], pairs.count)


def _decided_by(deciding: bool) -> Callable[..., Value]:
    """`any`, which one true element decides, or `all`, which one false element does."""

    def decide(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        elements = iterated(run, args[0]) if args else Alike(Flag())
        known = {truth(element) for element in (elements if isinstance(elements, list) else [Flag()])}
        if deciding in known:
            return deciding
        return Flag() if None in known else not deciding

    return decide


def _shape(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    values = sequence(args[0]) if args else []
    return tuple(values) if values is not None else Unknown("sizes that are not known", span)


def _named_tuple(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`namedtuple("Out", ["a", "b"])` is the same function, given the names first; called so it gives the tuple."""
    match args:
        case [str(), names, *_] if (found := _field_names(names)) is not None:
            return Partial(External("collections.namedtuple"), (tuple(found),), {})
        case [tuple() as names, *values] if len(values) <= len(names):
            given = dict(zip(names, values, strict=False)) | kwargs
            return Fields(names, [given.get(name, Unknown(f"the field {name}", span)) for name in names])
        case _:
            return Unknown("a named tuple whose fields are not known", span)


def _field_names(given: Value) -> list[str] | None:
    """The fields in `"a b"`, `["a", "b"]` or `[("a", Tensor), ("b", int)]`."""
    words = given.replace(",", " ").split() if isinstance(given, str) else sequence(given) or []
    names = [word[0] if isinstance(word, tuple) and word else word for word in words]
    return [str(name) for name in names] if names and all(isinstance(name, str) for name in names) else None


def _next(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Any of the elements, for nothing counts how many were taken; what is given for the end may come as well."""
    elements = iterated(run, args[0])
    if elements == [] and len(args) > 1:
        return args[1]
    element = any_of(elements) if isinstance(elements, list) else elements.element
    return joined(element, args[1]) if len(args) > 1 and not isinstance(element, Maybe) else element


LIBRARY: dict[str, Callable[..., Value]] = {
    "functools.reduce": _reduce, "torch.Size": _shape, "collections.OrderedDict": _dict,
    **SELECTIONS,
    "itertools.repeat": _repeated, "collections.namedtuple": _named_tuple, "typing.NamedTuple": _named_tuple,
    **{f"einops_exts.{name}_many": _each(f"einops.{name}") for name in ("rearrange", "repeat", "reduce")},
    "itertools.islice": lambda r, a, k, s: _islice(r, a, k, s) if len(a) > 1 else Unknown("some of the values", s),
    "itertools.chain": lambda r, a, k, s: [v for part in a for v in (sequence(part) or [])],
}  # fmt: skip
"""Functions of libraries by their full names."""
BUILTINS: dict[str, Callable[..., Value]] = {
    "len": _len, "range": _range, "enumerate": _enumerate, "zip": _zip, "list": _list, "tuple": _tuple,
    "reversed": _reversed, "sorted": _sorted, "set": _same_elements, "frozenset": _same_elements,
    "iter": _same_elements, "map": _map, "sum": _sum, "dict": _dict,
    "any": _decided_by(True), "all": _decided_by(False),
    "next": _next,
    "slice": lambda r, a, k, s: slice(*a) if 1 <= len(a) <= 3 else Unknown("a slice", s),
}  # fmt: skip
"""Python's own."""
