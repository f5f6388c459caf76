"""Expressions of a kernel: names, attributes, subscripts, operators and calls, evaluated to block types.

Calls of helpers are followed with their arguments; nothing is executed.
"""

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import Dim, ceil_div, dim
from kernelscope.kernels.triton.arithmetic import COMPARISONS, combined, of_plain, plain
from kernelscope.kernels.triton.broadcasting import BlockMismatch, broadcast, numel
from kernelscope.kernels.triton.call import OpCall, as_tensor, integer_of
from kernelscope.kernels.triton.dtypes import BITS, SPELLINGS, is_float, is_integer
from kernelscope.kernels.triton.interpretation import MAX_DEPTH, Frame, HelperCall, Interpretation
from kernelscope.kernels.triton.operations import OPERATIONS, RANGES
from kernelscope.kernels.triton.shape_ops import transposed, with_new_axis
from kernelscope.kernels.triton.switches import differ, either
from kernelscope.kernels.triton.values import (
    BlockPointer,
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
    join,
)
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

BUILTINS = frozenset("range min max len float int bool abs print tuple list isinstance hasattr getattr".split())  # noqa: SIM905
MAX_ITEMS = 64


def evaluate(run: Interpretation, frame: Frame, node: t.Expr) -> Value:
    """The value of an expression. Never raises but OutOfSteps; a mismatch is reported and gives an unknown block."""
    run.step()
    before, run.frame = run.frame, frame
    outer = run.outer
    if frame.depth == 0:
        run.outer = node.span
    try:
        return _evaluate(run, frame, node)
    except BlockMismatch as mismatch:
        run.problem("block-mismatch", str(mismatch))
        return Tensor(None)
    except (ArithmeticError, RecursionError):
        return Unknown("it is too large to be told")
    finally:
        run.frame = before
        run.outer = outer


def evaluate_global(run: Interpretation, path: str, node: t.Expr) -> Value:
    """The value that a module gives to a name of its own."""
    empty = Frame(path, _NOWHERE, MAX_DEPTH - 1)
    return evaluate(run, empty, node)


def _evaluate(run: Interpretation, frame: Frame, node: t.Expr) -> Value:
    match node:
        case t.Name():
            value = _name(run, frame, node.id)
            run.record(frame, node.span, value)
            return value
        case t.Constant():
            return of_plain(node.value) or Unknown("a constant of no use here")
        case t.Attribute():
            value = attribute(run, evaluate(run, frame, node.value), node.attr)
            if not isinstance(value, Method | Namespace):
                run.record(frame, node.attr_span, value)
            return value
        case t.BinOp():
            return _binary(run, frame, node)
        case t.Compare():
            return _compare(run, frame, node)
        case t.BoolOp():
            return _boolean(run, frame, node)
        case t.UnaryOp():
            return _unary(node.op, evaluate(run, frame, node.operand))
        case t.IfExp():
            return _conditional(run, frame, node)
        case t.Call():
            return _call(run, frame, node)
        case t.Subscript():
            return _subscript(run, frame, node)
        case t.Tuple() | t.List():
            return Items(tuple(_spread(run, frame, node.elts)))
        case t.NamedExpr():
            value = evaluate(run, frame, node.value)
            frame.names[node.target.id] = value
            run.record(frame, node.target.span, value)
            return value
        case t.ListComp() | t.GeneratorExp():
            return _comprehension(run, frame, node)
        case t.JoinedStr():
            return Const(Undecided("str"))
        case t.Starred():
            return evaluate(run, frame, node.value)
        case _:
            return Unknown("this form of expression is not followed")


def _conditional(run: Interpretation, frame: Frame, node: t.IfExp) -> Value:
    decided = evaluate(run, frame, node.test)
    holds = truth(decided)
    switch = run.switch(frame, node.test) if holds is None and isinstance(decided, Const) else None
    if holds is None:
        holds = run.answer(switch)
    if holds is not None:
        return evaluate(run, frame, node.body if holds else node.orelse)
    body, orelse = evaluate(run, frame, node.body), evaluate(run, frame, node.orelse)
    if switch is None or not differ(body, orelse):
        return join(body, orelse)
    test, positive = switch
    if isinstance(body, Const):
        return either(test, body, orelse) if positive else either(test, orelse, body)
    run.switches[test] = None
    return join(body, orelse)


def _spread(run: Interpretation, frame: Frame, nodes: list[t.Expr]) -> list[Value]:
    """Values of a list of expressions with `*x` laid out."""
    found: list[Value] = []
    for node in nodes:
        value = evaluate(run, frame, node)
        if isinstance(node, t.Starred) and isinstance(value, Items):
            found.extend(value.items)
        else:
            found.append(value)
    return found


def _name(run: Interpretation, frame: Frame, name: str) -> Value:
    if name in frame.names:
        return frame.names[name]
    value = run.global_value(frame.path, name)
    if isinstance(value, Unknown) and name in BUILTINS:
        return Namespace(f"builtins.{name}")
    return value


# -- attributes -------------------------------------------------------------------------------------------


def attribute(run: Interpretation, owner: Value, name: str) -> Value:
    """`owner.name`."""
    match owner:
        case Namespace(path=None, dotted=dotted):
            if dotted.startswith("triton") and name in SPELLINGS:
                return ElementType(SPELLINGS[name])
            return Namespace(f"{dotted}.{name}")
        case Namespace(path=str() as path):
            return run.global_value(path, name)
        case Tensor():
            return _tensor_attribute(owner, name)
        case ElementType():
            return _dtype_attribute(owner, name)
        case BlockPointer() | Descriptor():
            if name in ("dtype", "type"):
                return ElementType(owner.elem)
            if name in ("block_shape", "shape"):
                return Items(tuple(Const(s if s is not None else Undecided("int")) for s in owner.shape or ()))
            return Method(owner, name)
        case Const():
            if name == "value":
                return owner
            if name in ("dtype", "type"):
                tensor = as_tensor(owner)
                return ElementType(tensor.elem if tensor is not None else "")
            return Method(owner, name)
        case Items():
            return Method(owner, name)
        case _:
            return owner if isinstance(owner, Unknown) else Unknown(f"attribute {name} is not known")


def _tensor_attribute(owner: Tensor, name: str) -> Value:
    match name:
        case "dtype" | "type":
            return ElementType(owner.elem, owner.pointer)
        case "shape":
            if owner.shape is None:
                return Unknown("its rank is not known")
            return Items(tuple(Const(size if size is not None else Undecided("int")) for size in owner.shape))
        case "numel":
            count = numel(owner.shape)
            return Const(count if count is not None else Undecided("int"))
        case "T":
            return transposed(owner)
        case _:
            return Method(owner, name)


def _dtype_attribute(owner: ElementType, name: str) -> Value:
    match name:
        case "element_ty":
            return ElementType(owner.elem)
        case "scalar" | "value":
            return owner
        case "primitive_bitwidth" | "int_bitwidth":
            bits = 64 if owner.pointer else BITS.get(owner.elem)
            return Const(dim(bits)) if bits else Const(Undecided("int"))
        case _:
            return Method(owner, name)


# -- operators --------------------------------------------------------------------------------------------


def _binary(run: Interpretation, frame: Frame, node: t.BinOp) -> Value:
    left, right = evaluate(run, frame, node.left), evaluate(run, frame, node.right)
    if isinstance(left, Items) or isinstance(right, Items):
        return _items(node.op, left, right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    for side in (left, right):
        if node.op in ("%", "//", "&", "|", "^", "<<", ">>") and isinstance(side, Tensor) and not side.elem:
            run.is_integer(side.inputs)
    return combined(node.op, left, right)


def _items(op: str, left: Value, right: Value) -> Value:
    if op == "+" and isinstance(left, Items) and isinstance(right, Items):
        return Items((*left.items, *right.items)[:MAX_ITEMS])
    if op == "*":
        listed, times = (left, right) if isinstance(left, Items) else (right, left)
        number = integer_of(times)
        if isinstance(listed, Items) and number is not None and 0 <= number <= MAX_ITEMS:
            return Items((listed.items * number)[:MAX_ITEMS])
    return Unknown("an operator on tuples")


def _compare(run: Interpretation, frame: Frame, node: t.Compare) -> Value:
    left = evaluate(run, frame, node.left)
    result: Value = Const(True)
    for op, right_node in zip(node.ops, node.comparators, strict=False):
        right = evaluate(run, frame, right_node)
        result = _compared(run, op, left, right)
        left = right
    return result


def _compared(run: Interpretation, op: str, left: Value, right: Value) -> Value:
    if op in ("is", "is not"):
        return _identity(op, left, right)
    if op in ("in", "not in"):
        if isinstance(right, Items) and all(isinstance(i, Const) for i in right.items) and isinstance(left, Const):
            hits = [plain(combined_const(left, item)) for item in right.items]
            if not any(isinstance(hit, Undecided) for hit in hits):
                return Const(any(hits) == (op == "in"))
        return Const(Undecided("bool"))
    if op not in COMPARISONS:
        return Unknown(f"`{op}` is not known")
    if isinstance(left, ElementType) or isinstance(right, ElementType):
        return _same_type(op, left, right)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Tensor) and not one.elem and isinstance(other, Tensor) and is_integer(other.elem):
            run.is_integer(one.inputs)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return Tensor(None, "int1")
    return combined(op, left, right)


def _same_type(op: str, left: Value, right: Value) -> Const:
    if not isinstance(left, ElementType) or not isinstance(right, ElementType) or op not in ("==", "!="):
        return Const(Undecided("bool"))
    if left.elem not in BITS or right.elem not in BITS:
        return Const(Undecided("bool"))
    return Const((left == right) == (op == "=="))


def combined_const(left: Const, right: Value) -> Const:
    result = combined("==", left, right)
    return result if isinstance(result, Const) else Const(Undecided("bool"))


def _identity(op: str, left: Value, right: Value) -> Value:
    """`x is None`: certain for blocks and numbers, open for arguments; element types are the same or not."""
    if isinstance(left, ElementType) and isinstance(right, ElementType):
        return _same_type("==" if op == "is" else "!=", left, right)
    if right != Const(None):
        return Const(Undecided("bool"))
    if left == Const(None):
        return Const(op == "is")
    if isinstance(left, Const) and isinstance(plain(left), Undecided):
        return Const(Undecided("bool"))
    if isinstance(left, Unknown) or (isinstance(left, Tensor) and left.is_scalar and (left.pointer or not left.elem)):
        return Const(Undecided("bool"))
    return Const(op != "is")


def _boolean(run: Interpretation, frame: Frame, node: t.BoolOp) -> Value:
    """Constants decide early; tensors combine as masks."""
    result: Value | None = None
    for part in node.values:
        value = evaluate(run, frame, part)
        known = truth(value) if isinstance(value, Const) else None
        if known is not None and known == (node.op == "or"):
            return value
        if known is not None:
            result = value if result is None else result
            continue
        if isinstance(value, Tensor) and isinstance(result, Tensor):
            result = Tensor(broadcast(result.shape, value.shape), "int1")
        elif isinstance(value, Tensor):
            result = Tensor(value.shape, "int1")
        elif not isinstance(result, Tensor):
            result = Const(Undecided("bool"))
    return result if result is not None else Const(Undecided("bool"))


def _unary(op: str, value: Value) -> Value:
    if isinstance(value, Const):
        if op == "not":
            known = truth(value)
            return Const(not known) if known is not None else Const(Undecided("bool"))
        if op == "-":
            return combined("-", Const(dim(0)), value) if not isinstance(value.value, float) else Const(-value.value)
        if op == "~":
            return Const(Undecided("int"))
        return value
    if isinstance(value, Tensor):
        if op == "not":
            return Tensor(value.shape, "int1")
        if op == "-":
            steps = tuple(-s if s is not None else None for s in value.steps) if value.steps else None
            return Tensor(value.shape, value.elem, inputs=value.inputs, steps=steps,
                          value=-value.value if value.value is not None else None)  # fmt: skip
        return replace(value, value=None, steps=None) if op == "~" else value
    return value


def truth(value: Value) -> bool | None:
    """Whether a compile-time test holds; None when that depends on the configuration or on data."""
    if not isinstance(value, Const):
        return None
    known = plain(value)
    return None if isinstance(known, Undecided) else bool(known)


# -- subscripts -------------------------------------------------------------------------------------------


def _subscript(run: Interpretation, frame: Frame, node: t.Subscript) -> Value:
    owner = evaluate(run, frame, node.value)
    if isinstance(owner, Tensor):
        return _indexed(owner, node.slice)
    if isinstance(owner, Items):
        if isinstance(node.slice, t.Slice):
            bounds = [
                integer_of(evaluate(run, frame, part)) if part is not None else None
                for part in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return Items(owner.items[slice(*bounds)]) if bounds[2] != 0 else Unknown("a slice of step 0")
        index = integer_of(evaluate(run, frame, node.slice))
        if index is not None and -len(owner.items) <= index < len(owner.items):
            return owner.items[index]
        if index is None and owner.items:
            result = owner.items[0]
            for item in owner.items[1:]:
                result = join(result, item)
            return result
    evaluate(run, frame, node.slice)
    return owner if isinstance(owner, Unknown) else Unknown("this subscript is not followed")


def _indexed(x: Tensor, index: t.Expr) -> Tensor:
    """`x[:, None]`: every `None` is a new dim, every `:` keeps one."""
    parts = index.elts if isinstance(index, t.Tuple) else [index]
    axis = 0
    for part in parts:
        if isinstance(part, t.Constant) and part.value is None:
            x = with_new_axis(x, axis)
        elif isinstance(part, t.Constant) and part.value is Ellipsis and x.shape is not None:
            axis = len(x.shape) - (len(parts) - parts.index(part) - 1)
            continue
        elif not isinstance(part, t.Slice):
            return Tensor(None, x.elem, x.pointer, x.bases, x.inputs)
        axis += 1
    return x


def _comprehension(run: Interpretation, frame: Frame, node: t.ListComp | t.GeneratorExp) -> Value:
    if len(node.generators) != 1 or node.generators[0].ifs:
        return Unknown("a comprehension with conditions")
    generator = node.generators[0]
    source = evaluate(run, frame, generator.iter)
    if isinstance(source, Range) and source.trips is not None and source.trips.const is not None:
        source = Items(tuple(Const(dim(i)) for i in range(min(source.trips.const, MAX_ITEMS))))
    if not isinstance(source, Items) or not isinstance(generator.target, t.Name):
        return Unknown("a comprehension over something that is no tuple")
    found: list[Value] = []
    for item in source.items:
        frame.names[generator.target.id] = item
        found.append(evaluate(run, frame, node.elt))
    return Items(tuple(found))


# -- calls ------------------------------------------------------------------------------------------------


def _call(run: Interpretation, frame: Frame, node: t.Call) -> Value:
    function = evaluate(run, frame, node.func)
    arguments = _spread(run, frame, node.args)
    keywords = {k.arg: evaluate(run, frame, k.value) for k in node.keywords if k.arg is not None}
    run.frame = frame
    run.inner = node.span
    if frame.depth == 0:
        run.outer = node.span
    result = _applied(run, frame, function, arguments, keywords)
    if not isinstance(result, Range) and result != Const(None):
        name = node.func.attr_span if isinstance(node.func, t.Attribute) else node.func.span
        run.record(frame, name, result)
    return result


def _applied(
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
    run.operations[name] = run.operations.get(name, 0) + 1
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
    "int": "int32", "uint": "uint32", "ll": "int64", "ull": "uint64", "float": "fp32", "double": "fp64",
}  # fmt: skip
"""Targets of the device library's conversions, as in `float2int_rn`."""


def _elementwise(name: str, arguments: list[Value]) -> Value:
    """A function of the device library: a conversion, or one that keeps the type of floats."""
    converted = CONVERSIONS.get(name.partition("2")[2].partition("_")[0])
    shape: Sizes | None = ()
    elem = ""
    for value in arguments:
        x = as_tensor(value)
        if x is None:
            return Unknown("a library function of no tensors")
        shape = broadcast(shape, x.shape)
        elem = elem or (x.elem if isinstance(value, Tensor) else "")
    return Tensor(shape, converted or (elem if is_float(elem) else ""))


def _method_call(
    run: Interpretation, owner: Value, name: str, arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    if isinstance(owner, Tensor):
        run.operations[name] = run.operations.get(name, 0) + 1
        if name in OPERATIONS:
            return _apply(run, name, [owner, *arguments], keywords)
        if name in ("logical_and", "logical_or") and arguments:
            other = as_tensor(arguments[0])
            return Tensor(broadcast(owner.shape, other.shape) if other is not None else None, "int1")
        return Unknown(f"method {name} is not in the table of operations")
    if isinstance(owner, Descriptor):
        described = {"load": "load_tensor_descriptor", "gather": "gather_descriptor"}.get(name)
        if described:
            return _apply(run, described, [owner, *arguments], keywords)
        if name == "store":
            run.access("store", owner, Tensor(owner.shape, owner.elem), True)
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

    bound = bind(run, function, arguments, keywords)
    call = HelperCall(function, tuple(bound.items()))
    if frame.depth == 0:
        run.calls[call] = None
    if call in run.results:
        return run.results[call]
    if frame.depth + 1 >= MAX_DEPTH:
        return Unknown("helpers call each other too deeply")
    inner = Frame(function.path, function.node, frame.depth + 1)
    inner.names.update(bound)
    run.results[call] = Unknown(f"{function.node.name} calls itself")
    result = run_function(run, inner)
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
            bound[param.name] = evaluate_global(run, function.path, param.default)
        else:
            bound[param.name] = Unknown(f"{param.name} is not passed")
    return bound


def _no_body() -> list[t.Stmt]:
    return []


_NOWHERE = t.FunctionDef("", Span(0, 0), list, None, [], False, Span(0, 0), _no_body)
