"""How cached blocks are shared: reference counts that protect them, and hashes of tokens that find them again."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import inside_of, own_of
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
            value = f"reference count `{attr}`: raised by each user, lowered on release, freed or evictable only at 0"
            if climb := _climb(scope.node, attr):
                value += "; counted on every node from the prefix up through its parents to the root"
                nodes.append(climb)
            yield Claim(f"{scope.node.name} shared blocks are locked", value, tuple(source.at(n) for n in nodes))


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


def _made_of(function: t.FunctionDef | t.ClassDef, local: str) -> Iterator[str]:
    """The names that what a function binds to a name is worked out of."""
    for node in own_of(function, t.Assign):
        if any(t.dotted(target) == local for target in node.targets):
            yield from (n.id for n in t.walk(node.value) if isinstance(n, t.Name))
