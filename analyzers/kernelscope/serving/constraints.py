"""What code demands of its parameters: asserts, raises under a test, `static_assert` and check macros, as predicates.

A predicate is the source's own condition; its kind follows from its operators, not from names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.results import Location
from kernelscope.serving.claims import MAX_SOURCE, PythonSource, literal
from kernelscope.serving.guards import Guard, denied, guard_text, inside_of, last_name
from kernelscope.serving.parameters import FIELD_CALLS
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

_DTYPES = re.compile(r"\bdtype\b|\b(?:b?float16|float32|int8|uint8|kFloat\w*|kHalf|kBFloat16|ScalarType)\b")
_QUOTED = re.compile(r'"[^"]*"')
_ARCHITECTURE = re.compile(r"\b(?:sm|arch|capability|compute_cap\w*)(?:_?\d+|_version)?\b|__CUDA_ARCH__", re.IGNORECASE)
_POWER = re.compile(r"(?i)(?:\w{1,40}(?:::|\.|->))?\w{0,20}(?:power_?of_?(?:2|two)|pow_?2)\w{0,20}\(")
_ALIGNMENT = re.compile(r"data_ptr|reinterpret_cast<\s*(?:std::)?uintptr_t|is_?aligned", re.IGNORECASE)

_BOUNDED = re.compile(r"([\w.>()\[\]-]+) ([<>])=? ")
"""What a bound is of, and on which side."""

ERRORS = {"error", "errors", "fail", "failure", "invalid", "reject", "rejected", "refuse", "bad"}
"""Words of functions that make an answer which says that something was wrong."""
ENDS_PROGRAM = {"exit", "_exit", "_Exit", "quick_exit", "abort", "terminate"}
"""What ends the whole program; `exit` also well."""
MOST_REFUSED = 3
"""Statements of a branch that only refuses."""
MAX_TESTS = 120
"""Longest text, in characters, of the tests around a demand."""
LOWER = {"gt": "<", "ge": "<="}
UPPER = {"lt": "<", "le": "<="}
"""Keywords by which a validated field declares its bounds, with the sign beside the bound."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """`condition` must hold; `enforced_by` says by which means, `message` what the user is told otherwise."""

    condition: str
    kind: str
    subjects: tuple[str, ...]
    enforced_by: str
    message: str
    where: str
    location: Location
    always: bool = True
    """Whether it is demanded whenever its function runs, not in a branch or loop only."""
    when: str = ""
    """The tests of the branches that it is demanded in, where they are short."""


def constraints(source: PythonSource) -> Iterator[Constraint]:
    """Constraints that one Python file enforces, in source order."""
    yield from _bounds(source)
    yield from _demanded(source, "", source.module.body)
    yield from _in_functions(source)


@by_function
def _in_functions(source: PythonSource) -> Iterator[Constraint]:
    for scope in source.module.functions():
        yield from _demanded(source, scope.qualified_name, scope.node.body)


def host_refusals(source: PythonSource) -> Iterator[Constraint]:
    """What host code in C++ refuses: `if (n <= 0) { throw …; }`, `if (n <= 0) return Result::Error("…");`."""
    if not source.aside:
        yield from _in_functions(source)


def _demanded(source: PythonSource, where: str, body: list[t.Stmt]) -> Iterator[Constraint]:
    """What a body of statements demands."""
    todo = [(statement, True, "") for statement in body]
    chained: set[t.Stmt] = set()
    while todo:
        statement, always, when = todo.pop(0)
        match statement:
            case t.Assert() if "__name__" not in source.quote(statement.test):
                message = literal(statement.msg)
                text = message if isinstance(message, str) else _fstring(source, statement.msg)
                for found in _enforced(source, statement.test, True, "assert", text, where):
                    yield replace(found, always=always, when=when)
            case t.If():
                if (refused := _refused(source, statement)) is not None:
                    for found in _enforced(source, statement.test, False, *refused, where):
                        yield replace(found, always=always, when=" and ".join(filter(None, (when, found.when))))
                if statement not in chained and (chosen := _choice(source, statement, where)) is not None:
                    yield replace(chosen, when=when)
                if len(statement.orelse) == 1:
                    chained.add(statement.orelse[0])
                inner = [(s, False, _within(source, when, Guard(statement.test, True))) for s in statement.body]
                other = Guard(statement.test, False)
                todo[:0] = [*inner, *((s, False, _within(source, when, other)) for s in statement.orelse)]
            case t.For() | t.While():
                todo[:0] = [(inner, False, when) for inner in statement.body]
            case t.With() | t.Try():
                todo[:0] = [(inner, always, when) for inner in statement.body]
            case _:
                pass


def _within(source: PythonSource, when: str, test: Guard) -> str:
    """The tests around a branch and its own; a long one is left out."""
    text = guard_text(source, test)
    return " and ".join(filter(None, (when, text))) if len(when) + len(text) <= MAX_TESTS else when


def _bounds(source: PythonSource) -> Iterator[Constraint]:
    """`x: int = Field(1, gt=0, le=8)`: the bounds that a validated field declares."""
    for scope in source.module.classes():
        for statement in scope.node.body:
            match statement:
                case t.AnnAssign(target=t.Name(id=name), value=t.Call(func=func, keywords=keywords) as call) if (
                    last_name(func) in FIELD_CALLS
                ):
                    pass
                case t.AnnAssign(target=t.Name(id=name), annotation=annotation) if (
                    bounded := _bounded(annotation)
                ) is not None:
                    call, keywords = bounded, bounded.keywords
                case _:
                    continue
            given = {k.arg: source.quote(k.value) for k in keywords}
            low = next((f"{given[k]} {sign} " for k, sign in LOWER.items() if k in given), "")
            high = next((f" {sign} {given[k]}" for k, sign in UPPER.items() if k in given), "")
            if low or high:
                text = f"{low}{name}{high}"
                yield Constraint(text, "range", (name,), "validator", "", scope.qualified_name, source.at(call))
            if (factor := given.get("multiple_of")) is not None:
                text = f"{name} % {factor} == 0"
                yield Constraint(text, "divisibility", (name,), "validator", "", scope.qualified_name, source.at(call))


def _bounded(annotation: t.Expr) -> t.Call | None:
    """`conint(gt=0)`, `Annotated[int, Field(ge=1)]`, `Annotated[int, Meta(le=8)]`: a type that is made with bounds."""
    parts = (
        annotation.slice.elts if isinstance(annotation, t.Subscript) and isinstance(annotation.slice, t.Tuple) else []
    )
    for part in (annotation, *parts):
        if isinstance(part, t.Call) and any(k.arg in LOWER or k.arg in UPPER for k in part.keywords):
            return part
    return None


def _choice(source: PythonSource, chain: t.If, where: str) -> Constraint | None:
    """`if x == a: … elif x == b: … else: raise`: x is one of what it is compared with."""
    subject, values, node = "", list[str](), chain
    while isinstance(node.test, t.Compare) and node.test.ops in (["=="], ["in"]):
        if subject not in ("", source.quote(node.test.left)):
            return None
        subject = source.quote(node.test.left)
        other = node.test.comparators[0]
        values += [source.quote(e) for e in (other.elts if isinstance(other, t.Tuple | t.List | t.Set) else [other])]
        if len(node.orelse) == 1 and isinstance(node.orelse[0], t.If):
            node = node.orelse[0]
            continue
        raised = _only_raise(node.orelse)
        if raised is None or len(node.orelse) > 1 or len(values) < 2:
            return None
        condition = f"{subject} in ({', '.join(values)})"
        names = tuple(dict.fromkeys(_names(chain.test)))
        return Constraint(condition, "membership", names, "raise", _message(source, raised), where, source.at(raised))
    return None


def _refused(source: PythonSource, node: t.If) -> tuple[str, str] | None:
    """By which means a test ends its function, and what is said then: a raise, or an answer that is an error."""
    if node.orelse:
        return None
    if (raised := _only_raise(node.body)) is not None:
        return "raise", _message(source, raised)
    if (said := _given_up(source, node.body)) is not None:
        return said
    match node.body:
        case [*_, t.Return(value=t.Call(func=func) as answer)] if len(node.body) <= MOST_REFUSED:
            if ERRORS & set(words(last_name(func))):
                return "error answer", source.quote(answer)
        case _:
            pass
    return None


def _given_up(source: PythonSource, body: list[t.Stmt]) -> tuple[str, str] | None:
    """`if (n % 8 != 0) { LOG_ERROR("…"); assert(false); }`, `if n % 8: sys.exit("…")`: the program ends there."""
    if not body or len(body) > MOST_REFUSED:
        return None
    said = [s.value for s in body if isinstance(s, t.ExprStmt) and isinstance(s.value, t.Call)]
    texts = (literal(a) for call in said for a in call.args)
    told = next((" ".join(text.replace('"', "").split()) for text in texts if isinstance(text, str)), "")
    told = told.removesuffix("\\n").strip()[:MAX_SOURCE]
    match body[-1]:
        case t.Assert(test=t.Constant(value=False | 0), msg=message):
            text = literal(message)
            return "assert", text if isinstance(text, str) else _fstring(source, message) or told
        case t.ExprStmt(value=t.Call(func=func, args=[t.Constant(value=False | 0)])) if last_name(func) == "assert":
            return "assert", told
        case t.ExprStmt(value=t.Call(func=func, args=args)) if last_name(func) in ENDS_PROGRAM:
            is_well = last_name(func) != "abort" and (not args or literal(args[0]) == 0)
            reported = any(ERRORS & set(words(last_name(call.func).lower())) for call in said)
            return ("exit", told) if reported or not is_well else None
        case _:
            return None


def _only_raise(body: list[t.Stmt]) -> t.Raise | None:
    return body[-1] if body and isinstance(body[-1], t.Raise) and len(body) <= MOST_REFUSED else None


def _message(source: PythonSource, raised: t.Raise) -> str:
    if isinstance(raised.exc, t.Call) and raised.exc.args:
        value = literal(raised.exc.args[0])
        return value if isinstance(value, str) else _fstring(source, raised.exc.args[0])
    return source.quote(raised.exc) if isinstance(raised.exc, t.Call) and raised.exc.keywords else ""


def _fstring(source: PythonSource, node: t.Expr | None) -> str:
    if isinstance(node, t.JoinedStr):
        parts = (e.value if isinstance(e, t.Constant) else f"{{{source.quote(e)}}}" for e in node.values)
        return " ".join("".join(str(part) for part in parts).split())[:MAX_SOURCE]
    return ""


def _enforced(
    source: PythonSource, test: t.Expr, holds: bool, by: str, message: str, where: str
) -> Iterator[Constraint]:
    """One constraint per conjunct of what must hold; two bounds of the same are one range."""
    found = list(_conjuncts(source, test, holds, by, message, where))
    while found:
        one = found.pop(0)
        bounded = _BOUNDED.match(one.condition)
        other = _BOUNDED.match(found[0].condition) if found else None
        if bounded is not None and other is not None and bounded[1] == other[1] and bounded[2] != other[2]:
            further = found.pop(0)
            names = tuple(dict.fromkeys([*one.subjects, *further.subjects]))
            one = replace(one, condition=f"{one.condition} and {further.condition}", subjects=names)
        yield one


def _conjuncts(
    source: PythonSource, test: t.Expr, holds: bool, by: str, message: str, where: str
) -> Iterator[Constraint]:
    todo = [(test, holds)]
    while todo:
        node, holds = todo.pop(0)
        if isinstance(node, t.UnaryOp) and node.op == "not":
            todo.insert(0, (node.operand, not holds))
        elif isinstance(node, t.BoolOp) and (node.op == "and") == holds:
            todo[:0] = [(value, holds) for value in node.values]
        elif not holds and (parted := _where_given(node)) is not None:
            given, demanded = parted
            for found in _conjuncts(source, demanded, False, by, message, where):
                yield replace(found, when=source.quote(given))
        else:
            condition = _condition(source, node, holds)
            if isinstance(node, t.Compare) and node.ops[0] in ("in", "not in"):
                condition += _listed(source, node.comparators[0])
            names = tuple(dict.fromkeys(_names(node)))
            if names and not isinstance(node, t.Broken):
                kind = kind_of(condition, [op for n in t.walk(node) for op in _operators(n)])
                yield Constraint(condition, kind, names, by, message, where, source.at(node))


def _where_given(test: t.Expr) -> tuple[t.Expr, t.Expr] | None:
    """`x is not None and x <= 0`: that something is given, and what is refused of it then."""
    match test:
        case t.BoolOp(
            op="and", values=[t.Compare(ops=["is not"], comparators=[t.Constant(value=None)]) as given, then]
        ):
            return given, then
        case _:
            return None


def _listed(source: PythonSource, node: t.Expr) -> str:
    """What a collection holds that the module binds to the name, or its class to the attribute."""
    match node:
        case t.Name(id=name):
            held = [s for s in source.module.body if isinstance(s, t.Assign | t.AnnAssign)]
        case t.Attribute(value=t.Name(id="self" | "cls"), attr=name):
            around = [s.node for s in source.module.classes() if s.node.span.start < node.span.start < s.node.span.end]
            stored = list(inside_of(around[-1], t.Assign, t.AnnAssign)) if around else []
            targets = [s.targets[0] if isinstance(s, t.Assign) else s.target for s in stored]
            if any(isinstance(target, t.Attribute) and target.attr == name for target in targets):
                return ""  # objects may hold another
            held = [s for s in stored if around and s in around[-1].body]
        case _:
            return ""
    for statement in held:
        target = statement.targets[0] if isinstance(statement, t.Assign) else statement.target
        value = statement.value
        if isinstance(value, t.Call) and t.dotted(value.func) in ("frozenset", "set", "tuple") and len(value.args) == 1:
            value = value.args[0]
        if isinstance(target, t.Name) and target.id == name and isinstance(value, t.Set | t.List | t.Tuple):
            return f", where {name} = {source.quote(value)}"
    return ""


def _condition(source: PythonSource, node: t.Expr, holds: bool) -> str:
    if holds:
        return source.quote(node)
    return denied(source, node, MAX_SOURCE)


def _names(node: t.Expr) -> Iterator[str]:
    """Names and attributes that the condition speaks of, without `self`."""
    for found in t.walk(node):
        if isinstance(found, t.Attribute):
            yield found.attr
        elif isinstance(found, t.Name) and found.id not in ("self", "cls", "isinstance", "len", "torch", "all", "any"):
            yield found.id


def _operators(node: t.Node) -> list[str]:
    match node:
        case t.Compare():
            return node.ops
        case t.BinOp():
            return [node.op]
        case _:
            return []


def kind_of(condition: str, operators: list[str]) -> str:
    """The schema's kind of a condition, by its operators first; what it says in quotes is no part of it."""
    condition = _QUOTED.sub("", condition)
    if _ALIGNMENT.search(condition):
        return "alignment"
    if ("&" in operators and "- 1" in condition) or _POWER.match(condition):
        return "power_of_two"
    if "%" in operators:
        return "divisibility"
    if "in" in operators or "not in" in operators:
        return "membership"
    if _DTYPES.search(condition):
        return "dtype"
    if _ARCHITECTURE.search(condition):
        return "arch"
    if re.search(r"(?:\.|->)(?:shape\b|ndim\b|dim\(\)|size\()", condition):
        return "shape"
    if any(op in ("<", "<=", ">", ">=") for op in operators):
        return "range"
    return "other"
