"""Processes of a program: what is started.

Kinds come from the libraries' own constructors (multiprocessing, threading, Ray).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import assignments, calls, last_name, own, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

STARTERS = {"Process": "process", "Thread": "thread", "ProcessPoolExecutor": "process pool",
            "ThreadPoolExecutor": "thread pool", "Popen": "process"}  # fmt: skip
ACTS = {"start", "run", "process", "main", "serve", "loop", "launch", "worker", "manager", "server"}
"""Words of functions that processes run."""
RUN = {"target", "func", "fn", "entry", "main"}
"""Names of fields that hold what a process runs."""
SCHEDULES = {"create_task": "asyncio task", "ensure_future": "asyncio task", "submit": "thread of a pool",
             "run_in_executor": "thread of a pool", "start_soon": "asyncio task", "gather": "asyncio task"}  # fmt: skip
"""Calls that run a function beside the rest: in an event loop, or in a thread of a pool."""
_CLASS = re.compile(r"[A-Z][a-z0-9]+\w*")
MOST_WORDS = 6
"""How far into a command its program is looked for."""
MOST_STEPS = 3
"""Names that are followed to the class of an actor."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process or thread that the program starts: its kind, its target, and how it is started."""

    kind: str
    target: str
    how: str
    where: str
    condition: str
    location: Location
    count: str = ""
    """How many of them a pool has, in the source's words."""
    times: str = ""
    """How many of them a loop starts, in the source's words."""

    @property
    def text(self) -> str:
        many = f"of at most {self.count} worker{'' if self.count == '1' else 's'}" if self.count else ""
        said = f"{' '.join(filter(None, (self.kind, self.target, many)))} started by {self.how} in {self.where}"
        return f"{said}, one for each of {self.times}" if self.times else said


@dataclass(frozen=True, slots=True)
class Launcher:
    """A class whose objects are processes or threads, or start one: what it runs is given to it as `field`.

    Its constructor's argument number `place` is that field, where one is.
    """

    cls: str
    field: str
    kind: str
    place: int | None = None

    def runs(self, given: str) -> bool:
        """Whether what it is given under a name, or as argument `#2`, is what it runs."""
        return given == self.field or (self.place is not None and given == f"#{self.place}")


def started(source: PythonSource) -> Iterator[Started]:
    """Processes and threads that a file starts, and the start method that it forces."""
    yield from _started_in_functions(source)
    for statement in source.module.body:
        if not isinstance(statement, t.FunctionDef | t.ClassDef):
            for call in calls(statement):
                yield from _by_call(source, call, f"the script {source.path.name}")


@by_function
def _started_in_functions(source: PythonSource) -> Iterator[Started]:
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            found = list(_by_call(source, call, scope.qualified_name))
            several = _times(source, scope.node, call) if found else ""
            yield from (replace(each, times=several) for each in found)
            if found:
                continue
            if last_name(call.func) == "Popen" and (program := _program(source, call, scope.node)):
                yield Started("process", program, source.quote(call.func), scope.qualified_name, "", source.at(call))
                continue
            if (actor := _actor(source, call, scope.node)) is not None:
                yield Started("actor", actor, source.quote(call.func), scope.qualified_name, "", source.at(call))
                continue
            for beside in _loops_beside(call):
                if _goes_on(source, beside, scope):
                    kind, target = SCHEDULES[last_name(call.func)], source.quote(beside)
                    yield Started(kind, target, source.quote(call.func), scope.qualified_name, "", source.at(call))


def _times(source: PythonSource, function: t.FunctionDef | t.ClassDef, call: t.Call) -> str:
    """The range that a loop around a start goes through: `for _ in range(n_workers): Thread(target=work).start()`."""
    for loop in own_of(function, t.For):
        if loop.span.start < call.span.start < loop.span.end and isinstance(loop.iter, t.Call):
            return source.quote(loop.iter) if last_name(loop.iter.func) == "range" else ""
    return ""


def _program(source: PythonSource, call: t.Call, function: t.FunctionDef | t.ClassDef) -> str:
    """The program that `Popen(["serve", …])` runs, also by a name; of Python its module or script."""
    given = call.args[0] if call.args else None
    if isinstance(given, t.Name) and isinstance(function, t.FunctionDef):
        given = assignments(function).get(given.id, given)
    if not isinstance(given, t.List | t.Tuple) or not given.elts:
        return ""
    said = [str(text) if isinstance(text := literal(e), str) else source.quote(e) for e in given.elts[:MOST_WORDS]]
    if re.search(r"python|executable", said[0]):
        said = [word for word in said[1:] if word not in ("-m", "-u", "-I", "-s")] or said
    parts = [
        n for node in own_of(function, t.Assign) if t.dotted(node.targets[0]) == said[0] for n in t.walk(node.value)
    ]
    scripts = (n.value for n in parts if isinstance(n, t.Constant) and isinstance(n.value, str))
    script = next((text for text in scripts if text.endswith(".py")), "")
    return f"{said[0]} ({script})" if script else said[0]


def _loops_beside(call: t.Call) -> list[t.Expr]:
    """What a call runs beside the rest: `asyncio.gather(self.f(), self.g())` several at once."""
    if last_name(call.func) == "gather":
        return [a.func for a in call.args if isinstance(a, t.Call) and isinstance(a.func, t.Attribute | t.Name)]
    beside = _loop_beside(call)
    return [beside] if beside is not None else []


def _loop_beside(call: t.Call) -> t.Expr | None:
    """What `create_task(self.f())`, `pool.submit(self.f)` and `loop.run_in_executor(pool, self.f)` run."""
    name = last_name(call.func)
    given = call.args[1 if name == "run_in_executor" else 0 :] if name in SCHEDULES else []
    match given[:1]:
        case [t.Call(func=t.Attribute() | t.Name() as made)] if SCHEDULES[name] == "asyncio task":
            return made
        case [t.Attribute() | t.Name() as made] if SCHEDULES[name] != "asyncio task" or name == "start_soon":
            return made
        case _:
            return None


def _goes_on(source: PythonSource, target: t.Expr, scope: Scope) -> bool:
    """Whether a function of the same class, or inside of the same function, has a loop that ends by itself never."""
    methods = (
        scope.owner.methods() if scope.owner is not None and t.dotted(target) == f"self.{last_name(target)}" else ()
    )
    inner = (s for s in scope.node.body if isinstance(s, t.FunctionDef)) if isinstance(target, t.Name) else ()
    found = next((f for f in (*methods, *inner) if f.name == last_name(target)), None)
    return found is not None and any(_has_no_end(source, loop) for loop in own_of(found, t.For, t.While))


def _has_no_end(source: PythonSource, loop: t.For | t.While) -> bool:
    """`while True`, and `async for letter in inbox`, which goes on as long as letters come."""
    return is_endless(loop.test) if isinstance(loop, t.While) else source.text.slice(loop.span).startswith("async")


def is_endless(test: t.Expr) -> bool:
    """`True`, and flags such as `self.running` and `not self.stop`, which somebody else sets."""
    asked = test.operand if isinstance(test, t.UnaryOp) and test.op == "not" else test
    if isinstance(asked, t.Call) and last_name(asked.func) in ("is_set", "load"):  # of an event, of an atomic of C++
        return True
    return isinstance(asked, t.Attribute) or (isinstance(asked, t.Constant) and bool(asked.value))


def _by_call(source: PythonSource, call: t.Call, where: str) -> Iterator[Started]:
    """What one call starts, or which start method it forces."""
    name = t.dotted(call.func) or ""
    last = name.rpartition(".")[2]
    keywords = {k.arg: k.value for k in call.keywords}
    if last in STARTERS and ("target" in keywords or last.endswith("Executor")):
        target = source.quote(_run(keywords["target"])) if "target" in keywords else ""
        count = ""
        workers = keywords.get("max_workers") or (call.args[0] if last.endswith("Executor") and call.args else None)
        if workers is not None:
            count = source.quote(workers)
        if "name" in keywords:
            target = f"{target} named {source.quote(keywords['name'])}"
        yield Started(STARTERS[last], target, name, where, "", source.at(call), count)
    elif last in ("set_start_method", "get_context") and call.args:
        method = literal(call.args[0])
        if isinstance(method, str):
            yield Started("start method", method, name, where, "", source.at(call))
    elif {"process", "processes", "subprocess", "subprocesses"} & set(words(last)):
        for target in _handed(call):
            yield Started("process", source.quote(target), name, where, "", source.at(target))


def running_classes(source: PythonSource) -> Iterator[Started]:
    """Classes that derive from a process or thread and say in `run` what it does."""
    for cls, base in _derived(source):
        run = next((m for m in cls.methods() if m.name == "run"), None)
        if run is not None and not source.aside and not _runs_target(run):
            how, where = source.quote(base), f"{cls.name}, which derives from it"
            yield Started(STARTERS[last_name(base)], f"{cls.name}.run", how, where, "", source.at(base))


def _runs_target(run: t.FunctionDef) -> bool:
    """Whether `run` goes on to the target that it was given: `super().run()`."""
    return any(
        isinstance(call.func, t.Attribute) and call.func.attr == "run" and isinstance(call.func.value, t.Call)
        for call in own_calls(run)
    )


def _derived(source: PythonSource) -> Iterator[tuple[t.ClassDef, t.Expr]]:
    """Classes that derive from a process or thread, with that base."""
    for scope in source.module.classes():
        if isinstance(scope.node, t.ClassDef):
            yield from ((scope.node, base) for base in scope.node.bases if last_name(base) in ("Process", "Thread"))


def _run(target: t.Expr) -> t.Expr:
    """The function of a target, without what is bound to it."""
    match target:
        case t.Call(func=func, args=[bound, *_]) if last_name(func) == "partial":
            return bound
        case _:
            return target


def _actor(source: PythonSource, call: t.Call, function: t.FunctionDef | t.ClassDef) -> str | None:
    """The class that `Worker.remote()` or `Worker.options(…).remote()` makes an actor of, but no call of a method."""
    match call.func:
        case t.Attribute(value=made, attr="remote") if t.dotted(call.func) != "ray.remote":
            return _actor_class(source, made, function, MOST_STEPS)
        case _:
            return None


def _actor_class(source: PythonSource, node: t.Expr, function: t.FunctionDef | t.ClassDef, steps: int) -> str | None:
    match node:
        case t.Name() | t.Attribute() if last_name(node)[:1].isupper():
            return t.dotted(node)
        case t.Call(func=t.Attribute(value=made, attr="options")):
            return _actor_class(source, made, function, steps)
        case t.Call(func=t.Call(func=remote), args=[cls, *_]) | t.Call(func=remote, args=[cls]) if (
            last_name(remote) == "remote"
        ):
            return t.dotted(cls)
        case t.Name(id=name) if steps:
            bound = (n.value for n in own_of(function, t.Assign) if t.dotted(n.targets[0]) == name)
            found = (_actor_class(source, value, function, steps - 1) for value in bound)
            return next((cls for cls in found if cls is not None), None)
        case _:
            return None


def launchers(source: PythonSource) -> Iterator[Launcher]:
    """Classes that derive from a process or thread, and those whose methods start a process that runs one of their
    fields: `target=self.target`.
    """
    for cls, base in _derived(source):
        yield Launcher(cls.name, "target", STARTERS[last_name(base)])
    yield from _launching(source)


@by_function
def _launching(source: PythonSource) -> Iterator[Launcher]:
    for scope in source.module.functions():
        for call in own_calls(scope.node) if scope.owner is not None else ():
            last = (t.dotted(call.func) or "").rpartition(".")[2]
            target = next((k.value for k in call.keywords if k.arg == "target"), None)
            if STARTERS.get(last) == "process" and isinstance(target, t.Attribute) and t.dotted(target.value) == "self":
                assert scope.owner is not None
                yield Launcher(scope.owner.name, target.attr, "process", _place(scope.owner, target.attr))
            elif (field := _actor_field(call)) and scope.owner is not None:
                yield Launcher(scope.owner.name, field, "actor", _place(scope.owner, field))


def _actor_field(call: t.Call) -> str:
    """The field whose class `self.kind.options(…).remote(…)` makes an actor of."""
    match call.func:
        case t.Attribute(
            value=t.Call(func=t.Attribute(value=t.Attribute(value=t.Name(id="self"), attr=field), attr="options")),
            attr="remote",
        ):
            return field
        case _:
            return ""


def _place(cls: t.ClassDef, field: str) -> int | None:
    """The number of the constructor's argument that is stored as a field."""
    made = next((method for method in cls.methods() if method.name == "__init__"), None)
    names = [p.name for p in made.args if p.name != "self"] if made is not None else []
    for node in own(made) if made is not None else ():
        match node:
            case t.Assign(targets=[target], value=t.Name(id=given)) if t.dotted(target) == f"self.{field}":
                return names.index(given) if given in names else None
            case _:
                pass
    return None


@by_function
def targets(source: PythonSource) -> Iterator[Started]:
    """Functions and classes that constructors are given: processes and actors where the class starts them."""
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            name = t.dotted(call.func) or ""
            if not name.rpartition(".")[2][:1].isupper() or name.rpartition(".")[2] in STARTERS:
                continue
            for place, given in enumerate(call.args):
                if isinstance(given, t.Name) and _CLASS.fullmatch(given.id):
                    yield Started(f"#{place}", given.id, name, scope.qualified_name, "", source.at(given))
            for k in call.keywords:
                if k.arg in RUN and isinstance(_run(k.value), t.Name | t.Attribute):
                    target = source.quote(_run(k.value))
                    yield Started(k.arg, target, name, scope.qualified_name, "", source.at(k.value))


def _handed(call: t.Call) -> Iterator[t.Expr]:
    """Functions that a call hands over in a list, as launchers of several processes take them."""
    for given in (*call.args, *(k.value for k in call.keywords)):
        if isinstance(given, t.List | t.Tuple) and all(isinstance(e, t.Name | t.Attribute) for e in given.elts):
            yield from (e for e in given.elts if ACTS & set(words(t.dotted(e) or "")))
