"""Code lenses: where they stand, what they say and what they open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from kernelscope.graph.collectives import may_communicate
from kernelscope.graph.function_nodes import scopes
from kernelscope.graph.navigation import Navigation
from kernelscope.kernels.cuda.kernels import Kernels
from kernelscope.kernels.triton.bodies import PRODUCTS
from kernelscope.kernels.triton.persistent_loops import persistent_loops
from kernelscope.results import Lens, Span, Target
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.counters import meetings
from kernelscope.serving.tasks import plan
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.facts import TOP, DefKind, FileFacts
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

CALL_PATH = "kernelscope.showCallPath"
TITLES: dict[str, str] = {
    "kernelscope.showDataflow": "show dataflow",
    "kernelscope.showPseudocode": "pseudocode",
    "kernelscope.showArchitecture": "architecture",
    "kernelscope.explainKernel": "explain kernel",
    "kernelscope.showTiling": "tiles and memory",
    "kernelscope.showTimeline": "timeline",
    CALL_PATH: "call path",
}
MAX_MAKERS = 12
"""Functions of a file that are asked for the tasks that they make."""
_FUNCTIONS = (DefKind.FUNCTION, DefKind.METHOD, DefKind.CUDA_FUNCTION)


def python_lenses(module: Module, path: Path) -> Iterator[Lens]:
    """Above every forward its dataflow and pseudocode, above every class with one its architecture."""
    for scope in module.functions():
        if scope.owner is None or scope.node.name not in ("forward", "__call__"):
            continue
        symbol = scope.qualified_name
        yield Lens(scope.node.name_span, Target(path, None, symbol), None, "kernelscope.showDataflow")
        yield Lens(scope.node.name_span, Target(path, None, symbol), None, "kernelscope.showPseudocode")
        owner = Target(path, None, ".".join(scope.path[:-1]))
        yield Lens(scope.owner.name_span, owner, None, "kernelscope.showArchitecture")


def triton_lenses(kernels: Iterable[t.FunctionDef], path: Path) -> Iterator[Lens]:
    """Above every Triton kernel what it does; where it loops over tiles, when they are copied and used."""
    for node in kernels:
        target = Target(path, node.name_span.start)
        yield Lens(node.name_span, target, None, "kernelscope.explainKernel")
        yield Lens(node.name_span, target, None, "kernelscope.showTiling")
        if persistent_loops(node) or _multiplies_in_a_loop(node):
            yield Lens(node.name_span, target, None, "kernelscope.showTimeline")


def _multiplies_in_a_loop(node: t.FunctionDef) -> bool:
    """Whether there is a loop of products, which the compiler may run as a pipeline."""
    loops = [inner for inner in t.inside(node) if isinstance(inner, t.For | t.While)]
    return any(isinstance(part, t.Attribute) and part.attr in PRODUCTS for loop in loops for part in t.walk(*loop.body))


def cuda_lenses(kernels: Kernels, path: Path) -> Iterator[Lens]:
    """Above every CUDA kernel what it does."""
    unit = kernels.units.unit(str(path))
    for kernel in unit.kernels if unit is not None else ():
        yield Lens(kernel.name_span, Target(path, kernel.name_span.start), None, "kernelscope.explainKernel")


def schedule_lenses(workspace: Workspace, module: Module, path: Path) -> Iterator[Lens]:
    """Above the function that makes the most tasks which depend on each other, when they run."""
    functions = [scope.node for scope in module.functions() if isinstance(scope.node, t.FunctionDef)]
    makers = [node for node in functions if node.name != "__init__" and _makes_in_loops(node)]
    plans = [(plan(workspace, path, module, node), node) for node in makers[:MAX_MAKERS]]
    found = [(len(made.puts), -number, node) for number, (made, node) in enumerate(plans) if made.after]
    if found:
        node = max(found)[2]
        yield Lens(node.name_span, Target(path, node.name_span.start), None, "kernelscope.showTimeline")


def _makes_in_loops(node: t.FunctionDef) -> bool:
    """Whether a loop makes objects of classes, as their names tell."""
    loops = [n for n in t.walk(*node.body) if isinstance(n, t.For | t.While | t.ListComp)]
    parts = [n for loop in loops for n in t.walk(*([loop.elt] if isinstance(loop, t.ListComp) else loop.body))]
    made = (t.dotted(n.func) or "" for n in parts if isinstance(n, t.Call))
    return any(name.rpartition(".")[2][:1].isupper() for name in made)


def counter_lenses(kernels: Kernels, source: CSource, path: Path) -> Iterator[Lens]:
    """Above the first kernel of a file whose tasks wait for each other through counters, when they run."""
    unit = kernels.units.unit(str(path)) if meetings([source]) else None
    for kernel in unit.kernels[:1] if unit is not None else ():
        target = Target(path, kernel.name_span.start)
        yield Lens(kernel.name_span, target, None, "kernelscope.showTimeline")


def host_lenses(facts: FileFacts, path: Path) -> Iterator[Lens]:
    """Above every function that launches or communicates how often; of Python, names have to be looked up for that."""
    is_python = str(path).endswith(PYTHON_SUFFIXES)
    calls = _inside(facts, (call.scope for call in facts.calls if may_communicate(call.name)))
    launches = _inside(facts, (launch.scope for launch in facts.launches))
    for definition in facts.defs:
        is_outer = definition.scope == TOP or facts.defs[definition.scope].kind in (DefKind.CLASS, DefKind.STRUCT)
        if definition.kind not in _FUNCTIONS or not is_outer:
            continue
        start = definition.name_start
        counts = launches[start], calls[start]
        if counts == (0, 0):
            continue
        span = Span(start, start + len(definition.name.encode()))
        yield Lens(span, Target(path, start), None if is_python else _counted(*counts), CALL_PATH)


def _inside(facts: FileFacts, places: Iterable[int]) -> Counter[int]:
    """How many of some scopes are a function or lie in it, by where its name starts; macros stand anywhere."""
    counts: Counter[int] = Counter()
    for place in places:
        around = list(scopes(facts, place))
        macro = next((i for i, scope in enumerate(around) if facts.defs[scope].kind is DefKind.MACRO), len(around))
        counts.update({facts.defs[scope].name_start for scope in around[: macro + 1]})
    return counts


def title_of(lens: Lens, navigation: Navigation) -> str:
    """What a lens says: what it opens, or how much the function below launches and communicates."""
    graph = navigation.ready_graph() if lens.command == CALL_PATH else None
    node = graph.at(str(lens.target.path), lens.target.offset or 0) if graph is not None else None
    counted = _counted(*graph.done_in(node)) if graph is not None and node is not None else ""
    return counted or TITLES.get(lens.command or "", "")


def _counted(launches: int, collectives: int) -> str:
    told = [(launches, "launch", "launches"), (collectives, "collective", "collectives")]
    return " · ".join(f"{count} {one if count == 1 else many}" for count, one, many in told if count)
