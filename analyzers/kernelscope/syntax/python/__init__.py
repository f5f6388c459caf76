"""Python source as small typed nodes that mirror the standard `ast`, lowered on demand from tree-sitter."""
