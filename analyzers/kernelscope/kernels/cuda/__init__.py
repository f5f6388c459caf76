"""CUDA kernels: how threads map to data, and what each access costs, from source alone."""
