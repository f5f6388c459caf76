"""A report as Markdown: a heading per section, tables of settings, a list point per claim, steps as indented lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

Json = dict[str, object]
TITLES = {
    "workspace": "Workspace", "topology": "Topology", "units_of_work": "Units of work", "config": "Configuration",
    "components": "Components", "tiling": "Tiling", "memory_access": "Memory access", "dependencies": "Dependencies",
    "distributed": "Distribution", "serving": "Serving", "faq": "Technical FAQ", "diagnostics": "Diagnostics",
}  # fmt: skip
TABLES = {
    "parameters": ("name", "owner", "expression", "effective", "choices", "purpose"),
    "constraints": ("condition", "kind", "enforced_by", "message"),
}
"""Lists that are written as tables, with their columns; they do so where their entries have the first two."""
COLUMNS = {"expression": "default", "effective": "becomes", "enforced_by": "enforced by"}
HEADS = ("name", "question", "task", "kernel", "primitive")
PROSE = {"value", "answer", "computes", "purpose", "scheduling", "wait", "signal", "message"}
"""Fields that speak for themselves."""
HIDDEN = {"evidence", "schema_version", "confidence", "id", "found", "searched", "pseudocode", "inputs", "overrides"}
MAX_CELL = 160
MOST_PLACES = 6


def to_markdown(report: Json) -> str:
    """The report for people."""
    workspace = cast(Json, report["workspace"])
    rows = [f"# Report of {workspace['root']}", ""]
    for key, title in TITLES.items():
        rows += [f"## {title}", "", *_section(report.get(key), 3), ""]
    return "\n".join(rows).rstrip("\n") + "\n"


def _section(node: object, level: int, title: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        table = cast(Json, node)
        scalars = {k: v for k, v in table.items() if not isinstance(v, dict | list) and k not in HIDDEN}
        if scalars:
            yield from _claim(table)
        for key, value in table.items():
            if isinstance(value, dict | list) and key not in HIDDEN and value:
                entries = list(cast(Json, value).values()) if isinstance(value, dict) else cast("list[object]", value)
                if all(not isinstance(entry, dict | list) or not entry for entry in entries):
                    continue
                yield f"\n{'#' * level} {key.replace('_', ' ').capitalize()}\n"
                yield from _section(cast(object, value), level + 1, key)
    elif isinstance(node, list):
        entries = cast("list[object]", node)
        columns = TABLES.get(title, ())
        if columns and all(isinstance(e, dict) and set(columns[:2]) <= e.keys() for e in entries):
            yield from _table(columns, cast("list[Json]", entries))
            return
        for entry in entries:
            yield from _claim(cast(Json, entry)) if isinstance(entry, dict) else (f"- {entry}",)
    if not node:
        yield "not found"


def _table(columns: tuple[str, ...], entries: list[Json]) -> Iterator[str]:
    """Rows with a column for each field that any entry has, and their places."""
    shown = [c for c in columns if any(entry.get(c) not in (None, "", []) for entry in entries)]
    yield "| " + " | ".join([*(COLUMNS.get(c, c) for c in shown), "where"]) + " |"
    yield "|" + "---|" * (len(shown) + 1)
    for entry in entries:
        yield "| " + " | ".join([*(_cell(entry.get(c)) for c in shown), _places(entry)]) + " |"


def _cell(value: object) -> str:
    text = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value or "")
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _claim(entry: Json) -> Iterator[str]:
    """A claim as a list point: its head, what it says, its other fields, its places; lines of steps below it."""
    head = next((str(entry[key]) for key in HEADS if entry.get(key)), "")
    parts: list[str] = []
    steps: list[str] = []
    for key, value in entry.items():
        if (
            key in HIDDEN
            or key in HEADS[:1]
            or isinstance(value, dict)
            or value in (None, "", [])
            or str(value) == head
        ):
            continue
        shown = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
        if "\n" in shown and key in PROSE:
            steps = shown.splitlines()[1:]
            continue
        shown = " ".join(shown.split())
        parts.append(shown if key in PROSE else f"{key.replace('_', ' ')}: {shown}")
    places = _places(entry, 1 if steps else MOST_PLACES)
    said = ": ".join(filter(None, (f"**{head}**" if head else "", " · ".join(parts))))
    yield f"- {said} ({places})" if places else f"- {said}"
    if steps:
        yield from ("", "  ```", *(f"  {line}" for line in steps), "  ```", "")


def _places(entry: Json, most: int = MOST_PLACES) -> str:
    """The places of a claim; a file that follows itself is not named again."""
    found: list[str] = []
    before = ""
    for place in cast("list[Json]", entry.get("evidence") or [])[:most]:
        path = str(place["path"])
        found.append(f"`:{place['line']}`" if path == before else f"`{path}:{place['line']}`")
        before = path
    return ", ".join(found)
