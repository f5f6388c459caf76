"""Settings of C and C++ programs: fields set to numbers, tables of numbers by condition, options of the command line.

Assignments of literals alone; a chain of `if (x == 1) { a = 2; }` becomes one parameter with a row per branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import Claim
from kernelscope.serving.parameter import Parameter

MAX_ROWS = 24
_NUMBER = r"-?\d[\d.]*(?:[eE][-+]?\d+)?[fFuUlL]*"
_FIELD = re.compile(rf"(?:\b|\W)((?:\w+(?:->|\.))+(\w+))\s*=\s*({_NUMBER}|true|false)\s*;".encode())
_TYPE = r"(?:(?:const|static)\s+)*(?:int|float|double|size_t|bool|long)"
_LOCAL = re.compile(rf"(?m)^    {_TYPE}\s+(\w+)\s*=\s*({_NUMBER}|true|false)\s*;".encode())
_BRANCH = re.compile(rb"\bif\s*\(\s*(\w+)\s*==\s*(\w+)\s*\)\s*\{((?:\s*\w+\s*=\s*-?[\d.]+f?\s*;)+)\s*\}")
_OPTION = re.compile(rb"argv\[\w+\]\[1\]\s*==\s*'(.)'(?:\s*&&\s*argv\[\w+\]\[2\]\s*==\s*'(.)')?[^{};]*\{\s*(\w+)\s*=")
_SET = re.compile(r"(\w+)\s*=\s*([^;]+);")


def c_settings(source: CSource) -> Iterator[Parameter]:
    """Numbers that functions give to fields of structures and to the locals of `main`."""
    if source.aside:
        return
    for function in source.functions:
        if function.is_kernel or "&&" in function.parameters:
            continue  # what is moved from is left empty: these are no settings
        body = source.code[function.start : function.end]
        for match in _FIELD.finditer(body):
            offset = function.start + match.start(1)
            value = _value(match[3].decode())
            guards = source.guards(function, offset)
            owner = f"{function.name} ({match[1].decode()})" + (f" if {' and '.join(guards)}" if guards else "")
            yield Parameter(match[2].decode(), owner, "field", match[3].decode(), source.at(offset), value)
        if function.name == "main":
            options = _options(source, function.start, body)
            for match in _LOCAL.finditer(body):
                name = match[1].decode()
                offset = function.start + match.start(1)
                flag, place = options.get(name, ("", None))
                doc = f"set by the option -{flag}" if flag else ""
                overrides = (Claim(name, f"option -{flag}", (place,)),) if place else ()
                yield Parameter(name, "main", "option" if flag else "constant", match[2].decode(), source.at(offset),
                                _value(match[2].decode()), doc=doc, overrides=overrides)  # fmt: skip


def _options(source: CSource, start: int, body: bytes) -> dict[str, tuple[str, Location]]:
    """Variables that options of the command line set, by the letters that `argv` is compared with."""
    raw = source.text.data[start : start + len(body)]
    found: dict[str, tuple[str, Location]] = {}
    for match in _OPTION.finditer(raw):
        flag = (match[1] + (match[2] or b"")).decode("utf-8", "replace")
        found.setdefault(match[3].decode(), (flag, source.at(start + match.start())))
    return found


def _value(text: str) -> int | float | bool | None:
    if text in ("true", "false"):
        return text == "true"
    digits = text.rstrip("fFuUlL")
    try:
        return int(digits)
    except ValueError:
        try:
            return float(digits)
        except ValueError:
            return None


def c_tables(source: CSource) -> Iterator[Claim]:
    """Chains of branches on one variable that only set numbers: one claim with a row each."""
    for function in source.functions:
        rows: dict[str, list[tuple[str, str, Location]]] = {}
        for match in _BRANCH.finditer(source.code, function.start, function.end):
            sets = ", ".join(f"{n} = {v.strip()}" for n, v in _SET.findall(match[3].decode()))
            rows.setdefault(match[1].decode(), []).append((match[2].decode(), sets, source.at(match.start())))
        for subject, entries in rows.items():
            if len(entries) < 2:
                continue
            text = "; ".join(f"{subject} {key}: {sets}" for key, sets, _ in entries[:MAX_ROWS])
            places = (source.at(function.name_start), *(place for _, _, place in entries[-MAX_ROWS:]))
            yield Claim(f"{function.name} by {subject}", text, places)
