"""Python's own functions, and those of its library and of torch that are about values rather than tensors."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelscope.dims import Dim
from kernelscope.interp import environment, python_collections, python_numbers
from kernelscope.interp.attributes import attribute
from kernelscope.interp.families import looked_up_by_name, store_under
from kernelscope.interp.interpreter import (
    Interpreter,
)
from kernelscope.interp.named_layers import of_kind
from kernelscope.interp.operators import binary, truth
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.texts import put_together
from kernelscope.interp.values import (
    CALLABLES,
    Alike,
    Arguments,
    Builtin,
    Choice,
    Class,
    External,
    Flag,
    Formatted,
    Function,
    Instance,
    Keywords,
    LambdaValue,
    Maybe,
    Number,
    Opaque,
    Open,
    Partial,
    Sequential,
    Unpacked,
    Value,
)
from kernelscope.ops import Module
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.modules import External as OutsideName

DATA_TYPES = {"list", "tuple", "dict", "set", "str", "int", "float", "bool"}
"""Python's own types of data."""


def _getattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) > 1 and isinstance(args[0], Instance) and isinstance(args[1], Formatted):
        return looked_up_by_name(run, args[0], args[1], span)
    if len(args) == 2 and not run.certain and (chosen := of_kind(args[0], args[1])) is not None:
        return chosen
    if len(args) < 2 or not isinstance(args[1], str):
        return Unknown("an attribute of a name that is not known", span)
    found = attribute(run, args[0], args[1], span)
    if isinstance(found, Opaque) and len(args) > 2 and args[2] is None:
        return Maybe(found, found.name)
    if isinstance(found, Opaque) and len(args) > 2 and isinstance(args[2], bool):
        return Flag(name=f"{found.name} is true")
    if isinstance(found, Unknown) and len(args) > 2 and not _is_stored(args[0], args[1]):
        return args[2]
    return found


def _is_stored(value: Value, name: str) -> bool:
    """Whether an object holds something under a name, though it is not known what: it is no default then."""
    return isinstance(value, Instance) and name in value.attributes


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


def is_instance(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    if len(args) != 2:
        return Flag()
    kinds = args[1] if isinstance(args[1], tuple) else (args[1],)
    names = {k.name.rpartition(".")[2] for k in kinds if isinstance(k, External | Builtin)}
    if isinstance(args[0], Choice):
        found = [is_instance(run, [entry, args[1]], {}, span) for entry in args[0].followed]
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
        case Sequential() if len(names) == len(kinds):
            return not names.isdisjoint((type(args[0]).__name__, "Module"))
        case list() if names & {"ModuleList", "Module"}:
            return Flag()  # torch's lists of layers are lists here
        case tuple() | list() if names:
            return not names.isdisjoint((type(args[0]).__name__, *ITERABLES))
        case Alike() if names and names <= DATA_TYPES:
            return Flag() if len(names & {"list", "tuple"}) == 1 else bool(names & {"list", "tuple"})
        case str() if names:
            return "str" in names
        case float() if names:
            return "float" in names
        case Module(name=name) if any(isinstance(k, External) and k.name == name for k in kinds):
            return True
        case Module() if all(isinstance(k, Class) for k in kinds):
            return False
        case Class() | Function() | LambdaValue() | Partial() | External() | Module() if names and names <= DATA_TYPES:
            return False
        case _:
            return Flag()


def _hasattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Whether an object has an attribute: known where it stored it, or its class defines it; it has none where only its
    constructor stores it, and does not with the sizes and switches that the user gave, nor while it is made where
    nothing in its classes stores it."""
    if len(args) == 2 and isinstance(args[0], External) and f"{args[0].name}.{args[1]}" in environment.BROUGHT:
        return False
    if run.certain or len(args) != 2 or not isinstance(args[0], Instance) or not isinstance(args[1], str):
        return Flag()
    prepare(run, args[0])
    if args[1] in args[0].attributes or isinstance(run.classes.attribute(args[0].cls, args[1]), Definition):
        return True
    if args[0].is_being_made and _is_stored_by_none(run, args[0].cls, args[1]):
        return False
    is_decided = (
        run.configuration is not None and args[0].is_module and not run.classes.is_stored_later(args[0].cls, args[1])
    )
    return False if is_decided and run.classes.storing(args[0].cls, args[1]) else Flag()


def _is_stored_by_none(run: Interpreter, cls: Definition, name: str) -> bool:
    """Whether no class that an object is of stores an attribute, as far as all of them can be read."""
    if run.classes.storing(cls, name):
        return False
    for base in run.classes.mro(cls):
        if isinstance(base, OutsideName):
            if base.dotted not in ("torch.nn.Module", "object"):
                return False
        elif not isinstance(base, Definition) or any(_stores_by_name(node) for node in t.walk(base.node)):
            return False
    return True


def _stores_by_name(node: t.Node) -> bool:
    """Whether something is stored here under a name that is put together or comes from elsewhere."""
    match node:
        case t.Call(func=t.Name(id="setattr") | t.Attribute(attr="update" | "setattr" | "__setattr__")):
            return True
        case t.FunctionDef(name="__getattr__" | "__setattr__" | "__getattribute__"):
            return True
        case _:
            return False


def _partial(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return Partial(args[0], tuple(args[1:]), Open.together({}, kwargs)) if args else Unknown("partial of nothing", span)


def _operator(sign: str) -> Callable[..., Value]:
    """An operator of Python's as a function of two values."""

    def operate(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        return (
            binary(run, sign, args[0], args[1], span)
            if len(args) == 2
            else Unknown("an operation without a value", span)
        )

    return operate


def _flag(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return Flag()


def _is_callable(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _is_code(run, args, CALLABLES)


def _is_function(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _is_code(run, args, (Function, LambdaValue))


def _is_code(run: Interpreter, args: Arguments, kinds: tuple[type, ...]) -> bool | Flag:
    """Whether a value is one of these kinds of callables; what is only given on is no code, as a rule: functions are
    made where they are given."""
    match args:
        case [value] if isinstance(value, kinds) and not isinstance(value, Instance | External | Choice):
            return True
        case [Class() | Module() | Sequential() | Partial() | Dim() | Number() | Tensor() | None]:
            return False
        case [bool() | float() | str() | tuple() | list() | dict()]:
            return False
        case [Opaque(cls=None)] if not run.certain:
            return False
        case _:
            return Flag()


def _bool(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    known = truth(args[0]) if args else False
    return Flag() if known is None else known


def _setattr(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args:
        case [Instance() as holder, name, value]:
            store_under(run, holder, name, value)
        case _:
            pass
    return None


LIMITS = ("min", "max", "eps", "tiny", "bits", "smallest_normal", "resolution")
"""What `torch.finfo` tells of a dtype: numbers, which change no shape."""
PLAIN: dict[str, Callable[..., Value]] = {
    **python_numbers.LIBRARY, **python_collections.LIBRARY, **environment.LIBRARY,
    "functools.partial": _partial, "operator.mul": _operator("*"), "operator.add": _operator("+"),
    "torch.nn.Module": lambda *a: {}, "types.SimpleNamespace": lambda r, a, k, s: dict(k),
    "torch.finfo": lambda *a: dict.fromkeys(LIMITS, Number()),
    "torch.iinfo": lambda *a: dict.fromkeys(LIMITS, Number()),
    "jax.numpy.finfo": lambda *a: dict.fromkeys(LIMITS, Number()),
    "jax.numpy.iinfo": lambda *a: dict.fromkeys(LIMITS, Number()),
    "inspect.isfunction": _is_function, "inspect.isroutine": _is_function,
    "torch.is_tensor": lambda r, a, k, s: isinstance(a[0], Tensor) or Flag(),
    "torch.cuda.is_available": _flag, "torch.is_grad_enabled": _flag, "torch.jit.is_scripting": lambda *a: False,
    "torch.jit.is_tracing": lambda *a: False, "torch.compiler.is_compiling": lambda *a: False,
    "torch._dynamo.is_compiling": lambda *a: False, "torch.is_autocast_enabled": _flag,
}  # fmt: skip
BUILTINS: dict[str, Callable[..., Value]] = {
    **python_numbers.BUILTINS, **python_collections.BUILTINS,
    "getattr": _getattr, "setattr": _setattr, "hasattr": _hasattr, "isinstance": is_instance, "issubclass": _flag,
    "callable": _is_callable, "bool": _bool,
    "str": lambda r, a, k, s: put_together(a, s),
}  # fmt: skip


def call_builtin(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    found = BUILTINS.get(name)
    if found is None or any(isinstance(a, Unpacked) for a in args):
        return Unknown(f"{name}() is not followed", span)
    if not args and name in ("len", "max", "min", "enumerate", "range", "sum", "int"):
        return Unknown(f"{name}() without arguments", span)
    return found(run, args, kwargs, span)
