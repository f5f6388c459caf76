"""Registers of kernels in a cubin, which is an ELF file: attributes that the compiler leaves for the driver.

Source: NVIDIA's `cuobjdump -elf` and `nvdisasm` name them `EIATTR_REGCOUNT`, one for each kernel, in `.nv.info`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MACHINE = 190
"""NVIDIA's GPUs, in the ELF header."""
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SIZED, _REGISTERS = 4, 0x2F
_OF_ALL = b".nv.info\0"
MAX_SECTIONS = 100_000
MAX_NAME = 10_000


@dataclass(frozen=True, slots=True)
class KernelRegisters:
    name: str
    """Mangled."""
    arch: str
    registers: int


def kernel_registers(data: bytes) -> tuple[KernelRegisters, ...]:
    """What a cubin says of its kernels; nothing where it is none, or is cut off."""
    try:
        return tuple(_registers(data))
    except (struct.error, ValueError, IndexError):
        return ()


def _registers(data: bytes) -> Iterator[KernelRegisters]:
    if data[:6] != b"\x7fELF\x02\x01":
        return
    header: tuple[int, ...] = _HEADER.unpack_from(data)[1:]
    _, machine, _, _, _, start, flags, _, _, _, size, count, names = header
    if machine != MACHINE or size != _SECTION.size or count > MAX_SECTIONS:
        return
    arch = f"sm_{flags >> 8 & 0xFF if data[8] >= 8 else flags & 0xFF}"  # moved in the eighth version of the format
    sections: list[tuple[int, ...]] = [_SECTION.unpack_from(data, start + size * i) for i in range(count)]
    for section in sections:
        if not data.startswith(_OF_ALL, sections[names][4] + section[0]):
            continue
        symbols = sections[section[6]]
        strings = sections[symbols[6]]
        for symbol, registers in _counts(data[section[4] : section[4] + section[5]]):
            name = _SYMBOL.unpack_from(data, symbols[4] + _SYMBOL.size * symbol)[0]
            yield KernelRegisters(_text(data, strings[4] + name), arch, registers)
        return  # there is one for all kernels


def _counts(attributes: bytes) -> Iterator[tuple[int, int]]:
    """Symbols of kernels with their registers."""
    at = 0
    while at + 4 <= len(attributes):
        form, kind, size = struct.unpack_from("<BBH", attributes, at)
        at += 4
        if form != _SIZED:
            continue
        if kind == _REGISTERS:
            yield struct.unpack_from("<II", attributes, at)
        at += size


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start, start + MAX_NAME)].decode("utf-8", "replace")
