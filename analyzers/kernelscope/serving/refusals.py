"""Which requests are refused: answers that say so under a test, raised or given back.

What asserts that a program is right is a constraint; a refusal is an answer to who asked, by its number or by what the
test is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import all_guards_text, last_name, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

ASKED = {"request", "requests", "req", "reqs", "prompt", "prompts", "messages", "payload"}
"""Words of what somebody asks for."""
WITHIN = {"embeds", "embeddings", "hidden", "tensor", "mask"}
"""Words of what a model makes of that, whose form is nobody's request."""
NUMBERED = {"status_code", "status", "code", "http_status"}
"""Arguments that say by number how an answer went."""
ERRORS = range(400, 600)
WELL = {"OK", "CREATED", "ACCEPTED", "NO_CONTENT"}
"""Names of numbers that are no errors."""
ENDS = {"abort", "send_error", "abort_with_status"}
"""Calls of servers that end what was asked with an error."""
ERROR_WORDS = {"error", "errors", "refuse", "reject", "rejected", "invalid", "bad"}
"""Words of functions that make an answer of an error, and of tests that only ask whether there was one."""
KINDS = {"value", "invalid", "validation", "unsupported", "request", "limit", "overloaded", "full", "exceeded", "http"}
"""Words of exceptions that say that what was asked for cannot be done."""
LEVELS = {"warning", "warn", "error", "info"}
_DROPPED = re.compile(
    r"\b(?:request|req|prompt)\b[^.]*\b(?:dropped|discarded|rejected|refused|ignored)\b"
    r"|\b(?:drop|dropping|discarding|rejecting|refusing|ignoring) (?:(?:the|this|a|an|\w+ing) )?(?:request|prompt)",
    re.IGNORECASE,
)
"""Messages that say that nothing will come of a request."""
_FILLED_IN = re.compile(r"\{[^{}]*\}")
MOST_REFUSED = 6
MAX_ANSWER = 120
"""Longest answer, in characters, that is quoted."""
MOST_GUARDS = 2


@by_function
def refusals(source: PythonSource) -> Iterator[Claim]:
    """Per function what it refuses, each with the test and the answer."""
    if source.aside:
        return
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        about = ASKED & {w for p in scope.node.args for w in words(p.name)}
        found: dict[str, t.Stmt] = {}
        dropped: dict[str, t.Stmt] = {}
        for statement, guards in statements(scope.node):
            tested = [g for g in guards if not g.early][-MOST_GUARDS:]
            said = {w for g in tested for w in words(source.quote(g.test))}
            if not tested or ERROR_WORDS & said:
                continue
            test = " and ".join(all_guards_text(source, tuple(tested)))
            if (said_of_it := _logged(source, statement)) is not None:
                dropped.setdefault(f"if {test} (logged: {said_of_it})", statement)
            answer = _answer(source, statement, bool(about and ASKED & said) and not WITHIN & said)
            if answer is not None:
                found.setdefault(f"if {test}: {source.quote(answer, MAX_ANSWER)}", statement)
        if found:
            value = f"{scope.qualified_name} answers with an error {'; '.join([*found][:MOST_REFUSED])}"
            places = [source.at(s) for s in found.values()][:MOST_REFUSED]
            yield Claim(f"{scope.qualified_name} refuses", value, (*places, source.at(scope.node)))
        if dropped:
            value = f"{scope.qualified_name} drops a request {'; '.join([*dropped][:MOST_REFUSED])}"
            places = [source.at(s) for s in dropped.values()][:MOST_REFUSED]
            yield Claim(f"{scope.qualified_name} drops", value, (*places, source.at(scope.node)))


def _logged(source: PythonSource, statement: t.Stmt) -> str | None:
    """What is logged of a request that is dropped: `return logger.warning("request … is dropped")`."""
    match statement:
        case t.Return(value=t.Call() as call) | t.ExprStmt(value=t.Call() as call):
            pass
        case _:
            return None
    level = last_name(call.func).partition("_")[0]
    if level not in LEVELS or not call.args:
        return None
    said = source.quote(call.args[0], MAX_ANSWER)
    return said if _DROPPED.search(_FILLED_IN.sub("", said)) else None


def _answer(source: PythonSource, statement: t.Stmt, is_asked: bool) -> t.Expr | None:
    """The error that a statement answers with, or nothing.

    An error without a number is one of a request where the function is given one and tests it.
    """
    match statement:
        case t.Raise(exc=t.Call() as made):
            return made if _is_numbered(made) or (is_asked and KINDS & set(words(last_name(made.func)))) else None
        case t.Return(value=t.Tuple(elts=elts)):
            given = (_answer(source, t.Return(e, statement.span), is_asked) for e in elts)
            return next((made for made in given if made is not None), None)
        case t.Return(value=t.Call() as made):
            return made if _is_numbered(made) or _makes_error(last_name(made.func)) else None
        case t.ExprStmt(value=t.Call() as call) | t.ExprStmt(value=t.Await(value=t.Call() as call)):
            is_error = any("StatusCode" in source.quote(a) or _is_error(a) for a in call.args[:1])
            return call if last_name(call.func) in ENDS and is_error else None
        case _:
            return None


def _makes_error(name: str) -> bool:
    """`create_error_response(…)`, and no object that only tells of an error."""
    return bool(ERROR_WORDS & set(words(name))) and (name[:1].islower() or "response" in words(name))


def _is_numbered(call: t.Call) -> bool:
    """Whether a call makes an answer with the number of an error, also as `status.HTTP_404_NOT_FOUND`."""
    return any(k.arg in NUMBERED and _is_error(k.value) for k in call.keywords) or any(map(_is_error, call.args[:1]))


def _is_error(node: t.Expr) -> bool:
    number = literal(node)
    if isinstance(number, int):
        return number in ERRORS
    if not isinstance(node, t.Attribute):
        return False
    said = node.attr.split("_")
    is_number = said[0] == "HTTP" and any(s.isdigit() and int(s) in ERRORS for s in said)
    return is_number or (last_name(node.value) == "HTTPStatus" and node.attr not in WELL)
