"""How cached blocks are shared: reference counts that protect them, and hashes of tokens that find them again."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import inside_of, last_name, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

HASHERS = {"xxh64", "xxh32", "xxh3_64", "xxh128", "sha256", "sha1", "md5", "blake2b", "blake3", "hash"}
OTHERS = {"logits", "processor", "guide", "guided", "grammar", "image", "images", "media", "tokenizer"}
"""Words of what hashes tokens for other reasons than to find their cache again."""
MOST_PARTS = 4
"""Parts of what identifies a block; more make the hash of a configuration."""
EARLIER = {"parent", "prev", "previous", "prior"}
"""Words of what came before: what hashes of blocks are chained with."""


SHARED = {"cache", "kv", "block", "page", "node", "prefix", "slot", "segment", "chunk", "sequence", "memory", "pool"}
"""Words of what many requests use at once."""
FREE = {"free", "available", "unused", "idle"}
REFS = {"ref", "refs", "refcount", "reference", "references"}
PUTS = {"append", "appendleft", "add", "insert"}
UNDER_WAY = {"pending", "inflight", "flight", "outstanding", "running", "waiting", "queued", "remaining", "left", "num",
             "active", "completed", "done", "waiter", "waiters"}  # fmt: skip
"""Words of counters of what is not finished: at zero everything is done, nothing is free."""


def reference_counts(source: PythonSource) -> Iterator[Claim]:
    """Attributes counted up and down, with what happens at zero."""
    for scope in source.module.classes():
        raised: dict[str, list[t.AugAssign]] = {}
        lowered: dict[str, list[t.AugAssign]] = {}
        said = words(source.path.stem)
        for node in inside_of(scope.node, t.AugAssign):
            match node:
                case t.AugAssign(target=t.Attribute(attr=attr), op="+" | "-" as op, value=t.Constant(value=1)):
                    owner = (t.dotted(node.target) or "").partition(".")[0]
                    if owner in ("self", "cls", scope.node.name) and not (
                        {"ref", "refs"} & set(words(attr)) and SHARED & {*words(scope.node.name), *said}
                    ):
                        continue  # a counter of the object itself, such as how many are free, or of its users
                    (raised if op == "+" else lowered).setdefault(attr, []).append(node)
                case _:
                    pass
        for attr, downs in lowered.items():
            if UNDER_WAY & set(words(attr)) or any(word.endswith("ing") for word in words(attr)):
                continue
            zero = [
                n for n in inside_of(scope.node, t.Compare)
                if isinstance(n.left, t.Attribute) and n.left.attr == attr
                and n.ops[0] in ("==", "!=", ">", "<=")
                and isinstance(n.comparators[0], t.Constant) and n.comparators[0].value == 0
            ]  # fmt: skip
            if attr not in raised or not zero:
                continue
            nodes: list[t.Node] = [downs[0], raised[attr][0], zero[0]]
            is_shared = bool(SHARED & {*words(scope.node.name), *said})
            rest = "freed or evictable only at 0" if is_shared else "what it counts the users of is given up only at 0"
            value = f"reference count `{attr}`: raised by each user, lowered on release, {rest}"
            if climb := _climb(scope.node, attr):
                value += "; counted on every node from the prefix up through its parents to the root"
                nodes.append(climb)
            title = "shared blocks are locked" if is_shared else "reference count"
            yield Claim(f"{scope.node.name} {title}", value, tuple(source.at(n) for n in nodes))


def _climb(cls: t.FunctionDef | t.ClassDef, attr: str) -> t.While | None:
    """A loop that counts `node.attr` and goes on to `node.parent`-like links of the same name."""
    for loop in inside_of(cls, t.While):
        counted = {
            t.dotted(n.target.value) for n in t.walk(*loop.body)
            if isinstance(n, t.AugAssign) and isinstance(n.target, t.Attribute) and n.target.attr == attr
        }  # fmt: skip
        for n in t.walk(*loop.body):
            if isinstance(n, t.Assign) and isinstance(n.value, t.Attribute):
                held = t.dotted(n.value.value)
                if held is not None and held in counted and held == t.dotted(n.targets[0]):
                    return loop
    return None


@by_function
def hashes(source: PythonSource) -> Iterator[Claim]:
    """Functions that hash tokens, and whether an earlier hash is chained in."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        calls = list(own_of(scope.node, t.Call))
        made = [c for c in calls if (t.dotted(c.func) or "").rpartition(".")[2] in HASHERS]
        if not made:
            continue
        names = {p.name for p in scope.node.args if p.name not in ("self", "cls")}
        fed = [c for c in calls if isinstance(c.func, t.Attribute) and c.func.attr == "update"] + made
        given = {n.id for c in fed for a in c.args for n in t.walk(a) if isinstance(n, t.Name)}
        used = given & names
        if len(used) < 2:
            meant = used | ({name for local in given for name in _made_of(scope.node, local)} & names)
            told = {word for name in meant for word in words(name)}
            used = meant if len(meant) <= MOST_PARTS and told & {"token", "tokens", "ids", "prefix", *EARLIER} else used
        if len(used) < 2 and len(fed) < 2:
            continue
        spoken = {word for name in (scope.qualified_name, *used) for word in words(name)}
        if not spoken & {"token", "tokens", "ids", "block", "blocks", "prefix", "page", "pages", *EARLIER}:
            continue
        if OTHERS & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        algorithm = t.dotted(made[0].func) or ""
        prior = [
            p.name
            for p in scope.node.args
            if p.name in used
            and (p.default is not None or EARLIER & set(words(p.name)) or {"prefix", "hash"} <= set(words(p.name)))
        ]
        chained = f", chained with the previous (parent) hash `{prior[0]}` as prefix" if prior else ""
        over = ", ".join(sorted(used)) or "its input"
        if not used & given and made[0].args:
            over = f"{source.quote(made[0].args[0])}, which is made of {over}"
        value = f"{algorithm} over {over}{chained}"
        evidence = tuple(source.at(c) for c in fed[:4])
        yield Claim(f"{scope.qualified_name} hash", value, evidence)


@by_function
def chained_hashes(source: PythonSource) -> Iterator[Claim]:
    """`key = hash_of(key, tokens[i : i + n])` in a loop that keeps every key: each stands for all that comes before."""
    if source.aside:
        return
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For, t.While):
            kept = {
                t.dotted(given) for call in t.walk(*loop.body) if isinstance(call, t.Call)
                and isinstance(call.func, t.Attribute) for given in call.args
            }  # fmt: skip
            for node in t.walk(*loop.body):
                match node:
                    case t.Assign(targets=[t.Name(id=key)], value=t.Call(func=func, args=[t.Name(id=first), *rest])):
                        pass
                    case _:
                        continue
                said = {word for given in rest for word in words(source.quote(given))}
                if first != key or key not in kept or not any("hash" in word for word in words(last_name(func))):
                    continue
                if not said & {"token", "tokens", "ids", "block", "blocks", "page"} or OTHERS & said:
                    continue
                value = (
                    f"each key is a hash chained with the previous one: {source.quote(node)}, so it stands for all "
                    f"tokens up to there"
                )
                yield Claim(f"{scope.qualified_name} keys", value, (source.at(node), source.at(scope.node)))
                break


@by_function
def freed_at_zero(source: PythonSource) -> Iterator[Claim]:
    """`if refs.count(id) == 0: free.insert(id)`: what becomes free again is asked for its count first."""
    if source.aside:
        return
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            match statement:
                case t.ExprStmt(value=t.Call(func=t.Attribute(value=held, attr=attr), args=[t.Name(id=freed)])) if (
                    attr in PUTS and FREE & set(words(last_name(held)))
                ):
                    pass
                case _:
                    continue
            asked = [n for g in guards if g.holds for n in t.walk(g.test) if _is_zero(n, freed)]
            if asked:
                value = (
                    f"reference count: {source.quote(statement)} only if "
                    f"{' and '.join(dict.fromkeys(source.quote(n) for n in asked))}"
                )
                places = (*(source.at(n) for n in asked), source.at(statement), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} frees at zero", value, places)


def _is_zero(node: t.Node, freed: str) -> bool:
    """`refs.count(id) == 0`, `refs[id] == 0`."""
    match node:
        case t.Compare(left=t.Call() | t.Subscript() as count, ops=["=="], comparators=[t.Constant(value=0)]):
            said = {word for n in t.walk(count) if isinstance(n, t.Name | t.Attribute) for word in words(last_name(n))}
            return bool(REFS & said) and any(isinstance(n, t.Name) and n.id == freed for n in t.walk(count))
        case _:
            return False


def _made_of(function: t.FunctionDef | t.ClassDef, local: str) -> Iterator[str]:
    """The names that what a function binds to a name is worked out of."""
    for node in own_of(function, t.Assign):
        if any(t.dotted(target) == local for target in node.targets):
            yield from (n.id for n in t.walk(node.value) if isinstance(n, t.Name))
