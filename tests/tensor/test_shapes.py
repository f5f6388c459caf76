"""Shapes with an open middle, broadcasting, and what a tensor weighs."""

from __future__ import annotations

import pytest
from kernelscope.dims import NO_FACTS, dim
from kernelscope.ops import apply
from kernelscope.tensor import ANY_SHAPE, DTYPES, Shape, ShapeError, Tensor, Unknown
from kernelscope.tensor.broadcasting import broadcast

LOST = Unknown("a test")


def joined(*shapes: Shape) -> str:
    return repr(broadcast(shapes))


def test_broadcasting_gives_what_a_call_that_succeeds_must_give() -> None:
    assert joined(Shape.of("B", 1, "H"), Shape.of("S", 1)) == "[B, S, H]"
    assert joined(Shape.of("B", 3), Shape.of("B")) == "[B, 3]"
    assert joined(Shape.of("B", "S"), Shape.of("B", "T")) == "[B, S]"
    assert joined(Shape.of("S"), Shape((dim("S") - 1,))) == "[S]"
    assert joined(Shape.of("B", "S"), Shape((LOST, dim(1)))) == "[B, S]"
    assert joined(Shape.of("B", 1), Shape((LOST, LOST))) == "[B, ?]"
    assert joined(Shape(), Shape.of("B")) == "[B]"
    assert joined() == "[]"


def test_an_open_operand_leaves_what_the_other_tells() -> None:
    assert joined(Shape.of("B", "S", "H"), ANY_SHAPE) == "[..., B, S, H]"
    assert joined(Shape.of("B", 1), ANY_SHAPE) == "[..., B, ?]"
    assert joined(Shape((), (dim("H"),)), Shape.of("H")) == "[..., H]"


def test_facts_settle_names() -> None:
    facts = NO_FACTS.with_equal("S", "T")
    assert repr(broadcast((Shape.of("S"), Shape.of("T")), facts)) == "[S]"


def test_only_certain_contradictions_are_errors() -> None:
    with pytest.raises(ShapeError, match="3 and 4 differ"):
        broadcast((Shape.of("B", 3), Shape.of("B", 4)))
    assert joined(Shape.of("S"), Shape((dim("S") + 1,))) == "[S+1]"


def test_open_shapes_know_their_ends() -> None:
    shape = Shape((dim("B"),), (dim("S"), dim("H")), "the view")
    assert repr(shape) == "[B, ..., S, H]"
    assert shape.rank is None
    assert shape.size(-1) == dim("H")
    assert shape.size(0) == dim("B")
    assert shape.size(1) == Unknown("the view")
    assert repr(shape.replace_last(1, dim("K"))) == "[B, ..., S, K]"
    assert repr(shape.replace_last(3)) == "[...]"
    assert repr(shape.with_size(-2, dim(7))) == "[B, ..., 7, H]"
    assert repr(shape.with_size(-3, dim(7))) == "[..., S, H]"


def test_bytes_follow_from_shape_and_dtype() -> None:
    x = Tensor(Shape.of("B", 4), DTYPES["bfloat16"])
    assert str(x.nbytes) == "8*B"
    assert Tensor(ANY_SHAPE, DTYPES["int8"]).nbytes == Unknown("the rank is not known")
    assert repr(x) == "[B, 4] bfloat16"


def test_view_divides_back() -> None:
    hidden, heads = dim("hidden"), dim("heads")
    x = Tensor(Shape.of("B", "S", hidden))
    assert apply("torch.Tensor.view", (x, dim("B"), dim("S"), -1, hidden // heads)).shape == Shape.of(
        "B", "S", heads, hidden // heads
    )
    assert repr(apply("torch.Tensor.view", (x, dim("B"), dim("S"), heads, -1))) == "[B, S, heads, hidden//heads]"


def test_no_tensor_has_more_dims_than_operators_take() -> None:
    with pytest.raises(ShapeError):
        Shape((), (), "not told").last(10**30)
