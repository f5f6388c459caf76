"""Shapes in the numbers that the user bound to their names."""

from __future__ import annotations

import pytest
from kernelscope.dims.spelling import spelled
from kernelscope.explain.numbers import in_numbers, memory
from kernelscope.tensor import DTYPES, Shape, Tensor, Unknown

BOUND = [
    (("B", "S"), {"B": 8, "S": 4}, "[8, 4] · 64 B"),
    (("B", "S"), {"B": 8}, "[8, S]"),
    (("B", "S"), {"T": 8}, None),
    (("config.hidden_size",), {"hidden_size": 1024}, "[1024] · 2 KiB"),
    (("self.config.hidden_size",), {"hidden_size": 1024}, "[1024] · 2 KiB"),
    (("vision_config.width", "width"), {"width": 3, "vision_config.width": 5}, "[5, 3] · 30 B"),
    (("len(config.layers).width",), {"width": 3}, None),
    ((Unknown("no reason"), "S"), {"S": 4}, "[?, 4]"),
]


@pytest.mark.parametrize(("sizes", "bindings", "text"), BOUND)
def test_bound_names_are_replaced_and_bytes_told_when_none_is_left(
    sizes: tuple[str | Unknown, ...], bindings: dict[str, int], text: str | None
) -> None:
    assert in_numbers(Tensor(Shape.of(*sizes), DTYPES["bfloat16"]), bindings) == text


def test_a_rank_that_is_not_known_stays_so() -> None:
    assert in_numbers(Tensor(Shape((), Shape.of("S").head, "?"), DTYPES["half"]), {"S": 4}) == "[..., 4]"


@pytest.mark.parametrize(
    ("size", "text"), [(640, "640 B"), (1536, "1.5 KiB"), (256 << 20, "256 MiB"), (5 << 40, "5 TiB")]
)
def test_amounts_are_told_in_the_largest_unit_that_they_fill(size: int, text: str) -> None:
    assert memory(size) == text


def test_what_is_bound_by_all_of_its_way_is_meant_by_the_end_of_it() -> None:
    """As a picture's legend spells it and a hover does not; of two that end so neither is."""
    whole = {"engine.model.config.width": 64}
    assert spelled(["config.width", "width", "other.width"], whole) == {"config.width": 64}
    assert spelled(["config.width"], {**whole, "draft.config.width": 32}) == {}
    assert spelled(["config.width"], {**whole, "config.width": 16}) == {"config.width": 16}
