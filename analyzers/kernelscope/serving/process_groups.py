"""Process groups and meshes that a program makes: backend, members, guard, and the sizes that they follow from.

A function of the file that makes one group of what it is given is followed to its calls.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.collectives import calls_with_guards
from kernelscope.serving.guards import (
    assignments,
    calls_in_loops,
    guards_text,
    inlined,
    last_name,
    own_calls,
    own_of,
    statements,
)
from kernelscope.serving.pieces import by_function, mentions
from kernelscope.serving.sections import words
from kernelscope.serving.sharding import is_world
from kernelscope.syntax.python import tree as t

GROUPS = {"init_process_group", "new_group", "new_subgroups", "new_subgroups_by_enumeration", "init_device_mesh",
          "DeviceMesh", "Mesh", "make_mesh", "initialize_model_parallel", "ProcessGroupNCCL",
          "ncclCommInitRank"}  # fmt: skip
MAKES_ONE = "new_group"
MOST_STATEMENTS = 30
"""Of a function that makes a group of what it is given; longer ones set up a whole program."""
MOST_NAMED = 10
SIZES = {"size", "sizes", "degree", "order", "backend", "world", "parallel", "timeout"}
"""Words of the arguments that say how ranks are divided into groups."""
SHARES = {"dp", "data", "parallel", "replicas", "size", "ranks", "num", "groups"}
LONGEST = 900


@by_function
def groups(source: PythonSource) -> Iterator[Claim]:
    """The groups and meshes of a file, then what each function that makes several makes them for."""
    makers = _makers(source) if mentions(source, MAKES_ONE) else frozenset[str]()
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        made: dict[str, Location] = {}
        around = {call: loops[-1] for loops, call in calls_in_loops(scope.node.body)}
        for call, guards, _ in calls_with_guards(scope.node):
            name = last_name(call.func)
            is_maker = t.dotted(call.func) in makers
            if not (is_maker or name in GROUPS) or not (call.args or call.keywords):
                continue
            if not is_maker and _is_own(source, call.func):
                continue
            keywords = {k.arg: k.value for k in call.keywords}
            backend = keywords.get("backend") or (call.args[0] if call.args and name == "init_process_group" else None)
            given = f" with backend {source.quote(backend)}" if backend is not None else ""
            guard = " and ".join(guards_text(source, guards))
            by = f"{name} ({MAKES_ONE})" if is_maker else name
            value = f"process group: {by}{given} in {scope.qualified_name}: {source.quote(call)}"
            if (loop := around.get(call)) is not None:
                each = source.quote(loop.iter)
                value += f", one for each `{source.quote(loop.target)}` in {each}"
                made.setdefault(each, source.at(call))
            value += f", if {guard}" if guard else ""
            yield Claim(f"{scope.qualified_name} process_group", value, (source.at(call),), condition=guard)
        if len(made) > 1:
            yield from _together(source, scope.qualified_name, scope.node, made)
        yield from _grids(source, scope.qualified_name, scope.node)
        yield from _shares(source, scope.qualified_name, scope.node)


def _makers(source: PythonSource) -> frozenset[str]:
    """Short functions of the file that make one group and give it back."""
    return frozenset(
        scope.node.name
        for scope in source.module.functions()
        if scope.owner is None and len(statements(scope.node)) <= MOST_STATEMENTS
        and any(last_name(call.func) == MAKES_ONE for call in own_calls(scope.node))
        and any(isinstance(s, t.Return) and s.value is not None for s, _ in statements(scope.node))
    )  # fmt: skip


def _together(source: PythonSource, where: str, function: t.FunctionDef, made: dict[str, Location]) -> Iterator[Claim]:
    """What a function makes groups for, and the sizes that it is given."""
    places = list(made.values())
    value = f"{where} makes process groups for {'; '.join(made)}"
    yield Claim(f"{where} process_groups", value[:LONGEST], (*places[:MOST_NAMED], source.at(function)))
    sizes = [
        f"{p.name}={source.quote(p.default)}" if p.default is not None else p.name
        for p in function.args
        if SIZES & set(words(p.name))
    ]
    if sizes:
        value = f"{where} divides the ranks by {', '.join(sizes)}"
        where_given = (source.at(function), *map(source.at, function.args[:MOST_NAMED]))
        yield Claim(f"{where} parallel sizes", value[:LONGEST], where_given)


def _shares(source: PythonSource, where: str, function: t.FunctionDef) -> Iterator[Claim]:
    """`data_parallel_size = world_size // model_size`: how many ranks are left for another way of dividing."""
    for node in own_of(function, t.AnnAssign, t.Assign):
        match node:
            case (
                t.Assign(targets=[t.Name(id=name)], value=t.BinOp(left=left, op="//", right=right) as value)
                | t.AnnAssign(target=t.Name(id=name), value=t.BinOp(left=left, op="//", right=right) as value)
            ) if "world" in words(last_name(left)) and SHARES & set(words(name)) and not isinstance(right, t.Constant):
                said = f"{name} = {inlined(source, value, assignments(function), 1)}"
                yield Claim(f"{where} {name}", f"ranks left: {said}", (source.at(node), source.at(function)))
            case _:
                pass


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
    for node in own_of(function, t.Call):
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
