"""Python's own functions, and those of its library and of torch that are about values rather than tensors."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from math import ceil, isfinite
from typing import Any

from kernelscope.dims import Dim, ceil_div, dim, maximum, minimum
from kernelscope.interp.attributes import attribute, prepare
from kernelscope.interp.calls import call
from kernelscope.interp.interpreter import (
    Interpreter,
)
from kernelscope.interp.operators import Quotient, binary, truth
from kernelscope.interp.sequences import MAX_ELEMENTS, Range, any_of, has_unknown_length, iterated, sequence
from kernelscope.interp.texts import joined_text
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Builtin,
    Choice,
    Class,
    External,
    Flag,
    Function,
    Instance,
    Keywords,
    LambdaValue,
    Maybe,
    Number,
    Opaque,
    Open,
    Partial,
    Unpacked,
    Value,
    as_size,
)
from kernelscope.ops import Module
from kernelscope.tensor import Fields, Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.modules import External as OutsideName

DATA_TYPES = {"list", "tuple", "dict", "set", "str", "int", "float", "bool"}
"""Python's own types of data."""


def _len(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0]:
        case tuple() | list() if has_unknown_length(args[0]):
            return Number(is_integer=True)
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
            return Number()


def _int(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0] if args else None:
        case Dim() | Opaque():
            return args[0]
        case Quotient():
            return _exact(lambda value: value.floor(run.known.facts), args[0])
        case float():
            return _whole(int, args[0])
        case bool():
            return dim(int(args[0]))
        case _:
            return Number(is_integer=True)


def _exact(rounded: Callable[[Quotient], Dim], value: Quotient) -> Value:
    """A quotient as a size; nobody knows which one if it divides by zero or grows too large."""
    try:
        return rounded(value)
    except ArithmeticError:
        return Number(is_integer=True)


def _whole(rounded: Callable[[float], int], value: float) -> Value:
    """A float as an integer; infinity and what is no number have none."""
    return dim(rounded(value)) if isfinite(value) else Number(is_integer=True)


def _round(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """To the nearest integer, which is known where the number is one."""
    match args[0] if args else None:
        case Dim() | Opaque():
            return args[0]
        case Quotient() if (exact := args[0].over.exact_div(args[0].under)) is not None:
            return exact
        case float() if len(args) == 1:
            return _whole(round, args[0])
        case _:
            return Number(is_integer=len(args) == 1)


def _extreme(pick: Callable[..., Dim], name: str) -> Callable[..., Value]:
    def find(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        if len(args) == 1 and isinstance(args[0], Opaque):
            return Opaque(f"{name}({args[0].name})")
        values = [as_size(a) for a in (sequence(args[0]) or args if len(args) == 1 else args)]
        if values and all(isinstance(v, Dim) for v in values):
            return pick(*values)
        if (lost := next((v for v in values if isinstance(v, Unknown)), None)) is not None:
            return lost
        return Number(is_integer=all(isinstance(v, Dim) or (isinstance(v, Number) and v.is_integer) for v in values))

    return find


def _range(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    sizes = [as_size(a) for a in args]
    if len(sizes) == 1 and isinstance(sizes[0], Dim):
        return Range(sizes[0])
    if all(isinstance(s, Dim) and s.const is not None for s in sizes):
        numbers = range(*(int(s.const) for s in sizes if isinstance(s, Dim) and s.const is not None))
        if len(numbers) <= 64:
            return [dim(n) for n in numbers]
    return Alike(Number("a loop counter", True))


def _enumerate(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    items = iterated(run, args[0])
    if isinstance(items, list):
        return [(dim(i), item) for i, item in enumerate(items)]
    return Alike((Opaque("index"), items.element), items.count)


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


def _getattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) < 2 or not isinstance(args[1], str):
        return Unknown("an attribute of a name that is not known", span)
    found = attribute(run, args[0], args[1], span)
    if isinstance(found, Opaque) and len(args) > 2 and args[2] is None:
        return Maybe(found, found.name)
    if isinstance(found, Opaque) and len(args) > 2 and isinstance(args[2], bool):
        return Flag(name=f"{found.name} is true")
    if isinstance(found, Unknown) and len(args) > 2:
        return args[2]
    return found


def _is_made_of(run: Interpreter, instance: Instance, kinds: tuple[Value, ...]) -> Value:
    """Whether an object's class is one of these or derives from one."""
    bases = run.classes.mro(instance.cls)
    own = {id(base.node) for base in bases if isinstance(base, Definition)}
    outside = {base.dotted for base in bases if isinstance(base, OutsideName)}
    for kind in kinds:
        if isinstance(kind, Class) and id(kind.definition.node) in own:
            return True
        if isinstance(kind, External | Builtin) and kind.name in outside:
            return True
    return False if all(isinstance(k, Class | External | Builtin) for k in kinds) else Flag()


ITERABLES = ("Iterable", "Collection", "Sequence", "Sized", "Container", "Reversible")
"""Of `collections.abc`, what tuples and lists are."""


def _isinstance(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) != 2:
        return Flag()
    kinds = args[1] if isinstance(args[1], tuple) else (args[1],)
    names = {k.name.rpartition(".")[2] for k in kinds if isinstance(k, External | Builtin)}
    if isinstance(args[0], Choice):
        found = [_isinstance(run, [entry, args[1]], {}, span) for entry in args[0].followed]
        return found[0] if all(isinstance(f, bool) and f == found[0] for f in found) else Flag()
    if isinstance(args[0], Instance):
        return _is_made_of(run, args[0], kinds)
    match args[0]:
        case Tensor() if names:
            return bool(names & {"Tensor", "Parameter"})
        case None:
            return False if names else Flag()
        case Opaque() if args[0].default is not None and names:
            return "int" in names
        case Opaque() if names:
            return Flag(name=f"{args[0].name} is {' or '.join(sorted(names))}")
        case Dim() if names:
            return not names.isdisjoint(("int", "Integral", "Number"))
        case tuple() | list() if names:
            return not names.isdisjoint((type(args[0]).__name__, *ITERABLES))
        case Alike() if names and names <= DATA_TYPES:
            return Flag() if len(names & {"list", "tuple"}) == 1 else bool(names & {"list", "tuple"})
        case str() if names:
            return "str" in names
        case float() if names:
            return "float" in names
        case Class() | Function() | LambdaValue() | Partial() | External() | Module() if names and names <= DATA_TYPES:
            return False
        case _:
            return Flag()


def _hasattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Whether an object has an attribute: known where it stored it, or its class defines it."""
    if run.certain or len(args) != 2 or not isinstance(args[0], Instance) or not isinstance(args[1], str):
        return Flag()
    prepare(run, args[0])
    if args[1] in args[0].attributes or isinstance(run.classes.attribute(args[0].cls, args[1]), Definition):
        return True
    return Flag()


def _same_elements(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if not args:
        return []
    items = iterated(run, args[0])
    return list(items) if isinstance(items, list) else items


def _list(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """The elements of what nobody knows are called as before."""
    return args[0] if args and isinstance(args[0], Opaque) else _same_elements(run, args, kwargs, span)


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


def _partial(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return Partial(args[0], tuple(args[1:]), dict(kwargs)) if args else Unknown("partial of nothing", span)


def _operator(sign: str) -> Callable[..., Value]:
    """An operator of Python's as a function of two values."""

    def operate(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        return (
            binary(run, sign, args[0], args[1], span)
            if len(args) == 2
            else Unknown("an operation without a value", span)
        )

    return operate


def _product(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    values = [as_size(v) for v in sequence(args[0]) or ()]
    if not values or not all(isinstance(v, Dim) for v in values):
        return Number()
    result = dim(1)
    for value in values:
        result = result * value
    return result


def _sum(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Sizes by the algebra, tensors one after the other; of a sequence of unknown length one stands for all.

    `sum(lists, [])` joins lists.
    """
    if len(args) > 1 and isinstance(args[1], list):
        return _joined(run, args[0], args[1])
    items = iterated(run, args[0]) if args else []
    first, *others = (items.element, items.element) if isinstance(items, Alike) else items or (None,)
    if isinstance(first, Tensor) or (run.trace is not None and isinstance(first, Unknown) and run.trace.origins(first)):
        result: Value = first
        for other in others[:MAX_ELEMENTS]:
            result = binary(run, "+", result, other, span)
        return result
    values = [as_size(v) for v in sequence(args[0]) or ()]
    if not values or not all(isinstance(v, Dim) for v in values):
        return Number()
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
    is_open = isinstance(first, Open) or isinstance(kwargs, Open)
    return Open({**first, **kwargs}) if is_open else {**first, **kwargs}


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


def _number(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    numbers = [a.const if isinstance(a, Dim) else a for a in args]
    if len(numbers) == 1 and isinstance(numbers[0], int | float) and numbers[0] >= 0:
        return float(numbers[0]) ** 0.5
    return Number()


def _ceil(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0] if args else None:
        case float():
            return _whole(ceil, args[0])
        case Dim() | Opaque():
            return args[0]
        case Quotient():
            return _exact(lambda value: ceil_div(value.over, value.under), args[0])
        case _:
            return Number(is_integer=True)


def _flag(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return Flag()


def _bool(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    known = truth(args[0]) if args else False
    return Flag() if known is None else known


def _setattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args:
        case [Instance() as holder, str() as name, value]:
            run.changes.before(holder.attributes)
            holder.attributes[name] = value
        case _:
            pass
    return None


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


LIMITS = ("min", "max", "eps", "tiny", "bits", "smallest_normal", "resolution")
"""What `torch.finfo` tells of a dtype: numbers, which change no shape."""
PLAIN: dict[str, Callable[..., Value]] = {
    "functools.partial": _partial, "functools.reduce": _reduce,
    "operator.mul": _operator("*"), "operator.add": _operator("+"), "math.prod": _product, "numpy.prod": _product,
    "math.sqrt": _number, "math.log": lambda *a: Number(),
    "numpy.log": lambda *a: Number(), "numpy.sqrt": _number, "math.log2": lambda *a: Number(),
    "math.exp": lambda *a: Number(), "math.cos": lambda *a: Number(), "math.sin": lambda *a: Number(),
    "math.ceil": _ceil, "numpy.ceil": _ceil, "numpy.floor": _int,
    "math.floor": _int, "torch.Size": _shape, "collections.OrderedDict": _dict,
    "itertools.repeat": _repeated, "collections.namedtuple": _named_tuple, "typing.NamedTuple": _named_tuple,
    "itertools.islice": lambda r, a, k, s: _islice(r, a, k, s) if len(a) > 1 else Unknown("some of the values", s),
    "itertools.chain": lambda r, a, k, s: [v for part in a for v in (sequence(part) or [])],
    "torch.nn.Module": lambda *a: {}, "types.SimpleNamespace": lambda r, a, k, s: dict(k),
    "torch.finfo": lambda *a: dict.fromkeys(LIMITS, Number()),
    "torch.iinfo": lambda *a: dict.fromkeys(LIMITS, Number()),
    "torch.is_tensor": lambda r, a, k, s: isinstance(a[0], Tensor) or Flag(),
    "torch.cuda.is_available": _flag, "torch.is_grad_enabled": _flag, "torch.jit.is_scripting": lambda *a: False,
    "torch.jit.is_tracing": lambda *a: False, "torch.compiler.is_compiling": lambda *a: False,
    "torch._dynamo.is_compiling": lambda *a: False, "torch.is_autocast_enabled": _flag,
}  # fmt: skip
BUILTINS: dict[str, Callable[..., Value]] = {
    "len": _len, "int": _int, "round": _round, "range": _range,
    "max": _extreme(maximum, "max"), "min": _extreme(minimum, "min"),
    "enumerate": _enumerate, "zip": _zip, "getattr": _getattr, "isinstance": _isinstance, "list": _list,
    "tuple": _tuple, "reversed": _same_elements, "sorted": _same_elements, "map": _map, "sum": _sum, "dict": _dict,
    "bool": _bool, "hasattr": _hasattr, "callable": _flag, "any": _decided_by(True), "all": _decided_by(False),
    "iter": _same_elements, "setattr": _setattr,
    "slice": lambda r, a, k, s: slice(*a) if 1 <= len(a) <= 3 else Unknown("a slice", s),
    "abs": lambda r, a, k, s: a[0] if isinstance(a[0], Tensor) else Number(is_integer=isinstance(a[0], Dim)),
    "str": lambda r, a, k, s: Unknown("a text that is not known", s) if (text := joined_text(a)) is None else text,
    "next": lambda r, a, k, s: any_of(i) if isinstance(i := iterated(r, a[0]), list) else i.element,
    "set": _same_elements, "frozenset": _same_elements, "issubclass": _flag,
    "float": lambda r, a, k, s: a[0] if a and isinstance(a[0], float) else Number(),
}  # fmt: skip


def call_builtin(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    found = BUILTINS.get(name)
    if found is None or any(isinstance(a, Unpacked) for a in args):
        return Unknown(f"{name}() is not followed", span)
    if not args and name in ("len", "max", "min", "enumerate", "range", "sum", "int"):
        return Unknown(f"{name}() without arguments", span)
    return found(run, args, kwargs, span)
