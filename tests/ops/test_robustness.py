"""Whatever is passed to an operator or a layer, it answers or raises ShapeError; nothing else gets out."""

from __future__ import annotations

import random
from typing import Any

from kernelscope.dims import dim
from kernelscope.ops import Module, ShapeError, all_ops, apply, build, call, cost, index
from kernelscope.ops.modules import all_modules
from kernelscope.tensor import ANY_SHAPE, DTYPES, Place, Shape, Tensor, Unknown

S = dim("S")
VALUES: list[Any] = [
    Tensor(Shape.of("B", "S", "H"), DTYPES["float32"]), Tensor(Shape.of("B", "S"), DTYPES["int64"]), Tensor(),
    Tensor(Shape(), DTYPES["bool"]), Tensor(Shape((S,), (S, dim(3))), DTYPES["float16"]), Tensor(Shape.of(2, 0, 3, 4)),
    Unknown("a test"), None, True, 0, -1, 3, S, S - 5, dim(0), 1.5, float("nan"), float("inf"), 1e300, 2j, "same",
    "b (h d) -> b h d", "bij,bjk->bik", (), (1, 2), [S, -1], (Unknown("a test"),), [Tensor(ANY_SHAPE)], {},
    Place("cpu"), DTYPES["bfloat16"], slice(None, S), Ellipsis, object(), ANY_SHAPE, Shape.of("B", 3), (((),),),
    -(10**30), 10**30,
]  # fmt: skip
NAMES = ["dim", "input", "other", "size", "keepdim", "dtype", "device", "p", "h", "kernel_size", "bias", "nonsense"]


def test_any_arguments_are_answered() -> None:
    chance = random.Random(7)
    for op in all_ops():
        for _ in range(12):
            args = [chance.choice(VALUES) for _ in range(chance.randrange(5))]
            kwargs = {chance.choice(NAMES): chance.choice(VALUES) for _ in range(chance.randrange(3))}
            try:
                cost(op, args, kwargs, apply(op, args, kwargs))
            except ShapeError as error:
                assert error.message.startswith(op.name)


def test_any_constructor_is_answered() -> None:
    chance = random.Random(11)
    for kind in all_modules():
        name = kind.forward.spellings[0].removesuffix(".forward")
        for _ in range(20):
            layer = build(name, [chance.choice(VALUES) for _ in range(chance.randrange(6))])
            if isinstance(layer, Module):
                try:
                    call(layer, [chance.choice(VALUES) for _ in range(chance.randrange(1, 4))])
                except ShapeError:
                    continue


def test_any_subscript_is_answered() -> None:
    chance = random.Random(13)
    for _ in range(500):
        try:
            index(chance.choice(VALUES[:6]), tuple(chance.choice(VALUES) for _ in range(chance.randrange(5))))
        except ShapeError:
            continue


def test_names_of_the_table_are_unique_and_found() -> None:
    from kernelscope.ops import find

    for op in all_ops():
        for spelling in op.spellings:
            assert find(spelling) is op
    assert find("torch.Tensor.add_") is find("torch.add")
    assert find("torch.no_such_thing") is None
