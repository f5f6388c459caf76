"""Fourier transforms and complex numbers as pairs of reals."""

from __future__ import annotations

from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, integer, is_sequence, items, known, size, tensor, with_dims
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown
from kernelscope.tensor.dtypes import complex_of

ONE, TWO = as_dim(1), as_dim(2)


def _resized(shape: Shape, n: Value, dim: Value) -> Shape:
    return shape if n is None else shape.with_size(integer(dim), size(n))


def _half(length: Size) -> Size:
    return length // TWO + ONE


@rule("fft.fft fft.ifft", dtype="complex", name="fft", label="Fourier transform")
def fft(input: Value, n: Value = None, dim: Value = -1, norm: Value = None) -> Shape:
    """Same shape, or `n` along the axis."""
    return _resized(tensor(input).shape, n, dim)


@rule("fft.rfft", dtype="complex", label="Fourier transform of reals")
def rfft(input: Value, n: Value = None, dim: Value = -1, norm: Value = None) -> Shape:
    """`n//2 + 1` along the axis."""
    shape = tensor(input).shape
    at = integer(dim)
    return shape.with_size(at, _half(shape.size(at) if n is None else size(n)))


@rule("fft.irfft fft.hfft", dtype="real", name="irfft", label="inverse transform to reals")
def irfft(input: Value, n: Value = None, dim: Value = -1, norm: Value = None) -> Shape:
    """`n`, by default `2*(m - 1)`, along the axis."""
    shape = tensor(input).shape
    at = integer(dim)
    return shape.with_size(at, (shape.size(at) - ONE) * TWO if n is None else size(n))


def _axes(dim: Value, count: Value, default: int) -> tuple[int, ...]:
    if dim is None:
        if default == 0:
            raise Lost("which axes are transformed is not said")
        return tuple(range(-default, 0)) if count is None else tuple(range(-len(items(count)), 0))
    return tuple(integer(d) for d in items(dim)) if is_sequence(dim) else (integer(dim),)


def _resized_all(shape: Shape, s: Value, axes: tuple[int, ...]) -> Shape:
    for at in axes:
        shape.size(at)  # raises where the axis does not exist
    if s is not None:
        for at, length in zip(axes, items(s), strict=True):
            shape = shape.with_size(at, size(length))
    return shape


@rule("fft.fft2 fft.ifft2", dtype="complex", name="fft2", label="Fourier transform of two axes")
def fft2(input: Value, s: Value = None, dim: Value = (-2, -1), norm: Value = None) -> Shape:
    """Same shape, or `s` along the axes."""
    return _resized_all(tensor(input).shape, s, _axes(dim, s, 2))


@rule("fft.rfft2", dtype="complex", label="Fourier transform of two real axes")
def rfft2(input: Value, s: Value = None, dim: Value = (-2, -1), norm: Value = None) -> Shape:
    """`n//2 + 1` along the last of the axes."""
    axes = _axes(dim, s, 2)
    shape = _resized_all(tensor(input).shape, s, axes)
    return shape.with_size(axes[-1], _half(shape.size(axes[-1])))


@rule("fft.irfft2", dtype="real", label="inverse transform of two axes to reals")
def irfft2(input: Value, s: Value = None, dim: Value = (-2, -1), norm: Value = None) -> Shape:
    """`s`, by default `2*(m - 1)`, along the last of the axes."""
    axes = _axes(dim, s, 2)
    shape = _resized_all(tensor(input).shape, s, axes)
    if s is not None:
        return shape
    return shape.with_size(axes[-1], (shape.size(axes[-1]) - ONE) * TWO)


@rule("fft.fftn fft.ifftn", dtype="complex", name="fftn", label="Fourier transform of several axes")
def fftn(input: Value, s: Value = None, dim: Value = None, norm: Value = None) -> Shape:
    """Same shape, or `s` along the axes."""
    shape = tensor(input).shape
    return shape if s is None and dim is None else _resized_all(shape, s, _axes(dim, s, 1))


@rule("fft.rfftn", dtype="complex", label="Fourier transform of several real axes")
def rfftn(input: Value, s: Value = None, dim: Value = None, norm: Value = None) -> Shape:
    """`n//2 + 1` along the last of the axes."""
    axes = _axes(dim, s, 1)
    shape = _resized_all(tensor(input).shape, s, axes)
    return shape.with_size(axes[-1], _half(shape.size(axes[-1])))


@rule("fft.irfftn", dtype="real", label="inverse transform of several axes to reals")
def irfftn(input: Value, s: Value = None, dim: Value = None, norm: Value = None) -> Shape:
    """`s`, by default `2*(m - 1)`, along the last of the axes."""
    axes = _axes(dim, s, 1)
    shape = _resized_all(tensor(input).shape, s, axes)
    if s is not None:
        return shape
    return shape.with_size(axes[-1], (shape.size(axes[-1]) - ONE) * TWO)


@rule("fft.fftshift fft.ifftshift", name="fftshift", kind="movement", label="move the zero frequency")
def fftshift(input: Value, dim: Value = None) -> Shape:
    """Same shape."""
    return tensor(input).shape


@rule("fft.fftfreq", dtype="new", kind="movement", label="frequencies")
def fftfreq(n: Value, d: Value = 1.0, *, dtype: Value = None, **options: Value) -> Shape:
    """`n` numbers."""
    return Shape((size(n),))


@rule("fft.rfftfreq", dtype="new", kind="movement", label="frequencies of reals")
def rfftfreq(n: Value, d: Value = 1.0, *, dtype: Value = None, **options: Value) -> Shape:
    """`n//2 + 1` numbers."""
    return Shape((_half(size(n)),))


@rule("t.view_as_real", dtype="real", kind="view", label="complex numbers as pairs")
def view_as_real(input: Value) -> Shape:
    """A new last axis of 2."""
    return tensor(input).shape.replace_last(0, TWO)


@rule("t.view_as_complex", dtype="complex", kind="view", label="pairs as complex numbers")
def view_as_complex(input: Value) -> Shape:
    """Drops the last axis, which must be 2."""
    shape = tensor(input).shape
    last = shape.size(-1)
    if not isinstance(last, Unknown) and last.const not in {None, 2}:
        raise ShapeError("shape", f"the last size must be 2, got {shape}")
    return shape.replace_last(1)


@rule("t.real t.imag", dtype="real", kind="view", name="real", label="one part of complex numbers")
def real(input: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


@rule("t,T.stft", label="short-time Fourier transform")
def stft(
    input: Value,
    n_fft: Value,
    hop_length: Value = None,
    win_length: Value = None,
    window: Value = None,
    center: Value = True,
    pad_mode: Value = "reflect",
    normalized: Value = False,
    onesided: Value = None,
    return_complex: Value = None,
) -> Value:
    """`* samples -> * n_fft//2+1 frames`, complex or with an axis of 2."""

    value = tensor(input)
    dims = with_dims(input, 1, 2).dims or known(input)
    if onesided is False or not isinstance(center, bool):
        raise Lost("options of the transform that are not followed")
    width = size(n_fft)
    hop = width // as_dim(4) if hop_length is None else size(hop_length)
    samples = dims[-1] + (width // TWO) * TWO if center else dims[-1]
    shape = Shape((*dims[:-1], _half(width), (samples - width) // hop + ONE))
    if return_complex is True:
        return Tensor(shape, value.dtype if isinstance(value.dtype, Unknown) else complex_of(value.dtype), value.place)
    return Tensor(shape.replace_last(0, TWO), value.dtype, value.place)


@rule("t,T.istft", dtype="real", label="inverse of the short-time Fourier transform")
def istft(
    input: Value,
    n_fft: Value,
    hop_length: Value = None,
    win_length: Value = None,
    window: Value = None,
    center: Value = True,
    normalized: Value = False,
    onesided: Value = None,
    length: Value = None,
    return_complex: Value = False,
) -> Shape:
    """`* n_fft//2+1 frames -> * samples`: so many as the frames cover, without what was padded, or `length`."""
    dims = with_dims(input, 2, 3).dims or known(input)
    if length is not None:
        return Shape((*dims[:-2], size(length)))
    if not isinstance(center, bool):
        raise Lost("options of the transform that are not followed")
    width = size(n_fft)
    hop = width // as_dim(4) if hop_length is None else size(hop_length)
    covered = width + (dims[-1] - ONE) * hop
    return Shape((*dims[:-2], covered - (width // TWO) * TWO if center else covered))


@rule("fft.ihfft", dtype="complex", label="inverse transform of a real spectrum")
def ihfft(input: Value, n: Value = None, dim: Value = -1, norm: Value = None) -> Shape:
    """`n//2 + 1` along the axis."""
    return rfft(input, n, dim)
