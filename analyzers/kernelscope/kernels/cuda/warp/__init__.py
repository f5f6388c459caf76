"""One warp of a CUDA kernel, followed symbolically: what its variables hold and what its accesses cost."""
