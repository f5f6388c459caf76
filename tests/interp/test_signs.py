"""For which names a hover waits until their function is interpreted: `shows:` and `hides:` name them."""

import re

import pytest
from kernelscope.graph.cursor import cursor_at
from kernelscope.interp.signs import shows_tensor
from kernelscope.syntax.python.lower import parse_module

CODE = b"""
import torch
from lib import work, Settings

class Block(Base):
    def forward(self, x, scale: float):     #: shows x, hides scale
        width = self.width * x              #: shows width, width:2, x
        text = ("a", f"b{kind}")            #: hides text, kind
        y = self.inner(width, kind="k")     #: shows y, inner, width
        return y.shape

    def set_up(self, config):
        table, scale = make(config)         #: shows table
        self.register_buffer("table", table)
        other, scale = make(config)         #: shows other
        self.other = torch.nn.Buffer(other)

    def load(self, weights):                #: shows weights
        prefixes = ("a.", "b.")             #: hides prefixes
        for name, weight in weights:        #: shows weight
            for prefix in prefixes:         #: hides prefix
                name = name.replace(prefix, "") #: hides prefix
            weight = weight.view(-1)        #: shows weight, hides view
        parts = [torch.cat(w) for w in name] #: shows parts

def turned(cos, other, settings: Settings):
    z = other * cos.unsqueeze(1)            #: shows other, z
    w = turned(z, z, settings)              #: shows w
    if settings.width % 128 == 0:           #: hides width, settings
        return work(settings.width)         #: hides settings
    return w @ w

def handed_on(given: list[torch.Tensor], name):
    made = turned(name, name, None)         #: shows made
    for one in given:                       #: shows one, given
        kept = work(one)                    #: shows kept
    if (n := len(given)) > 1:               #: shows n
        return work(name)                   #: hides name
"""


def _names() -> list[tuple[str, int, bool]]:
    found: list[tuple[str, int, bool]] = []
    for line in re.finditer(rb"(?m)^(.*)#: (.*)$", CODE):
        kind = True
        for said in line[2].decode().split(","):
            words = said.split()
            kind = words[0] == "shows" if len(words) > 1 else kind
            name, _, time = words[-1].partition(":")
            places = [m.start() for m in re.finditer(rb"\b%b\b" % name.encode(), line[1])]
            found.append((name, line.start() + places[int(time or 1) - 1], kind))
    return found


@pytest.mark.parametrize(("name", "offset", "shows"), _names(), ids=str)
def test_signs(name: str, offset: int, shows: bool) -> None:
    module = parse_module(CODE)
    cursor = cursor_at(module, offset)
    assert cursor is not None
    assert shows_tensor(module, cursor.functions[0], cursor.node, cursor.called) is shows, name
