"""Registers that a cubin near the source tells, read from a small one that is made here."""

from __future__ import annotations

import struct
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.kernels.cuda.cubins import kernel_registers
from kernelscope.results import Target

KERNEL = "_Z7doubledPf"


def cubin(registers: int, flags: int, version: int) -> bytes:
    """An ELF file with one kernel's symbol and the attribute that counts its registers."""
    names = b"\0.shstrtab\0.strtab\0.symtab\0.nv.info\0"
    strings = b"\0" + KERNEL.encode() + b"\0"
    symbols = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0) + struct.pack("<IBBHQQ", 1, 0x12, 0, 0, 0, 0)
    info = struct.pack("<BBH", 3, 0x1B, 255)  # an attribute without a size, before the one that is wanted
    info += struct.pack("<BBHII", 4, 0x2F, 8, 1, registers)
    bodies = [b"", names, strings, symbols, info]
    links = [0, 0, 0, 2, 3]
    offset, places = 64, list[int]()
    for body in bodies:
        places.append(offset)
        offset += len(body)
    named = [0, *(names.index(name) for name in (b".shstrtab", b".strtab", b".symtab", b".nv.info"))]
    sections = b"".join(
        struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, place, len(body), link, 0, 1, 0)
        for name, place, body, link in zip(named, places, bodies, links, strict=True)
    )
    ident = b"\x7fELF\x02\x01\x01\x41" + bytes([version]) + bytes(7)
    head = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, 190, 1, 0, 0, offset, flags, 64, 0, 0, 64, len(bodies), 1)
    return head + b"".join(bodies) + sections


def test_a_card_tells_the_registers_of_a_cubin_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "k.cu"
    source.write_text("__global__ void doubled(float *x) { x[threadIdx.x] *= 2; }\n"
                      "void run(float *x) { doubled<<<1, 256>>>(x); }\n")  # fmt: skip
    (tmp_path / "k.cubin").write_bytes(cubin(40, 0x6005A04, 8))
    analysis = Analysis([tmp_path])
    analysis.index()
    card = to_text(analysis.document("explain", Target(source, source.read_text().index("doubled")))).text
    assert "Registers                `ptxas` 40 on sm_90 (`k.cubin`)" in card
    assert "6 blocks/SM = 48/64 warps = 75% on sm_90, limited by registers" in card


def test_both_versions_of_the_format_tell_the_architecture() -> None:
    assert [(k.name, k.arch, k.registers) for k in kernel_registers(cubin(24, 0x50055A, 7))] == [(KERNEL, "sm_90", 24)]
    assert [k.arch for k in kernel_registers(cubin(24, 0x6006402, 8))] == ["sm_100"]


def test_a_file_that_is_cut_off_or_is_none_tells_nothing() -> None:
    whole = cubin(24, 0x50055A, 7)
    for length in range(0, len(whole), 7):
        assert kernel_registers(whole[:length]) == ()
    assert kernel_registers(b"ptxas info") == ()
