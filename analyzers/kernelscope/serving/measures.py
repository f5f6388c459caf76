"""What a request or task counts as, where a method says it whose result is compared with a limit of the class."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, last_name, own_of, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

LIMITS = {"max", "limit", "budget", "capacity"}
"""Words of attributes that bound something."""
COUNTS = {"batch", "token", "tokens", "size", "requests", "seqs", "sequences"}
OVER = {">", ">=", "<", "<="}


def measures(source: PythonSource) -> Iterator[Claim]:
    """`if self.size_of(task) > self.max_batch_size: …`, with what `size_of` returns."""
    if source.aside:
        return
    for cls in source.module.classes():
        assert isinstance(cls.node, t.ClassDef)
        methods = {m.name: m for m in cls.node.methods()}
        told: set[str] = set()
        for method in methods.values():
            for test in own_of(method, t.Compare):
                match test:
                    case t.Compare(
                        left=t.Call(func=t.Attribute(value=t.Name(id="self"), attr=name), args=[_]),
                        ops=[op],
                        comparators=[limit],
                    ) if op in OVER and name in methods and name not in told:
                        pass
                    case _:
                        continue
                said = set(words(last_name(limit)))
                answers = _answers(source, methods[name])
                if not (LIMITS & said and COUNTS & said) or not answers:
                    continue
                told.add(name)
                value = (
                    f"limit: what counts is {cls.node.name}.{name}, which is {'; '.join(answers)}; "
                    f"{cls.node.name}.{method.name} compares it ({source.quote(test)})"
                )
                returns = [s for s, _ in statements(methods[name]) if isinstance(s, t.Return)]
                places = (source.at(methods[name]), source.at(test), *map(source.at, returns[:3]))
                yield Claim(f"{cls.node.name}.{name} size", value, places)


def _answers(source: PythonSource, method: t.FunctionDef) -> list[str]:
    """What a method returns, each with its condition; nothing where none of it is worked out there."""
    found: list[str] = []
    is_worked_out = False
    for statement, guards in statements(method):
        if isinstance(statement, t.Return) and statement.value is not None:
            test = " and ".join(guards_text(source, guards))
            found.append(source.quote(statement.value) + (f" if {test}" if test else ""))
            is_worked_out = is_worked_out or isinstance(statement.value, t.BinOp)
    return found if is_worked_out else []
