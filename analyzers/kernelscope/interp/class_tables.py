"""Tables of a class that its own decorators fill: `@Kernels.register(Name.NATIVE)` puts a function into `cls.held`."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.registries import MOST_ENTRIES
from kernelscope.interp.values import Class, Function, Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition


def class_table(run: Interpreter, table: Definition) -> dict[str | Unknown, Value] | None:
    """What decorators of a class put into what it defines as an empty dict, by keys: the functions and classes of its
    file, or what is said of them. None where no decorator fills it."""
    cls = table.owner
    if run.certain or cls is None or not _is_empty(table.node):
        return None
    if table.node not in run.class_tables:
        run.class_tables[table.node] = dict(_entries(run, cls, table.name))
    return run.class_tables[table.node] or None


def _is_empty(node: t.Stmt) -> bool:
    match node:
        case t.Assign(value=t.Dict(keys=[])) | t.AnnAssign(value=t.Dict(keys=[])):
            return True
        case t.Assign(value=t.Call(func=t.Name(id="dict"), args=[], keywords=[])):
            return True
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Put:
    """How a method of a class has its decorators fill a table: the parameters that are the key and what is kept under
    it, counted without the class; None where the decorated function is kept."""

    key: tuple[int, str]
    value: tuple[int, str] | None


def _entries(run: Interpreter, cls: Definition, name: str) -> Iterator[tuple[str | Unknown, Value]]:
    module = run.workspace.modules.module(cls.path)
    methods = cls.node.methods() if isinstance(cls.node, t.ClassDef) else ()
    puts = {f"{cls.name}.{m.name}": put for m in methods if (put := _put_by(m, name)) is not None}
    count = 0
    for statement in module.body if module is not None and puts else ():
        if not isinstance(statement, t.FunctionDef | t.ClassDef):
            continue
        made = Definition(cls.path, statement.name, statement)
        decorated = Function(made) if isinstance(statement, t.FunctionDef) else Class(made)
        for call in statement.decorator_list:
            put = puts.get(t.dotted(call.func) or "") if isinstance(call, t.Call) else None
            if isinstance(call, t.Call) and put is not None and count < MOST_ENTRIES:
                count += 1
                key = _given(run, cls.path, call, *put.key)
                value = decorated if put.value is None else _given(run, cls.path, call, *put.value)
                yield key if isinstance(key, str) else Unknown("a key"), [] if value is None else value


def _given(run: Interpreter, path: str, call: t.Call, index: int, name: str) -> Value:
    """What a decorator is given for a parameter; None where it is given nothing."""
    from kernelscope.interp.expressions import evaluate

    named = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    given = call.args[index] if index < len(call.args) else named
    run.quiet += 1
    try:
        return None if given is None else evaluate(run, Scope(path), given)
    finally:
        run.quiet -= 1


def _put_by(method: t.FunctionDef, table: str) -> _Put | None:
    """How a method makes a decorator put something into a table of the class."""
    own, *others = [param.name for param in method.args] or [""]
    for inner in (node for node in method.body if isinstance(node, t.FunctionDef) and node.args):
        for node in t.walk(*inner.body):
            match node:
                case t.Assign(targets=[t.Subscript(value=held, slice=t.Name(id=key))], value=value):
                    if t.dotted(held) != f"{own}.{table}" or key not in others:
                        continue
                    place = (others.index(key), key)
                    match value:
                        case t.Name(id=given) if given == inner.args[0].name:
                            return _Put(place, None)
                        case t.Name(id=given) | t.BoolOp(op="or", values=[t.Name(id=given), t.List(elts=[])]):
                            return _Put(place, (others.index(given), given)) if given in others else None
                        case _:
                            return None
                case _:
                    pass
    return None
