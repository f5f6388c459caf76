"""Free lists that are linked through their own elements, between two ends that are no elements.

What an empty list joins (`self.first.next = self.last`, `self.last.prev = self.first`) are its ends and its links,
whatever they are called; which end a method reads and which it writes tells the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

HELD = {"free", "block", "blocks", "page", "pages", "slot", "slots", "cache"}
"""Words of what a cache is allocated from."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a list and the links towards each: `first.after` is its first element, `last.before` its last."""

    first: str
    after: str
    last: str
    before: str


def linked_lists(source: PythonSource) -> Iterator[Claim]:
    """In which order a linked list of free blocks gives them out, from where its methods take and put."""
    for scope in source.module.classes():
        if not isinstance(scope.node, t.ClassDef) or not HELD & set(words(scope.node.name)):
            continue
        methods = list(scope.node.methods())
        ends = next((found for method in methods if (found := ends_of(method)) is not None), None)
        if ends is None:
            continue
        others = [m for m in methods if m.name != "__init__"]
        taken = [m for m in others if _takes(m, ends.first, ends.after)]
        backward = [m for m in others if _takes(m, ends.last, ends.before)]
        behind = [m for m in others if puts(m, ends.last, ends.before)]
        ahead = [m for m in others if puts(m, ends.first, ends.after) and m not in taken]
        if taken and behind and not backward:
            order = (
                f"FIFO: taken from the front ({_named(taken)}), returned to the back ({_named(behind)}): the least "
                f"recently freed is reused first"
            )
            order += f"; {_named(ahead)} returns to the front what is to be reused at once" if ahead else ""
            chosen = [taken[0], behind[0], *ahead[:1]]
        elif backward and behind and not taken:
            order = (
                f"LIFO: taken from the back ({_named(backward)}) and returned there ({_named(behind)}): the most "
                f"recently freed is reused first"
            )
            chosen = [backward[0], behind[0]]
        else:
            continue
        value = f"{order}; a doubly linked list through its elements ({ends.before}, {ends.after})"
        yield Claim(f"{scope.node.name} free list", value, tuple(source.at(m) for m in (*chosen, scope.node)))


def _named(methods: list[t.FunctionDef]) -> str:
    return ", ".join(m.name for m in methods[:3])


def ends_of(method: t.FunctionDef) -> Ends | None:
    """`self.first.after = self.last` and `self.last.before = self.first`."""
    joined: list[tuple[str, str, str]] = []
    for node in own_of(method, t.Assign):
        match node:
            case t.Assign(
                targets=[t.Attribute(value=t.Attribute(value=t.Name(id="self"), attr=one), attr=link)],
                value=t.Attribute(value=t.Name(id="self"), attr=other),
            ):
                joined.append((one, link, other))
            case _:
                pass
    for one, link, other in joined:
        for back_from, back, back_to in joined:
            if (back_from, back_to) == (other, one) and back != link:
                return Ends(one, link, other, back)
    return None


def _takes(method: t.FunctionDef, end: str, link: str) -> bool:
    """Whether a method returns what stands at an end and joins the rest to it: `x = self.end.link … return x`."""
    places = _places(method, end, link)
    bound = list(own_of(method, t.Assign))
    names = {_name(n.targets[0]) for n in bound if t.dotted(n.value) in places} - {""}
    names |= {_name(n.targets[0]) for n in bound if isinstance(n.value, t.Name) and n.value.id in names} - {""}
    collected = {
        t.dotted(n.func.value) or "" for n in own_of(method, t.Call)
        if isinstance(n.func, t.Attribute) and n.func.attr == "append"
        and any(_name(a) in names for a in n.args)
    }  # fmt: skip
    is_joined = any(t.dotted(target) in places for n in bound for target in n.targets)
    given = [n.value for n in own_of(method, t.Return) if n.value is not None]
    return is_joined and any(_name(n) in names | collected for value in given for n in t.walk(value))


def puts(method: t.FunctionDef, end: str, link: str) -> bool:
    """Whether a method sets what it was given at an end: `self.end.link = x`."""
    places = _places(method, end, link)
    given = {p.name for p in method.args if p.name != "self"}
    given |= {_name(n.target) for n in own_of(method, t.For)}
    bound = list(own_of(method, t.Assign))
    given |= {_name(n.targets[0]) for n in bound if isinstance(n.value, t.Name) and n.value.id in given}
    put = [n.value for n in bound if any(t.dotted(target) in places for target in n.targets)]
    return any(_name(n) in given - {""} for value in put for n in t.walk(value))


def _places(method: t.FunctionDef, end: str, link: str) -> set[str]:
    """The ways in which a method may write the link of an end: `self.end.link`, and of a name that stands for it."""
    aliases = {_name(n.targets[0]) for n in own_of(method, t.Assign) if t.dotted(n.value) == f"self.{end}"}
    return {f"self.{end}.{link}", *(f"{alias}.{link}" for alias in aliases if alias)}


def _name(node: t.Node) -> str:
    return node.id if isinstance(node, t.Name) else ""
