"""Modules whose tokens lie in a row, those of all sequences behind one another, as servers and packed batches do it.

Their forward must be given the place of every token beside the tokens, or where each sequence begins. vLLM, SGLang and
what is made after them do the first, who calls kernels for sequences of any lengths the second.
"""

from __future__ import annotations

import re

from kernelscope.interp.annotations import is_optional
from kernelscope.interp.interpreter import Interpreter
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition

PLACES = "positions"
OFFSETS = re.compile(r"cu_seq_?len")
OFFSETS_IN_FILE = re.compile(OFFSETS.pattern.encode())
"""What begins so says where each sequence begins: the kernels call it so."""
MOST_LEVELS = 3
"""A module may be part of another, and that of one that tells, so often."""


def is_packed(run: Interpreter, function: Definition) -> bool:
    """Whether a method is of such a module, or of one that only such modules are made of."""
    owner = function.owner
    if owner is None:
        return False
    if owner.node not in run.packed:
        run.packed[owner.node] = _is_packed(run, owner, MOST_LEVELS)
    return run.packed[owner.node]


def _is_packed(run: Interpreter, owner: Definition, levels: int) -> bool:
    forward = run.classes.attribute(owner, "forward")
    node = forward.node if isinstance(forward, Definition) else None
    if not isinstance(node, t.FunctionDef):
        return False
    if _tells_beginnings(node):
        return True  # they may be None, where each sequence is one token
    places = next((p for p in node.args if p.name == PLACES), None)
    if places is not None and places.default is None and not is_optional(places.annotation):
        return not any(_is_laid_flat(found) for found in t.walk(*node.body))
    return levels > 0 and _is_part_of_packed(run, owner, levels)


def _tells_beginnings(node: t.FunctionDef) -> bool:
    return any(OFFSETS.match(param.name) and param.default is None for param in node.args)


def _is_part_of_packed(run: Interpreter, owner: Definition, levels: int) -> bool:
    """Whether the classes of the file that make such objects are all of packed modules that are told where sequences
    begin."""
    if owner.path not in run.makers:
        run.makers[owner.path] = _makers(run, owner.path)
    makers = [maker for maker in run.makers[owner.path].get(owner.name, ()) if maker.node is not owner.node]
    return bool(makers) and all(_is_packed(run, maker, levels - 1) for maker in makers)


def _makers(run: Interpreter, path: str) -> dict[str, list[Definition]]:
    """For each name that classes of a file call those classes, if it says of some tokens where sequences begin."""
    module = run.workspace.modules.module(path)
    found: dict[str, list[Definition]] = {}
    if module is None or OFFSETS_IN_FILE.search(module.text.data) is None:
        return found
    for scope in module.classes():
        if not isinstance(scope.node, t.ClassDef):
            continue
        calls = (n.func for n in t.walk(*scope.node.body) if isinstance(n, t.Call))
        maker = Definition(path, scope.node.name, scope.node)
        for name in dict.fromkeys(func.id for func in calls if isinstance(func, t.Name)):
            found.setdefault(name, []).append(maker)
    return found


def _is_laid_flat(node: t.Node) -> bool:
    """Whether the places of tokens are put in a row here, so that they were not before: `positions.flatten()`."""
    match node:
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="flatten" | "ravel" | "view" | "reshape")):
            return name == PLACES
        case _:
            return False
