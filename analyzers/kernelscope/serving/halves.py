"""Prompts that a scheduler cuts in two: as many tokens as fit now, the rest in a later step.

Found by the two slices at one place; where a budget or a minimum with it says how many, the rest is left for later.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.chunking import ANSWERS, DRAFTS, MEDIA
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import hits, words
from kernelscope.syntax.python import tree as t

CUT = {"prompt", "tokens", "ids", "input", "inputs"}
"""Words of what is cut."""
LEFT = {"idle", "budget", "left", "remaining", "free", "chunk", "quota"}
"""Words of how many tokens still fit."""


@by_function
def halves(source: PythonSource) -> Iterator[Claim]:
    """`prompt[:budget]` for this step and `prompt[budget:]` for the next, in a function of scheduling."""
    for scope in source.module.functions():
        names = (scope.qualified_name, source.path.stem)
        if DRAFTS & {word for name in names for word in words(name) if word not in ("prompts", "params")}:
            continue
        if not any(hits(s, n) for s in ("serving.scheduling", "serving.batching") for n in names):
            continue
        heads: dict[tuple[str, str], t.Subscript] = {}
        tails: dict[tuple[str, str], t.Subscript] = {}
        for node in own_of(scope.node, t.Subscript):
            match node:
                case t.Subscript(value=value, slice=t.Slice(lower=None, upper=at)) if at is not None:
                    heads.setdefault((t.dotted(value) or "", t.dotted(at) or ""), node)
                case t.Subscript(value=value, slice=t.Slice(lower=at, upper=None)) if at is not None:
                    tails.setdefault((t.dotted(value) or "", t.dotted(at) or ""), node)
                case _:
                    pass
        for (cut, at), head in heads.items():
            said = set(words(cut.rpartition(".")[2]))
            if (cut, at) not in tails or not all((cut, at)) or not CUT & said or (ANSWERS | MEDIA) & said:
                continue
            if not (LEFT & set(words(at)) or _is_least(scope.node, at)):
                continue
            tail = tails[cut, at]
            value = (
                f"chunked prefill: {scope.qualified_name} cuts a prompt over the budget in two: "
                f"{source.quote(head)} goes now, {source.quote(tail)} is left for a later step "
                f"(≈ a prompt by its name)"
            )
            places = (source.at(head), source.at(tail), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} chunked prefill", value, places)


def _is_least(function: t.FunctionDef | t.ClassDef, name: str) -> bool:
    """Whether a number is the least of a length and something else: `n = min(len(tokens), most)`."""
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[target], value=t.Call(func=t.Name(id="min"), args=args)) if t.dotted(target) == name:
                return any(isinstance(a, t.Call) and last_name(a.func) == "len" for a in args)
            case _:
                pass
    return False
