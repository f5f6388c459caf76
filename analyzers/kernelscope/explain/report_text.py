"""A report as Markdown: a heading per section, tables of settings, a list point per claim, steps as indented lines.

Questions and their answers come first, then what serves requests. Lists end where a reader would stop, with the number
of what is left out; all of it is written when that is asked for, and by the report's JSON always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

Json = dict[str, object]
TITLES = {
    "workspace": "Workspace", "faq": "Technical FAQ", "serving": "Serving", "topology": "Topology",
    "distributed": "Distribution", "config": "Configuration", "components": "Components",
    "units_of_work": "Units of work", "tiling": "Tiling", "memory_access": "Memory access",
    "dependencies": "Dependencies", "diagnostics": "Diagnostics",
}  # fmt: skip
TABLES = {
    "parameters": ("name", "owner", "expression", "effective", "choices", "purpose"),
    "constraints": ("condition", "kind", "when", "enforced_by", "message"),
}
"""Lists that are written as tables, with their columns; they do so where their entries have the first two."""
COLUMNS = {"expression": "default", "effective": "becomes", "enforced_by": "enforced by"}
HEADS = ("name", "question", "task", "kernel", "primitive")
PROSE = {"value", "answer", "computes", "purpose", "scheduling", "wait", "signal", "message"}
"""Fields that speak for themselves."""
HIDDEN = {"evidence", "schema_version", "confidence", "id", "found", "searched", "pseudocode", "inputs", "overrides"}
MAX_CELL = 160
MOST_PLACES = 6
ALL = "kernelscope report --all"


@dataclass(frozen=True, slots=True)
class Lengths:
    """How much of each list is written."""

    rows: int = 30
    points: int = 10
    steps: int = 2
    lines: int = 16
    answers: int = 8
    functions: int = 1
    words: int = 320


WHOLE = Lengths(rows=10**6, points=10**6, steps=10**6, lines=10**6, answers=10**6, functions=10**6, words=10**6)


def to_markdown(report: Json, lengths: Lengths = Lengths()) -> str:
    """The report for people."""
    workspace = cast(Json, report["workspace"])
    rows = [f"# Report of {workspace['root']}", ""]
    for key, title in TITLES.items():
        section = _questions(report.get(key), lengths) if key == "faq" else _section(report.get(key), 3, lengths)
        rows += [f"## {title}", "", *section, ""]
    return _without_gaps(rows)


def _without_gaps(rows: Iterable[str]) -> str:
    """The rows with no empty line after another."""
    found: list[str] = []
    for line in "\n".join(rows).split("\n"):
        if line or (found and found[-1]):
            found.append(line)
    return "\n".join(found).rstrip("\n") + "\n"


def _questions(node: object, lengths: Lengths) -> Iterator[str]:
    """A heading per question with its answers; what was not found is a list of its own at the end."""
    asked: dict[str, list[Json]] = {}
    for entry in cast("list[Json]", node or []):
        asked.setdefault(str(entry["question"]), []).append(entry)
    told: set[str] = set()
    for question, entries in asked.items():
        if not entries[0].get("found"):
            continue
        yield f"\n### {question}\n"
        yield from _answers(entries, lengths, told)
    missing = [(question, entries[0]) for question, entries in asked.items() if not entries[0].get("found")]
    if missing:
        yield "\n### Not found\n"
        yield from (f"- {question} {entry['answer']}" for question, entry in missing)
    if not asked:
        yield "not found"


def _answers(entries: Sequence[Json], lengths: Lengths, told: set[str]) -> Iterator[str]:
    """The claims of the answers to a question, the last of each with the places of all; then functions behind them."""
    left = lengths.answers
    functions = [entry for entry in entries if ".steps." in str(entry.get("id", ""))]
    entries = [entry for entry in entries if entry not in functions]
    for number, entry in enumerate(entries):
        claims = str(entry["answer"]).split("\n")
        if left <= 0 or (number and len(claims) > left):
            hidden = sum(len(str(e["answer"]).split("\n")) for e in entries[number:])
            yield _left_out(hidden)
            break
        left -= len(claims)
        places = _places(entry, len(claims) + 2)
        for i, claim in enumerate(claims, 1):
            yield f"- {_cut(claim, lengths.words)}" + (f" ({places})" if places and i == len(claims) else "")
    for entry in functions[: lengths.functions]:
        name = str(entry["answer"]).partition(":\n")[0]
        if str(entry["answer"]) in told:
            yield f"- **{name}** is written out above"
            continue
        told.add(str(entry["answer"]))
        yield from _claim({"name": name, "answer": entry["answer"], "evidence": entry["evidence"]}, lengths)


def _left_out(number: int) -> str:
    return f"- … {number} more: `{ALL}`"


def _section(node: object, level: int, lengths: Lengths, title: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        table = cast(Json, node)
        scalars = {k: v for k, v in table.items() if not isinstance(v, dict | list) and k not in HIDDEN}
        if scalars:
            yield from _claim(table, lengths)
        for key, value in table.items():
            if isinstance(value, dict | list) and key not in HIDDEN and value:
                entries = list(cast(Json, value).values()) if isinstance(value, dict) else cast("list[object]", value)
                if all(not isinstance(entry, dict | list) or not entry for entry in entries):
                    continue
                yield f"\n{'#' * level} {key.replace('_', ' ').capitalize()}\n"
                yield from _section(cast(object, value), level + 1, lengths, key)
    elif isinstance(node, list):
        entries = cast("list[object]", node)
        columns = TABLES.get(title, ())
        if columns and all(isinstance(e, dict) and set(columns[:2]) <= e.keys() for e in entries):
            yield from _table(columns, cast("list[Json]", entries), lengths)
        else:
            yield from _points(entries, lengths)
    if not node:
        yield "not found"


def _points(entries: Iterable[object], lengths: Lengths) -> Iterator[str]:
    """Claims, then the steps of functions, each as many as a reader wants."""
    rows: list[Json] = [cast(Json, e) if isinstance(e, dict) else {"name": str(e)} for e in entries]
    procedures = [row for row in rows if _steps(row)]
    claims = [row for row in rows if not _steps(row)]
    for claim in claims[: lengths.points]:
        yield from _claim(claim, lengths)
    if len(claims) > lengths.points:
        yield _left_out(len(claims) - lengths.points)
    for procedure in procedures[: lengths.steps]:
        yield from _claim(procedure, lengths)
    if len(procedures) > lengths.steps:
        yield f"- … the steps of {len(procedures) - lengths.steps} more: `{ALL}`"


def _table(columns: tuple[str, ...], entries: list[Json], lengths: Lengths) -> Iterator[str]:
    """Rows with a column for each field that any entry has, and their places."""
    shown = [c for c in columns if any(entry.get(c) not in (None, "", []) for entry in entries)]
    yield "| " + " | ".join([*(COLUMNS.get(c, c) for c in shown), "where"]) + " |"
    yield "|" + "---|" * (len(shown) + 1)
    for entry in entries[: lengths.rows]:
        yield "| " + " | ".join([*(_cell(entry.get(c)) for c in shown), _places(entry)]) + " |"
    if len(entries) > lengths.rows:
        yield f"\n{_left_out(len(entries) - lengths.rows)}\n"


def _cell(value: object) -> str:
    text = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value or "")
    return _cut(" ".join(text.split()).replace("|", "\\|"), MAX_CELL)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _steps(entry: Json) -> list[str]:
    """The lines of a function's steps, if an entry tells them."""
    told = next((str(entry[key]) for key in entry if key in PROSE and "\n" in str(entry[key])), "")
    return told.splitlines()[1:]


def _claim(entry: Json, lengths: Lengths) -> Iterator[str]:
    """A claim as a list point: its head, what it says, its other fields, its places; lines of steps below it."""
    head = next((str(entry[key]) for key in HEADS if entry.get(key)), "")
    parts: list[str] = []
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
            continue
        shown = _cut(" ".join(shown.split()), lengths.words)
        parts.append(shown if key in PROSE else f"{key.replace('_', ' ')}: {shown}")
    steps = _steps(entry)
    places = _places(entry, 1 if steps else MOST_PLACES)
    said = ": ".join(filter(None, (f"**{head}**" if head else "", " · ".join(parts))))
    yield f"- {said} ({places})" if places else f"- {said}"
    if steps:
        more = [f"  … {len(steps) - lengths.lines} more lines"] if len(steps) > lengths.lines else []
        yield from ("", "  ```", *(f"  {line}" for line in steps[: lengths.lines]), *more, "  ```", "")


def _places(entry: Json, most: int = MOST_PLACES) -> str:
    """The places of a claim; a file that follows itself is not named again."""
    found: list[str] = []
    before = ""
    for place in cast("list[Json]", entry.get("evidence") or [])[:most]:
        path = str(place["path"])
        found.append(f"`:{place['line']}`" if path == before else f"`{path}:{place['line']}`")
        before = path
    return ", ".join(found)
