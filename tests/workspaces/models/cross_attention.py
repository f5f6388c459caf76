"""A decoder layer after T5: attention to what was written, attention to what the encoder read, then a gated MLP."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class Config:
    d_model: int = 768
    d_kv: int = 64
    d_ff: int = 2048
    num_heads: int = 12


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        variance = x.to(torch.float32).pow(2).mean(-1, keepdim=True)
        return self.weight * (x * torch.rsqrt(variance + 1e-6))


class Attention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads, self.head_dim = config.num_heads, config.d_kv
        inner = config.num_heads * config.d_kv
        self.q, self.k = nn.Linear(config.d_model, inner, bias=False), nn.Linear(config.d_model, inner, bias=False)
        self.v, self.o = nn.Linear(config.d_model, inner, bias=False), nn.Linear(inner, config.d_model, bias=False)

    def split(self, x):
        return x.view(x.shape[0], -1, self.heads, self.head_dim).transpose(1, 2)

    def forward(self, x, read, bias=None):
        q, k, v = self.split(self.q(x)), self.split(self.k(read)), self.split(self.v(read))
        scores = q @ k.transpose(-1, -2)
        if bias is not None:
            scores = scores + bias
        y = F.softmax(scores, dim=-1) @ v
        return self.o(y.transpose(1, 2).reshape(x.shape[0], -1, self.heads * self.head_dim))


class GatedMlp(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.wi_0 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wi_1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x):
        return self.wo(F.gelu(self.wi_0(x)) * self.wi_1(x))


class DecoderLayer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = Norm(config.d_model), Norm(config.d_model), Norm(config.d_model)
        self.self_attention, self.cross_attention = Attention(config), Attention(config)
        self.mlp = GatedMlp(config)

    def forward(
        self, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, position_bias: torch.Tensor | None = None
    ):
        normed = self.norm1(hidden_states)
        hidden_states = hidden_states + self.self_attention(normed, normed, position_bias)
        hidden_states = hidden_states + self.cross_attention(self.norm2(hidden_states), encoder_hidden_states)
        return hidden_states + self.mlp(self.norm3(hidden_states))
