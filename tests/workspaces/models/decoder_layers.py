"""Decoder layers after Llama and Mixtral: rotary positions, grouped heads, a cache of keys and values, gated MLPs."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Config:
    hidden_size: int = 4096
    intermediate_size: int = 14336
    num_heads: int = 32
    num_kv_heads: int = 8
    head_dim: int = 128
    max_length: int = 8192
    num_experts: int = 8
    experts_per_token: int = 2


class RMSNorm(nn.Module):
    def __init__(self, size, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * y.to(x.dtype)


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


def apply_rope(x, cos, sin):
    return x * cos + rotate_half(x) * sin


class KVCache(nn.Module):
    def __init__(self, config: Config, batch_size):
        super().__init__()
        shape = (batch_size, config.num_kv_heads, config.max_length, config.head_dim)
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def update(self, positions, k, v):
        self.keys[:, :, positions] = k
        self.values[:, :, positions] = v
        return self.keys, self.values


class Attention(nn.Module):
    def __init__(self, config: Config, batch_size):
        super().__init__()
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, config.num_heads * config.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, config.num_kv_heads * config.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.num_kv_heads * config.head_dim, bias=False)
        self.o_proj = nn.Linear(config.num_heads * config.head_dim, config.hidden_size, bias=False)
        self.cache = KVCache(config, batch_size)

    def forward(self, x, cos, sin, positions, mask):
        B, S, _ = x.shape
        q = apply_rope(self.q_proj(x).view(B, S, -1, self.head_dim).transpose(1, 2), cos, sin)
        k = apply_rope(self.k_proj(x).view(B, S, -1, self.head_dim).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(B, S, -1, self.head_dim).transpose(1, 2)
        k, v = self.cache.update(positions, k, v)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(B, S, -1))


class MLP(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class SparseMLP(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.experts_per_token = config.experts_per_token
        self.gate = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.experts = nn.ModuleList([MLP(config) for _ in range(config.num_experts)])

    def forward(self, x):
        B, S, H = x.shape
        tokens = x.view(-1, H)
        weights, chosen = torch.topk(F.softmax(self.gate(tokens), dim=-1), self.experts_per_token, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        out = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            token, slot = torch.where(chosen == number)
            out.index_add_(0, token, expert(tokens[token]) * weights[token, slot, None])
        return out.view(B, S, H)


class DecoderLayer(nn.Module):
    def __init__(self, config: Config, batch_size):
        super().__init__()
        self.input_norm = RMSNorm(config.hidden_size)
        self.attention = Attention(config, batch_size)
        self.post_attention_norm = RMSNorm(config.hidden_size)
        self.mlp = MLP(config)

    def forward(self, hidden_states: torch.Tensor, cos, sin, positions, mask):
        x = self.attention(self.input_norm(hidden_states), cos, sin, positions, mask)
        hidden_states = hidden_states + x
        return hidden_states + self.mlp(self.post_attention_norm(hidden_states))


class SparseDecoderLayer(nn.Module):
    def __init__(self, config: Config, batch_size):
        super().__init__()
        self.input_norm = RMSNorm(config.hidden_size)
        self.attention = Attention(config, batch_size)
        self.post_attention_norm = RMSNorm(config.hidden_size)
        self.experts = SparseMLP(config)

    def forward(self, hidden_states: torch.Tensor, cos, sin, positions, mask):
        x = self.attention(self.input_norm(hidden_states), cos, sin, positions, mask)
        hidden_states = hidden_states + x
        return hidden_states + self.experts(self.post_attention_norm(hidden_states))
