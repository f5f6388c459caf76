"""Calls in a kernel: operations of the language, methods, builtins of Python, and helpers with their arguments.

Helpers are followed; nothing is executed.
"""

from __future__ import annotations

from kernelscope.dims import Dim, ceil_div, dim
from kernelscope.kernels.triton.arithmetic import combined
from kernelscope.kernels.triton.broadcasting import broadcast
from kernelscope.kernels.triton.call import OpCall, as_tensor
from kernelscope.kernels.triton.dtypes import BITS, SPELLINGS, is_float, is_integer
from kernelscope.kernels.triton.interpretation import MAX_DEPTH, Frame, HelperCall, Interpretation
from kernelscope.kernels.triton.operations import OPERATIONS, RANGES
from kernelscope.kernels.triton.values import (
    Const,
    Descriptor,
    ElementType,
    Items,
    JitFunction,
    Method,
    Namespace,
    Range,
    Sizes,
    Tensor,
    Undecided,
    Unknown,
    Value,
)
from kernelscope.syntax.python import tree as t


def applied(
    run: Interpretation, frame: Frame, function: Value, arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    match function:
        case JitFunction():
            return call_helper(run, frame, function, arguments, keywords)
        case Namespace(dotted=dotted):
            _combine(run, frame, [*arguments, *keywords.values()])
            return _library_call(run, dotted, arguments, keywords)
        case Method(owner=owner, name=name):
            _combine(run, frame, [owner, *arguments, *keywords.values()])
            return _method_call(run, owner, name, arguments, keywords)
        case ElementType() if arguments:
            return _apply(run, "cast", [arguments[0], function], {})
        case Unknown():
            return function
        case _:
            return Unknown("what is called here is not known")


def _combine(run: Interpretation, frame: Frame, arguments: list[Value]) -> None:
    """A helper given to a reduction or scan is called on scalars of what is reduced, twice as many."""
    function = next((a for a in arguments if isinstance(a, JitFunction)), None)
    if function is None:
        return
    given = arguments[0].items if isinstance(arguments[0], Items) else arguments[:1]
    scalars: list[Value] = [Tensor((), x.elem) if isinstance(x, Tensor) else Unknown("no tensor") for x in given]
    call_helper(run, frame, function, scalars * 2, {})


def _library_call(run: Interpretation, dotted: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    home, _, name = dotted.rpartition(".")
    if home == "builtins":
        return _builtin(run, name, arguments, keywords)
    run.operation(name)
    if name in RANGES:
        return _range(run, arguments, keywords, RANGES[name])
    if name in SPELLINGS and arguments:
        return _apply(run, "cast", [arguments[0], ElementType(SPELLINGS[name])], {})
    if name == "pointer_type" and arguments:
        first = arguments[0]
        return ElementType(first.elem if isinstance(first, ElementType) else "", True)
    if name in OPERATIONS:
        return _apply(run, name, arguments, keywords)
    if "libdevice" in home:  # functions of the device library work element by element
        return _elementwise(name, arguments)
    return Unknown(f"{dotted} is not in the table of operations")


CONVERSIONS = {
    "int": "int32", "uint": "int32", "ll": "int64", "ull": "int64", "longlong": "int64", "float": "fp32",
    "double": "fp64",
}  # fmt: skip
"""Targets of the device library's conversions, as in `float2int_rn` and `int_as_float`; unsigned ones give signed."""


def _elementwise(name: str, arguments: list[Value]) -> Value:
    """A function of the device library: a conversion, or one that keeps the type of floats."""
    converted = CONVERSIONS.get(name.replace("_as_", "2").partition("2")[2].partition("_")[0])
    shape: Sizes | None = ()
    elem = ""
    for value in arguments:
        x = as_tensor(value)
        if x is None:
            return Unknown("a library function of no tensors")
        shape = broadcast(shape, x.shape)
        elem = elem if is_float(elem) else (x.elem if isinstance(value, Tensor) else "")
    return Tensor(shape, converted or (elem if is_float(elem) else ""))


OPERATORS = {
    "__add__": "+", "__sub__": "-", "__mul__": "*", "__truediv__": "/", "__floordiv__": "//", "__mod__": "%",
    "__and__": "&", "__or__": "|", "__xor__": "^", "__lshift__": "<<", "__rshift__": ">>",
}  # fmt: skip
"""Operators that are called by their methods, as in `packed.__rshift__(4)`."""
REDUCED = frozenset(f"atomic_{name}" for name in ("add", "min", "max", "and", "or", "xor"))
DESCRIBED = REDUCED | {"load", "store", "gather", "scatter"}
"""Methods of tensor descriptors, which take a list of offsets first."""


def _method_call(
    run: Interpretation, owner: Value, name: str, arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    if isinstance(owner, Tensor) and name in DESCRIBED and arguments and isinstance(arguments[0], Items):
        run.is_descriptor(owner.bases[:1])  # `desc.load([row, column])`, of what the host described
        return Tensor(None)
    if isinstance(owner, Tensor):
        run.operation(name)
        if name in OPERATIONS:
            return _apply(run, name, [owner, *arguments], keywords)
        if name in OPERATORS and len(arguments) == 1:
            return combined(OPERATORS[name], owner, arguments[0])
        if name in ("logical_and", "logical_or") and arguments:
            other = as_tensor(arguments[0])
            return Tensor(broadcast(owner.shape, other.shape) if other is not None else None, "int1")
        return Unknown(f"method {name} is not in the table of operations")
    if isinstance(owner, Descriptor):
        described = {"load": "load_tensor_descriptor", "gather": "gather_descriptor"}.get(name)
        if described:
            return _apply(run, described, [owner, *arguments], keywords)
        if name in ("store", "scatter") or name in REDUCED:
            run.access("atomic" if name in REDUCED else "store", owner, Tensor(owner.shape, owner.elem), True)
        return Const(None)
    if isinstance(owner, ElementType):
        return _dtype_question(owner, name)
    if isinstance(owner, Const) and name in OPERATIONS and as_tensor(owner) is not None:
        return _apply(run, name, [owner, *arguments], keywords)
    return Unknown(f"method {name} is not followed")


def _dtype_question(owner: ElementType, name: str) -> Value:
    """`dtype.is_fp16()` and its kin."""
    if owner.pointer or owner.elem not in BITS:
        return Const(name == "is_ptr") if owner.pointer and name.startswith("is_") else Const(Undecided("bool"))
    elem = owner.elem
    match name:
        case "is_ptr" | "is_block":
            return Const(False)
        case "is_floating":
            return Const(is_float(elem))
        case "is_int":
            return Const(is_integer(elem))
        case "is_int_signed" | "is_int_unsigned":
            return Const(is_integer(elem) and elem.startswith("int") == (name == "is_int_signed"))
        case "is_fp8":
            return Const(elem.startswith("fp8"))
        case _ if name.startswith("is_") and (asked := SPELLINGS.get(name[3:])) is not None:
            return Const(asked == elem)
        case _:
            return Const(Undecided("bool"))


def _builtin(run: Interpretation, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    first = arguments[0] if arguments else Const(None)
    match name:
        case "range":
            return _range(run, arguments, keywords, False)
        case "min" | "max":
            if len(arguments) == 2 and any(isinstance(a, Tensor) for a in arguments):
                return _apply(run, "minimum" if name == "min" else "maximum", arguments, {})
            if len(arguments) == 2:
                return _apply(run, name, arguments, {})
            return Const(Undecided("int"))
        case "len":
            return Const(dim(len(first.items))) if isinstance(first, Items) else Const(Undecided("int"))
        case "float":
            if isinstance(first, Const) and isinstance(first.value, str):
                text = first.value.strip().lower()
                known = {"inf": float("inf"), "+inf": float("inf"), "-inf": float("-inf")}.get(text)
                return Const(known) if known is not None else Const(Undecided("float"))
            return Const(Undecided("float"))
        case "int":
            return first if isinstance(first, Const) and isinstance(first.value, Dim) else Const(Undecided("int"))
        case "abs":
            if isinstance(first, Tensor):
                return Tensor(first.shape, first.elem)
            return Const(Undecided())
        case "tuple" | "list":
            return first if isinstance(first, Items) else Items(())
        case "bool" | "isinstance" | "hasattr":
            return Const(Undecided("bool"))
        case _:
            return Const(None)


def _range(run: Interpretation, arguments: list[Value], keywords: dict[str, Value], unrolled: bool) -> Value:
    """Loop bounds are integers; a 64-bit bound widens the counter."""
    elem = "int32"
    for value in arguments:
        if isinstance(value, Tensor):
            if not value.elem:
                run.is_integer(value.inputs)
            elem = value.elem if value.elem in ("int64", "") and elem else elem
    given = [as_tensor(a) for a in arguments]
    values = [x.value if x is not None else None for x in given]
    start, stop, step = dim(0), None, dim(1)
    if len(values) == 1:
        stop = values[0]
    elif len(values) >= 2:
        start, stop = values[0], values[1]
        step = values[2] if len(values) > 2 else step
    trips = None
    if start is not None and stop is not None and step is not None and step.terms:
        trips = ceil_div(stop - start, step)
    return Range(elem, unrolled, trips, start, step)


def _apply(run: Interpretation, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """An operation of the table on its arguments. Raises BlockMismatch."""
    operation = OPERATIONS[name]
    bound: dict[str, Value] = {}
    rest: tuple[Value, ...] = ()
    for index, param in enumerate(operation.params):
        if param.endswith("*"):
            rest = tuple(arguments[index:])
            break
        if index < len(arguments):
            bound[param] = arguments[index]
    bound.update(keywords)
    return operation.rule(OpCall(name, bound, run, rest))


def call_helper(
    run: Interpretation, frame: Frame, function: JitFunction, arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    """A helper with its arguments: evaluated as part of the caller, once per distinct arguments."""
    from kernelscope.kernels.triton.statements import run_function

    if run.trial is not None:
        run.trial.depends = True
    bound = bind(run, function, arguments, keywords)
    call = HelperCall(function, tuple(bound.items()))
    if frame.depth == 0:
        run.calls[call] = None
        if run.inner is not None:
            run.called[run.inner] = function.node
    via = run.via if run.inner is None else (*run.via, run.inner)
    if call in run.results and via in run.reached.get(call, (via,)):
        return run.results[call]
    if frame.depth + 1 >= MAX_DEPTH:
        return Unknown("helpers call each other too deeply")
    inner = Frame(function.path, function.node, frame.depth + 1)
    inner.names.update(bound)
    run.results[call] = Unknown(f"{function.node.name} calls itself")
    outside, run.via = run.via, via
    before = len(run.accesses) + len(run.products)
    try:
        result = run_function(run, inner)
    finally:
        run.via = outside
    if len(run.accesses) + len(run.products) > before or call in run.reached:
        run.reached.setdefault(call, set()).add(via)
    run.results[call] = result
    return result


def bind(
    run: Interpretation, function: JitFunction, arguments: list[Value], keywords: dict[str, Value]
) -> dict[str, Value]:
    """Arguments by parameter; missing ones take their defaults."""
    bound: dict[str, Value] = {}
    positional = list(arguments)
    for param in function.node.args:
        if param.kind == "args":
            bound[param.name] = Items(tuple(positional))
            positional = []
        elif param.kind in ("positional", "normal") and positional:
            bound[param.name] = positional.pop(0)
        elif param.name in keywords:
            bound[param.name] = keywords[param.name]
        elif param.default is not None:
            bound[param.name] = _default(run, function.path, param.default)
        else:
            bound[param.name] = Unknown(f"{param.name} is not passed")
    return bound


def _default(run: Interpretation, path: str, node: t.Expr) -> Value:
    """A default is written at the level of its module."""
    from kernelscope.kernels.triton.expressions import evaluate_global

    return evaluate_global(run, path, node)
