def global_add_pool(x, batch, size=None):
    return x.sum(dim=-2, keepdim=True) if batch is None else x.new_zeros(num_graphs if size is None else size, x.size(-1))

def global_mean_pool(x, batch, size=None):
    return global_add_pool(x, batch, size)

def global_max_pool(x, batch, size=None):
    return global_add_pool(x, batch, size)
