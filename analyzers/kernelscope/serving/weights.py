"""Weights that two modules share: assignments of one module's parameter to another's.

Only `a.weight = b.weight` (also through `.data`) counts; loaders that copy values do not.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.syntax.python import tree as t


@by_function
def shared_weights(source: PythonSource) -> Iterator[Claim]:
    """Tied weights of one file, with the condition under which they are tied."""
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            if not isinstance(statement, t.Assign):
                continue
            target, value = _weight(statement.targets[0]), _weight(statement.value)
            if target and value and target != value and not _takes_its_place(scope.node, target, value):
                condition = " and ".join(guards_text(source, guards))
                text = f"{target} is {value} (one tensor, tied)" + (f" if {condition}" if condition else "")
                yield Claim(f"{scope.qualified_name} tied weights", text, (source.at(statement),), condition=condition)


def _weight(node: t.Expr) -> str:
    """The name of a part's weight; an object's own is what a wrapper shows of the layer inside."""
    name = (t.dotted(node) or "").removesuffix(".data")
    return name if name.endswith(".weight") and name != "self.weight" else ""


def _takes_its_place(function: t.FunctionDef | t.ClassDef, target: str, value: str) -> bool:
    """Whether a part is made here that gets the weight of one that it stands for from now on."""
    made = target.partition(".")[0]
    is_made = any(
        [t.dotted(x) for x in n.targets] == [made] and isinstance(n.value, t.Call) for n in own_of(function, t.Assign)
    )
    return is_made and target.count(".") == value.count(".") == 1
