"""Sharding joined across files: classes with divided sizes, what their forward passes join, and where they are built.

Row-parallel: the input is divided and an all-reduce follows. Column-parallel: the output is divided. Classes take over
what their bases do when they do not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from kernelscope.results import Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.collectives import Collective
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.sections import words
from kernelscope.serving.sharding import Made, Plan, Sharded

MAX_BASES = 10
SUMS = ("all_reduce", "reduce_scatter")
JOINS = (*SUMS, "all_gather", "gather", "all_to_all")
FORWARD = ("forward", "__call__", "call")
MAX_PARTS = 24


@dataclass(frozen=True, slots=True)
class Layer:
    """A class of sharded layers: its style, what is divided, what joins the parts, and where it is used."""

    name: str
    style: str
    divided: str
    joined: Collective | None
    parts: tuple[Made, ...]
    location: Location
    divisions: tuple[Location, ...] = ()
    """Where sizes are divided."""


def sharded_layers(classes: Iterable[Sharded], made: Iterable[Made], collectives: Iterable[Collective]) -> list[Layer]:
    """The sharded classes that some class builds, or that communicate themselves."""
    known: dict[str, Sharded] = {}
    for entry in classes:
        known.setdefault(entry.name, entry)
    joins: dict[str, list[Collective]] = {}
    for c in collectives:
        owner, _, method = c.where.rpartition(".")
        builder = known.get(owner.rpartition(".")[2])
        if c.phase == "backward" or c.primitive not in JOINS or method == "__init__":
            continue
        if owner and not (builder and method in builder.building):
            joins.setdefault(owner.rpartition(".")[2], []).append(c)
    parts: dict[str, list[Made]] = {}
    for entry in made:
        parts.setdefault(entry.cls, []).append(entry)
    found: list[Layer] = []
    for name, entry in known.items():
        axes = _inherited_axes(name, known)
        own = next((joins[n] for n in _order(name, known) if n in joins), None)
        join = min(own, key=_closeness) if own else None
        if not axes or (join is None and name not in parts):
            continue
        if not any(known[n].runs if n in known else n.endswith("Module") for n in _order(name, known)):
            continue
        style = _style(axes, join)
        if style == "heads" and not any(known[n].is_called for n in _order(name, known) if n in known):
            continue
        if style:
            divided = "; ".join(f"{axis}: {text}" for axis, text in axes[:4])
            divisions = tuple(place for n in _order(name, known) if n in known for place in known[n].places)
            found.append(Layer(name, style, divided, join, tuple(parts.get(name, ())), entry.location, divisions))
    return found


def _closeness(join: Collective) -> tuple[bool, bool, bool]:
    """What joins the parts comes first: the forward pass before other methods, sums before gathers, what is sure."""
    return join.where.rpartition(".")[2] not in FORWARD, join.primitive not in SUMS, join.confidence != "derived"


def _order(name: str, known: dict[str, Sharded]) -> Iterator[str]:
    """The class and its bases by name, nearest first."""
    todo, seen = [name], set[str]()
    while todo and len(seen) < MAX_BASES:
        current = todo.pop(0)
        if current in seen:
            continue
        seen.add(current)
        yield current
        if current in known:
            todo += known[current].bases


def _inherited_axes(name: str, known: dict[str, Sharded]) -> tuple[tuple[str, str], ...]:
    found = (axis for n in _order(name, known) if n in known for axis in known[n].axes)
    return tuple(dict.fromkeys(found))


def _style(axes: tuple[tuple[str, str], ...], join: Collective | None) -> str:
    kinds = {axis for axis, _ in axes}
    if "vocabulary" in kinds:
        return "vocab"
    if "experts" in kinds:
        return "expert"
    if {"input", "output"} <= kinds:
        return "either"
    if join is not None and join.primitive in SUMS and STATISTICS & set(words(join.tensor)):
        return ""  # a norm over all ranks: what it gives stays divided
    if join is not None and join.primitive in SUMS:
        if kinds <= {"heads", "intermediate"}:
            return "tensor"
        return "row" if kinds & {"input", "size", "heads", "intermediate"} else ""
    return "column" if "output" in kinds else "heads" if kinds == {"heads"} and join is None else ""


STATISTICS = {"variance", "var", "mean", "sums", "sumsq", "squares", "norm", "max", "count"}
"""Words of what is worked out over all parts, which are not joined by it."""
WORDS = {"row": "row-parallel (its input is divided)", "column": "column-parallel (its output is divided)",
         "tensor": "tensor-parallel (its heads or its inner width are divided)",
         "heads": "divided by heads (each rank has some of them)",
         "vocab": "vocabulary-parallel (rows of the vocabulary are divided)", "expert": "expert-parallel",
         "either": "column- or row-parallel (its output or its input is divided, as its arguments say)"}  # fmt: skip


def layer_claims(layers: Iterable[Layer]) -> Iterator[Claim]:
    """A claim per sharded class with the parts that it is used for."""
    for layer in layers:
        value = f"{layer.name} is {WORDS[layer.style]}: {layer.divided}"
        places: list[Location] = [*layer.divisions[:2], *(p.location for p in layer.parts[:7])]
        if layer.joined is not None:
            guard = f" (if {layer.joined.condition})" if layer.joined.condition else ""
            value += f"; its {layer.joined.where.rpartition('.')[2]} joins the parts by {layer.joined.primitive} of "
            value += f"{layer.joined.tensor}{guard}"
            places.append(layer.joined.location)
        elif layer.style == "column":
            value += "; nothing is communicated"
        elif layer.style == "heads":
            value += "; it communicates nothing itself, what its parts join is told of them"
        if layer.parts:
            value += f"; used for {', '.join(f'{p.owner}.{p.attribute}' for p in layer.parts[:MAX_PARTS])}"
        yield Claim(f"{layer.name} sharding", value, (*places, layer.location))


def plan_claims(plans: Iterable[Plan]) -> Iterator[Claim]:
    """Tables of sharding styles, one claim per file."""
    tables: dict[str, list[Plan]] = {}
    for plan in plans:
        tables.setdefault(str(plan.location.path), []).append(plan)
    for rows in tables.values():
        text = ", ".join(f"{row.pattern} → {row.style}" for row in rows[:40])
        divided = dict.fromkeys(word for row in rows if (word := _divided(row.style)))
        meaning = f" ({', '.join(divided)})" if divided else ""
        yield Claim(
            "TP plan", f"sharding plan (tensor parallel, TP){meaning}: {text}", tuple(r.location for r in rows[:12])
        )


def _divided(style: str) -> str:
    if style.lower().startswith("col"):
        return f"{style}: the output is divided"
    return f"{style}: the input is divided and the parts are added up" if style.lower().startswith("row") else ""


STRATEGIES: tuple[tuple[str, frozenset[str]], ...] = (
    ("TP", frozenset({"tensor", "tp"})),
    ("PP", frozenset({"pipeline", "pp"})),
    ("DP", frozenset({"data", "dp"})),
    ("EP", frozenset({"expert", "ep"})),
    ("CP", frozenset({"context", "cp"})),
    ("SP", frozenset({"sequence", "sp", "ulysses", "ring"})),
    ("FSDP", frozenset({"fsdp", "zero"})),
)
SHORT = {name: kind for kind, names in STRATEGIES for name in names if len(name) == 2}
"""Abbreviations that are sizes by themselves where one owner has several of them: `dp`, `tp`, `pp`."""
WITHIN_A_KERNEL = frozenset({"async", "tile", "tma", "mma", "smem", "warp", "warps", "cluster"})
"""Words of sizes inside a kernel: the stages of its pipeline, what `cp.async` copies."""
NO_SIZES = frozenset({"rank", "ranks", "id", "ids", "group", "port"})
"""Last words of what tells which part this is, not how many there are."""
SIZES = frozenset({"size", "degree", "world", "parallel", "parallelism", "stage", "ways", "num"})


def strategies(parameters: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    """Parameters that set how many ways something is split, by strategy."""
    found: dict[str, list[Parameter]] = {}
    sizes = [p for p in parameters if p.kind not in ("argument", "define")]
    short: dict[str, set[str]] = {}
    for p in sizes:
        if p.name in SHORT:
            short.setdefault(p.owner, set()).add(p.name)
    for p in sizes:
        kind = SHORT.get(p.name) if len(short.get(p.owner, ())) > 1 else None
        if (kind := kind or strategy(p.name)) is not None:
            found.setdefault(kind, []).append(p)
    return found


def _is_of_else(said: tuple[str, ...]) -> bool:
    """`patch_size_pp`: a size of something, with letters behind it that also abbreviate a strategy."""
    return "size" in said[1:-1] and len(said) > 2 and said[-1] in SHORT


@cache
def strategy(name: str) -> str | None:
    """The strategy that a name speaks of."""
    said = words(name)
    parts = set(said)
    if parts & WITHIN_A_KERNEL or NO_SIZES & set(said[-1:]):
        return None
    if "ring" in parts and {"attn", "attention"} & parts and {"size", "degree"} & set(said[-1:]):
        return "CP"  # ring attention: each rank has a part of the context
    for kind, names in STRATEGIES if parts & SIZES else ():
        full = {n for n in names if len(n) > 3}
        of_what = next((i for i, word in enumerate(said) if word in full), len(said))
        is_short = bool(parts & (names - full)) and not _is_of_else(said)
        if is_short or {"parallel", "parallelism", "stage", "degree"} & set(said[of_what:]):
            return kind
    return None
