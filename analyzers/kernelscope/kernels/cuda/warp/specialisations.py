"""Which definition of a struct its template arguments mean: the general one, or a specialisation for them.

Where an argument is open that a specialisation asks for, the type is open too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.warp.types import Opaque, StructType, Type, TypeParameter
from kernelscope.syntax.cuda import tree as t

Argument = Type | Dim
Evaluate = Callable[[t.TemplateParam, "t.Expr | t.TypeName"], "Argument | None"]
"""What a specialisation's argument stands for."""


def specialised(general: StructType, special: Sequence[t.Struct], evaluate: Evaluate) -> StructType | Opaque:
    """The definition that the arguments of a struct choose."""
    given = dict(general.arguments)
    fitting: list[StructType] = []
    for struct in special:
        bound = _bound(general.struct, struct, given, evaluate)
        if bound is None:
            return Opaque(general.struct.name)
        if bound is not _NO_MATCH:
            fitting.append(StructType(struct, tuple(bound.items()), general.outer))
    if not fitting and not general.struct.kind:
        return Opaque(general.struct.name)
    return min(fitting, key=lambda found: len(found.struct.template), default=general)


def undefined(special: Sequence[t.Struct]) -> t.Struct:
    """The general struct of specialisations where only these are defined: it has parameters and nothing else."""
    first = special[0]
    template: list[t.TemplateParam] = []
    for i in range(max(len(struct.specialisation) for struct in special)):
        kind = next((kind for struct in special if (kind := _value_kind(struct, i)) is not None), None)
        template.append(t.TemplateParam(f"{first.name}#{i}", kind, None, first.name_span))
    return t.Struct(first.name, first.scope, template, (), [], "", first.name_span, first.span, list, first.space)


def _value_kind(struct: t.Struct, place: int) -> t.TypeName | None:
    """The type of a template parameter that is a value; None where it is a type, as far as a specialisation tells."""
    written = struct.specialisation[place] if place < len(struct.specialisation) else None
    if written is None or isinstance(written, t.TypeName):
        name = _bare_name(written) if written is not None else ""
        return next((param.type for param in struct.template if param.name == name), None)
    if isinstance(written, t.Name):
        named = next((param for param in struct.template if param.name == written.id), None)
        return named.type if named is not None else _BOOL if written.id in ("true", "false") else None
    return t.TypeName("int", written.span)


_BOOL = t.TypeName("bool", t.Span(0, 0))


_NO_MATCH: dict[str, Argument] = {}
"""Told by identity."""


def _bound(
    general: t.Struct, special: t.Struct, given: dict[str, Argument], evaluate: Evaluate
) -> dict[str, Argument] | None:
    """What the parameters of a specialisation stand for if it is meant; None where that is open."""
    free = {param.name for param in special.template}
    bound: dict[str, Argument] = {}
    is_open = False
    for param, written in zip(general.template, special.specialisation, strict=False):
        value = given.get(param.name)
        name = _bare_name(written)
        if name in free and name not in bound:
            if value is not None:
                bound[name] = value
            continue
        wanted = bound[name] if name in bound else evaluate(param, written)
        if isinstance(value, TypeParameter) and isinstance(wanted, Opaque | StructType) and general.kind:
            return _NO_MATCH  # an open type is taken for one of CUDA's numbers, as its size is
        same = _same(value, wanted)
        if same is False:
            return _NO_MATCH
        is_open = is_open or same is None
    return None if is_open else bound


def _bare_name(written: t.Expr | t.TypeName) -> str:
    if isinstance(written, t.TypeName):
        return "" if written.layers or written.arguments or written.scope else written.base
    return written.id if isinstance(written, t.Name) and not written.scope else ""


def _same(value: Argument | None, wanted: Argument | None) -> bool | None:
    if value is None or wanted is None or isinstance(value, TypeParameter) or isinstance(wanted, TypeParameter):
        return None
    if isinstance(value, Dim) or isinstance(wanted, Dim):
        if not (isinstance(value, Dim) and isinstance(wanted, Dim)):
            return None
        if value == wanted:
            return True
        return False if value.const is not None and wanted.const is not None else None
    return value == wanted
