"""How cached prefixes are looked up: where the search stops, how a hit is verified, how much of the input is offered.

Hashes themselves are found in `caches`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, last_name, last_of, own, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

SEARCHES = {"match", "lookup", "hit", "hits", "longest", "computed", "prefix"}
LOOKS_UP = {"get", "find", "contains", "exists", "exist", "lookup", "has"}
MOST_CHECKS = 2
NO_TOKENS = {"vocab", "vocabulary", "hidden", "heads", "layers"}
"""Words of sizes that are no lengths of prompts."""
CACHED = {"prefix", "prefixes", "cache", "cached", "caches", "tree", "trie", "radix", "block", "blocks", "page",
          "pages", "hash", "hashes", "kv"}  # fmt: skip
"""Words of where a prefix is looked for: ends of texts are matched, too."""


@by_function
def lookups(source: PythonSource) -> Iterator[Claim]:
    """Loops that look a chain of hashes up in a map and end at the first miss; verification of a hit by its tokens."""
    for scope in source.module.functions():
        hashed = {
            t.dotted(n.targets[0]) for n in own_of(scope.node, t.Assign)
            if isinstance(n.value, t.Call) and _makes_a_key(last_name(n.value.func))
        }  # fmt: skip
        for loop in own_of(scope.node, t.For, t.While):
            if isinstance(loop, t.For) and "group" in words(last_name(loop.target)):
                continue  # one piece is looked up in several groups
            hashed |= (
                {n.id for n in t.walk(loop.target) if isinstance(n, t.Name) and "hash" in words(n.id)}
                if isinstance(loop, t.For)
                else set()
            )
            for node in loop.body:
                found = _lookup(node, hashed)
                if found is not None:
                    yield from _hit(source, scope.qualified_name, loop, node, found)
        yield from _asked_once(source, scope.qualified_name, scope.node, hashed)
        yield from _ended_at_misses(source, scope.qualified_name, scope.node)
        yield from _unknown_pieces(source, scope.qualified_name, scope.node)


def _asked_once(
    source: PythonSource, where: str, function: t.FunctionDef | t.ClassDef, hashed: set[str | None]
) -> Iterator[Claim]:
    """`page = table.get(h)`, `if page is None: return None`: one piece of a prefix is looked up by its hash."""
    for number, node in enumerate(function.body):
        found = _lookup(node, hashed)
        if found is None or not any("hash" in words(n.attr) for n in t.walk(node) if isinstance(n, t.Attribute)):
            continue
        for test in function.body[number + 1 :]:
            match test:
                case t.If(
                    test=t.Compare(left=t.Name(id=name), ops=["is"], comparators=[t.Constant(value=None)]),
                    body=[t.Return() as missed],
                ) if name == found:
                    value = f"prefix lookup in {where}: {source.quote(node)}; a miss where {source.quote(test.test)}"
                    checks = [
                        s for s in function.body[number + 1 :]
                        if isinstance(s, t.If) and s is not test and isinstance(last_of(s.body), t.Return)
                        and any(isinstance(n, t.Name) and n.id == found for n in t.walk(s.test))
                    ]  # fmt: skip
                    value += "".join(f", and where {source.quote(s.test)}" for s in checks[:MOST_CHECKS])
                    places = (source.at(node), source.at(missed), *(source.at(s) for s in checks), source.at(function))
                    yield Claim(f"{where} hash hit", value, places)
                case _:
                    continue
            break


def _makes_a_key(name: str) -> bool:
    """Whether a function gives by its name what a prefix is found by."""
    said = set(words(name))
    return "hash" in said or {"prefix", "key"} <= said


def _ended_at_misses(source: PythonSource, where: str, function: t.FunctionDef | t.ClassDef) -> Iterator[Claim]:
    """Loops over hashes, or over what was fetched by them, that end where one is not there."""
    hashed: set[str] = set()
    for node in own_of(function, t.Assign, t.For):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=value) if _is_hashed(value, hashed):
                hashed.add(name)
            case t.For(target=target, iter=over) if _is_hashed(over, hashed):
                for branch in node.body:
                    match branch:
                        case t.If(test=test, body=[*_, t.Break()]) if _misses(test, target):
                            value = (
                                f"prefix lookup in {where}: for {source.quote(target)} in {source.quote(over)}, it "
                                f"stops at the first miss (if {source.quote(test)})"
                            )
                            yield Claim(f"{where} hash hit", value, (source.at(branch), source.at(node)))
                        case _:
                            pass
            case _:
                pass


def _unknown_pieces(source: PythonSource, where: str, function: t.FunctionDef | t.ClassDef) -> Iterator[Claim]:
    """`if not cache.get(blocks[i], number): break` in a loop over pieces of tokens, by a class of prefixes."""
    if "prefix" not in {*words(where), *words(source.path.stem)}:
        return
    for loop in own_of(function, t.For):
        names = {n.id for n in t.walk(loop.target) if isinstance(n, t.Name)}
        for branch in loop.body:
            match branch:
                case t.If(
                    test=t.UnaryOp(op="not", operand=t.Call(func=t.Attribute(attr=attr), args=[key, *_]) as asked),
                    body=[*_, t.Break()],
                ) if attr in LOOKS_UP and any(isinstance(n, t.Name) and n.id in names for n in t.walk(key)):
                    value = (
                        f"prefix lookup in {where}: for {source.quote(loop.target)} in {source.quote(loop.iter)}, it "
                        f"stops at the first miss (if not {source.quote(asked)})"
                    )
                    yield Claim(f"{where} hash hit", value, (source.at(branch), source.at(loop)))
                case _:
                    pass


def _is_hashed(value: t.Expr, hashed: set[str]) -> bool:
    """Whether a value comes from a call that hashes several things, or from what such a call gave."""
    return any(
        (isinstance(n, t.Name) and n.id in hashed)
        or (
            isinstance(n, t.Call)
            and {"hashes", "hash"} & set(words(last_name(n.func)))
            and "prefix" in words(last_name(n.func))
        )
        for n in t.walk(value)
    )


def _misses(test: t.Expr, target: t.Expr) -> bool:
    """`x is None`, `not there(x)` of what the loop is at."""
    names = {n.id for n in t.walk(target) if isinstance(n, t.Name)}
    match test:
        case t.Compare(left=t.Name(id=name), ops=["is"], comparators=[t.Constant(value=None)]):
            return name in names
        case t.UnaryOp(op="not", operand=t.Call() as asked):
            return any(isinstance(n, t.Name) and n.id in names for n in t.walk(asked))
        case _:
            return False


def _lookup(node: t.Stmt, keys: set[str | None]) -> str | None:
    """The name that `block = table.get(h)` or `table[h]` binds, for a key that is a hash."""
    match node:
        case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Attribute(), args=[*given])):
            return name if any(t.dotted(key) in keys for key in given[:2]) else None
        case t.Assign(targets=[t.Name(id=name)], value=t.Subscript(slice=key)):
            return name if t.dotted(key) in keys else None
        case t.If(test=t.NamedExpr(target=t.Name(id=name), value=t.Call(args=[key, *_]))):
            return name if t.dotted(key) in keys else None
        case _:
            return None


def _hit(source: PythonSource, where: str, loop: t.For | t.While, lookup: t.Stmt, found: str) -> Iterator[Claim]:
    for node in loop.body:
        if not isinstance(node, t.If):
            continue
        ends = [s for s in (*node.body, *node.orelse) if isinstance(s, t.Break | t.Return)]
        if not ends or not any(isinstance(n, t.Name) and n.id == found for n in t.walk(node.test)):
            continue
        each = (
            f"for {source.quote(loop.target)} in {source.quote(loop.iter)}" if isinstance(loop, t.For) else "in a loop"
        )
        value = f"prefix lookup in {where}: {each}, {source.quote(lookup)}; it stops at the first miss"
        compared = [
            n for n in t.walk(node.test)
            if isinstance(n, t.Compare) and n.ops in (["!="], ["=="]) and isinstance(n.left, t.Attribute)
            and any(isinstance(m, t.Name) and m.id == found for m in t.walk(n.left))
        ]  # fmt: skip
        checks = _checks(loop, lookup, found)
        if compared:
            value += (
                f". A hit is verified against collisions of the hash by comparing tokens: {source.quote(compared[0])}"
            )
        elif checks:
            value += f". A hit is checked by {source.quote(checks[0])}"
        else:
            value += ". A hit of the hash is taken without a check of the tokens (no collision check)"
        yield Claim(f"{where} hash hit", value, (source.at(node), source.at(lookup), source.at(loop)))
        return


def _checks(loop: t.For | t.While, lookup: t.Stmt, found: str) -> list[t.Call]:
    """Calls of tests that are given what was found beside something else, or a look-up that takes more than a key."""
    asked = [
        c for n in loop.body if isinstance(n, t.If) for c in t.walk(n.test)
        if isinstance(c, t.Call) and len(c.args) > 1 and any(t.dotted(a) == found for a in c.args)
    ]  # fmt: skip
    match lookup:
        case t.Assign(value=t.Call(args=[_, _, _, *_]) as call):
            return [*asked, call]
        case _:
            return asked


@by_function
def offered(source: PythonSource) -> Iterator[Claim]:
    """Searches that are given all but the last token: something must be left to compute."""
    for scope in source.module.functions():
        known = assignments(scope.node)
        dropped = _last_dropped(scope.node)
        for call in own_calls(scope.node):
            if not SEARCHES & set(words(last_name(call.func))):
                continue
            if last_name(call.func)[:1].isupper() and source.path.suffix == ".py":
                continue  # an object of a class is made
            if not CACHED & {*words(source.quote(call.func)), *words(scope.qualified_name), *words(source.path.stem)}:
                continue
            for argument in (*call.args, *(k.value for k in call.keywords)):
                if NO_TOKENS & set(words(source.quote(argument))):
                    continue
                drop = dropped.get(t.dotted(argument) or "")
                if drop is not None and drop.span.start < call.span.start:
                    value = (
                        f"the prefix match gets all but the last token: {source.quote(call.func)} is offered "
                        f"{source.quote(argument)} after {source.quote(drop)}, so one token is left to compute"
                    )
                    name = f"{scope.qualified_name} prefix match limit"
                    yield Claim(name, value, (source.at(drop), source.at(call)))
                limit = _less_one(argument, known) or _cut_at(scope.node, argument, known)
                if limit is not None:
                    given, less = source.quote(argument), source.quote(limit)
                    value = (
                        f"the prefix match gets all but the last token: {source.quote(call.func)} is offered "
                        f"{given}{f' with limit {less}' if less != given else ''}, so one token is left to compute"
                    )
                    yield Claim(
                        f"{scope.qualified_name} prefix match limit", value, (source.at(limit), source.at(call))
                    )


@by_function
def halved(source: PythonSource) -> Iterator[Claim]:
    """A binary search for the longest known prefix: `mid = (low + high) / 2`, and one of both bounds becomes it."""
    for scope in source.module.functions():
        if not CACHED & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        for loop in own_of(scope.node, t.While):
            stored = [n for n in t.inside(loop) if isinstance(n, t.Assign) and isinstance(n.targets[0], t.Name)]
            for node in stored:
                match node:
                    case t.Assign(
                        targets=[t.Name(id=middle)],
                        value=t.BinOp(
                            left=t.BinOp(left=t.Name(id=low), op="+", right=t.Name(id=high)),
                            op="/" | "//",
                            right=t.Constant(value=2),
                        ),
                    ):
                        pass
                    case _:
                        continue
                moved = {t.dotted(n.targets[0]) for n in stored if t.dotted(n.value) == middle}
                asked = [n for n in t.inside(loop) if isinstance(n, t.If)]
                if {low, high} <= moved and asked:
                    value = (
                        f"the longest known prefix is found by binary search (bisection): {scope.qualified_name} asks "
                        f"{source.quote(asked[0].test)} for {source.quote(node)} while {source.quote(loop.test)}"
                    )
                    name = f"{scope.qualified_name} longest prefix"
                    yield Claim(name, value, (source.at(node), source.at(loop), source.at(scope.node)))


@by_function
def shortened(source: PythonSource) -> Iterator[Claim]:
    """Searches that drop the last token of what they are given: `ids = ids[:-1]` before a loop over it."""
    for scope in source.module.functions():
        if not SEARCHES - {"prefix"} & set(words(scope.node.name)) or not any(
            isinstance(n, t.For | t.While) for n in own(scope.node)
        ):
            continue
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[t.Name()], value=t.Subscript(value=t.Name(id=given)) as cut):
                    pass
                case _:
                    continue
            if not CACHED & {*words(scope.qualified_name), *words(source.path.stem)}:
                continue
            is_given = isinstance(scope.node, t.FunctionDef) and given in {p.name for p in scope.node.args}
            if is_given and _less_one(cut, {}) is not None:
                value = (
                    f"the prefix match looks at all but the last token: {scope.qualified_name} searches "
                    f"{source.quote(cut)}, so one token is left to compute"
                )
                yield Claim(
                    f"{scope.qualified_name} prefix match limit", value, (source.at(node), source.at(scope.node))
                )


@by_function
def common(source: PythonSource) -> Iterator[Claim]:
    """`past = common_part(kept_tokens, prompt_tokens)`: as much of a prompt as is kept is not computed again."""
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(value=t.Call(func=func, args=[kept, given, *_])) if "common" in words(last_name(func)):
                    pass
                case _:
                    continue
            of_cache = [bool(CACHED & set(words(source.quote(a)))) for a in (kept, given)]
            of_prompt = [bool({"prompt", "input", "tokens"} & set(words(source.quote(a)))) for a in (kept, given)]
            if any(of_cache) and all(of_prompt):
                value = (
                    f"prefix reuse: {source.quote(node)}: what the prompt has in common with the tokens whose cache "
                    f"is kept is not computed again"
                )
                yield Claim(f"{scope.qualified_name} common prefix", value, (source.at(node), source.at(scope.node)))


@by_function
def equal_runs(source: PythonSource) -> Iterator[Claim]:
    """`same = equal(tokens[:n], kept[:n])`, `cumprod(same)`, `sum`: how many tokens two prompts begin with alike."""
    for scope in source.module.functions():
        products = [c for c in own_of(scope.node, t.Call) if last_name(c.func) == "cumprod"]
        if not products or not {"prefix", "common"} & set(words(scope.qualified_name)):
            continue
        for node in own_of(scope.node, t.Call, t.Compare):
            match node:
                case t.Call(func=func, args=[t.Subscript() as one, t.Subscript() as other]) if last_name(func) in (
                    "equal",
                    "eq",
                ):
                    pass
                case t.Compare(left=t.Subscript() as one, ops=["=="], comparators=[t.Subscript() as other]):
                    pass
                case _:
                    continue
            value = (
                f"prefix reuse: {scope.qualified_name} counts how many tokens {source.quote(one)} and "
                f"{source.quote(other)} begin with alike ({source.quote(node)}, then {source.quote(products[0])}: what "
                f"comes after the first difference counts no more)"
            )
            places = (source.at(node), source.at(products[0]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} common prefix", value, places)
            break


def _cut_at(function: t.FunctionDef | t.ClassDef, argument: t.Expr, known: dict[str, t.Expr]) -> t.Expr | None:
    """`most = n - 1`, lowered further by `min`, and `ids = prompt[:most]` that a part of the argument names."""
    for node in t.walk(argument):
        cut = known.get(node.id) if isinstance(node, t.Name) else None
        match cut:
            case t.Subscript(slice=t.Slice(lower=None, upper=t.Name(id=most))):
                pass
            case _:
                continue
        bound = [n.value for n in own_of(function, t.Assign) if t.dotted(n.targets[0]) == most]
        first = bound[0] if bound else None
        lowered = all(isinstance(v, t.Call) and last_name(v.func) in ("min", "max") for v in bound[1:])
        if isinstance(first, t.BinOp) and _is_less_one(first) and lowered:
            return first
    return None


def _last_dropped(function: t.FunctionDef | t.ClassDef) -> dict[str, t.Call | t.Assign]:
    """Names of tokens whose last one a function drops: `tokens.pop()`, `key = key[: len(key) - 1]`."""
    found: dict[str, t.Call | t.Assign] = {}
    for statement in function.body:
        match statement:
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id=name), attr="pop"), args=[]) as call):
                found[name] = call
            case _:
                pass
    found = {name: call for name, call in found.items() if {"token", "tokens", "ids"} & set(words(name))}
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.Subscript(value=t.Name(id=cut)) as kept) if name == cut:
                if _less_one(kept, {}) is not None:
                    found.setdefault(name, node)
            case _:
                pass
    return found


def _less_one(argument: t.Expr, known: dict[str, t.Expr]) -> t.Expr | None:
    """The `n - 1` in `x[: n - 1]`, or that a name given by position or keyword is bound to."""
    match argument:
        case t.Subscript(slice=t.Slice(upper=t.BinOp(op="-", right=t.Constant(value=1)) as limit)):
            return limit
        case t.Subscript(slice=t.Slice(lower=None, upper=t.Constant(value=-1) as limit)):
            return limit
        case t.Name(id=name):
            value = known.get(name)
            return value if isinstance(value, t.BinOp) and _is_less_one(value) else None
        case t.BinOp() if _is_less_one(argument):
            return argument
        case _:
            return None


def _is_less_one(value: t.BinOp) -> bool:
    return value.op == "-" and isinstance(value.right, t.Constant) and value.right.value == 1
