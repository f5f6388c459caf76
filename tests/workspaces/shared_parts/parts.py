"""Layers and functions that the other files use: what they are given is seen there."""

import torch
from torch import nn


def split_heads(x, heads):
    b, n, d = x.shape
    return x.reshape(b, n, heads, d // heads).transpose(1, 2)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def hidden(self, x):
        return self.up(x).relu()

    def forward(self, x):
        hidden = self.hidden(x)
        return self.down(hidden)


class Mixer(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def forward(self, q, k, v):
        q, k, v = (split_heads(t, self.heads) for t in (q, k, v))
        scores = torch.matmul(q, k.transpose(-1, -2)).softmax(-1)
        mixed = torch.matmul(scores, v)
        return mixed.transpose(1, 2).flatten(2)
