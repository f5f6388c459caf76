"""Which definition of a struct template arguments mean: the general one, or a specialisation for them.

Arguments are compared as they are written; where one may stand for anything, so may the struct.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kernelscope.syntax.cuda.declarations import Struct
from kernelscope.syntax.cuda.expressions import split_arguments

_SPACE = re.compile(r"\s+|(?<!\w)(?:const|typename|struct|class)\s+")


def meant(structs: Sequence[Struct], arguments: Sequence[str], is_known: Callable[[str], bool]) -> Struct | None:
    """The struct that arguments choose; None where an argument is open and the choice depends on it."""
    special = [struct for struct in structs if "<" in struct.name]
    general = next((struct for struct in structs if "<" not in struct.name), None)
    if not special:
        return general
    given = [_plain(argument) for argument in arguments]
    for struct in sorted(special, key=lambda s: len(s.templates)):
        wanted = [_plain(text) for text in split_arguments(struct.name.partition("<")[2].rpartition(">")[0])]
        if len(wanted) == len(given) and all(
            w in struct.templates or w == g for w, g in zip(wanted, given, strict=True)
        ):
            return struct if all(map(is_known, arguments)) or not struct.templates else None
    return general if all(map(is_known, arguments)) else None


def _plain(text: str) -> str:
    return _SPACE.sub("", text).removeprefix("::")
