"""Why a search met no kernel: the calls that leave the workspace or whose receiver is not known.

Reads the facts of the functions that were reached; bridges nothing.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterator

from kernelscope.graph.cpp_links import LIBRARY_NAMESPACES
from kernelscope.graph.function_nodes import own_scopes
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import Reached
from kernelscope.graph.tensor_methods import TENSOR_METHODS
from kernelscope.workspace.files import PYTHON_SUFFIXES

MAX_GAPS = 6
MAX_PER_FUNCTION = 3
MAX_METHODS = 60
_HOST_ONLY = frozenset({"torch", "numpy", "triton", "einops", "typing_extensions", "packaging", "tqdm"})
"""Libraries whose functions are no gap by themselves: what they run is known, or no kernel."""
_DEVICE_API = re.compile(r"(?:cu|hip)(?:da|blas|dnn|sparse|fft|solver|rand|tensor)?[A-Z]\w*\Z")
_NATIVE_NAMESPACES = re.compile(r"(?:cutlass|cub|thrust|cudnn_frontend|ck|ck_tile|dnnl|oneapi|sycl)::")
_TORCH_NAMESPACES = re.compile(r"(?:at|torch)::\w+\Z")
_BUILTINS = frozenset(dir(builtins))
_BORING = re.compile(
    r"(?:cuda|hip)(?:Get|Set|Func|Device|Stream|Event|Peek|Malloc|Free|Occupancy|Host)|[A-Z_0-9]+\Z|.*(?:CHECK|Check|check)"
)


def gaps(graph: OperatorGraph, reached: Reached) -> list[Edge]:
    """Edges from reached functions to what is missing behind them; empty when a kernel was reached."""
    if reached.kernels() or reached.libraries():
        return []
    found: dict[str, Edge] = {}
    loading = _loading(graph, reached)
    for node in (reached.start, *reached.via):
        if node.kind is NodeKind.BINDING and "CPU" in node.detail.split():
            text = "no kernel: this implementation runs on the CPU"
            found.setdefault(text, Edge(EdgeKind.CALLS, node, Node(NodeKind.MISSING, text), node.path, node.line))
        if node.kind is not NodeKind.FUNCTION or node in loading:
            continue
        python = _is_python(node)
        for text, line in _python_gaps(graph, node) if python else _native_gaps(graph, node):
            found.setdefault(text, Edge(EdgeKind.CALLS, node, Node(NodeKind.MISSING, text), node.path, line))
    if not found and reached.complete and not reached.missing() and not _communicates(reached):
        last = next((n for n in reversed(reached.via) if n.kind is NodeKind.FUNCTION), None)
        if last is not None:
            text = "no kernel: of the calls that can be followed none launches one"
            return [Edge(EdgeKind.CALLS, last, Node(NodeKind.MISSING, text), last.path, last.line)]
    return list(found.values())[:MAX_GAPS]


def _loading(graph: OperatorGraph, reached: Reached) -> set[Node]:
    """The functions that make a native module of which a function is called, and what they lead to.

    What is not known of them is not why the call leads to no kernel.
    """
    bindings = [node for node in reached.via if node.kind is NodeKind.BINDING and _is_python(node)]
    native = [node for node in bindings if any(not _is_python(edge.target) for edge in graph.out_edges(node))]
    makers = {n for n in reached.via if _is_python(n) and any(_stands_in(graph, binding, n) for binding in native)}
    if not makers:
        return makers
    led_to = (node for node in reached.via if _is_python(node))
    return {node for node in led_to if any(edge.target in makers for edge in reached.path(node))}


def _is_python(node: Node) -> bool:
    return node.path.endswith(PYTHON_SUFFIXES)


def _stands_in(graph: OperatorGraph, node: Node, function: Node) -> bool:
    """Whether a node stands in the body of a function."""
    if function.kind is not NodeKind.FUNCTION or function.path != node.path:
        return False
    facts = graph.facts(function.path)
    around = [d for d in facts.defs if d.name_start == function.start] if facts is not None else []
    return any(definition.name_start < node.start < definition.end for definition in around)


def _communicates(reached: Reached) -> bool:
    return any(node.kind is NodeKind.COLLECTIVE for node in reached.via)


def _python_gaps(graph: OperatorGraph, node: Node) -> Iterator[tuple[str, int]]:
    """Functions of packages outside of the workspace, then methods of receivers that are not known."""
    unknown: list[tuple[str, int]] = []
    count = 0
    for call, dotted in graph.unfollowed(node):
        package = dotted.partition(".")[0]
        if package and package not in _HOST_ONLY and package not in sys.stdlib_module_names:
            count += 1
            if count <= MAX_PER_FUNCTION:
                yield f"{dotted} lies outside of the workspace", call.line
        elif not dotted and "." in call.name:
            receiver, _, method = call.name.rpartition(".")
            owners = graph.methods_named(method, MAX_METHODS)
            if owners != 0 and not TENSOR_METHODS.match(method):
                shown = f"`{receiver.replace('?', '…')}.{method}()`"
                unknown.append((f"{shown}: the receiver is not known; {_methods(owners)} this name", call.line))
        elif not dotted and call.name not in _BUILTINS and not graph.is_class(node.path, call.scope, call.name):
            unknown.append((f"`{call.name}()`: what it stands for is not known", call.line))
    if not count:
        yield from unknown[:MAX_PER_FUNCTION]


def _methods(count: int | None) -> str:
    if count is None:
        return f"more than {MAX_METHODS} functions and methods have"
    return "1 method has" if count == 1 else f"{count} methods have"


def _tail(name: str) -> str:
    return name.rpartition("::")[2]


def _native_gaps(graph: OperatorGraph, node: Node) -> Iterator[tuple[str, int]]:
    """Calls of device libraries, of template libraries' kernels, and of functions that are declared only."""
    facts = graph.facts(node.path)
    if facts is None:
        return
    own = own_scopes(facts, node.start)
    count = 0
    for call in facts.calls:
        if call.scope not in own or count >= MAX_PER_FUNCTION:
            continue
        name = call.name.removeprefix("?.")
        if name != call.name:
            if name in ("run", "initialize"):
                count += 1
                text = f"`.{name}()`: the object is not known; template libraries start their kernels like this"
                yield text, call.line
        elif _BORING.match(name) or graph.is_defined_natively(name):
            continue
        elif _DEVICE_API.match(name) or _NATIVE_NAMESPACES.match(name) or _TORCH_NAMESPACES.match(name):
            count += 1
            yield f"{name} lies outside of the workspace", call.line
        elif "::" in name:
            if name.partition("::")[0] not in LIBRARY_NAMESPACES and not graph.is_defined_natively(_tail(name)):
                count += 1
                yield f"{name} is defined nowhere in the workspace", call.line
        elif graph.declarations.is_declared_only(node.path, name):
            count += 1
            yield f"{name} is declared, but defined nowhere in the workspace (made by the build?)", call.line
