"""A model of the parts; its inputs are unpacked, so that the parts' ranks are known from here."""

from parts import FeedForward, Mixer
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.project = nn.Linear(width, 3 * width)
        self.mix = Mixer(heads)
        self.feed = FeedForward(width)

    def forward(self, x):
        B, S, H = x.shape
        q, k, v = self.project(x).split(H, dim=-1)
        mixed = x + self.mix(q, k, v)
        hidden = self.feed.up(mixed)
        return mixed + self.feed(mixed), hidden


class Model(nn.Module):
    def __init__(self, vocabulary, width, heads):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.block = Block(width, heads)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        B, S = ids.shape
        x, hidden = self.block(self.embed(ids))
        logits = self.head(x)
        return logits
