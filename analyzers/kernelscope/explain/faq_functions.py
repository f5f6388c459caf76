"""Answers of the FAQ by functions: those whose names speak of something, those that hold something against a limit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.explain.faq_answers import Answer, Speaking
from kernelscope.serving.claims import Claim
from kernelscope.serving.procedures import COMPONENT, SAMPLES, Procedure
from kernelscope.serving.sections import STEMS, words
from kernelscope.serving.system import System

MOST_FUNCTIONS = 4
MOST_ATTENDING = 8
_ATTENDS = re.compile(
    r"^(?:\w+\.)*(?!(?:get|set|load|patch|make|build|init|prepare|create|is|has|use|update|supports?|check|register|replace|wrap)_)"
    r"(?:\w*_)?att(?:entio)?n(?:_(?:fwd|forward))?(?: \(|$)"
)
"""Names of functions that attend themselves: `paged_attention`, not `load_attention`."""
LONGEST_STEPS = 400
"""Characters of a function's steps in an answer."""
_CHOOSES = re.compile(r"argmax|multinomial|softmax|categorical|exponential|gumbel|topk\s*\(", re.IGNORECASE)
"""Steps that choose one of many by their weight; who only hands settings of that on does not."""
_OF_TOKENS = re.compile(r"logit|prob|token|vocab|temperature|score", re.IGNORECASE)
"""Words of what tokens are chosen by: tiles of weights are sampled, too."""
_OF_LOGITS = re.compile(
    r"(?:argmax|multinomial)\s*\(\s*\w*(?:logits|probs)|\b\w*(?:logits|probs)(?:\[[^\]]*\])?\.(?:argmax|multinomial)\("
)
"""Steps that choose a token, in whatever function."""
_SPEAKS_OF_LOGITS = Speaking(_OF_LOGITS.pattern)
_SHAPES = re.compile(r"LogitsProcessor|LogitsWarper")
"""Steps that choose by what logits are changed before."""
_HELD = re.compile(r"^\s*(?:if|elif|while|return) .*[<>]")
"""Steps that compare."""


def _first_steps(steps: str) -> str:
    """As many whole steps as fit, and a sign that there are more."""
    lines = [line.strip() for line in steps.splitlines()]
    size = 0
    for count, line in enumerate(lines):
        size += len(line) + 2
        if count and size > LONGEST_STEPS:
            return _joined([*lines[:count], "…"])
    return _joined(lines)


def _joined(lines: list[str]) -> str:
    """Steps in a row; what a head leads to follows it at once."""
    return "; ".join(lines).replace(":; ", ": ")


def procedures(section: str, pattern: str, whose: frozenset[str] = frozenset()) -> Answer:
    """Functions of a section whose names speak of something, those that do most, by their steps.

    Of `whose` words one must be said by the function, its class or its file, where there are any.
    """
    speaks = Speaking(pattern)

    def find(system: System) -> Iterator[Claim]:
        meant = (p for p in system.procedures_of(section) if speaks(p.name) and (not whose or whose & _said(p)))
        for p in sorted(meant, key=lambda p: (-min(p.size, 30) * p.weight, -p.size))[:MOST_FUNCTIONS]:
            yield Claim(p.name, f"{p.name}: {_first_steps(p.steps)}", p.evidence[:3])

    return find


def _said(p: Procedure) -> set[str]:
    path = p.evidence[0].path
    return {*words(p.name), *words(path.stem), *words(path.parent.name)}


def functions(pattern: str) -> Answer:
    """The same of any section that has to do with serving, each function once."""
    speaks = Speaking(rf"(?:{pattern})[^.]*$")

    def find(system: System) -> Iterator[Claim]:
        found = {
            p.evidence[0]: p for section in STEMS if section.startswith("serving.")
            for p in system.procedures_of(section) if speaks(p.name)
        }  # fmt: skip
        for p in sorted(found.values(), key=lambda p: -min(p.size, 30) * p.weight)[:MOST_FUNCTIONS]:
            yield Claim(p.name, f"{p.name}: {_first_steps(p.steps)}", p.evidence[:3])

    return find


def compared(pattern: str) -> Answer:
    """The functions of scheduling and batching that hold something against a limit, with the condition."""
    speaks = Speaking(pattern)

    def find(system: System) -> Iterator[Claim]:
        meant = (p for section in ("serving.batching", "serving.scheduling") for p in system.procedures_of(section))
        for p in {p.evidence[0]: p for p in meant if p.language == "python" and speaks(p.steps)}.values():
            steps = (step for step in p.steps.splitlines() if _HELD.search(step) and speaks(step))
            held = [step.strip().rstrip(":") for step in steps]
            if held:
                yield Claim(p.name, f"{p.name}: {'; '.join(held[:3])}", p.evidence[:1])

    return find


def attending(system: System) -> Iterator[Claim]:
    """Functions that attend themselves, by their names, those of central files first."""
    meant = [p for p in system.procedures_of(COMPONENT) if _ATTENDS.search(p.name)]
    for p in sorted(meant, key=lambda p: (-system.weight(p.evidence[0].path), -p.size))[:MOST_ATTENDING]:
        yield Claim(p.name, f"{p.name}: {_first_steps(p.steps)}", p.evidence[:3])


def samplers(system: System) -> Iterator[Claim]:
    """What the components do that choose a token."""
    meant = [
        p for p in system.procedures_of(COMPONENT)
        if SAMPLES & {*words(p.name)} and _CHOOSES.search(p.steps) and _OF_TOKENS.search(f"{p.name} {p.steps}")
    ]  # fmt: skip
    meant.sort(key=lambda p: -min(p.size, 30) * (1 + p.weight))
    known = set(map(id, meant))
    others = (p for p in system.procedures_of(COMPONENT) if _SPEAKS_OF_LOGITS(p.steps) and id(p) not in known)
    shapes = (p for p in system.procedures_of(COMPONENT) if "logits" in words(p.name) and _SHAPES.search(p.steps))
    for p in (*meant[:MOST_FUNCTIONS], *list(shapes)[:MOST_FUNCTIONS]):
        yield Claim(p.name, f"{p.name}: {_first_steps(p.steps)}", p.evidence)
    for p in list(others)[:MOST_FUNCTIONS]:
        chosen = [step.strip() for step in p.steps.splitlines() if _OF_LOGITS.search(step)]
        yield Claim(p.name, f"{p.name}: {_joined(chosen[:3])}", p.evidence)
