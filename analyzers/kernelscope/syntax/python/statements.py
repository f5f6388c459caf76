"""Tree-sitter statement nodes to lowered statements.

Never fails: a statement that did not parse becomes `Broken`, and the statements around it are kept.
"""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node as Raw

from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.expressions import (
    MAX_DEPTH,
    call_arguments,
    expression,
    operands,
    parameters,
    span_of,
    text_of,
)

_IGNORED = {"comment", "line_continuation"}


def block(raw: Raw | None, depth: int) -> list[t.Stmt]:
    """The statements of a `block` or `module`."""
    found: list[t.Stmt] = []
    for child in raw.named_children if raw is not None else []:
        if child.type in _IGNORED:
            continue
        if child.type == "ERROR":
            found.extend(_recovered(child, depth))
        else:
            found.append(statement(child, depth))
    return found


def statement(raw: Raw, depth: int) -> t.Stmt:
    """Lower one statement."""
    if depth > MAX_DEPTH:
        return t.Broken("nested too deeply", span_of(raw))
    lower = _LOWER.get(raw.type)
    return t.Broken(f"unexpected {raw.type}", span_of(raw)) if lower is None else lower(raw, depth + 1)


def _recovered(raw: Raw, depth: int) -> list[t.Stmt]:
    """What an error swallowed: whole statements inside it survive, the rest is one `Broken`."""
    kept = [statement(child, depth) for child in raw.named_children if child.type in _LOWER]
    return [t.Broken("syntax error", span_of(raw)), *kept]


def _field(raw: Raw, name: str, depth: int) -> t.Expr:
    return expression(raw.child_by_field_name(name), depth, span_of(raw))


def _optional(raw: Raw, name: str, depth: int) -> t.Expr | None:
    child = raw.child_by_field_name(name)
    return None if child is None else expression(child, depth, span_of(raw))


def _body(raw: Raw, depth: int) -> list[t.Stmt]:
    return block(raw.child_by_field_name("body"), depth)


def _expression_statement(raw: Raw, depth: int) -> t.Stmt:
    found = operands(raw)
    if len(found) != 1:
        values = [expression(child, depth, span_of(raw)) for child in found]
        return t.ExprStmt(t.Tuple(values, span_of(raw)), span_of(raw))
    inner = found[0]
    if inner.type == "assignment":
        return _assignment(inner, depth)
    if inner.type == "augmented_assignment":
        operator = inner.child_by_field_name("operator")
        op = text_of(operator).removesuffix("=") if operator else ""
        return t.AugAssign(_field(inner, "left", depth), op, _field(inner, "right", depth), span_of(inner))
    return t.ExprStmt(expression(inner, depth, span_of(raw)), span_of(raw))


def _assignment(raw: Raw, depth: int) -> t.Stmt:
    annotation = raw.child_by_field_name("type")
    if annotation is not None:
        value = _optional(raw, "right", depth)
        return t.AnnAssign(_field(raw, "left", depth), expression(annotation, depth, span_of(raw)), value, span_of(raw))
    targets = [_field(raw, "left", depth)]
    right = raw.child_by_field_name("right")
    while right is not None and right.type == "assignment" and right.child_by_field_name("type") is None:
        targets.append(_field(right, "left", depth))
        right = right.child_by_field_name("right")
    return t.Assign(targets, expression(right, depth, span_of(raw)), span_of(raw))


def _return(raw: Raw, depth: int) -> t.Stmt:
    found = operands(raw)
    return t.Return(expression(found[0], depth, span_of(raw)) if found else None, span_of(raw))


def _if(raw: Raw, depth: int) -> t.Stmt:
    """An `elif` is an `If` alone in `orelse`, as in `ast`; chains are folded from the end, not by recursion."""
    alternatives = raw.children_by_field_name("alternative")
    orelse: list[t.Stmt] = []
    for clause in reversed(alternatives):
        if clause.type == "else_clause":
            orelse = _body(clause, depth)
        elif clause.type == "elif_clause":
            body = block(clause.child_by_field_name("consequence"), depth)
            span = Span(clause.start_byte, raw.end_byte)
            orelse = [t.If(_field(clause, "condition", depth), body, orelse, span)]
    body = block(raw.child_by_field_name("consequence"), depth)
    return t.If(_field(raw, "condition", depth), body, orelse, span_of(raw))


def _else(raw: Raw, depth: int) -> list[t.Stmt]:
    clause = raw.child_by_field_name("alternative")
    return _body(clause, depth) if clause is not None else []


def _for(raw: Raw, depth: int) -> t.Stmt:
    target, source = _field(raw, "left", depth), _field(raw, "right", depth)
    return t.For(target, source, _body(raw, depth), _else(raw, depth), span_of(raw))


def _while(raw: Raw, depth: int) -> t.Stmt:
    return t.While(_field(raw, "condition", depth), _body(raw, depth), _else(raw, depth), span_of(raw))


def _as_pattern(raw: Raw, depth: int) -> tuple[t.Expr, t.Expr | None]:
    """`value as target` where it is written so, else the value alone."""
    if raw.type != "as_pattern":
        return expression(raw, depth, span_of(raw)), None
    found = operands(raw)
    value = expression(found[0] if found else None, depth, span_of(raw))
    return value, _optional(raw, "alias", depth)


def _with(raw: Raw, depth: int) -> t.Stmt:
    items: list[t.WithItem] = []
    clause = next((child for child in raw.named_children if child.type == "with_clause"), None)
    for item in operands(clause) if clause is not None else []:
        held = item.child_by_field_name("value")
        if held is None:
            continue
        value, target = _as_pattern(held, depth)
        items.append(t.WithItem(value, target, span_of(item)))
    return t.With(items, _body(raw, depth), span_of(raw))


def _try(raw: Raw, depth: int) -> t.Stmt:
    handlers: list[t.ExceptHandler] = []
    orelse: list[t.Stmt] = []
    final: list[t.Stmt] = []
    for clause in raw.named_children:
        inner = next((child for child in clause.named_children if child.type == "block"), None)
        if clause.type == "except_clause":
            value = clause.child_by_field_name("value")
            kind, target = _as_pattern(value, depth) if value is not None else (None, None)
            name = target.id if isinstance(target, t.Name) else None
            handlers.append(t.ExceptHandler(kind, name, block(inner, depth), span_of(clause)))
        elif clause.type == "else_clause":
            orelse = block(inner, depth)
        elif clause.type == "finally_clause":
            final = block(inner, depth)
    return t.Try(_body(raw, depth), handlers, orelse, final, span_of(raw))


def _raise(raw: Raw, depth: int) -> t.Stmt:
    cause = raw.child_by_field_name("cause")
    found = [child for child in operands(raw) if cause is None or child.id != cause.id]
    exc = expression(found[0], depth, span_of(raw)) if found else None
    return t.Raise(exc, _optional(raw, "cause", depth), span_of(raw))


def _assert(raw: Raw, depth: int) -> t.Stmt:
    found = [expression(child, depth, span_of(raw)) for child in operands(raw)]
    if not found:
        return t.Broken("syntax error", span_of(raw))
    return t.Assert(found[0], found[1] if len(found) > 1 else None, span_of(raw))


def _delete(raw: Raw, depth: int) -> t.Stmt:
    found = [expression(child, depth, span_of(raw)) for child in operands(raw)]
    targets = found[0].elts if len(found) == 1 and isinstance(found[0], t.Tuple) else found
    return t.Delete(targets, span_of(raw))


def _aliases(raw: Raw) -> list[t.Alias]:
    found: list[t.Alias] = []
    for child in raw.children_by_field_name("name"):
        if child.type == "aliased_import":
            name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
            asname = text_of(alias) if alias else None
            found.append(t.Alias(text_of(name) if name else "", asname, span_of(child)))
        else:
            found.append(t.Alias(text_of(child), None, span_of(child)))
    return found


def _import(raw: Raw, depth: int) -> t.Stmt:
    return t.Import(_aliases(raw), span_of(raw))


def _import_from(raw: Raw, depth: int) -> t.Stmt:
    module, level = raw.child_by_field_name("module_name"), 0
    name = text_of(module) if module is not None else ""
    if module is not None and module.type == "relative_import":
        stripped = name.lstrip(". ")
        level = name[: len(name) - len(stripped)].count(".")
        name = stripped
    names = _aliases(raw)
    star = next((child for child in raw.named_children if child.type == "wildcard_import"), None)
    if star is not None:
        names = [t.Alias("*", None, span_of(star))]
    return t.ImportFrom("".join(name.split()), names, level, span_of(raw))


def _future_import(raw: Raw, depth: int) -> t.Stmt:
    return t.ImportFrom("__future__", _aliases(raw), 0, span_of(raw))


def _names(raw: Raw) -> list[str]:
    return [text_of(child) for child in raw.named_children if child.type == "identifier"]


def _global(raw: Raw, depth: int) -> t.Stmt:
    return t.Global(_names(raw), span_of(raw))


def _nonlocal(raw: Raw, depth: int) -> t.Stmt:
    return t.Nonlocal(_names(raw), span_of(raw))


def _pass(raw: Raw, depth: int) -> t.Stmt:
    return t.Pass(span_of(raw))


def _break(raw: Raw, depth: int) -> t.Stmt:
    return t.Break(span_of(raw))


def _continue(raw: Raw, depth: int) -> t.Stmt:
    return t.Continue(span_of(raw))


def _match(raw: Raw, depth: int) -> t.Stmt:
    body = raw.child_by_field_name("body")
    cases: list[t.MatchCase] = []
    for clause in body.named_children if body is not None else []:
        if clause.type != "case_clause":
            continue
        patterns = [child for child in clause.named_children if child.type == "case_pattern"]
        lowered = [expression(child, depth, span_of(clause)) for child in patterns]
        if len(lowered) == 1:
            pattern = lowered[0]
        else:
            pattern = t.Tuple(lowered, span_of(clause))
        guard = clause.child_by_field_name("guard")
        held = operands(guard) if guard is not None else []
        test = expression(held[0], depth, span_of(clause)) if held else None
        inner = block(clause.child_by_field_name("consequence"), depth)
        cases.append(t.MatchCase(pattern, test, inner, span_of(clause)))
    return t.Match(_field(raw, "subject", depth), cases, span_of(raw))


def _type_alias(raw: Raw, depth: int) -> t.Stmt:
    return t.Assign([_field(raw, "left", depth)], _field(raw, "right", depth), span_of(raw))


def _deferred(raw: Raw, depth: int) -> Callable[[], list[t.Stmt]]:
    inner = raw.child_by_field_name("body")
    return lambda: block(inner, depth)


def _function(raw: Raw, depth: int, decorators: list[t.Expr] | None = None, span: Span | None = None) -> t.Stmt:
    name, inner = raw.child_by_field_name("name"), raw.child_by_field_name("body")
    return t.FunctionDef(
        name=text_of(name) if name else "",
        name_span=span_of(name) if name else span_of(raw),
        lower_args=lambda: parameters(raw.child_by_field_name("parameters"), depth),
        returns=_optional(raw, "return_type", depth),
        decorator_list=decorators or [],
        is_async=any(child.type == "async" for child in raw.children[:1]),
        span=span or span_of(raw),
        lower_body=_deferred(raw, depth),
        body_start=inner.start_byte if inner is not None else 0,
    )


def _class(raw: Raw, depth: int, decorators: list[t.Expr] | None = None, span: Span | None = None) -> t.Stmt:
    name = raw.child_by_field_name("name")
    bases, keywords = call_arguments(raw.child_by_field_name("superclasses"), depth)
    return t.ClassDef(
        name=text_of(name) if name else "",
        name_span=span_of(name) if name else span_of(raw),
        bases=bases,
        keywords=keywords,
        decorator_list=decorators or [],
        span=span or span_of(raw),
        lower_body=_deferred(raw, depth),
    )


def _decorated(raw: Raw, depth: int) -> t.Stmt:
    decorators: list[t.Expr] = []
    for child in raw.named_children:
        if child.type == "decorator":
            held = operands(child)
            decorators.append(expression(held[0] if held else None, depth, span_of(child)))
    definition = raw.child_by_field_name("definition")
    if definition is None:
        return t.Broken("decorator without a definition", span_of(raw))
    make = _class if definition.type == "class_definition" else _function
    return make(definition, depth, decorators, span_of(raw))


_LOWER: dict[str, Callable[[Raw, int], t.Stmt]] = {
    "expression_statement": _expression_statement,
    "return_statement": _return,
    "if_statement": _if,
    "for_statement": _for,
    "while_statement": _while,
    "with_statement": _with,
    "try_statement": _try,
    "raise_statement": _raise,
    "assert_statement": _assert,
    "delete_statement": _delete,
    "import_statement": _import,
    "import_from_statement": _import_from,
    "future_import_statement": _future_import,
    "global_statement": _global,
    "nonlocal_statement": _nonlocal,
    "pass_statement": _pass,
    "break_statement": _break,
    "continue_statement": _continue,
    "match_statement": _match,
    "type_alias_statement": _type_alias,
    "function_definition": _function,
    "class_definition": _class,
    "decorated_definition": _decorated,
}
