# What streams of residuals do to shapes; for workspaces that use hyper_connections and do not hold it.
from functools import partial
from einops import reduce, repeat
from torch import nn

class ExpandStreams(nn.Module):
    def __init__(self, num_streams):
        super().__init__()
        self.num_streams = num_streams

    def forward(self, residuals):
        return repeat(residuals, "b ... -> (b s) ...", s=self.num_streams)

class ReduceStreams(nn.Module):
    def __init__(self, num_streams):
        super().__init__()
        self.num_streams = num_streams

    def forward(self, residuals):
        return reduce(residuals, "(b s) ... -> b ...", "sum", s=self.num_streams)

class Residual(nn.Module):
    def __init__(self, *args, branch=None, residual_transform=None, **options):
        super().__init__()
        self.branch = branch
        self.residual_transform = nn.Identity() if residual_transform is None else residual_transform

    def width(self, residuals):
        return residuals

    def depth(self, output, residuals):
        return output + self.residual_transform(residuals)

    def forward(self, residuals, *args, **kwargs):
        given = self.width(residuals)
        if self.branch is None:
            return given, partial(self.depth, residuals=residuals)
        output = self.branch(given, *args, **kwargs)
        if isinstance(output, tuple):
            first, *rest = output
            return (self.depth(first, residuals), *rest)
        return self.depth(output, residuals)

class HyperConnections(Residual):
    def __init__(self, num_residual_streams, *, dim, branch=None, add_branch_out_to_residual=True, **options):
        super().__init__(branch=branch)
        self.num_residual_streams = num_residual_streams
        self.add_branch_out_to_residual = add_branch_out_to_residual

    def width(self, residuals):
        return reduce(residuals, "(b s) ... -> b ...", "sum", s=self.num_residual_streams)

    def depth(self, output, residuals):
        return residuals * 1.0 if self.add_branch_out_to_residual else output

class ManifoldConstrainedHyperConnections(HyperConnections):
    pass

mHC = ManifoldConstrainedHyperConnections

# They are disabled where there is one stream, with which nothing else comes out.
def get_expand_reduce_stream_functions(num_streams, add_stream_embed=False, dim=None, disable=False):
    return ExpandStreams(num_streams), ReduceStreams(num_streams)

def get_init_and_expand_reduce_stream_functions(num_streams, num_fracs=1, dim=None, add_stream_embed=False,
                                                disable=None, **options):
    init = partial(HyperConnections, num_streams)
    init = init if dim is None else partial(init, dim=dim)
    return init, ExpandStreams(num_streams), ReduceStreams(num_streams)

mc_get_expand_reduce_stream_functions = get_expand_reduce_stream_functions
mc_get_init_and_expand_reduce_stream_functions = get_init_and_expand_reduce_stream_functions
