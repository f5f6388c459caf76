# What layers for graphs do to shapes; for workspaces that use torch_geometric and do not hold it.
from . import nn, typing, utils
