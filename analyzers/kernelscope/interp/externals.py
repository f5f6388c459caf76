"""Calls that leave the workspace: torch's operators and layers by the table, and functions that give what they get."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from kernelscope import ops
from kernelscope.dims import Dim, dim
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.interp import open_shapes
from kernelscope.interp.calls import call
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import NoSuchWay
from kernelscope.interp.operators import Quotient
from kernelscope.interp.records import fields_of, is_record
from kernelscope.interp.registered_ops import registered
from kernelscope.interp.sequences import any_of, as_alike
from kernelscope.interp.trace import PLACED
from kernelscope.interp.trials import Trial
from kernelscope.interp.uses import SIZED
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Class,
    Copied,
    Flag,
    Instance,
    Keywords,
    LayerMethod,
    Number,
    Opaque,
    Open,
    Scope,
    Sequential,
    TensorMethod,
    Unpacked,
    Value,
    as_size,
    for_op,
    has_unknown_length,
    present,
)
from kernelscope.ops import Module
from kernelscope.ops.torch.creation import OF_ONE_TYPE
from kernelscope.tensor import DTYPES, NUMPY, Called, DType, Fields, Several, Shape, Single, Size, Tensor, Unknown

COPIES = {"copy.deepcopy", "copy.copy"}
CHANGED_COPIES = {"dataclasses.replace", "copy.replace", "attrs.evolve", "attr.evolve"}
TRANSPARENT = {
    *COPIES, *CHANGED_COPIES,
    "torch.utils.checkpoint.checkpoint", "torch.compile", "torch.jit.script", "torch.jit.trace", "functools.wraps",
    "torch.jit.annotate", "typing.cast", "torch.jit.export",
    "torch.nn.utils.weight_norm", "torch.nn.utils.spectral_norm", "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.spectral_norm", "torch.nn.utils.parametrizations.orthogonal",
    *PLACED, "jax.jit", "jax.checkpoint", "jax.remat", "jax.ad_checkpoint.checkpoint", "jax.named_call",
    "jax.custom_vjp", "jax.custom_jvp", "equinox.filter_jit",
    "equinox.filter_checkpoint", "flax.nnx.jit", "flax.nnx.remat",
    "flax.linen.with_logical_partitioning", "flax.linen.with_partitioning", "flax.nnx.with_partitioning",
}  # fmt: skip
"""Functions that give, or call, their first argument (of `cast` and `annotate` the last)."""


MAKING = {"torch.nn.utils.skip_init"}
"""Functions that call their first argument with all others."""
LIBRARY, ALIKE, ARRAY = "numpy.", "jax.numpy.", "jax.Array"
"""Arrays of NumPy have the functions and methods that those of JAX have."""
GIVEN_SHAPES = {"view", "reshape", "expand"}
"""Methods that are given the sizes of what comes out."""
AN_ARRAY = {("input",), ("a",), ("A",), ("x",), ("array",), ("ary",), ("arr",)}
"""What first parameters of such functions are called that take an array: NumPy makes it of lists, JAX does not."""
NUMBERS = Dim | Number | Quotient | float | bool
LEGACY = {f"torch.{name}": dtype for name, dtype in OF_ONE_TYPE.items()}
LITERALS = ("torch.tensor", "torch.as_tensor", "jax.numpy.array", "jax.numpy.asarray")
"""Operators that make tensors of Python's values."""
OF_VALUES = ("new_tensor", "new")
"""Methods that do."""
HELD = ("data", "modules", "parameters", "values")
"""What the first argument of a parameter or of a holder of layers is called where it is given by name."""
CONTAINERS = {"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Parameter", "Buffer"}


OF_A_BASE = ("__init__", "forward", "__call__")
"""What classes ask of the layer that they derive from by its name: `nn.Linear.__init__(self, …)`."""
PARTED = ("chunk", "unbind", "tensor_split", "hsplit", "vsplit", "dsplit")
"""Operators whose results are parts of one tensor: what is not known of it is the same in each."""


SIZED_ANEW = ("view", "reshape", "expand", "new_zeros", "new_ones", "new_empty")
"""Methods that give a tensor of the sizes that they are given."""
MADE_OF_SIZES = ("torch.zeros", "torch.ones", "torch.empty", "torch.rand", "torch.randn")


def call_tensor_method(run: Interpreter, target: TensorMethod, args: Arguments, kwargs: Keywords) -> Value:
    if target.name == "get" and target.picked is not None:
        return target.picked
    spread = args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args
    if any(isinstance(a, Unpacked) for a in spread):
        if (shape := open_shapes.spread(spread)) is None:
            return _unpacked_method(target, list(spread))
        args = [shape]
    name = target.full
    if target.name in OF_VALUES and len(args) == 1 and isinstance(args[0], Alike):
        return _tensor_of(args[0], {"dtype": target.value.dtype})
    if target.name == "tolist" and target.value.shape.dims:
        return _listed(target.value.shape.dims, target.value.dtype)
    if target.name == "item" and not args:
        return _of_kind(target.value.dtype)
    op = ops.find(name)
    if op is None:
        name = f"{ARRAY}.{target.name}"
        op = ops.find(name)
    if op is None:
        return Unknown(f"Tensor.{target.name} is not in the operator table")
    if (whole := _whole_shape(target.name, args)) is not None:
        return target.value.with_shape(Shape.unknown(f"{whole.name} may be several sizes"))
    result = _operator(run, name, [target.value, *args], kwargs)
    if op.kind == "view" and target.name.endswith("_") and run.running:
        _becomes(run.running[-1], target.value, result)
    return result


def _becomes(scope: Scope, tensor: Tensor, other: Value) -> None:
    """A tensor has got another shape where it lies (`x.squeeze_(1)`): so has whatever name it has here."""
    for name, value in scope.names.items():
        if value is tensor:
            scope.names[name] = other


def _may_be_anything(given: list[Value]) -> bool:
    """Whether an operator is given something of which it is not known whether it is a number or a tensor."""
    spread = [v for arg in given for v in (arg if type(arg) in (tuple, list) else (arg,))]
    sizes = sum(isinstance(v, Dim | Opaque) for v in spread)
    return sizes < 2 and any(isinstance(v, Opaque) for v in spread)


def _operator(run: Interpreter, name: str, args: Arguments, kwargs: Keywords) -> Value:
    """An operator of the table. An axis that callers may choose is the one of the default."""
    if run.certain and _may_be_anything([*args, *kwargs.values()]):
        return Tensor(Shape.unknown("what is given may be a number, sizes or a tensor"), Unknown("what is given"))
    if run.symbols.trial is not None and args:
        _try(run.symbols.trial, name.rpartition(".")[2], args, kwargs)
    op = ops.find(name)
    plain = op is not None and op.tier == "family"

    def given(value: Value) -> Value:
        if type(value) in (tuple, list) and (shape := open_shapes.spread(value)) is not None:
            return shape
        return 0.5 if plain and isinstance(value, Number) else _told_even(run, for_op(value))

    if name.rpartition(".")[2] in PARTED and args and run.running:
        args = [run.symbols.named(run.running[-1], args[0], "whole"), *args[1:]]
    values, named = [given(a) for a in args], {k: given(v) for k, v in kwargs.items()}
    result = run.operate(lambda facts: ops.apply(name, values, named, facts))
    if isinstance(result, Single):
        return Number(result.reason, is_integer=True)
    if _is_lost(result) and any(isinstance(v, Opaque) and v.default is not None for v in (*args, *kwargs.values())):
        values, named = [given(_chosen(a)) for a in args], {k: given(_chosen(v)) for k, v in kwargs.items()}
        chosen = run.operate(lambda facts: ops.apply(name, values, named, facts))
        return result if _is_lost(chosen) else chosen  # else it was no axis, and a size is no number for its default
    return result


def _told_even(run: Interpreter, value: Value) -> Value:
    """Tensors of unknown number, told to be as large as each other where no size is a variable of a loop's, or an
    element that such a variable picks."""
    if not isinstance(value, Several):
        return value
    varies = any(name in run.symbols.reasons or "[" in name for name in value.element.shape.names())
    return replace(value, is_even=not varies)


def _try(trial: Trial, short: str, args: Arguments, kwargs: Keywords) -> None:
    """Let a trial judge what is done with a tensor."""
    first = present(args[0])
    if not isinstance(first, Tensor):
        return
    match short:
        case "flatten":
            _try_flatten(trial, args, kwargs)
        case "view" | "reshape":
            sizes = args[1] if len(args) == 2 and isinstance(args[1], tuple | list) else args[1:]
            trial.reshaped(first.shape, [size.const if isinstance(size, Dim) else size for size in sizes])
        case "nll_loss" | "cross_entropy":
            target = present(args[1]) if len(args) > 1 else present(kwargs.get("target"))
            trial.classified(first.shape, target.shape if isinstance(target, Tensor) else None)
        case _:
            pass


def _try_flatten(trial: Trial, args: Arguments, kwargs: Keywords) -> None:
    """Let a trial judge `x.flatten(start)`."""
    whole, start = present(args[0]), as_size(kwargs.get("start_dim", args[1] if len(args) > 1 else dim(0)))
    to_the_end = len(args) < 3 and "end_dim" not in kwargs
    if isinstance(whole, Tensor) and isinstance(start, Dim) and start.const is not None and to_the_end:
        trial.flattened(whole.shape, start.const)


def _is_lost(result: Value) -> bool:
    return isinstance(result, Unknown) or (isinstance(result, Tensor) and result.rank is None)


def _chosen(value: Value) -> Value:
    return dim(value.default) if isinstance(value, Opaque) and value.default is not None else value


def _unpacked_method(target: TensorMethod, args: Arguments) -> Value:
    """`x.view(*sizes, -1)` where the number of sizes is not known: the first and last ones may still be."""
    shape = open_shapes.around(args) if target.name in SIZED_ANEW else None
    return Tensor(shape or Shape.unknown("sizes that are unpacked"), target.value.dtype)


def _sizes_around(name: str, args: Arguments) -> Shape | None:
    """`torch.randn((batch, *sizes, width))` where the number of sizes is not known."""
    if name not in MADE_OF_SIZES:
        return None
    return open_shapes.around(args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args)


@cache
def _functions() -> Mapping[str, Callable[..., Value]]:
    """Functions that are about other values than tensors, by name."""
    from kernelscope.interp import jax_functions, jax_lifted, pallas, python_functions

    return {**python_functions.PLAIN, **jax_functions.FUNCTIONS, **jax_lifted.FUNCTIONS, **pallas.FUNCTIONS}


def call_external(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if name in TRANSPARENT:
        return _transparent(run, name, args, kwargs, span)
    if name in MAKING and args:
        return call(run, args[0], args[1:], kwargs, span)
    base, _, short = name.rpartition(".")
    receiver: Value = args[0] if short in OF_A_BASE and args else None
    if isinstance(receiver, Instance) and receiver.is_module:
        from kernelscope.interp.instances import call_inherited

        return call_inherited(run, LayerMethod(receiver, base, short), args[1:], kwargs, span)
    if name.startswith("torch.nn.") and short in CONTAINERS:
        return _container(run, short, args, kwargs)
    if name.startswith("torch.nn.") and (layer := _build(name, args, kwargs)) is not None:
        return layer
    from kernelscope.interp.jax_functions import leaves
    from kernelscope.interp.jax_modules import make

    if name.startswith(("jax.", "flax.", "equinox.")) and (made := make(run, name, args, kwargs, span)) is not None:
        return made
    plain = _functions().get(name)
    if name.startswith(LIBRARY) and (plain is None or (args and isinstance(present(args[0]), Tensor))):
        alike = f"{ALIKE}{name.removeprefix(LIBRARY)}"
        op = ops.find(alike)
        if op is not None and op.tier == "family" and all(isinstance(a, NUMBERS) for a in args):
            return Number()
        made = None
        if op is not None:
            takes_array = op.parameters.names[:1] in AN_ARRAY and args and _are_numbers(args[0])
            given = [call_external(run, f"{ALIKE}array", args[:1], {}, span), *args[1:]] if takes_array else args
            made = call_external(run, alike, given, kwargs, span)
        if made is not None:
            return leaves(made, _as_array)
    if plain is not None:
        return plain(run, args, kwargs, span)
    if (shape := open_shapes.spread(args) or _sizes_around(name, args)) is not None:
        args = [shape]
    if any(isinstance(a, Unpacked) for a in args):
        return Unknown(f"{name} of arguments that are not known", span)
    if name in LEGACY and len(args) == 1 and isinstance(args[0], Alike):
        return _tensor_of(args[0], {"dtype": DTYPES[LEGACY[name]]})
    if name in LITERALS and args:
        args = [present(args[0]), *args[1:]]
        if isinstance(args[0], Alike):
            return _tensor_of(args[0], kwargs)
        if isinstance(args[0], Opaque) and args[0].default is None and _is_name(args[0].name):
            return Tensor(Shape.unknown(f"{args[0].name} is not known"))  # what is given, or configured, may be a list
        if isinstance(args[0], list | tuple) and has_unknown_length(args[0]):
            return _tensor_of(as_alike(args[0]), kwargs)
        if isinstance(counted := _counted(run, args[0]), Alike):
            return _tensor_of(counted, kwargs)
        plain = _plain_numbers(args[0])
        result = _operator(run, name, [plain, *args[1:]], kwargs)
        is_kind_known = plain == args[0] or "dtype" in kwargs or not isinstance(result, Tensor)
        return result if is_kind_known else result.with_dtype(Unknown("the kind of a number is not known"))
    if (op := ops.find(name)) is not None:
        if run.forks and args and _are_several(args[0]) and op.parameters.names[:1] == ("input",):
            raise NoSuchWay
        if args and short not in SIZED:
            args = [_tensor_argument(_there(run, args[0])), *args[1:]]
        elif (size := _only_size(name, args)) is not None:
            args = [size]
        elif _may_be_several(name, args):
            return Tensor(Shape.unknown(f"{args[0].name} may be several sizes"))
        return _operator(run, name, args, kwargs)
    if (layer := _build(name, args, kwargs)) is not None:
        return layer
    if (result := registered(run, name, args, kwargs, span)) is not None:
        return result
    return Unknown(f"{name} is outside the workspace and the operator table", span)


def _are_numbers(value: Value) -> bool:
    """Whether a value is a list or tuple of numbers, or of lists of them."""
    parts = value if type(value) in (list, tuple) else [value.element] if isinstance(value, Alike) else []
    return bool(parts) and all(isinstance(part, NUMBERS | Opaque | Flag) or _are_numbers(part) for part in parts)


def _are_several(value: Value) -> bool:
    """Whether a value is a tuple of tensors, and perhaps of other things."""
    return type(value) is tuple and any(isinstance(part, Tensor) for part in value)


def _as_array(value: Value) -> Value:
    """What JAX's function gives as NumPy gives it, whose numbers are of twice the width."""
    if not isinstance(value, Tensor):
        return value
    return Tensor(value.shape, Unknown("the kind of an array's numbers"), NUMPY)


def _may_be_several(name: str, args: Arguments) -> bool:
    """Whether what a new tensor is given for its size is called as if it were several: `torch.zeros(shape)`."""
    if not args or not isinstance(args[0], Opaque) or args[0].default is not None:
        return False
    is_whole = len(args) == 1 or name.startswith("jax.") or name.endswith(".full")
    return is_whole and _is_called_as_several(args[0].name)


def _is_called_as_several(name: str) -> bool:
    return name.partition(SEPARATOR)[0].rpartition(".")[2].rpartition("_")[2] in ("shape", "sizes")


def _only_size(name: str, args: Arguments) -> Dim | None:
    """The one size of a new vector, where nothing is known of it but what it is called: `torch.ones(self.width)`."""
    one = args[0] if name in MADE_OF_SIZES and len(args) == 1 else None
    if not isinstance(one, Called) or one.size is None or one.size.name is None:
        return None
    return None if _is_called_as_several(one.size.name) else one.size


def _whole_shape(method: str, args: Arguments) -> Opaque | None:
    """The one thing that a tensor's method is given where it may well be all sizes: `x.reshape(ctx.shape)`.

    Who makes a vector of a tensor of any rank says so by -1 or a product."""
    one = args[0] if len(args) == 1 else None
    if not isinstance(one, Opaque) or one.default is not None:
        return None
    return one if method in GIVEN_SHAPES or _may_be_several(method, args) else None


def _is_name(name: str) -> bool:
    """Whether something is what a name holds, or an attribute of it, and no size that was counted."""
    return all(part.isidentifier() for part in name.split("."))


def _counted(run: Interpreter, value: Value) -> Value:
    """Nested lists as far as their elements are counted: not where one of two ways put more into one."""
    if type(value) not in (list, tuple) or not value:
        return value
    parts = [_counted(run, part) for part in value]
    if id(value) in run.changes.uneven:
        return Alike(any_of(parts))
    return Alike(any_of(parts), dim(len(parts))) if any(isinstance(part, Alike) for part in parts) else value


def _tensor_of(values: Alike, kwargs: Keywords) -> Value:
    """`torch.tensor([n for …])`: as many numbers as there are elements, in each of them again."""
    sizes: list[Size] = []
    element: Value = values
    while isinstance(element, Alike) or (type(element) in (tuple, list) and element):
        if isinstance(element, Alike):
            sizes.append(element.count if isinstance(element.count, Dim) else Unknown("a list of unknown length"))
            element = element.element
        elif has_unknown_length(element):
            break
        else:
            sizes.append(dim(len(element)))
            element = any_of(element)
    if not isinstance(element, NUMBERS | Opaque | Flag):
        return Tensor(Shape.unknown("what the elements of the list are is not known"))
    is_integer = isinstance(element, Dim) or (isinstance(element, Number) and element.is_integer)
    kind = DTYPES["int64"] if is_integer else Unknown("the kind of a list's numbers")
    dtype = kwargs.get("dtype")
    return Tensor(Shape(tuple(sizes)), dtype if isinstance(dtype, DType) else kind)


def _of_kind(dtype: DType | Unknown) -> Number:
    """A number in a tensor of a dtype."""
    return Number("the values of a tensor depend on the data", isinstance(dtype, Unknown) or not dtype.is_float)


def _listed(sizes: Sequence[Size], dtype: DType | Unknown) -> Value:
    """The numbers in a tensor as nested lists."""
    values: Value = _of_kind(dtype)
    for size in reversed(sizes):
        values = Alike(values, size if isinstance(size, Dim) else None)
    return values


def _plain_numbers(value: Value) -> Value:
    """Numbers whose values are not known, also in nested lists, as some number: they have no dims."""
    match value:
        case Number() | Flag() | Quotient():
            return 0.5
        case list() | tuple():
            return [_plain_numbers(v) for v in value]
        case _:
            return value


def _there(run: Interpreter, value: Value) -> Value:
    """A list as far as it is told: where one of two ways put more tensors into it, how many there are is not."""
    is_uneven = type(value) is list and len(value) > 1 and id(value) in run.changes.uneven
    return Alike(any_of(value)) if is_uneven and all(isinstance(v, Tensor) for v in value) else value


def _tensor_argument(value: Value) -> Value:
    """A first argument: an object that is not known may be a tensor here, and is no number."""
    match value:
        case Opaque():
            return Unknown(f"{value.name} is not known")
        case Fields():
            return value
        case tuple() | list():
            parts = [_tensor_argument(v) for v in value]
            return parts if isinstance(value, list) else tuple(parts)
        case _:
            return value


def _build(name: str, args: Arguments, kwargs: Keywords) -> Module | None:
    layer = ops.build(name, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})
    return layer if isinstance(layer, Module) else None


def _transparent(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if not args:
        return Unknown(f"{name} without arguments", span)
    if name.endswith("checkpoint.checkpoint"):
        return call(run, args[0], args[1:], {k: v for k, v in kwargs.items() if k != "use_reentrant"}, span)
    if name in COPIES:
        return _copied(args[0])
    if name in CHANGED_COPIES:
        return _changed_copy(run, args[0], kwargs, span)
    return args[-1] if name.endswith(("cast", "annotate")) else args[0]


def _copied(value: Value) -> Value:
    """Another object that is alike, so that what is stored in it leaves the first as it is; layers are made alike."""
    match value:
        case Opaque():
            return Copied(value)
        case Instance(is_module=False, is_ready=True, layer=None):
            return Instance(value.cls, dict(value.attributes), True, made_with=value.made_with, usual=value.usual)
        case _:
            return value


def _changed_copy(run: Interpreter, value: Value, changes: Keywords, span: Any) -> Value:
    """A record made anew of what another holds, but for what is given."""
    if isinstance(changes, Open):
        return Unknown("a copy of which it is not known what is changed", span)
    match value:
        case Opaque():
            return Copied(value, changes)
        case Copied():
            return Copied(value.of, {**value, **changes})
        case Instance(is_module=False, is_ready=True) if is_record(run, value.cls):
            held = {name: value.attributes[name] for name in fields_of(run, value.cls) if name in value.attributes}
            return call(run, Class(value.cls), [], {**held, **changes}, span)
        case _:
            return Unknown("a copy of what is not known", span)


def _container(run: Interpreter, short: str, args: Arguments, kwargs: Keywords) -> Value:
    first = args[0] if args else next((kwargs[word] for word in HELD if word in kwargs), None)
    if short in ("Parameter", "Buffer"):
        return Unknown("a parameter without data") if first is None else first
    if short in ("ModuleDict", "ParameterDict"):
        given = {} if first is None else first
        return given if isinstance(given, dict) else Unknown("modules by name")
    if short in ("ModuleList", "ParameterList"):
        if first is None:
            run.changes.make(first := list[Value]())
        return first
    parts: list[Value] = []
    names: list[str] = []
    for arg in args:
        if isinstance(arg, Unpacked):
            parts.append(arg.value if isinstance(arg.value, Alike) else Alike(Unknown("parts that are not known")))
        elif isinstance(arg, dict):
            parts += list(arg.values())
            names += [key for key in arg if isinstance(key, str)]
        else:
            parts.append(arg)
    run.changes.make(parts)
    return Sequential(parts, names)
