"""Random tensors and samples."""

from __future__ import annotations

from kernelscope.ops.arguments import Value, asked, size, sizes, tensor, with_dims
from kernelscope.ops.families import same
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape
from kernelscope.tensor.broadcasting import broadcast


@rule("t.randn t.rand", dtype="new", kind="movement", name="randn", label="random numbers")
def randn(*size: Value, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return asked(size)


@rule("t.randint", dtype="asked_integers", kind="movement", label="random integers")
def randint(low: Value, high: Value = None, size: Value = None, *, dtype: Value = None, **options: Value) -> Shape:
    """`randint(high, size)` or `randint(low, high, size)`."""
    return Shape(sizes(high if size is None else size))


same("randn_like rand_like randint_like", at="t", dtype="asked", kind="movement", flops=0, label="random numbers")
same("bernoulli poisson", at="t,T", kind="movement", flops=1, label="random samples")
same(
    "uniform_ normal_ random_ exponential_ log_normal_ cauchy_ geometric_",
    at="T",
    kind="movement",
    flops=0,
    label="fill with random numbers",
)
same(
    "uniform_ normal_ zeros_ ones_ constant_ trunc_normal_ eye_ dirac_ sparse_",
    at="init",
    kind="movement",
    flops=0,
    label="initialise",
)
same(
    "xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_ orthogonal_",
    at="init",
    kind="movement",
    flops=0,
    label="initialise",
    least=2,
)


@rule("t.normal", kind="movement", label="random numbers of a mean and deviation")
def normal(mean: Value, std: Value = 1.0, size: Value = None, **options: Value) -> Shape:
    """The given sizes, or the means' and deviations' common shape."""
    if size is not None:
        return asked(size)
    return broadcast((tensor(mean).shape, tensor(std).shape))


@rule("t.randperm", dtype="asked_integers", kind="movement", label="a random order")
def randperm(n: Value, *, dtype: Value = None, **options: Value) -> Shape:
    """`n` numbers."""
    return Shape((size(n),))


@rule("t,T.multinomial", dtype="int64", kind="movement", label="samples of a distribution")
def multinomial(input: Value, num_samples: Value, replacement: Value = False, **options: Value) -> Shape:
    """The last axis becomes `num_samples`."""
    return with_dims(input, 1, 2).replace_last(1, size(num_samples))
