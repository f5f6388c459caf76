"""Pooling in one to three dimensions, also adaptive, as functions and layers.

`ceil_mode` lets a last window start inside the input or its left padding, as torch defines it.
"""

from __future__ import annotations

from kernelscope.dims import NO_FACTS
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, is_sequence, items, pair, size, tensor, under_windows
from kernelscope.ops.families import per_input
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.ops.torch.convolution import slid
from kernelscope.tensor import Shape, Size, Unknown, ceil_of

ONE, TWO = as_dim(1), as_dim(2)


def pooled(shape: Shape, n: int, kernel: Value, stride: Value, padding: Value, dilation: Value, ceil: Value) -> Shape:
    """The shape after pooling the last `n` axes; the stride is the kernel's size unless given."""
    under_windows(shape, n, NO_FACTS)
    widths = [size(v) for v in pair(kernel, n)]
    steps = widths if stride is None or stride == () else [size(v) for v in pair(stride, n)]
    pads = [size(v) for v in pair(padding, n)]
    holes = [size(v) for v in pair(dilation, n)]
    count = slid if ceil is False else _slid_ceil
    if not isinstance(ceil, bool):
        raise Lost("whether ceil_mode is on is not known")
    return shape.replace_last(n, *map(count, shape.last(n), widths, steps, pads, holes))


def _slid_ceil(length: Size, kernel: Size, stride: Size, padding: Size, dilation: Size) -> Size:
    count = ceil_of(length + padding * TWO - dilation * (kernel - ONE) - ONE, stride) + ONE
    numbers = [v.const for v in (count, stride, length, padding) if not isinstance(v, Unknown)]
    if len(numbers) == 4 and None not in numbers:
        windows, step, size_, pad = (n or 0 for n in numbers)
        return as_dim(windows - 1 if (windows - 1) * step >= size_ + pad else windows)
    if stride == kernel and padding == 0 and dilation == 1:
        return ceil_of(length, stride)
    return Unknown("with ceil_mode the number of windows depends on the exact sizes")


def adapted(shape: Shape, n: int, output: Value) -> Shape:
    """The shape after adaptive pooling: None keeps a size."""
    under_windows(shape, n, NO_FACTS)
    wanted = items(output) if is_sequence(output) else (output,) * n
    if len(wanted) == 1:
        wanted = wanted * n
    return shape.replace_last(
        n, *(old if new is None else size(new) for old, new in zip(shape.last(n), wanted, strict=True))
    )


def _declare(n: int) -> None:
    work = per_input(1)

    @rule(f"F,t.max_pool{n}d", name=f"max_pool{n}d", dtype=("input", "int64"), flops=work, label="largest of a window")
    def max_pool(
        input: Value,
        kernel_size: Value,
        stride: Value = None,
        padding: Value = 0,
        dilation: Value = 1,
        ceil_mode: Value = False,
        return_indices: Value = False,
    ) -> Shape | tuple[Shape, Shape]:
        shape = pooled(tensor(input).shape, n, kernel_size, stride, padding, dilation, ceil_mode)
        return (shape, shape) if return_indices is True else shape

    @rule(f"F{',t' if n == 1 else ''}.avg_pool{n}d", name=f"avg_pool{n}d", flops=work, label="mean of a window")
    def avg_pool(
        input: Value,
        kernel_size: Value,
        stride: Value = None,
        padding: Value = 0,
        ceil_mode: Value = False,
        *args: Value,
        **options: Value,
    ) -> Shape:
        return pooled(tensor(input).shape, n, kernel_size, stride, padding, 1, ceil_mode)

    @rule(f"F.adaptive_avg_pool{n}d", name=f"adaptive_avg_pool{n}d", flops=work, label="means to a given size")
    def adaptive_avg_pool(input: Value, output_size: Value) -> Shape:
        return adapted(tensor(input).shape, n, output_size)

    @rule(
        f"F.adaptive_max_pool{n}d",
        name=f"adaptive_max_pool{n}d",
        dtype=("input", "int64"),
        flops=work,
        label="largest to a given size",
    )
    def adaptive_max_pool(
        input: Value, output_size: Value, return_indices: Value = False
    ) -> Shape | tuple[Shape, Shape]:
        shape = adapted(tensor(input).shape, n, output_size)
        return (shape, shape) if return_indices is True else shape

    @module(
        f"MaxPool{n}d",
        "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False",
        dtype=("input", "int64"),
        flops=work,
        label="largest of a window",
    )
    def max_layer(layer: Module, input: Value) -> Shape | tuple[Shape, Shape]:
        return max_pool(
            input,
            layer["kernel_size"],
            layer["stride"],
            layer["padding"],
            layer["dilation"],
            layer["ceil_mode"],
            layer["return_indices"],
        )

    @module(
        f"AvgPool{n}d",
        "kernel_size, stride=None, padding=0, ceil_mode=False, *args",
        flops=work,
        label="mean of a window",
    )
    def avg_layer(layer: Module, input: Value) -> Shape:
        return avg_pool(input, layer["kernel_size"], layer["stride"], layer["padding"], layer["ceil_mode"])

    @module(f"AdaptiveAvgPool{n}d", "output_size", flops=work, label="means to a given size")
    def adaptive_avg_layer(layer: Module, input: Value) -> Shape:
        return adapted(tensor(input).shape, n, layer["output_size"])

    @module(
        f"AdaptiveMaxPool{n}d",
        "output_size, return_indices=False",
        dtype=("input", "int64"),
        flops=work,
        label="largest to a given size",
    )
    def adaptive_max_layer(layer: Module, input: Value) -> Shape | tuple[Shape, Shape]:
        return adaptive_max_pool(input, layer["output_size"], layer["return_indices"])


for _n in (1, 2, 3):
    _declare(_n)


@rule("F.lp_pool1d", flops=per_input(2), label="power mean of a window")
def lp_pool1d(
    input: Value, norm_type: Value, kernel_size: Value, stride: Value = None, ceil_mode: Value = False
) -> Shape:
    """As average pooling."""
    return pooled(tensor(input).shape, 1, kernel_size, stride, 0, 1, ceil_mode)


@rule("F.lp_pool2d", flops=per_input(2), label="power mean of a window")
def lp_pool2d(
    input: Value, norm_type: Value, kernel_size: Value, stride: Value = None, ceil_mode: Value = False
) -> Shape:
    """As average pooling."""
    return pooled(tensor(input).shape, 2, kernel_size, stride, 0, 1, ceil_mode)
