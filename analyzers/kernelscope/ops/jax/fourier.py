"""Fourier transforms of jax.numpy.fft: those of torch, whose axes have another name where there are several.

Source: https://docs.jax.dev/en/latest/jax.numpy.fft.html.
"""

from __future__ import annotations

from kernelscope.ops.arguments import Value, tensor
from kernelscope.ops.registry import also, rule
from kernelscope.ops.torch import fourier
from kernelscope.tensor import Shape

also("fft", "jfft.fft jfft.ifft")
also("rfft", "jfft.rfft")
also("irfft", "jfft.irfft jfft.hfft")
also("fftfreq", "jfft.fftfreq")
also("rfftfreq", "jfft.rfftfreq")
LAST_TWO = (-2, -1)


@rule("jfft.fftshift jfft.ifftshift", kind="movement", label="move the zero frequency")
def shift(x: Value, axes: Value = None) -> Shape:
    """Same shape."""
    return tensor(x).shape


@rule("jfft.fftn jfft.ifftn", dtype="complex", label="Fourier transform of several axes")
def fftn(a: Value, s: Value = None, axes: Value = None, norm: Value = None) -> Shape:
    """Same shape, or `s` along the axes."""
    return fourier.fftn(a, s, axes)


@rule("jfft.fft2 jfft.ifft2", dtype="complex", label="Fourier transform of two axes")
def fft2(a: Value, s: Value = None, axes: Value = LAST_TWO, norm: Value = None) -> Shape:
    """Same shape, or `s` along the axes."""
    return fourier.fftn(a, s, axes)


@rule("jfft.rfftn", dtype="complex", label="Fourier transform of several real axes")
def rfftn(a: Value, s: Value = None, axes: Value = None, norm: Value = None) -> Shape:
    """`n//2 + 1` along the last of the axes."""
    return fourier.rfftn(a, s, axes)


@rule("jfft.rfft2", dtype="complex", label="Fourier transform of two real axes")
def rfft2(a: Value, s: Value = None, axes: Value = LAST_TWO, norm: Value = None) -> Shape:
    """`n//2 + 1` along the last of the axes."""
    return fourier.rfftn(a, s, axes)


@rule("jfft.irfftn", dtype="real", label="inverse transform of several axes to reals")
def irfftn(a: Value, s: Value = None, axes: Value = None, norm: Value = None) -> Shape:
    """`2*(m - 1)` along the last of the axes, or `s`."""
    return fourier.irfftn(a, s, axes)


@rule("jfft.irfft2", dtype="real", label="inverse transform of two axes to reals")
def irfft2(a: Value, s: Value = None, axes: Value = LAST_TWO, norm: Value = None) -> Shape:
    """`2*(m - 1)` along the last of the axes, or `s`."""
    return fourier.irfftn(a, s, axes)
