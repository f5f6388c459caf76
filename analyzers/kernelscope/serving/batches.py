"""How a batch is formed: admission from a waiting queue, what limits it, chunked prefill, and what must be free first.

The budget is what a loop compares or takes a minimum with and counts down; names are only quoted.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import EXITS, assignments, calls, inlined, last_name, own, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

TAKES = {"popleft", "pop", "pop_request", "peek_request", "heappop", "get_nowait"}
REMOVES = {"popleft", "pop", "pop_request", "heappop", "get_nowait", "remove"}
PUTS = {"append", "add", "appendleft"}
DRAFTS = {"draft", "propose", "proposer", "drafter", "spec", "ngram", "beam", "indexer", "sampling", "params",
          "response", "protocol", "prefetch"}  # fmt: skip
"""Words of what else limits tokens: guesses of a drafter, rows of an index, the length of an answer, copies ahead."""
MANY = {"prompts", "requests", "reqs", "instances", "seqs", "sequences", "samples", "concurrency", "batch"}
"""Words of several prompts, of which a loop takes some at a time."""
PROMPTS = {"prompt", "prompts", "prefill"}


def continuous(source: PythonSource) -> Iterator[Claim]:
    """Loops that move requests from one queue of an object into another under limits, step after step."""
    for scope in source.module.functions():
        for loop in own(scope.node):
            if not isinstance(loop, t.While | t.For):
                continue
            moved = _moved(loop, _outliving(scope.node))
            limits = list(dict.fromkeys(_limits(source, scope, loop)))
            if moved is None or not limits:
                continue
            source_queue, target = moved
            if not target.startswith("self."):
                value = (
                    f"a batch is formed anew at every step: {scope.qualified_name} takes requests from {source_queue} "
                    f"into {target}, which it returns"
                )
            else:
                value = (
                    f"continuous batching: {scope.qualified_name} admits requests from {source_queue} into {target} at "
                    f"every step; both queues outlive it, so new requests join between steps"
                )
            value += f"; it stops when {' or '.join(limits[:6])}"
            yield Claim(f"{scope.qualified_name} admission", value, (source.at(loop), source.at(scope.node)))


def _outliving(function: t.FunctionDef | t.ClassDef) -> dict[str, str]:
    """Names of a function that it stores in its object, with the attribute (`self.running = running`), or returns."""
    found: dict[str, str] = {}
    for node in own(function):
        match node:
            case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=t.Name(id=name)):
                found[name] = f"self.{attr}"
            case t.Return(value=t.Name(id=name)):
                found.setdefault(name, "")
            case _:
                pass
    return found


def _moved(loop: t.While | t.For, outliving: dict[str, str] | None = None) -> tuple[str, str] | None:
    """The queue whose elements a loop takes, and what of the object it puts the same elements into."""
    elements: dict[str, str] = {}
    if isinstance(loop, t.For) and isinstance(loop.target, t.Name) and (name := _iterated(loop.iter)) is not None:
        elements[loop.target.id] = name
    for node in t.walk(*loop.body):
        match node:
            case t.Assign(targets=[t.Name(id=element)], value=t.Call(func=t.Attribute(value=queue, attr=attr))):
                if attr in TAKES and (name := t.dotted(queue)) is not None:
                    elements[element] = name
            case t.Assign(targets=[t.Name(id=element)], value=t.Subscript(value=queue, slice=t.Constant(value=0))):
                if (name := t.dotted(queue)) is not None:
                    elements[element] = name
            case _:
                pass
    removed = _removing(loop)
    found: list[tuple[str, str]] = []
    for call in (c for statement in loop.body for c in calls(statement)):
        if not isinstance(call.func, t.Attribute) or len(call.args) != 1:
            continue
        if call.func.attr not in PUTS and words(call.func.attr)[:1] != ("add",):
            continue
        target, element = _kept_in(call.func.value), t.dotted(call.args[0])
        origin = elements.get(element or "")
        kept = target if target.startswith("self.") else (outliving or {}).get(target)
        if origin in removed and kept is not None and kept != origin:
            found.append((origin, kept or target))
    return min(found, key=lambda moved: not moved[1].startswith("self."), default=None)


def _kept_in(node: t.Expr) -> str:
    """The name of a queue; one of several by the name of all: `self.batches[i]` is `self.batches[…]`."""
    if isinstance(node, t.Subscript):
        name = t.dotted(node.value)
        return f"{name}[…]" if name is not None else ""
    return t.dotted(node) or ""


def _iterated(iterated: t.Expr) -> str | None:
    """The queue that a loop goes through, also by a copy: `self.q`, `self.q.copy()`, `list(self.q)`, `self.q[:]`."""
    match iterated:
        case t.Call(func=t.Attribute(value=queue, attr="copy"), args=[]):
            return t.dotted(queue)
        case t.Call(func=t.Name(id="list" | "tuple"), args=[queue]):
            return t.dotted(queue)
        case t.Subscript(value=queue, slice=t.Slice(lower=None, upper=None)):
            return t.dotted(queue)
        case _:
            return t.dotted(iterated)


def _removing(loop: t.While | t.For) -> set[str]:
    """Queues that the loop itself makes shorter."""
    found = (c for statement in loop.body for c in calls(statement))
    return {
        name for c in found
        if isinstance(c.func, t.Attribute) and c.func.attr in REMOVES and (name := t.dotted(c.func.value)) is not None
    }  # fmt: skip


def _limits(source: PythonSource, scope: Scope, loop: t.While | t.For) -> Iterator[str]:
    """Why the loop ends: the negation of its own comparisons, and tests of exits in it."""
    if isinstance(loop, t.While):
        tests = loop.test.values if isinstance(loop.test, t.BoolOp) and loop.test.op == "and" else [loop.test]
        for test in tests:
            if isinstance(test, t.Compare):
                yield f"not ({source.quote(test)})"
    for statement in t.flat(loop.body):
        if not isinstance(statement, t.If) or not statement.body:
            continue
        if isinstance(statement.body[-1], EXITS):
            yield source.quote(statement.test)
        elif statement.orelse and isinstance(statement.orelse[-1], EXITS):
            yield f"not ({source.quote(statement.test)}){_asked(source, scope, statement.test)}"


def _asked(source: PythonSource, scope: Scope, test: t.Expr) -> str:
    """What a test that only calls a method of the object, or a function inside, asks: what that returns."""
    if not isinstance(test, t.Call):
        return ""
    name = t.dotted(test.func) or ""
    methods = scope.owner.methods() if scope.owner is not None and name.startswith("self.") else ()
    inner = (s for s in scope.node.body if isinstance(s, t.FunctionDef))
    for function in (*methods, *inner):
        if function.name != last_name(test.func):
            continue
        returned = [n.value for n in own(function) if isinstance(n, t.Return) and n.value is not None]
        if len(returned) == 1:
            parts = returned[0].values if isinstance(returned[0], t.BoolOp) else [returned[0]]
            return f", which asks {' and '.join(source.quote(part) for part in parts[:5])}"
    return ""


def passed_over(source: PythonSource) -> Iterator[Claim]:
    """Loops that may pass a request over only so often: a counter raised at each skip is compared with a limit."""
    for scope in source.module.functions():
        raised: dict[str, t.AugAssign] = {}
        limits: list[tuple[t.If, t.Compare]] = []
        for node in own(scope.node):
            match node:
                case t.AugAssign(target=t.Attribute(attr=attr), op="+", value=t.Constant(value=1)):
                    raised.setdefault(attr, node)
                case t.If(test=t.Compare(left=t.Attribute(), ops=[">=" | ">"]) as test, body=[*_, last]):
                    if isinstance(last, t.Return | t.Break):
                        limits.append((node, test))
                case _:
                    pass
        for branch, test in limits:
            assert isinstance(test.left, t.Attribute)
            counter = raised.get(test.left.attr)
            if counter is not None and _moves_requests(scope.node):
                value = (
                    f"fairness: a request may be passed over by later ones only so often: {source.quote(counter)} at "
                    f"each skip, and nothing more is admitted once {source.quote(test)}"
                )
                places = (source.at(branch), source.at(counter), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} fairness", value, places)


def _moves_requests(function: t.FunctionDef | t.ClassDef) -> bool:
    return any(isinstance(loop, t.For | t.While) and _moved(loop) is not None for loop in own(function))


def chunks(source: PythonSource) -> Iterator[Claim]:
    """`min(budget, remaining)` tokens of a request are taken and the rest later: chunked prefill."""
    for scope in source.module.functions():
        if DRAFTS & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        known = assignments(scope.node)
        for statement, guards in statements(scope.node):
            if not isinstance(statement, t.Assign) or not isinstance(statement.value, t.Call):
                continue
            cut = statement.value
            if last_name(cut.func) == "min" and len(cut.args) == 2 and any(map(_is_rest_of_budget, cut.args)):
                if _is_of_tokens(statement, [a.left for a in cut.args if isinstance(a, t.BinOp) and t.dotted(a.left)]):
                    target = source.quote(statement.targets[0])
                    value = f"chunked prefill: {target} = {source.quote(cut)}: at most the rest of the budget is taken"
                    where = (source.at(statement), source.at(scope.node))
                    yield Claim(f"{scope.qualified_name} chunked prefill", value, where)
                continue
            operands = [a for a in cut.args if t.dotted(a) or _is_length(a)]
            if last_name(cut.func) != "min" or len(cut.args) != 2 or len(operands) != 2:
                continue
            budget = next((a for a in operands if _counted_down(scope.node, a, statement, known)), None)
            if budget is None or not _is_budget(budget) or not _is_of_tokens(statement, operands):
                continue
            target = source.quote(statement.targets[0])
            value = (
                f"chunked prefill: {target} = {source.quote(cut)}: a request over the budget is cut, the rest follows"
            )
            value += _only_first(source, scope.node, operands)
            guard = [source.quote(g.test) for g in guards if g.holds]
            value += f"; under {' and '.join(guard)}" if guard else ""
            if text := _chosen_class(source, scope.node, statement):
                value += f"; {text}"
            yield Claim(f"{scope.qualified_name} chunked prefill", value, (source.at(statement), source.at(scope.node)))


def _is_rest_of_budget(node: t.Expr) -> bool:
    """`chunk_size - used`: what a limit leaves."""
    if not isinstance(node, t.BinOp) or node.op != "-":
        return False
    limits = {"chunk", "budget", "limit", "capacity", "quota", "max"}
    return bool(limits & set(words(last_name(node.left)))) and t.dotted(node.right) is not None


def _is_length(node: t.Expr) -> bool:
    return isinstance(node, t.Call) and t.dotted(node.func) == "len" and len(node.args) == 1


def _counted_down(function: t.FunctionDef | t.ClassDef, name: t.Expr, cut: t.Assign, known: dict[str, t.Expr]) -> bool:
    """Whether a quantity is a budget: lowered by what is taken, or a limit less what is used."""
    dotted = t.dotted(name)
    if dotted is None:
        return False
    for node in own(function):
        if isinstance(node, t.AugAssign) and node.op == "-" and t.dotted(node.target) == dotted:
            return True
        if isinstance(node, t.Assign) and t.dotted(node.targets[0]) == dotted and isinstance(node.value, t.BinOp):
            left = t.dotted(node.value.left) or ""
            if node.value.op == "-" and {"max", "limit", "budget", "capacity"} & set(words(left.rpartition(".")[2])):
                return True
    return False


def _is_budget(name: t.Expr) -> bool:
    """What is left of a limit, by its name: what is left of a request is counted down too."""
    return bool(
        {"budget", "remaining", "remain", "rest", "left", "limit", "quota", "rem", "max"} & set(words(last_name(name)))
    )


def _is_of_tokens(statement: t.Assign, operands: list[t.Expr]) -> bool:
    lengths = (a.args[0] if isinstance(a, t.Call) else a for a in operands)
    names = [t.dotted(statement.targets[0]) or "", *(t.dotted(a) or "" for a in lengths)]
    return any({"token", "tokens", "chunk", "len", "extend", "prefill", "prompt"} & set(words(n)) for n in names)


def _only_first(source: PythonSource, function: t.FunctionDef | t.ClassDef, operands: list[t.Expr]) -> str:
    """`if remaining < tokens and chosen: break`: only the first request of a batch may be cut."""
    names = {t.dotted(a) for a in operands}
    for node in own(function):
        match node:
            case t.If(test=t.BoolOp(op="and", values=[t.Compare() as small, t.Name() | t.Attribute() as chosen])):
                pass
            case _:
                continue
        if {t.dotted(small.left), t.dotted(small.comparators[0])} == names and isinstance(node.body[-1], EXITS):
            chosen_name = source.quote(chosen)
            end = f"the loop ends `if {source.quote(node.test)}` once {chosen_name} is not empty"
            return f"; only for the first sequence of a batch, as {end}"
    return ""


def _chosen_class(source: PythonSource, function: t.FunctionDef | t.ClassDef, cut: t.Assign) -> str:
    """`C = Partial if size < rest else Whole`: another class stands for what is not complete."""
    for node in own(function):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.IfExp(body=t.Name() as one, orelse=t.Name() as other)):
                if one.id[:1].isupper() and other.id[:1].isupper():
                    test = source.quote(node.value.test) if isinstance(node.value, t.IfExp) else ""
                    chosen = f"it is represented by {one.id} if {test}, else by {other.id} ({name})"
                    return f"{chosen}; {_overridden(source, one.id)}"
            case _:
                pass
    return ""


def _overridden(source: PythonSource, name: str) -> str:
    """What a class of the file changes of its base: methods that refuse or answer with a constant."""
    for scope in source.module.classes():
        if scope.node.name == name and isinstance(scope.node, t.ClassDef):
            parts = [f"{m.name} {_effect(source, m)}" for m in scope.node.methods()]
            return f"{name} overrides {', '.join(parts)}" if parts else ""
    return ""


def _effect(source: PythonSource, method: t.FunctionDef) -> str:
    last = method.body[-1] if method.body else None
    match last:
        case t.Raise():
            return "(raises: it is not allowed)"
        case t.Return(value=value) if value is not None:
            return f"(returns {source.quote(value)})"
        case _:
            return ""


def admissions(source: PythonSource) -> Iterator[Claim]:
    """What must be free before a request is taken: comparisons with a capacity before an exit that gives nothing."""
    for scope in source.module.functions():
        if not _is_about_requests(scope.qualified_name):
            continue
        known = assignments(scope.node)
        found: list[tuple[t.If, t.Compare]] = []
        for node in own(scope.node):
            if isinstance(node, t.If) and node.body and _gives_nothing(node.body[-1]):
                found += [(node, test) for test in _comparisons(node.test) if _is_capacity(test)]
            elif isinstance(node, t.If) and (claim := _accepted(source, scope.qualified_name, node, known)) is not None:
                yield claim
        if not found:
            continue
        tests = list(dict.fromkeys(inlined(source, test, known, 2) for _, test in found))
        value = f"admission: {scope.qualified_name} refuses a request when {' or when '.join(tests[:4])}"
        yield Claim(f"{scope.qualified_name} admission", value, tuple(source.at(n) for n, _ in found[:6]))


def _accepted(source: PythonSource, where: str, node: t.If, known: dict[str, t.Expr]) -> Claim | None:
    """`if fits and few_enough: return True … else: return False`, with what the names stand for."""
    if not node.orelse or not _refuses(node.orelse[-1]) or not isinstance(node.body[-1], t.Return):
        return None
    tests = node.test.values if isinstance(node.test, t.BoolOp) and node.test.op == "and" else [node.test]
    meant = [known.get(t.dotted(test) or "", test) for test in tests]
    if not any(_is_capacity(test) for each in meant for test in _comparisons(each)):
        return None
    text = " and ".join(source.quote(each) for each in meant)
    value = f"admission: {where} admits a request only if {text}"
    return Claim(f"{where} admission", value, (*(source.at(each) for each in meant[:4]), source.at(node)))


def _refuses(statement: t.Stmt) -> bool:
    """`return False` or `return False, …`."""
    value = statement.value if isinstance(statement, t.Return) else None
    first = value.elts[0] if isinstance(value, t.Tuple) and value.elts else value
    return isinstance(first, t.Constant) and first.value is False


def _is_about_requests(name: str) -> bool:
    parts = set(words(name))
    acts = {"allocate", "alloc", "admit", "add", "schedule", "can", "try", "slots"}
    whom = {
        "req",
        "request",
        "requests",
        "seq",
        "sequence",
        "scheduler",
        "manager",
        "adder",
        "prefill",
        "batch",
        "slots",
    }
    return bool(acts & parts and whom & parts)


def _gives_nothing(statement: t.Stmt) -> bool:
    match statement:
        case t.Break():
            return True
        case t.Return(value=value):
            return (
                value is None
                or (isinstance(value, t.Constant) and value.value in (None, False, -1))
                or isinstance(value, t.UnaryOp | t.Attribute)
            )
        case _:
            return False


def _comparisons(test: t.Expr) -> Iterator[t.Compare]:
    for node in t.walk(test):
        if isinstance(node, t.Compare) and len(node.ops) == 1 and node.ops[0] in ("<", ">", "<=", ">=", "=="):
            yield node


def _is_capacity(test: t.Compare) -> bool:
    """One side is a count of something free, or a maximum."""
    for side in (test.left, test.comparators[0]):
        for node in t.walk(side):
            name = last_name(node) if isinstance(node, t.Name | t.Attribute) else ""
            if {"available", "free", "remaining", "capacity", "budget", "max"} & set(words(name)):
                return True
    return False


def pieces(source: PythonSource) -> Iterator[Claim]:
    """`for start in range(0, n, size): part = prompt[start : start + size]` around a call: prompts go in pieces."""
    for scope in source.module.functions():
        for loop in own(scope.node):
            match loop:
                case t.For(target=t.Name(id=start), iter=t.Call(func=t.Name(id="range"), args=[_, _, size])):
                    pass
                case _:
                    continue
            taken = (n for n in t.walk(*loop.body) if isinstance(n, t.Subscript))
            cut = next((n for n in taken if _is_piece(n, start, size)), None)
            if cut is None or not PROMPTS & set(words(f"{scope.qualified_name} {source.quote(loop)}")):
                continue
            if MANY & {*words(source.quote(cut.value)), *words(source.quote(size))}:
                continue
            value = (
                f"chunked prefill: {scope.qualified_name} runs the prompt in pieces of {source.quote(size)} tokens: "
                f"for {start} in {source.quote(loop.iter)}, {source.quote(cut)}"
            )
            places = (source.at(loop.iter), source.at(cut), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} chunked prefill", value, places)


def _is_piece(node: t.Subscript, start: str, size: t.Expr) -> bool:
    match node.slice:
        case t.Slice(lower=t.Name(id=low), upper=t.BinOp(left=left, op="+", right=right)):
            return low == start == t.dotted(left) and t.dotted(right) == t.dotted(size) is not None
        case _:
            return False


def static(source: PythonSource) -> Iterator[Claim]:
    """Loops that run one batch until all of it is finished: `if done.all(): break`, and take nothing in between."""
    for scope in source.module.functions():
        for loop in own(scope.node):
            if not isinstance(loop, t.For | t.While) or _moved(loop) is not None or _removing(loop):
                continue
            ends = next((n for n in loop.body if isinstance(n, t.If) and _all_done(n)), None)
            if ends is None or not any(isinstance(c, t.Call) and _is_model(c) for c in t.walk(*loop.body)):
                continue
            value = (
                f"static batching: {scope.qualified_name} runs one batch to its end, the loop stops when "
                f"{source.quote(ends.test)}; no request joins in between (no continuous batching)"
            )
            yield Claim(
                f"{scope.qualified_name} batching", value, (source.at(ends), source.at(loop), source.at(scope.node))
            )


def _all_done(branch: t.If) -> bool:
    """`if finished.all(): break`, `if all(row.done for row in rows): break`."""
    if not branch.body or not isinstance(branch.body[-1], t.Break | t.Return):
        return False
    match branch.test:
        case t.Call(func=t.Attribute(attr="all"), args=[]) | t.Call(func=t.Name(id="all"), args=[_]):
            return True
        case _:
            return False


def _is_model(call: t.Call) -> bool:
    return last_name(call.func) in ("forward", "generate_next") or "model" in words(last_name(call.func))
