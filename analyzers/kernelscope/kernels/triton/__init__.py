"""Triton kernels: block types of every name, launches and memory accesses, from source alone."""
