"""The definitions of one file as a tree of symbols, from its facts.

What a symbol means to the user is shown elsewhere; here are names, kinds, spans and decorators.
"""

from __future__ import annotations

import re
from pathlib import Path

from kernelscope.results import Span, Symbol, SymbolKind
from kernelscope.workspace.facts import TOP, Def, DefKind, FileFacts

MAX_NESTING = 100
"""What is nested deeper stands beside what it is in: clients take a tree apart level by level, as we do."""

SYMBOL_KINDS: dict[DefKind, SymbolKind] = {
    DefKind.FUNCTION: SymbolKind.FUNCTION,
    DefKind.CLASS: SymbolKind.CLASS,
    DefKind.METHOD: SymbolKind.METHOD,
    DefKind.VARIABLE: SymbolKind.CONSTANT,
    DefKind.FIELD: SymbolKind.FIELD,
    DefKind.CUDA_KERNEL: SymbolKind.KERNEL,
    DefKind.CUDA_FUNCTION: SymbolKind.FUNCTION,
    DefKind.STRUCT: SymbolKind.STRUCT,
    DefKind.MACRO: SymbolKind.MACRO,
    DefKind.MODULE: SymbolKind.MODULE,
    DefKind.LAMBDA: SymbolKind.FUNCTION,
}

_KERNEL_DECORATOR = re.compile(r"^@\s*(?:[\w.]+\.)?jit\b", re.MULTILINE)


def is_jitted(definition: Def) -> bool:
    """Whether a function stands under a `jit` decorator, as Triton kernels do."""
    return definition.detail.startswith("@") and _KERNEL_DECORATOR.search(definition.detail) is not None


def outline(path: str, facts: FileFacts) -> tuple[Symbol, ...]:
    """The tree of definitions in source order."""
    children: dict[int, list[int]] = {}
    levels, holders = {TOP: 0}, dict[int, int]()
    for index, definition in sorted(enumerate(facts.defs), key=lambda entry: (entry[1].start, -entry[1].end)):
        if definition.kind is not DefKind.LAMBDA:
            around = definition.scope
            if levels.get(around, 0) >= MAX_NESTING:
                around = holders[around]
            levels[index], holders[index] = levels.get(around, 0) + 1, around
            children.setdefault(around, []).append(index)
    made: dict[int, Symbol] = {}
    order: list[int] = []
    todo = list(children.get(TOP, []))
    while todo:
        index = todo.pop()
        order.append(index)
        todo.extend(children.get(index, []))
    file = Path(path)
    for index in reversed(order):
        inner = tuple(made.pop(child) for child in children.get(index, []))
        made[index] = _symbol(file, facts, facts.defs[index], inner)
    return tuple(made[index] for index in children.get(TOP, []))


def _symbol(path: Path, facts: FileFacts, definition: Def, children: tuple[Symbol, ...]) -> Symbol:
    container = facts.defs[definition.scope].name if definition.scope != TOP else ""
    kind = SymbolKind.KERNEL if is_jitted(definition) else SYMBOL_KINDS[definition.kind]
    selection = Span(definition.name_start, definition.name_start + len(definition.name.encode()))
    start = min(definition.start, selection.start)
    span = Span(start, max(definition.end, selection.end))
    return Symbol(definition.name, kind, path, span, selection, container, _detail(definition), children)


def _detail(definition: Def) -> str:
    lines = [line for line in definition.detail.split("\n") if line.startswith("@")]
    return " ".join(line.partition("(")[0] for line in lines)
