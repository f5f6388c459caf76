"""What a declaration says of itself: help in `Annotated[T, "…"]`, in `Arg(help=…)`, in `field(metadata={"help": …})`.

Fields that say so become options of a command line, or are meant to be read by who sets them.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name
from kernelscope.syntax.python import tree as t

HELPS = ("description", "help", "doc", "title")
"""Keywords by which libraries take what a setting is for."""


def of_keywords(call: t.Call) -> str:
    """`Field(description="…")`, `field(metadata={"help": "…"})`."""
    given: dict[str | None, t.Expr] = {k.arg: k.value for k in call.keywords}
    held = given.get("metadata")
    if isinstance(held, t.Dict):
        keys = (key.value if isinstance(key, t.Constant) else None for key in held.keys)
        given |= {key: value for key, value in zip(keys, held.values, strict=True) if isinstance(key, str)}
    return next((said for name in HELPS if name in given and (said := _text(given[name]))), "")


def of_annotation(source: PythonSource, annotation: t.Expr | None) -> tuple[str, tuple[str, ...]]:
    """What `Annotated[T, …]` says beside the type, and the choices that it lists."""
    match annotation:
        case t.Subscript(value=head, slice=t.Tuple(elts=[_, *said])) if any(map(_describes, said)) or last_name(
            head
        ) in _annotated(source):
            pass
        case _:
            return "", ()
    text = next((found for part in said if (found := _said(part))), "")
    return text, next((found for part in said if (found := _choices(part))), ())


def _describes(part: t.Expr) -> bool:
    """Whether a part of an annotation is made with what a setting is for: no type is, whatever stands around it."""
    return isinstance(part, t.Call) and any(k.arg in HELPS or k.arg == "choices" for k in part.keywords)


def _annotated(source: PythonSource) -> Iterator[str]:
    """What a file calls `typing.Annotated`."""
    yield "Annotated"
    for statement in t.flat(source.module.body):
        match statement:
            case t.ImportFrom(names=names):
                yield from (alias.bound for alias in names if alias.name == "Annotated")
            case _:
                pass


def _said(part: t.Expr) -> str:
    if not isinstance(part, t.Call):
        return _text(part)
    return of_keywords(part)


def _choices(part: t.Expr) -> tuple[str, ...]:
    listed = next((k.value for k in part.keywords if k.arg == "choices"), None) if isinstance(part, t.Call) else None
    elements = listed.elts if isinstance(listed, t.List | t.Tuple | t.Set) else []
    return tuple(str(e.value) for e in elements if isinstance(e, t.Constant) and isinstance(e.value, str | int))


def _text(node: t.Expr) -> str:
    """A text, also one that is joined of several parts: of what is put in nothing is known."""
    match node:
        case t.Constant(value=str() as text):
            return " ".join(text.split())
        case t.BinOp(left=left, op="+", right=right):
            return f"{_text(left)} {_text(right)}".strip()
        case t.JoinedStr(values=values):
            return " ".join("".join(str(v.value) for v in values if isinstance(v, t.Constant)).split())
        case _:
            value = literal(node)
            return value if isinstance(value, str) else ""
