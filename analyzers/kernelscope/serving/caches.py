"""KV caches: slot arithmetic, layouts of buffers, bytes of a block, by structure.

Recognised by index arithmetic and by what is allocated and kept; the names that a claim shows are the source's own.
What is shared and what is evicted is found in `sharing` and `evictions`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.execution import has_kernels
from kernelscope.serving.growing_names import made_of
from kernelscope.serving.guards import last_name, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

MIN_CACHE_RANK = 4
SIZES = {"size", "block", "blk", "page", "ps", "bs", "slot", "tokens", "len"}
SHARES = {"percent", "ratio", "fraction", "share", "utilization", "portion"}
WANTED = {"shortfall", "missing", "needed", "required", "workspace", "staging"}
"""Words of memory that is not what there is."""
BLOCKS = {"block", "page", "tile", "head", "group", "vec", "chunk"}
"""Words of what a cache consists of many of: a rest by their size is an offset in one of them."""
POSITIONS = {"pos", "position", "positions", "offset", "index", "idx", "step"}
ELEMENT_SIZES = {"itemsize", "element_size", "_element_size", "get_dtype_size", "dtype_size"}
ALLOCATORS = {"empty", "zeros", "full", "ones", "zeros_like", "empty_like", "allocate", "rand", "randn"}
SHAPES = {"size", "shape"}
"""Arguments of allocations that give the shape."""
PIECES = {"block", "blocks", "page", "pages", "ps"}
LENGTHS = {"token", "tokens", "len", "length", "seq", "slots", "batch", "max", "positions", "ctx", "context", "chunk"}
"""Words of what counts tokens in a product of sizes."""
COUNTED = {"blocks", "pages", "slots", "tokens"}
"""Words of what a memory holds so many of."""
ENDS = {"end", "stop"}
"""Words of what is bound to the end of a range of slots."""
MOVED = {"move", "moved", "transfer", "staging", "send", "recv", "receive"}
"""Words of buffers through which caches are moved, which keep none."""
KEPT_STATE = {"cache", "kv", "pool", "page", "pages", "slot", "slots", "memory", "state", "states", "block", "blocks"}
"""Words of what keeps the state of requests."""

STATES = {"state", "states"}


@by_function
def paging(source: PythonSource) -> Iterator[Claim]:
    """Slot arithmetic of paged caches: `table[pos // B] * B + pos % B`, and block counts by rounding up."""
    for scope in source.module.functions():
        parts = {n.left for n in own_of(scope.node, t.BinOp) if n.op in ("+", "-")}
        ends = {n.value for n in own_of(scope.node, t.Assign) if ENDS & set(words(last_name(n.targets[0])))}
        for node in own_of(scope.node, t.BinOp):
            if _about_weights(scope.qualified_name, source.path.stem):
                break
            if node.op in ("+", "-") and node not in parts and _is_slot(node):
                said = "the slots of a part end before" if node in ends else "slot ="
                yield Claim(
                    f"{scope.qualified_name} slot", f"paged: {said} {source.quote(node)}", (source.at(node),),
                    "a block table entry times the block size, plus the offset in the block",
                )  # fmt: skip
            elif node.op == "//" and _rounds_up(node) and _about_caches(scope.qualified_name, source.path.stem):
                if has_kernels(source) and last_name(node.right).isupper():
                    continue  # the tiles of a launch
                value = f"number of blocks = {source.quote(node)} (rounded up){made_of(source, scope, node)}"
                yield Claim(f"{scope.qualified_name} blocks", value, (source.at(node),))


def _about_caches(*names: str) -> bool:
    """Whether names speak of caches or requests; sizes are rounded up to blocks in many other places."""
    spoken = {word for name in names for word in words(name)}
    if spoken & {"mask", "sparse", "tile", "tiles"}:
        return False
    whose = {"kv", "cache", "page", "pages", "slot", "slots", "seq", "sequence", "request"}
    return bool(spoken & whose) or ("block" in spoken and bool(spoken & {"manager", "allocator", "scheduler", "pool"}))


def _about_weights(*names: str) -> bool:
    """Whether names speak of packed weights or of products, whose groups and tiles are indexed like pages."""
    return any(
        {"quant", "quantize", "quantization", "pack", "unpack", "dequantize", "matmul", "gemm", "expert", "experts"}
        & set(words(n))
        for n in names
    )


def _is_slot(node: t.BinOp) -> bool:
    """`table[…] * size + offset`, a whole sum; with the size itself as offset it is the block's end."""
    first: t.Expr = node
    while isinstance(first, t.BinOp) and first.op in ("+", "-"):
        first = first.left
    if not _is_scaled_block(first):
        return False
    assert isinstance(first, t.BinOp)
    if isinstance(first.right, t.Subscript) and isinstance(node.right, t.Subscript):
        return False  # values that are scaled and shifted
    if isinstance(node.right, t.BinOp) and node.right.op == "*" and isinstance(node.right.left, t.Subscript):
        return False  # values that are weighted
    return not (node.left is first and _same(first.right, node.right))


def _is_scaled_block(node: t.Expr) -> bool:
    """`table[...] * size`: an entry of a table scaled by a size; a fixed entry, such as `shape[0]`, is no look-up."""
    if not isinstance(node, t.BinOp) or node.op != "*" or not isinstance(node.left, t.Subscript):
        return False
    index = literal(node.left.slice)
    if isinstance(node.left.slice, t.Tuple | t.Slice) or (index is not None and index != -1):
        return False
    is_mask = {"mask", "bitmask", "vocab"} & {*words(last_name(node.right)), *words(last_name(node.left.slice))}
    return last_name(node.left.value) != "shape" and not isinstance(node.right, t.Constant) and not is_mask


def _rounds_up(node: t.BinOp) -> bool:
    """`(n + size - 1) // size`."""
    match node.left:
        case t.BinOp(left=t.BinOp(left=total, right=size)) if _is_ceiling(node):
            bytes_of = {"byte", "bytes", "raw", "align", "alignment", "numel", "el", "end", "layer", "shard", "group"}
            named = {*words(t.dotted(total) or ""), *words(t.dotted(size) or "")}
            return not bytes_of & named and bool(SIZES & set(words(last_name(node.right))))
        case _:
            return False


def _is_ceiling(node: t.BinOp) -> bool:
    """`(n + size - 1) // size`, whatever its parts are called."""
    match node.left:
        case t.BinOp(left=t.BinOp(op="+", right=size), op="-", right=t.Constant(value=1)):
            return _same(size, node.right)
        case _:
            return False


def _same(one: t.Expr, other: t.Expr) -> bool:
    return t.dotted(one) is not None and t.dotted(one) == t.dotted(other)


@by_function
def buffers(source: PythonSource) -> Iterator[Claim]:
    """Large buffers that are allocated once and kept: attributes and registered buffers, with their layout."""
    for scope in source.module.functions():
        for node, name, call in _kept(source, scope.node):
            shape = next(iter((*call.args, *(k.value for k in call.keywords if k.arg in SHAPES))), None)
            named = t.dotted(shape.func if isinstance(shape, t.Call) else shape) if shape is not None else None
            known = _shapes(scope).get(named) if named is not None else None
            sizes = _sizes(known[0] if known is not None else shape, call.args)
            is_made = scope.owner is not None and scope.node.name != "__init__"
            is_cache = _is_cache(scope.node.name if is_made else scope.qualified_name, name)
            held, _, own = name.rpartition(".")  # of `step_state.buf` the object says only that it is one
            spoken = {*words(scope.qualified_name), *words(own), *words(source.path.stem)} | {*words(held)} - STATES
            if (not is_cache and not spoken & KEPT_STATE) or {"grad", "backward"} & spoken:
                continue
            if len(sizes) < MIN_CACHE_RANK - is_cache or any(isinstance(size, t.Starred) for size in sizes):
                continue
            value = f"{name}: [{', '.join(source.quote(size) for size in sizes)}]"
            if is_cache:
                value += "" if MOVED & set(words(name)) else _indexing(source, sizes)
            places = (source.at(node), *((source.at(known[1]),) if known is not None else ()))
            is_local = isinstance(node, t.Assign) and isinstance(node.targets[0], t.Name)
            if isinstance(node, t.Assign) and isinstance(node.value, t.ListComp):
                value += f", one for each of {source.quote(node.value.generators[0].iter)}"
            kept = "made and returned" if is_local or isinstance(node, t.Return) else "allocated once and kept"
            yield Claim(f"{scope.qualified_name} {name} layout", value, places, kept)


def _is_cache(where: str, name: str) -> bool:
    """A cache by its name, or an object's own buffer of keys or of values; those of a step are another's."""
    said = set(words(name))
    if _names_a_cache(name) or _names_a_cache(where):
        return True
    is_buffer = {"key", "value", "k", "v"} & said and {"buffer", "pool"} & said
    return bool(is_buffer) and name.startswith("self.")


def _names_a_cache(name: str) -> bool:
    """`kv_pool`, `cache`, `past_key_values`."""
    said = set(words(name))
    return bool({"cache", "kv"} & said) or {"past", "key"} <= said


def _kept(source: PythonSource, function: t.FunctionDef | t.ClassDef) -> Iterator[tuple[t.Node, str, t.Call]]:
    """Allocations that are stored in an attribute, registered as a buffer, or returned as a cache."""
    returned = {
        n.id for r in own_of(function, t.Return) if r.value is not None
        for n in t.walk(r.value) if isinstance(n, t.Name) and _names_a_cache(n.id)
    }  # fmt: skip
    for node in own_of(function, t.Assign, t.Call, t.Return):
        match node:
            case t.Assign(
                targets=[t.Attribute() as target] | [t.Subscript(value=t.Attribute()) as target],
                value=(t.Call() | t.IfExp()) as value,
            ):
                call = value.body if isinstance(value, t.IfExp) else value
                name = source.quote(target)
            case t.Assign(targets=[t.Attribute() as target], value=t.ListComp(elt=t.Call() as call)):
                name = source.quote(target)
            case t.Assign(
                targets=[t.Attribute() as target], value=t.ListComp(elt=t.Tuple(elts=[t.Call(), *_] as parts))
            ):
                yield from ((node, source.quote(target), part) for part in _apart(source, parts))
                continue
            case t.Assign(targets=[t.Attribute() as target], value=t.Tuple(elts=[t.Call(), *_] as parts)):
                yield from ((node, source.quote(target), part) for part in _apart(source, parts))
                continue
            case t.Assign(targets=[t.Name(id=name)], value=t.Call() as call) if name in returned:
                pass
            case t.Call(func=t.Attribute(value=t.Name(id=name), attr="append"), args=[call]) if name in returned:
                pass
            case t.Call(func=t.Attribute(attr="register_buffer"), args=[t.Constant(value=str() as name), call, *_]):
                pass
            case t.Return(value=t.Call() as call) if {"cache", "kv"} & set(words(function.name)):
                name = function.name
                call = next(iter(_allocated_alike(source, call)), call)
            case _:
                continue
        if isinstance(call, t.Call) and (t.dotted(call.func) or "").rpartition(".")[2] in ALLOCATORS:
            yield node, name, call


def _apart(source: PythonSource, parts: list[t.Expr]) -> list[t.Call]:
    """Allocations of several parts, such as of keys and of values: one of those that are alike."""
    made = [part for part in parts if isinstance(part, t.Call) and last_name(part.func) in ALLOCATORS and part.args]
    return list({source.quote(part.args[0]): part for part in reversed(made)}.values())[::-1]


def _allocated_alike(source: PythonSource, made: t.Call) -> list[t.Call]:
    """What a thing is made of where all of it is allocated alike: `Cache(k=zeros(shape), v=zeros(shape))`."""
    given = [*made.args, *(k.value for k in made.keywords)]
    parts = [v for v in given if isinstance(v, t.Call) and last_name(v.func) in ALLOCATORS]
    return parts if parts and len(parts) == len(given) and len({source.quote(p) for p in parts}) == 1 else []


def _sizes(shape: t.Expr | None, positional: list[t.Expr]) -> list[t.Expr]:
    return shape.elts if isinstance(shape, t.Tuple | t.List) else positional


def _shapes(scope: Scope) -> dict[str, tuple[t.Expr, t.Node]]:
    """Names and attributes that hold a shape: tuples bound in the function or in methods of its class."""
    found: dict[str, tuple[t.Expr, t.Node]] = {}
    around: list[t.FunctionDef | t.ClassDef] = [scope.node, *(scope.owner.methods() if scope.owner else ())]
    for function in around:
        match function:
            case t.FunctionDef(name=name, body=[*_, t.Return(value=t.Tuple() as shape) as node]) if scope.owner:
                found.setdefault(f"self.{name}", (shape, node))
            case _:
                pass
        for node in own_of(function, t.Assign):
            match node:
                case t.Assign(targets=[target], value=(t.Tuple() as shape) | t.IfExp(body=t.Tuple() as shape)):
                    if (name := t.dotted(target)) is not None:
                        found.setdefault(name, (shape, node))
                case _:
                    pass
    return found


def _indexing(source: PythonSource, sizes: list[t.Expr]) -> str:
    """What a cache is indexed by, as far as its dims say: positions of a sequence, or blocks."""
    named = [set(words(source.quote(size))) for size in sizes]
    if _counts_blocks(sizes, named):
        return "; indexed by block (paged)"
    if any({"seq", "sequence", "length", "len", "positions", "context", "ctx"} & dim for dim in named):
        return "; contiguous: every sequence has its positions up to the maximum, not paged"
    if any({"batch", "bsz"} & dim for dim in named):
        return "; contiguous: every sequence of the batch has a row of its own, not paged"
    return ""


def _counts_blocks(sizes: list[t.Expr], named: list[set[str]]) -> bool:
    """Whether a layout has a dim of blocks that all requests share: none of rows of a batch, and not one block only."""
    for i, dim in enumerate(named):
        if {"block", "blocks", "page", "pages", "slots"} & dim:
            before = sizes[:i]
            is_one = "size" in dim and all(isinstance(size, t.Constant) for size in before)
            return not is_one and not any({"b", "batch", "bsz"} & set(words(last_name(size))) for size in before)
    return False


@by_function
def rings(source: PythonSource) -> Iterator[Claim]:
    """`position % size` as an index into a cache: a rotating buffer that keeps the last positions.

    Where the position is divided by the size, too, the rest is its offset in a block and nothing rotates.
    """
    for scope in source.module.functions():
        if not {"cache", "kv", "window"} & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        split = {
            (source.quote(n.left), source.quote(n.right))
            for n in own_of(scope.node, t.BinOp) if n.op == "//"
        }  # fmt: skip
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(value=value):
                    turned = (n for n in t.walk(value) if isinstance(n, t.BinOp) and _is_turn(n))
                    turns = [n for n in turned if (source.quote(n.left), source.quote(n.right)) not in split]
                case _:
                    continue
            if turns:
                size = source.quote(turns[0].right)
                text = (
                    f"rotating buffer (ring): {source.quote(node)}: a position is stored modulo {size}, so the cache "
                    f"keeps the last {size} positions and the oldest is overwritten"
                )
                yield Claim(f"{scope.qualified_name} rotating buffer", text, (source.at(node), source.at(scope.node)))
                break


def _is_turn(node: t.BinOp) -> bool:
    """`positions % cache_size`."""
    left, right = set(words(last_name(node.left))), set(words(last_name(node.right)))
    if BLOCKS & right:
        return False
    return node.op == "%" and bool(left & POSITIONS) and bool(right & {"size", "window", "len", "length", "capacity"})


@by_function
def sizing(source: PythonSource) -> Iterator[Claim]:
    """Products of four or more factors one of which is an element size: bytes of a cache or buffer."""
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign, t.Return):
            if node.value is None:
                continue
            if isinstance(node, t.Assign) and _is_capacity(source, node) and not _is_of_layers(scope, node):
                value = f"{source.quote(node.targets[0])} = {source.quote(node.value)}: as many as the memory holds"
                counted = next(word for word in words(last_name(node.targets[0])) if word in COUNTED)
                where = (source.at(node), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} number of {counted}", value, where)
                continue
            if isinstance(node, t.Assign) and _is_share(scope, node):
                value = f"{source.quote(node.targets[0])} = {source.quote(node.value)}: a share of the memory"
                yield Claim(f"{scope.qualified_name} memory", value, (source.at(node), source.at(scope.node)))
                continue
            factors = _factors(node.value)
            if len(factors) >= MIN_CACHE_RANK and any(_is_element_size(f) for f in factors):
                name = source.quote(node.targets[0]) if isinstance(node, t.Assign) else scope.node.name
                value = f"{name} = {source.quote(node.value)}"
                places = (source.at(node), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} {_bytes_of(source, scope.qualified_name, factors)}", value, places)


def _bytes_of(source: PythonSource, where: str, factors: list[t.Expr]) -> str:
    """What a product of sizes measures: a block, where one of them is its size; keys and values of one token, where
    none counts tokens.
    """
    said = {word for factor in factors for word in words(source.quote(factor))}
    if said & PIECES:
        return "bytes per block or page"
    if said & LENGTHS or not {"kv", "cache", "slot", "token"} & set(words(where)):
        return "bytes"
    return "bytes per token"


def _is_capacity(source: PythonSource, node: t.Assign) -> bool:
    """`num_blocks = (memory * share - used) // bytes_per_block`; what is rounded up is needed for so many bytes."""
    said = set(words(last_name(node.targets[0])))
    counts = COUNTED & said if "per" not in said else set[str]()
    shares = [n for n in t.walk(node.value) if isinstance(n, t.BinOp) and n.op in ("//", "/") and not _is_ceiling(n)]
    told = [set(words(source.quote(share.left))) for share in shares]
    return bool(counts) and any({"memory", "mem", "bytes", "available"} & said and not WANTED & said for said in told)


def _is_share(scope: Scope, node: t.Assign) -> bool:
    """`limit = int(available * self.share)` in a class that is a cache, or holds its settings."""
    value = node.value.args[0] if isinstance(node.value, t.Call) and len(node.value.args) == 1 else node.value
    if scope.owner is None or not {"cache", "kv", "pool"} & set(words(scope.owner.name)):
        return False
    match value:
        case t.BinOp(left=left, op="*", right=right):
            said = {*words(last_name(left)), *words(last_name(right))}
            return bool(SHARES & said) and bool({"memory", "mem", "available", "free"} & said)
        case _:
            return False


def _is_of_layers(scope: Scope, counted: t.Assign) -> bool:
    """Whether a count is held below the number of layers later: then the blocks are those of a model."""
    name = last_name(counted.targets[0])
    clipped = (c for c in own_calls(scope.node) if last_name(c.func) == "min")
    return any(
        any(last_name(a) == name for a in c.args) and any("layers" in words(last_name(a)) for a in c.args)
        for c in clipped
    )


def _factors(node: t.Expr) -> list[t.Expr]:
    if isinstance(node, t.BinOp) and node.op == "*":
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _is_element_size(node: t.Expr) -> bool:
    name = t.dotted(node.func) if isinstance(node, t.Call) else t.dotted(node)
    return (name or "").rpartition(".")[2] in ELEMENT_SIZES
