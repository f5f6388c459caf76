"""Where a program communicates: collectives of torch.distributed and JAX, with tensor, group, guard and overlap.

Only calls of the libraries' own primitives count, and methods of the workspace that reach one, with the path to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.graph.collectives import collective
from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import Guard, all_guards_text, calls, guards_text, last_name, own, statements
from kernelscope.serving.sections import words
from kernelscope.serving.sharding import is_world
from kernelscope.syntax.python import tree as t

NAMES = {"allreduce": "all_reduce", "allgather": "all_gather", "reducescatter": "reduce_scatter",
         "alltoall": "all_to_all", "psum": "all_reduce"}  # fmt: skip
GROUPS = {"init_process_group", "new_group", "new_subgroups", "new_subgroups_by_enumeration", "init_device_mesh",
          "DeviceMesh", "Mesh", "make_mesh", "initialize_model_parallel", "ProcessGroupNCCL",
          "ncclCommInitRank"}  # fmt: skip
BLANK = {"empty", "zeros", "empty_like", "zeros_like", "new_empty", "range", "len", "print", "contiguous"}
ABOUT = {"params", "parameters", "metadata", "info", "config", "sizes", "args", "kwargs", "enabled", "supported",
         "plan", "backend", "mode", "method"}  # fmt: skip
"""Last words of functions that tell something about a collective."""
PLACES = {"all_reduce": 2, "all_gather": 2, "all_gather_into_tensor": 2, "all_gather_object": 2, "broadcast": 2,
          "reduce_scatter": 3, "reduce_scatter_tensor": 3, "all_to_all": 2, "all_to_all_single": 4, "send": 2,
          "recv": 2, "isend": 2, "irecv": 2, "barrier": 0}  # fmt: skip
"""Which operand of a collective of torch is its group."""
USUAL = {"dist": "torch.distributed", "lax": "jax.lax", "funcol": "torch.distributed._functional_collectives"}
"""How these modules are mostly imported, for names whose import is not seen."""


@dataclass(frozen=True, slots=True)
class Collective:
    """One call of a primitive. `where` is the function around it; `condition` the tests that guard it."""

    primitive: str
    tensor: str
    group: str
    where: str
    condition: str
    is_async: bool
    phase: str
    location: Location
    call: str
    wrapper: str = ""
    """The program's own function that is called, where it is not the primitive itself."""
    after: str = ""
    """The call that makes the tensor."""
    overlapped: str = ""
    """What is computed before the result is waited for."""
    confidence: str = "derived"


def collectives(source: PythonSource) -> Iterator[Collective]:
    """The collectives that a Python file calls itself, in source order."""
    aliases = _aliases(source)
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for call, guards, before in _calls_with_guards(scope.node):
            given, deferred = call.args, _deferred(call, aliases)
            primitive = deferred or _primitive(call.func, aliases)
            if primitive is None:
                continue
            given = given[1:] if deferred else given
            keywords = {k.arg: k.value for k in call.keywords}
            tensor = given[0] if given else keywords.get("tensor") or keywords.get("input")
            tensor = None if primitive == "barrier" else tensor
            group = keywords.get("group") or keywords.get("axis_name") or _group_in_place(call, aliases)
            is_async = bool(deferred) or literal(keywords.get("async_op")) is True
            is_async = is_async or last_name(call.func) in ("isend", "irecv")
            yield Collective(
                primitive=primitive,
                tensor=source.quote(tensor) if tensor is not None else "",
                group=source.quote(group) if group is not None else "default group",
                where=scope.qualified_name,
                condition=" and ".join(all_guards_text(source, guards)),
                is_async=is_async,
                phase="control" if primitive == "barrier" else _phase(scope.node.name),
                location=source.at(call),
                call=source.quote(call.func),
                after=_producer(source, tensor, before),
                overlapped=_work_before_wait(source, call, scope.node) if is_async and not deferred else "",
            )


def _group_in_place(call: t.Call, aliases: dict[str, str]) -> t.Expr | None:
    """The group that a call is given without its name: the axis in JAX, the last operand in torch."""
    place = 1 if _full_name(call.func, aliases).startswith("jax.") else PLACES.get(last_name(call.func))
    return call.args[place] if place is not None and place < len(call.args) else None


def wrapped_collectives(source: PythonSource) -> Iterator[Collective]:
    """Calls of the program's own functions that are named like a primitive."""
    aliases = _aliases(source)
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for call, guards, before in _calls_with_guards(scope.node):
            name = last_name(call.func)
            primitive = _named_like(name)
            if primitive is None or _primitive(call.func, aliases) is not None or scope.node.name == name:
                continue
            tensor = call.args[0] if call.args else None
            yield Collective(
                primitive, source.quote(tensor) if tensor is not None else "", "the wrapper's group",
                scope.qualified_name, " and ".join(all_guards_text(source, guards)), False, _phase(scope.node.name),
                source.at(call), source.quote(call.func), name, _producer(source, tensor, before),
            )  # fmt: skip


def _phase(name: str) -> str:
    return "backward" if "backward" in name else "init" if "init" in name else "forward"


def _named_like(name: str) -> str | None:
    """`all_reduce` of `tensor_model_parallel_all_reduce` and `make_allreduce`; what is told about one is none."""
    if words(name)[-1:] and words(name)[-1] in ABOUT:
        return None
    joined = name.replace("_", "").lower()
    for word, primitive in NAMES.items():
        if word in joined:
            return primitive
    return None


def groups(source: PythonSource) -> Iterator[Claim]:
    """Process groups and meshes that a file makes: backend, members and guard."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for call, guards, _ in _calls_with_guards(scope.node):
            name = last_name(call.func)
            if name not in GROUPS or not (call.args or call.keywords):
                continue
            if _is_own(source, call.func):
                continue
            keywords = {k.arg: k.value for k in call.keywords}
            backend = keywords.get("backend") or (call.args[0] if call.args and name == "init_process_group" else None)
            given = f" with backend {source.quote(backend)}" if backend is not None else ""
            guard = " and ".join(guards_text(source, guards))
            value = f"process group: {name}{given} in {scope.qualified_name}: {source.quote(call)}"
            value += f", if {guard}" if guard else ""
            yield Claim(f"{scope.qualified_name} process_group", value, (source.at(call),), condition=guard)
        yield from _grids(source, scope.qualified_name, scope.node)


def _is_own(source: PythonSource, called: t.Expr) -> bool:
    """Whether a function named like torch's is another one: of a neighbouring module, or a method of a worker."""
    match called:
        case t.Name(id=name):
            imports = (n for n in t.flat(source.module.body) if isinstance(n, t.ImportFrom) and n.level)
            return any(alias.bound == name for n in imports for alias in n.names)
        case t.Attribute(value=owner, attr="init_process_group"):
            return not {"dist", "distributed", "c10d", "torch"} & set(words(last_name(owner)))
        case _:
            return False


def _grids(source: PythonSource, where: str, function: t.FunctionDef) -> Iterator[Claim]:
    """`arange(world_size).view(dp, pp, tp)`: ranks in a grid, neighbours along its last dimension."""
    for node in own(function):
        match node:
            case t.Call(
                func=t.Attribute(value=t.Call(func=made, args=[count]), attr="view" | "reshape"),
                args=[_, _, *_] as sizes,
            ) if last_name(made) == "arange" and is_world(count):
                order = " × ".join(source.quote(size) for size in sizes)
                value = (
                    f"the ranks form a grid {order}: {source.quote(node)}; neighbouring ranks differ in "
                    f"{source.quote(sizes[-1])}"
                )
                yield Claim(f"{where} grid of ranks", value, (source.at(node), source.at(function)))
            case _:
                pass


def _calls_with_guards(
    function: t.FunctionDef,
) -> Iterator[tuple[t.Call, tuple[Guard, ...], list[tuple[t.Stmt, tuple[Guard, ...]]]]]:
    """Calls of a function with their guards and the statements before them."""
    before: list[tuple[t.Stmt, tuple[Guard, ...]]] = []
    for statement, guards in statements(function):
        for call in calls(statement):
            yield call, guards, before
        before.append((statement, guards))


def _producer(source: PythonSource, tensor: t.Expr | None, before: list[tuple[t.Stmt, tuple[Guard, ...]]]) -> str:
    """The call that made the tensor, or that was last given it to fill."""
    name = t.dotted(tensor) if tensor is not None else None
    if name is None:
        return ""
    for statement, _ in reversed(before):
        match statement:
            case t.Assign(targets=[target], value=t.Call(func=func)) if t.dotted(target) == name:
                return "" if last_name(func) in BLANK else source.quote(func)
            case t.ExprStmt(value=t.Call(func=func, args=args)) if any(t.dotted(a) == name for a in args[1:]):
                return source.quote(func)
            case t.Assign(targets=[target], value=value) if t.dotted(target) == name and t.dotted(value):
                name = t.dotted(value)
            case _:
                pass
    return ""


def _work_before_wait(source: PythonSource, call: t.Call, function: t.FunctionDef) -> str:
    """What is computed between an asynchronous collective and the `wait` on its handle."""
    handle = ""
    between: list[str] = []
    for statement, _ in statements(function):
        if call in calls(statement):
            handle = source.quote(statement.targets[0]) if isinstance(statement, t.Assign) else "?"
            continue
        if not handle:
            continue
        names = [last_name(c.func) for c in calls(statement)]
        if "wait" in names or "synchronize" in names:
            break
        between += [name for name in names if name and name not in BLANK]
    return ", ".join(dict.fromkeys(between[:6]))


def _aliases(source: PythonSource) -> dict[str, str]:
    """What names of the file stand for in the libraries that communicate."""
    found: dict[str, str] = {}
    bodies = [source.module.body, *(scope.node.body for scope in source.module.functions())]
    for node in (statement for body in bodies for statement in t.flat(body)):
        if isinstance(node, t.Import):
            for alias in node.names:
                found[alias.bound] = alias.name if alias.asname else alias.bound
        elif isinstance(node, t.ImportFrom) and node.level == 0:
            for alias in node.names:
                found[alias.bound] = f"{node.module}.{alias.name}"
    return found


def _deferred(call: t.Call, aliases: dict[str, str]) -> str:
    """What `P2POp(isend, tensor, peer)` will do in a batch; where a test chooses, both."""
    if last_name(call.func) != "P2POp" or len(call.args) < 3:
        return ""
    chosen = call.args[0]
    ways = [chosen.body, chosen.orelse] if isinstance(chosen, t.IfExp) else [chosen]
    return "_".join(primitive for way in ways if (primitive := _primitive(way, aliases)) is not None)


def _primitive(called: t.Expr, aliases: dict[str, str]) -> str | None:
    return collective(_full_name(called, aliases))


def _full_name(called: t.Expr, aliases: dict[str, str]) -> str:
    """A function's name with the module that the file imports it from; empty where it is no name."""
    name = t.dotted(called)
    if name is None:
        return ""
    first, _, rest = name.partition(".")
    full = aliases.get(first, first) + (f".{rest}" if rest else "")
    package, _, last = full.rpartition(".")
    return f"{USUAL.get(package, package)}.{last}"
