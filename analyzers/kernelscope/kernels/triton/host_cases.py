"""Tests of launching code that nothing decides, and the answers that one reading of it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Cases:
    """Tests of the host that nothing decides, with the answers that one reading takes.

    `asking`: whether a test without an answer gets its likelier one and is noted; else what depends on it is unknown.
    """

    answers: Mapping[str, bool] = field(default_factory=dict[str, bool])
    asking: bool = False
    asked: dict[str, bool] = field(default_factory=dict[str, bool])
    questions: int = 0
    """How often a test was asked about: what is told without any holds in every case."""

    def answer(self, test: str, likely: bool) -> bool | None:
        self.questions += 1
        if test in self.answers:
            return self.answers[test]
        if not self.asking:
            return None
        return self.asked.setdefault(test, likely)
