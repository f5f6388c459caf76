"""Expressions to values. What is not followed is an unknown with its reason, never an error."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

from kernelscope import ops
from kernelscope.dims import Dim, dim
from kernelscope.interp.interpreter import MAX_NESTED, Interpreter, external
from kernelscope.interp.joins import Join
from kernelscope.interp.values import (
    CALLABLES,
    Alike,
    Builtin,
    Choice,
    Class,
    External,
    Flag,
    Function,
    Instance,
    LambdaValue,
    Maybe,
    Number,
    Opaque,
    PlainMethod,
    Scope,
    SuperValue,
    TensorMethod,
    Value,
    as_size,
    for_op,
    joined,
    present,
)
from kernelscope.ops import Module, ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DType, Fields, Several, Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition, ModuleRef
from kernelscope.workspace.modules import External as OutsideName

MAX_ELEMENTS = 64


def evaluate(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    """The value of an expression; calls and attributes are remembered by their span."""
    run.step()
    if run.nested > MAX_NESTED:
        return Unknown("nested too deeply", node.span)
    run.nested += 1
    try:
        value = _evaluate(run, scope, node)
    except ShapeError as error:
        value = run.contradiction(scope.path, node.span, error)
    finally:
        run.nested -= 1
    if isinstance(node, t.Attribute):
        run.record(scope.path, node.attr_span, value)
    elif isinstance(node, t.Name | t.Call | t.BinOp | t.Subscript):
        run.record(scope.path, node.span, value)
    return value


def _evaluate(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    match node:
        case t.Name():
            return run.lookup(scope, node.id, node.span)
        case t.Constant():
            value = node.value
            return dim(value) if isinstance(value, int) and not isinstance(value, bool) else value
        case t.Attribute():
            return attribute(run, evaluate(run, scope, node.value), node.attr, node.span)
        case t.Call():
            from kernelscope.interp.calls import call_node

            return call_node(run, scope, node)
        case t.BinOp():
            return binary(node.op, evaluate(run, scope, node.left), evaluate(run, scope, node.right), node.span)
        case t.UnaryOp():
            return _unary(node.op, evaluate(run, scope, node.operand))
        case t.Compare():
            return _compare(run, scope, node)
        case t.BoolOp():
            return _boolean(run, scope, node)
        case t.IfExp():
            return _conditional(run, scope, node)
        case t.Tuple():
            return tuple(elements(run, scope, node.elts))
        case t.List():
            return elements(run, scope, node.elts)
        case t.Dict():
            return _dict(run, scope, node)
        case t.Subscript():
            return subscript(run, evaluate(run, scope, node.value), index_of(run, scope, node.slice), node.span)
        case t.ListComp() | t.GeneratorExp() | t.SetComp():
            return _comprehension(run, scope, node)
        case t.Lambda():
            return LambdaValue(node, scope)
        case t.JoinedStr():
            return Unknown("a formatted string", node.span)
        case t.NamedExpr():
            value = evaluate(run, scope, node.value)
            scope.names[node.target.id] = value
            run.record(scope.path, node.target.span, value)
            return value
        case t.Await():
            return evaluate(run, scope, node.value)
        case t.Starred():
            return evaluate(run, scope, node.value)
        case t.DictComp():
            return _dict_comprehension(run, scope, node)
        case _:
            return Unknown(f"{type(node).__name__} is not followed", node.span)


def elements(run: Interpreter, scope: Scope, nodes: list[t.Expr]) -> list[Value]:
    """Values of a display or argument list, starred ones spread; an unknown sequence is one `Unpacked`."""
    found: list[Value] = []
    for node in nodes:
        if not isinstance(node, t.Starred):
            found.append(evaluate(run, scope, node))
            continue
        value = evaluate(run, scope, node.value)
        spread = sequence(value)
        if spread is None:
            found.append(Unpacked(value))
        else:
            found += spread
    return found


class Unpacked:
    """`*values` where the number of values is not known."""

    def __init__(self, value: Value) -> None:
        self.value = value


def sequence(value: Value) -> list[Value] | None:
    """The elements of a value that is a sequence of known length."""
    match value:
        case tuple() | list():
            return list(value)
        case Shape() if value.dims is not None:
            return list(value.dims)
        case dict():
            return list(value)
        case _:
            return None


def truth(value: Value) -> bool | None:
    """Whether a value is true; None when that is not known."""
    match value:
        case bool() | None | str() | float() | tuple() | list() | dict():
            return bool(value)
        case Dim():
            return None if value.const is None else bool(value.const)
        case Module() | Instance() | Function() | Class() | LambdaValue() | External() | Builtin() | DType():
            return True
        case _:
            return None


# -- attributes ------------------------------------------------------------------------------------------


def attribute(run: Interpreter, value: Value, name: str, span: Any) -> Value:
    """`value.name`."""
    value = present(value)
    match value:
        case Tensor():
            found = ops.attribute(value, name)
            return TensorMethod(value, name) if isinstance(found, Unknown) else found
        case Instance():
            return instance_attribute(run, value, name)
        case Opaque():
            return value.attribute(name)
        case External():
            return external(f"{value.name}.{name}")
        case ModuleRef():
            return run.member(value, name)
        case Module():
            return _layer_attribute(value, name)
        case Class():
            found = run.class_attribute(value.definition, name)
            return _class_attribute(run, found, None)
        case SuperValue():
            found = run.workspace.classes.super_attribute(value.owner, value.receiver.cls, name)
            return _class_attribute(run, found, value.receiver)
        case dict() if name in value:
            return value[name]
        case Fields() if name in value.names:
            return value.field(name)
        case list() | dict() | tuple() | str() | Shape() | Alike():
            return PlainMethod(value, name)
        case Unknown():
            return value
        case _:
            return Unknown(f"the attribute {name} is not followed", span)


def _layer_attribute(layer: Module, name: str) -> Value:
    if name in layer.parameters:
        return layer.parameters[name]
    if name in layer.settings:
        return layer.settings[name]
    if name == "bias":
        return None
    return PlainMethod(layer, name)


def instance_attribute(run: Interpreter, instance: Instance, name: str) -> Value:
    """What `self.name` is: stored by `__init__`, or defined by the class."""
    if instance.initialise is not None and not instance.is_ready:
        initialise, instance.initialise = instance.initialise, None
        initialise()
        instance.is_ready = True
    if name in instance.attributes:
        return instance.attributes[name]
    found = run.class_attribute(instance.cls, name)
    value = _class_attribute(run, found, instance)
    if isinstance(value, Unknown):
        if name == "training":
            return Flag("whether the model is training")
        if name == "config":
            return Opaque("config")
        if run.workspace.classes.stored(instance.cls, name):
            return Opaque(f"self.{name}")
    return value


def _class_attribute(run: Interpreter, found: object, receiver: Instance | None) -> Value:
    match found:
        case Definition(node=t.FunctionDef() as node):
            names = {t.dotted(d) or t.dotted(getattr(d, "func", d)) or "" for d in node.decorator_list}
            short = {name.rpartition(".")[2] for name in names}
            function = Function(found, receiver, receiver is not None and "staticmethod" not in short)
            if short & {"property", "cached_property"} and receiver is not None:
                from kernelscope.interp.calls import call

                return call(run, function, [], {}, node.span)
            return function
        case Definition(node=t.ClassDef()):
            return Class(found)
        case Definition(node=t.Assign(value=value)) | Definition(node=t.AnnAssign(value=value)) if value is not None:
            run.quiet += 1
            try:
                return evaluate(run, Scope(found.path), value)
            finally:
                run.quiet -= 1
        case OutsideName():
            if receiver is not None and found.dotted.startswith("torch.nn."):
                return PlainMethod(receiver, found.dotted.rpartition(".")[2])
            return Unknown(f"{found.dotted} is not followed")
        case _:
            return Unknown("no class of the workspace defines it")


# -- operators -------------------------------------------------------------------------------------------

_INTEGER = {"+": Dim.__add__, "-": Dim.__sub__, "*": Dim.__mul__, "//": Dim.__floordiv__, "%": Dim.__mod__}


def binary(op: str, left: Value, right: Value, span: Any) -> Value:
    """A binary operator: tensors by the table, sizes by the algebra, sequences by Python."""
    left, right = present(left), present(right)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return _tensor_operator(op, left, right)
    if isinstance(left, tuple | list | Shape) or isinstance(right, tuple | list | Shape):
        return _sequence_operator(op, left, right, span)
    left, right = as_size(left), as_size(right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return Unknown((left if isinstance(left, Unknown) else right).reason, span)
    if isinstance(left, Dim) and isinstance(right, Dim):
        if op in _INTEGER:
            try:
                return _INTEGER[op](left, right)
            except ArithmeticError:
                return Unknown("a division by zero", span)
        if op == "**" and right.const is not None and 0 <= right.const <= 8:
            return left**right.const
        if op == "/" and (exact := left.exact_div(right)) is not None:
            return Quotient(exact)
        if left.const is not None and right.const is not None:
            return _float_operator(op, float(left.const), float(right.const))
        return Quotient(left // right) if op == "/" else Number(f"{op} of sizes", op != "**")
    if isinstance(left, Number | Quotient | Flag) or isinstance(right, Number | Quotient | Flag):
        whole = all(isinstance(v, Dim | bool) or (isinstance(v, Number) and v.is_integer) for v in (left, right))
        return Number(is_integer=whole and op in _INTEGER)
    if isinstance(left, float | Dim | bool) and isinstance(right, float | Dim | bool):
        one, two = _number(left), _number(right)
        if one is None or two is None:
            return Number()
        return _float_operator(op, one, two)
    if isinstance(left, str) and isinstance(right, str) and op == "+":
        return left + right
    return Unknown(f"{op} is not followed here", span)


def _tensor_operator(op: str, left: Value, right: Value) -> Value:
    """An operator of which one side at least is a tensor; a number that is not known changes no shape."""
    if not any(isinstance(v, Number | Flag | Quotient) for v in (left, right)):
        return ops.operator(op, for_op(left), for_op(right))
    if op == "@":
        return Unknown("a matrix product with a number")
    one, other = (0.5 if isinstance(v, Number | Flag | Quotient) else for_op(v) for v in (left, right))
    result = ops.operator(op, one, other)
    whole = [v for v in (left, right) if isinstance(v, Tensor) and isinstance(v.dtype, DType) and v.dtype.is_float]
    if isinstance(result, Tensor) and not whole and op not in _COMPARISONS:
        return result.with_dtype(Unknown("the kind of a number is not known"))
    return result


_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Quotient:
    """`a / b` of integers: a float, which `int()` makes the size `floor`."""

    def __init__(self, floor: Dim) -> None:
        self.floor = floor


def _number(value: Value) -> float | None:
    if isinstance(value, Dim):
        return None if value.const is None else float(value.const)
    return float(value)


def _float_operator(op: str, one: float, two: float) -> Value:
    try:
        match op:
            case "+":
                return one + two
            case "-":
                return one - two
            case "*":
                return one * two
            case "/":
                return one / two
            case "//":
                return one // two
            case "%":
                return one % two
            case "**":
                return one**two if abs(two) < 64 and abs(one) < 1e6 else Unknown("a large power")
            case _:
                return Unknown(f"{op} of numbers")
    except (ArithmeticError, ValueError):
        return Unknown("an operation without a value")


def _sequence_operator(op: str, left: Value, right: Value, span: Any) -> Value:
    one, two = sequence(left), sequence(right)
    if op == "+" and one is not None and two is not None:
        return one + two if isinstance(left, list) else tuple(one + two)
    count = right.const if isinstance(right, Dim) else left.const if isinstance(left, Dim) else None
    held = one if one is not None else two
    if op == "*" and held is not None and count is not None and 0 <= count * len(held) <= MAX_ELEMENTS:
        return held * count if isinstance(left, list) else tuple(held * count)
    if op == "*" and held is not None and len(held) == 1:
        return Alike(held[0], right)
    return Unknown("a sequence of unknown length", span)


def _unary(op: str, value: Value) -> Value:
    if op == "not":
        known = truth(value)
        if known is not None:
            return not known
        from kernelscope.interp.conditions import name_of, without_not

        plain, negated = without_not(name_of(value))
        return Flag(name=(plain if negated else f"not {plain}") if plain else "")
    value = present(value)
    if isinstance(value, Tensor):
        return value
    value = as_size(value)
    if isinstance(value, Dim | float | Unknown) and op in "+-":
        return -value if op == "-" else value
    if isinstance(value, Number):
        return value
    return Unknown(f"{op} is not followed here")


def _compare(run: Interpreter, scope: Scope, node: t.Compare) -> Value:
    left = evaluate(run, scope, node.left)
    right = evaluate(run, scope, node.comparators[0])
    if len(node.ops) > 1:
        return Flag()
    return compare(node.ops[0], left, right)


def compare(op: str, left: Value, right: Value) -> Value:
    """One comparison, known only where it is certain."""
    if op in ("is", "is not") and (left is None or right is None):
        other = right if left is None else left
        if other is None:
            return op == "is"
        if isinstance(other, Opaque | Unknown | Maybe):
            name = f"{other.name} is None" if isinstance(other, Opaque | Maybe) and other.name else ""
            return Flag(name=f"not {name}" if name and op == "is not" else name)
        return op == "is not"
    left, right = present(left), present(right)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        return _tensor_operator(op, left, right) if op in _COMPARISONS else Flag()
    left, right = as_size(left), as_size(right)
    if isinstance(left, Dim) and isinstance(right, Dim):
        difference = (left - right).const
        if difference is not None and op in ("==", "!=", "<", "<=", ">", ">="):
            return {
                "==": difference == 0, "!=": difference != 0, "<": difference < 0, "<=": difference <= 0,
                ">": difference > 0, ">=": difference >= 0,
            }[op]  # fmt: skip
        return Flag()
    if isinstance(left, str | DType | bool) and isinstance(right, str | DType | bool) and op in ("==", "!=", "is"):
        return (left == right) == (op != "!=")
    listed = list(right) if isinstance(right, tuple | list | dict) else [None]
    if op in ("in", "not in") and isinstance(left, str) and all(isinstance(entry, str) for entry in listed):
        return (left in listed) == (op == "in")
    return Flag()


def _boolean(run: Interpreter, scope: Scope, node: t.BoolOp) -> Value:
    """`and` and `or` give one of their values; each part is looked at as the parts before it leave things."""
    from kernelscope.interp.conditions import condition

    candidates: list[Value] = []
    names, assumed = scope.names, run.assumed
    scope.names = dict(names)
    try:
        for index, entry in enumerate(node.values):
            test = condition(run, scope, entry)
            last = index == len(node.values) - 1
            if last or (test.known is not None and test.known == (node.op == "or")):
                candidates.append(test.value)
                break
            if test.known is None:
                candidates.append(test.value)
                test.assume(node.op == "and")
    finally:
        scope.names, run.assumed = names, assumed
    callables = [c for c in candidates if is_callable(c)]
    if callables and all(is_callable(c) or isinstance(c, Opaque) for c in candidates):
        return any_of(callables)  # `given or Default`: what is given stands for the same
    if node.op == "or":  # all but the last are there if they are chosen
        candidates = [*(present(c) for c in candidates[:-1]), candidates[-1]]
    result = candidates[0]
    join = Join(run.symbols, scope)
    for other in candidates[1:]:
        result = join.values("value", result, other)
    if isinstance(result, Unknown) and any(isinstance(c, bool | Flag) for c in candidates):
        return Flag()
    return result


def _conditional(run: Interpreter, scope: Scope, node: t.IfExp) -> Value:
    from kernelscope.interp.conditions import condition

    test = condition(run, scope, node.test)
    if test.known is not None:
        return evaluate(run, scope, node.body if test.known else node.orelse)
    with test.holding(True):
        one = evaluate(run, scope, node.body)
    with test.holding(False):
        other = evaluate(run, scope, node.orelse)
    return Join(run.symbols, scope, test.name).values("value", one, other)


def _dict(run: Interpreter, scope: Scope, node: t.Dict) -> Value:
    found: dict[Any, Value] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        held = evaluate(run, scope, value)
        if key is None:
            if isinstance(held, dict):
                found.update(held)
            continue
        name = evaluate(run, scope, key)
        if isinstance(name, str | bool | None | Dim):
            found[name] = held
    return found


# -- subscripts ------------------------------------------------------------------------------------------


def index_of(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    """The value between brackets; slices become `slice`."""
    match node:
        case t.Slice():
            parts = [None if p is None else evaluate(run, scope, p) for p in (node.lower, node.upper, node.step)]
            return slice(*parts)
        case t.Tuple():
            return tuple(index_of(run, scope, entry) for entry in node.elts)
        case _:
            return evaluate(run, scope, node)


def subscript(run: Interpreter, value: Value, index: Value, span: Any) -> Value:
    """`value[index]`."""
    value, index = present(value), present(index)
    match value:
        case Tensor():
            items = index if isinstance(index, tuple) else (index,)
            return ops.index(value, tuple(for_op(item) for item in items))
        case tuple() | list():
            return _element(value, index, span)
        case Shape():
            if value.dims is not None:
                return _element(tuple(value.dims), index, span)
            number = index.const if isinstance(index, Dim) else None
            return Unknown("a size of a tensor of unknown rank", span) if number is None else value.size(number)
        case dict():
            if (isinstance(index, str | bool | Dim) or index is None) and index in value:
                return value[index]
            entries = list(value.values())
            return Choice(entries) if entries and all(is_callable(e) for e in entries) else Unknown("a key", span)
        case Mapping():
            return Choice(value.entries)
        case Alike():
            if isinstance(index, slice):
                return Alike(value.element)
            return value.element
        case Instance():
            method = instance_attribute(run, value, "__getitem__")
            from kernelscope.interp.calls import call

            return call(run, method, [index], {}, span)
        case Module() if "Sequential" in value.name or "ModuleList" in value.name:
            return Unknown("a part of a container", span)
        case Opaque():
            return Opaque(f"{value.name}[{index!r}]") if isinstance(index, Dim | str) else Unknown("an element", span)
        case Several():
            return value.element
        case Unknown():
            return value
        case _:
            return Unknown("a subscript that is not followed", span)


class Mapping:
    """A registry of the program's own: a dict-like object whose entries are callables."""

    def __init__(self, entries: list[Value]) -> None:
        self.entries = entries


def is_callable(value: Value) -> bool:
    return isinstance(value, CALLABLES)


def _element(values: tuple[Value, ...] | list[Value], index: Value, span: Any) -> Value:
    if isinstance(index, Dim) and index.const is not None:
        if -len(values) <= index.const < len(values):
            return values[index.const]
        return Unknown("an index beyond the end", span)
    if isinstance(index, slice):
        parts = [p.const if isinstance(p, Dim) else p for p in (index.start, index.stop, index.step)]
        if all(p is None or isinstance(p, int) for p in parts):
            return values[slice(*parts)]
        return Unknown("a slice with bounds that are not known", span)
    if values:
        result = values[0]
        for other in values[1:]:
            result = joined(result, other)
        return result
    return Unknown("an element of an empty sequence", span)


# -- comprehensions --------------------------------------------------------------------------------------


def _comprehension(run: Interpreter, scope: Scope, node: t.ListComp | t.GeneratorExp | t.SetComp) -> Value:
    from kernelscope.interp.flow import assign

    generator = node.generators[0] if node.generators else None
    if generator is None:
        return Unknown("a comprehension that did not parse", node.span)
    source = evaluate(run, scope, generator.iter)
    inner = Scope(scope.path, scope.function, {}, scope, scope.frame)
    items = iterated(run, source)
    if isinstance(items, list) and len(items) <= MAX_ELEMENTS and len(node.generators) == 1:
        found: list[Value] = []
        for item in items:
            assign(run, inner, generator.target, item)
            kept = [truth(evaluate(run, inner, test)) for test in generator.ifs]
            if all(k is True for k in kept):
                found.append(evaluate(run, inner, node.elt))
            elif not any(k is False for k in kept):
                return Alike(evaluate(run, inner, node.elt))
        return found
    for clause in node.generators:
        source = evaluate(run, inner if clause is not generator else scope, clause.iter)
        items = iterated(run, source)
        assign(run, inner, clause.target, items.element if isinstance(items, Alike) else any_of(items))
    return Alike(evaluate(run, inner, node.elt))


def _dict_comprehension(run: Interpreter, scope: Scope, node: t.DictComp) -> Value:
    pairs = t.ListComp(t.Tuple([node.key, node.value], node.span), node.generators, node.span)
    found = _comprehension(run, scope, pairs)
    entries = found if isinstance(found, list) else []
    return {key: value for key, value in entries if isinstance(key, str)}


def any_of(items: list[Value]) -> Value:
    """A value that stands for any of a list's elements."""
    result: Value = items[0] if items else Unknown("an element of an empty sequence")
    for other in items[1:]:
        result = joined(result, other)
    return result


def iterated(run: Interpreter, value: Value) -> list[Value] | Alike:
    """What a `for` over the value goes through: a list of known length, or elements that are alike."""
    found = sequence(value)
    if found is not None:
        return found
    match value:
        case Alike():
            return value
        case Several():
            return Alike(value.element)
        case Tensor():
            return Alike(ops.index(value, (0,)) if value.rank else Tensor())
        case Range():
            if value.stop.const is not None and 0 <= value.stop.const <= MAX_ELEMENTS:
                return [dim(i) for i in range(value.stop.const)]
            return Alike(Number("a loop counter", True), value.stop)
        case _:
            return Alike(Unknown("an element of something that is not known"))


class Range:
    """`range(stop)`."""

    def __init__(self, stop: Dim) -> None:
        self.stop = stop
