import torch
from torch import nn

from .message_passing import MessagePassing

class GCNConv(MessagePassing):
    def __init__(self, in_channels, out_channels, improved=False, cached=False, add_self_loops=None, normalize=True,
                 bias=True, **kwargs):
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.lin = nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, x, edge_index, edge_weight=None):
        return self.lin(x)

class GraphConv(GCNConv):
    def __init__(self, in_channels, out_channels, aggr="add", bias=True, **kwargs):
        super().__init__(in_channels, out_channels, aggr=aggr, **kwargs)

class SAGEConv(MessagePassing):
    def __init__(self, in_channels, out_channels, aggr="mean", normalize=False, root_weight=True, project=False,
                 bias=True, **kwargs):
        super().__init__(aggr, **kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        own = in_channels[1] if isinstance(in_channels, tuple) else in_channels
        self.lin_r = nn.Linear(own, out_channels, bias=bias)

    def forward(self, x, edge_index, size=None):
        return self.lin_r(x[1] if isinstance(x, tuple) else x)

class GINConv(MessagePassing):
    def __init__(self, nn, eps=0.0, train_eps=False, **kwargs):
        super().__init__(aggr="add", **kwargs)
        self.nn = nn

    def forward(self, x, edge_index, size=None):
        return self.nn(x[1] if isinstance(x, tuple) else x)

class GINEConv(MessagePassing):
    def __init__(self, nn, eps=0.0, train_eps=False, edge_dim=None, **kwargs):
        super().__init__(aggr="add", **kwargs)
        self.nn = nn

    def forward(self, x, edge_index, edge_attr=None, size=None):
        return self.nn(x[1] if isinstance(x, tuple) else x)

class _Attention(MessagePassing):
    def __init__(self, in_channels, out_channels, heads=1, concat=True, **kwargs):
        super().__init__(aggr="add", node_dim=0)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.heads = heads
        self.concat = concat
        own = in_channels[1] if isinstance(in_channels, tuple) else in_channels
        self.lin = nn.Linear(own, heads * out_channels if concat else out_channels)

    def forward(self, x, edge_index, edge_attr=None, size=None, return_attention_weights=None):
        return self.lin(x[1] if isinstance(x, tuple) else x)

class GATConv(_Attention): ...
class GATv2Conv(_Attention): ...
class TransformerConv(_Attention): ...
