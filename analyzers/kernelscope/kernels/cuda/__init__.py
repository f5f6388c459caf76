"""CUDA kernels from source alone: launches, shared memory, synchronisation, how threads map to data, what accesses cost."""
