"""A layer after DeepSeek-V3: keys and values are kept as one short vector and unfolded on use.

A part of each head carries rotary positions; the keys' part is shared by all heads.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Config:
    hidden_size: int = 5120
    num_heads: int = 128
    q_rank: int = 1536
    kv_rank: int = 512
    nope_dim: int = 128
    rope_dim: int = 64
    v_dim: int = 128
    num_experts: int = 256
    experts_per_token: int = 8
    expert_size: int = 2048
    scale: float = 2.5


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class LatentAttention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads, self.kv_rank = config.num_heads, config.kv_rank
        self.nope_dim, self.rope_dim, self.v_dim = config.nope_dim, config.rope_dim, config.v_dim
        self.q_down = nn.Linear(config.hidden_size, config.q_rank, bias=False)
        self.q_norm = Norm(config.q_rank)
        self.q_up = nn.Linear(config.q_rank, config.num_heads * (config.nope_dim + config.rope_dim), bias=False)
        self.kv_down = nn.Linear(config.hidden_size, config.kv_rank + config.rope_dim, bias=False)
        self.kv_norm = Norm(config.kv_rank)
        self.kv_up = nn.Linear(config.kv_rank, config.num_heads * (config.nope_dim + config.v_dim), bias=False)
        self.out = nn.Linear(config.num_heads * config.v_dim, config.hidden_size, bias=False)

    def forward(self, hidden_states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor):
        B, S, _ = hidden_states.shape
        q = self.q_up(self.q_norm(self.q_down(hidden_states)))
        q = q.view(B, S, self.heads, self.nope_dim + self.rope_dim).transpose(1, 2)
        q_nope, q_rope = q.split([self.nope_dim, self.rope_dim], dim=-1)
        latent, k_rope = self.kv_down(hidden_states).split([self.kv_rank, self.rope_dim], dim=-1)
        kv = self.kv_up(self.kv_norm(latent)).view(B, S, self.heads, self.nope_dim + self.v_dim).transpose(1, 2)
        k_nope, v = kv.split([self.nope_dim, self.v_dim], dim=-1)
        q_rope = rotate(q_rope, cos, sin)
        k_rope = rotate(k_rope.unsqueeze(1), cos, sin).expand(B, self.heads, S, self.rope_dim)
        q = torch.cat([q_nope, q_rope], dim=-1)
        k = torch.cat([k_nope, k_rope], dim=-1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, S, self.heads * self.v_dim))


class Expert(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.gate = nn.Linear(size, inner, bias=False)
        self.up = nn.Linear(size, inner, bias=False)
        self.down = nn.Linear(inner, size, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class SharedAndChosenExperts(nn.Module):
    """One expert that every token goes through, and the best of many, chosen by scores with a bias that only chooses."""

    def __init__(self, config: Config):
        super().__init__()
        self.chosen, self.scale = config.experts_per_token, config.scale
        self.router = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.correction = nn.Parameter(torch.zeros(config.num_experts))
        self.experts = nn.ModuleList(
            Expert(config.hidden_size, config.expert_size) for _ in range(config.num_experts)
        )
        self.shared = Expert(config.hidden_size, config.expert_size)

    def forward(self, hidden_states: torch.Tensor):
        B, S, H = hidden_states.shape
        x = hidden_states.reshape(B * S, H)
        scores = self.router(x).sigmoid()
        _, chosen = torch.topk(scores + self.correction, self.chosen, dim=-1)
        weights = scores.gather(1, chosen)
        weights = weights / weights.sum(dim=-1, keepdim=True) * self.scale
        y = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            token, slot = torch.where(chosen == index)
            y.index_add_(0, token, expert(x[token]) * weights[token, slot, None])
        return (y + self.shared(x)).view(B, S, H)


class LatentDecoderLayer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.input_norm = Norm(config.hidden_size)
        self.attention = LatentAttention(config)
        self.post_attention_norm = Norm(config.hidden_size)
        self.mlp = SharedAndChosenExperts(config)

    def forward(self, hidden_states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor):
        hidden_states = hidden_states + self.attention(self.input_norm(hidden_states), cos, sin)
        return hidden_states + self.mlp(self.post_attention_norm(hidden_states))
