"""Speculative decoding by how guesses are verified: runs that agree, ratios of probabilities, the first that differs.

Settings say whether it is on; what is found here is that the code does it.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

CHANCES = {"random", "rand", "rand_like", "uniform"}
GUESSES = {"draft", "drafts", "drafted", "proposal", "proposals", "proposed", "candidate", "candidates", "guess",
           "guesses", "speculative", "speculated"}  # fmt: skip
"""Words of tokens that a cheaper model has written."""


DRAFTS = {*GUESSES, "speculation", "speculate", "ngram", "gram", "lookup", "propose", "lookahead"}
"""Words of functions that guess."""


@by_function
def verifications(source: PythonSource) -> Iterator[Claim]:
    """The functions of a file that accept or turn down guessed tokens."""
    if source.aside:
        return
    for scope in source.module.functions():
        bound = {
            name: n.value for n in own_of(scope.node, t.Assign)
            if (name := t.dotted(n.targets[0])) is not None
        }  # fmt: skip
        yield from _agreeing_runs(source, scope)
        yield from _by_chance(source, scope, bound)
        yield from _first_that_differs(source, scope)
        yield from _one_by_one(source, scope)
        yield from _counted_run(source, scope)
        yield from _looked_up(source, scope)


def _agreeing_runs(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`mask = guesses == argmax(logits)` and `cumprod(mask).sum()`: how many agree before the first that does not."""
    masks: dict[str, t.Assign] = {}
    for node in own_of(scope.node, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=value) if _agrees_with_best(value):
                masks[name] = node
            case _:
                pass
    for call in own_calls(scope.node):
        match call:
            case (
                t.Call(func=t.Attribute(value=t.Call() as product, attr="sum"))
                | t.Call(args=[t.Call() as product, *_], func=t.Attribute(attr="sum"))
            ) if last_name(product.func) == "cumprod":
                pass
            case _:
                continue
        named = [n.id for n in t.walk(product) if isinstance(n, t.Name) and n.id in masks]
        if named:
            mask = masks[named[0]]
            how = f"verifies guesses greedily: {source.quote(mask)}; as many are accepted as agree from the first on "
            yield _verification(source, scope, f"{how}({source.quote(call)})", mask, call)
            return


def _verification(source: PythonSource, scope: Scope, how: str, *nodes: t.Node) -> Claim:
    """How a function finds out which guesses hold, by some of its nodes."""
    said = f"speculative decoding: {scope.qualified_name} {how}"
    return Claim(f"{scope.qualified_name} verification", said, tuple(map(source.at, (*nodes, scope.node))))


def _agrees_with_best(value: t.Expr) -> bool:
    compared = (n for n in t.walk(value) if isinstance(n, t.Compare) and n.ops == ["=="])
    return any(isinstance(c, t.Call) and last_name(c.func) == "argmax" for n in compared for c in t.walk(n))


def _by_chance(source: PythonSource, scope: Scope, bound: dict[str, t.Expr]) -> Iterator[Claim]:
    """`r = random()`, `ratio = p / q`, `if r <= ratio:`: a guess is kept as often as the target would have made it."""
    for branch in own_of(scope.node, t.If):
        match branch:
            case t.If(test=t.Compare(left=t.Name(id=chance), ops=["<=" | "<"], comparators=[t.Name(id=ratio)]) as test):
                pass
            case _:
                continue
        drawn, kept = bound.get(chance), bound.get(ratio)
        is_drawn = isinstance(drawn, t.Call) and last_name(drawn.func) in CHANCES
        if is_drawn and _speaks_of_guesses(scope) and isinstance(kept, t.BinOp) and kept.op == "/":
            how = f"accepts a guess by rejection sampling: {ratio} = {source.quote(kept)}, if {source.quote(test)} "
            yield _verification(source, scope, f"{how}(≈ guesses by their names)", branch, kept)
            return


def _speaks_of_guesses(scope: Scope) -> bool:
    """Whether a function has a name for guessed tokens: chances alone are drawn for many reasons."""
    names = {n.id for n in own_of(scope.node, t.Name)}
    names |= {param.name for param in scope.node.args} if isinstance(scope.node, t.FunctionDef) else set()
    return any(GUESSES & set(words(name)) for name in (scope.qualified_name, *names))


def _one_by_one(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`while n < many: if tokens[n] != drafts[n]: break`: a loop over places that ends where a guess differs."""
    for loop in own_of(scope.node, t.For, t.While):
        known = dict(_bound_in(loop))
        for branch in t.flat(loop.body):
            match branch:
                case t.If(test=t.Compare(left=one, ops=["!="], comparators=[other]) as test, body=[*_, t.Break()]):
                    said = [set(words(source.quote(known.get(t.dotted(side) or "", side)))) for side in (one, other)]
                case _:
                    continue
            is_guess = [bool(GUESSES & side) for side in said]
            if is_guess[0] == is_guess[1] or not (_is_element(one, known) and _is_element(other, known)):
                continue
            how = f"verifies guesses one by one, the first that differs ends it (if {source.quote(test)}"
            how += "".join(
                f", where {name} = {source.quote(known[name])}"
                for side in (one, other) if (name := t.dotted(side) or "") in known
            )  # fmt: skip
            yield _verification(source, scope, f"{how}; ≈ guesses by their names)", branch, loop)
            return


def _counted_run(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`same = chosen[:-1] == drafts`, `for one in same: if one: n += 1 else: break`: accepted up to a difference."""
    compared = [
        n for n in own_of(scope.node, t.Assign)
        if isinstance(n.value, t.Compare) and n.value.ops == ["=="]
    ]  # fmt: skip
    for loop in own_of(scope.node, t.For) if compared and _speaks_of_guesses(scope) else ():
        if not isinstance(loop.target, t.Name):
            continue
        held = {n.id for n in t.walk(loop.iter) if isinstance(n, t.Name)}
        same = next((n for n in compared if t.dotted(n.targets[0]) in held), None)
        ends = any(_ends_at_difference(branch, loop.target.id) for branch in t.flat(loop.body))
        if same is not None and ends:
            how = (
                f"accepts guesses as long as they equal what is chosen: {source.quote(same)}, counted up to the first "
            )
            yield _verification(source, scope, f"{how}that differs (≈ guesses by their names)", same, loop)
            return


def _ends_at_difference(branch: t.Stmt, name: str) -> bool:
    match branch:
        case t.If(test=t.Name(id=asked), orelse=[*_, t.Break()]):
            return asked == name
        case t.If(test=t.UnaryOp(op="not", operand=t.Name(id=asked)), body=[*_, t.Break()]):
            return asked == name
        case _:
            return False


def _looked_up(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`at = (tokens == last).max(…).indices + 1`, `tokens.gather(…, index=at)`: guessed from what was said before."""
    if not isinstance(scope.node, t.FunctionDef) or not DRAFTS & set(words(scope.node.name)):
        return
    given = {param.name for param in scope.node.args}
    for node in own_of(scope.node, t.Compare):
        match node:
            case t.Compare(left=t.Name(id=name), ops=["=="]) if name in given:
                pass
            case _:
                continue
        for taken in own_of(scope.node, t.Call, t.Subscript):
            match taken:
                case t.Call(func=t.Attribute(value=t.Name(id=held), attr="gather" | "take")) if held == name:
                    pass
                case t.Subscript(value=t.Name(id=held), slice=t.Slice()) if held == name:
                    pass
                case _:
                    continue
            value = (
                f"speculative decoding: {scope.qualified_name} guesses by looking up what follows the same tokens in "
                f"{name} (n-gram, prompt lookup): {source.quote(node)}, then {source.quote(taken)}"
            )
            places = (source.at(node), source.at(taken), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} drafts", value, places)
            return


def _bound_in(loop: t.For | t.While) -> Iterator[tuple[str, t.Expr]]:
    """The names that a loop binds, also several at once: `one, other = tokens[n], drafts[n]`."""
    for statement in t.flat(loop.body):
        match statement:
            case t.Assign(targets=[t.Tuple(elts=names)], value=t.Tuple(elts=values)):
                pairs = zip(names, values, strict=False)
            case t.Assign(targets=[target], value=value):
                pairs = iter([(target, value)])
            case _:
                continue
        yield from ((name, value) for target, value in pairs if (name := t.dotted(target)) is not None)


def _is_element(side: t.Expr, known: dict[str, t.Expr]) -> bool:
    """Whether something is one of several, or the result of a call such as `draft[i].item()`."""
    value = known.get(t.dotted(side) or "", side)
    return isinstance(value, t.Subscript | t.Call)


def _first_that_differs(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`for guess, token in zip(drafts, tokens): if guess != token: break`."""
    for loop in own_of(scope.node, t.For):
        if not GUESSES & set(words(source.quote(loop.iter))):
            continue
        if isinstance(loop.iter, t.Call) and last_name(loop.iter.func) == "range":
            continue
        names = {n.id for n in t.walk(loop.target) if isinstance(n, t.Name)}
        for branch in loop.body:
            match branch:
                case t.If(test=t.Compare(ops=["!="]) as test, body=[*_, t.Break()]) if {
                    n.id for n in t.walk(test) if isinstance(n, t.Name)
                } & names:
                    value = (
                        f"speculative decoding: {scope.qualified_name} verifies guesses one by one: for "
                        f"{source.quote(loop.target)} in {source.quote(loop.iter)}, the first that differs ends it "
                        f"(if {source.quote(test)}; ≈ guesses by their names)"
                    )
                    places = (source.at(branch), source.at(loop), source.at(scope.node))
                    yield Claim(f"{scope.qualified_name} verification", value, places)
                    return
                case _:
                    pass
