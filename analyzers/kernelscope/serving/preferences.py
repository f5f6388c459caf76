"""Which of two kinds of work a scheduler prefers, from the order in which it tries them.

Four structures say so: `first() or second()`, a loop over one queue whose result returns before the next loop, one
batch that is returned of two parts, and one budget that two loops draw on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from kernelscope.serving.chunking import DRAFTS
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import EXITS, branches, calls, inside, last_name, last_of, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.queues import OVER
from kernelscope.serving.sections import hits, words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

NEW, OLD = {"prefill", "prefills", "prefilling", "prompt", "prompts", "extend"}, {"decode", "decodes", "decoding"}
"""Words of requests whose prompts are read, and of those that go on."""
NEWCOMERS, STAYERS = NEW | {"waiting", "pending", "queued"}, OLD | {"running", "active"}
"""Words of queues of requests that have not begun, and of those that have."""
GOES_ON = OLD | {"gen", "generate", "generation"}
STEPS = {"step", "iterate", "iteration", "loop", "run", "tick", "schedule"}
"""Words of functions that are one round of a scheduler."""
ASKS = {"is", "can", "has", "should", "needs", "use", "uses", "get", "num", "count"}
"""First words of what only asks."""
SEVERAL = {"batch", "seqs", "sequences", "reqs", "requests", "groups", "jobs", "tasks", "prefills", "decodes", "ids"}
BUDGETS = {"budget", "token", "tokens"}
"""Words of counts of tokens."""
LONGEST_LABEL = 3
"""Words of a comment that names a phase."""


@by_function
def preferences(source: PythonSource) -> Iterator[Claim]:
    """Claims about what is tried first, from one file."""
    for scope in source.module.functions():
        yield from _alternatives(source, scope.node, scope.qualified_name)
        yield from _loops(source, scope.node, scope.qualified_name)
        yield from _joined(source, scope.node, scope.qualified_name)
        yield from _one_after_the_other(source, scope.node, scope.qualified_name)
        yield from _one_of_two(source, scope.node, scope.qualified_name)
        yield from _new_before_running(source, scope.node, scope.qualified_name)
        yield from _into_one_batch(source, scope)
        yield from _in_turn(source, scope.node, scope.qualified_name)
        yield from _one_budget(source, scope.node, scope.qualified_name)


def _alternatives(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`a.f() or b.f()`: the same question put to two parts, one after the other."""
    for found in inside(node):
        if not isinstance(found, t.BoolOp) or found.op != "or":
            continue
        calls = [value for value in found.values if isinstance(value, t.Call) and isinstance(value.func, t.Attribute)]
        names = {call.func.attr for call in calls if isinstance(call.func, t.Attribute)}
        if any(isinstance(n, t.Constant) for call in calls for n in call.args):
            continue  # two entries of a table, one standing for the other
        told = [source.quote(call.func) for call in calls]
        if len(set(told)) < len(told):
            continue  # one part asked twice, of other things
        if len(calls) == len(found.values) >= 2 and len(names) == 1 and _chooses_work(*names, where):
            first, *others = told
            rest = " then ".join(others)
            value = f"{first} comes first: {rest} only if it gives nothing, so a step runs what one of them gives"
            yield Claim(f"{where} which batch runs next", value, (source.at(found), source.at(node)))


def _joined(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`return prefills + decodes`, `return Batch(decodes=…, prefills=…)`: what is returned holds work of both kinds."""
    for found in own_of(node, t.Return):
        match found:
            case t.Return(
                value=t.BinOp(left=t.Name() | t.Attribute(), op="+", right=t.Name() | t.Attribute()) as value
            ):
                parts = [(source.quote(p), source.quote(p)) for p in (value.left, value.right)]
            case t.Return(value=t.List(elts=[t.Starred(value=one), t.Starred(value=other)]) as value):
                parts = [(source.quote(p), source.quote(p)) for p in (one, other)]
            case t.Return(value=t.Call(func=func, keywords=keywords) as value) if last_name(func)[:1].isupper():
                is_copy = last_name(func) == where.rpartition(".")[0].rpartition(".")[2]  # of the object itself
                parts = [
                    (k.arg, source.quote(k.value)) for k in keywords
                    if k.arg and not _is_nothing(k.value) and not ASKS & set(words(k.arg)[:1])
                    and not (is_copy and t.dotted(k.value) == f"self.{k.arg}")
                ]  # fmt: skip
            case _:
                continue
        many = [(name, text) for name, text in parts if SEVERAL & set(words(name))]
        first = next((text for name, text in many if NEW & set(words(name))), None)
        second = next((text for name, text in many if OLD & set(words(name)) and not NEW & set(words(name))), None)
        if first is not None and second is not None:
            said = f"mixed: {where} returns one batch of both ({source.quote(value)}), so one step mixes prefill"
            yield Claim(
                f"{where} policy", f"{said} ({first}) and decode ({second})", (source.at(value), source.at(node))
            )
            return


def _into_one_batch(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`self.add_decodes(…)` and `self.add_prompts(…)` where both methods put requests into one list of the object."""
    methods = {m.name: m for m in scope.owner.methods()} if scope.owner is not None else {}
    found: list[tuple[str, t.Call, set[str]]] = []
    for statement in scope.node.body:
        match statement:
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id="self"), attr=name)) as call) if (
                name in methods and not ASKS & set(words(name)[:1])
            ):
                said = set(words(name))
                kind = "prefill" if NEW & said else "decode" if GOES_ON & said else ""
                if kind:
                    found.append((kind, call, set(_kept_by(methods[name]))))
            case _:
                pass
    for (kind, one, first), (other_kind, other, second) in pairwise(found):
        shared = sorted(first & second)
        if kind != other_kind and shared:
            value = (
                f"mixed: {scope.qualified_name} lets {source.quote(one.func)} ({kind}) and then "
                f"{source.quote(other.func)} ({other_kind}) put requests into {shared[0]}, so one step mixes prefill "
                f"and decode; {kind} comes first (≈ by their names)"
            )
            places = (source.at(one), source.at(other), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} policy", value, places, confidence="heuristic")


def _kept_by(method: t.FunctionDef) -> Iterator[str]:
    """The lists of the object that a method appends to."""
    for call in own_calls(method):
        match call.func:
            case t.Attribute(value=t.Attribute(value=t.Name(id="self"), attr=name), attr="append" | "add"):
                yield f"self.{name}"
            case _:
                pass


def _one_of_two(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`if self.new: return self.prefills`, and `return self.running` at the end: a step runs one of two batches."""
    match node.body[-1:]:
        case [t.Return(value=t.Attribute(attr=last) as other)] if (OLD | {"running", "active"}) & set(words(last)):
            pass
        case _:
            return
    for branch in node.body[:-1]:
        match branch:
            case t.If(test=test, body=[*_, t.Return(value=t.Attribute(attr=attr) as one) as returned]):
                if not NEW & set(words(attr)) or not (_is_kept(one) and _is_kept(other)):
                    continue
            case _:
                continue
        value = (
            f"{source.quote(one)} comes first and is separate: {where} returns it if {source.quote(test)}, and else "
            f"{source.quote(other)}, so one step never mixes prefill and decode"
        )
        yield Claim(f"{where} policy", value, (source.at(returned), source.at(other), source.at(node)))


def _new_before_running(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`new = self.next_prefill()`, and `if new: run = new`, else what runs: a step runs new work while there is."""
    made = {
        name: n for n in own_of(node, t.Assign)
        if isinstance(n.value, t.Call) and NEW & set(words(last_name(n.value.func)))
        and (name := t.dotted(n.targets[0])) is not None
    }  # fmt: skip
    for branch in own_of(node, t.If):
        match branch.test:
            case (
                t.Name(id=name) | t.Compare(left=t.Name(id=name), ops=["is not"], comparators=[t.Constant(value=None)])
            ):
                pass
            case _:
                continue
        if name not in made or not any(name == t.dotted(value) for value in _taken_on(branch.body)):
            continue
        rest = branch.orelse or [s for s in node.body if s.span.start > branch.span.end]
        other = next((v for v in _taken_on(rest) if STAYERS & set(words(t.dotted(v) or ""))), None)
        if other is not None:
            value = (
                f"prefill comes first: {where} runs {name} = {source.quote(made[name].value)} if there is any, and "
                f"else {source.quote(other)} (decode; ≈ by their names)"
            )
            places = (source.at(branch), source.at(made[name]), source.at(other), source.at(node))
            yield Claim(f"{where} policy", value, places, confidence="heuristic")
            return


def _taken_on(body: list[t.Stmt]) -> Iterator[t.Expr]:
    """What is returned or bound to a name, also one of two: `ret = self.running if … else None`."""
    for statement in t.flat(body):
        match statement:
            case t.Return(value=value) | t.Assign(targets=[t.Name()], value=value) if value is not None:
                yield value.body if isinstance(value, t.IfExp) else value
            case _:
                pass


def _is_kept(value: t.Expr) -> bool:
    """Whether something is kept by an object: members of an enum only name a kind of work."""
    return (t.dotted(value) or "").startswith("self.")


def _is_nothing(value: t.Expr) -> bool:
    """A constant, or a list of none."""
    return isinstance(value, t.Constant) or (isinstance(value, t.List) and not value.elts)


def _one_after_the_other(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`for job in self.active: job.prefill()` and then `self.decode()` in one round: both run, one after the other."""
    said = set(words(where.rpartition(".")[2]))
    if not STEPS & said or (NEW | GOES_ON) & said:
        return  # what is called after one of them is a part of it
    if DRAFTS & set(words(where)):
        return  # a draft's model catches up and goes on; what the engine runs in a step is not that
    found: dict[str, t.Call] = {}
    perhaps: dict[str, t.Expr] = {}
    for statement in node.body:
        if isinstance(statement, t.If) and isinstance(last_of(statement.body), EXITS) and found:
            return  # one of them may be all that runs
        for call in _always(statement):
            if kind := _run_by(call):
                found.setdefault(kind, call)
        if isinstance(statement, t.If) and not (statement.orelse or found or _leaves(statement)):
            for call in (c for s in statement.body for c in _always(s)):
                if _run_by(call) == "prefill" and "prefill" not in found:
                    found["prefill"], perhaps["prefill"] = call, statement.test
    if len(found) == 2:
        (first, one), (second, other) = found.items()
        when = f" if {source.quote(perhaps[first])}," if first in perhaps else ""
        value = (
            f"{where} runs {first}{when} and then {second} in every step ({source.quote(one.func)}, then "
            f"{source.quote(other.func)}): separate forward passes, one after the other (≈ by their names)"
        )
        places = (source.at(one), source.at(other), source.at(node))
        yield Claim(f"{where} policy", value, places, confidence="heuristic")


def _leaves(branch: t.If) -> bool:
    """Whether a branch may end the function: what follows runs instead, then."""
    return any(isinstance(s, t.Return | t.Raise) for s in t.flat(branch.body)) or isinstance(
        last_of(branch.body), EXITS
    )


def _run_by(call: t.Call) -> str:
    """The kind of work that a method runs, by its name; what asks, or makes one kind of the other, runs neither."""
    said = set(words(last_name(call.func)))
    if ASKS & set(words(last_name(call.func))[:1]) or (NEW & said and GOES_ON & said):
        return ""
    kind = "prefill" if "prefill" in said else "decode" if GOES_ON & said else ""
    return kind if isinstance(call.func, t.Attribute) else ""


def _always(statement: t.Stmt) -> list[t.Call]:
    """The calls of a statement; of branches those that stand under names that every branch calls."""
    if not isinstance(statement, t.If):
        chosen = [n for n in t.walk(statement) if isinstance(n, t.IfExp)]
        perhaps = {c.span for n in chosen for branch in (n.body, n.orelse) for c in calls(branch)}
        return [call for call in calls(statement) if call.span not in perhaps]
    tests, otherwise = branches(statement)
    *others, found = [[call for s in block for call in _always(s)] for block in (*(b.body for b in tests), otherwise)]
    for one in reversed(others):
        names = {last_name(call.func) for call in found}
        found = [call for call in one if last_name(call.func) in names]
    return found


def _chooses_work(*names: str) -> bool:
    """Whether names speak of choosing work: `or` between two questions is written for many other reasons."""
    return any(hits("serving.scheduling", name) or hits("serving.batching", name) for name in names[:1]) or any(
        {"next", "batch", "pick", "select", "schedule", "scheduled"} & set(words(name)) for name in names
    )


def _loops(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`while self.a: ...` then `if done: return` then `while self.b: ...`: never both in one step."""
    before: tuple[t.While, str] | None = None
    returned = False
    for statement in _in_order(node.body):
        if isinstance(statement, t.While):
            queue = _queue(statement.test) or _emptied(statement)
            if queue and before is not None and returned and queue != before[1]:
                value = (
                    f"{_labelled(source, *before)} comes first and is separate: the function returns before "
                    f"{_labelled(source, statement, queue)} is looked at, so one step never mixes them"
                    f"{_in_phases(before[1], queue)}"
                )
                evidence = (source.at(statement), source.at(before[0]))
                yield Claim(f"{where} policy", value, evidence)
            elif queue and before is not None and queue != before[1] and _fill_the_same(before[0], statement):
                first, second = _labelled(source, *before), _labelled(source, statement, queue)
                value = (
                    f"mixed: {first} is served first, then {second} is admitted into the same batch, so one step "
                    f"mixes what runs (decode) with what is new (prefill)"
                )
                yield Claim(f"{where} policy", value, (source.at(before[0]), source.at(statement)))
            if queue:
                before, returned = (statement, queue), False
        elif isinstance(statement, t.If) and isinstance(last_of(statement.body), t.Return):
            returned = True


def _in_order(body: list[t.Stmt]) -> Iterator[t.Stmt]:
    """The statements of a step, those under its conditions too where a loop is among them."""
    for statement in body:
        if isinstance(statement, t.If) and any(isinstance(s, t.While) for s in statement.body):
            yield from _in_order(statement.body)
        else:
            yield statement


def _in_turn(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """`for r in prefills: batch.append(r)` and then `for r in decodes: batch.append(r)`: one batch of both, in turn."""
    blocks = [node.body, *(s.body for s in node.body if isinstance(s, t.With))]
    loops = [[s for s in block if isinstance(s, t.For) and t.dotted(s.iter)] for block in blocks]
    for one, other in (pair for block in loops for pair in pairwise(block)):
        first, second = source.quote(one.iter), source.quote(other.iter)
        kinds = [_kind(first), _kind(second)]
        shared = [name for name in _filled(one) if name in {*_filled(other)} and not OVER & set(words(name))]
        if not all(kinds) or kinds[0] == kinds[1] or not shared:
            continue
        value = (
            f"mixed: {where} puts {first} ({kinds[0]}) into {shared[0]} first and then {second} "
            f"({kinds[1]}), so one step mixes prefill and decode; {kinds[0]} comes first (≈ by their names)"
        )
        places = (source.at(one), source.at(other), source.at(node))
        yield Claim(f"{where} policy", value, places, confidence="heuristic")


def _one_budget(source: PythonSource, node: t.FunctionDef | t.ClassDef, where: str) -> Iterator[Claim]:
    """A loop over what runs and then one that admits to it, both of which lower one budget of tokens: one batch."""
    before: tuple[t.While | t.For, str] | None = None
    for statement in _top_loops(node.body):
        if isinstance(statement, t.Return):
            before = None
            continue
        gone_through = _gone_through(statement)
        if before is not None and before[1] in _admits_to(statement):
            shared = [name for name in _spent(before[0]) if name in {*_spent(statement)}]
            if shared and gone_through != before[1]:
                value = (
                    f"mixed: {where} first gives what runs ({before[1]}) its tokens, then what it admits to it, of one "
                    f"budget ({shared[0]}) and for one batch, so one step mixes decode and prefill"
                )
                yield Claim(f"{where} policy", value, (source.at(before[0]), source.at(statement)))
                return
        before = (statement, gone_through) if gone_through else before


def _top_loops(body: list[t.Stmt]) -> Iterator[t.While | t.For | t.Return]:
    """The loops of a step, one after the other, those under its conditions too, and where it may end between them."""
    for statement in body:
        if isinstance(statement, t.While | t.For):
            yield statement
        elif isinstance(statement, t.If):
            last = last_of(statement.body)
            yield from (last,) if isinstance(last, t.Return) else _top_loops(statement.body)


def _gone_through(loop: t.While | t.For) -> str:
    """The queue of the object whose elements a loop takes one by one."""
    if isinstance(loop, t.While):
        return _queue(loop.test)
    name = t.dotted(loop.iter) or ""
    return name if name.startswith("self.") else ""


def _spent(loop: t.While | t.For) -> Iterator[str]:
    """Local counts of tokens that a loop lowers or raises."""
    for inner in t.inside(loop):
        match inner:
            case t.AugAssign(target=t.Name(id=name), op="-" | "+") if BUDGETS & set(words(name)):
                yield name
            case _:
                pass


def _admits_to(loop: t.While | t.For) -> set[str]:
    """The queues of the object that a loop puts elements into."""
    found = (c.func for statement in loop.body for c in calls(statement))
    into = {
        t.dotted(f.value) or "" for f in found if isinstance(f, t.Attribute) and f.attr in ("append", "add", "insert")
    }
    return {name for name in into if name.startswith("self.")}


def _kind(name: str) -> str:
    """The kind of work that a name speaks of, and of no other."""
    said = set(words(name))
    kinds = [kind for kind, names in (("prefill", NEW), ("decode", GOES_ON)) if names & said]
    return kinds[0] if len(kinds) == 1 else ""


def _queue(test: t.Expr) -> str:
    """The attribute of `self` that a loop's test asks for elements: `self.q and …`, `len(self.q) > n or …`."""
    first = test.values[0] if isinstance(test, t.BoolOp) else test
    match first:
        case t.Compare(left=t.Call(func=t.Name(id="len"), args=[counted])):
            name = t.dotted(counted) or ""
        case t.Compare(ops=["<"], comparators=[t.Call(func=t.Name(id="len"), args=[counted])]):
            name = t.dotted(counted) or ""
        case _:
            name = t.dotted(first) or ""
    return name if name.startswith("self.") else ""


def _emptied(loop: t.While) -> str:
    """The queue that a loop takes of until it says that it is empty: `try: x = self.q.get_nowait()`, else `break`."""
    for statement in loop.body:
        match statement:
            case t.Try(
                body=[t.Assign(value=t.Call(func=t.Attribute(value=queue, attr="get_nowait" | "popleft"))), *_],
                handlers=[t.ExceptHandler(body=[*_, t.Break()]), *_],
            ):
                name = t.dotted(queue) or ""
                return name if name.startswith("self.") else ""
            case _:
                pass
    return ""


def _fill_the_same(one: t.While, other: t.While) -> bool:
    """Whether both loops put elements into the same local list."""
    return bool(set(_filled(one)) & set(_filled(other)))


def _filled(loop: t.While | t.For) -> Iterator[str]:
    for call in (c for statement in loop.body for c in calls(statement)):
        match call.func:
            case t.Attribute(value=t.Name(id=name), attr="append" | "extend"):
                yield name
            case _:
                pass


def _in_phases(one: str, other: str) -> str:
    """What the names of two queues say of their work: who waits is prefilled, who runs decodes."""
    if NEWCOMERS & set(words(one.rpartition("self.")[2])) and STAYERS & set(words(other.rpartition("self.")[2])):
        return ": prefill comes before decode (≈ by their names)"
    return ""


def _labelled(source: PythonSource, node: t.Stmt, queue: str) -> str:
    label = _comment(source, node)
    return f"{label} ({queue})" if label else queue


def _comment(source: PythonSource, node: t.Stmt) -> str:
    """A comment of one line above a loop that names a kind of work, such as `# prefill`; sentences are no names."""
    comments, line = source.module.comments, source.at(node).line
    comment, above = comments.get(line - 1), comments.get(line - 2)
    if comment is None or not comment.alone or (above is not None and above.alone):
        return ""
    text = comment.text.lstrip("# ")
    return text if len(text.split()) <= LONGEST_LABEL and not text.endswith(".") else ""
