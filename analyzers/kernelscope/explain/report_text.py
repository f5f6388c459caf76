"""A report as Markdown: one heading per section, one list point per claim, each with its places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

Json = dict[str, object]
TITLES = {
    "workspace": "Workspace", "topology": "Topology", "units_of_work": "Units of work", "config": "Configuration",
    "components": "Components", "tiling": "Tiling", "memory_access": "Memory access", "dependencies": "Dependencies",
    "distributed": "Distribution", "serving": "Serving", "faq": "Technical FAQ", "diagnostics": "Diagnostics",
}  # fmt: skip
HEADS = {"name", "question", "task", "kernel", "primitive"}
HIDDEN = {"evidence", "schema_version", "confidence", "id", "found", "searched", "pseudocode", "inputs", "overrides"}


def to_markdown(report: Json) -> str:
    """The report for people."""
    workspace = cast(Json, report["workspace"])
    rows = [f"# Report of {workspace['root']}", ""]
    for key, title in TITLES.items():
        rows += [f"## {title}", "", *_section(report.get(key), 3), ""]
    return "\n".join(rows).rstrip("\n") + "\n"


def _section(node: object, level: int) -> Iterator[str]:
    if isinstance(node, dict):
        table = cast(Json, node)
        scalars = {k: v for k, v in table.items() if not isinstance(v, dict | list) and k not in HIDDEN}
        if scalars:
            yield f"- {_claim(table)}"
        for key, value in table.items():
            if isinstance(value, dict | list) and key not in HIDDEN and value:
                if all(not isinstance(entry, dict | list) for entry in cast("list[object]", value)):
                    continue
                yield f"\n{'#' * level} {key.replace('_', ' ').capitalize()}\n"
                yield from _section(cast(object, value), level + 1)
    elif isinstance(node, list):
        for entry in cast("list[object]", node):
            yield f"- {_claim(cast(Json, entry))}" if isinstance(entry, dict) else f"- {entry}"
    if not node:
        yield "not found"


def _claim(entry: Json) -> str:
    """A claim's fields in words, then its places."""
    parts: list[str] = []
    for key, value in entry.items():
        if key in HIDDEN or isinstance(value, dict) or value in (None, "", []):
            continue
        shown = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
        parts.append(f"**{shown}**" if key in HEADS else f"{key}: {shown}")
    places = [f"`{p['path']}:{p['line']}`" for p in cast("list[Json]", entry.get("evidence") or [])]
    return " · ".join(parts) + (f" ({', '.join(places)})" if places else "")
