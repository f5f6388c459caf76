"""What C++ gives to a variable, a parameter or a template that is launched or called later: `k = fast ? &a<T> : &b<T>`.

Names only, as they stand in the text; which of several runs is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.workspace.cuda_text import closing, launches, split_at_commas

_GIVEN = re.compile(rb"\b(\w++)\s*+=(?!=)([^;{}]{1,1000}+);")
_CASTS = re.compile(
    rb"(?:reinterpret_cast|static_cast|const_cast)\s*<[^<>;]{0,200}>|\(\s*(?:const\s+)?\w+\s*\*\s*\)|\bdecltype\s*\("
)
_AROUND = b" \t\r\n()&"
_NAME = re.compile(rb"(?>(?:\w+::)*)[A-Za-z_]\w*+\Z")
_CHOICE = re.compile(rb"\?|(?<!:):(?!:)")
_LAMBDA = re.compile(rb"\bauto\b[\s&]*(\w+)\s*=\s*\[[^\[\]]{0,200}\]\s*(?:\(([^(){}]{0,400})\))?")
_PARAMETER = re.compile(rb"\(\s*[*&]\s*(\w+)\s*\)\s*\(|(\w+)\s*(?:\[[^\]]*\]\s*)?(?:=.*)?\Z", re.DOTALL)
_VARIABLE = re.compile(rb"[\w>*&]\s+(\w++)\s*+(?=[=,;>)\[])")
_RAW_STRING = re.compile(rb'R"([^\s()\\]{0,16})\((.*?)\)\1"', re.DOTALL)
_INSTANCE = re.compile(rb"&\s*((?>(?:\w+::)*)[A-Za-z_]\w*+)\s*<")
_FUNCTION_LIKE = re.compile(rb"(?>(?:\w+::)*)[a-z]\w{3,}+\Z")
_LAUNCHED = re.compile(
    rb"\b(\w++)\s*+<<<"
    rb"|\b(?:cuda|hip)Launch\w*\s*\(\s*(?:&\w+\s*,\s*)?"
    rb"(?:\(\s*(?:const )?void\s*\*\s*\)\s*|reinterpret_cast\s*<[^<>]{0,99}>\s*\(\s*)?(\w+)\s*\)?\s*,"
)


def launched_names(text: bytes) -> frozenset[bytes]:
    """Plain names that launches of a file start, kernels and variables alike."""
    found = _LAUNCHED.findall(text) if launches(text) else []
    return frozenset(name for names in found for name in names if name)


def without_casts(text: bytes) -> bytes:
    """An expression without casts, brackets and `&` around it: `f<T>` of `reinterpret_cast<void*>(&f<T>)`."""
    return _CASTS.sub(b"", text).strip(_AROUND)


def chosen(text: bytes, launched: frozenset[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    """Variables that are launched and given one of several: variable, name and place of each that it may hold."""
    for match in _GIVEN.finditer(text) if b"?" in text and launched else ():
        if match[1] not in launched or b"?" not in match[2]:
            continue
        for choice in _CHOICE.finditer(match[2]):
            part = _CHOICE.split(match[2][choice.end() :], 1)[0]
            name = without_casts(part).partition(b"<")[0].rstrip()
            if _NAME.match(name):
                yield match[1], name, text.find(name, match.start(2) + choice.end())


def lambda_parameters(text: bytes) -> dict[bytes, tuple[bytes, ...]]:
    """The lambdas that variables hold, with the names of their parameters."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    for match in _LAMBDA.finditer(text):
        written = split_at_commas(match[2]) if match[2] else []
        found[match[1]] = tuple(re.sub(rb".*?(\w*)\s*\Z", rb"\1", part, flags=re.DOTALL) for part in written)
    return found


def template_functions(arguments: bytes, variables: frozenset[bytes]) -> Iterator[bytes]:
    """Those of a call's template arguments that may be functions: no types of the language, and no variables here."""
    for argument in split_at_commas(arguments):
        name = argument.strip(_AROUND)
        if _FUNCTION_LIKE.match(name) and not name.endswith(b"_t") and name not in variables:
            yield name


def parameter_names(text: bytes, opening: int) -> list[bytes]:
    """The names of the parameters between brackets; empty for those without one."""
    close = closing(text, opening)
    if close is None:
        return []
    matches = (_PARAMETER.search(part) for part in split_at_commas(text[opening + 1 : close]))
    return [(match[1] or match[2]) if match else b"" for match in matches]


def variables(text: bytes) -> frozenset[bytes]:
    """Names that a file declares something by that is no function."""
    return frozenset(_VARIABLE.findall(text))


def kernels_in_strings(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Names of template instances in source that a file holds as a raw string, to compile it when it runs."""
    for source in _RAW_STRING.finditer(data) if b'R"' in data else ():
        if b"#include" in source[2]:
            for match in _INSTANCE.finditer(source[2]):
                yield match[1], source.start(2) + match.start(1)
