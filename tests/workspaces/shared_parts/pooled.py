"""Another model of the same parts, on images."""

from parts import FeedForward
from torch import nn


class Pooled(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 4, stride=4)
        self.feed = FeedForward(channels)

    def forward(self, image):
        B, C, H, W = image.shape
        patches = self.stem(image).flatten(2).transpose(1, 2)
        pooled = self.feed(patches).mean(1)
        return pooled
