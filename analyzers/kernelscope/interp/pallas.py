"""Kernels of Pallas: `pallas_call` gives what `out_shape` says; its function sees the blocks that the specs cut.

Source: https://docs.jax.dev/en/latest/pallas/grid_blockspec.html. A size of None in a block is one index, without its
axis; without a spec, or without a block in it, the kernel sees the whole array.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kernelscope.dims import Dim
from kernelscope.interp.calls import call
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.jax_functions import leaves
from kernelscope.interp.open_shapes import spread
from kernelscope.interp.values import Arguments, External, Keywords, Number, Partial, Unpacked, Value, as_size, present
from kernelscope.tensor import DType, Shape, Tensor, Unknown

PALLAS = "jax.experimental.pallas."
CALLED, BLOCK = f"{PALLAS}pallas_call()", f"{PALLAS}BlockSpec()"
"""What `pallas_call(kernel, …)` and `BlockSpec(…)` give."""


def _pallas_call(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`pallas_call(kernel, out_shape, grid=…, in_specs=…, out_specs=…)`."""
    names = dict(zip(("kernel", "out_shape"), args, strict=False)) | kwargs
    return Partial(External(CALLED), (names.get("kernel"),), {key: v for key, v in names.items() if key != "kernel"})


def _called(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    kernel, *given = args
    outputs = present(kwargs.get("out_shape"))
    scheme = present(kwargs.get("grid_spec"))
    specs = {**(scheme.kwargs if isinstance(scheme, Partial) else {}), **kwargs}
    prefetched = specs.get("num_scalar_prefetch")
    ahead = getattr(as_size(prefetched), "const", None) or 0
    inputs = [*given[:ahead], *_blocks(given[ahead:], specs.get("in_specs"))]
    results = list(outputs) if isinstance(outputs, tuple | list) else [outputs]
    scratch = _listed(specs.get("scratch_shapes"))
    call(run, kernel, [*inputs, *_blocks(results, specs.get("out_specs")), *scratch], {}, span)
    return outputs if isinstance(outputs, Tensor | tuple | list) else Unknown("what the kernel writes is not known")


def _listed(value: Value) -> list[Value]:
    value = present(value)
    if value is None:
        return []
    return list(value) if isinstance(value, tuple | list) else [value]


def _blocks(arrays: Arguments, specs: Value) -> list[Value]:
    """Each array as the kernel sees it."""
    each = _listed(specs) or [None] * len(arrays)
    if len(each) != len(arrays):
        return [Unknown("the blocks of the kernel are not known")] * len(arrays)
    return [leaves(array, _cut(spec)) for array, spec in zip(arrays, each, strict=True)]


def _cut(spec: Value) -> Callable[[Value], Value]:
    """How a spec cuts an array into blocks."""
    parts = (*spec.args, *spec.kwargs.values()) if isinstance(spec, Partial) else ()
    block = next((v for v in parts if isinstance(v, tuple | list)), None)

    def cut(array: Value) -> Value:
        if not isinstance(array, Tensor) or (block is None and (spec is None or isinstance(spec, Partial))):
            return array
        if block is None:
            return array.with_shape(Shape.unknown("the block of the kernel is not known"))
        return array.with_shape(_shape([v for v in block if v is not None]))

    return cut


def _shape(values: Sequence[Value]) -> Shape:
    """The shape that sizes stand for; of unknown rank where some number of them is spread among others."""
    if any(isinstance(value, Unpacked) for value in values):
        return spread(values) or Shape.unknown("how many dims the block has is not known")
    sizes = map(as_size, values)
    return Shape(
        tuple(
            size if isinstance(size, Dim | Unknown) else Unknown("a size of the block is not known") for size in sizes
        )
    )


def _held(name: str) -> Callable[..., Value]:
    """A spec keeps what it is made with."""
    return lambda run, args, kwargs, span: Partial(External(name), tuple(args), dict(kwargs))


def _declared(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.ShapeDtypeStruct(shape, dtype)`, and memory such as `pltpu.VMEM(shape, dtype)`."""
    names = dict(zip(("shape", "dtype"), args, strict=False)) | kwargs
    shape, dtype = names.get("shape"), names.get("dtype")
    known = dtype if isinstance(dtype, DType) else Unknown("the dtype that is asked for is not known")
    if isinstance(shape, tuple | list):
        return Tensor(_shape(shape), known)
    return Tensor(shape if isinstance(shape, Shape) else Shape.unknown("sizes that are not known"), known)


def _loaded(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`pl.load(ref, index)`."""
    from kernelscope.interp.attributes import subscript

    return subscript(run, args[0], args[1], span) if len(args) > 1 else Unknown("what is loaded is not known", span)


def _slice(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`pl.ds(start, size)`: so many from a start that may depend on the data."""
    size = as_size(args[1] if len(args) > 1 else kwargs.get("size"))
    return slice(None, size, None)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    f"{PALLAS}pallas_call": _pallas_call, CALLED: _called,
    f"{PALLAS}BlockSpec": _held(BLOCK), f"{PALLAS}GridSpec": _held(f"{PALLAS}GridSpec()"),
    f"{PALLAS}tpu.PrefetchScalarGridSpec": _held(f"{PALLAS}GridSpec()"),
    "jax.ShapeDtypeStruct": _declared, f"{PALLAS}tpu.VMEM": _declared, f"{PALLAS}tpu.SMEM": _declared,
    f"{PALLAS}load": _loaded, f"{PALLAS}ds": _slice, f"{PALLAS}dslice": _slice,
    f"{PALLAS}program_id": lambda *a: Number("the block of the grid", is_integer=True),
    f"{PALLAS}num_programs": lambda *a: Number("the size of the grid", is_integer=True),
}  # fmt: skip
"""Functions of Pallas by name."""
