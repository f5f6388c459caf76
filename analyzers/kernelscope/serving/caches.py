"""KV caches and prefix caches: layouts, slot arithmetic, reference counts, hashes and eviction, by structure.

Recognised by index arithmetic and by what is stored where; the names that a claim shows are the source's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

HASHERS = {"xxh64", "xxh32", "xxh3_64", "xxh128", "sha256", "sha1", "md5", "blake2b", "blake3", "hash"}
MIN_CACHE_RANK = 4
ALLOCATORS = {"empty", "zeros", "full", "ones", "zeros_like", "empty_like"}


def paging(source: PythonSource) -> Iterator[Claim]:
    """Slot arithmetic of paged caches: `table[pos // B] * B + pos % B`, and block counts by rounding up."""
    for scope in source.module.functions():
        for node in own(scope.node):
            if not isinstance(node, t.BinOp):
                continue
            if node.op == "+" and _is_scaled_block(node.left):
                yield Claim(
                    f"{scope.qualified_name} slot", f"paged: slot = {source.quote(node)}", (source.at(node),),
                    "a block table entry times the block size, plus the offset in the block",
                )  # fmt: skip
            elif node.op == "//" and _rounds_up(node) and _about_caches(scope.qualified_name, source.path.stem):
                value = f"number of blocks = {source.quote(node)} (rounded up)"
                yield Claim(f"{scope.qualified_name} blocks", value, (source.at(node),))


def _about_caches(*names: str) -> bool:
    """Whether names speak of caches or requests; sizes are rounded up to blocks in many other places."""
    return any(
        {"kv", "cache", "page", "pages", "slot", "slots", "seq", "sequence", "request", "block"} & set(words(n))
        for n in names
    )


def _is_scaled_block(node: t.Expr) -> bool:
    """`table[...] * size`: an entry of a table scaled by a size."""
    if not isinstance(node, t.BinOp) or node.op != "*" or not isinstance(node.left, t.Subscript):
        return False
    return not isinstance(node.left.slice, t.Tuple | t.Slice) and not isinstance(node.right, t.Constant)


def _rounds_up(node: t.BinOp) -> bool:
    """`(n + size - 1) // size`."""
    match node.left:
        case t.BinOp(left=t.BinOp(op="+", right=size), op="-", right=t.Constant(value=1)):
            return _same(size, node.right)
        case _:
            return False


def _same(one: t.Expr, other: t.Expr) -> bool:
    return t.dotted(one) is not None and t.dotted(one) == t.dotted(other)


def buffers(source: PythonSource) -> Iterator[Claim]:
    """Large buffers that are allocated once and kept: attributes of four or more dims, with their layout."""
    for scope in source.module.functions():
        for node in own(scope.node):
            if not isinstance(node, t.Assign) or not isinstance(node.value, t.Call):
                continue
            call = node.value
            if (t.dotted(call.func) or "").rpartition(".")[2] not in ALLOCATORS:
                continue
            sizes = call.args[0].elts if call.args and isinstance(call.args[0], t.Tuple | t.List) else call.args
            if len(sizes) < MIN_CACHE_RANK or any(isinstance(size, t.Starred) for size in sizes):
                continue
            layout = ", ".join(source.quote(size) for size in sizes)
            name = source.quote(node.targets[0])
            if not isinstance(node.targets[0], t.Attribute):
                continue
            value = f"{name}: [{layout}]"
            yield Claim(f"{scope.qualified_name} {name} layout", value, (source.at(node),), "allocated once and kept")


def reference_counts(source: PythonSource) -> Iterator[Claim]:
    """Attributes counted up and down, with what happens at zero."""
    for scope in source.module.classes():
        raised: dict[str, list[t.AugAssign]] = {}
        lowered: dict[str, list[t.AugAssign]] = {}
        for node in t.walk(*scope.node.body):
            match node:
                case t.AugAssign(target=t.Attribute(attr=attr), op="+" | "-" as op, value=t.Constant(value=1)):
                    if t.dotted(node.target) == f"self.{attr}" and not {"ref", "refs"} & set(words(attr)):
                        continue  # a counter of the object itself, such as how many are free
                    (raised if op == "+" else lowered).setdefault(attr, []).append(node)
                case _:
                    pass
        for attr, downs in lowered.items():
            zero = [
                n for n in t.walk(*scope.node.body)
                if isinstance(n, t.Compare) and isinstance(n.left, t.Attribute) and n.left.attr == attr
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
    for loop in t.walk(*cls.body):
        if not isinstance(loop, t.While):
            continue
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


def hashes(source: PythonSource) -> Iterator[Claim]:
    """Functions that hash tokens, and whether an earlier hash is chained in."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        calls = [n for n in own(scope.node) if isinstance(n, t.Call)]
        made = [c for c in calls if (t.dotted(c.func) or "").rpartition(".")[2] in HASHERS]
        if not made:
            continue
        names = {p.name for p in scope.node.args if p.name not in ("self", "cls")}
        fed = [c for c in calls if isinstance(c.func, t.Attribute) and c.func.attr == "update"] + made
        used = {n.id for c in fed for a in c.args for n in t.walk(a) if isinstance(n, t.Name)} & names
        if len(used) < 2 and len(fed) < 2:
            continue
        spoken = {word for name in (scope.qualified_name, *used) for word in words(name)}
        if not spoken & {"token", "tokens", "ids", "block", "blocks", "prefix", "page", "pages", "parent"}:
            continue
        algorithm = t.dotted(made[0].func) or ""
        prior = [p.name for p in scope.node.args if p.default is not None and p.name in used]
        chained = f", chained with the previous (parent) hash `{prior[0]}` as prefix" if prior else ""
        value = f"{algorithm} over {', '.join(sorted(used)) or 'its input'}{chained}"
        evidence = tuple(source.at(c) for c in fed[:4])
        yield Claim(f"{scope.qualified_name} hash", value, evidence)


def evictions(source: PythonSource) -> Iterator[Claim]:
    """Evictions by a heap over leaves or an ordered map, with the order's key."""
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef):
            continue
        calls = [n for n in own(scope.node) if isinstance(n, t.Call)]
        names = [(t.dotted(c.func) or "").rpartition(".")[2] for c in calls]
        if "heappop" in names and "heapify" in names:
            pops = calls[names.index("heappop")]
            order = _order(source)
            candidates = [m for m in _called(source, scope.owner, calls) if m is not scope.node]
            tests = [source.quote(s.test) for m in candidates for s in own(m) if isinstance(s, t.If)]
            value = f"by a heap: the least element is evicted first; {source.quote(pops)}"
            if order is not None:
                value += f"; elements compare by `{source.quote(order)}`"
            if tests:
                value += f"; candidates: {', '.join(m.name for m in candidates)} where {' and '.join(tests[:4])}"
            where = [source.at(pops), source.at(scope.node), *(source.at(m) for m in candidates)]
            yield Claim(f"{scope.qualified_name} eviction", value, tuple(where))
        ordered = [c for c, n in zip(calls, names, strict=True) if n == "popitem" and c.keywords]
        if ordered:
            value = f"least recently used entry first: {source.quote(ordered[0])}"
            yield Claim(f"{scope.qualified_name} eviction", value, (source.at(ordered[0]),))


def _order(source: PythonSource) -> t.Expr | None:
    """What `__lt__` of a class of the file returns: the key that a heap of its instances is ordered by."""
    for scope in source.module.functions():
        if scope.node.name == "__lt__":
            for node in own(scope.node):
                if isinstance(node, t.Return) and node.value is not None:
                    return node.value
    return None


def _called(source: PythonSource, owner: t.ClassDef | None, calls: list[t.Call]) -> list[t.FunctionDef]:
    """Methods of the same class that are called."""
    names = {(t.dotted(c.func) or "").removeprefix("self.") for c in calls}
    return [m for m in owner.methods() if m.name in names] if owner is not None else []


def sizing(source: PythonSource) -> Iterator[Claim]:
    """Products of four or more factors one of which is an element size: bytes of a cache or buffer."""
    for scope in source.module.functions():
        for node in own(scope.node):
            if not isinstance(node, t.Assign):
                continue
            factors = _factors(node.value)
            if len(factors) >= MIN_CACHE_RANK and any(_is_element_size(f) for f in factors):
                value = f"{source.quote(node.targets[0])} = {source.quote(node.value)}"
                yield Claim(f"{scope.qualified_name} bytes per block or page", value, (source.at(node),))


def _factors(node: t.Expr) -> list[t.Expr]:
    if isinstance(node, t.BinOp) and node.op == "*":
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _is_element_size(node: t.Expr) -> bool:
    name = t.dotted(node.func) if isinstance(node, t.Call) else t.dotted(node)
    return (name or "").rpartition(".")[2] in ("itemsize", "element_size", "get_dtype_size", "dtype_size")
