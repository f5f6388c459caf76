"""What local names stand for that are bound and then added to: `n = len(ids)`, and `n += 1` under a test."""

from __future__ import annotations

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import guards_text, statements
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope


def made_of(source: PythonSource, scope: Scope, node: t.Expr, until: t.Node | None = None) -> str:
    """`, where n = len(ids) + most, += 1 if padded` for the local names of an expression; nothing where there are none.

    Told is what is bound last before `until`; without that, names that are bound at several places are left out.
    """
    names = dict.fromkeys(n.id for n in t.walk(node) if isinstance(n, t.Name))
    made: dict[str, list[str]] = {}
    several: set[str] = set()
    for statement, guards in statements(scope.node):
        if until is not None and statement.span.start >= until.span.start:
            break
        test = " and ".join(guards_text(source, guards[-1:]))
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value) if name in names:
                if name in made and until is None:
                    several.add(name)
                made[name] = [f"{name} = {source.quote(value)}"]
            case t.AugAssign(target=t.Name(id=name), op=op, value=value) if name in made:
                made[name].append(f"{op}= {source.quote(value)}" + (f" if {test}" if test else ""))
            case _:
                pass
    told = [", ".join(parts) for name, parts in made.items() if name not in several]
    return f", where {'; '.join(told)}" if told else ""
