"""Short names for the sizes of one picture."""

from __future__ import annotations

from kernelscope.explain.dim_names import DimNames
from kernelscope.tensor import Shape


def test_many_sizes_of_one_name_get_numbered_letters() -> None:
    shape = Shape.of(*(f"sample_subset_size{end}" for end in ("", "·1", "_2·1", "_2·3", "_3·4", "·7", "·8", "·9")))
    text = DimNames([shape]).shape(shape)
    assert "sample_subset" not in text
    assert len(set(text.strip("[]").split(", "))) == 8, "each its own"
