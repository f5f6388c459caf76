"""Captures of tree-sitter queries, kept away from trees in which a query would hang.

Knows nothing of languages.
"""

from __future__ import annotations

from tree_sitter import Node, Query, QueryCursor

MAX_BROKEN_CHILDREN = 10_000
MAX_BROKEN_NODES = 5_000


def captured(query: Query, root: Node) -> dict[str, list[Node]]:
    """The captures of a query; none below error nodes so wide that the query, quadratic in them, would hang."""
    todo = [root] if root.has_error else []
    for _ in range(MAX_BROKEN_NODES):
        if not todo:
            break
        node = todo.pop()
        if node.type == "ERROR" and node.child_count > MAX_BROKEN_CHILDREN:
            return {}
        todo.extend(child for child in node.children if child.has_error)
    return QueryCursor(query).captures(root)
