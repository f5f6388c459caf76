"""Caches of keys and values in C and C++ programs: what is allocated for them, and positions that go round.

An allocation is of a cache by the name of what it is stored in; its size says whether it has a place for each position
of a sequence, or counts blocks, or neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CSource, matching
from kernelscope.serving.claims import Claim
from kernelscope.serving.evictions import CACHES, MEMOS
from kernelscope.serving.pruning import FREEING, RECENT
from kernelscope.serving.sections import words

OF_WHAT = {"key", "keys", "value", "values", "val", "vals", "kv", "k", "v"}
PAGES = {"block", "blocks", "page", "pages"}
SIZES = {"layer", "layers", "head", "heads", "dim", "size", "block", "page", "batch", "hidden", "seq", "len", "length"}
"""Words of what a cache is as large as."""
POSITIONS = {"seq", "seqlen", "len", "length", "ctx", "context", "positions", "tokens"}
LENGTHS = {"len", "length", "size", "window", "capacity", "ctx", "context"}
ABOUT = {"id", "ids", "types", "mapping", "index", "indices", "table", "num", "size", "sizes", "offset", "offsets",
         "count", "manager", "config", "stream", "event"}  # fmt: skip
"""Words of what is stored about a cache."""
FREE = {"free", "available", "unused", "idle"}
_TAKEN = re.compile(rb"\b(\w+)\s*\[\s*--\s*(\w+)\s*\]")
_GIVEN = re.compile(rb"\b(\w+)\s*\[\s*(\w+)\s*\+\+\s*\]\s*=(?!=)[^;]*")
_COUNTED_DOWN = re.compile(rb"\b(\w+)\s*=\s*(\w+)\s*\.\s*fetch_sub\s*\(\s*1\b[^;]*;")
_COUNTED_UP = re.compile(rb"\b(\w+)\s*=\s*(\w+)\s*\.\s*fetch_add\s*\(\s*1\b[^;]*;")
"""A counter that several threads share, of which each gets the number before: `n = free.fetch_sub(1);`."""
_STORED = re.compile(
    rb"(?<![\w.>\[\]-])((?:[\w.>\[\]-]*[.>\[\]-])?(\w+))\s*=\s*(?:\([^()]*\)\s*|static_cast<[^<>]*>\s*\(\s*)?(new\b|\w*alloc\w*\s*\()"
)
_FILLED = re.compile(rb"\b(?:cuda|hip)Malloc\w*\s*\(\s*(?:\([^()]*\)\s*)?&\s*((?:[\w.>\[\]-]*[.>\[\]-])?(\w+))\s*,")
_LISTED = re.compile(rb"\b(\w*[cC]ache\w*)(?:\s*=[^;{}=]{0,120}|\s*)\{")
"""What a list of sizes in braces is stored in: `shape = {…}`, `cache = tensor({…}, dtype)`, `shape{…}`."""
_PLAIN = re.compile(r"[\w\s.:>()<*/+-]+")
"""A size: names, numbers and what is worked out of them."""
_NEGATIVE = re.compile(r"\s*-\s*\d")
"""What no size of a cache is: an entry that is left out."""
MIN_RANK = 4
ALLOCATED, ZEROED = b"empty(", b"zeros("
LONGEST_LIST = 500
"""Longest list of sizes, in bytes."""
_LEAST = re.compile(rb"\bmin_element\s*\([^;{]*\[[^\]]*\]\s*\([^)]*\)[^{;]*\{\s*return\s+([^;{}]*<[^;{}]*);\s*\}\s*\)")
_MOVED_UP = re.compile(rb"\b(\w+)\s*\.\s*splice\s*\(\s*\1\s*\.\s*c?begin\(\)\s*,\s*\1\s*,\s*[^;]*;")
_DROPPED = rb"\b%b\s*\.\s*pop_back\s*\(\s*\)"
_PUSHED = re.compile(rb"\b(\w{0,40}(?:shape|sizes|dims)\w{0,40})\s*\.\s*(?:push_back|emplace_back)\s*\(")
_WALKED = re.compile(rb"\b(\w+)\s*=\s*(\w+)\s*\.\s*c?(r?)begin\s*\(\s*\)\s*;[^;]*\b\2\s*\.\s*c?\3end\s*\(")
"""A loop over a list, from its end where it begins with `r`."""
_TURNED = re.compile(rb"\b(\w*pos\w*)\s*=\s*([^;]*%[^;]*);")


def c_caches(source: CSource) -> Iterator[Claim]:
    """Allocations of caches, and positions in them that are taken modulo a length, which is not that of a page."""
    if source.aside:
        return
    for function in source.functions:
        for match in _STORED.finditer(source.code, function.start, function.end):
            end = source.code.find(b";", match.end(), function.end)
            if _is_cache(match[2]) and end > 0:
                yield _allocated(
                    source, match[1], match.start(1), source.quote(match.start(3), end, 200), function.name
                )
        for match in _FILLED.finditer(source.code, function.start, function.end):
            opened = source.code.find(b"(", match.start())
            size = source.quote(match.end(), matching(source.code, opened), 200)
            if _is_cache(match[2]):
                yield _allocated(source, match[1], match.start(1), f"{size} bytes", function.name)
        for match in _TURNED.finditer(source.code, function.start, function.end):
            value = source.quote(match.start(2), match.end(2), 200)
            said = {*words(match[1].decode()), *words(function.name), *words(source.path.stem)}
            length = set(words(value.partition("%")[2]))
            if {"kv", "cache", "ring", "rolling"} & said and LENGTHS & length and not PAGES & length:
                if _is_divided(source, value, function.start, function.end):
                    continue  # the rest of a number of which the quotient is used, too: two indices in one
                text = (
                    f"rotating buffer (ring): {match[1].decode()} = {value}: positions go round in the cache, so that "
                    f"the oldest are overwritten"
                )
                yield Claim(f"{function.name} rotating buffer", text, (source.at(match.start()),))


def c_layouts(source: CSource) -> Iterator[Claim]:
    """Sizes of a cache as a list in braces, four of them at least."""
    if source.aside or b"ache" not in source.code:
        return
    for match in _LISTED.finditer(source.code):
        if not _is_laid_out(match[1]) or (function := source.around(match.start())) is None:
            continue
        opened = match.end() - 1
        sizes = _sizes(source, opened)
        is_made = ALLOCATED in match[0] or ZEROED in match[0]
        if len(sizes) < MIN_RANK - is_made or not all(
            _PLAIN.fullmatch(size) and not _NEGATIVE.match(size) for size in sizes
        ):
            continue
        said = {word for size in sizes for word in words(size)}
        if len(SIZES & said) < 2:
            continue
        kept = "; indexed by block (paged)" if PAGES & said else "; contiguous, not paged" if POSITIONS & said else ""
        shown = match[1].decode("utf-8", "replace")
        yield Claim(f"{function.name} {shown} layout", f"{shown}: [{', '.join(sizes)}]{kept}", (source.at(opened),))


def c_pushed_layouts(source: CSource) -> Iterator[Claim]:
    """A shape that is put together size by size before a tensor of it is made: `shape.push_back(n_blocks); …`."""
    if source.aside or b"ache" not in source.code:
        return
    for function in source.functions:
        sizes: dict[bytes, list[tuple[int, str, str]]] = {}
        for match in _PUSHED.finditer(source.code, function.start, function.end):
            closed = matching(source.code, match.end() - 1)
            guard = next(iter(source.guards(function, match.start())[-1:]), "")
            sizes.setdefault(match[1], []).append((match.start(), source.quote(match.end(), closed, 80), guard))
        for name, parts in sizes.items():
            made = re.compile(rb"\b(?:zeros|empty|full|ones)\s*\(\s*(?:\{\s*)?%b\b" % re.escape(name))
            used = made.search(source.code, parts[-1][0], function.end)
            said = {word for _, size, _ in parts for word in words(size)}
            about = {*words(function.name), *words(source.path.stem)}
            if used is None or len(parts) < MIN_RANK or len(SIZES & said) < 2 or not {"cache", "kv"} & about:
                continue
            shown = ", ".join(f"{size} if {guard}" if guard else size for _, size, guard in parts)
            kept = "; indexed by block (paged)" if PAGES & said else ""
            value = f"{name.decode()}: [{shown}]{kept}"
            places = (source.at(used.start()), *(source.at(start) for start, _, _ in parts))
            yield Claim(f"{function.name} {name.decode()} layout", value, places)


def _is_laid_out(name: bytes) -> bool:
    said = set(words(name.decode("utf-8", "replace")))
    return "kvcache" in said or ("cache" in said and not (ABOUT - {"size", "sizes"}) & said)


def _sizes(source: CSource, opened: int) -> list[str]:
    """The entries of a list in braces; none where it does not close nearby."""
    found, depth, start = list[str](), 0, opened + 1
    for place in range(opened, min(len(source.code), opened + LONGEST_LIST)):
        sign = source.code[place]
        depth += (sign in b"([{") - (sign in b")]}")
        if depth == 0 or (depth == 1 and sign == 0x2C):
            found.append(source.quote(start, place, 80))
            start = place + 1
        if depth == 0:
            return found
    return []


def c_recency(source: CSource) -> Iterator[Claim]:
    """Lists in the order of use: what is used is spliced to the front, what is dropped comes from the back."""
    if source.aside:
        return
    for match in _MOVED_UP.finditer(source.code):
        dropped = re.search(_DROPPED % re.escape(match[1]), source.code)
        function = source.around(match.start())
        name = match[1].decode("utf-8", "replace")
        if dropped is None or function is None or MEMOS & set(words(name)):
            continue
        value = (
            f"least recently used first: a use moves an entry to the front of {name} "
            f"({source.quote(match.start(), match.end() - 1, 120)}), the last one is dropped "
            f"({source.quote(dropped.start(), dropped.end(), 80)})"
        )
        yield Claim(f"{function.name} eviction", value, (source.at(match.start()), source.at(dropped.start())))
        return


def c_walked_lists(source: CSource) -> Iterator[Claim]:
    """A list that is erased from one end on, where a use takes an element out and puts it at the other end."""
    if source.aside or b"begin" not in source.code:
        return
    for match in _WALKED.finditer(source.code):
        name, function = match[2].decode("utf-8", "replace"), source.around(match.start())
        if function is None or not FREEING & set(words(function.name)) or MEMOS & set(words(name)):
            continue
        erased = re.compile(rb"\b%b\s*\.\s*erase\s*\(" % re.escape(match[2]))
        put = re.compile(
            rb"\b%b\s*\.\s*%b\s*\([^;]*;"
            % (re.escape(match[2]), rb"(?:push|emplace)_front" if match[3] else rb"(?:push|emplace)_back")
        )
        if erased.search(source.code, match.end(), function.end) is None:
            continue
        for user in source.functions:
            out = erased.search(source.code, user.start, user.end)
            back = put.search(source.code, out.end(), user.end) if out is not None else None
            if user is function or out is None or back is None:
                continue
            begun = source.quote(match.start(), match.end(), 80).partition(";")[0]
            value = (
                f"least recently used first (LRU): {function.name} goes through {name} from its "
                f"{'back' if match[3] else 'front'} ({begun}) and erases there, and {user.name} moves what is used "
                f"to the {'front' if match[3] else 'back'} ({source.quote(back.start(), back.end() - 1, 80)})"
            )
            places = (source.at(match.start()), source.at(back.start()), source.at(out.start()))
            yield Claim(f"{function.name} eviction order", value, places)
            break


def c_oldest(source: CSource) -> Iterator[Claim]:
    """`std::min_element(…)` by the time of the last use, of which what it finds is given away or erased."""
    if source.aside:
        return
    for match in _LEAST.finditer(source.code):
        function = source.around(match.start())
        compared = source.quote(match.start(1), match.end(1), 160)
        if function is None or not RECENT & set(words(compared)):
            continue
        if not (FREEING | CACHES) & {*words(function.name), *words(source.path.stem)}:
            continue
        value = f"least recently used first: the least by {compared} is taken"
        yield Claim(f"{function.name} eviction", value, (source.at(match.start()),))


def _is_divided(source: CSource, rest: str, start: int, end: int) -> bool:
    """Whether `a / b` stands in a function beside its `a % b`."""
    parts = re.fullmatch(r"\(?\s*(\w+)\s*%\s*(\w+)\s*\)?", rest)
    if parts is None:
        return False
    quotient = rb"\b%b\s*/\s*%b\b" % (parts[1].encode(), parts[2].encode())
    return re.compile(quotient).search(source.code, start, end) is not None


def c_free_lists(source: CSource) -> Iterator[Claim]:
    """Free lists in an array with a counter: `free[--n]` takes, `free[n++] = id` gives back."""
    if source.aside:
        return
    given = {(m[1], m[2]): m for m in _GIVEN.finditer(source.code)}
    for match in _TAKEN.finditer(source.code):
        back, function = given.pop((match[1], match[2]), None), source.around(match.start())
        array = match[1].decode("utf-8", "replace")
        if back is None or function is None or not FREE & set(words(array)):
            continue
        value = (
            f"LIFO: a stack in an array, {source.quote(match.start(), match.end(), 80)} is taken and "
            f"{source.quote(back.start(), back.end(), 80)} given back: the most recently freed is reused first"
        )
        yield Claim(f"{function.name} free list {array}", value, (source.at(match.start()), source.at(back.start())))


def c_shared_free_lists(source: CSource) -> Iterator[Claim]:
    """Such a list with an atomic counter: `n = free.fetch_sub(1); ids[n - 1]`, `n = free.fetch_add(1); ids[n] = id`."""
    if source.aside or b"fetch_sub" not in source.code:
        return
    taken: dict[tuple[bytes, bytes], re.Match[bytes]] = {}
    for function in source.functions:
        for down in _COUNTED_DOWN.finditer(source.code, function.start, function.end):
            place = re.compile(rb"\b(\w+)\s*\[\s*%b\s*-\s*1\s*\]" % down[1])
            if (at := place.search(source.code, down.end(), function.end)) is not None:
                taken.setdefault((at[1], down[2]), at)
    for function in source.functions:
        for up in _COUNTED_UP.finditer(source.code, function.start, function.end):
            place = re.compile(rb"\b(\w+)\s*\[\s*%b\s*\]\s*=(?!=)[^;]*" % up[1])
            back = place.search(source.code, up.end(), function.end)
            take = taken.pop((back[1], up[2]), None) if back is not None else None
            if back is None or take is None or not FREE & set(words(array := back[1].decode("utf-8", "replace"))):
                continue
            value = (
                f"LIFO: a stack in an array with an atomic counter, {source.quote(take.start(), take.end(), 80)} is "
                f"taken and {source.quote(back.start(), back.end(), 80)} given back: the most recently freed is reused "
                f"first"
            )
            yield Claim(f"{function.name} free list {array}", value, (source.at(take.start()), source.at(back.start())))


def _is_cache(name: bytes) -> bool:
    said = set(words(name.decode("utf-8", "replace")))
    if ABOUT & said:
        return False
    return "kvcache" in said or ("cache" in said and bool(OF_WHAT & said))


def _allocated(source: CSource, target: bytes, at: int, size: str, where: str) -> Claim:
    said = set(words(size))
    kept = ": paged (in blocks)" if PAGES & said else ": contiguous, not paged" if POSITIONS & said else ""
    name = target.decode("utf-8", "replace").lstrip("-.>")
    value = f"{name} is allocated with {size}{kept}"
    return Claim(f"{where} {name} layout", value, (source.at(at),))
