"""How forward passes are executed: CUDA graphs with sizes and conditions for eager runs, compilers, placeholders.

Found by the framework's own calls: `torch.cuda.graph`, `capture_begin`, `.replay()`, `torch.compile`, `jax.jit`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import (
    all_guards_text,
    assignments,
    calls,
    calls_in_loops,
    guards_text,
    inlined,
    last_name,
    own,
    own_calls,
    own_of,
    statements,
)
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

CAPTURES = {"torch.cuda.graph", "cuda.graph", "graph_capture"}
BEGINS = {"capture_begin", "make_graphed_callables"}
GRAPH_MODES = ("reduce-overhead", "max-autotune")
READS = {"pop", "get", "getattr", "getenv", "bool"}
"""Calls that give a setting, not something that was made."""
PADDED = {"req", "request", "requests", "seq", "sequence", "page", "pages", "block", "blocks", "slot", "slots", "batch"}
FILLS = {"pad", "pads", "padded", "append", "extend", "fill", "capture", "graph", "replay", "batch"}
GRAPHS = {"graph", "graphs", "cudagraph", "cudagraphs"}
MOST_NAMED = 4
"""Names that are followed to say for which sizes graphs are captured."""
COMPILERS = {"torch.compile", "jax.jit", "jit", "torch.jit.script", "nnx.jit", "eqx.filter_jit"}


def captures(source: PythonSource) -> Iterator[Claim]:
    """Where graphs are captured, and for which sizes."""
    capturing = [scope for scope in source.module.functions() if any(map(_is_capture, own(scope.node)))]
    stored = _stored(source) if capturing else {}
    for scope in capturing:
        for loop, node in _capturing(scope.node):
            value = f"CUDA graph captured in {scope.qualified_name}"
            places = [source.at(node), source.at(scope.node)]
            if loop is not None:
                value += f", one per `{source.quote(loop.target)}` in {source.quote(loop.iter)}"
                for name in _names(loop.iter):
                    if (made := stored.get(name)) is not None:
                        value += f", where {name} = {source.quote(made.value)}"
                        places.append(source.at(made))
            yield Claim(f"{scope.qualified_name} CUDA graph", value, tuple(places))


def captured_by_size(source: PythonSource) -> Iterator[Claim]:
    """`for size in sizes: runner.capture(…)`: graphs that another object captures, one per size."""
    constants: dict[str, list[t.Assign]] = {}
    for s in source.module.body:
        if isinstance(s, t.Assign) and isinstance(s.targets[0], t.Name):
            constants.setdefault(s.targets[0].id, []).append(s)
    by_function = {s.qualified_name for s in source.module.functions() if any(map(_is_capture, own(s.node)))}
    for scope in source.module.functions():
        stored = {t.dotted(n.targets[0]): n for n in own_of(scope.node, t.Assign)}
        for loops, call in calls_in_loops(scope.node.body):
            func = source.quote(call.func)
            if func.startswith("self.") and scope.owner is not None:
                own_one = f"{scope.owner.name}.{func.removeprefix('self.')}"
                func = own_one if own_one in by_function else func
            captures_one = isinstance(call.func, t.Attribute) and _captures(func)
            if not (captures_one or func in by_function) or any(inner in loops for inner, _ in _capturing(scope.node)):
                continue
            each = " and ".join(f"`{source.quote(loop.target)}` in {source.quote(loop.iter)}" for loop in loops)
            value = f"CUDA graphs are captured one per {each} by {func} in {scope.qualified_name}"
            places, seen = [source.at(call), *map(source.at, loops)], set[str]()
            todo = [name for loop in loops for name in _names(loop.iter)]
            for name in todo:
                bound = [stored[name]] if name in stored else constants.get(name, [])
                if not bound or name in seen or len(seen) > MOST_NAMED:
                    continue
                value += f", where {name} = {', then '.join(source.quote(one.value) for one in bound)}"
                seen.add(name)
                places += map(source.at, bound)
                todo += [further for one in bound for further in _names(one.value)]
            yield Claim(f"{scope.qualified_name} CUDA graph sizes", value, (*places, source.at(scope.node)))
            break


def _captures(name: str) -> bool:
    """`self.runner.capture`, `graph_runner.capture_one`: what is captured is a graph, by the words of the name."""
    first = words(name.rpartition(".")[2])[:1]
    return first == ("capture",) and bool((GRAPHS | {"runner"}) & set(words(name)))


@by_function
def graph_conditions(source: PythonSource) -> Iterator[Claim]:
    """`use_graph = self.enabled and batch.is_decode and …`, or `use_graph = True` under such a test."""
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(targets=[t.Name(id=name)], value=value) if _says_whether_graphs_run(name):
                    pass
                case t.Return(value=t.BoolOp() as value) if _says_whether_graphs_run(scope.node.name):
                    name = "it does"
                case _:
                    continue
            if isinstance(value, t.BoolOp):
                needed = all_guards_text(source, guards) if isinstance(statement, t.Return) else []
                test = " and ".join((*needed, source.quote(value)))
            elif isinstance(value, t.Constant) and value.value is True and guards:
                test = " and ".join(guards_text(source, guards))
            else:
                continue
            if test:
                said = (
                    f"{scope.qualified_name} decides whether the captured CUDA graph runs: {name} if {test}, else eager"
                )
                yield Claim(
                    f"{scope.qualified_name} CUDA graph use", said, (source.at(statement), source.at(scope.node))
                )


@by_function
def switched_off(source: PythonSource) -> Iterator[Claim]:
    """`GRAPHS = None` or `self.use_graphs = False` under a test: what rules graphs out."""
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(targets=[target], value=t.Constant(value=None | False)) if guards:
                    name = last_name(target)
                case _:
                    continue
            test = " and ".join(guards_text(source, guards))
            is_switch = name.isupper() or {"use", "enable", "enabled", "is"} & set(words(name))
            if not test or not is_switch or not GRAPHS & set(words(name)):
                continue
            value = f"{scope.qualified_name} turns CUDA graphs off: {source.quote(statement)} if {test}"
            yield Claim(f"{scope.qualified_name} CUDA graphs off", value, (source.at(statement), source.at(scope.node)))


def _says_whether_graphs_run(name: str) -> bool:
    said = set(words(name))
    return bool(GRAPHS & said) and bool({"use", "uses", "can", "run", "replay"} & said)


def _capturing(node: t.FunctionDef | t.ClassDef) -> Iterator[tuple[t.For | None, t.Node]]:
    """Captures of a function with the loop around them."""
    todo: list[tuple[t.Node, t.For | None]] = [(child, None) for child in node.body]
    while todo:
        current, loop = todo.pop(0)
        match current:
            case t.FunctionDef() | t.ClassDef():
                continue
            case t.WithItem() if _is_capture(current):
                yield loop, current
                continue
            case t.Call() if _is_capture(current):
                yield loop, current
            case t.For():
                loop = current
            case _:
                pass
        todo.extend((child, loop) for child in t.children(current))


def _is_capture(node: t.Node) -> bool:
    """`with torch.cuda.graph(…)`, `graph.capture_begin()`."""
    match node:
        case t.WithItem(context_expr=t.Call(func=func)):
            return t.dotted(func) in CAPTURES
        case t.Call(func=func):
            return last_name(func) in BEGINS
        case _:
            return False


def _stored(source: PythonSource) -> dict[str, t.Assign]:
    found: dict[str, t.Assign] = {}
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            if (name := t.dotted(node.targets[0])) is not None:
                found.setdefault(name, node)
    return found


def _names(node: t.Expr) -> list[str]:
    return [name for n in t.walk(node) if isinstance(n, t.Name | t.Attribute) and (name := t.dotted(n)) is not None]


@by_function
def replays(source: PythonSource) -> Iterator[Claim]:
    """Where a captured graph is replayed, and when the program runs eagerly instead."""
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            for call in calls(statement):
                if not isinstance(call.func, t.Attribute) or call.func.attr != "replay":
                    continue
                text = " and ".join(all_guards_text(source, guards))
                value = f"{scope.qualified_name} replays the CUDA graph with {source.quote(call)}"
                value += f" when {text}; otherwise it runs eager" if text else ""
                places = [source.at(call), *(source.at(g.test) for g in guards)]
                yield Claim(f"{scope.qualified_name} CUDA graph replay", value, tuple(places))


def has_kernels(source: PythonSource) -> bool:
    """Whether a file decorates functions with a `jit`, as kernels are."""
    return any(
        (t.dotted(d.func if isinstance(d, t.Call) else d) or "").rpartition(".")[2] == "jit"
        for scope in source.module.functions()
        for d in scope.node.decorator_list
    )


def launches(source: PythonSource) -> Iterator[Claim]:
    """`kernel[grid](...)` of kernels that the file decorates with a `jit`: who launches what with which grid."""
    kernels = {
        scope.node.name: (scope.node, decorator)
        for scope in source.module.functions()
        for decorator in scope.node.decorator_list
        if (t.dotted(decorator.func if isinstance(decorator, t.Call) else decorator) or "").endswith(".jit")
    }
    for scope in source.module.functions():
        known = assignments(scope.node)
        for call in own_calls(scope.node):
            match call.func:
                case t.Subscript(value=t.Name(id=name), slice=grid) if name in kernels:
                    kernel, decorator = kernels[name]
                    by = source.quote(decorator.func if isinstance(decorator, t.Call) else decorator)
                    shown = inlined(source, grid, known, 2)
                    value = f"{scope.qualified_name} launches the kernel {name} (@{by}) with grid {shown}"
                    places = (source.at(call), source.at(kernel), source.at(scope.node))
                    yield Claim(f"{name} launch", value, places)
                case _:
                    pass


@by_function
def compiled(source: PythonSource) -> Iterator[Claim]:
    """Functions handed to a compiler by a decorator: what they compute is fused by it."""
    for scope in source.module.functions():
        for decorator in scope.node.decorator_list:
            name = t.dotted(decorator.func if isinstance(decorator, t.Call) else decorator)
            if name not in COMPILERS or (name == "jit" and not _imports_jax(source)):
                continue
            assert isinstance(scope.node, t.FunctionDef)
            arguments = ", ".join(p.name for p in scope.node.args if p.name != "self")
            steps = _operations(source, scope.node)
            value = f"{scope.qualified_name}({arguments}) is compiled by {name}: its operations are fused ({steps})"
            yield Claim(f"{scope.qualified_name} fused by {name}", value, (source.at(decorator), source.at(scope.node)))


@by_function
def compiled_calls(source: PythonSource) -> Iterator[Claim]:
    """`f = torch.compile(f, mode=…)`: what is compiled, how, and whether that records CUDA graphs."""
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            for call in calls(statement):
                if t.dotted(call.func) != "torch.compile" or not call.args:
                    continue
                mode = next((literal(k.value) for k in call.keywords if k.arg == "mode"), None)
                what, text = source.quote(call.args[0]), " and ".join(guards_text(source, guards))
                value = f"{scope.qualified_name} compiles {what} by {source.quote(call)}: its operations are fused"
                if mode in GRAPH_MODES:
                    value += f"; mode {mode} records CUDA graphs"
                value += f", if {text}" if text else ""
                yield Claim(f"{scope.qualified_name} compile {what}", value, (source.at(call), source.at(scope.node)))


def _imports_jax(source: PythonSource) -> bool:
    return any(isinstance(s, t.ImportFrom) and s.module.startswith("jax") for s in source.module.body)


def _operations(source: PythonSource, function: t.FunctionDef) -> str:
    parts = [
        source.quote(s, 90) for s in function.body
        if not (isinstance(s, t.ExprStmt) and isinstance(s.value, t.Constant))
    ]  # fmt: skip
    return "; ".join(parts[:8])


@by_function
def placeholders(source: PythonSource) -> Iterator[Claim]:
    """Requests and pages that stand for nothing: made once, used where a batch or an index must be filled up."""
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            if not isinstance(node.value, t.Call):
                continue
            name = t.dotted(node.targets[0])
            if name is None or not _stands_for_nothing(name) or last_name(node.value.func) in READS:
                continue
            library = (t.dotted(node.value.func) or "").partition(".")[0]
            if library in ("torch", "np", "numpy", "jnp") and {*words(name)} <= EXAMPLES:
                continue
            if library in ("time", "jax", "list", "dict", "copy", "str", "tuple", "set") or TEXTS & set(words(name)):
                continue
            users = [
                source.quote(c.func) for c in own_calls(scope.node)
                if (c is not node.value and any(t.dotted(k.value) == name for k in c.keywords))
                or any(t.dotted(a) == name for a in c.args)
            ]  # fmt: skip
            value = f"placeholder {name} = {source.quote(node.value)}"
            fills = "padding" in words(name) or any(FILLS & set(words(user)) for user in users)
            if users:
                value += f", given to {', '.join(users[:4])}"
                value += ", which fills up batches (pads them, as for a CUDA graph)" if fills else ""
            what = "padding" if fills else "placeholder"
            yield Claim(f"{scope.qualified_name} {what} {name}", value, (source.at(node), source.at(scope.node)))


def placeholder_blocks(source: PythonSource) -> Iterator[Claim]:
    """Those of them that stand for a block or page of a cache."""
    for claim in placeholders(source):
        if {"block", "page", "slot"} & set(words(claim.name.rpartition(" ")[2])):
            yield claim


POSITIONS = {"idx", "index", "id", "start", "end", "offset"}
"""Words of places, of which one more is the next."""
EXAMPLES = {"dummy", "fake", "input", "inputs", "tensor", "x", "data"}
"""Words of tensors that something is only tried with."""


TEXTS = {"message", "messages", "prompt", "prompts", "text", "texts", "conversation", "tail", "head", "updates"}
"""Words of texts that something is only tried with, and of the ends of linked lists."""


def _stands_for_nothing(name: str) -> bool:
    said = set(words(name))
    return bool({"dummy", "placeholder", "null", "fake"} & said) or ("padding" in said and bool(PADDED & said))


@by_function
def spares(source: PythonSource) -> Iterator[Claim]:
    """`pages = n + 1` handed to an allocation, with what points at the last one: a spare that padding writes to."""
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            for keyword in call.keywords:
                match keyword.value:
                    case t.BinOp(left=left, op="+", right=t.Constant(value=1)) if t.dotted(left) and keyword.arg:
                        pass
                    case _:
                        continue
                said = set(words(keyword.arg))
                if not {"page", "pages", "block", "blocks", "slots", "rows"} & said or POSITIONS & said:
                    continue
                fills = [
                    n for n in own_of(scope.node, t.ExprStmt)
                    if isinstance(n.value, t.Call)
                    and {"dummy", "padding", "null", "placeholder"} & set(words(source.quote(n)))
                ]  # fmt: skip
                given = f"{keyword.arg}={source.quote(keyword.value)}"
                value = f"one extra (spare) is allocated: {source.quote(call.func)}({given})"
                if fills:
                    value += f"; dummy requests point to it: {source.quote(fills[0])}"
                places = [source.at(keyword.value), *(source.at(n) for n in fills[:2])]
                yield Claim(f"{scope.qualified_name} extra {keyword.arg}", value, tuple(places))
