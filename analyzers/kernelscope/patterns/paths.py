"""Ways through a flow for recognisers: back through what keeps the numbers, and what an operator was given."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kernelscope.dims import Dim
from kernelscope.interp.steps import tensors_in
from kernelscope.interp.values import as_size
from kernelscope.ops import Module
from kernelscope.patterns.flow import Node, words
from kernelscope.tensor import Tensor

MATRIX_PRODUCTS = words("matmul bmm mm einsum baddbmm linear einops_einsum jnp.dot lax.dot_general")
LINEARS = words(
    "linear nn.Linear addmm conv1d nn.Conv1d flax.linen.Dense flax.linen.DenseGeneral flax.nnx.Linear "
    "flax.nnx.LinearGeneral equinox.nn.Linear"
)
SCALINGS = words("mul div")
OUTPUTS = ("out_features", "features", "output_size")
"""What layers call the number of their outputs."""
ACTIVATIONS = words(
    "relu gelu silu mish elu selu celu leaky_relu relu6 hardswish hardsigmoid hardtanh softplus softsign tanh sigmoid "
    "logsigmoid erf prelu nn.ReLU nn.ReLU6 nn.ELU nn.SELU nn.CELU nn.GELU nn.SiLU nn.Mish nn.Sigmoid nn.Tanh "
    "nn.Softplus nn.Hardsigmoid nn.Hardswish nn.Hardtanh nn.LeakyReLU nn.LogSigmoid"
)
ELEMENTWISE = ACTIVATIONS | words(
    "abs neg square exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos reciprocal clamp clip clamp_min clamp_max "
    "add sub mul div pow maximum minimum where floor_divide lerp addcmul"
)


def given(node: Node, position: int = 0) -> list[Node]:
    """The nodes that the tensor at a position may come from."""
    return node.uses[position].nodes if position < len(node.uses) else []


def back(nodes: Iterable[Node], through: Callable[[Node], bool] = lambda node: False) -> Iterator[Node]:
    """Back through views, copies, and what `through` allows, to the nodes that made the numbers."""
    todo, seen = list(nodes), set[Node]()
    while todo:
        node = todo.pop(0)
        if node in seen:
            continue
        seen.add(node)
        passes = node.is_view or through(node)
        if passes:
            todo += [origin for use in (node.uses if through(node) else node.uses[:1]) for origin in use.nodes]
        if not passes or through(node):
            yield node


def forward(node: Node, through: Callable[[Node], bool] = lambda node: False) -> Iterator[Node]:
    """On through views, copies, and what `through` allows, to the nodes that use the numbers."""
    todo, seen = list(node.users), set[Node]()
    while todo:
        user = todo.pop(0)
        if user in seen:
            continue
        seen.add(user)
        if user.is_view or through(user):
            todo += user.users
        if not user.is_view:
            yield user


def is_scaling(node: Node) -> bool:
    """A product or quotient with a number, or with something that is no tensor of the data."""
    return node.operator in SCALINGS and len(node.uses) == 1


def number(node: Node, position: int = 1) -> float | None:
    """The plain number that an operator was given."""
    args = node.step.args
    value = args[position] if position < len(args) else None
    if isinstance(value, Dim):
        return None if value.const is None else float(value.const)
    return value if isinstance(value, float) else None


def result(node: Node) -> Tensor | None:
    """The first tensor that a node gave."""
    return next((v for v in tensors_in(node.step.result) if isinstance(v, Tensor)), None)


def width(node: Node) -> Dim | None:
    """How many numbers a projection gives for each row, where that is known."""
    made, layer = result(node), node.step.target
    told = [as_size(layer.settings[name]) for name in OUTPUTS if isinstance(layer, Module) and name in layer.settings]
    last = [made.shape.dims[-1]] if made is not None and made.shape.dims else []
    return next((size for size in (*told, *last) if isinstance(size, Dim)), None)
