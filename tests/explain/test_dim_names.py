"""Short names for the sizes of one picture."""

from __future__ import annotations

from kernelscope.explain.dim_names import DimNames, usual_letters
from kernelscope.tensor import Shape


def test_many_sizes_of_one_name_get_numbered_letters() -> None:
    shape = Shape.of(*(f"sample_subset_size{end}" for end in ("", "·1", "_2·1", "_2·3", "_3·4", "·7", "·8", "·9")))
    text = DimNames([shape]).shape(shape)
    assert "sample_subset" not in text
    assert len(set(text.strip("[]").split(", "))) == 8, "each its own"


def test_the_number_that_tells_one_element_of_a_setting_from_those_of_other_calls_is_left_away() -> None:
    names = DimNames([Shape.of("input_resolution_0_9", "input_resolution_1_9", "C")])
    legend = names.legend([names.shape(Shape.of("input_resolution_0_9", "input_resolution_1_9", "C"))])
    assert [line.partition(" = ")[2] for line in legend] == ["input_resolution_0", "input_resolution_1"]


def test_a_size_that_the_source_names_gets_no_letter_for_its_place() -> None:
    shape = Shape.of("x_dim0", "x_dim1", "embed_dim")
    assert usual_letters(shape, {}) == {"x_dim0": "B", "x_dim1": "S"}
    assert usual_letters(shape, {"x_dim0": "frames"}) == {"x_dim1": "S"}
    assert usual_letters(shape, {"x_dim0": "tgt_len", "x_dim1": "bsz"}) == {}, "the batch stands at another axis"


def test_a_width_is_not_called_as_a_length_or_a_batch() -> None:
    names = DimNames([Shape.of("n_state", "num_blocks", "seq_length", "batch_size")])
    assert names.shape(Shape.of("batch_size", "seq_length", "n_state", "num_blocks")) == "[B, S, NS, NB]"


def test_sizes_that_only_a_number_tells_apart_keep_it_in_the_legend() -> None:
    shape = Shape.of("embed_dim", "patch_size_0", "patch_size_1")
    names = DimNames([shape])
    legend = names.legend([names.shape(shape)])
    assert [line.partition(" = ")[2] for line in legend][1:] == ["patch_size_0", "patch_size_1"]
