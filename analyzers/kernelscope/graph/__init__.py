"""The operator and kernel graph: what calls, launches and binds what, and the paths through it."""
