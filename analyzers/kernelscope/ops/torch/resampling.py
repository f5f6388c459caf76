"""Images and signals at another resolution: interpolate, grid sampling, pixel shuffle."""

from __future__ import annotations

from kernelscope.dims import Dim
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, is_sequence, known, pair, size, sizes, tensor
from kernelscope.ops.families import per_element
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Unknown


@rule("F.interpolate F.upsample", name="interpolate", flops=per_element(8), label="resize")
def interpolate(input: Value, size: Value = None, scale_factor: Value = None, *args: Value, **options: Value) -> Shape:
    """The axes behind the channels get the given sizes, or are scaled."""
    dims = known(input)
    n = len(dims) - 2
    if n < 1:
        raise ShapeError("rank", f"expected at least 3 dims, got {Shape(dims)}")
    if size is not None:
        wanted = sizes(size) if is_sequence(size) else sizes((size,)) * n
        if len(wanted) != n:
            raise ShapeError("shape", f"{len(wanted)} sizes for the {n} last axes of {Shape(dims)}")
        return Shape((*dims[:2], *wanted))
    return Shape((*dims[:2], *map(_scaled, dims[2:], pair(scale_factor, n))))


def _scaled(length: Size, factor: Value) -> Size:
    """`floor(length * factor)`; a factor such as 0.5 divides."""
    if isinstance(factor, Unknown) or factor is None:
        return Unknown("the scale is not known")
    if not isinstance(factor, float):
        return length * size(factor)
    if factor.is_integer():
        return length * as_dim(int(factor))
    if isinstance(length, Dim) and length.const is not None:
        return as_dim(int(length.const * factor))
    numerator, denominator = factor.as_integer_ratio()
    return length * as_dim(numerator) // as_dim(denominator)


@module(
    "Upsample UpsamplingNearest2d UpsamplingBilinear2d",
    "size=None, scale_factor=None, *args",
    flops=per_element(8),
    label="resize",
)
def upsample(layer: Module, input: Value) -> Shape:
    """The axes behind the channels get the given sizes, or are scaled."""
    return interpolate(input, layer["size"], layer["scale_factor"])


@rule("F.grid_sample", flops=per_element(8), label="sample at positions")
def grid_sample(input: Value, grid: Value, *args: Value, **options: Value) -> Shape:
    """`n c *, n *out 2 -> n c *out`."""
    image, positions = known(input), known(grid)
    if len(image) != len(positions):
        raise ShapeError("rank", f"the image {Shape(image)} and the grid {Shape(positions)} must have the same rank")
    return Shape((*image[:2], *positions[1:-1]))


@rule("F.affine_grid", label="grid of positions")
def affine_grid(theta: Value, size: Value, align_corners: Value = None) -> Shape:
    """`n c h w -> n h w 2`."""
    n, _, *rest = sizes(size)
    return Shape((n, *rest, as_dim(len(rest))))


@rule("F,t.pixel_shuffle", kind="movement", label="channels to pixels")
def pixel_shuffle(input: Value, upscale_factor: Value) -> Shape:
    """`* c*r*r h w -> * c h*r w*r`."""
    return shuffled(tensor(input).shape, upscale_factor)


@rule("F,t.pixel_unshuffle", kind="movement", label="pixels to channels")
def pixel_unshuffle(input: Value, downscale_factor: Value) -> Shape:
    """`* c h*r w*r -> * c*r*r h w`."""
    return unshuffled(tensor(input).shape, downscale_factor)


@rule("F,t.channel_shuffle", kind="movement", label="reorder channels")
def channel_shuffle(input: Value, groups: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


def shuffled(shape: Shape, factor: Value) -> Shape:
    """The shape after `pixel_shuffle`."""
    r = size(factor)
    channels, height, width = shape.last(3)
    area = r * r
    if not isinstance(channels, Unknown) and not isinstance(area, Unknown) and (channels % area).const not in {None, 0}:
        raise ShapeError("shape", f"{area} does not divide the {channels} channels of {shape}")
    return shape.replace_last(3, channels // area, height * r, width * r)


def unshuffled(shape: Shape, factor: Value) -> Shape:
    """The shape after `pixel_unshuffle`."""
    r = size(factor)
    channels, height, width = shape.last(3)
    for length in (height, width):
        if isinstance(length, Dim) and isinstance(r, Dim) and r.terms and (length % r).const not in {None, 0}:
            raise ShapeError("shape", f"{r} does not divide {length} of {shape}")
    return shape.replace_last(3, channels * r * r, height // r, width // r)
