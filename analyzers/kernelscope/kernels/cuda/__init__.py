"""CUDA kernels from source alone: launches, shared memory, synchronisation, thread mapping, cost of accesses."""
