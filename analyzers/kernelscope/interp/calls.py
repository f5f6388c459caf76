"""Calls: operators by the table, layers by their rules, the workspace's own functions and classes by interpretation."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelscope import ops
from kernelscope.dims import Dim, dim, maximum, minimum
from kernelscope.interp.expressions import (
    Mapping,
    Quotient,
    Range,
    Unpacked,
    any_of,
    attribute,
    elements,
    evaluate,
    instance_attribute,
    is_callable,
    iterated,
    sequence,
    truth,
)
from kernelscope.interp.flow import Returns, execute
from kernelscope.interp.interpreter import MAX_CALLS, MAX_QUIET_CALLS, Interpreter, is_instance_of_module
from kernelscope.interp.values import (
    Alike,
    Builtin,
    Choice,
    Class,
    External,
    Flag,
    Function,
    Instance,
    LambdaValue,
    Number,
    Opaque,
    Partial,
    PlainMethod,
    Scope,
    SuperValue,
    TensorMethod,
    Value,
    agreed,
    as_size,
    for_op,
    present,
)
from kernelscope.ops import Module, ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.modules import External as OutsideName

Arguments = list[Value]
Keywords = dict[str, Value]
TRANSPARENT = {
    "torch.utils.checkpoint.checkpoint", "torch.compile", "torch.jit.script", "torch.jit.trace", "functools.wraps",
    "copy.deepcopy", "copy.copy", "torch.jit.annotate", "typing.cast", "torch.jit.export",
}  # fmt: skip
"""Functions that give, or call, their first argument (of `cast` and `annotate` the last)."""


def call_node(run: Interpreter, scope: Scope, node: t.Call) -> Value:
    """A call expression."""
    if isinstance(node.func, t.Name) and node.func.id == "super":
        return _super(scope)
    target = evaluate(run, scope, node.func)
    args = elements(run, scope, node.args)
    kwargs: Keywords = {}
    for keyword in node.keywords:
        value = evaluate(run, scope, keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, dict):
            kwargs.update({k: v for k, v in value.items() if isinstance(k, str)})
    try:
        return call(run, target, args, kwargs, node.span)
    except ShapeError as error:
        return run.contradiction(scope.path, node.span, error)


def _super(scope: Scope) -> Value:
    current: Scope | None = scope
    while current is not None:
        function = current.function
        if function is not None and function.definition.owner is not None and isinstance(function.receiver, Instance):
            return SuperValue(function.definition.owner, function.receiver)
        current = current.outer
    return Unknown("super() outside a method")


def call(run: Interpreter, target: Value, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """The result of calling a value. Raises ShapeError for a certain contradiction."""
    run.step()
    target = present(target)
    match target:
        case Function():
            result = call_function(run, target, args, kwargs, span)
            default = _default_choice(target.definition.name, args) if isinstance(result, Unknown) else None
            return result if default is None else default
        case TensorMethod():
            return _tensor_method(target, args, kwargs)
        case External():
            return _external(run, target.name, args, kwargs, span)
        case Builtin():
            return _builtin(run, target.name, args, kwargs, span)
        case Module():
            return _layer(run, target, args, kwargs, span)
        case Class():
            return construct(run, target.definition, args, kwargs)
        case Instance():
            return call_instance(run, target, args, kwargs, span)
        case LambdaValue():
            return _call_lambda(run, target, args)
        case Partial():
            return call(run, target.target, [*target.args, *args], {**target.kwargs, **kwargs}, span)
        case PlainMethod():
            return _plain_method(run, target, args, kwargs, span)
        case Choice():
            results = [call(run, entry, args, kwargs, span) for entry in target.entries[:8]]
            return Choice(results) if all(is_callable(r) for r in results) else _chosen(results)
        case Opaque():
            return _opaque_call(target, args, span)
        case Unknown():
            return Unknown(target.reason, span)
        case _:
            return Unknown("a call that is not followed", span)


def _chosen(results: list[Value]) -> Value:
    """What a call gives whichever of the callables is chosen; one that is not followed says nothing."""
    found = results[0]
    for other in results[1:]:
        found = agreed(found, other)
    return found


def _opaque_call(target: Opaque, args: Arguments, span: Any) -> Value:
    found = _default_choice(target.name.rpartition(".")[2], args)
    return Unknown(f"{target.name}() is not followed", span) if found is None else found


def _default_choice(name: str, args: Arguments) -> Function | None:
    """`table.get_interface(key, default)`: a default that is a function is what runs unless another is chosen."""
    callables = [a for a in args if isinstance(a, Function)]
    return callables[0] if len(callables) == 1 and name.startswith("get") else None


# -- functions of the workspace --------------------------------------------------------------------------


def call_function(run: Interpreter, function: Function, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Interpret a function of the workspace on these arguments."""
    node = function.definition.node
    if not isinstance(node, t.FunctionDef):
        return Unknown("no function", span)
    if run.calls >= MAX_CALLS:
        return Unknown(f"{node.name} is called too deeply", span)
    if run.is_generator(node):
        return Alike(Unknown("what a generator yields"))
    constant = not args and not kwargs and not function.is_bound and function.closure is None
    if constant and node in run.constants:
        return run.constants[node]
    if run.quiet and run.calls >= MAX_QUIET_CALLS:
        return Unknown(f"{node.name} is called too deeply", span)
    scope = Scope(function.definition.path, function, {}, function.closure)
    bind(run, scope, function, args, kwargs)
    result = run_body(run, scope, node)
    if constant:
        run.constants[node] = result
    return result


def run_body(run: Interpreter, scope: Scope, node: t.FunctionDef) -> Value:
    """Execute a function's body in a scope whose parameters are bound."""
    run.calls += 1
    run.entered.add(node)
    outer, run.nested = run.nested, 0
    for param in node.args:
        if param.name in scope.names:
            run.record(scope.path, param.name_span, scope.names[param.name])
    run.frames += 1
    scope.frame = run.frames
    returns = Returns(run, scope)
    try:
        execute(run, scope, node.body, returns)
    finally:
        run.calls -= 1
        run.nested = outer
    run.record(scope.path, node.name_span, returns.value)
    return returns.value


def bind(run: Interpreter, scope: Scope, function: Function, args: Arguments, kwargs: Keywords) -> None:
    """Bind arguments to parameters as Python does; what is missing gets its default, else is unknown."""
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    names = scope.names
    given = [function.receiver, *args] if function.is_bound else list(args)
    rest = dict(kwargs)
    unknown_from = next((i for i, a in enumerate(given) if isinstance(a, Unpacked)), None)
    positional = [p for p in node.args if p.kind in ("positional", "normal")]
    for index, param in enumerate(positional):
        if unknown_from is not None and index >= unknown_from and param.name not in rest:
            names[param.name] = Unknown("an argument of `*` that is not known")
        elif index < len(given):
            names[param.name] = given[index]
        elif param.name in rest:
            names[param.name] = rest.pop(param.name)
        else:
            names[param.name] = _default(run, function, param)
    for param in node.args:
        match param.kind:
            case "args":
                names[param.name] = tuple(given[len(positional) :]) if unknown_from is None else Unknown("arguments")
            case "keyword":
                known = param.name in rest
                names[param.name] = rest.pop(param.name) if known else _default(run, function, param)
            case "kwargs":
                names[param.name] = {k: v for k, v in rest.items() if not any(p.name == k for p in positional)}
            case _:
                pass


def _default(run: Interpreter, function: Function, param: t.Param) -> Value:
    if param.default is None:
        return Opaque(param.name)
    run.quiet += 1
    try:
        return evaluate(run, Scope(function.definition.path, outer=function.closure), param.default)
    finally:
        run.quiet -= 1


def _call_lambda(run: Interpreter, target: LambdaValue, args: Arguments) -> Value:
    scope = Scope(target.closure.path, target.closure.function, {}, target.closure)
    for param, value in zip(target.node.args, args, strict=False):
        scope.names[param.name] = value
    return evaluate(run, scope, target.node.body)


# -- classes and instances -------------------------------------------------------------------------------


def construct(run: Interpreter, cls: Definition, args: Arguments, kwargs: Keywords) -> Value:
    """An instance of a class of the workspace; `__init__` runs when an attribute is first asked for."""
    for base in run.mro(cls):
        if isinstance(base, OutsideName):
            layer = ops.build(base.dotted, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})
            own_forward = run.class_attribute(cls, "forward")
            if isinstance(layer, Module) and not isinstance(own_forward, Definition):
                return layer
    instance = Instance(cls)
    if args and isinstance(args[0], dict) and _is_mapping(run, cls):
        return Mapping([_constructed(run, entry) for entry in args[0].values()])

    def initialise() -> None:
        init = run.class_attribute(cls, "__init__")
        run.quiet += 1
        try:
            if isinstance(init, Definition) and isinstance(init.node, t.FunctionDef):
                call_function(run, Function(init, instance, True), args, kwargs, init.node.span)
            else:
                _fields(run, instance, args, kwargs)
            _layer_base(run, instance, args, kwargs)
        except ShapeError:
            pass
        finally:
            run.quiet -= 1

    instance.initialise = initialise
    return instance


def _is_mapping(run: Interpreter, cls: Definition) -> bool:
    """Whether a class derives from dict: a registry of the program's own."""
    names = {base.dotted for base in run.mro(cls) if isinstance(base, OutsideName)}
    return bool(names & {"dict", "collections.OrderedDict", "collections.UserDict", "OrderedDict"})


def _constructed(run: Interpreter, entry: Value) -> Value:
    """An entry of a registry that makes objects when it is asked: a class, or a class with its arguments."""
    target, kwargs = (entry[0], entry[1]) if isinstance(entry, tuple) and len(entry) == 2 else (entry, {})
    if isinstance(target, Class | External):
        made = call(run, target, [], kwargs if isinstance(kwargs, dict) else {}, None)
        return made if is_callable(made) else target
    return target


def _fields(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords) -> None:
    """A dataclass: annotated fields in order."""
    node = instance.cls.node
    if not isinstance(node, t.ClassDef):
        return
    fields = [s for s in node.body if isinstance(s, t.AnnAssign) and isinstance(s.target, t.Name)]
    for index, statement in enumerate(fields):
        assert isinstance(statement.target, t.Name)
        name = statement.target.id
        if name in kwargs:
            instance.attributes[name] = kwargs[name]
        elif index < len(args):
            instance.attributes[name] = args[index]


def _layer_base(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords) -> None:
    """A class that derives from a torch layer and has its own forward keeps the layer's parameters."""
    if "weight" in instance.attributes:
        return
    for base in run.mro(instance.cls):
        if isinstance(base, OutsideName) and base.dotted.startswith("torch.nn.") and base.dotted != "torch.nn.Module":
            layer = ops.build(base.dotted, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})
            if isinstance(layer, Module):
                instance.attributes.setdefault("bias", None)
                instance.attributes.update(layer.parameters)
            return


def call_instance(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`module(x)`: its forward, or `__call__`."""
    names = ("forward", "__call__") if is_instance_of_module(run, instance) else ("__call__", "forward")
    for name in names:
        found = run.class_attribute(instance.cls, name)
        if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef):
            instance_attribute(run, instance, "training")
            return call_function(run, Function(found, instance, True), args, kwargs, span)
    for base in run.mro(instance.cls):
        if isinstance(base, OutsideName) and base.dotted.endswith(".Sequential"):
            return _through(run, list(instance.attributes.values()), args, kwargs, span)
    return Unknown(f"{instance.cls.name} has no forward that is followed", span)


def _layer(run: Interpreter, layer: Module, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return ops.call(layer, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})


def _through(run: Interpreter, parts: list[Value], args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`Sequential`: each part on what the one before gave."""
    values = args
    for part in parts:
        if isinstance(part, Alike):
            result = call(run, part.element, values, {}, span)
            again = call(run, part.element, [result], {}, span)
            values = [result if repr(again) == repr(result) else Unknown("a repeated part changes the shape")]
        else:
            values = [call(run, part, values, {}, span)]
    return values[0] if values else None


# -- operators and libraries -----------------------------------------------------------------------------


def _tensor_method(target: TensorMethod, args: Arguments, kwargs: Keywords) -> Value:
    if any(isinstance(a, Unpacked) for a in args):
        return _unpacked_method(target, args)
    name = f"torch.Tensor.{target.name}"
    if ops.find(name) is None:
        return Unknown(f"Tensor.{target.name} is not in the operator table")
    return ops.apply(name, [target.value, *map(for_op, args)], {k: for_op(v) for k, v in kwargs.items()})


def _unpacked_method(target: TensorMethod, args: Arguments) -> Value:
    """`x.view(*sizes, -1)` where the number of sizes is not known: the last ones may still be."""
    if target.name in ("view", "reshape", "expand") and isinstance(args[0], Unpacked):
        tail = [as_size(a) for a in args[1:]]
        if not any(isinstance(a, Unpacked) for a in tail):
            lost = Unknown("the size that is left over")
            sizes = tuple(lost if not isinstance(a, Dim) or a.const == -1 else a for a in tail)
            return Tensor(Shape((), sizes, "sizes that are unpacked"), target.value.dtype)
    return Tensor(Shape.unknown("sizes that are unpacked"), target.value.dtype)


def _external(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if name in TRANSPARENT:
        return _transparent(run, name, args, kwargs, span)
    short = name.rpartition(".")[2]
    if name.startswith("torch.nn.") and short in ("Sequential", "ModuleList", "ModuleDict", "Parameter", "Buffer"):
        return _container(run, short, args, kwargs)
    if name.startswith("torch.nn.") and (layer := _build(name, args, kwargs)) is not None:
        return layer
    if (plain := PLAIN.get(name)) is not None:
        return plain(run, args, kwargs, span)
    if any(isinstance(a, Unpacked) for a in args):
        return Unknown(f"{name} of arguments that are not known", span)
    if ops.find(name) is not None:
        given = [for_op(a) for a in args]
        if given and short not in SIZED:
            given[0] = _tensor_argument(args[0])
        return ops.apply(name, given, {k: for_op(v) for k, v in kwargs.items()})
    if (layer := _build(name, args, kwargs)) is not None:
        return layer
    return Unknown(f"{name} is outside the workspace and the operator table", span)


SIZED = {"zeros", "ones", "empty", "full", "rand", "randn", "randint", "arange", "eye", "linspace", "tensor", "Size",
         "randperm", "triu_indices", "tril_indices", "manual_seed", "logspace", "hann_window"}  # fmt: skip
"""Operators whose first argument is a size or number, not a tensor."""


def _tensor_argument(value: Value) -> Value:
    """A first argument: an object that is not known may be a tensor here, and is no number."""
    match value:
        case Opaque():
            return Unknown(f"{value.name} is not known")
        case tuple() | list():
            return type(value)(_tensor_argument(v) for v in value)
        case _:
            return for_op(value)


def _build(name: str, args: Arguments, kwargs: Keywords) -> Module | None:
    layer = ops.build(name, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})
    return layer if isinstance(layer, Module) else None


def _transparent(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if not args:
        return Unknown(f"{name} without arguments", span)
    if name.endswith("checkpoint.checkpoint"):
        return call(run, args[0], args[1:], {k: v for k, v in kwargs.items() if k != "use_reentrant"}, span)
    return args[-1] if name.endswith(("cast", "annotate")) else args[0]


def _container(run: Interpreter, short: str, args: Arguments, kwargs: Keywords) -> Value:
    if short in ("Parameter", "Buffer"):
        return args[0] if args else Unknown("a parameter without data")
    if short == "ModuleDict":
        return args[0] if args and isinstance(args[0], dict) else Unknown("modules by name")
    if short == "ModuleList":
        return args[0] if args else []
    parts: list[Value] = []
    for arg in args:
        if isinstance(arg, Unpacked):
            parts.append(arg.value if isinstance(arg.value, Alike) else Alike(Unknown("parts that are not known")))
        elif isinstance(arg, dict):
            parts += list(arg.values())
        else:
            parts.append(arg)
    return Partial(External("Sequential"), (parts,), {})


def _sequential(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _through(run, args[0], args[1:], kwargs, span)


# -- Python's own functions ------------------------------------------------------------------------------


def _len(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0]:
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
            return args[0].floor
        case float():
            return dim(int(args[0]))
        case bool():
            return dim(int(args[0]))
        case _:
            return Number()


def _extreme(pick: Callable[..., Dim]) -> Callable[..., Value]:
    def find(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        values = [as_size(a) for a in (sequence(args[0]) or args if len(args) == 1 else args)]
        if values and all(isinstance(v, Dim) for v in values):
            return pick(*values)
        return Number()

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
    if len(lists) == len(parts):
        return [tuple(entry) for entry in zip(*lists, strict=False)]
    return Alike(tuple(p.element if isinstance(p, Alike) else any_of(p) for p in parts))


def _getattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) < 2 or not isinstance(args[1], str):
        return Unknown("an attribute of a name that is not known", span)
    found = attribute(run, args[0], args[1], span)
    if isinstance(found, Unknown) and len(args) > 2:
        return args[2]
    return found


def _isinstance(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) != 2:
        return Flag()
    kinds = args[1] if isinstance(args[1], tuple) else (args[1],)
    names = {k.name.rpartition(".")[2] for k in kinds if isinstance(k, External | Builtin)}
    match args[0]:
        case Tensor() if names:
            return bool(names & {"Tensor", "Parameter"})
        case None:
            return False if names else Flag()
        case tuple():
            return "tuple" in names if names else Flag()
        case list():
            return "list" in names if names else Flag()
        case _:
            return Flag()


def _same_elements(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if not args:
        return []
    items = iterated(run, args[0])
    return list(items) if isinstance(items, list) else items


def _tuple(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    found = _same_elements(run, args, kwargs, span)
    return tuple(found) if isinstance(found, list) else found


def _map(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) != 2:
        return Alike(Unknown("a map over several sequences"))
    items = iterated(run, args[1])
    if isinstance(items, list):
        return [call(run, args[0], [item], {}, span) for item in items[:64]]
    return Alike(call(run, args[0], [items.element], {}, span))


def _partial(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return Partial(args[0], tuple(args[1:]), dict(kwargs)) if args else Unknown("partial of nothing", span)


def _product(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    values = [as_size(v) for v in sequence(args[0]) or ()]
    if not values or not all(isinstance(v, Dim) for v in values):
        return Number()
    result = dim(1)
    for value in values:
        result = result * value
    return result


def _sum(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    values = [as_size(v) for v in sequence(args[0]) or ()]
    if not values or not all(isinstance(v, Dim) for v in values):
        return Number()
    result = dim(0)
    for value in values:
        result = result + value
    return result


def _dict(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return {**(args[0] if args and isinstance(args[0], dict) else {}), **kwargs}


def _number(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    numbers = [a.const if isinstance(a, Dim) else a for a in args]
    if len(numbers) == 1 and isinstance(numbers[0], int | float) and numbers[0] >= 0:
        return float(numbers[0]) ** 0.5
    return Number()


def _ceil(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    value = args[0] if args else None
    if isinstance(value, float):
        return dim(int(-(-value // 1)))
    return value if isinstance(value, Dim) else Number()


def _flag(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return Flag()


def _bool(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    known = truth(args[0]) if args else False
    return Flag() if known is None else known


def _shape(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    values = sequence(args[0]) if args else []
    return tuple(values) if values is not None else Unknown("sizes that are not known", span)


PLAIN: dict[str, Callable[..., Value]] = {
    "Sequential": _sequential, "functools.partial": _partial, "math.prod": _product, "numpy.prod": _product,
    "math.sqrt": _number, "math.log": lambda *a: Number(), "math.ceil": _ceil,
    "math.floor": _int, "torch.Size": _shape, "collections.OrderedDict": lambda r, a, k, s: _dict(r, [], k, s)
    if not a or not isinstance(a[0], list) else {e[0]: e[1] for e in a[0] if isinstance(e, tuple) and len(e) == 2},
    "itertools.chain": lambda r, a, k, s: [v for part in a for v in (sequence(part) or [])],
    "torch.is_tensor": lambda r, a, k, s: isinstance(a[0], Tensor) or Flag(),
    "torch.cuda.is_available": _flag, "torch.is_grad_enabled": _flag, "torch.jit.is_scripting": lambda *a: False,
    "torch.jit.is_tracing": lambda *a: False, "torch.compiler.is_compiling": lambda *a: False,
    "torch._dynamo.is_compiling": lambda *a: False, "torch.is_autocast_enabled": _flag,
}  # fmt: skip
BUILTINS: dict[str, Callable[..., Value]] = {
    "len": _len, "int": _int, "round": _int, "max": _extreme(maximum), "min": _extreme(minimum), "range": _range,
    "enumerate": _enumerate, "zip": _zip, "getattr": _getattr, "isinstance": _isinstance, "list": _same_elements,
    "tuple": _tuple, "reversed": _same_elements, "sorted": _same_elements, "map": _map, "sum": _sum, "dict": _dict,
    "bool": _bool, "hasattr": _flag, "callable": _flag, "any": _flag, "all": _flag, "iter": _same_elements,
    "float": lambda r, a, k, s: a[0] if a and isinstance(a[0], float) else Number(),
}  # fmt: skip


def _builtin(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    found = BUILTINS.get(name)
    if found is None or any(isinstance(a, Unpacked) for a in args):
        return Unknown(f"{name}() is not followed", span)
    if not args and name in ("len", "max", "min", "enumerate", "range", "sum", "int"):
        return Unknown(f"{name}() without arguments", span)
    return found(run, args, kwargs, span)


def _plain_method(run: Interpreter, target: PlainMethod, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    value, name = target.value, target.name
    match value:
        case list():
            if name == "append" and args:
                value.append(args[0])
                return None
            if name == "extend" and args:
                value.extend(sequence(args[0]) or [])
                return None
            if name == "insert" and len(args) == 2:
                value.insert(0, args[1])
                return None
            if name == "pop" and value:
                return value.pop()
        case dict():
            if name == "get" and args:
                default = args[1] if len(args) > 1 else None
                return value.get(args[0], default) if isinstance(args[0], str) else Unknown("a key", span)
            if name == "pop" and args and isinstance(args[0], str):
                return value.pop(args[0], args[1] if len(args) > 1 else Unknown("a key", span))
            if name == "items":
                return [(k, v) for k, v in value.items()]
            if name in ("values", "keys"):
                return list(value.values() if name == "values" else value)
            if name == "update" and args and isinstance(args[0], dict):
                value.update(args[0])
                return None
        case Shape():
            if name == "numel":
                return value.numel()
        case Instance():
            if name in ("register_buffer", "register_parameter", "add_module") and len(args) >= 2:
                if isinstance(args[0], str):
                    value.attributes[args[0]] = args[1]
                return None
            if name in ("to", "cuda", "eval", "train", "half", "float", "bfloat16", "requires_grad_"):
                return value
            if name == "__init__":
                return None
        case _:
            pass
    if isinstance(value, Module) and name == "forward":
        return call(run, value, args, kwargs, span)
    return Unknown(f"the method {name} is not followed", span)
