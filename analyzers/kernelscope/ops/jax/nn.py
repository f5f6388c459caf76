"""jax.nn beyond activations, jax.random, and initialisers of weights.

Source: https://docs.jax.dev/en/latest/jax.nn.html and jax.random.html. A key made by `PRNGKey` is two words.
"""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, axis, known, size, sizes, tensor
from kernelscope.ops.jax.products import slid
from kernelscope.ops.registry import rule
from kernelscope.ops.torch import joins
from kernelscope.tensor import Shape, ShapeError, Tensor, Unknown, same_size
from kernelscope.tensor.broadcasting import broadcast
from kernelscope.tensor.dtypes import DTYPES


@rule("jnn.one_hot linen,nnx.one_hot", dtype="new", kind="movement", label="indices as rows of 0 and 1")
def one_hot(x: Value, num_classes: Value, *, dtype: Value = None, axis: Value = -1) -> Shape:
    """A new axis of `num_classes`, the last by default."""
    dims = known(x)
    at = _place(axis, len(dims) + 1)
    return Shape((*dims[:at], size(num_classes), *dims[at:]))


def _place(value: Value, rank: int) -> int:
    return axis(value, rank)


@rule("hk.get_parameter hk.get_state", dtype="new", kind="movement", label="a parameter")
def haiku_parameter(name: Value, shape: Value, dtype: Value = None, *args: Value, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("hk.dropout", label="dropout")
def haiku_dropout(rng: Value, rate: Value, x: Value, **options: Value) -> Tensor:
    """Same shape."""
    return tensor(x)


@rule("jnn,linen,nnx.glu", label="gated linear unit")
def glu(x: Value, axis: Value = -1) -> Shape:
    """Halves one axis."""
    return joins.halved(tensor(x).shape, axis)


@rule("jnn.dot_product_attention linen,nnx.dot_product_attention", label="attention")
def dot_product_attention(
    query: Value, key: Value, value: Value, *args: Value, facts: Facts = NO_FACTS, **options: Value
) -> Shape:
    """`b t n h, b s k h, b s k h -> b t n h`: heads come after the length."""
    q, k, v = (tensor(a).shape for a in (query, key, value))
    if same_size(q.size(-1), k.size(-1), facts) is False:
        raise ShapeError("shape", f"the head size of query and key differ: {q.size(-1)} and {k.size(-1)}")
    return q.replace_last(1, v.size(-1))


@rule("linen,nnx.make_causal_mask", dtype="float32", kind="movement", label="a causal mask")
def make_causal_mask(x: Value, *args: Value, **options: Value) -> Shape:
    """`*b s -> *b 1 s s`."""
    shape = tensor(x).shape
    length = shape.size(-1)
    return shape.replace_last(1, as_dim(1), length, length)


@rule("linen,nnx.make_attention_mask", dtype="float32", kind="movement", label="a mask of pairs")
def make_attention_mask(query_input: Value, key_input: Value, *args: Value, **options: Value) -> Shape:
    """`*b q, *b k -> *b 1 q k`."""
    shape = tensor(query_input).shape
    return shape.replace_last(1, as_dim(1), shape.size(-1), tensor(key_input).shape.size(-1))


@rule("linen,nnx.combine_masks", dtype="float32", kind="movement", label="masks that all hold")
def combine_masks(*masks: Value, facts: Facts = NO_FACTS, **options: Value) -> Shape | Unknown:
    """Broadcasts the masks that are there."""
    found = [tensor(mask).shape for mask in masks if mask is not None]
    return broadcast(found, facts) if found else Unknown("no mask is given")


@rule("linen,nnx.dot_product_attention_weights", label="weights of attention")
def dot_product_attention_weights(query: Value, key: Value, *args: Value, **options: Value) -> Shape:
    """`*b q h d, *b k h d -> *b h q k`."""
    shape = tensor(query).shape
    length, heads, _ = shape.last(3)
    return shape.replace_last(3, heads, length, tensor(key).shape.size(-3))


@rule("linen,nnx.max_pool linen,nnx.avg_pool linen,nnx.min_pool", label="pooling over windows")
def pool(
    inputs: Value, window_shape: Value, strides: Value = None, padding: Value = "VALID", **options: Value
) -> Shape:
    """Windows slide over the axes before the last, which is that of the channels."""
    widths = sizes(window_shape)
    n = len(widths)
    shape = tensor(inputs).shape
    moved = slid(shape.last(n + 1)[:n], widths, 1 if strides is None else strides, padding)
    return shape.replace_last(n + 1, *moved, shape.size(-1))


_KEY = DTYPES["uint32"]


@rule("jr.PRNGKey", kind="result", label="a key of random numbers")
def prng_key(seed: Value, **options: Value) -> Tensor:
    """Two words."""
    return Tensor(Shape.of(2), _KEY)


@rule("jr.key", kind="result", label="a key of random numbers")
def key(seed: Value, **options: Value) -> Tensor:
    """A scalar of a dtype of its own."""
    return Tensor(Shape(), Unknown("keys have a dtype of their own"))


@rule("jr.split", kind="movement", label="new keys of random numbers")
def split(key: Value, num: Value = 2) -> Shape:
    """So many keys."""
    whole = tensor(key).shape
    count = (size(num),) if not isinstance(num, tuple | list) else sizes(num)
    return Shape((*count, *whole.head), whole.tail, whole.reason)


@rule("jr.fold_in jr.clone", kind="movement", label="another key of random numbers")
def fold_in(key: Value, *args: Value) -> Shape:
    """A key like the one given."""
    return tensor(key).shape


@rule(
    "jr.normal jr.uniform jr.gumbel jr.exponential jr.laplace jr.cauchy jr.logistic jr.rademacher jr.orthogonal",
    dtype="new",
    kind="movement",
    label="random numbers",
)
def normal(key: Value, shape: Value = (), dtype: Value = None, *args: Value, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(tuple(shape)) if shape != () else ())


@rule("jr.truncated_normal", dtype="new", kind="movement", label="random numbers between limits")
def truncated_normal(
    key: Value, lower: Value, upper: Value, shape: Value = None, dtype: Value = None, **options: Value
) -> Shape:
    """The given sizes, or those of the limits."""
    if shape is None:
        return broadcast((tensor(lower).shape, tensor(upper).shape), NO_FACTS)
    return Shape(sizes(shape))


@rule(
    "jr.beta jr.f jr.pareto jr.weibull_min jr.t jr.chisquare jr.gamma jr.loggamma jr.lognormal jr.rayleigh",
    dtype="new",
    kind="movement",
    label="random numbers",
)
def distributed(key: Value, *parameters: Value, shape: Value = None, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes; which of the arguments they are without their name differs."""
    if shape is None:
        raise Lost("the sizes of these random numbers are those of several arguments")
    return Shape(sizes(shape))


@rule("jr.poisson jr.geometric", dtype="asked_int32", kind="movement", label="random counts")
def poisson(key: Value, rate: Value, shape: Value = None, dtype: Value = None) -> Shape:
    """The given sizes, or those of the rates."""
    return tensor(rate).shape if shape is None else Shape(sizes(shape))


@rule("jr.bits", dtype="uint32", kind="movement", label="random bits")
def bits(key: Value, shape: Value = (), dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape) if shape != () else ())


@rule("jimage.resize", label="resize images")
def resize(image: Value, shape: Value, method: Value, *args: Value, **options: Value) -> Shape:
    """The given shape, which has as many sizes."""
    wanted = sizes(shape)
    if tensor(image).rank not in (None, len(wanted)):
        raise ShapeError("rank", f"{len(wanted)} sizes for the {tensor(image).rank} dims of {tensor(image).shape}")
    return Shape(wanted)


@rule("jr.randint", dtype="asked_int32", kind="movement", label="random integers")
def randint(key: Value, shape: Value, minval: Value, maxval: Value, dtype: Value = None) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("jr.bernoulli", dtype="bool", kind="movement", label="random truth values")
def bernoulli(key: Value, p: Value = 0.5, shape: Value = None) -> Shape:
    """The given sizes, or those of the probabilities."""
    return tensor(p).shape if shape is None else Shape(sizes(shape))


@rule("jr.categorical", dtype="int32", label="samples of a distribution")
def categorical(key: Value, logits: Value, axis: Value = -1, shape: Value = None, **options: Value) -> Shape:
    """One index for each row of logits."""
    if shape is not None:
        return Shape(sizes(shape))
    dims = known(logits)
    at = _place(axis, len(dims))
    return Shape((*dims[:at], *dims[at + 1 :]))


@rule("jr.permutation jr.shuffle", kind="movement", label="a random order")
def permutation(key: Value, x: Value, *args: Value, **options: Value) -> Tensor:
    """The array in another order, or so many numbers."""
    return x if isinstance(x, Tensor) else Tensor(Shape((size(x),)), DTYPES["int32"])


@rule("jr.choice", kind="movement", label="random elements")
def choice(key: Value, a: Value, shape: Value = (), *args: Value, **options: Value) -> Tensor:
    """The given sizes in place of the first axis."""
    wanted = sizes(shape) if shape != () else ()
    if isinstance(a, Tensor):
        return a.with_shape(Shape((*wanted, *known(a)[1:])))
    return Tensor(Shape(wanted), DTYPES["int32"])


@rule("jinit.zeros jinit.ones", dtype="new", kind="movement", label="initial weights")
def initial(key: Value, shape: Value, dtype: Value = None, *args: Value, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))
