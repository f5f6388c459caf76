"""Examples drawn with a system's own sizes: a block table, a tree of shared prefixes, the steps of a batch.

What is an example says so; a size that is not known is left as the name that stands for it.
"""

from __future__ import annotations

from kernelscope.diagrams.panel import Panel, beside, cells, stacked, text
from kernelscope.diagrams.timeline import Lane, Task, timeline
from kernelscope.explain.document import Picture, Region
from kernelscope.explain.faq_sizes import is_paged
from kernelscope.explain.section_settings import declared
from kernelscope.results import Location
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.sections import words
from kernelscope.serving.system import System

LEAST_BUDGET = 64


def block_table(system: System) -> Picture | None:
    """A request's block table over physical blocks, with the sizes that the configuration gives."""
    if not is_paged(system):
        return None
    size = _block_size(system)
    tokens = f"{size.name} = {size.value} tokens" if size is not None else "block_size tokens"
    table = beside(
        text("block table of a request ", "(an example)             "), cells(["block 5", "block 2", "block 7"])
    )
    pool = beside(text("physical blocks          "), cells(["0", "1", "2", "3", "4", "5", "6", "7"]))
    slot = text(f"each block holds {tokens}", "slot = table[position // size] * size + position % size", key="size")
    return _picture(stacked([table, pool, slot]), {"size": size.location} if size is not None else {})


def radix_tree(system: System) -> Picture | None:
    """Two requests that share the beginning of their tokens, as a tree of cached prefixes holds them."""
    tree = next((c for c in system.about("serving.prefix_cache") if c.value.startswith("radix tree:")), None)
    if tree is None:
        return None
    size = _block_size(system)
    page = size.value if size is not None and isinstance(size.value, int) else 1
    shared = 4 * page
    rows = (
        "root",
        f"└─ tokens 0 … {shared - 1}            shared prefix of requests A and B (an example)",
        f"   ├─ tokens {shared} … {shared + 3 * page - 1}     the rest of A",
        f"   └─ tokens {shared} … {shared + 2 * page - 1}     the rest of B",
    )
    known = f"{size.name} = {size.value}: nodes are cut at multiples of it" if size is not None and page > 1 else ""
    panel = stacked([text(*rows, key="tree"), *([text(known, key="size")] if known else [])])
    places = {"tree": tree.evidence[0], **({"size": size.location} if size is not None else {})}
    return _picture(panel, places)


def batch_timeline(system: System) -> Picture | None:
    """The first steps of two requests under the token budget of one batch."""
    batching = system.about("serving.batching")
    continuous = next((c for c in batching if "continuous batching" in c.value), None)
    budget = next((p for p in declared(system, "batching") if _is_budget(p)), None)
    if continuous is None or budget is None or not isinstance(budget.value, int):
        return None
    most, half = budget.value, budget.value // 2
    if any("chunked prefill:" in c.value for c in batching):
        first = (Task(f"prefill {most}", 0, 2, key="budget"), Task(f"prefill {half}", 2, 4))
        second = (Task("waits", 0, 2, waits=True), Task(f"prefill {half}", 2, 4))
        title = f"an example: A has {most + half} tokens, B {half}; a step takes at most {budget.name} = {most}"
        begins = 4
    else:
        first = second = (Task(f"prefill {half}", 0, 2),)
        title = f"an example: A and B have {half} tokens each; a step takes at most {budget.name} = {most}"
        begins = 2
    decodes = tuple(Task("decode 1", at, at + 1) for at in (begins, begins + 1))
    lanes = (Lane("request A", (*first, *decodes)), Lane("request B", (*second, *decodes)))
    panel = stacked([text(title, key="budget"), timeline(lanes, unit="steps in order, not to scale")])
    return _picture(panel, {"budget": budget.location})


def _is_budget(p: Parameter) -> bool:
    """A number of tokens that one batch or chunk may have."""
    parts = set(words(p.name))
    is_limit = bool(
        parts & {"batched", "prefill", "extend", "chunk", "chunked"} and parts & {"tokens", "size", "token"}
    )
    return isinstance(p.value, int) and not isinstance(p.value, bool) and p.value >= LEAST_BUDGET and is_limit


def _block_size(system: System) -> Parameter | None:
    """The size of a block or page of the cache."""
    return next(
        (
            p for p in declared(system, "kv_cache")
            if isinstance(p.value, int) and p.value > 0
            and {"block", "page"} & set(words(p.name)) and "size" in words(p.name)
        ),
        None,
    )  # fmt: skip


def _picture(panel: Panel, places: dict[str, Location]) -> Picture:
    drawing = panel.drawing()
    regions = [Region(r.row, r.column, r.width, 1, places[r.key]) for r in drawing.regions if r.key in places]
    return Picture(drawing.text, tuple(regions))
