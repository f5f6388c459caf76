"""Prompts in pieces: what cuts a long one, and what stands for a part of it.

The budget is what a minimum is taken with and what is counted down.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import (
    EXITS,
    assignments,
    calls,
    guards_text,
    last_name,
    last_of,
    own,
    own_of,
    statements,
)
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

DRAFTS = {"draft", "propose", "proposer", "drafter", "spec", "speculative", "ngram", "beam", "indexer", "sampling",
          "params", "response", "protocol", "prefetch", "backward", "warmup"}  # fmt: skip
"""Words of what else limits tokens: guesses of a drafter, rows of an index, the length of an answer, copies ahead."""
MANY = {"prompts", "requests", "reqs", "instances", "seqs", "sequences", "samples", "concurrency", "batch"}
"""Words of several prompts, of which a loop takes some at a time."""
COLLECTS = {"append", "extend", "add", "len"}
MEDIA = {"frame", "frames", "video", "image", "images", "audio"}
"""Words of what is cut into pieces before it becomes tokens."""
PROMPTS = {"prompt", "prompts", "prefill"}
TOKENS = {*PROMPTS, "token", "tokens", "id", "ids", "input", "inputs", "chunk", "embeds", "embeddings", "text", "seq",
          "sequence", "step"}  # fmt: skip
"""Words of what a prompt consists of, or of a piece of it."""
BYTES = {"byte", "bytes", "transfer", "send", "receive", "recv"}
"""Words of what is sent in parts."""
BUDGETS = {"chunk", "budget", "capacity", "quota", "max"}
ANSWERS = {"new", "output", "completion", "generate", "generated", "response", "answer"}
"""Words of what a request may still bring forth: a limit leaves that, too, but cuts no prompt."""


@by_function
def chunks(source: PythonSource) -> Iterator[Claim]:
    """`min(budget, remaining)` tokens of a request are taken and the rest later: chunked prefill."""
    for scope in source.module.functions():
        if DRAFTS & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        known = assignments(scope.node)
        for statement, guards in statements(scope.node):
            if not isinstance(statement, t.Assign) or not isinstance(statement.value, t.Call):
                continue
            cut = _cut(statement.value)
            if cut is None:
                continue
            if {"budget", "quota"} & set(words(last_name(statement.targets[0]))):
                continue  # a budget under another one
            if len(cut.args) == 2 and any(map(_is_rest_of_budget, cut.args)):
                yield from _rest_of_budget(source, scope, statement, cut, cut.args)
                continue
            operands = [a for a in cut.args if t.dotted(a) or _is_length(a)]
            counted = operands if len(operands) >= 2 else []
            budget = next((a for a in counted if _counted_down(scope.node, a, statement, known)), None)
            if BYTES & {*words(scope.qualified_name), *words(source.quote(cut))}:
                continue
            if budget is None or not _is_budget(budget) or not _is_of_tokens(statement, operands):
                meant = [known.get(a.id, a) if isinstance(a, t.Name) else a for a in cut.args]
                if any(map(_is_rest_of_budget, meant)):
                    yield from _rest_of_budget(source, scope, statement, cut, meant)
                continue
            target = source.quote(statement.targets[0])
            value = (
                f"chunked prefill: {target} = {source.quote(cut)}: a request over the budget is cut, the rest follows"
            )
            if cut is not statement.value:
                value += f"; {source.quote(statement.value)}: never fewer than that"
            value += _made_from(source, scope.node, budget, statement)
            value += _only_first(source, scope.node, operands)
            value += _last_first(source, scope.node, statement)
            guard = [source.quote(g.test) for g in guards if g.holds]
            value += f"; under {' and '.join(guard)}" if guard else ""
            if text := _chosen_class(source, scope.node, statement):
                value += f"; {text}"
            yield Claim(f"{scope.qualified_name} chunked prefill", value, (source.at(statement), source.at(scope.node)))


@by_function
def chosen_by_size(source: PythonSource) -> Iterator[Claim]:
    """`if engine.chunks and length >= size: self.chunked_prefill(…)`: when a prompt goes in chunks at all."""
    if source.aside:
        return
    for scope in source.module.functions():
        if ({"chunk", "chunked"} & set(words(scope.node.name))) or DRAFTS & set(words(scope.qualified_name)):
            continue
        for statement, guards in statements(scope.node):
            held = tuple(g for g in guards if not g.early)
            call = next((c for c in calls(statement) if _is_of_chunks(last_name(c.func))), None)
            if call is None or not any(g.holds and _compares_lengths(g.test) for g in held):
                continue
            value = f"chunked prefill: {source.quote(call.func)} if {' and '.join(guards_text(source, held))}"
            yield Claim(f"{scope.qualified_name} chunked prefill", value, (source.at(call), source.at(scope.node)))


def _is_of_chunks(name: str) -> bool:
    said = set(words(name))
    if {"set", "log", "record", "observe", "time", "metrics"} & said:
        return False  # what is only noted
    return bool({"chunk", "chunked", "chunks"} & said) and bool({"prefill", "prompt"} & said)


def _compares_lengths(test: t.Expr) -> bool:
    for node in t.walk(test):
        if not isinstance(node, t.Compare) or node.ops[0] not in ("<", ">", "<=", ">="):
            continue
        said = {w for part in t.walk(node) for w in words(_name_of(part))}
        is_with_number = isinstance(node.comparators[0], t.Constant)
        if "chunk" in said or "chunked" in said or ({"length", "len", "tokens"} & said and not is_with_number):
            return True
    return False


def _name_of(node: t.Node) -> str:
    return last_name(node) if isinstance(node, t.Name | t.Attribute) else ""


@by_function
def cut_to_the_rest(source: PythonSource) -> Iterator[Claim]:
    """`n = len(prompt)`, and later `n = chunk_size - used`: what is over the rest of the budget is left for later."""
    for scope in source.module.functions():
        if source.aside or DRAFTS & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        bound: dict[str, list[t.Assign]] = {}
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[t.Name(id=name)]) if {"length", "len", "tokens"} & set(words(name)):
                    bound.setdefault(name, []).append(node)
                case _:
                    pass
        for name, found in bound.items():
            if len(found) != 2 or not _is_rest_of_budget(found[1].value) or not isinstance(found[0].value, t.Call):
                continue
            left = found[1].value
            assert isinstance(left, t.BinOp)
            if not {"chunk", "budget"} & set(words(last_name(left.left))):
                continue
            value = (
                f"chunked prefill: {name} is {source.quote(found[0].value)} where that fits, else what is left of "
                f"{source.quote(left.left)} ({source.quote(found[1])}); the rest follows"
            )
            places = (source.at(found[1]), source.at(found[0]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} chunked prefill", value, places)


@by_function
def portions_by_test(source: PythonSource) -> Iterator[Claim]:
    """`if rest <= budget: n = rest else: n = budget`: the lesser of both, written as a test."""
    for scope in source.module.functions():
        if DRAFTS & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        known = assignments(scope.node)
        for node in own_of(scope.node, t.If):
            match node:
                case t.If(
                    test=t.Compare(left=rest, ops=["<=" | "<"], comparators=[budget]),
                    body=[t.Assign(targets=[target], value=whole)],
                    orelse=[t.Assign(targets=[other], value=part) as cut],
                ):
                    pass
                case _:
                    continue
            names = [t.dotted(n) for n in (rest, budget, target)]
            if None in names or names != [t.dotted(n) for n in (whole, part, other)]:
                continue
            if not _is_budget(budget) or not _is_of_tokens(cut, [rest, budget]):
                continue
            if not _counted_down(scope.node, budget, cut, known):
                continue
            value = (
                f"chunked prefill: {names[2]} = {names[0]} if {source.quote(node.test)}, else {names[1]}: a request "
                "over the budget is cut, the rest follows"
            )
            yield Claim(f"{scope.qualified_name} chunked prefill", value, (source.at(node), source.at(scope.node)))


def _cut(value: t.Call) -> t.Call | None:
    """`min(rest, budget)`, also as `max(min(rest, budget), 1)`."""
    if last_name(value.func) == "max" and len(value.args) == 2:
        value = next((a for a in value.args if isinstance(a, t.Call)), value)
    return value if last_name(value.func) == "min" and len(value.args) in (2, 3) else None


def _made_from(source: PythonSource, function: t.FunctionDef | t.ClassDef, budget: t.Expr, cut: t.Assign) -> str:
    """What a budget is before anything is taken from it, where the function works it out."""
    name = t.dotted(budget)
    found = (
        n for n in own_of(function, t.Assign)
        if t.dotted(n.targets[0]) == name and n.span.end <= cut.span.start
    )  # fmt: skip
    made = next(found, None)
    return f", where {name} = {source.quote(made.value)}" if made is not None and calls(made) else ""


def _last_first(source: PythonSource, function: t.FunctionDef | t.ClassDef, cut: t.Assign) -> str:
    """`for … in zip(reversed(a), reversed(b))`: the last of a list are served first."""
    for loop in own_of(function, t.For):
        if not loop.span.start <= cut.span.start < loop.span.end:
            continue
        turned = [c for c in calls(loop.iter) if last_name(c.func) == "reversed"]
        if turned:
            return f"; taken from the last to the first ({source.quote(turned[0])})"
    return ""


def _rest_of_budget(
    source: PythonSource, scope: Scope, statement: t.Assign, cut: t.Call, meant: list[t.Expr]
) -> Iterator[Claim]:
    """A minimum with `budget - used`, written out or bound to a name before."""
    if ANSWERS & set(words(last_name(statement.targets[0]))):
        return
    if not _is_of_tokens(statement, [a.left for a in meant if isinstance(a, t.BinOp) and t.dotted(a.left)]):
        return
    target = source.quote(statement.targets[0])
    left = next(a.left for a in meant if isinstance(a, t.BinOp) and _is_rest_of_budget(a))
    is_budget = bool(BUDGETS & set(words(last_name(left))))
    rest = "the rest of the budget" if is_budget else f"what is left of {source.quote(left)}"
    value = f"chunked prefill: {target} = {source.quote(cut)}: at most {rest} is taken"
    for given, held in zip(cut.args, meant, strict=True):
        if given is not held and _is_rest_of_budget(held):
            value += f", where {source.quote(given)} = {source.quote(held)}"
    yield Claim(f"{scope.qualified_name} chunked prefill", value, (source.at(statement), source.at(scope.node)))


def _is_rest_of_budget(node: t.Expr) -> bool:
    """`chunk_size - used`: what a limit leaves."""
    if not isinstance(node, t.BinOp) or node.op != "-":
        return False
    return bool((BUDGETS | {"limit"}) & set(words(last_name(node.left)))) and t.dotted(node.right) is not None


def _is_length(node: t.Expr) -> bool:
    return isinstance(node, t.Call) and t.dotted(node.func) == "len" and len(node.args) == 1


def _counted_down(function: t.FunctionDef | t.ClassDef, name: t.Expr, cut: t.Assign, known: dict[str, t.Expr]) -> bool:
    """Whether a quantity is a budget: lowered by what is taken, or a limit less what is used."""
    dotted = t.dotted(name)
    if dotted is None:
        return False
    for node in own(function):
        is_lowered = isinstance(node, t.AugAssign) and node.op == "-" and t.dotted(node.target) == dotted
        if is_lowered and (node.span.start > cut.span.start or _in_one_loop(function, node, cut)):
            return True
        if isinstance(node, t.Assign) and t.dotted(node.targets[0]) == dotted and isinstance(node.value, t.BinOp):
            left = t.dotted(node.value.left) or ""
            if node.value.op == "-" and {"max", "limit", "budget", "capacity"} & set(words(left.rpartition(".")[2])):
                return True
    return False


def _in_one_loop(function: t.FunctionDef | t.ClassDef, *nodes: t.Node) -> bool:
    loops = (n.span for n in own_of(function, t.For, t.While))
    return any(all(span.start <= n.span.start < span.end for n in nodes) for span in loops)


def _is_budget(name: t.Expr) -> bool:
    """What is left of a limit, by its name: what is left of a request is counted down too."""
    return bool(
        {"budget", "remaining", "remain", "rest", "left", "limit", "quota", "rem", "max"} & set(words(last_name(name)))
    )


def _is_of_tokens(statement: t.Assign, operands: list[t.Expr]) -> bool:
    lengths = (a.args[0] if isinstance(a, t.Call) else a for a in operands)
    names = [t.dotted(statement.targets[0]) or "", *(t.dotted(a) or "" for a in lengths)]
    return any({"token", "tokens", "chunk", "len", "extend", "prefill", "prompt"} & set(words(n)) for n in names)


def _only_first(source: PythonSource, function: t.FunctionDef | t.ClassDef, operands: list[t.Expr]) -> str:
    """`if remaining < tokens and chosen: break`: only the first request of a batch may be cut."""
    names = {t.dotted(a) for a in operands}
    for node in own_of(function, t.If):
        match node:
            case t.If(test=t.BoolOp(op="and", values=[t.Compare() as small, t.Name() | t.Attribute() as chosen])):
                pass
            case _:
                continue
        if {t.dotted(small.left), t.dotted(small.comparators[0])} == names and isinstance(last_of(node.body), EXITS):
            chosen_name = source.quote(chosen)
            end = f"the loop ends `if {source.quote(node.test)}` once {chosen_name} is not empty"
            return f"; only for the first sequence of a batch, as {end}"
    return ""


def _chosen_class(source: PythonSource, function: t.FunctionDef | t.ClassDef, cut: t.Assign) -> str:
    """`C = Partial if size < rest else Whole`: another class stands for what is not complete."""
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.IfExp(body=t.Name() as one, orelse=t.Name() as other)):
                if one.id[:1].isupper() and other.id[:1].isupper():
                    test = source.quote(node.value.test) if isinstance(node.value, t.IfExp) else ""
                    chosen = f"it is represented by {one.id} if {test}, else by {other.id} ({name})"
                    return f"{chosen}; {_overridden(source, one.id)}"
            case _:
                pass
    return ""


def _overridden(source: PythonSource, name: str) -> str:
    """What a class of the file changes of its base: methods that refuse or answer with a constant."""
    for scope in source.module.classes():
        if scope.node.name == name and isinstance(scope.node, t.ClassDef):
            parts = [f"{m.name} {_effect(source, m)}" for m in scope.node.methods()]
            return f"{name} overrides {', '.join(parts)}" if parts else ""
    return ""


def _effect(source: PythonSource, method: t.FunctionDef) -> str:
    last = method.body[-1] if method.body else None
    match last:
        case t.Raise():
            return "(raises: it is not allowed)"
        case t.Return(value=value) if value is not None:
            return f"(returns {source.quote(value)})"
        case _:
            return ""


@by_function
def pieces(source: PythonSource) -> Iterator[Claim]:
    """`for start in range(0, n, size): part = prompt[start : start + size]` around a call: prompts go in pieces."""
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For):
            match loop:
                case t.For(target=t.Name(id=start), iter=t.Call(func=t.Name(id="range"), args=[_, _, size])):
                    pass
                case _:
                    continue
            cut = next((n for n in _run(loop) if _is_piece(n, start, size)), None)
            if cut is None or not PROMPTS & set(words(f"{scope.qualified_name} {source.quote(loop)}")):
                continue
            said = {*words(source.quote(cut.value)), *words(source.quote(size))}
            if (MANY | MEDIA) & said or not TOKENS & said:
                continue
            value = (
                f"chunked prefill: {scope.qualified_name} runs the prompt in pieces of {source.quote(size)} tokens: "
                f"for {start} in {source.quote(loop.iter)}, {source.quote(cut)}"
            )
            places = (source.at(loop.iter), source.at(cut), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} chunked prefill", value, places)


def _run(loop: t.For) -> Iterator[t.Subscript]:
    """The parts of something that the calls of a loop are given; what is only collected is not run."""
    for call in (c for statement in loop.body for c in calls(statement)):
        if last_name(call.func) not in COLLECTS:
            given = (n for a in (*call.args, *(k.value for k in call.keywords)) for n in t.walk(a))
            yield from (n for n in given if isinstance(n, t.Subscript))
    bound = (n for statement in loop.body for n in t.walk(statement) if isinstance(n, t.Assign))
    for value in (n.value for n in bound):
        part = value.elt if isinstance(value, t.ListComp) else value
        if isinstance(part, t.Subscript):
            yield part


def _is_piece(node: t.Subscript, start: str, size: t.Expr) -> bool:
    match node.slice:
        case t.Slice(lower=t.Name(id=low), upper=t.BinOp(left=left, op="+", right=right)):
            return low == start == t.dotted(left) and t.dotted(right) == t.dotted(size) is not None
        case _:
            return False
