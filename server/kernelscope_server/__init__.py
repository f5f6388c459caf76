"""The language server and the command line of Kernelscope: the only package that knows LSP."""

import gc

gc.set_threshold(50_000, 20, 2)
"""Trees and values are many small objects that live long: looking at all of them often costs a fifth of the time.

But all are looked at once two million more have come: what is in cycles, as trees are, goes in no other way."""
