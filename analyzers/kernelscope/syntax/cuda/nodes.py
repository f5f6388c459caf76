"""Ways through tree-sitter trees, and text on one line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node


def walk(node: Node) -> Iterator[Node]:
    """A node and all named nodes in it, in source order."""
    cursor = node.walk()
    depth = 0
    while True:
        current = cursor.node
        if current is not None and current.is_named:
            yield current
        if cursor.goto_first_child():
            depth += 1
            continue
        while depth and not cursor.goto_next_sibling():
            cursor.goto_parent()
            depth -= 1
        if not depth:
            return


def called_names(node: Node) -> Iterator[str]:
    """The last names of the functions and methods that are called in a node."""
    for call in walk(node):
        callee = call.child_by_field_name("function") if call.type == "call_expression" else None
        if callee is None:
            continue
        if callee.type == "field_expression":
            callee = callee.child_by_field_name("field") or callee
        if callee.text is not None:
            yield callee.text.decode("utf-8", "replace").partition("<")[0].rpartition("::")[2].strip()


_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def one_line(text: str) -> str:
    if "/" in text:
        text = _COMMENT.sub(" ", text)
    return " ".join(text.replace("\\\n", " ").split())
