"""Caches by structure: layouts, free lists, evictions, hashes, and near misses of which nothing may be said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from kernelscope.serving import (
    caches,
    evictions,
    free_arrays,
    lengths,
    positions,
    prefixes,
    queues,
    service,
    sharing,
    trees,
)
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.growth import growth
from kernelscope.serving.linked_lists import linked_lists

Source = Callable[[str], PythonSource]
Finder = Callable[[PythonSource], Iterable[Claim]]

REGISTERED = """
class Shelf(Module):
    def __init__(self, letters, heads, words_max, width):
        cache_shape = (letters, heads, seq_words, width)
        self.register_buffer("k_cache", torch.zeros(cache_shape, dtype=half))
"""
SHAPED = """
class Shelf:
    def __init__(self, words):
        self.shape = (words // PAGE, PAGE, heads, width) if heads else None

    def make(self):
        self.kv = torch.zeros(self.shape, device="cuda") if self.shape else None
"""
ADDED_UP = """
def places(rows):
    starts = [0]
    for r in rows:
        starts.append(starts[-1] + r.tokens)
    return starts
"""
OF_LAYERS = """
def choose(memory, per_block, config):
    num_blocks = memory // per_block
    return min(num_blocks, config.num_hidden_layers)
"""
MAP = """
class Pages:
    def take(self, n):
        ids = torch.nonzero(self.free)[:n]
        self.free[ids] = False
        return ids

    def give(self, ids):
        self.free[ids] = True
"""
STACK = """
class Numbers:
    def take(self, n):
        used = self.total - self.left
        numbers = self.free[used : used + n]
        return numbers

    def give(self, numbers):
        n, used = len(numbers), self.total - self.left
        self.free[used - n : used] = numbers
"""
SORTED_SET = """
class Tree:
    def __init__(self):
        self.leaves = SortedSet(key=lambda leaf: leaf.rank())

    def evict(self, wanted):
        leaf = self.leaves.pop(0)
        assert leaf.users == 0 and not leaf.below
"""
RECENCY = """
def free_some(self):
    order = [p for p in self.pages.values() if not p.users]
    order.sort(key=lambda p: p.last_access)
"""
LEAST_RECENT = """
class PageCache:
    def get(self, key):
        self.pages.move_to_end(key)

    def shrink(self):
        self.pages.popitem(last=False)
"""
COUNTED = """
class Shelf:
    def hold(self, page):
        page.users += 1

    def give(self, page):
        page.users -= 1
        if page.users == 0:
            self.free(page)
"""
HASHED = """
def checksum(words, prev):
    h = hashlib.blake2b(digest_size=16)
    if prev is not None:
        h.update(prev)
    h.update(words.tobytes())
    return h.digest()
"""
NEIGHBOURS = """
def apply_rotary(x, turns):
    pairs = x.float().reshape(*x.shape[:-1], -1, 2)
    return pairs[..., 0] * turns[..., 0] - pairs[..., 1] * turns[..., 1]
"""
HALVES = """
def turn(x, cos, sin):
    a = x[..., : n // 2]
    return torch.cat([-x[..., n // 2 :], a], -1) * sin + x * cos
"""
TREE = """
class Node:
    def hang(self, above):
        self.up = above
        above.down[self.first(self.tokens)] = self

    def split_node(self, at):
        other = Node(self.tokens[:at], self.pages[:at])
        self.set(self.tokens[at:], self.pages[at:])
"""
PACKED = """
def forward(q, k, v, lens):
    return attend(q, k, v, cu_seqlens_q=lens, cu_seqlens_k=lens)
"""

SLICED = """
class Shelf:
    def __init__(self, count):
        self.free = list(range(count))

    def take(self, count):
        taken = self.free[:count]
        self.free = self.free[count:]
        return taken

    def give(self, pages):
        self.free += pages
"""
FILLED = """
class Shelf:
    def __init__(self, count):
        self.free = []
        for number in range(count):
            self.free.append(Page(number))

    def take(self):
        return self.free.pop()

    def give(self, page):
        self.free.append(page)
"""


FREE_MAP = """
class Allocator:
    def __init__(self, size, heads, head_dim, layers):
        self.key_buffer = [torch.empty((size, heads, head_dim)) for _ in range(layers)]

    def alloc(self, n):
        count = torch.cumsum(self.state, dim=0)
        ids = self.all[torch.logical_and(count <= n, self.state == 1)]
        self.state[ids] = 0
        return ids

    def free(self, ids):
        self.state[ids] = 1
"""


def free_lists(source: PythonSource) -> Iterator[Claim]:
    for queue in queues.queues(source):
        if queue.holds_ids:
            yield from service.free_list_claims(queue)


GROWN = """
class DeskCache:
    def update(self, k, v, layer):
        self.keys[layer] = torch.cat([self.keys[layer], k], dim=-2)
        return self.keys[layer]
"""
ROOM = """
class DeskCache:
    def update(self, k):
        more = mx.zeros((1, self.step, 8))
        self.values = mx.concatenate([self.values, more], axis=1)
"""
NESTED = """
class Desk:
    def add(self, tokens):
        at = self.root
        for one in tokens:
            if one not in at:
                at[one] = {}
            at = at[one]

    def search(self, tokens):
        at, i = self.root, 0
        while i < len(tokens) and tokens[i] in at:
            at = at[tokens[i]]
            i += 1
        return i
"""


@pytest.mark.parametrize(
    ("find", "text", "fragments"),
    [
        (caches.buffers, REGISTERED, ("[letters, heads, seq_words, width]", "contiguous")),
        (caches.buffers, SHAPED, ("[words // PAGE, PAGE, heads, width]", "indexed by block (paged)")),
        (
            caches.sizing,
            "def f(s):\n    num_pages = int((memory * s.share - used) // page_bytes)\n",
            ("num_pages = int(",),
        ),
        (free_lists, SLICED, ("FIFO", "self.free[count:]")),
        (free_lists, FILLED, ("LIFO", "taken from the back (pop)")),
        (caches.paging, "def at(t, i, n, o):\n    return t[i] * n + o - 1\n", ("slot = t[i] * n + o - 1",)),
        (free_arrays.stacks_of_ids, STACK, ("LIFO", "most recently freed")),
        (free_arrays.maps_of_ids, MAP, ("the lowest free ids", "nonzero(self.free)[:n]", "self.free[ids] = True")),
        (lengths.lengths, "def f(q, s):\n    run_varlen(q, s.start_locs)\n", ("packed", "(start_locs)")),
        (evictions.recency, SORTED_SET, ("self.leaves.pop(0)", "leaf.rank()", "not leaf.below")),
        (evictions.recency, RECENCY, ("least recently used first", "p.last_access")),
        (
            free_arrays.maps_of_ids,
            FREE_MAP,
            ("the lowest free ids are taken first", "given back by self.state[ids] = 1"),
        ),
        (caches.buffers, FREE_MAP, ("self.key_buffer: [size, heads, head_dim], one for each of range(layers)",)),
        (
            evictions.evictions,
            "class Ids:\n    def allocate(self):\n        return self.free_ids.popitem(last=False)[0]\n",
            ("FIFO: the first of self.free_ids is taken",),
        ),
        (evictions.evictions, LEAST_RECENT, ("least recently used entry first",)),
        (
            evictions.evictions,
            LEAST_RECENT.replace("move_to_end", "get"),
            ("oldest entry first, in the order of insertion",),
        ),
        (sharing.reference_counts, COUNTED, ("reference count `users`",)),
        (sharing.hashes, HASHED, ("blake2b", "previous (parent) hash `prev`")),
        (positions.rotations, NEIGHBOURS, ("interleaved",)),
        (positions.rotations, HALVES, ("half-split",)),
        (positions.rotations, "def apply_rope(x):\n    return x.unflatten(-1, (-1, 2)).unbind(-1)\n", ("interleaved",)),
        (trees.trees, TREE, ("radix tree", "children in `down`", "`up`", "self.tokens[:at]")),
        (growth, GROWN, ("contiguous: self.keys[layer] grow: the new positions are joined", "not paged")),
        (growth, ROOM, ("self.values grow: room for more positions is joined",)),
        (trees.trees, NESTED, ("trie", "a level for each of tokens", "Desk.search goes down (at = at[tokens[i]])")),
        (lengths.lengths, PACKED, ("packed without padding", "cu_seqlens_q")),
        (lengths.lengths, PACKED.replace("attend(q", "attend[(n,)](q"), ("gives attend their",)),
        (lengths.lengths, ADDED_UP, ("packed without padding", "starts.append(starts[-1] + r.tokens)")),
    ],
)
def test_it_is_seen(source: Source, find: Finder, text: str, fragments: tuple[str, ...]) -> None:
    said = [claim.value for claim in find(source(text))]
    assert any(all(fragment in value for fragment in fragments) for value in said), said


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (growth, GROWN.replace("DeskCache", "Desk")),
        (growth, GROWN.replace("[self.keys[layer], k]", "[k, self.keys[layer]]")),
        (trees.trees, NESTED.replace(" and tokens[i] in at", "")),
        (trees.trees, NESTED.replace("at[one] = {}", "raise KeyError")),
        (caches.paging, "def end(t, i, n):\n    return t[i] * n + n\n"),
        (caches.paging, "def area(grid, o):\n    return grid[0] * grid[1] + o\n"),
        (caches.paging, "def rows(x, n):\n    return x.shape[-1] * n + 1\n"),
        (caches.buffers, "def f(self):\n    self.x = torch.zeros(2, 3)\n"),
        (caches.buffers, "def backward(b, s, h, d):\n    grad_kv = torch.empty(b, s, h, d)\n    return grad_kv\n"),
        (evictions.recency, "def show(self):\n    self.rows.sort(key=lambda r: r.last_access)\n"),
        (evictions.recency, RECENCY.replace("last_access)", "last_access, reverse=True)")),
        (evictions.recency, RECENCY.replace("p.last_access", "file.last_access").replace("p:", "file:")),
        (free_arrays.maps_of_ids, MAP.replace("= True", "= ids")),
        (evictions.evictions, "def newest(cache):\n    return cache.popitem(last=True)\n"),
        (free_arrays.maps_of_ids, FREE_MAP.replace("= 1", "= 0")),
        (evictions.evictions, "def page_cache(memo):\n    memo_cache.popitem(last=False)\n"),
        (evictions.evictions, "def names(seen):\n    return seen.popitem(last=False)\n"),
        (evictions.evictions, "def nearest(q):\n    heapq.heapify(q)\n    return heapq.heappop(q)\n"),
        (sharing.reference_counts, COUNTED.replace("== 0", ">= 0")),
        (free_arrays.stacks_of_ids, "class C:\n    def f(self, a, n):\n        return self.free[a : a + n]\n"),
        (sharing.hashes, "def digest(text):\n    return hashlib.sha256(text).hexdigest()\n"),
        (positions.rotations, "def split(x):\n    return x.chunk(2, dim=-1)\n"),
        (positions.rotations, "def properties(x):\n    return x[::2]\n"),
        (positions.rotations, "def costs(x):\n    # using half of the processes costs less\n    return x[: n // 2]\n"),
        (positions.rotations, "def rotate(image):\n    return image[..., ::2]\n"),
        (positions.rotations, "def table(at):\n    t[:, 0::2] = torch.sin(at)\n    t[:, 1::2] = torch.cos(at)\n"),
        (positions.rotations, "def table(x):\n    return stack([x[:, 0::2].sin(), x[:, 1::2].cos()])\n"),
        (positions.rotations, "def apply_rope(x, cos):\n    return x * cos[..., : cos.shape[-1] // 2]\n"),
        (positions.rotations, "def make_rope(d):\n    return 1 / base ** (torch.arange(0, d, 2)[: d // 2] / d)\n"),
        (
            positions.rotations,
            "def forward(x, cos, sin):\n    v, g = x.chunk(2, dim=-1)\n    return turn(v, cos, sin) * g\n",
        ),
        (caches.paging, "def unpack_weight(i, k, n, o):\n    return i[k] * n + o\n"),
        (caches.paging, "def mask_kv_blocks(n, size):\n    return (n + size - 1) // size\n"),
        (caches.paging, "def mix(a, b, i, x, y):\n    return a[i] * x + b[i] * y\n"),
        (caches.paging, "def slot_bytes(raw, align):\n    return (raw + align - 1) // align\n"),
        (caches.paging, "def apply_mask(rows, i, mask_stride, p):\n    return rows[i] * mask_stride + p\n"),
        (caches.rings, "def fill_cache(idx, n_len):\n    block = idx // n_len\n    at = idx % n_len\n"),
        (caches.rings, "def fill_cache(idx, block_size):\n    at = idx % block_size\n"),
        (sharing.reference_counts, COUNTED.replace("users", "pending_users")),
        (caches.paging, "def cache_layers(n, shard):\n    return (n + shard - 1) // shard\n"),
        (caches.sizing, "def f(free):\n    num_pages = unique(free // page_size)\n"),
        (caches.sizing, "def f(shortfall_bytes):\n    tokens = shortfall_bytes // size\n"),
        (trees.trees, TREE.replace("split_node", "copy")),
        (lengths.lengths, "def f(q):\n    return attend(q, mask=None)\n"),
        (lengths.lengths, ADDED_UP.replace("tokens", "layers")),
        (caches.sizing, OF_LAYERS),
        (lengths.lengths, "def f(width):\n    return Conv2d(width, width, 3, padding=1)\n"),
    ],
)
def test_near_misses_are_not(source: Source, find: Finder, text: str) -> None:
    assert list(find(source(text))) == []


PAGES = """
class Page:
    children: dict
    parent: "Page"

    def __lt__(self, other):
        return self.used_at < other.used_at

class Pages:
    def match_prefix(self, tokens):
        left = tokens[:-1]
        for start in range(0, len(left), self.size):
            page = self.root.children.get(tuple(left[start : start + self.size]))

    def insert(self, above, key, page):
        page.parent = above
        above.children[key] = page

    def allocate(self, leaves):
        heapq.heapify(leaves)

        def next_leaf():
            return heapq.heappop(leaves)

        return next_leaf()
"""
RING = """
class CacheRows:
    def __init__(self, batch_size, cache_size, heads, head_dim):
        self.cache_k = {}
        self.cache_k[0] = torch.empty((batch_size, cache_size, heads, head_dim))

    def place(self, positions, cache_size):
        cache_positions = positions % cache_size
        return cache_positions
"""


def test_a_tree_of_whole_pages(source: Source) -> None:
    read = source(PAGES)
    (tree,) = trees.trees(read)
    assert "never split" in tree.value and "children.get(" in tree.value
    (limit,) = prefixes.shortened(read)
    assert "all but the last token" in limit.value
    assert any("least recently used first" in claim.value for claim in evictions.evictions(read))


def test_a_rotating_buffer_of_rows(source: Source) -> None:
    read = source(RING)
    (layout,) = caches.buffers(read)
    assert layout.value.endswith("contiguous: every sequence of the batch has a row of its own, not paged")
    (ring,) = caches.rings(read)
    assert "modulo cache_size" in ring.value


TRIE = """
class Shelf:
    def insert(self, key):
        node = self.root
        for word in key:
            if word not in node.down:
                node.down[word] = Node(up=node, word=word)
            node = node.down[word]

    def longest(self, key):
        node = self.root
        for word in key:
            if word not in node.down:
                break
            node = node.down[word]
        return node
"""


def test_a_tree_that_is_walked_word_by_word(source: Source) -> None:
    (tree,) = trees.trees(source(TRIE))
    assert "their children in `down` by word and their `up`" in tree.value
    assert "Shelf.longest goes down key and stops at the first that no child has" in tree.value
    assert list(trees.trees(source(TRIE.replace("up=node, ", "")))) == []


def test_caches_of_layers_are_gathered_and_returned(source: Source) -> None:
    text = """
        class Memory:
            def __init__(self):
                shape = (self.blocks, self.heads, self.block_size, self.width)
                self.kept = self.open(shape)

            def open(self, shape):
                k_cache = []
                for _ in range(self.layers):
                    k_cache.append(torch.zeros(shape))
                return k_cache
    """
    (claim,) = caches.buffers(source(text))
    assert claim.value.startswith("k_cache: [self.blocks, self.heads, self.block_size, self.width]; indexed by block")


def test_a_free_list_cut_at_a_place_is_a_stack(source: Source) -> None:
    text = """
        class Shelf:
            def __init__(self, pages):
                self.free_pages = list(range(pages))

            def take(self, n):
                at = len(self.free_pages) - n
                taken = self.free_pages[at:]
                self.free_pages = self.free_pages[:at]
                return taken

            def give(self, page):
                self.free_pages.append(page)
    """
    said = [c.value for q in queues.queues(source(text)) for c in service.free_list_claims(q)]
    assert any("LIFO" in value for value in said), said


LINKED = """
class FreePages:
    def __init__(self, pages):
        self.first = Page(-1)
        self.last = Page(-1)
        if not pages:
            self.first.after = self.last
            self.last.before = self.first

    def take(self):
        ends = self.first
        page = ends.after
        behind = page.after
        ends.after = behind
        behind.before = ends
        return page

    def look(self):
        return self.first.after

    def give(self, pages):
        ends = self.last
        at = ends.before
        for page in pages:
            page.before = at
            at.after = page
            at = page
        at.after = ends
        ends.before = at

    def give_first(self, page):
        page.after = self.first.after
        self.first.after = page
"""


def test_a_free_list_through_its_elements_is_taken_from_one_end(source: Source) -> None:
    (found,) = linked_lists(source(LINKED))
    assert found.name == "FreePages free list"
    assert found.value == (
        "FIFO: taken from the front (take), returned to the back (give): the least recently freed is reused first; "
        "give_first returns to the front what is to be reused at once; a doubly linked list through its elements "
        "(before, after)"
    )
    turned = LINKED.replace(
        "ends = self.first\n        page = ends.after", "ends = self.last\n        page = ends.before"
    )
    turned = turned.replace("ends.after = behind", "ends.before = behind")
    (found,) = linked_lists(source(turned))
    assert found.value.startswith("LIFO: taken from the back (take) and returned there (give)")
    assert not list(linked_lists(source(LINKED.replace("FreePages", "History"))))
    assert not list(linked_lists(source(LINKED.replace("return page", "page.turn()"))))


def test_blocks_of_a_row_and_a_block_alone_are_no_pages(source: Source) -> None:
    made = "class Shelf:\n    def __init__(self, b):\n        self.kv_cache = torch.zeros({}, device='cuda')\n"
    (paged,) = caches.buffers(source(made.format("(2, num_blocks, block_size, heads, dim)")))
    assert paged.value.endswith("indexed by block (paged)")
    for sizes in ("(b, h, NUM_BLOCK, d, e)", "(2, 1, block_size, heads, dim)"):
        (other,) = caches.buffers(source(made.format(sizes)))
        assert "paged)" not in other.value


def test_a_hash_of_what_was_given_in_another_form_is_chained(source: Source) -> None:
    text = """
        class Chain:
            def piece(self, tokens, prefix_hash):
                data = as_bytes(tokens)
                return sha256(prefix_hash.encode() + data).hexdigest()
    """
    (found,) = sharing.hashes(source(text))
    assert (
        found.value
        == "sha256 over prefix_hash, tokens, chained with the previous (parent) hash `prefix_hash` as prefix"
    )
    assert not list(sharing.hashes(source(text.replace("as_bytes(tokens)", "self.salt"))))
