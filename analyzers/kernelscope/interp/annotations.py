"""What annotations, `isinstance` and `global` promise: sizes, and layers in the words of their classes."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re

from kernelscope.dims import Dim, dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import (
    Alike,
    Builtin,
    Class,
    EllipsisType,
    External,
    Flag,
    Instance,
    Maybe,
    Number,
    Opaque,
    Value,
)
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Called, Unknown
from kernelscope.workspace.modules import Definition

TENSORS = ("Tensor", "FloatTensor", "LongTensor", "BoolTensor", "IntTensor", "Parameter")
ARRAYS = ("Array", "jax.Array", "chex.Array", "jnp.ndarray", "jnp.Array", "jax.numpy.ndarray")
TENSOR_WORDS = ("Tensor", "Array", "ndarray", "Parameter")
TENSOR_TYPES = re.compile(
    r"\b(?:Tensor|FloatTensor|LongTensor|BoolTensor|IntTensor|Array|ndarray|NDArray)\b"
    r"|\b(?:[Ff]loat|[Ii]nt|[Bb]ool|[Cc]omplex)\d*\[\s*[\"']"
)
"""Types of tensors; a number with a text in brackets, `float["b n d"]`, is a tensor of that shape."""
PLAIN = ("Tensor", "int", "float", "bool", "str")
"""Annotations that need not be looked up."""
SEVERAL = re.compile(
    r"(?:typing\.)?(?:Optional\[)?(?:[\w.]+\.)?(?:tuple|list|dict|sequence|iterable|mapping|set|deque|defaultdict|"
    r"ordereddict|callable|(?:async)?(?:iterator|generator|iterable)|awaitable|type)\b",
    re.IGNORECASE,
)
"""Types of what holds, takes or gives tensors, and is none."""
NUMBERS = ("int", "float", "bool")
OPTIONAL = ("Optional", "Union")
TUPLES = ("tuple", "Tuple", "typing.Tuple")
SEQUENCES = (*TUPLES, "list", "List", "Sequence", "typing.List", "typing.Sequence", "torch.Size")


def promised(run: Interpreter, path: str, annotation: t.Expr | None) -> Instance | None:
    """The layer that a value annotated so is: `Attention`, `"Attention"`, `Attention | None`, `Optional[Attention]`."""
    name = _class_name(annotation)
    return None if name is None else layer_of(run, run.module_name(path, name))


def as_number(value: Value, kind: str) -> Value:
    """What is not known but declared to be one of the `NUMBERS`: an integer goes by its name, where it has one."""
    match kind:
        case "bool":
            return Flag()
        case "int" if isinstance(value, Called) and value.size is not None:
            return value.size
        case _:
            return Number(is_integer=kind == "int")


def declared(run: Interpreter, path: str, name: str, stored: t.Assign | t.AnnAssign) -> Value:
    """What a name of a file holds that starts as None: once the program runs, what it is declared to be. Two names are
    two objects of a class, whose sizes need not be equal."""
    from kernelscope.interp.joins import as_given

    found = object_of(run, path, stored.annotation) if isinstance(stored, t.AnnAssign) and not run.certain else None
    return None if found is None else Maybe(as_given(found, called=name), name)


def as_reassigned(run: Interpreter, found: Definition, value: Value) -> Value:
    """A number, switch or object of a file that a function of it sets anew (`global ranks`): a number then goes by its
    name, and the object is one that has been used."""
    from kernelscope.interp.joins import as_given

    module = run.workspace.modules.module(found.path)
    is_number = isinstance(value, Dim) and value.const is not None
    is_object = isinstance(value, Instance) and not value.is_module
    is_open = is_number or is_object or isinstance(value, bool)
    if module is None or not is_open or b"global " not in module.text.data:
        return value
    scopes = (scope.node for scope in module.functions())
    if not any(_sets(node, found.name) for node in scopes if isinstance(node, t.FunctionDef)):
        return value
    match value:
        case Dim():
            return Opaque(found.name, value.const)
        case Instance():
            return as_given(value, called=found.name)
        case _:
            return Flag(name=found.name)


def _sets(function: t.FunctionDef, name: str) -> bool:
    """Whether a function sets a name of its file."""
    if not is_global(function, name):
        return False
    stores = (node for node in t.inside(function) if isinstance(node, t.Assign | t.AnnAssign | t.AugAssign))
    targets = (
        target for store in stores for target in (store.targets if isinstance(store, t.Assign) else [store.target])
    )
    return any(isinstance(node, t.Name) and node.id == name for target in targets for node in t.walk(target))


def is_global(function: t.FunctionDef, name: str) -> bool:
    """Whether a function says that a name is of its file: `global ranks`."""
    return any(isinstance(node, t.Global) and name in node.names for node in t.inside(function))


def object_of(run: Interpreter, path: str, annotation: t.Expr | None) -> Instance | None:
    """Some object of the class of the workspace that an annotation names, be it a layer or not."""
    from kernelscope.interp.receivers import seeded_instance

    cls = class_of(run, path, annotation)
    return None if cls is None else seeded_instance(run, cls)


def class_of(run: Interpreter, path: str, annotation: t.Expr | None) -> Definition | None:
    """The class of the workspace that an annotation names."""
    name = _class_name(annotation)
    cls = None if name is None else run.module_name(path, name)
    return cls.definition if isinstance(cls, Class) else None


def sizes_of(name: str, annotation: t.Expr | None) -> Value | None:
    """The sizes that a parameter annotated as a tuple holds, or the numbers of a list: `tuple[int, int]`,
    `list[int]`, which may be optional."""
    match annotation:
        case t.Subscript(value=t.Name(id="Optional") | t.Attribute(attr="Optional"), slice=inner):
            return found if isinstance(found := sizes_of(name, inner), Alike) else None
        case t.BinOp(op="|", left=left, right=right) if is_none(left) or is_none(right):
            return sizes_of(name, right if is_none(left) else left)
        case t.BinOp(op="|", left=left, right=right):
            one, other = sizes_of(name, left), sizes_of(name, right)
            return one if isinstance(one, Alike) and one == other else None  # `list[int] | tuple[int, ...]`
        case t.Subscript(value=value, slice=t.Tuple(elts=[part, t.Constant(value=EllipsisType())])) if (
            t.dotted(value) or ""
        ) in TUPLES:
            return _numbers(name, part) or Unknown("a tuple of a caller")
        case t.Subscript(value=value, slice=t.Tuple(elts=parts)) if (t.dotted(value) or "") in TUPLES:
            if all(isinstance(part, t.Name) and part.id == "int" for part in parts):
                return tuple(Opaque(name).element(index) for index in range(len(parts)))
            return Unknown("a tuple of a caller")
        case t.Subscript(value=value, slice=t.Name() | t.Subscript() as part) if (
            t.dotted(value) or ""
        ) in SEQUENCES and (found := _numbers(name, part)) is not None:
            return found
        case t.Name() | t.Attribute() | t.Subscript():
            whole = annotation.value if isinstance(annotation, t.Subscript) else annotation
            return Unknown("a sequence of a caller") if (t.dotted(whole) or "") in SEQUENCES else None
        case _:
            return None


def _numbers(name: str, element: t.Expr) -> Alike | None:
    """The numbers of a caller, or lists of them, of which it is not known how many there are."""
    count = dim(f"len({name})")
    match element:
        case t.Name(id="int" | "float" as kind):
            is_integer = kind == "int"
            return Alike(Number("a number of the caller", is_integer), count, name if is_integer else "")
        case t.Subscript(value=value, slice=t.Name() as part) if (t.dotted(value) or "") in SEQUENCES:
            inner = _numbers(f"{name}[0]", part)
            return None if inner is None else Alike(inner, count)
        case _:
            return None


def is_tensor(annotation: t.Expr | None) -> bool:
    """Whether a value annotated so is a tensor."""
    name = _class_name(annotation)
    return name is not None and (name.rpartition(".")[2] in TENSORS or name in ARRAYS)


def mentions_tensor(annotation: t.Expr | None) -> bool:
    """Whether tensors have any part in what is annotated so."""
    for node in t.walk(annotation) if annotation is not None else ():
        match node:
            case t.Name(id=name) | t.Attribute(attr=name) | t.Constant(value=str() as name):
                if any(word in name for word in TENSOR_WORDS):
                    return True
            case _:
                pass
    return False


def is_said_to_be_another(run: Interpreter, path: str, node: t.FunctionDef, name: str) -> bool:
    """Whether an annotation says that a parameter holds something else than a tensor."""
    param = next((param for param in node.args if param.name == name), None)
    text = "" if param is None else annotation_text(run, path, param)
    return bool(text) and (TENSOR_TYPES.search(text) is None or SEVERAL.match(text) is not None)


def annotation_text(run: Interpreter, path: str, param: t.Param) -> str:
    """The annotation of a parameter of a function in a file, in the words of what it names."""
    if param.annotation is None:
        return ""
    annotation, around = param.annotation, "{}"
    match annotation:
        case t.Subscript(value=t.Name(id="Optional") | t.Attribute(attr="Optional"), slice=t.Name() as inner):
            other, meant = _meant(run, path, inner)
            if meant is not inner:
                path, annotation, around = other, meant, "Optional[{}]"
        case t.Name(id=name) if name not in PLAIN:
            path, annotation = _meant(run, path, annotation)
        case _:
            pass
    module = run.workspace.modules.module(path)
    return around.format(module.text.slice(annotation.span).strip("\"'")) if module is not None else ""


def _meant(run: Interpreter, path: str, name: t.Name) -> tuple[str, t.Expr]:
    """What a name of the workspace stands for in annotations, and in which file: `OptTensor = Optional[Tensor]`."""
    match run.workspace.modules.resolve(path, name.id):
        case Definition(path=other, node=t.Assign(value=t.Subscript() | t.BinOp() | t.Attribute() as meant)) if (
            _is_of_tensors(meant)
        ):
            return other, meant
        case _:
            return path, name


def _is_of_tensors(annotation: t.Expr) -> bool:
    """Whether a value annotated so is a tensor, or may be one: `Adj = Union[Tensor, SparseTensor]`."""
    match annotation:
        case t.Subscript(value=value, slice=t.Tuple(elts=kinds)) if (t.dotted(value) or "").endswith("Union"):
            return any(map(is_tensor, kinds))
        case t.BinOp(op="|", left=left, right=right):
            return _is_of_tensors(left) or _is_of_tensors(right)
        case _:
            return is_tensor(annotation)


def is_optional(annotation: t.Expr | None) -> bool:
    """Whether a value annotated so may be None."""
    match annotation:
        case t.BinOp(op="|", left=left, right=right):
            return is_none(left) or is_none(right)
        case t.Subscript(value=value):
            return (t.dotted(value) or "").rpartition(".")[2] == "Optional"
        case _:
            return False


def layer_of(run: Interpreter, cls: Value) -> Instance | None:
    """Some object of a class, if it is a layer: its sizes are called what the class calls them."""
    from kernelscope.interp.receivers import seeded_instance

    if isinstance(cls, Class) and run.classes.is_module(cls.definition):
        return seeded_instance(run, cls.definition)
    return None


def is_of_sequences(cls: Value) -> bool:
    """Whether the objects of a class, or of each of several, are lists or tuples."""
    classes = cls if isinstance(cls, tuple) else (cls,)
    return all(isinstance(c, External | Builtin) and c.name.rpartition(".")[2] in SEQUENCES for c in classes)


def _class_name(annotation: t.Expr | None) -> str | None:
    match annotation:
        case t.Name() | t.Attribute():
            return t.dotted(annotation)
        case t.Constant(value=str() as text) if text.replace(".", "").isidentifier():
            return text
        case t.BinOp(op="|", left=left, right=t.Constant(value=None)):
            return _class_name(left)
        case t.BinOp(op="|", left=t.Constant(value=None), right=right):
            return _class_name(right)
        case t.Subscript(value=value, slice=inner) if (t.dotted(value) or "").rpartition(".")[2] in OPTIONAL:
            named = [e for e in inner.elts if not is_none(e)] if isinstance(inner, t.Tuple) else [inner]
            return _class_name(named[0]) if len(named) == 1 else None
        case _:
            return None


def is_none(node: t.Expr | None) -> bool:
    """Whether an expression is None itself."""
    return isinstance(node, t.Constant) and node.value is None
