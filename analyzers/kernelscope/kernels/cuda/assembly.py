"""What inline assembly does: its PTX instructions, with sizes that stand among its operands.

PTX ISA, "cp.async": the size is a number in the instruction, or a constant operand (`"n"`) that it names by its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tree_sitter import Node

from kernelscope.kernels.cuda.intrinsics import Effect, ptx_effects
from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import walk
from kernelscope.syntax.cuda.source import CudaSource

_COPIED = re.compile(r"cp\.async\.ca\.[\w.:]*\s+\[[^\]]*\]\s*,\s*\[[^\]]*\]\s*,\s*(%?\d+)")
_CONSTANT = re.compile(r'"n"\s*(?=\()')
_OPERANDS = ("gnu_asm_output_operand", "gnu_asm_input_operand")


def assembly_effects(source: CudaSource, node: Node, number: Callable[[str], int | None]) -> list[Effect]:
    """The effects of one statement; `number` says what an expression of constants comes to."""
    code = node.child_by_field_name("assembly_code")
    if code is None:
        return []
    text = " ".join(
        part.partition('"')[2].rpartition('"')[0].replace("\\n", " ").replace("\\t", " ")
        for part in re.findall(r'"(?:[^"\\]|\\.)*"', source.text(code))
    )
    found = ptx_effects(text)
    size = _COPIED.search(text)
    value = _operand(source, node, size[1], number) if size is not None else None
    told = f"cp.async {value} B"
    return [replace(effect, text=told) if value and effect.text == "cp.async" else effect for effect in found]


def constant_operand(text: str, begin: int) -> str:
    """The first constant operand, `"n"(N)`, behind a place in an assembly's text; empty where it has none."""
    following = text.find("asm", begin)
    operand = _CONSTANT.search(text, begin, following if following >= 0 else len(text))
    close = closing(text.encode("latin-1", "replace"), operand.end()) if operand is not None else None
    return text[operand.end() + 1 : close].strip() if operand is not None and close is not None else ""


def _operand(source: CudaSource, node: Node, written: str, number: Callable[[str], int | None]) -> int | None:
    """A number that an instruction has, or the operand that it names."""
    if not written.startswith("%"):
        return int(written)
    operands = [child for kind in _OPERANDS for child in walk(node) if child.type == kind]
    place = int(written[1:])
    value = operands[place].child_by_field_name("value") if place < len(operands) else None
    return number(source.text(value)) if value is not None else None
