"""Links as bytes, in which every text and every node stands once.

Knows nothing of where they are kept; bytes that cannot be read give no links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kernelscope.graph.cpp_links import CppEdges
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.links import Links
from kernelscope.workspace.facts import Record

_NodeRow = tuple[int, int, int, int, int, int]
"""Kind, name, path, start, line, detail: kinds by their place, texts by number."""
_EdgeRow = tuple[int, int, int, int, int, bool, int]
"""Kind, source, target, path, line, whether it is certain, note."""
_NODE_KINDS, _EDGE_KINDS = tuple(NodeKind), tuple(EdgeKind)


class _Packed(Record, frozen=True):
    texts: tuple[str, ...]
    nodes: tuple[_NodeRow, ...]
    cpp: tuple[tuple[int, tuple[int, ...], tuple[_EdgeRow, ...]], ...]
    """Path, what was consulted, and edges of each file."""
    others: tuple[_EdgeRow, ...]


def pack(cpp: Mapping[str, CppEdges], others: Iterable[Edge]) -> bytes:
    """The bytes of links."""
    texts: dict[str, int] = {}
    nodes: dict[tuple[object, ...], int] = {}
    rows: list[_NodeRow] = []

    def text(value: str) -> int:
        return texts.setdefault(value, len(texts))

    def node(value: Node) -> int:
        key = (value, value.line, value.detail)
        known = nodes.get(key)
        if known is None:
            known = nodes[key] = len(rows)
            kind = _NODE_KINDS.index(value.kind)
            rows.append((kind, text(value.name), text(value.path), value.start, value.line, text(value.detail)))
        return known

    def edge(e: Edge) -> _EdgeRow:
        kind = _EDGE_KINDS.index(e.kind)
        return (kind, node(e.source), node(e.target), text(e.path), e.line, e.certain, text(e.note))

    files = tuple(
        (text(path), tuple(sorted(map(text, found.consulted))), tuple(map(edge, found.edges)))
        for path, found in cpp.items()
    )
    rest = tuple(map(edge, others))
    return msgspec.msgpack.encode(_Packed(tuple(texts), tuple(rows), files, rest))


def unpack(data: bytes) -> Links | None:
    """The links that were packed."""
    try:
        packed = msgspec.msgpack.decode(data, type=_Packed)
        texts = packed.texts
        nodes = [Node(_NODE_KINDS[k], texts[n], texts[p], s, line, texts[d]) for k, n, p, s, line, d in packed.nodes]

        def edge(row: _EdgeRow) -> Edge:
            kind, source, target, path, line, certain, note = row
            return Edge(_EDGE_KINDS[kind], nodes[source], nodes[target], texts[path], line, certain, texts[note])

        cpp = {
            texts[path]: CppEdges(tuple(map(edge, edges)), frozenset(texts[other] for other in consulted))
            for path, consulted, edges in packed.cpp
        }
        return Links(cpp, map(edge, packed.others))
    except (msgspec.MsgspecError, IndexError):
        return None
