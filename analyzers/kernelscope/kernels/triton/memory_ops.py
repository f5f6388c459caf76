"""Loads, stores, atomics, block pointers and tensor descriptors: what moves, and through which parameter.

Reports every access; what it costs is told elsewhere.
"""

from __future__ import annotations

from kernelscope.kernels.triton.broadcasting import ONE, broadcast
from kernelscope.kernels.triton.call import OpCall, elem_of, sizes_of
from kernelscope.kernels.triton.values import BlockPointer, Const, Descriptor, Items, Sizes, Tensor, Unknown, Value


def _target(pointer: Value) -> Value:
    """The block that an access through `pointer` moves."""
    match pointer:
        case Tensor():
            elem = pointer.elem or (f"T({pointer.bases[0]})" if len(pointer.bases) == 1 else "")
            return Tensor(pointer.shape, elem)
        case BlockPointer() | Descriptor():
            return Tensor(pointer.shape, pointer.elem)
        case _:
            return Unknown("an access through something that is no known pointer")


def _through(call: OpCall, pointer: Value) -> None:
    """What an access says of the arguments behind it."""
    if isinstance(pointer, Tensor):
        call.report.is_pointer(pointer.bases)
        call.report.is_integer(pointer.inputs)


def load(call: OpCall) -> Value:
    pointer = call.get("pointer")
    _through(call, pointer)
    block = _target(pointer)
    if isinstance(block, Tensor) and isinstance(pointer, Tensor):
        mask = call.tensor("mask") if call.given("mask") else None
        shape = broadcast(block.shape, mask.shape) if mask is not None else block.shape
        other = call.tensor("other") if call.given("other") else None
        if other is not None and block.shape != ():
            broadcast(shape, other.shape)
        block = Tensor(_spread(block.shape, shape), block.elem)
    masked = call.given("mask") or call.given("boundary_check") or isinstance(pointer, Descriptor)
    call.report.access("load", pointer, block, masked)
    return block


def _spread(block: Sizes | None, masked: Sizes | None) -> Sizes | None:
    """The shape in which a pointer meets its mask; where the mask's size is not known, the pointer's."""
    if block is None or masked is None or len(block) != len(masked):
        return masked
    return tuple(other if other is not None or size == ONE else size for size, other in zip(block, masked, strict=True))


def store(call: OpCall) -> Value:
    pointer = call.get("pointer")
    _through(call, pointer)
    block = _target(pointer)
    value = call.tensor("value")
    if isinstance(block, Tensor) and value is not None and block.shape and value.shape:
        broadcast(block.shape, value.shape)
    masked = call.given("mask") or call.given("boundary_check") or isinstance(pointer, Descriptor)
    call.report.access("store", pointer, block, masked)
    return Const(None)


def atomic(call: OpCall) -> Value:
    pointer = call.get("pointer")
    _through(call, pointer)
    block = _target(pointer)
    call.report.access("atomic", pointer, block, call.given("mask"))
    return block


def atomic_cas(call: OpCall) -> Value:
    return atomic(call)


def _base(call: OpCall) -> tuple[str, str]:
    """(element type, parameter) of a `base` argument."""
    base = call.get("base")
    if not isinstance(base, Tensor):
        return "", ""
    call.report.is_pointer(base.bases)
    call.report.is_integer(base.inputs)
    name = base.bases[0] if base.bases else ""
    return base.elem or (f"T({name})" if len(base.bases) == 1 else ""), name


def _integers(call: OpCall, *names: str) -> None:
    for name in names:
        given = call.get(name)
        for item in given.items if isinstance(given, Items) else ():
            if isinstance(item, Tensor):
                call.report.is_integer(item.inputs)


def make_block_ptr(call: OpCall) -> Value:
    elem, name = _base(call)
    _integers(call, "shape", "strides", "offsets")
    sizes, steps = sizes_of(call.get("block_shape")), sizes_of(call.get("strides"))
    return BlockPointer(sizes, "int8" if elem == "int1" else elem, name, steps)


def make_descriptor(call: OpCall) -> Value:
    elem, name = _base(call)
    _integers(call, "shape", "strides")
    return Descriptor(sizes_of(call.get("block_shape")), elem, name)


def load_descriptor(call: OpCall) -> Value:
    pointer = call.get("desc")
    block = _target(pointer)
    call.report.access("load", pointer, block, True)
    return block


def store_descriptor(call: OpCall) -> Value:
    pointer = call.get("desc")
    call.report.access("store", pointer, _target(pointer), True)
    return Const(None)


def legacy_descriptor_load(call: OpCall) -> Value:
    """Through a pointer to a descriptor that the host made: only the load says what it describes."""
    block = Tensor(sizes_of(call.get("shape")), elem_of(call.get("dtype")))
    call.report.access("load", _described(call, block), block, True)
    return block


def legacy_descriptor_store(call: OpCall) -> Value:
    value = call.tensor("value")
    block = Tensor(value.shape, value.elem) if value is not None else Tensor(None)
    call.report.access("store", _described(call, block), block, True)
    return Const(None)


def _described(call: OpCall, block: Tensor) -> Value:
    """The descriptor behind a pointer to one."""
    pointer = call.get("desc")
    if not isinstance(pointer, Tensor):
        return pointer
    call.report.is_pointer(pointer.bases)
    return Descriptor(block.shape, block.elem, pointer.bases[0] if pointer.bases else "")


def descriptor_gather(call: OpCall) -> Value:
    pointer, rows = call.get("desc"), call.tensor("x_offsets")
    if isinstance(pointer, Descriptor) and pointer.shape and rows is not None and rows.shape:
        block = Tensor((rows.shape[0], *pointer.shape[1:]), pointer.elem)
        call.report.access("load", pointer, block, True)
        return block
    return Tensor(None)
