"""Values for the parameters of a function that is looked at by itself.

In order: annotations, docstrings, what the body does with the parameter, and last the field's own names for inputs.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from kernelscope.dims import Dim, dim, parse
from kernelscope.interp.agreement import FRACTION, NOT_TOLD, OPTIONAL
from kernelscope.interp.annotations import (
    SEVERAL,
    TENSOR_TYPES,
    annotation_text,
    is_none,
    promised,
    sizes_of,
)
from kernelscope.interp.documentation import documented, told_of_parts, told_of_shape, told_to_be_tensor
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.named_items import keys_of
from kernelscope.interp.packed_tokens import PLACES, is_packed
from kernelscope.interp.promised_objects import promised_object
from kernelscope.interp.records import as_example
from kernelscope.interp.switches import axes_set_otherwise
from kernelscope.interp.tensors_by_name import TENSORS_BY_NAME, tensors_by_name
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import (
    Alike,
    Flag,
    Function,
    Instance,
    Maybe,
    Number,
    Opaque,
    Open,
    Scope,
    Value,
    as_size,
    present,
)
from kernelscope.interp.wants import entered, is_object, target_of, wanted
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DTYPES, NUMPY, DType, Shape, Size, Tensor, Unknown
from kernelscope.tensor.size import PACKED

NUMPY_TYPE = re.compile(r"\b(?:np|numpy|npt)\.(?:ndarray|NDArray)\b")
MAY_BE_NONE = re.compile(r"^(?:typing\.)?Optional\[|\| *None$|^None *\|")
LIST = re.compile(
    r"(?:typing\.)?(?:Optional\[)?(?:[\w.]+\.)?(?:list|sequence|iterable)\[[\w.]*Tensor\]\]?(?: *\| *None)?",
    re.IGNORECASE,
)
OTHER_TYPE = re.compile(r"(?:\w+\.)*(?!Any$|T$|Integral$|Number$|Int\w*$|Literal)[A-Z]\w*")
"""A type that may be anybody's: of numbers, or of arrays."""
JAXTYPING = re.compile(r"^(Float|Int|Bool|UInt|Complex|Num|Shaped|Real|Inexact)\d*$")
SEVERAL_WORDS = re.compile(r"[(),]")
"""What no name of an axis holds: `b (h d)` and `b, n` are written in another way than words between blanks."""
OF_ALL = ("_", "S")
"""The sizes of what there is for each token, of one sequence or of each."""
KNOWN_INPUTS: dict[str, tuple[str, ...]] = {
    "input_ids": ("B", "S"),
    "inputs_embeds": ("B", "S", "D"),
    "input_embeds": ("B", "S", "D"),
    "hidden_states": ("B", "S", "D"),
    "residual": ("B", "S", "D"),
    "encoder_hidden_states": ("B", "S_enc", "D_enc"),
    "pixel_values": ("B", "C", "H", "W"),
    "images": ("B", "C", "H", "W"),
    "img": ("B", "C", "H", "W"),
    "position_ids": OF_ALL,
    "token_ids": ("B", "S"),
    "tokens": ("B", "S"),
    "src_tokens": ("B", "S"),
    "prev_output_tokens": ("B", "S_dec"),
    "edge_index": ("2", "E"),
}
"""Names that the field uses for one kind of input only; the last resort."""
WIDTHS = {"D", "D_enc"}
"""How wide a vector is of which only the name of an input tells that it is one."""
BATCH = ("B", "S")
"""The sizes of a batch of sequences, as names promise them."""
SYNONYMS = {"B": ("batch_size", "batch", "bsz"), "S": ("sequence_length", "seq_len", "seq_length")}
OTHER_PARTS = ("encoder_", "decoder_")
INTEGER_INPUTS = {
    "input_ids", "position_ids", "token_ids", "tokens", "src_tokens", "prev_output_tokens", "edge_index",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the shapes of parameters were taken from that the code itself does not say."""

    guessed: Set[str] = frozenset()
    """Parameters whose shape came from their name alone."""
    told: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Parameters whose shape documentation tells, and whether it is that of the function itself."""
    oddest: str = ""
    """The one of them that is least like the others, if there is one."""
    guessed_sizes: Set[str] = frozenset()
    """The sizes of those whose shape is guessed that nothing but the name tells."""
    is_odd: bool = False
    """Whether sizes that a name promises to be independent turned out to be one: the batch as long as its rows."""
    words: Mapping[str, Set[str]] = field(default_factory=dict[str, "Set[str]"])
    """The sizes that documentation tells, by parameter."""
    merged: Set[str] = frozenset()
    """The parameters of which documentation calls two sizes differently that the code takes to be one."""
    is_whole: bool = True
    """Whether the function was followed to its end."""
    moved: Set[str] = frozenset()
    """The axes that some caller chooses otherwise than they are by default."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What is believed besides the code."""

    by_name: bool = True
    other_layout: bool = False
    """Names promise the other of two layouts than the signature lets one think: a batch of sequences, or the tokens of
    all sequences in a row, as servers pack them."""
    doubted: Set[str] = frozenset()
    """Parameters whose documentation is not believed."""
    only_code: bool = False
    """Nothing but annotations is."""


EVERYTHING = Beliefs()


def seed(run: Interpreter, function: Function, scope: Scope, beliefs: Beliefs = EVERYTHING) -> Seeded:
    """Bind every parameter of `function` in `scope`."""
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    parameters = list(node.args)
    if function.is_bound and parameters:
        scope.names[parameters[0].name] = function.receiver
        parameters = parameters[1:]
    is_layer = isinstance(function.receiver, Instance) and function.receiver.is_module
    is_forward = function.is_bound and (node.name == "forward" or (is_layer and node.name in ("__call__", "call")))
    uses = Seeding(node, beliefs, is_packed(run, function.definition))
    uses.moved = frozenset() if beliefs.only_code else axes_set_otherwise(run, function.definition)
    for index, param in enumerate(parameters):
        if param.kind == "args":
            scope.names[param.name] = Unknown("arguments of a caller that is not known")
        elif param.kind == "kwargs":
            scope.names[param.name] = Open()
        else:
            first = is_forward and index == 0
            scope.names[param.name] = _value(run, function, scope, param, uses, first)
    run.symbols.widths = frozenset(WIDTHS & uses.guessed_sizes)
    return Seeded(uses.guessed, uses.told, _oddest(uses.told, scope), uses.guessed_sizes, moved=uses.moved)


def _oddest(told: Mapping[str, bool], scope: Scope) -> str:
    """The parameter whose documentation tells fewer dims than that of every other, if there are several others."""
    tensors = {name: value for name in told if isinstance(value := present(scope.names[name]), Tensor)}
    least, *more = sorted(tensors, key=lambda name: tensors[name].shape.least_rank) or [""]
    return least if len(more) > 1 and tensors[least].shape.least_rank < tensors[more[0]].shape.least_rank else ""


class Seeding(Uses):
    """The uses of a function's names, with what is believed of its parameters and was taken from elsewhere so far."""

    def __init__(self, node: t.FunctionDef, beliefs: Beliefs, is_served: bool = False) -> None:
        super().__init__(node)
        self.beliefs = beliefs
        self.is_packed = is_served != beliefs.other_layout
        self.guessed: set[str] = set()
        self.guessed_sizes: set[str] = set()
        self.told: dict[str, bool] = {}
        self.words: set[str] = set()
        """Names of sizes in the documentation."""
        self.moved: Set[str] = frozenset()
        """The axes that some caller sets otherwise: what is documented is so for the axis that is usual."""

    def promised(self, name: str) -> tuple[str, ...] | None:
        """What the name of an input promises of its sizes: where tokens are in a row, each has one place."""
        if not self.is_packed:
            return KNOWN_INPUTS.get(name)
        sizes = KNOWN_INPUTS.get(name)
        if name == PLACES or sizes == OF_ALL:
            return (PACKED,)
        return (PACKED, *sizes[2:]) if sizes is not None and sizes[:2] == BATCH else sizes

    def promise(self, name: str, sizes: tuple[str, ...]) -> Shape:
        """The shape of what a name promises so many sizes of."""
        shape = Shape(tuple(self.size(n) if n != "_" else dim(f"{name}_dim{i}") for i, n in enumerate(sizes)))
        self.guessed_sizes.update(shape.names())
        return shape

    def word(self, name: str) -> str:
        """What the function's documentation calls a size of inputs."""
        return next((word for word in SYNONYMS.get(name, ()) if word in self.words), name)

    def size(self, promised: str) -> Dim:
        """A size that the name of an input promises: a number, or what documentation calls it."""
        return dim(int(promised) if promised.isdigit() else self.word(promised))


def _value(run: Interpreter, function: Function, scope: Scope, param: t.Param, uses: Seeding, first: bool) -> Value:
    annotation = annotation_text(run, function.definition.path, param)
    default = param.default
    optional = isinstance(default, t.Constant) and default.value is None
    optional = optional or (default is None and bool(MAY_BE_NONE.search(annotation)))
    if param.name in uses.data and not annotation:
        return Unknown("a list or text of the caller")
    is_tensor = bool(TENSOR_TYPES.search(annotation)) or (first and not annotation)
    if not annotation and param.name in uses.tensors | set(uses.unpacked) | set(uses.patterns):
        is_tensor = param.name not in uses.handed or not is_object(run, scope, uses, param.name)
    if is_tensor and not annotation and param.name in uses.objects:
        is_tensor = False
    is_open = not annotation and not is_tensor
    if is_open and (documented(run, function, param.name) is not None or told_to_be_tensor(function, param.name)):
        is_tensor = True
    wants = None if uses.beliefs.only_code else wanted(run, scope, uses, param.name)
    if not annotation and wants is not None and (default is None or optional):
        is_tensor = True
    if not annotation and uses.beliefs.by_name and param.name in KNOWN_INPUTS and (default is None or optional):
        is_tensor = True
    if not annotation and param.name in uses.keys:
        is_tensor = False
    if optional:
        given = _given(run, function, scope, param, uses, is_tensor, annotation, wants)
        unknown = isinstance(given, Opaque) and not annotation and param.name not in uses.numbers
        return Maybe(Unknown(OPTIONAL) if unknown else given, param.name)
    return _given(run, function, scope, param, uses, is_tensor, annotation, wants)


def _given(
    run: Interpreter,
    function: Function,
    scope: Scope,
    param: t.Param,
    uses: Seeding,
    is_tensor: bool,
    annotation: str,
    wants: Shape | None,
) -> Value:
    default = param.default
    if param.name in uses.moved:
        return Opaque(param.name)
    if isinstance(default, t.Constant) and type(default.value) is int:
        return Opaque(param.name, default.value)
    may_be_several = is_tensor and param.name not in uses.tensors and not uses.beliefs.only_code
    if may_be_several and (parts := told_of_parts(function, param.name)) is not None:
        return Alike(Tensor(parts))
    by_name = is_tensor and not uses.beliefs.only_code and TENSORS_BY_NAME.search(annotation) is not None
    if by_name and (items := _tensors_by_name(run, function, scope, param.name, uses)) is not None:
        return items
    if is_tensor and SEVERAL.match(annotation):
        is_list = LIST.fullmatch(annotation) is not None and not uses.beliefs.only_code
        return Alike(Tensor(Shape.unknown(NOT_TOLD))) if is_list else Opaque(param.name)
    if is_tensor:
        place = NUMPY if NUMPY_TYPE.search(annotation) else None
        return Tensor(_shape(run, function, param, uses, wants), _dtype(run, function, param), place)
    kind = annotation.partition("|")[0].strip().removeprefix("Optional[").rstrip("]")
    if kind == "bool" or (isinstance(default, t.Constant) and isinstance(default.value, bool)):
        made = function.receiver if function.definition.name == "__init__" else None
        is_open = isinstance(made, Instance) and made.is_module and param.name not in made.usual
        if uses.beliefs.only_code or is_open:
            return Flag(name=param.name)
        if isinstance(default, t.Constant) and isinstance(default.value, bool):
            scope.usual.add(param.name)
            return default.value
        return Flag(name=param.name)
    if kind == "float" or (isinstance(default, t.Constant) and isinstance(default.value, float)):
        return Number(FRACTION)
    if uses.beliefs.only_code:
        return Opaque(param.name) if annotation else Unknown(NOT_TOLD)
    if isinstance(default, t.Constant) and isinstance(default.value, str):
        return default.value
    if isinstance(default, t.List) and default.elts:
        return Opaque(param.name)  # callers may give more or fewer
    is_empty = isinstance(default, t.List | t.Tuple) and not default.elts  # what callers give is no example of
    if default is not None and not is_empty and not isinstance(default, t.Constant):
        return as_example(param.name, evaluate(run, Scope(function.definition.path), default))
    path = function.definition.path
    if (sizes := told_of_shape(function, param.name)) is not None:
        return sizes
    given = sizes_of(param.name, param.annotation) or promised(run, path, param.annotation)
    given = given or promised_object(run, path, param.name, param.annotation)
    given = given or _items(run, function, scope, uses, param.name)
    is_untold = not annotation and default is None and param.name not in uses.numbers
    is_typed = bool(OTHER_TYPE.fullmatch(kind.strip()))
    return Opaque(param.name, is_typed=is_typed, is_untold=is_untold) if given is None else given


def _tensors_by_name(
    run: Interpreter, function: Function, scope: Scope, name: str, uses: Seeding, is_annotated: bool = True
) -> Open | None:
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    comments: dict[str, Shape] | None = None if name in uses.beliefs.doubted else {}
    items = tensors_by_name(run, scope, node, name, is_annotated, comments)
    if comments:
        uses.told[name] = True
    return items


def _items(run: Interpreter, function: Function, scope: Scope, uses: Seeding, name: str) -> Open | None:
    """What a dictionary holds whose items are used as tensors, or called as the field calls inputs."""
    keys = keys_of(run, scope, uses, name) if uses.beliefs.by_name else {}
    items = _tensors_by_name(run, function, scope, name, uses, False) if name in uses.keys else None
    if items is None and not any(key in KNOWN_INPUTS for key in keys):
        return None
    items = Open() if items is None else items
    for key in keys:
        held, sizes = present(items.get(key)), uses.promised(key)
        if sizes is not None and not (isinstance(held, Tensor) and held.rank is not None):
            items[key] = Tensor(uses.promise(key, sizes))
        else:
            items.setdefault(key, Opaque(f"{name}[{key!r}]"))
    return items


def _dtype(run: Interpreter, function: Function, param: t.Param) -> DType | Unknown:
    if param.name in INTEGER_INPUTS:
        is_of_jax = run.workspace.modules.is_of_jax(function.definition.path)
        return DTYPES["int32" if is_of_jax else "int64"]
    return Unknown("the dtype of an argument")


def _shape(run: Interpreter, function: Function, param: t.Param, uses: Seeding, wants: Shape | None) -> Shape:
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    annotated = _jaxtyping(param.annotation)
    if annotated is not None:
        return annotated
    if uses.beliefs.only_code:
        return Shape.unknown(NOT_TOLD)
    sizes = () if wants is None else wants.dims or wants.tail or ()
    last = sizes[-1] if sizes and isinstance(sizes[-1], Dim) else None
    if (names := uses.unpacked.get(param.name)) is not None:
        own: list[Size] = [dim(n if n != "_" else f"{param.name}_dim{i}") for i, n in enumerate(names)]
        if last is not None and names[-1] == "_":
            own[-1] = last
        return Shape(tuple(own))
    pattern = None if param.name in uses.asked else uses.patterns.get(param.name)
    taken = None if pattern is None else _taken_apart(run, function, uses, *pattern)
    doubted = param.name in uses.beliefs.doubted or bool(uses.moved)
    documentation = None if doubted else documented(run, function, param.name)
    if taken is not None and (
        documentation is None or not documentation.is_own or documentation.shape.rank != taken.rank
    ):
        return taken  # else the words of the function are meant: a letter is another size in another pattern
    if documentation is not None:
        uses.told[param.name] = documentation.is_own
        uses.words.update(documentation.shape.names())
        told = _set_apart(param.name, documentation.shape, uses)
        final = told.dims[-1] if told.dims else None
        is_name = isinstance(final, Dim) and final.const is None
        return Shape((*told.head[:-1], last)) if last is not None and is_name else told
    is_promised = uses.beliefs.by_name and not doubted and param.name not in uses.turned | uses.of_several
    names = uses.promised(param.name) if is_promised else None
    if wants is not None and wants.dims is not None:
        words = names if names is not None and len(names) == len(wants.dims) else ("_",) * len(wants.dims)
        meant = [uses.size(n) if n != "_" else dim(f"{param.name}_size{i}") for i, n in enumerate(words)]
        return Shape(tuple(s if isinstance(s, Dim) else m for s, m in zip(wants.dims, meant, strict=True)))
    if wants is not None and wants.head:  # what stands behind is of as many dims as the caller chooses
        known = (s if isinstance(s, Dim) else dim(f"{param.name}_size{i}") for i, s in enumerate(wants.head))
        return Shape(tuple(known), (), "how many dims the caller gives is not known")
    if names is not None:
        uses.guessed.add(param.name)
        found = list(uses.promise(param.name, names).head)
        if last is not None and names[-1] in WIDTHS:
            found[-1] = last
        return Shape(tuple(found))
    if last is not None:
        return Shape((), (last,), "how many dims the caller gives is not known")
    return Shape.unknown(NOT_TOLD)


def _set_apart(name: str, told: Shape, uses: Seeding) -> Shape:
    """Lengths of what belongs to another part of the model, which documentation calls by the same words."""
    prefix = next(
        (p for p in OTHER_PARTS if name.startswith(p) and not all(n.startswith(p) for n in uses.bindings)), ""
    )
    if not prefix or not told.head:
        return told
    batch = told.head[0].names() if isinstance(told.head[0], Dim) else ()
    return told.subs({n: f"{prefix}{n}" for n in told.names() if n not in batch and not n.startswith(prefix)})


def _jaxtyping(annotation: t.Expr | None) -> Shape | None:
    """`Float[Tensor, "b s d"]`, and `float["b s d"]` for short; either may be optional."""
    match annotation:
        case t.BinOp(op="|", left=left, right=right) if is_none(left) or is_none(right):
            return _jaxtyping(right if is_none(left) else left)
        case t.Subscript(value=value, slice=t.Tuple(elts=[_, t.Constant(value=str() as text)])):
            if not JAXTYPING.match((t.dotted(value) or "").rpartition(".")[2]):
                return None
        case t.Subscript(value=value, slice=t.Constant(value=str() as text)):
            if not JAXTYPING.match((t.dotted(value) or "").rpartition(".")[2].capitalize()):
                return None
        case _:
            return None
    sizes: list[Size] = []
    for word in text.split():
        if word.startswith(("*", "...")) or (SEVERAL_WORDS.search(word) and not word.startswith("{")):
            return None
        name = word.lstrip("?#").partition("=")[2] or word.lstrip("?#")
        found = parse(name)
        sizes.append(found if found is not None and name != "_" else Unknown("an unnamed dim of the annotation"))
    return Shape(tuple(sizes))


def _taken_apart(
    run: Interpreter, function: Function, uses: Seeding, pattern: str, lengths: Mapping[str, t.Expr]
) -> Shape | None:
    """The left side of an einops pattern: `b n (h d) -> ...`. Axes without a length are called as the pattern does."""
    given = {name: _length(run, function, uses, value) for name, value in lengths.items()}
    sizes: list[Size] = []
    for group, name in re.findall(r"\(([^)]*)\)|([^\s()]+)", pattern.partition("->")[0]):
        if "..." in (name or group):
            return None
        size: Size = dim(1)
        for part in group.split() if group else [name]:
            known = given.get(part)
            size = size * (dim(int(part)) if part.isdigit() else dim(part) if known is None else known)
        sizes.append(size)
    return Shape(tuple(sizes)) if sizes else None


def _length(run: Interpreter, function: Function, uses: Seeding, value: t.Expr) -> Dim | None:
    """A size that is a number, another parameter or a setting of the object."""
    if isinstance(value, t.Name):
        node = function.definition.node
        is_given = isinstance(node, t.FunctionDef) and any(value.id == p.name for p in node.args)
        return dim(value.id) if is_given and uses.bindings[value.id] == 1 else None
    size = as_size(target_of(run, entered(function), value))
    return size if isinstance(size, Dim) else None
