"""Rotary position embedding, half-split: the second half of a head is the partner of the first."""

import torch
from torch import nn


class RotaryEmbedding(nn.Module):
    def __init__(self, head_dim, max_positions, theta):
        super().__init__()
        inv_freq = 1.0 / theta ** (torch.arange(0, head_dim, 2).float() / head_dim)
        angles = torch.outer(torch.arange(max_positions).float(), inv_freq)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, positions):
        return self.cos[positions], self.sin[positions]


def apply_rope(x, cos, sin):
    """Rotate `x` of shape (tokens, heads, head_dim) by the angles of its positions."""
    first, second = x.chunk(2, dim=-1)
    cos = cos.unsqueeze(1)
    sin = sin.unsqueeze(1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
