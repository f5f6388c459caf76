"""Code that cannot run, whatever it is given; and code beside it that may."""

import torch
from torch import nn
from torch.nn import functional as F


class Narrow(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 256)
        self.down = nn.Linear(512, 10)

    def forward(self, x):
        hidden = F.relu(self.up(x))
        return self.down(hidden)  #! shape-mismatch "512" "hidden is Tensor[..., 256]" "self.down is Linear(512 → 10)"


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, x):
        return self.stack(x)  #! shape-mismatch "32" "64"


class Replaced(nn.Module):
    """The head is another one as soon as somebody asks for other classes."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 64)
        self.head = nn.Linear(32, 10)

    def reset(self, classes):
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(self.body(x))


class Switched(nn.Module):
    """A switch decides which layers there are; its default does not."""

    def __init__(self, wide=False):
        super().__init__()
        self.body = nn.Linear(8, 64 if wide else 32)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.body(x))


def joined():
    a = torch.zeros(4, 6)
    b = torch.ones(5, 7)
    return torch.cat([a, b], dim=0)  #! shape-mismatch "6 and 7" "a is Tensor[4, 6]" "b is Tensor[5, 7]"


def viewed():
    a = torch.zeros(4, 6)
    return a.view(5, 5)  #! impossible-view "24" "25"


def multiplied(mask):
    w = torch.zeros(8, 3)
    with torch.no_grad():
        v = torch.zeros(4, 7)
        return w @ v  #! shape-mismatch "[8, 3]" "[4, 7]"


def added():
    return torch.zeros(4, 6) + torch.zeros(4, 5)  #! shape-mismatch "6 and 5"


def guarded(x):
    if x.shape[-1] != 6:
        return x
    a = torch.zeros(4, 5)
    return a + torch.zeros(4, 6)  # nobody knows whether the code comes here


def in_a_branch(flag):
    a = torch.zeros(4, 5)
    if flag:
        a = a + torch.zeros(4, 6)
    return a if flag else a @ a


def names_may_be_equal(x, y):
    B, S, H = x.shape
    C, T, G = y.shape
    return x + y, x @ y, x.view(C, T, G), y.view(B, S, H)


class OnGivenThings(nn.Module):
    """What is given may be a list of tensors or of numbers."""

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 1)

    def forward(self, images, box):
        corner = torch.as_tensor(box)[0]
        return self.conv(images[0]) + corner
