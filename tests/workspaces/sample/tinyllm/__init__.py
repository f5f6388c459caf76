"""A small LLM, its kernels and its server."""
