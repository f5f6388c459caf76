"""Who communicates through functions of the program: calls are followed to the primitive that they come to.

Within a file by what functions call; across files by the names of functions that speak of exchanging something. What
an autograd function does in `forward` and in `backward` is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import (
    Collective,
    aliases_of,
    calls_with_guards,
    exchanged_by,
    phase_of,
    primitive_of,
    producer_of,
)
from kernelscope.serving.guards import (
    DENIED,
    all_guards_text,
    calls,
    last_name,
    own_calls,
    own_of,
    statements,
)
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

NAMES = {"allreduce": "all_reduce", "allgather": "all_gather", "reducescatter": "reduce_scatter",
         "alltoall": "all_to_all", "psum": "all_reduce"}  # fmt: skip
ABOUT = {"params", "parameters", "metadata", "info", "config", "sizes", "args", "kwargs", "enabled", "supported",
         "plan", "backend", "mode", "method"}  # fmt: skip
"""Last words of functions that tell something about a collective."""
SPEAKS = {"reduce", "gather", "scatter", "broadcast", "region", "send", "recv", "exchange", "a2a", "alltoall",
          "allgather", "allreduce"}  # fmt: skip
"""Words of functions that exchange something: a name of two words with one of them may be of another file."""
GROUP = {"group", "comm", "pg", "communicator", "mesh", "axis"}
MOST_STATEMENTS = 30
"""Of a function that stands for what it calls: longer ones do more than to exchange something."""
MOST_PRIMITIVES = 2
ROUNDS = 4
UNSEEN = "a group that is not seen, by its name"
THE_WRAPPERS = "the wrapper's group"
_OF_RANKS = re.compile(r"\bsize\b|world|\brank|_size\b|\bNone\b|is_initialized")
"""Tests of whether there is anybody to exchange something with, and of what was not given."""
NEW = {"empty", "zeros", "ones", "full"}
"""What makes a tensor of sizes alone."""
TRACED = {"symbolic"}
"""What an autograd function has besides for being exported."""
PASSES = {"forward", "backward", "__call__", "__init__"}


@dataclass(frozen=True, slots=True)
class Reach:
    """A function, or a class of autograd, with the primitives that calls of it come to."""

    name: str
    forward: tuple[str, ...]
    backward: tuple[str, ...] = ()


def reaches(source: PythonSource, found: Iterable[Collective]) -> list[Reach]:
    """The short functions of a file that come to a primitive whenever they have ranks to exchange with."""
    direct: dict[str, list[tuple[str, str]]] = {}
    for c in found:
        direct.setdefault(c.where, []).append((c.primitive, c.condition))
    if not direct:
        return []
    functions = [s for s in source.module.functions() if len(statements(s.node)) <= MOST_STATEMENTS]
    names = {s.qualified_name for s in source.module.functions()}
    known: dict[str, Reach] = {}
    for _ in range(ROUNDS):
        before = dict(known)
        for scope in functions:
            forward, backward = list(direct.get(scope.qualified_name, ())), list[tuple[str, str]]()
            for statement, guards in statements(scope.node):
                for call in calls(statement):
                    called = _called(call, scope.owner.name if scope.owner is not None else "", names)
                    if (reach := _reach(known, called)) is not None:
                        condition = " and ".join(all_guards_text(source, guards))
                        forward += ((primitive, condition) for primitive in reach.forward)
                        backward += ((primitive, condition) for primitive in reach.backward)
            reach = Reach(scope.qualified_name, _always(forward), _always(backward))
            if 0 < max(len(reach.forward), len(reach.backward)) <= MOST_PRIMITIVES:
                known[scope.qualified_name] = reach
        if known == before:
            break
    return list(known.values())


def _always(found: list[tuple[str, str]]) -> tuple[str, ...]:
    """The primitives that are run whatever the arguments are: tests of how many ranks there are do not count."""
    tests: dict[str, set[str]] = {}
    for primitive, condition in found:
        left = [test for test in condition.split(" and ") if test and not _OF_RANKS.search(test)]
        tests.setdefault(primitive, set()).add(" and ".join(left))
    return tuple(p for p, ways in tests.items() if "" in ways or any(ways & _contraries(way) for way in ways))


def _contraries(test: str) -> set[str]:
    """How it may be written that a test does not hold."""
    turned = (test.replace(f" {op} ", f" {other} ", 1) for op, other in DENIED.items())
    return {f"not ({test})", f"not {test}", *turned} - {test}


def _called(call: t.Call, owner: str, names: set[str]) -> str:
    """The function of the file that a call runs: `f(…)`, `self.f(…)`; of `Class.apply(…)` the class."""
    name = t.dotted(call.func) or ""
    if name in names:
        return name
    if name.startswith(("self.", "cls.")) and f"{owner}.{name.partition('.')[2]}" in names:
        return f"{owner}.{name.partition('.')[2]}"
    return name.removesuffix(".apply") if name.endswith(".apply") else ""


def wrapped_collectives(source: PythonSource, known: Iterable[Reach] = ()) -> Iterator[Collective]:
    """Calls of the program's own functions that come to a primitive, or that are named as if they did."""
    aliases = aliases_of(source)
    local = {reach.name: reach for reach in known}
    functions = {s.qualified_name: s.node for s in source.module.functions()} if local else {}
    names = set(functions)
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        owner = scope.owner.name if scope.owner is not None else ""
        if scope.node.name in TRACED:
            continue
        for call, guards, before in calls_with_guards(scope.node):
            name = last_name(call.func)
            if not name or primitive_of(call.func, aliases) is not None or scope.node.name == name:
                continue
            called = _called(call, owner, names) if local else ""
            reach = _reach(local, called)
            primitive = _named_like(name)
            if reach is None and primitive is None and not _may_exchange(call):
                continue
            tensor, group = _operands(call)
            if called in functions and not _exchanges_given(called, functions, aliases, local):
                tensor = None
            row = Collective(
                primitive or "", source.quote(tensor) if tensor is not None else "",
                source.quote(group) if group is not None else THE_WRAPPERS,
                scope.qualified_name, " and ".join(all_guards_text(source, guards)), False, phase_of(scope.node.name),
                source.at(call), source.quote(call.func), name, producer_of(source, tensor, before),
            )  # fmt: skip
            yield from _resolved(row, reach) if reach is not None else (row,)


def _exchanges_given(
    name: str, functions: dict[str, t.FunctionDef | t.ClassDef], aliases: dict[str, str], local: dict[str, Reach],
    depth: int = ROUNDS,
) -> bool:  # fmt: skip
    """Whether what a function exchanges is, or is made of, what it is given, also by functions that it calls.

    No where all that it exchanges is made in it, of its own attributes, sizes and the like.
    """
    function = functions[name]
    if not isinstance(function, t.FunctionDef):
        return True
    given = {p.name for p in function.args} - {"self", "cls"}
    seen = False
    for call in own_calls(function):
        exchanged = exchanged_by(call, aliases)
        called = _called(call, name.rpartition(".")[0], set(functions))
        if exchanged is not None:
            operands = [exchanged]
        elif _reach(local, called) is not None and called in functions and called != name and depth:
            if not _exchanges_given(called, functions, aliases, local, depth - 1):
                seen = True
                continue
            operands = call.args
        else:
            continue
        seen = True
        if any(_is_made_of(function, operand, given) for operand in operands):
            return True
    return not seen


def _is_made_of(function: t.FunctionDef, operand: t.Expr, given: set[str]) -> bool:
    """Whether an operand is of what a function is given; what is bound in ways that are not followed may be."""
    if not isinstance(operand, t.Name):
        return True
    if operand.id in given:
        return True
    made = [n.value for n in own_of(function, t.Assign) if any(t.dotted(x) == operand.id for x in n.targets)]
    methods = [(c, c.func) for c in own_calls(function) if isinstance(c.func, t.Attribute)]
    filled = [c for c, method in methods if t.dotted(method.value) == operand.id]
    parts = [*made, *(a for c in filled for a in c.args)]
    return not made or any(isinstance(n, t.Name) and n.id in given for part in parts for n in t.walk(*_data(part)))


def _data(made: t.Expr) -> list[t.Expr]:
    """What the data of something made comes from: not the keywords of its device and type, nor sizes of what is new."""
    if not isinstance(made, t.Call):
        return [made]
    return [] if last_name(made.func) in NEW else [made.func, *made.args]


def _reach(local: dict[str, Reach], called: str) -> Reach | None:
    """What a function of the file comes to, or a class of autograd by its two passes."""
    if called in local or not called:
        return local.get(called)
    forward, backward = local.get(f"{called}.forward"), local.get(f"{called}.backward")
    if forward is None and backward is None:
        return None
    return Reach(called, forward.forward if forward else (), backward.forward if backward else ())


def _resolved(c: Collective, reach: Reach) -> Iterator[Collective]:
    """A call of a wrapper with the primitives that it comes to."""
    for primitive in reach.forward:
        yield replace(c, primitive=primitive, backward=", ".join(reach.backward), wrapper="")
    if not reach.forward:
        yield from (replace(c, primitive=p, phase="backward", wrapper="") for p in reach.backward)


def reached(wrapped: Iterable[Collective], known: Iterable[Reach], around: set[str]) -> Iterator[Collective]:
    """The wrapped calls of all files: with what a function of this name comes to, where all of them agree.

    By their name alone where it says a primitive and no function is seen to reach one.
    """
    by_name: dict[str, set[Reach]] = {}
    for reach in known:
        if (last := reach.name.rpartition(".")[2]) not in PASSES:
            by_name.setdefault(last, set()).add(replace(reach, name=last))
    for c in wrapped:
        meant = by_name.get(c.wrapper, set())
        if not c.wrapper:
            yield c
        elif len(meant) == 1 and (not c.primitive or c.primitive in (one := next(iter(meant))).forward + one.backward):
            yield from _resolved(c, next(iter(meant)))
        elif c.primitive:
            group = UNSEEN if c.group == THE_WRAPPERS else c.group
            yield c if c.wrapper in around else replace(c, group=group, confidence="heuristic")


def _may_exchange(call: t.Call) -> bool:
    """Whether a call may run a function of another file that exchanges something, by the words of its name."""
    said = words(last_name(call.func))
    return len(said) > 1 and bool(SPEAKS & set(said)) and not ABOUT & set(said[-1:])


def _operands(call: t.Call) -> tuple[t.Expr | None, t.Expr | None]:
    """What a wrapper is given to exchange, and the group."""
    group = next((k.value for k in call.keywords if k.arg and GROUP & set(words(k.arg))), None)
    tensor: t.Expr | None = None
    for operand in call.args:
        entry = (
            operand.slice.value if isinstance(operand, t.Subscript) and isinstance(operand.slice, t.Constant) else ""
        )
        if GROUP & {*words(last_name(operand)), *words(str(entry))}:
            group = group or operand
        else:
            tensor = tensor or operand
    return tensor, group


def _named_like(name: str) -> str | None:
    """`all_reduce` of `tensor_model_parallel_all_reduce` and `make_allreduce`; what is told about one is none."""
    if words(name)[-1:] and words(name)[-1] in ABOUT:
        return None
    joined = name.replace("_", "").lower()
    for word, primitive in NAMES.items():
        if word in joined:
            return primitive
    return None
