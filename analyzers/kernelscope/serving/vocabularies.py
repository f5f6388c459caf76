"""What the parts of a system say to each other: topics that are published on, and kinds of messages.

`COMMANDS = Topic("commands", …)` several times in a file; `Message = Chunk | Done | Failed`, classes of the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import last_name
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

TOPICS = {"topic", "topics", "channel", "stream", "subject", "exchange"}
"""Words of classes whose objects name what is published on."""
MESSAGES = {"message", "messages", "msg", "request", "response", "command", "commands", "event", "events", "packet",
            "frame"}  # fmt: skip
LEAST = 2
MOST_SHOWN = 24


def vocabularies(source: PythonSource) -> Iterator[Claim]:
    """The topics and the kinds of messages of a file."""
    if source.aside:
        return
    topics: dict[str, list[tuple[str, t.Stmt]]] = {}
    for statement in t.flat(source.module.body):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=func, args=[first, *_])) if TOPICS & set(
                words(last_name(func))
            ) and isinstance(literal(first), str):
                topics.setdefault(last_name(func), []).append((f"{name} = {literal(first)}", statement))
            case t.Assign(targets=[t.Name(id=name)], value=t.BinOp(op="|") as union) if MESSAGES & set(words(name)):
                kinds = _members(union)
                if len(kinds) >= LEAST and all(kind[:1].isupper() for kind in kinds):
                    value = f"messages: {name} is one of {', '.join(kinds[:MOST_SHOWN])}"
                    yield Claim(f"{name} kinds", value, (source.at(statement),))
            case _:
                pass
    for cls, rows in topics.items():
        if len(rows) >= LEAST:
            value = f"topics ({cls}): {', '.join(said for said, _ in rows[:MOST_SHOWN])}"
            yield Claim(f"{cls} names", value, tuple(source.at(node) for _, node in rows[:MOST_SHOWN]))


def _members(union: t.Expr) -> list[str]:
    if isinstance(union, t.BinOp) and union.op == "|":
        return [*_members(union.left), *_members(union.right)]
    return [last_name(union)]
