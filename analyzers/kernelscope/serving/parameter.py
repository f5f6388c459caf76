"""A declared parameter: what it is called, of what, with which default, and what changes it later."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, Literal, PythonSource
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.files import PYTHON_SUFFIXES

CONFIGURED = {"config", "cfg", "configuration", "args", "arguments", "options", "settings"}
"""Words of what holds settings."""
CHOSEN = "set at import"
"""Of a value that a module chooses for a name in a branch."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: where it is declared, with which default, and what changes it later.

    `kind`: field, computed (from fields), argument, option, environment, constant or define. `value` is the literal
    default or None where `expression` (the source) is not a literal; `choices` come from Literal types and `choices=`.
    """

    name: str
    owner: str
    kind: str
    expression: str
    location: Location
    value: Literal = None
    annotation: str = ""
    doc: str = ""
    choices: tuple[str, ...] = ()
    overrides: tuple[Claim, ...] = field(default=())
    is_described: bool = False
    """Whether its declaration itself says what it is for, as that of an option does."""
    listed_at: tuple[Location, ...] = ()
    """Where the choices are listed if that is elsewhere, and where else it is declared alike."""

    @property
    def type_name(self) -> str:
        """What its annotation names, but for that it may be missing: `Optional[Way]`, `Way | None`."""
        return self.annotation.removeprefix("Optional[").removesuffix("]").removesuffix("| None").strip(" '\"")

    @property
    def default(self) -> str:
        """The default in words: `default 16`, `has no default`; what a method works out: `is self.size // 2`."""
        text = self.expression if self.value in (None, "") else str(self.value)
        if self.kind == "computed":
            return f"is {text}"
        return f"default {text}" if text else "has no default"

    @property
    def is_bare(self) -> bool:
        """Whether it is a field that says nothing but its type: outside of a configuration, or in C++."""
        says = self.expression or self.choices or self.overrides
        is_required = self.is_of_configuration and self.location.path.suffix in PYTHON_SUFFIXES
        return self.kind == "field" and not says and not is_required

    @property
    def is_of_configuration(self) -> bool:
        """Whether its owner is a configuration, by its name."""
        return bool(CONFIGURED & set(words(self.owner)))


def is_telling(value: object) -> bool:
    """A number that somebody chose: not where counting begins, and no sign of nothing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value not in (0, 1, -1)


def comment_of(source: PythonSource, node: t.Node) -> str:
    """The comment on the node's line, or the ones alone above it."""
    comments = source.module.comments
    line = source.at(node).line
    if (trailing := comments.get(line)) is not None and not trailing.alone:
        return trailing.text.lstrip("#: ")
    above: list[str] = []
    while (comment := comments.get(line - 1)) is not None and comment.alone and len(above) < 4:
        if any(c.isalnum() for c in comment.text):  # else a line that parts
            above.insert(0, comment.text.lstrip("#: "))
        line -= 1
    return " ".join(above)
