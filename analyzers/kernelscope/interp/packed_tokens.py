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
    module = run.workspace.modules.module(owner.path)
    if module is None or OFFSETS.search(module.text.data.decode(errors="replace")) is None:
        return False
    makers = [
        Definition(owner.path, scope.node.name, scope.node)
        for scope in module.classes()
        if isinstance(scope.node, t.ClassDef) and scope.node is not owner.node and _makes(scope.node, owner.name)
    ]
    return bool(makers) and all(_is_packed(run, maker, levels - 1) for maker in makers)


def _makes(cls: t.ClassDef, name: str) -> bool:
    return any(isinstance(n, t.Call) and isinstance(n.func, t.Name) and n.func.id == name for n in t.walk(*cls.body))


def _is_laid_flat(node: t.Node) -> bool:
    """Whether the places of tokens are put in a row here, so that they were not before: `positions.flatten()`."""
    match node:
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="flatten" | "ravel" | "view" | "reshape")):
            return name == PLACES
        case _:
            return False
