"""Where a program communicates: collectives of torch.distributed and JAX, with tensor, group, guard and overlap.

Only calls of the libraries' own primitives count here; who reaches one through functions of its own is in `reaching`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.graph.collectives import collective
from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import Guard, all_guards_text, calls, last_name, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

BLANK = {"empty", "zeros", "empty_like", "zeros_like", "new_empty", "range", "len", "print", "contiguous"}
PLACES = {"all_reduce": 2, "all_gather": 2, "all_gather_into_tensor": 2, "all_gather_object": 2, "broadcast": 2,
          "reduce_scatter": 3, "reduce_scatter_tensor": 3, "all_to_all": 2, "all_to_all_single": 4, "send": 2,
          "recv": 2, "isend": 2, "irecv": 2, "barrier": 0}  # fmt: skip
"""Which operand of a collective of torch is its group."""
INTO = {f"torch.distributed.{name}" for name in (
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_to_all", "all_to_all_single", "reduce_scatter",
    "reduce_scatter_tensor", "_all_gather_base", "_reduce_scatter_base",
)}  # fmt: skip
"""Collectives of torch that are given first what they fill, then what is exchanged."""
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
    backward: str = ""
    """What the function that is called communicates when gradients flow back through it."""
    confidence: str = "derived"
    operation: str = ""
    """How parts are put together where the call says so: `MIN`, `MAX`; a sum needs no word."""


def collectives(source: PythonSource) -> Iterator[Collective]:
    """The collectives that a Python file calls itself, in source order."""
    aliases = aliases_of(source)
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for call, guards, before in calls_with_guards(scope.node):
            given, deferred = call.args, _deferred(call, aliases)
            primitive = deferred or primitive_of(call.func, aliases)
            if primitive is None:
                continue
            given = given[1:] if deferred else given
            keywords = {k.arg: k.value for k in call.keywords}
            tensor = given[0] if given else keywords.get("tensor") or keywords.get("input")
            tensor = None if primitive == "barrier" else tensor
            into = tensor if len(given) > 1 and _full_name(call.func, aliases) in INTO else None
            tensor = given[1] if into is not None else tensor
            group = keywords.get("group") or keywords.get("axis_name") or _group_in_place(call, aliases)
            is_async = bool(deferred) or literal(keywords.get("async_op")) is True
            is_async = is_async or last_name(call.func) in ("isend", "irecv")
            yield Collective(
                primitive=primitive,
                tensor=" → ".join(source.quote(operand) for operand in (tensor, into) if operand is not None),
                group=source.quote(group) if group is not None else "default group",
                where=scope.qualified_name,
                condition=" and ".join(all_guards_text(source, guards)),
                is_async=is_async,
                phase="control" if primitive == "barrier" else phase_of(scope.node.name),
                location=source.at(call),
                call=source.quote(call.func),
                after=producer_of(source, tensor, before),
                overlapped=_work_before_wait(source, call, scope.node) if is_async and not deferred else "",
                operation=_operation(call),
            )


def _operation(call: t.Call) -> str:
    """`dist.ReduceOp.MIN`, wherever it is given."""
    for given in (*call.args, *(k.value for k in call.keywords)):
        match given:
            case t.Attribute(value=held, attr=name) if last_name(held) == "ReduceOp" and name != "SUM":
                return name
            case _:
                pass
    return ""


def _group_in_place(call: t.Call, aliases: dict[str, str]) -> t.Expr | None:
    """The group that a call is given without its name: the axis in JAX, the last operand in torch."""
    place = 1 if _full_name(call.func, aliases).startswith("jax.") else PLACES.get(last_name(call.func))
    return call.args[place] if place is not None and place < len(call.args) else None


PHASES = {"backward": {"backward", "backwards", "bwd", "grad", "grads", "gradient", "gradients"},
          "init": {"init", "initialize", "setup", "profile", "warmup", "determine", "load", "create"},
          "forward": {"forward", "fwd", "call", "apply", "run", "execute", "step"}}  # fmt: skip
"""Words of functions that run then."""


def phase_of(name: str) -> str:
    """When a function runs, as far as its name says it."""
    said = set(words(name))
    return next((phase for phase, of in PHASES.items() if of & said), "")


def calls_with_guards(
    function: t.FunctionDef,
) -> Iterator[tuple[t.Call, tuple[Guard, ...], list[tuple[t.Stmt, tuple[Guard, ...]]]]]:
    """Calls of a function with their guards and the statements before them."""
    before: list[tuple[t.Stmt, tuple[Guard, ...]]] = []
    for statement, guards in statements(function):
        for call in calls(statement):
            yield call, guards, before
        before.append((statement, guards))


def producer_of(source: PythonSource, tensor: t.Expr | None, before: list[tuple[t.Stmt, tuple[Guard, ...]]]) -> str:
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


def aliases_of(source: PythonSource) -> dict[str, str]:
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
    for node in t.flat(source.module.body):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.Attribute() as value) if primitive_of(value, found):
                found[name] = _full_name(value, found)
            case _:
                pass
    return found


def _deferred(call: t.Call, aliases: dict[str, str]) -> str:
    """What `P2POp(isend, tensor, peer)` will do in a batch; where a test chooses, both."""
    if last_name(call.func) != "P2POp" or len(call.args) < 3:
        return ""
    chosen = call.args[0]
    ways = [chosen.body, chosen.orelse] if isinstance(chosen, t.IfExp) else [chosen]
    return "_".join(primitive for way in ways if (primitive := primitive_of(way, aliases)) is not None)


def exchanged_by(call: t.Call, aliases: dict[str, str]) -> t.Expr | None:
    """The operand of a primitive that is exchanged, where it stands in its place."""
    if not call.args or primitive_of(call.func, aliases) is None:
        return None
    return call.args[1 if len(call.args) > 1 and _full_name(call.func, aliases) in INTO else 0]


def primitive_of(called: t.Expr, aliases: dict[str, str]) -> str | None:
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
