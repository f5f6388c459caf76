"""How a request ends: reasons that are returned or stored, and marks that say it is over, with the tests around them.

States of an enum that a status takes are told as transitions; here are the other ways to say the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import Guard, all_guards_text, own_of, statements
from kernelscope.serving.lifecycle import REQUESTS
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

ENDS = {"finish", "finished", "abort", "aborted", "stopped", "cancelled", "canceled"}
"""Words of marks that say that something is over."""
WHOSE = {"is", "has", "been", "request", "req", "seq", "sequence"}
"""What else such a mark is called by: `is_finished`, `request_aborted`; `finished_prefilling` ends a part only."""
REASONS = {"finish", "finished", "stop"}
"""Words of what tells why: `finish_reason`, `StopReason.LENGTH`."""
TEXTS = {"stop", "length", "abort", "eos", "error", "timeout", "cancelled", "content_filter", "tool_calls"}
OWN = ("", "self")
OWN_MARK = ("self.",)
GENERATES = {"generate", "generator", "engine", "scheduler", "decode", "decoder", "stopping", "output", "state", "stop"}
"""Words of classes that are about requests without saying so."""
SPOKEN = 3
"""Letters of a name that says what something is."""
MOST_ENDS = 8
MOST_GUARDS = 2
LONGEST_TEST = 110


@by_function
def endings(source: PythonSource) -> Iterator[Claim]:
    """Per function the ends that it gives requests, where a test decides them."""
    if source.aside:
        return
    for scope in source.module.functions():
        ends: dict[str, t.Node] = {}
        decided = False
        for statement, guards in statements(scope.node):
            end = _end(source, statement)
            if (told := _told_by_test(source, scope.node, statement)) is not None:
                tests = _tests(source, guards)
                decided = True
                ends.setdefault(f"{told} and {tests}" if tests else told, statement)
            if end and not _is_renamed(statement, guards):
                tests = _tests(source, guards)
                decided = decided or bool(tests)
                ends.setdefault(f"{end} if {tests}" if tests else end, statement)
        for reason, call in _given_reasons(scope.node).items():
            decided = True
            ends.setdefault(reason, call)
        spoken = {*words(scope.qualified_name), *words(source.path.stem), *(w for end in ends for w in words(end))}
        if all(end.startswith(OWN_MARK) for end in ends) and not _is_of_requests(scope, source):
            continue  # an object of another sort is through
        if not decided or not (REQUESTS | REASONS | {"stopping", "scheduler", "generate"}) & spoken:
            continue
        shown = list(ends)[:MOST_ENDS]
        value = f"{scope.qualified_name} ends a request: {'; '.join(shown)}"
        places = [source.at(statement) for statement in ends.values()]
        yield Claim(f"{scope.qualified_name} ends a request", value, (*places[:MOST_ENDS], source.at(scope.node)))


def _is_of_requests(scope: Scope, source: PythonSource) -> bool:
    """Whether a class may be one of requests, by its name or its file's; a function of no class may be of any."""
    if scope.owner is None:
        return True
    said = {*words(scope.owner.name), *words(source.path.stem)}
    return bool((REQUESTS | GENERATES | {"batch", "slot"}) & said)


def kinds_of_ends(source: PythonSource) -> Iterator[Claim]:
    """Reasons that are classes of their own: those that derive from one class which is called a reason."""
    if source.aside:
        return
    derived: dict[str, list[t.ClassDef]] = {}
    for scope in source.module.classes():
        node = scope.node
        if not isinstance(node, t.ClassDef):
            continue
        for base in node.bases:
            name = (t.dotted(base) or "").rpartition(".")[2]
            if _is_reason(name):
                derived.setdefault(name, []).append(node)
    for base, classes in derived.items():
        names = [node.name for node in classes if (ENDS | REASONS) & set(words(node.name))]
        if len(names) > 1:
            value = f"a request ends with one of these reasons: {', '.join(names)} (classes that derive from {base})"
            yield Claim(f"{base} reasons", value, tuple(source.at(node) for node in classes[:MOST_ENDS]))


def _given_reasons(function: t.FunctionDef | t.ClassDef) -> dict[str, t.Call]:
    """Texts that several calls are given as the reason of an end: `emit(eos_reason="stop")`, `end(reason="full")`."""
    found: dict[str, t.Call] = {}
    for call in own_of(function, t.Call):
        for k in call.keywords:
            said = set(words(k.arg or ""))
            text = k.value.value if isinstance(k.value, t.Constant) else None
            if "reason" in said and said & (REASONS | {"eos", "end"}) and isinstance(text, str):
                found.setdefault(f'{k.arg} "{text}"', call)
    return found if len(found) > 1 else {}


def _tests(source: PythonSource, guards: tuple[Guard, ...]) -> str:
    shown = [text for text in all_guards_text(source, guards[-MOST_GUARDS:]) if len(text) <= LONGEST_TEST]
    return " and ".join(["…", *shown] if shown and len(shown) < len(guards) else shown)


def _end(source: PythonSource, statement: t.Stmt) -> str:
    """What a statement says of the end of something, or nothing."""
    match statement:
        case t.Assign(targets=[target], value=t.Constant(value=True)):
            name = t.dotted(target) or ""
            owner, _, mark = name.rpartition(".")
            said = set(words(mark))
            return f"{name} = True" if ENDS & said and said <= ENDS | WHOSE and _may_be_request(owner) else ""
        case t.Assign(targets=[target], value=value) if _is_reason(t.dotted(target) or ""):
            reason = _reason(value)
            return f"{t.dotted(target)} = {reason}" if reason else ""
        case t.Return(value=value) if value is not None:
            parts = value.elts if isinstance(value, t.Tuple) else [value]
            return next((name for part in parts if (name := _member(part))), "")
        case _:
            return ""


def _told_by_test(source: PythonSource, function: t.FunctionDef | t.ClassDef, statement: t.Stmt) -> str | None:
    """`finished = not req.can_decode`, `finished |= token == self.eos`: a local mark that decides or is handed on."""
    match statement:
        case t.Assign(targets=[t.Name(id=mark)], value=t.UnaryOp() | t.Compare() as test):
            pass
        case t.AugAssign(target=t.Name(id=mark), op="|", value=t.UnaryOp() | t.Compare() as test):
            pass
        case _:
            return None
    said = set(words(mark))
    if not ENDS & said or not said <= ENDS | WHOSE:
        return None
    given = [k.value for call in own_of(function, t.Call) for k in call.keywords if k.arg == mark]
    asked = [node for found in own_of(function, t.If) for node in t.walk(found.test)]
    is_used = any(isinstance(node, t.Name) and node.id == mark for node in (*given, *asked))
    return f"{mark} if {source.quote(test)}" if is_used else None


def _is_renamed(statement: t.Stmt, guards: tuple[Guard, ...]) -> bool:
    """Whether a reason is stored where the same one was asked for another: what ended is only told by another name."""
    target = t.dotted(statement.targets[0]) if isinstance(statement, t.Assign) else None
    compared = (node for guard in guards if guard.holds for node in t.walk(guard.test) if isinstance(node, t.Compare))
    return target is not None and any(t.dotted(node.left) == target and node.ops == ["=="] for node in compared)


def _may_be_request(owner: str) -> bool:
    """Whether what is marked may be a request by its name: an object itself, one letter, or a word for it."""
    name = owner.rpartition(".")[2]
    return name in OWN or len(name) < SPOKEN or bool(REQUESTS & set(words(name)))


def _is_reason(name: str) -> bool:
    said = words(name.rpartition(".")[2])
    return "reason" in said and bool(REASONS & set(said))


def _reason(value: t.Expr) -> str:
    """A reason that is written out: a text such as `"length"`, a member of an enum, or an object of its own class."""
    if isinstance(value, t.Constant) and value.value in TEXTS:
        return f'"{value.value}"'
    made = (t.dotted(value.func) or "").rpartition(".")[2] if isinstance(value, t.Call) else ""
    return made if made[:1].isupper() and (ENDS | REASONS) & set(words(made)) else _member(value)


def _member(value: t.Expr) -> str:
    """`FinishReason.LENGTH`, the member of an enum of reasons."""
    name = t.dotted(value) or ""
    owner, _, member = name.rpartition(".")
    return name if member.isupper() and _is_reason(owner.rpartition(".")[2]) else ""
