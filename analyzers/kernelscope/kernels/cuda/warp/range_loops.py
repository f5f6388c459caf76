"""Loops over the values of an array, or of an object whose class has iterators: one element in the middle is followed.

An iterator whose members change by the same amount with every `++` is linear in the round's number, as variables of
other loops are.
"""

from __future__ import annotations

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.warp.calls import method
from kernelscope.kernels.cuda.warp.expressions import evaluate_base
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.statements import Returned, run
from kernelscope.kernels.cuda.warp.types import Type
from kernelscope.kernels.cuda.warp.values import Cell, Data, InMemory, Int, Open, Place, Pointer, Record, Symbol
from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t


def each(m: Machine, node: t.ForEach, names: Names, returned: Returned) -> None:
    """Follow the body for an element in the middle."""
    inner = Names(names)
    base = evaluate_base(m, node.values, names)
    kind = m.resolver.type(node.target.type, names)
    rounds = m.symbols.new("k", Symbol("", 0, counter=True))
    element: Place | None = None
    if isinstance(base, Pointer):
        element = InMemory(m.moved(base, rounds))
    elif isinstance(base, Record):
        element = _iterated(m, base, kind, rounds, node.span)
    if element is None:
        why = m.varying(base)
        if isinstance(base, Record | Open) or isinstance(node.values, t.Call):
            why = why or "a loop over an object of a class, whose methods say what is next"
            m.unseen(f"for (… : {getattr(base, 'name', '') or '…'})")
        element = Cell(Data(why), kind)
    inner.variables[node.target.name] = element
    if isinstance(element, Cell):
        m.note(node.target.name + " ", node.target.name_span, element.value, element.kind)
        if not m.calls and not m.quiet:
            m.variables[node.target.name_span] = (node.target.name, element.value, element.kind)
    before = len(m.conditions)
    m.loops += 1
    run(m, node.body, Names(inner), returned)
    m.loops -= 1
    del m.conditions[before:]


def _iterated(m: Machine, base: Record, kind: Type, rounds: Dim, span: Span) -> Cell | None:
    """The element of round `rounds`, by the iterator of an object; None where its steps are not plain."""
    begin = method(m, base, "begin", (), (), span)
    iterator = m.load(begin, span) if begin is not None else None
    if not isinstance(iterator, Record):
        return None
    starts = {name: cell.value.d for name, cell in iterator.members.items() if isinstance(cell.value, Int)}
    heads = {name: m.symbols.new(name, Symbol()) for name in starts}
    for name, head in heads.items():
        m.assign(iterator.members[name], Int(head))
    if method(m, iterator, "operator++", (), (), span) is None:
        return None
    begun = {head.name: starts[name] for name, head in heads.items() if head.name is not None}
    steps: dict[str, Dim] = {}
    for name, head in heads.items():
        after = iterator.members[name].value
        if not isinstance(after, Int):
            return None
        steps[name] = after.d - head
    moving = {heads[name].name for name, step in steps.items() if step.const != 0}
    if any(not moving.isdisjoint(step.names()) for step in steps.values()):
        return None
    for name, start in starts.items():
        step = steps[name].subs(begun)
        if any(part.startswith("gridDim.") for part in step.names()):
            m.strides_over_grid(start, span)
        m.assign(iterator.members[name], Int(start + step * rounds))
    value = method(m, iterator, "operator*", (), (), span)
    return Cell(m.load(value, span), kind) if value is not None else None
