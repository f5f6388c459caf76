"""What a function makes of a name before it looks it up: `"PREFIX_" + name.upper().replace("-", "_")`."""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.serving.guards import last_name, own_of
from kernelscope.syntax.python import tree as t

CHANGES = {"upper": str.upper, "lower": str.lower, "strip": str.strip}
DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Spelling:
    """An expression of one name."""

    name: str
    made: t.Expr

    def of(self, text: str) -> str | None:
        """What it makes of a text; None where it is made of more than that."""
        return _text(self.made, {self.name: text}, DEEPEST)


def spelling_of(function: t.FunctionDef, name: str, owner: t.ClassDef | None) -> Spelling | None:
    """What a function binds an argument to anew, itself or by a method of its class that gives back an expression."""
    bound = [n.value for n in own_of(function, t.Assign) if [t.dotted(x) for x in n.targets] == [name]]
    if len(bound) != 1:
        return None
    match bound[0]:
        case t.Call(func=t.Attribute(value=t.Name(id="self" | "cls")) as func, args=[t.Name(id=given)]) if (
            given == name
        ):
            methods = owner.methods() if owner is not None else ()
            method = next((m for m in methods if m.name == last_name(func)), None)
        case made:
            return Spelling(name, made)
    match method.body[-1] if method is not None else None:
        case t.Return(value=made) if made is not None and method is not None:
            names = [p.name for p in method.args if p.name not in ("self", "cls")]
            return Spelling(names[0], made) if len(names) == 1 else None
        case _:
            return None


def _text(made: t.Expr, known: dict[str, str], depth: int) -> str | None:
    """An expression of texts, if it is one."""
    if not depth:
        return None
    match made:
        case t.Constant(value=str() as text):
            return text
        case t.Name(id=name):
            return known.get(name)
        case t.BinOp(left=left, op="+", right=right):
            first, second = _text(left, known, depth - 1), _text(right, known, depth - 1)
            return first + second if first is not None and second is not None else None
        case t.Call(func=t.Attribute(value=value, attr="replace"), args=[old, new]):
            texts = [_text(e, known, depth - 1) for e in (value, old, new)]
            if texts[0] is None or texts[1] is None or texts[2] is None:
                return None
            return texts[0].replace(texts[1], texts[2])
        case t.Call(func=t.Attribute(value=value, attr=attr), args=[]) if attr in CHANGES:
            text = _text(value, known, depth - 1)
            return CHANGES[attr](text) if text is not None else None
        case _:
            return None
