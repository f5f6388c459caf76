"""Why a search met no kernel: where the calls end that leave the workspace, or whose receiver is not known.

Reads the facts of the functions that were reached; bridges nothing. What is known to end elsewhere is told before what
is not known, which then may well be no reason.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from kernelscope.graph.function_nodes import own_scopes
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.library_kernels import ASKING
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import Reached, kernels_from
from kernelscope.graph.tensor_methods import TENSOR_METHODS
from kernelscope.workspace.facts import GLOBAL, INCLUDED, LIBRARY_NAMESPACES, RECEIVER
from kernelscope.workspace.files import CUDA_SUFFIXES, PYTHON_SUFFIXES

MAX_GAPS = 6
MAX_PER_FUNCTION = 3
MAX_METHODS = 60
MAX_OWNERS = 8
MAX_BEHIND = 400
"""Methods of one name that are looked at, and nodes behind each."""
_HOST_ONLY = frozenset({"torch", "numpy", "triton", "einops", "typing_extensions", "packaging", "tqdm", "regex"})
"""Libraries whose functions are no gap by themselves: what they run is known, or no kernel."""
_DEVICE_API = re.compile(r"(?:cu|hip)(?:blas|dnn|sparse|fft|solver|rand|tensor)\w*[A-Z]\w*\Z|ncclEp[A-Z]\w*\Z")
_LIBRARY = re.compile(r"(?:cu|hip)(?:blas|dnn|sparse|fft|solver|rand|tensor)|nccl|\w+(?=::)")
_MOVES = re.compile(r"(?:cuda|hip|cu)(?:Mem(?:cpy|set)|Memcpy|Memset)\w*\Z")
_NATIVE_NAMESPACES = re.compile(r"(?:cutlass|cub|thrust|cudnn_frontend|ck|ck_tile|dnnl|oneapi|sycl)::")
_TORCH_NAMESPACES = re.compile(r"(?:at|torch)::(?:\w+::)*([a-z_]\w*)\Z")
_TORCH_INSIDES = re.compile(r"(?:at|torch)::(?:utils|native|linalg|fft|special|sparse|nn)::")
"""Namespaces of PyTorch whose functions work on tensors, be they operators or not."""
_DATA = re.compile(
    r"(?:struct|class|bool|auto|void|char|short|int|long|unsigned|signed|float|double|half|size_t|u?int\d+_t)\Z"
    r"|std::(?!function|move_only_function|reference_wrapper|bind|mem_fn)\w+\Z"
)
"""Types of what is never called: `int n(x)` makes one."""
_BUILTINS = frozenset(dir(builtins))
_BORING = re.compile(r"(?:cuda|cu|hip)[A-Z]\w*\Z|[A-Z_0-9]+\Z|.*(?:CHECK|Check|check)")


CPU = "the CPU"
"""The end of what is registered for the CPU."""
TORCH = "PyTorch"
HOST = "the host"
"""The end of C++ whose calls all lead to functions of the workspace, or to nothing that starts work elsewhere."""


class Rank(IntEnum):
    """How much a gap tells, the most first."""

    CPU = 0
    """The implementation is registered for the CPU."""
    OUTSIDE = 1
    """A function of a library, or one that the build makes."""
    COPIES = 2
    """Memory is copied or filled by the runtime."""
    TORCH = 3
    """PyTorch's own operators compute."""
    MADE = 4
    """An object of a library's class is made, which may or may not start something."""
    UNKNOWN = 5
    """A receiver or a callable that is not known."""
    FOREIGN = 6
    """A method of an unknown receiver that nothing in the workspace has."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One of the reasons, and in what the calls end there: the name of a library, "PyTorch"; empty where not known."""

    edge: Edge
    rank: Rank
    end: str = ""


def gaps(graph: OperatorGraph, reached: Reached, computes: Callable[[str], bool]) -> list[Gap]:
    """Edges from reached functions to what is missing behind them; when a kernel was reached, headers in bodies only.

    `computes` tells whether a full name is that of an operator of PyTorch that computes.
    """
    if reached.kernels() or reached.libraries():
        return [Gap(_missing(node, text, line), Rank.OUTSIDE) for node, text, line in _included(graph, reached)]
    communicates = any(node.kind is NodeKind.COLLECTIVE for node in reached.via)
    if (cpu := _only_on_the_cpu(reached)) and not communicates and not _copies(graph, reached):
        return [Gap(_missing(cpu, "no kernel: this implementation runs on the CPU", cpu.line), Rank.CPU, CPU)]
    found = {t: Gap(_missing(node, t, line), Rank.OUTSIDE) for node, t, line in _included(graph, reached)}
    loading = _loading(graph, reached)
    for node in (reached.start, *reached.via):
        if node.kind is not NodeKind.FUNCTION or node in loading:
            continue
        gaps_of = _python_gaps if _is_python(node) else _native_gaps
        for text, line, rank, end in gaps_of(graph, node, computes):
            found.setdefault(text, Gap(_missing(node, text, line), rank, end))
    if not found and reached.complete and not reached.missing() and not communicates:
        last = next((n for n in reversed(reached.via) if n.kind is NodeKind.FUNCTION), None)
        if last is not None:
            text = "no kernel: of the calls that can be followed none launches one"
            is_native = not any(_is_python(n) for n in reached.via if n.kind is NodeKind.FUNCTION)
            return [Gap(_missing(last, text, last.line), Rank.UNKNOWN, HOST if is_native else "")]
    is_known = any(gap.rank is Rank.OUTSIDE for gap in found.values())
    some = min((gap.rank for gap in found.values()), default=Rank.CPU) < Rank.FOREIGN
    most = Rank.TORCH if is_known else Rank.UNKNOWN if some else Rank.FOREIGN
    told = (gap for gap in found.values() if gap.rank <= most)
    return sorted(told, key=lambda gap: gap.rank)[:MAX_GAPS]


def ends(found: list[Gap], reached: Reached) -> list[str]:
    """In what the calls end, as far as it is known."""
    return sorted({gap.end for gap in found if gap.end} | {node.detail for node in reached.missing() if node.detail})


def _missing(node: Node, text: str, line: int) -> Edge:
    return Edge(EdgeKind.CALLS, node, Node(NodeKind.MISSING, text), node.path, line)


def _only_on_the_cpu(reached: Reached) -> Node | None:
    """The registration for the CPU, where no other is met that has an implementation which is no fake."""
    bindings = [n for n in reached.via if n.kind is NodeKind.BINDING and not n.detail.startswith(("fake", "define"))]
    bindings += [n for n in reached.via if n.kind is NodeKind.BINDING and "CPU" in n.detail.split()]
    on_cpu = ["CPU" in node.detail.split() for node in bindings]
    return bindings[on_cpu.index(True)] if any(on_cpu) and all(on_cpu) else None


def _copies(graph: OperatorGraph, reached: Reached) -> bool:
    """Whether a function calls the device's runtime to copy or fill memory: what lies on the CPU are addresses then."""
    for node in reached.via:
        facts = graph.facts(node.path) if node.kind is NodeKind.FUNCTION and not _is_python(node) else None
        own = own_scopes(facts, node.start) if facts is not None else frozenset[int]()
        if any(call.scope in own and _MOVES.match(call.name) for call in (facts.calls if facts is not None else ())):
            return True
    return False


def _included(graph: OperatorGraph, reached: Reached) -> Iterator[tuple[Node, str, int]]:
    """Headers in the middle of functions that are nowhere in the workspace: a build often makes such."""
    for node in (reached.start, *reached.via):
        facts = graph.facts(node.path) if node.kind is NodeKind.FUNCTION and not _is_python(node) else None
        own = own_scopes(facts, node.start) if facts is not None else frozenset[int]()
        for call in facts.calls if facts is not None else ():
            if call.name == INCLUDED and call.scope in own:
                name = call.args[0][1]
                if name.endswith(CUDA_SUFFIXES) and not graph.has_file(name.rpartition("/")[2]):
                    yield (
                        node,
                        f"{name} is part of {node.name}, but nowhere in the workspace (made by the build?)",
                        call.line,
                    )


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


_Found = Iterator[tuple[str, int, Rank, str]]


def _python_gaps(graph: OperatorGraph, node: Node, computes: Callable[[str], bool]) -> _Found:
    """Functions of packages outside of the workspace and PyTorch's own, then receivers that are not known."""
    unknown: list[tuple[str, int, Rank, str]] = []
    told: dict[Rank, int] = {}
    for call, dotted in graph.unfollowed(node):
        package, _, rest = dotted.partition(".")
        if package == "torch":
            if computes(dotted):
                yield f"PyTorch's own {dotted} computes", call.line, Rank.TORCH, TORCH
        elif package and package not in _HOST_ONLY and package not in sys.stdlib_module_names:
            rank = Rank.MADE if rest.rpartition(".")[2][:1].isupper() else Rank.OUTSIDE
            told[rank] = told.get(rank, 0) + 1
            if told[rank] <= MAX_PER_FUNCTION:
                yield f"{dotted} lies outside of the workspace", call.line, rank, package
        elif not dotted and "." in call.name:
            receiver, _, method = call.name.rpartition(".")
            owners = graph.methods_named(method, MAX_METHODS)
            if not TENSOR_METHODS.match(method):
                shown = f"`{receiver.replace('?', '…')}.{method}()`"
                text = f"{shown}: the receiver is not known; {_methods(owners)} this name"
                unknown.append((text, call.line, Rank.FOREIGN if owners == 0 else Rank.UNKNOWN, ""))
        elif not dotted and call.name not in _BUILTINS and not graph.is_class(node.path, call.scope, call.name):
            unknown.append((f"`{call.name}()`: what it stands for is not known", call.line, Rank.UNKNOWN, ""))
    if not told:
        yield from sorted(unknown, key=lambda gap: gap[2])[:MAX_PER_FUNCTION]


def _methods(count: int | None) -> str:
    if count is None:
        return f"more than {MAX_METHODS} functions and methods have"
    if count == 0:
        return "nothing in the workspace has"
    return "1 method has" if count == 1 else f"{count} methods have"


def _launching(graph: OperatorGraph, name: str) -> int:
    """How many of the C++ methods of a name come to a kernel."""
    if TENSOR_METHODS.match(name):
        return 0
    found = graph.native_methods(name)[:MAX_OWNERS]
    return sum(bool(kernels_from(graph, method, MAX_BEHIND).kernels()) for method in found)


def _tail(name: str) -> str:
    return name.rpartition("::")[2]


def _native_gaps(graph: OperatorGraph, node: Node, computes: Callable[[str], bool]) -> _Found:
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
            if any(edge.line == call.line for edge in graph.out_edges(node)):
                continue
            if name in ("run", "initialize"):
                count += 1
                text = f"`.{name}()`: the object is not known; template libraries start their kernels like this"
                yield text, call.line, Rank.UNKNOWN, ""
            elif started := _launching(graph, name):
                count += 1
                what = f"{started} method{'s' * (started > 1)} of this name start{'s' * (started == 1)} a kernel"
                text = f"`.{name}()`: the object is not known; {what}"
                yield text, call.line, Rank.UNKNOWN, ""
        elif graph.is_defined_natively(name):
            continue
        elif _MOVES.match(name):
            yield f"{name} copies or fills memory, without a kernel of the workspace", call.line, Rank.COPIES, ""
        elif torch := _TORCH_NAMESPACES.match(name):
            if (
                computes(f"torch.{torch[1]}")
                or computes(f"torch.nn.functional.{torch[1]}")
                or _TORCH_INSIDES.match(name)
            ):
                yield f"PyTorch's own {name} computes", call.line, Rank.TORCH, TORCH
        elif _DEVICE_API.match(name) or _NATIVE_NAMESPACES.match(name):
            if ASKING.search(name) or ("", "nullptr") in call.args:
                continue
            count += 1
            rank = Rank.MADE if name.rpartition("::")[2][:1].isupper() and "::" in name else Rank.OUTSIDE
            library = _LIBRARY.match(name)
            yield f"{name} lies outside of the workspace", call.line, rank, library[0] if library else ""
        elif _BORING.match(name) or name.endswith("_t"):  # a cast to a type, as C and C++ name theirs
            continue
        elif (kind := dict(call.args).get(RECEIVER, GLOBAL)) != GLOBAL:
            if not _DATA.match(kind) and not any(edge.line == call.line for edge in graph.out_edges(node)):
                count += 1
                yield f"`{name}()`: what this variable runs is not known", call.line, Rank.UNKNOWN, ""
        elif "::" in name:
            owner = name.rpartition("::")[0]
            meant = graph.declarations.other_name(node.path, owner) or owner
            if meant.partition("::")[0] not in LIBRARY_NAMESPACES and not graph.is_defined_natively(_tail(name)):
                count += 1
                yield f"{name} is defined nowhere in the workspace", call.line, Rank.OUTSIDE, ""
        elif graph.declarations.is_declared_only(node.path, name):
            count += 1
            text = f"{name} is declared, but defined nowhere in the workspace (made by the build?)"
            yield text, call.line, Rank.OUTSIDE, ""
