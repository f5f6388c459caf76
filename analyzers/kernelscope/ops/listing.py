"""The operator table as Markdown, for `docs/operators.md`. Prints nothing and writes no file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from kernelscope.ops.registry import PREFIXES, Op, all_ops

INTRODUCTION = """# Operators

What Kernelscope knows of torch, JAX, einops and their kin, by family. This page is generated from the operator table
(`analyzers/kernelscope/ops`); `pytest tests/ops --accept` writes it anew. Each entry is checked against results
recorded from torch or JAX itself (`tests/ops/cases`).

In-place forms (`add_`) are those of the operator they change into. `dtype` names the rule of the result's dtype:
`input` keeps it, `promote` joins the operands', `float` turns integers into the default float, `sum` into `int64`,
`asked` and `new` follow the `dtype` argument.
"""
_SHORT = {full: short for short, full in PREFIXES.items() if short in {"F", "nn", "linalg", "fft", "special", "dist"}}


def operators_markdown() -> str:
    """One section for each module of the table, one row for each rule with the names that share it."""
    sections = [INTRODUCTION]
    for module, ops in groupby(sorted(all_ops(), key=_place), key=_module):
        rows = [f"| {names} | {effect} | {dtype} | {kind} |" for names, effect, dtype, kind in _rows(list(ops))]
        head = "| operators | result | dtype | kind |\n| --- | --- | --- | --- |"
        sections.append("\n".join([f"## {_title(module)}\n", head, *rows]) + "\n")
    return "\n".join(sections)


def _module(op: Op) -> str:
    """The module of the table that declares an entry; families tell nothing of it, so they have one section."""
    package, _, name = op.rule.__module__.rpartition(".")
    if package.endswith(".jax"):
        return f"jax {name}"
    return {"families": "elementwise and reductions", "signatures": "matrix products"}.get(name, name)


def _place(op: Op) -> tuple[str, str]:
    """Where an entry stands: those of families by name, for modules of the table declare them in whichever order the
    modules are imported."""
    is_of_family = op.rule.__module__.rpartition(".")[2] in ("families", "signatures")
    return _module(op), op.name if is_of_family else ""


def _title(module: str) -> str:
    return module.replace("_", " ").capitalize().replace("Jax nn", "jax.nn and jax.random").replace("Jax", "JAX")


def _rows(ops: Iterable[Op]) -> list[tuple[str, str, str, str]]:
    shared: dict[tuple[str, str, str], list[str]] = {}
    for op in ops:
        dtype = op.dtype if isinstance(op.dtype, str) else ", ".join(op.dtype)
        shared.setdefault((_effect(op), dtype, op.kind), []).extend(_names(op))
    return [(" ".join(f"`{n}`" for n in names), *row) for row, names in shared.items()]


def _effect(op: Op) -> str:
    doc = (op.rule.__doc__ or "").strip().split("\n")[0].rstrip(".").replace("|", "\\|")
    generic = {"_same": "same shape", "_along": "same shape", "_broadcast": "operands broadcast"}
    name = op.rule.__name__
    if name == "reduce_axes":
        return "reduced axes go, or stay as 1 with `keepdim`"
    return generic.get(name) or (f"{op.label}: {doc}" if doc and doc.lower() != op.label else op.label)


def _names(op: Op) -> list[str]:
    """As people write it, without the twins of one name: `F.relu`, `nn.Linear`, `x.view`, `torch.cat`."""
    if op.tier == "module":
        return [op.name]
    found: dict[str, str] = {}
    for spelling in op.spellings:
        prefix, _, name = spelling.rpartition(".")
        if not name.startswith("__"):
            short = "x" if prefix == "torch.Tensor" else _SHORT.get(prefix, prefix)
            found.setdefault(name, f"{short}.{name}")
    return list(found.values()) or ["x[…]"]
