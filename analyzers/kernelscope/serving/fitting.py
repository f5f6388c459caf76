"""How lengths are made to fit what there is: rounded up to one of a few sizes, or cut off where they are too long.

The next size up is found by how it is searched (`bisect`, the first that is large enough), whatever sizes are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import all_guards_text, assignments, last_name, own_calls, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

FITTED = {"batch", "bs", "bucket", "buckets", "chunk", "chunks", "graph", "len", "length", "lengths", "lens", "pad",
          "padded", "padding", "prefill", "prompt", "seq", "seqlen", "token", "tokens"}  # fmt: skip
"""Words of what has a size that others must fit: batches, chunks, lengths."""
IDS = {"id", "ids", "token"}
"""Words of numbers that stand for something: they are looked up in sorted lists, too."""
TEXTS = {"ids", "input", "inputs", "prompt", "prompts", "token", "tokens"}
"""Words of what is asked for, as numbers or text."""
BOUNDS = {"bound", "limit", "max", "maximum", "padded"}
"""Words of how much of it is kept."""
PARTS = {"budget", "cached", "chunk", "extend", "log", "new", "num", "prefix", "step", "window"}
"""Words of a part that is worked on first, is there already or is only shown: the rest is not lost."""
Fit = tuple[t.Node, str, str, str]
"""Where a size is chosen, of what, for what, and how."""


@by_function
def fitted_sizes(source: PythonSource) -> Iterator[Claim]:
    """`sizes[bisect_left(sizes, n)]`, `for s in sizes: if n <= s: return s`, `next(s for s in sizes if s >= n)`."""
    if source.aside:
        return
    for scope in source.module.functions():
        told: set[str] = set()
        for node, sizes, wanted, how in chain.from_iterable(find(source, scope) for find in FITS):
            said = {*words(sizes), *words(wanted), *words(scope.node.name)}
            if not FITTED & said or IDS & said or sizes in told:
                continue
            told.add(sizes)
            value = f"rounded up to one of a few sizes: {how} of {sizes} that is at least {wanted} is taken"
            value += _too_large(source, scope, sizes)
            yield Claim(f"{scope.qualified_name} size", value, (source.at(node), source.at(scope.node)))


def _by_search(source: PythonSource, scope: Scope) -> Iterator[Fit]:
    """`place = bisect_left(sizes, n)`, by which `sizes` is then indexed."""
    known = assignments(scope.node)
    for node in own_of(scope.node, t.Subscript):
        at = known.get(node.slice.id) if isinstance(node.slice, t.Name) else node.slice
        match at:
            case t.Call(func=func, args=[sizes, wanted]) if last_name(func) == "bisect_left":
                if source.quote(sizes) == source.quote(node.value):
                    yield at, source.quote(sizes), source.quote(wanted), "the smallest"
            case _:
                pass


def _by_loop(source: PythonSource, scope: Scope) -> Iterator[Fit]:
    """`for s in sizes: if n <= s: return s`, or what it is bound to before the loop is left."""
    for loop in own_of(scope.node, t.For):
        match loop:
            case t.For(target=t.Name(id=each), iter=sizes, body=[t.If(test=test, body=body)]) if not isinstance(
                sizes, t.Call
            ):
                pass
            case _:
                continue
        wanted = _at_most(test, each)
        match body:
            case [t.Return(value=t.Name(id=given))]:
                pass
            case [t.Assign(value=t.Name(id=given)), t.Break()]:
                pass
            case _:
                continue
        if wanted is not None and given == each:
            yield loop, source.quote(sizes), source.quote(wanted), "the first"


def _by_next(source: PythonSource, scope: Scope) -> Iterator[Fit]:
    """`next(s for s in sizes if s >= n)` and `min(…)`."""
    for call in own_calls(scope.node):
        match call:
            case t.Call(
                func=t.Name(id=("next" | "min") as name),
                args=[
                    t.GeneratorExp(
                        elt=t.Name(id=given),
                        generators=[t.Comprehension(target=t.Name(id=each), iter=sizes, ifs=[test])],
                    ),
                    *_,
                ],
            ) if given == each and (wanted := _at_most(test, each)) is not None:
                yield call, source.quote(sizes), source.quote(wanted), "the first" if name == "next" else "the smallest"
            case _:
                pass


def _at_most(test: t.Expr, each: str) -> t.Expr | None:
    """What a test demands to be no larger than a name: `n <= each`, `each >= n`; nothing that rests on it itself."""
    match test:
        case t.Compare(left=wanted, ops=["<="], comparators=[t.Name(id=name)]) if name == each:
            pass
        case t.Compare(left=t.Name(id=name), ops=[">="], comparators=[wanted]) if name == each:
            pass
        case _:
            return None
    is_size = isinstance(wanted, t.Name | t.Attribute | t.Subscript | t.BinOp | t.Call)
    rests_on_it = any(isinstance(n, t.Name) and n.id == each for n in t.walk(wanted))
    return wanted if is_size and not rests_on_it else None


FITS = (_by_search, _by_loop, _by_next)


def _too_large(source: PythonSource, scope: Scope, sizes: str) -> str:
    """What becomes of what no size is large enough for: the last size, if the function says so."""
    for node in own_of(scope.node, t.Return):
        match node.value:
            case t.Subscript(value=held, slice=at) if literal(at) == -1 and source.quote(held) == sizes:
                return f"; where none is, the last ({source.quote(node.value)})"
            case _:
                pass
    return ""


@by_function
def cut_lengths(source: PythonSource) -> Iterator[Claim]:
    """`tokens = tokens[-limit:]` under a test of lengths: what is too long loses its beginning, or its end."""
    if source.aside:
        return
    for scope in source.module.functions():
        known = assignments(scope.node)
        for statement, guards in statements(scope.node):
            if not guards or not isinstance(statement, t.Assign | t.Return) or statement.value is None:
                continue
            whole = statement.value.elts[:1] if isinstance(statement.value, t.Tuple) else [statement.value]
            for held, bound, which in filter(None, map(_kept_part, whole)):
                if not _is_length(source, held, bound) or _goes_on(source, scope, held, bound):
                    continue
                if not _is_tested(source, [g.test for g in guards], bound, known):
                    continue
                tests = " and ".join(all_guards_text(source, guards))
                value = (
                    f"what is too long is cut off: of {source.quote(held)} the {which} {source.quote(bound)} are kept "
                    f"({source.quote(statement)}) if {tests}"
                )
                yield Claim(f"{scope.qualified_name} cut", value, (source.at(statement), source.at(scope.node)))


def _is_length(source: PythonSource, held: t.Expr, bound: t.Expr) -> bool:
    """Whether texts are bounded by a length that is none of a part that is worked on first."""
    said = set(words(last_name(bound)))
    return bool(TEXTS & set(words(source.quote(held)))) and bool(BOUNDS & said) and not PARTS & said


def _goes_on(source: PythonSource, scope: Scope, held: t.Expr, bound: t.Expr) -> bool:
    """Whether the function looks at the rest, too: `tokens[bound:]` after `tokens[:bound]`."""
    rests = (
        n for n in own_of(scope.node, t.Subscript)
        if isinstance(n.slice, t.Slice) and n.slice.lower is not None and n.slice.upper is None
    )  # fmt: skip
    return any(
        source.quote(n.value) == source.quote(held) and source.quote(n.slice.lower) == source.quote(bound)
        for n in rests if isinstance(n.slice, t.Slice) and n.slice.lower is not None
    )  # fmt: skip


def _is_tested(source: PythonSource, tests: list[t.Expr], bound: t.Expr, known: dict[str, t.Expr]) -> bool:
    """Whether tests speak of the bound, also by a name that is worked out of it."""
    said = source.quote(bound)
    meant = [*tests, *(known[n.id] for test in tests for n in t.walk(test) if isinstance(n, t.Name) and n.id in known)]
    names = {t.dotted(n) for e in meant for n in t.walk(e) if isinstance(n, t.Name | t.Attribute)}
    return said in names


def _kept_part(value: t.Expr) -> tuple[t.Expr, t.Expr, str] | None:
    """What is sliced, by which bound, and which part of it is kept."""
    match value:
        case t.Subscript(value=held, slice=t.Slice(lower=t.UnaryOp(op="-", operand=bound), upper=None, step=None)):
            return (held, bound, "last") if last_name(bound) else None
        case t.Subscript(value=held, slice=t.Slice(lower=None, upper=bound, step=None)) if bound is not None:
            return (held, bound, "first") if last_name(bound) else None
        case _:
            return None
