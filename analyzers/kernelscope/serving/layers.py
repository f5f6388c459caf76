"""The order of steps in a forward pass: norms before or after sub-layers, RoPE before or after the cache update.

The order is that of the calls in the source, followed through the values they pass on.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import (
    all_guards_text,
    assignments,
    calls,
    last_name,
    last_of,
    own_of,
    repeated_while,
    statements,
)
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

MIN_STEPS = 3
MAX_STEPS = 16
MAX_GUARD = 60
MAX_TEST = 120
MOST_TESTS = 3
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w.(])")
FORWARD = {"forward", "__call__", "call"}
QUIET = {"len", "range", "getattr", "isinstance", "print", "view", "reshape", "transpose", "permute", "contiguous",
         "size", "to", "unsqueeze", "squeeze", "flatten", "split", "chunk", "zip", "enumerate", "append", "super",
         "int", "float", "cast", "detach", "expand", "empty", "zeros", "empty_like", "zeros_like", "type",
         "dim", "numel", "write", "get", "items", "hasattr", "list", "tuple", "min", "max", "repeat", "clone",
         "format"}  # fmt: skip
ORDERING = {"reversed", "sorted", "iter", "next", "map", "filter", "set", "dict", "frozenset"}
"""Functions of Python that only go through something, when they are called by these names alone."""
NORMS, ATTENTION, MLP = (
    {"norm", "layernorm", "rmsnorm", "ln"},
    {"attn", "attention"},
    {"mlp", "ffn", "feed", "moe", "experts"},
)
ROPE, CACHE = {"rope", "rotary"}, {"cache", "kv", "kvcache"}
WRITES = {"update", "store", "write", "append", "set", "put", "copy", "index_copy_", "index_put_", "scatter"}


@by_function
def orders(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """The steps of forward passes and of functions that pass values from call to call, with what their order says."""
    if source.aside:
        return
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        steps = _steps(source, scope.node)
        if len(steps) < MIN_STEPS or not (scope.node.name in FORWARD or _chained(source, scope.node, steps)):
            continue
        names = [name for name, _, _ in steps]
        if len({*names}) < MIN_STEPS:
            continue  # the same again and again
        kinds = [_kind(name) for name in names]
        shown = " → ".join(_shown(name, guard) for name, _, guard in steps[:MAX_STEPS])
        shown += _tests_meant(source, scope.node, [guard for _, _, guard in steps[:MAX_STEPS]])
        where = scope.qualified_name
        places = (source.at(scope.node), *(source.at(call) for _, call, _ in steps[:10]))
        if any(kinds) or scope.node.name not in FORWARD:
            yield "dependencies.order", Claim(f"{where} order", f"{where} runs in this order: {shown}", places)
        yield from (("dependencies.order", c) for c in _norms(source, where, steps, kinds))
        yield from (("dependencies.order", c) for c in _rope(source, where, steps, kinds))


def _shown(name: str, guard: str) -> str:
    """A step with its guard; one that is too long to be read is shown to be there."""
    return f"{name} (if {guard if len(guard) < MAX_GUARD else '…'})" if guard else name


def _tests_meant(source: PythonSource, function: t.FunctionDef, guards: list[str]) -> str:
    """What the local names of comparisons stand for that decide steps: `where use_one = n <= 8`."""
    used = {name for guard in guards if len(guard) < MAX_GUARD for name in _NAME.findall(guard)}
    tests = {
        name: source.quote(value)
        for name, value in assignments(function).items()
        if name in used and isinstance(value, t.Compare | t.BoolOp)
    }
    shown = [f"{name} = {test}" for name, test in tests.items() if len(test) <= MAX_TEST][:MOST_TESTS]
    return f", where {', '.join(shown)}" if shown else ""


MOST_GUARDS = 2
"""Of the tests around a step the innermost are shown; that there are more is said."""


def _steps(source: PythonSource, function: t.FunctionDef) -> list[tuple[str, t.Call, str]]:
    """Calls of a function that do something to values, in order, each with its guard."""
    found: list[tuple[str, t.Call, str]] = []
    aside = {"logger", *_of_python(source)}
    others = [case for n in own_of(function, t.Match) for case in n.cases if isinstance(last_of(case.body), t.Return)]
    failing = [handler.body for n in own_of(function, t.Try) for handler in n.handlers]
    for statement, guards in statements(function):
        if isinstance(statement, t.Assert | t.Raise) or any(_within(statement, case.body) for case in others):
            continue  # of cases that return one is all that runs
        if any(_within(statement, body) for body in failing):
            continue
        for call in sorted(calls(statement), key=lambda call: call.span.end):  # arguments are worked out first
            name = t.dotted(call.func) or last_name(call.func)
            if not name or name in ORDERING or last_name(call.func) in QUIET or not (call.args or call.keywords):
                continue
            if last_name(call.func)[:1].isupper() or name.split(".")[0] in aside:
                continue
            around = repeated_while(function, call)
            tests = sorted((*guards, *filter(None, [around])), key=lambda g: g.test.span.start)
            texts = all_guards_text(source, tuple(tests))
            guard = " and ".join(texts[-MOST_GUARDS:]) + (" …" if len(texts) > MOST_GUARDS else "")
            found.append((name.removeprefix("self."), call, guard))
    return found


def _within(statement: t.Stmt, body: list[t.Stmt]) -> bool:
    return body[0].span.start <= statement.span.start and statement.span.end <= body[-1].span.end


def _of_python(source: PythonSource) -> Iterator[str]:
    """Names that a file gives to modules of Python's own library, and to what they hold: paths, files, clocks."""
    for statement in t.flat(source.module.body):
        match statement:
            case t.Import(names=names):
                yield from (a.bound for a in names if a.name.partition(".")[0] in sys.stdlib_module_names)
            case t.ImportFrom(module=module, names=names, level=0):
                if module.partition(".")[0] in sys.stdlib_module_names:
                    yield from (a.bound for a in names)
            case _:
                pass


def _chained(source: PythonSource, function: t.FunctionDef, steps: list[tuple[str, t.Call, str]]) -> bool:
    """Whether values of the function's own locals pass through at least three of its calls."""
    given: list[set[str]] = [
        {n for a in (*call.args, *(k.value for k in call.keywords)) if (n := t.dotted(a)) and "." not in n}
        for _, call, _ in steps
    ]
    links = sum(1 for one, other in itertools.pairwise(given) if one & other)
    outputs = {
        t.dotted(target)
        for s, _ in statements(function)
        if isinstance(s, t.Assign) and calls(s)
        for target in s.targets
    }
    passed = sum(1 for names in given if names & {o for o in outputs if o})
    return links >= 2 and passed >= MIN_STEPS


def _kind(name: str) -> str:
    parts = set(words(name))
    if parts & ROPE and parts & WRITES and parts & {*CACHE, "kv"}:
        return ""  # both in one
    if parts & NORMS and not parts & ROPE:
        return "norm"
    if parts & ROPE or "rotary" in name:
        return "rope"
    if parts & WRITES and parts & {*CACHE, "past", "values"} and not parts & {"scratch", "workspace"}:
        return "cache"
    if parts & ATTENTION:
        return "attention"
    return "mlp" if parts & MLP else ""


def _norms(source: PythonSource, where: str, steps: list[tuple[str, t.Call, str]], kinds: list[str]) -> Iterator[Claim]:
    """A norm right before attention and before the MLP is pre-norm; right after them post-norm."""
    layer = [
        (kind, name, call)
        for (name, call, _), kind in zip(steps, kinds, strict=True)
        if kind in ("norm", "attention", "mlp")
    ]
    layer = [step for i, step in enumerate(layer) if i == 0 or step[:2] != layer[i - 1][:2]]
    sub = [i for i, (kind, _, _) in enumerate(layer) if kind in ("attention", "mlp")]
    if len({layer[i][0] for i in sub}) < 2 or not any(kind == "norm" for kind, _, _ in layer):
        return
    before = all(i > 0 and layer[i - 1][0] == "norm" for i in sub)
    after = all(i + 1 < len(layer) and layer[i + 1][0] == "norm" for i in sub)
    sequence = " → ".join(name for _, name, _ in layer)
    if before:
        text = "pre-norm: normalisation is applied before each sub-layer" + (
            " and after it too" if after and layer[-1][0] == "norm" else ""
        )
    elif after:
        text = "post-norm: normalisation is applied after each sub-layer"
    else:
        return
    places = (source.at(layer[0][2]), *(source.at(call) for _, _, call in layer[1:6]))
    yield Claim(f"{where} norm order", f"{where} is {text}: {sequence}", places)


def _rope(source: PythonSource, where: str, steps: list[tuple[str, t.Call, str]], kinds: list[str]) -> Iterator[Claim]:
    """Rotary embedding before or after keys are written to a cache."""
    if "rope" not in kinds:
        return
    rope = kinds.index("rope")
    written = next((i for i, kind in enumerate(kinds) if kind == "cache"), None)
    if written is None:
        return
    when = "before" if rope < written else "after"
    guard = f" (if {steps[written][2]})" if steps[written][2] else ""
    value = (
        f"{where}: RoPE (rotary embedding, {steps[rope][0]}) is applied {when} the KV cache update "
        f"{steps[written][0]}{guard}"
    )
    if when == "before":
        value += ", so cached keys are rotated already"
    yield Claim(f"{where} rope and cache", value, (source.at(steps[rope][1]), source.at(steps[written][1])))


@by_function
def fused_residuals(source: PythonSource) -> Iterator[Claim]:
    """Functions that add a residual, keep the sum, and normalise it, returning both."""
    for scope in source.module.functions():
        node = scope.node
        assert isinstance(node, t.FunctionDef)
        names = {p.name for p in node.args}
        residual = next((n for n in names if "residual" in words(n)), None)
        if residual is None:
            continue
        added = [
            n for s in node.body for n in t.walk(s)
            if (isinstance(n, t.BinOp) and n.op == "+" and residual in source.quote(n))
            or (isinstance(n, t.Call) and last_name(n.func) in ("add", "add_") and residual in source.quote(n))
        ]  # fmt: skip
        norm = [
            c for s in node.body for c in calls(s) if last_name(c.func) in ("rsqrt", "rms_norm", "layer_norm", "var")
        ]
        both = [n for s in node.body for n in t.walk(s) if isinstance(n, t.Return) and isinstance(n.value, t.Tuple)]
        if added and norm and both:
            by = [t.dotted(d.func if isinstance(d, t.Call) else d) or "" for d in node.decorator_list]
            compiler = f", compiled by {', '.join(by)}" if any(by) else ""
            value = (
                f"{scope.qualified_name} fuses the residual add ({source.quote(added[0])}) with the norm and returns "
                f"both{compiler}"
            )
            yield Claim(f"{scope.qualified_name} fused residual norm", value, (source.at(node), source.at(added[0])))
