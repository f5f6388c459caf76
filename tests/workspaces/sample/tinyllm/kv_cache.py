"""A paged KV cache: fixed-size blocks, a free list, and one block table per request."""

from collections import deque
from dataclasses import dataclass

import torch


@dataclass
class Pages:
    """Where one request's tokens live: slots of the new ones, its blocks, and how many tokens there are in all."""

    slot_mapping: torch.Tensor
    block_table: torch.Tensor
    seq_len: int


class PagedKVCache:
    def __init__(self, num_layers, num_blocks, block_size, num_kv_heads, head_dim, dtype=torch.bfloat16, device="cuda"):
        self.block_size = block_size
        self.blocks = torch.empty(
            2, num_layers, num_blocks, block_size, num_kv_heads, head_dim, dtype=dtype, device=device
        )
        self.free = deque(range(num_blocks))

    def allocate(self, request, num_tokens):
        """Append blocks to the request's table until `num_tokens` fit; False when the cache is full."""
        needed = (num_tokens + self.block_size - 1) // self.block_size - len(request.block_table)
        if needed > len(self.free):
            return False
        for _ in range(needed):
            request.block_table.append(self.free.popleft())
        return True

    def release(self, request):
        self.free.extend(request.block_table)
        request.block_table.clear()

    def slots(self, request, start, end):
        """The cache slot of each position in [start, end)."""
        return [
            request.block_table[position // self.block_size] * self.block_size + position % self.block_size
            for position in range(start, end)
        ]

    def layer(self, index):
        return self.blocks[0, index], self.blocks[1, index]


def write_kv(k, v, k_cache, v_cache, slot_mapping):
    """Scatter the keys and values of new tokens into their slots."""
    num_blocks, block_size, num_kv_heads, head_dim = k_cache.shape
    k_cache.view(num_blocks * block_size, num_kv_heads, head_dim)[slot_mapping] = k
    v_cache.view(num_blocks * block_size, num_kv_heads, head_dim)[slot_mapping] = v


def gather_kv(cache, block_table, seq_len):
    """The first `seq_len` keys or values of one request, contiguous again."""
    num_blocks, block_size, num_kv_heads, head_dim = cache.shape
    pages = cache[block_table]
    return pages.reshape(-1, num_kv_heads, head_dim)[:seq_len]
