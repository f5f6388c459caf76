"""The registry: how to ask an operator for its result, and how an entry is declared.

Asking, with torch's full names and values as in `arguments.Value`:

    x = Tensor(Shape.of("B", "S", "H"), DTYPES["float32"])
    apply("torch.Tensor.view", (x, dim("B"), dim("S"), dim("n"), -1), {}, facts)   # Tensor [B, S, n, H//n]
    apply("torch.split", (x, 2), {"dim": 1}, facts)             # tuple of Tensors, or Unknown
    operator("@", x, y, facts); index(x, (slice(None), 0), facts); attribute(x, "mT")
    linear = build("torch.nn.Linear", (dim("H"), 10), {}); linear.parameters["weight"]; call(linear, (x,), {}, facts)
    cost("torch.matmul", (x, y), {}, result).flops

`apply` raises nothing but `ShapeError`, a certain contradiction. It returns a Tensor (its shape may be unknown), a
tuple of values (Fields where torch names them), Several (alike pieces, unknown count), a Dim or another plain value,
or Unknown. `find` is None for names that are not in the table. An argument that is not known is passed as Unknown.
In-place forms (`add_`) need no entry; they keep their input's shape, but for views (`squeeze_`).
`x.shape` is a tuple of sizes, or the `Shape` itself where the rank is not known.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kernelscope.dims import NO_FACTS, Dim, Facts, dim
from kernelscope.ops.arguments import Lost, Value, tensor
from kernelscope.ops.binding import Parameters
from kernelscope.ops.layer import Module
from kernelscope.ops.result_dtypes import DTYPE_RULES
from kernelscope.tensor import Fields, Several, Shape, ShapeError, Size, Tensor, Unknown
from kernelscope.tensor.dtypes import DTYPES, DType

KINDS = ("compute", "movement", "view", "communication", "result")
"""What an operator mainly does; `result` is a plain value such as a size."""
PREFIXES = {
    "t": "torch",
    "T": "torch.Tensor",
    "F": "torch.nn.functional",
    "nn": "torch.nn",
    "linalg": "torch.linalg",
    "fft": "torch.fft",
    "special": "torch.special",
    "sparse": "torch.sparse",
    "dist": "torch.distributed",
    "funcol": "torch.distributed._functional_collectives",
    "init": "torch.nn.init",
    "utils": "torch.nn.utils",
    "rnn": "torch.nn.utils.rnn",
    "einops": "einops",
    "einops_torch": "einops.layers.torch",
    "einx": "einx",
    "flash": "flash_attn",
    "xformers": "xformers.ops",
    "causal": "causal_conv1d",
    "fairscale": "fairscale.nn.model_parallel.initialize",
    "npu": "torch_npu",
    "operator": "operator",
    "hk": "haiku",
    "jnp": "jax.numpy",
    "A": "jax.Array",
    "at": "jax.Array.at",
    "lax": "jax.lax",
    "jnn": "jax.nn",
    "jr": "jax.random",
    "jinit": "jax.nn.initializers",
    "jlinalg": "jax.numpy.linalg",
    "jspecial": "jax.scipy.special",
    "jfft": "jax.numpy.fft",
    "jimage": "jax.image",
    "jops": "jax.ops",
    "linen": "flax.linen",
    "nnx": "flax.nnx",
}
"""Short prefixes of spellings in the table."""
OTHERS = ("jax.", "flax.", "haiku.", "equinox.")
"""How names begin that are none of torch's."""
TABLES = (
    "torch.elementwise",
    "torch.reductions",
    "torch.views",
    "torch.expansion",
    "torch.joins",
    "torch.indexing",
    "torch.creation",
    "torch.randoms",
    "torch.linear",
    "torch.matrices",
    "torch.attention",
    "torch.kernel_libraries",
    "torch.parallel_layers",
    "torch.convolution",
    "torch.pooling",
    "torch.norms",
    "torch.embeddings",
    "torch.losses",
    "torch.sorting",
    "torch.recurrent",
    "torch.fourier",
    "torch.resampling",
    "torch.padding",
    "torch.activations",
    "torch.sparse",
    "torch.collectives",
    "torch.results",
    "einops",
    "einx",
    "jax.elementwise",
    "jax.arrays",
    "jax.picked",
    "jax.fourier",
    "jax.reductions",
    "jax.products",
    "jax.slices",
    "jax.nn",
    "jax.layers",
)

Rule = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Op:
    """One operator. `spellings` are full names; `rule` gives Shapes, or ready values, from bound arguments."""

    name: str
    spellings: tuple[str, ...]
    rule: Rule
    parameters: Parameters
    dtype: str | tuple[str, ...] = "input"
    kind: str = "compute"
    label: str = ""
    flops: Callable[..., Size] | None = None
    tier: str = "function"
    fields: tuple[str, ...] = ()

    @property
    def contracts(self) -> bool:
        """Whether its work is multiplying and adding along an axis: products, convolutions, attention."""
        return self.flops in _contractions

    @property
    def wants_facts(self) -> bool:
        return "facts" in self.parameters.keyword_only


@dataclass(frozen=True, slots=True)
class Cost:
    """`flops` counts a multiply-add as two; `bytes` is read plus written, each operand and weight once."""

    flops: Size
    bytes: Size


@dataclass(frozen=True, slots=True)
class Plain:
    """A rule's result that is a Shape as such, not a tensor of that shape."""

    shape: Shape


_contractions: set[Callable[..., Size]] = set()
_ops: dict[str, Op] = {}
_by_spelling: dict[str, Op] = {}
_loaded: list[str] = []


def contraction(work: Callable[..., Size]) -> Callable[..., Size]:
    """Mark the work of operators that multiply and add along an axis, which is what published counts are of."""
    _contractions.add(work)
    return work


def spell(spellings: str) -> tuple[str, ...]:
    """Full names of `t.add T.add`; several prefixes may share a name: `t,T.add`."""
    found: list[str] = []
    for word in spellings.split():
        prefixes, name = word.split(".", 1)
        found += [f"{PREFIXES[prefix]}.{name}" for prefix in prefixes.split(",")]
    return tuple(found)


def declare(op: Op) -> None:
    """Add an operator; a name or spelling that is taken is a mistake of ours."""
    if op.name in _ops:
        raise ValueError(f"two operators are called {op.name}")
    if op.kind not in KINDS:
        raise ValueError(f"{op.name}: no kind {op.kind}")
    _ops[op.name] = op
    for spelling in op.spellings:
        if spelling in _by_spelling:
            raise ValueError(f"{spelling} is in two entries")
        _by_spelling[spelling] = op


def rule(
    spellings: str,
    *,
    dtype: str | tuple[str, ...] = "input",
    kind: str = "compute",
    label: str = "",
    flops: Callable[..., Size] | None = None,
    name: str = "",
    fields: str = "",
) -> Callable[[Rule], Rule]:
    """Declare an operator by a function of torch's documented parameters, plus `*, facts` where it needs them."""

    def add(function: Rule) -> Rule:
        doc = (function.__doc__ or "").strip().split("\n")[0].rstrip(".")
        title = name or _title(spellings, function)
        parameters = Parameters.of(function)
        names = tuple(fields.split())
        declare(Op(title, spell(spellings), function, parameters, dtype, kind, label or doc, flops, fields=names))
        return function

    return add


def _title(spellings: str, function: Rule) -> str:
    """The name of a rule; of other libraries than torch with the library's, for many names are those of torch too."""
    prefixes, name = spellings.split(maxsplit=1)[0].split(".", 1)
    prefix = prefixes.split(",")[0]
    return f"{prefix}.{name}" if PREFIXES[prefix].startswith(OTHERS) else function.__name__.rstrip("_")


def all_ops() -> tuple[Op, ...]:
    """Every operator, in the order of the table."""
    load()
    return tuple(_ops.values())


def find(name: str) -> Op | None:
    """The operator of a full name such as `torch.nn.functional.linear`; in-place forms are those they change into."""
    load()
    op = _by_spelling.get(name)
    if op is None and name.endswith("_") and not name.endswith("__"):
        op = _by_spelling.get(name[:-1])
        if op is None:
            op = _by_spelling.get("torch." + name[:-1].rpartition(".")[2])
    return op


def computes(name: str) -> bool:
    """Whether a full name is that of an operator that computes, rather than making, moving or viewing data."""
    op = find(name)
    return op is not None and op.kind == "compute"


def apply(
    name: str | Op, args: Sequence[Value], kwargs: Mapping[str, Value] | None = None, facts: Facts = NO_FACTS
) -> Value:
    """The result of calling an operator. Raises ShapeError for a certain contradiction and nothing else."""
    op = find(name) if isinstance(name, str) else name
    if op is None:
        return Unknown(f"{name} is not in the operator table")
    bound = op.parameters.bind(args, kwargs or {})
    if bound is None:
        return Unknown(f"the arguments of {op.name} are not those we know")
    result = run(op, bound, facts)
    in_place = isinstance(name, str) and name not in op.spellings and name.endswith("_")
    if in_place and op.kind != "view" and args and isinstance(args[0], Tensor):
        return args[0]
    return result


def run(op: Op, bound: dict[str, Any], facts: Facts = NO_FACTS) -> Value:
    """The result of an operator for bound arguments."""
    if op.wants_facts:
        bound["facts"] = facts
    try:
        result = _call(op, bound)
    except Lost as lost:
        result = _unknown(op, str(lost))
    except ShapeError as error:
        raise ShapeError(error.code, f"{op.name}: {error.message}") from None
    except ArithmeticError:
        result = _unknown(op, f"the sizes in {op.name} have no value")
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return Unknown(f"the arguments of {op.name} are not those we know")
    if isinstance(result, Shape):
        return Tensor(result, _dtype(op, bound, 0), _place(bound))
    if isinstance(result, Several):
        return replace(result, element=Tensor(result.element.shape, _dtype(op, bound, 0), _place(bound)))
    if isinstance(result, Plain):
        return result.shape
    if isinstance(result, tuple):
        wrapped = tuple(
            Tensor(r, _dtype(op, bound, i), _place(bound)) if isinstance(r, Shape) else r
            for i, r in enumerate(items_of(result))
        )
        return Fields(op.fields, wrapped) if op.fields else wrapped
    return result


def _unknown(op: Op, reason: str) -> Shape | Tensor | Unknown:
    """A tensor of unknown shape where the rule's annotation promises one tensor."""
    promised = op.rule.__annotations__.get("return")
    if promised == "Shape":
        return Shape.unknown(reason)
    return Tensor(Shape.unknown(reason)) if promised in ("Tensor", "Shape | Tensor") else Unknown(reason)


def items_of(result: Any) -> tuple[Any, ...]:
    """The elements of a tuple of results."""
    return tuple(result)


def _call(op: Op, bound: dict[str, Any]) -> Any:
    parameters = op.parameters
    positional = [bound[name] for name in parameters.names]
    if parameters.rest is not None:
        positional += bound[parameters.rest]
    taken = (*parameters.names, parameters.rest)
    return op.rule(*positional, **{name: value for name, value in bound.items() if name not in taken})


def _dtype(op: Op, bound: Mapping[str, Any], position: int) -> DType | Unknown:
    column = op.dtype if isinstance(op.dtype, str) else op.dtype[min(position, len(op.dtype) - 1)]
    found = DTYPE_RULES.get(column)
    try:
        return found(bound) if found else DTYPES[column]
    except Lost as lost:
        return Unknown(str(lost))


def _place(bound: Mapping[str, Any]) -> Any:
    device = bound.get("device")
    if device is not None:
        from kernelscope.ops.torch.creation import place

        return place(device)
    return next((v.place for v in bound.values() if isinstance(v, Tensor)), None)


def cost(name: str | Op, args: Sequence[Value], kwargs: Mapping[str, Value] | None, result: Value) -> Cost | None:
    """FLOPs and bytes of one call; None for operators that are not in the table."""
    op = find(name) if isinstance(name, str) else name
    bound = op.parameters.bind(args, kwargs or {}) if op else None
    if op is None or bound is None:
        return None
    outputs = _tensors_in(result)
    traffic: Size = dim(0)
    if op.kind not in {"view", "result"}:
        layers = [v for v in bound.values() if isinstance(v, Module)] if op.kind == "compute" else []
        weights = [weight for layer in layers for weight in layer.parameters.values()]
        for operand in (*_tensors_in(bound.values()), *weights, *outputs):
            traffic = traffic + operand.nbytes
    flops: Size = dim(0)
    if op.flops is not None:
        try:
            flops = op.flops(bound, outputs)
        except (Lost, ShapeError, TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError):
            flops = Unknown(f"the work of {op.name} is not known here")
    return Cost(flops, traffic)


def _tensors_in(value: Any) -> tuple[Tensor, ...]:
    if isinstance(value, Tensor):
        return (value,)
    if isinstance(value, (str, bytes, Shape, Dim)) or not hasattr(value, "__iter__"):
        return ()
    return tuple(t for v in value for t in _tensors_in(v))


OPERATORS = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "//": "floor_divide", "%": "remainder", "**": "pow", "@": "matmul",
    "&": "bitwise_and", "|": "bitwise_or", "^": "bitwise_xor", "<<": "bitwise_left_shift", ">>": "bitwise_right_shift",
    "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge",
}  # fmt: skip
"""Python's binary operators on tensors."""


def operator(symbol: str, left: Value, right: Value, facts: Facts = NO_FACTS) -> Value:
    """A binary operator of which at least one side is a tensor."""
    name = OPERATORS.get(symbol)
    return apply(f"torch.{name}", (left, right), {}, facts) if name else Unknown(f"{symbol} is no operator of tensors")


def index(value: Tensor, items: Sequence[Value], facts: Facts = NO_FACTS) -> Value:
    """`value[items]`: `slice`, Ellipsis, None, integers, tensors, lists; `items` is the tuple between the brackets."""
    return apply("torch.Tensor.__getitem__", (value, tuple(items)), {}, facts)


def attribute(value: Tensor, name: str) -> Value:
    """`value.name`: `shape`, `ndim`, `T`, `mT`, `H`, `dtype`, `device`, `real` …"""
    from kernelscope.ops.torch.results import ATTRIBUTES

    found = ATTRIBUTES.get(name)
    return found(tensor(value)) if found else Unknown(f"the attribute {name} of a tensor")


def load() -> None:
    """Fill the table, once."""
    if not _loaded:
        _loaded.extend(TABLES)
        for table in TABLES:
            importlib.import_module(f"kernelscope.ops.{table}")


def also(name: str, spellings: str) -> None:
    """More spellings of an operator."""
    op = _ops[name]
    added = spell(spellings)
    _ops[name] = replace(op, spellings=(*op.spellings, *added))
    for spelling in _ops[name].spellings:
        _by_spelling[spelling] = _ops[name]
