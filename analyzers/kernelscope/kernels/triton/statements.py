"""Statements of a kernel: assignments, branches decided by constants, loops run to a fixpoint, returns.

Branches that nothing decides are both taken and joined.
"""

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import Dim, dim
from kernelscope.kernels.triton.bodies import (
    assigned_by,
    assigned_names,
    constants_given_once,
    last_given,
    used_as_types,
)
from kernelscope.kernels.triton.call import as_tensor
from kernelscope.kernels.triton.comparisons import truth
from kernelscope.kernels.triton.dtypes import BITS
from kernelscope.kernels.triton.expressions import evaluate, recalled
from kernelscope.kernels.triton.interpretation import Frame, Interpretation
from kernelscope.kernels.triton.parameters import is_constexpr
from kernelscope.kernels.triton.parted_rounds import parted_rounds
from kernelscope.kernels.triton.switches import Question, asked, differ, distance, implied, side_of
from kernelscope.kernels.triton.values import (
    Const,
    Items,
    Range,
    Tensor,
    Undecided,
    Unknown,
    Value,
    carried,
    join,
)
from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t

Names = dict[str, Value]


def run_function(run: Interpretation, frame: Frame) -> Value:
    """The body of a function; what it returns, joined over all its returns."""
    _block(run, frame, frame.node.body)
    if not frame.returns:
        return Const(None)
    result = frame.returns[0]
    for value in frame.returns[1:]:
        result = join(result, value)
    return result


def _block(run: Interpretation, frame: Frame, body: list[t.Stmt]) -> bool:
    """Whether the end of the body is never reached."""
    outside = len(run.sides)
    ended = any(_statement(run, frame, statement) for statement in body)
    del run.sides[outside:]
    return ended


def _side(run: Interpretation, frame: Frame, node: t.If, holds: bool, question: Question | None) -> bool:
    """One side of a branch that may go the other way. Whether its end is never reached."""
    run.sides.append(side_of(frame.path, node.span.start, holds, question))
    _tell_apart(run, frame, node.test, holds)
    ended = _block(run, frame, node.body if holds else node.orelse)
    run.sides.pop()
    return ended


def _tried(run: Interpretation, frame: Frame, node: t.If, holds: bool, question: Question | None) -> tuple[bool, bool]:
    """One side of a branch: whether its end is never reached, and whether it cannot be taken: it reads a name that
    nothing on the way gives a value, which the front end refuses."""
    outside, run.refused = run.refused, False
    returned = len(frame.returns)
    ended = _side(run, frame, node, holds, question)
    refused, run.refused = run.refused, outside
    if refused:
        del frame.returns[returned:]
        if run.alike_elsewhere and frame.depth == 0 and (body := node.body if holds else node.orelse):
            run.forget(Span(body[0].span.start, body[-1].span.end))
    return ended, refused


def _statement(run: Interpretation, frame: Frame, node: t.Stmt) -> bool:
    run.step()
    match node:
        case t.Assign():
            given = recalled(run, frame, node.value)
            value = assigned(given)
            for target in node.targets:
                bind_target(run, frame, target, Const(Undecided()) if _is_type(frame, target, given) else value)
        case t.AnnAssign():
            if node.value is not None:
                value = recalled(run, frame, node.value)
                constant = is_constexpr(node.annotation)
                bind_target(run, frame, node.target, _constant(frame, node, value) if constant else assigned(value))
        case t.AugAssign():
            if isinstance(node.target, t.Name):
                bind_target(run, frame, node.target, assigned(recalled(run, frame, _both(node))))
        case t.ExprStmt(value=t.Call(func=t.Attribute(attr="static_assert"), args=[test, *_])) | t.Assert(test=test):
            evaluate(run, frame, test)
            run.refused = run.refused or run.holds(frame, test) is False
        case t.ExprStmt():
            recalled(run, frame, node.value)
        case t.Return():
            value = recalled(run, frame, node.value) if node.value is not None else Const(None)
            frame.returns.append(value)
            return True
        case t.If():
            return _if(run, frame, node)
        case t.For():
            _for(run, frame, node)
        case t.While():
            evaluate(run, frame, node.test)
            _loop(run, frame, node, None)
        case t.With():
            for item in node.items:
                evaluate(run, frame, item.context_expr)
            return _block(run, frame, node.body)
        case t.Break() | t.Continue() | t.Raise():
            return True
        case _:
            pass
    return False


@kept_of_nodes(4096)
def _both(node: t.AugAssign) -> t.BinOp:
    """What `x += y` gives `x`."""
    return t.BinOp(node.target, node.op, node.value, node.span)


def _is_type(frame: Frame, target: t.Expr, given: Value) -> bool:
    """Whether a constexpr is given to a name that the function uses as an element type."""
    is_constant = isinstance(given, Const) and isinstance(given.value, Dim) and given.value.name is not None
    return is_constant and isinstance(target, t.Name) and target.id in used_as_types(frame.node)


def _constant(frame: Frame, node: t.AnnAssign, value: Value) -> Value:
    """A local constexpr; one that only its name can tell, and that has one value in a launch, is known by its name."""
    if frame.depth == 0 and isinstance(node.target, t.Name) and value == Const(Undecided("int")):
        name = node.target.id
        return Const(dim(name)) if name in constants_given_once(frame.node) else value
    return value


def assigned(value: Value) -> Value:
    """Assignment turns numbers into scalars of the device, as the front end does."""
    match value:
        case Const(value=None) | Const(value=str()) | Const(value=Undecided(kind="" | "str")):
            return value
        case Const():
            return as_tensor(value) or value
        case Items():
            return Items(tuple(assigned(item) for item in value.items))
        case _:
            return value


def bind_target(run: Interpretation, frame: Frame, target: t.Expr, value: Value) -> None:
    """Gives the value to a name, or its parts to the names of a tuple."""
    match target:
        case t.Name():
            frame.names[target.id] = value
            run.record(frame, target.span, value)
        case t.Tuple() | t.List():
            parts = value.items if isinstance(value, Items) else ()
            for index, element in enumerate(target.elts):
                part = parts[index] if index < len(parts) else Unknown("it is part of something that is no tuple")
                bind_target(run, frame, element, part)
        case t.Starred():
            bind_target(run, frame, target.value, value)
        case _:
            pass


def _if(run: Interpretation, frame: Frame, node: t.If) -> bool:
    value = recalled(run, frame, node.test)
    test = truth(value)
    switch = run.switch(frame, node.test) if test is None and isinstance(value, Const) else None
    answer = run.holds(frame, node.test) if test is None and isinstance(value, Const) else None
    question = asked(node.test, switch) if switch is not None else None
    if answer is not None and not run.undecided:
        return _side(run, frame, node, answer, question)
    if test is not None and not run.undecided:
        return _block(run, frame, node.body if test else node.orelse)
    before = dict(frame.names)
    body_ends, body_refused = _tried(run, frame, node, True, question)
    after_body, frame.names = frame.names, dict(before)
    else_ends, else_refused = _tried(run, frame, node, False, question)
    if body_refused or else_refused:
        run.refused = run.refused or (body_refused and else_refused)
        if isinstance(value, Const) and not run.undecided and body_refused != else_refused:
            frame.names = after_body if else_refused else frame.names
            if switch is not None and run.alike_elsewhere:  # the launches of this way answer so wherever it is asked
                run.answers = {**run.answers, switch[0]: else_refused == switch[1]}
            for name in _only_told_apart(node, bool(else_refused), before, frame.names):
                frame.names[name] = before[name]
            return body_ends if else_refused else else_ends
    if body_ends and else_ends:
        return True
    if body_ends or else_ends:  # what follows is on the side that goes on
        run.sides.append(side_of(frame.path, node.span.start, not body_ends, question, is_rest=True))
    if body_ends:
        _tell_apart(run, frame, node.test, False)
        return False
    if switch is not None and not else_ends and (apart := _disagreeing(after_body, frame.names, bool(run.switches))):
        furthest = max(distance(a, b) for a, b in apart)
        run.switches[switch[0]] = max(furthest, run.switches.get(switch[0], 0))
    if not else_ends:
        _tell_pointers(run, after_body, frame.names)
    if else_ends:
        frame.names = after_body
        _tell_apart(run, frame, node.test, True)
        return False
    after_else, frame.names = frame.names, _joined(after_body, frame.names, isinstance(value, Tensor))
    if switch is not None or (frame.depth and test is None and run.told(frame, node.test) is not None):
        run.parted.part(node.test, frame.names, after_body, after_else)
    return False


def _only_told_apart(node: t.If, body: bool, before: Names, after: Names) -> list[str]:
    """The names of which a side told what they hold there, without giving them anything."""
    given = assigned_by(t.walk(*(node.body if body else node.orelse)))
    return [name for name, value in before.items() if after[name] is not value and name not in given]


def _tell_apart(run: Interpretation, frame: Frame, test: t.Expr, holds: bool) -> None:
    """Names that a branch on the same test left with one value or the other have the one where it holds or fails."""
    if not run.parted:
        return
    answers = dict(run.answers)
    for inner, answer in implied(test, holds):
        if (switch := run.told(frame, inner)) is not None:
            answers[switch[0]] = answer == switch[1]
    run.parted.tell_apart(lambda asked: run.holds(frame, asked, answers), frame.names)


def _tell_pointers(run: Interpretation, a: Names, b: Names) -> None:
    """What is an address on one side of a branch is one on the other."""
    for name, value in b.items():
        if (other := a.get(name)) is not value and isinstance(value, Tensor) and isinstance(other, Tensor):
            run.same_kind(value, other)


def _disagreeing(a: Names, b: Names, vague: bool) -> list[tuple[Value, Value]]:
    """What branches leave in names with blocks of different shapes."""
    pairs = ((a[name], value) for name, value in b.items() if name in a and a[name] is not value)
    return [(one, other) for one, other in pairs if differ(one, other, vague)]


def _joined(a: Names, b: Names, one_type: bool, rounds: bool = False) -> Names:
    """Names after two branches, or before and after a round; what only one of them binds keeps its value.

    `one_type`: whether the front end wants names to have the same type on both sides. `rounds`: what a round leaves
    alone stays the very value that branches in it told apart.
    """
    meet = carried if one_type else join
    result = dict(a)
    for name, value in b.items():
        known = result.get(name)
        if known is not value:
            met = meet(known, value) if known is not None else value
            result[name] = value if rounds and met == value else met
    return result


def _for(run: Interpretation, frame: Frame, node: t.For) -> None:
    source = recalled(run, frame, node.iter)
    if isinstance(source, Items):
        for item in source.items:
            bind_target(run, frame, node.target, item)
            _block(run, frame, node.body)
        return
    counter: Value = Unknown("what the loop runs over is not known")
    unrolled, trips = False, None
    if isinstance(source, Range):
        unrolled, trips = source.unrolled, source.trips or parted_rounds(run, frame, node.iter)
        counter = Const(Undecided("int")) if unrolled else Tensor((), source.elem)
    _loop(run, frame, node, counter, unrolled, trips)


def _loop(
    run: Interpretation,
    frame: Frame,
    node: t.For | t.While,
    counter: Value | None,
    unrolled: bool = False,
    trips: Dim | None = None,
) -> None:
    """Rounds of a body until the names at its head no longer change."""
    if not unrolled:
        changed = assigned_names(node)
        for name in changed & frame.names.keys():
            frame.names[name] = assigned(frame.names[name])
    run.enter_loop(frame, node.span, trips)
    outside, run.around = run.around, run.around if unrolled else (*run.around, node.span)
    for _ in range(run.max_rounds):
        head = dict(frame.names)
        if isinstance(node, t.For) and counter is not None:
            bind_target(run, frame, node.target, counter)
        _block(run, frame, node.body)
        frame.names = _joined(head, frame.names, not unrolled, rounds=True)
        after = frame.names
        if all((now := after.get(name)) is value or now == value for name, value in head.items()):
            break
    run.loops.pop()
    run.around = outside
    if not unrolled and frame.depth == 0:
        _tell_last(run, node, frame.names)


def _tell_last(run: Interpretation, loop: t.For | t.While, names: Names) -> None:
    """What a round gives a name last has the type that the name has at the head of the next."""
    for name, span in last_given(loop).items():
        given, kept = run.seen.get(span), names.get(name)
        if not isinstance(given, Tensor) or not isinstance(kept, Tensor) or not given.shape or not kept.shape:
            continue
        if given.pointer == kept.pointer and len(given.shape) == len(kept.shape):
            shape = kept.shape if None in given.shape else given.shape
            run.seen[span] = replace(given, shape=shape, elem=kept.elem if kept.elem in BITS else given.elem)
