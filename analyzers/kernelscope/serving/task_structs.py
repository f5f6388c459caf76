"""Tasks of a megakernel that are structs: their number, what they wait for, how their instruction is laid out.

A struct with a constant that numbers kinds of work is a task; what its parts are called is quoted from the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import Claim
from kernelscope.serving.counters import Struct, said, structs
from kernelscope.serving.numbering import KINDS
from kernelscope.serving.sections import words

_FIELD = re.compile(rb"\b(\w+)\s*(?:\[\s*\w+\s*\]\s*)?=\s*(\d+\s*\*\s*)?[\w.>()-]*?(\w+)\s*(?:\(\s*\))?\s*"
                    rb"(?:\[\s*([^\]\n]+?)\s*\]|\+\s*(\d+))\s*;")  # fmt: skip
WORDS = {"instruction", "instr", "inst", "task", "descriptor", "command", "packet"}
"""Words of the array that a task reads its arguments from."""
NUMBERS = {"id", "code", "type", "number", "index"}
MOST_FIELDS = 16
MOST_PARTS = 8
MOST_CONSTANTS = 6


def task_structs(source: CSource) -> Iterator[Claim]:
    """One claim for each task of a file."""
    if source.aside:
        return
    found = structs(source)
    for struct in found:
        number = next((name for name in struct.constants if _numbers(name)), None)
        if number is None or _outer(struct, found) is not None:
            continue
        inner = [s for s in found if struct.start < s.start and s.end < struct.end]
        constants = [name for name in struct.constants if name != number][:MOST_CONSTANTS]
        value = f"{_names(struct)} is a kind of work: {number} = {_meant(struct, number)}"
        value += "".join(f", {name} = {_meant(struct, name)}" for name in constants)
        fields = [*_fields(source, struct)]
        if fields:
            listed = ", ".join(f"{name} = {at}" for name, at, _ in fields[:MOST_FIELDS])
            value += f"; its instruction holds {listed}"
        parts = [s.name for s in inner if _runs(source, s)][:MOST_PARTS]
        value += f"; parts that run by themselves: {', '.join(parts)}" if parts else ""
        places = [_start(struct), *(place for _, _, place in fields[:MOST_PARTS])]
        places[1:1] = [at for name in (number, *constants[:3]) if (at := _declared(source, struct, name)) is not None]
        yield Claim(f"{_names(struct)} task", value, tuple(source.at(place) for place in places))


def _numbers(name: str) -> bool:
    """Whether a constant says which kind of work something is: `opcode`, `TASK_TYPE`."""
    said_of = set(words(name))
    return bool(KINDS & said_of) and said_of <= KINDS | NUMBERS


def _names(struct: Struct) -> str:
    """The struct, with those that derive from it where it is a template of tasks."""
    return f"{struct.name} ({', '.join(d.name for d in struct.derived)})" if struct.derived else struct.name


def _meant(struct: Struct, name: str) -> str:
    """What a constant is; where the structs that derive from it differ, by each."""
    by = said(name, struct)
    return next(iter(by.values())) if len({*by.values()}) == 1 else ", ".join(f"{v} in {k}" for k, v in by.items())


def _outer(struct: Struct, found: list[Struct]) -> Struct | None:
    return next((s for s in found if s.start < struct.start and struct.end < s.end and s.constants), None)


def _fields(source: CSource, struct: Struct) -> Iterator[tuple[str, str, int]]:
    """`layer = instruction[1];`: what stands where in the words of a task, each name once."""
    seen: set[bytes] = set()
    for match in _FIELD.finditer(source.code, struct.start, struct.end):
        if match[1] in seen or not WORDS & set(words(match[3].decode())):
            continue
        seen.add(match[1])
        place = match[4].decode() if match[4] else f"from {match[5].decode()} on"
        factor = " ".join(match[2].decode().split()) + " " if match[2] else ""
        yield match[1].decode(), f"{factor}[{place}]", match.start()


def _runs(source: CSource, struct: Struct) -> bool:
    """Whether a struct has a function called `run`."""
    return any(f.name == "run" and struct.start < f.start < struct.end for f in source.functions)


def _start(struct: Struct) -> int:
    """Where the name of a struct stands."""
    return struct.source.code.rfind(b"struct", 0, struct.start)


def _declared(source: CSource, struct: Struct, name: str) -> int | None:
    found = re.compile(rb"\bconstexpr\s+\w+\s+" + name.encode() + rb"\b").search(source.code, struct.start, struct.end)
    return found.start() if found is not None else None
