"""What opens at a brace of C++: the function, type or namespace that the text before it heads."""

from __future__ import annotations

import re

from kernelscope.workspace.cuda_text import KEYWORDS, closing, decoded

_NAME = re.compile(
    rb"(?P<name>(?>(?:~?[A-Za-z_]\w*(?:<[^<>;{}()]{0,200}>)?\s*::\s*)*)(?:operator\s*\W{1,3}|~?[A-Za-z_]\w*))\s*"
    rb"(?:<[^;{}()]{0,200}>\s*)?\("
)
_TYPE = re.compile(
    rb"\b(?:class|struct|union|enum)\b[^()=]*?\b(\w+)\s*(?:<[^;{}()]{0,400}>\s*)?"
    rb"(?:final\s*)?(?::[^:(){}][^(){}]*)?$"
)
_LAUNCH_BOUNDS = re.compile(rb"__launch_bounds__\s*\([^()]*\)")
_NAMESPACE = re.compile(rb"\s*(?:inline\s+)?namespace\b\s*((?>(?:\w+\s*(?:::\s*(?:inline\s+)?)?)*))\s*\Z")
_USED = re.compile(rb"\busing\s+(namespace\s+)?((?:::)?(?>(?:\w+::)*)\w++)\s*;")
MAX_TYPE_BYTES = 4_000
_BEHIND_PARAMETERS = (b"const", b"noexcept", b":", b"->", b"override", b"final", b"&", b"try", b"requires", b"mutable",
                      b"volatile")  # fmt: skip


def function_name(header: bytes) -> tuple[bytes, int] | None:
    """The name before the parameter list that ends a function's header, and its offset."""
    position = 0
    while match := _NAME.search(header, position):
        name = re.sub(rb"\s+", b"", match["name"])
        close = closing(header, match.end() - 1, len(header))
        if close is None:
            return None
        before = header[: match.start()].rstrip()
        if name not in KEYWORDS and not before.endswith((b"=", b".", b"->")):
            rest = header[close + 1 :].lstrip()
            if not rest or rest.startswith(_BEHIND_PARAMETERS):
                return name, match.end("name") - len(match["name"].rpartition(b"::")[2].lstrip())
        position = close + 1
    return None


def type_name(header: bytes) -> tuple[bytes, int] | None:
    """The name of the class, struct, union or enum that a header without its template opens, and its offset."""
    found = _TYPE.search(header.rstrip(), max(0, len(header) - MAX_TYPE_BYTES))
    return (found[1], found.start(1)) if found else None


def is_whole(header: bytes) -> bool:
    """Whether a directive behind a header parts it from what follows: not before a kernel's name has come, and not
    within its parameters."""
    if header.count(b"(") > header.count(b")"):
        return False
    kernel = header.rfind(b"__global__")
    return kernel < 0 or b"(" in _LAUNCH_BOUNDS.sub(b"", header[kernel:])


def opens_namespace(header: bytes) -> bool:
    """Whether declarations stand behind the brace: of a namespace, or `extern "C"`."""
    words = header.split(None, 2)
    return not words or (words[0] in (b"namespace", b"inline", b"extern") and b"(" not in header)


def used_names(text: bytes) -> tuple[str, ...]:
    """What using declarations and directives of a file make known: `a::f` and `a::*`."""
    found = (f"{decoded(match[2])}::*" if match[1] else decoded(match[2]) for match in _USED.finditer(text))
    return tuple(dict.fromkeys(name.removeprefix("::") for name in found if "::" in name))


def namespace_name(header: bytes) -> bytes | None:
    """The name of the namespace that a header opens, empty without one; None for anything else."""
    match = _NAMESPACE.match(header)
    return re.sub(rb"\s+", b"", match[1]) if match else None
