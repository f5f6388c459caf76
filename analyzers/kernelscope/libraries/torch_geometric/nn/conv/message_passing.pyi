from torch import nn

class MessagePassing(nn.Module):
    def __init__(self, aggr="sum", *, aggr_kwargs=None, flow="source_to_target", node_dim=-2, decomposed_layers=1):
        super().__init__()
        self.aggr = aggr
        self.flow = flow
        self.node_dim = node_dim

    def propagate(self, edge_index, size=None, **kwargs): ...

    def edge_updater(self, edge_index, size=None, **kwargs): ...

    def message(self, x_j):
        return x_j

    def aggregate(self, inputs, index, ptr=None, dim_size=None): ...

    def update(self, inputs):
        return inputs

    def edge_update(self): ...
