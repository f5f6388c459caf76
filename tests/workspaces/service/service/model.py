"""A small decoder whose tokens of all requests lie in a row; keys and values go to the slots of their tokens."""

import torch
import torch.distributed as dist
import triton
import triton.language as tl
from torch import nn
from torch.nn import functional as F

from service.settings import ModelConfig


@triton.jit
def store_kernel(K, V, Cache, Slots, stride_slot, D: tl.constexpr):
    token = tl.program_id(0)
    slot = tl.load(Slots + token)
    at = tl.arange(0, D)
    tl.store(Cache + slot * stride_slot + at, tl.load(K + token * D + at))
    tl.store(Cache + slot * stride_slot + D + at, tl.load(V + token * D + at))


class Attention(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.num_heads, self.head_dim = config.num_heads, config.head_dim
        self.qkv = nn.Linear(config.hidden_size, 3 * config.num_heads * config.head_dim, bias=False)
        self.out = nn.Linear(config.num_heads * config.head_dim, config.hidden_size, bias=False)

    def forward(self, x, slots, cache):
        q, k, v = self.qkv(x).view(-1, 3, self.num_heads, self.head_dim).unbind(1)
        store_kernel[(x.shape[0],)](k, v, cache, slots, cache.stride(0), self.num_heads * self.head_dim)
        y = F.scaled_dot_product_attention(q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), is_causal=True)
        y = self.out(y.transpose(0, 1).flatten(1))
        dist.all_reduce(y)
        return y


class Layer(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(config.hidden_size), nn.RMSNorm(config.hidden_size)
        self.attention = Attention(config)
        self.up = nn.Linear(config.hidden_size, 4 * config.hidden_size)
        self.down = nn.Linear(4 * config.hidden_size, config.hidden_size)

    def forward(self, x, slots, cache):
        x = x + self.attention(self.norm1(x), slots, cache)
        return x + self.down(F.silu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_layers)])
        self.norm = nn.RMSNorm(config.hidden_size)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, tokens: torch.Tensor, slots: torch.Tensor, cache: torch.Tensor):
        x = self.embed(tokens)
        for layer, cache_of_layer in zip(self.layers, cache.unbind(1)):
            x = layer(x, slots, cache_of_layer)
        return self.head(self.norm(x))
