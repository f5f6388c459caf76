"""A model's architecture: a picture from afar, its parts as a tree, and a table of what each is built from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from kernelscope.explain.document import Block, Document, Heading, Line, Picture, Region, Table
from kernelscope.explain.model_picture import model_picture
from kernelscope.explain.targets import PythonTarget, class_of
from kernelscope.explain.traced import SeenIn
from kernelscope.graph.module_tree import ModuleTrees, Part
from kernelscope.results import Target, UserError, ViewOptions
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

ARGUMENTS_ROOM = 24
"""Columns of a row of the tree that arguments have at least, whatever the condition behind them."""
PICTURED = 2
"""Models of a file that get a picture, the largest first; each is followed through its forward."""


def architecture(
    workspace: Workspace, found: PythonTarget, seen_in: SeenIn, options: ViewOptions, target: Target
) -> Document:
    """The architecture of the class at a target, or of every model of a file that no other part of it contains."""
    trees = ModuleTrees(workspace.modules, workspace.classes, workspace.instances)
    if found.scope is not None:
        scope = class_of(found)
        cls = Definition(str(found.path), scope.node.name, scope.node)
        if not workspace.classes.is_module(cls):
            raise UserError(f"{scope.qualified_name} is not a module: it derives from no framework's module class")
        roots = [trees.tree(cls)]
    else:
        roots = top_models(workspace, found)
        if not roots:
            raise UserError(f"{found.path.name} defines no model")
    blocks: list[Block] = []
    told: dict[str, tuple[Part, ...]] = {}
    for number, root in enumerate(roots):
        if len(roots) > 1:
            blocks.append(Heading(root.class_name, location=root.location))
        if number < PICTURED and root.definition is not None:
            blocks += model_picture(workspace, root.definition, root.location, seen_in, options)
        listed = frozenset(told)
        blocks.append(part_tree(root, options.width, told))
        if (table := part_table(root, listed)).rows:
            blocks.append(table)
    title = f"Architecture of {roots[0].class_name}" if len(roots) == 1 else f"Architecture of {found.path.name}"
    return Document(title, tuple(blocks), "architecture", target)


def top_models(workspace: Workspace, found: PythonTarget) -> list[Part]:
    """Trees of the module classes of a file that are not parts of another of its classes, largest first."""
    trees = ModuleTrees(workspace.modules, workspace.classes, workspace.instances)
    roots: list[Part] = []
    for scope in found.module.classes():
        cls = Definition(str(found.path), scope.node.name, scope.node)
        if isinstance(scope.node, t.ClassDef) and len(scope.path) == 1 and workspace.classes.is_module(cls):
            roots.append(trees.tree(cls))
    contained = {part.class_name for root in roots for part in _descendants(root)}
    return [root for root in roots if root.class_name not in contained and root.children]


def _descendants(part: Part) -> Iterator[Part]:
    for child in part.children:
        yield child
        yield from _descendants(child)


def part_tree(root: Part, width: int, told: dict[str, tuple[Part, ...]] | None = None) -> Picture:
    """The parts as an indented tree; a click on a part leads to where it is built.

    What a class is made of is listed once; `told` holds what was listed before, and gets what is listed here.
    """
    rows: list[str] = []
    told = {} if told is None else told
    regions: list[Region] = []

    def add(part: Part, indent: str, last: bool, top: bool) -> None:
        branch = "" if top else ("└─ " if last else "├─ ")
        name = ": ".join(filter(None, (part.attribute, part.short_name)))
        times = f" ×{part.repeat}" if part.repeat else ""
        condition = f"  if {part.condition}" if part.condition else ""
        unused = "" if part.in_forward else "  (not used in forward)"
        is_told = len(part.children) > 1 and told.get(part.class_name) == part.children
        before, after = f"{indent}{branch}{name}{times}", "  (parts as above)" * is_told + condition + unused
        arguments = f"({part.arguments})" if part.arguments else ""
        room = max(width - len(before) - len(after), ARGUMENTS_ROOM)
        if len(arguments) > room:
            arguments = arguments[: room - 2] + "…)"
        text = before + arguments + after
        if len(text) > width:
            text = text[: width - 1] + "…"
        regions.append(Region(len(rows), len(indent) + len(branch), max(1, len(name)), 1, part.location))
        rows.append(text)
        deeper = indent if top else indent + ("   " if last else "│  ")
        told[part.class_name] = part.children
        for index, child in enumerate(part.children if not is_told else ()):
            add(child, deeper, index == len(part.children) - 1, False)

    add(root, "", True, True)
    return Picture("\n".join(rows), tuple(regions))


def part_table(root: Part, listed: Container[str]) -> Table:
    """Each class of the tree that is not listed yet once, with its places, how many there are of it in all, and where
    it is built first."""
    counted: dict[str, tuple[Part, Counter[str]]] = {}
    perhaps: set[str] = set()
    for part, times, is_certain in _placed(root, "", True):
        if part.class_name and part.class_name not in listed:
            counted.setdefault(part.class_name, (part, Counter()))[1][times] += 1
            perhaps.update([] if is_certain else [part.class_name])
    rows = tuple(
        (
            Line(part.short_name, part.location),
            Line(f"{places.total()}"),
            Line("≤ " * (name in perhaps) + _sum(places)),
            Line(str(part.location)),
        )
        for name, (part, places) in counted.items()
    )
    return Table(("Part", "Places", "In all", "First built at"), rows)


def _placed(part: Part, times: str, is_certain: bool) -> Iterator[tuple[Part, str, bool]]:
    """The parts below one, each with how often its place is there, which is what the lists around it hold, and whether
    no condition decides that."""
    for child in part.children:
        repeat = f"({child.repeat})" if " " in child.repeat else child.repeat
        held, there = " × ".join(filter(None, (times, repeat))), is_certain and not child.condition
        yield child, held, there
        yield from _placed(child, held, there)


def _sum(places: Counter[str]) -> str:
    """`1 + 6 × config.num_layers`."""
    terms = [
        f"{number}" if not times else times if number == 1 else f"{number} × {times}"
        for times, number in places.items()
    ]
    return " + ".join(terms)
