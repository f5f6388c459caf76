"""C++ statements as nodes of the Python tree: loops over ranges, branches, declarations with a value, pops.

Locks, types and other declarations without a value are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tree_sitter import Node

from kernelscope.results import Span
from kernelscope.syntax.cuda.host_expressions import Names, expression, plain, span, text
from kernelscope.syntax.python import tree as t

MAX_DEPTH = 40
POPS = {"pop", "popleft", "heappop"}
FILLS = {"try_dequeue", "try_pop", "wait_and_pop", "dequeue", "pop", "wait_dequeue"}
"""Methods of concurrent queues that store the taken element into their argument."""


def block(node: Node, names: Names, depth: int = 0) -> list[t.Stmt]:
    """The statements of a block or of a single statement: one at least, as everywhere in Python."""
    if depth > MAX_DEPTH:
        return [t.Broken("nested too deeply", span(node))]
    inside = node.named_children if node.type in BLOCKS else [node]
    found = _joined([s for child in inside for s in _statements(child, names, depth + 1)])
    return found or [t.Pass(span(node))]


BLOCKS = {"compound_statement", "else_clause", "declaration_list", "preproc_ifdef", "preproc_if", "preproc_else",
          "case_statement", "labeled_statement"}  # fmt: skip


def _joined(body: list[t.Stmt]) -> list[t.Stmt]:
    """`x = q.front(); q.pop();` is one statement of Python: `x = q.popleft()`."""
    found: list[t.Stmt] = []
    taken = False
    for statement, following in pairwise([*body, t.Pass(Span(0, 0))]):
        if taken:
            taken = False
            continue
        match statement, following:
            case (
                t.Assign(targets=targets, value=t.Subscript(value=looked_at, slice=t.Constant(value=0) | t.UnaryOp())),
                t.ExprStmt(value=t.Call(func=t.Attribute(value=popped, attr=attr), args=[]) as pop),
            ) if attr in POPS and t.dotted(popped) is not None and t.dotted(popped) == t.dotted(looked_at):
                where = Span(statement.span.start, pop.span.end)
                found.append(t.Assign(targets, t.Call(pop.func, [], [], pop.span), where))
                taken = True
            case _:
                found.append(statement)
    return found


def _statements(node: Node, names: Names, depth: int) -> Iterator[t.Stmt]:
    match node.type:
        case "expression_statement":
            for child in node.named_children[:1]:
                yield _simple(child, names)
        case "declaration":
            yield from _declared(node, names, depth)
        case "return_statement":
            value = next(iter(node.named_children), None)
            yield t.Return(expression(value, names) if value is not None else None, span(node))
        case "throw_statement":
            yield t.Raise(expression(next(iter(node.named_children), None), names), None, span(node))
        case "break_statement":
            yield t.Break(span(node))
        case "continue_statement":
            yield t.Continue(span(node))
        case "if_statement":
            yield from _if(node, names, depth)
        case "while_statement" | "do_statement":
            yield _while(node, names, depth)
        case "for_statement":
            yield from _for(node, names, depth)
        case "for_range_loop":
            target = expression(_declarator(node.child_by_field_name("declarator")), names)
            over = expression(node.child_by_field_name("right"), names)
            yield t.For(target, over, _body(node, names, depth), [], span(node))
        case "switch_statement":
            yield _switch(node, names, depth)
        case "try_statement":
            handlers = [t.ExceptHandler(None, None, _body(c, names, depth), span(c))
                        for c in node.named_children if c.type == "catch_clause"]  # fmt: skip
            yield t.Try(_body(node, names, depth), handlers, [], [], span(node))
        case kind if kind in BLOCKS:
            yield from block(node, names, depth)
        case _:
            return


def _body(node: Node, names: Names, depth: int) -> list[t.Stmt]:
    inner = node.child_by_field_name("body")
    return block(inner, names, depth) if inner is not None else [t.Pass(span(node))]


def _simple(node: Node, names: Names) -> t.Stmt:
    """An assignment, a count up or down, or an expression for its effect."""
    if node.type == "assignment_expression":
        target = expression(node.child_by_field_name("left"), names)
        value = expression(node.child_by_field_name("right"), names)
        operator = text(node.child_by_field_name("operator")) or "="
        if operator == "=":
            return t.Assign([target], value, span(node))
        return t.AugAssign(target, operator.removesuffix("="), value, span(node))
    if node.type == "update_expression":
        op = "+" if "++" in text(node) else "-"
        return t.AugAssign(expression(node, names), op, t.Constant(1, span(node)), span(node))
    value = expression(node, names)
    return _filled(value, names) or t.ExprStmt(value, span(node))


def _filled(value: t.Expr, names: Names) -> t.Assign | None:
    """`queue.read(x)` stores the element that it takes into `x`."""
    match value:
        case t.Call(func=t.Attribute(attr=attr) as func, args=[t.Name() as target]) if attr in FILLS or (
            attr == "read" and isinstance(func.value, t.Attribute) and func.value.attr in names.concurrent
        ):
            taking = t.Attribute(func.value, "popleft", func.attr_span, func.span)
            return t.Assign([target], t.Call(taking, [], [], value.span), value.span)
        case _:
            return None


def _declared(node: Node, names: Names, depth: int) -> Iterator[t.Stmt]:
    """Declarations that give a value: `auto x = f();`, `Guard guard(lock);`, a function of the function's own."""
    for child in node.children_by_field_name("declarator"):
        if child.type != "init_declarator":
            continue
        name = _declarator(child.child_by_field_name("declarator"))
        value = child.child_by_field_name("value")
        if name is None or value is None:
            continue
        where = Span(name.start_byte, child.end_byte)
        target = expression(name, names)
        if value.type == "argument_list":
            kind = node.child_by_field_name("type")
            made = t.Name(plain(kind), where)
            args = [expression(c, names) for c in value.named_children]
            yield t.Assign([target], t.Call(made, args, [], where), where)
        else:
            yield t.Assign([target], expression(value, names), where)


def _declarator(node: Node | None) -> Node | None:
    """The name in `*name`, `&name`, `name[3]`; None for a structured binding."""
    while node is not None and node.type not in ("identifier", "field_identifier", "qualified_identifier"):
        node = node.child_by_field_name("declarator") or next(
            (c for c in node.named_children if c.type.endswith(("declarator", "identifier"))), None
        )
    return node


def _if(node: Node, names: Names, depth: int) -> Iterator[t.Stmt]:
    condition = node.child_by_field_name("condition")
    if condition is None:
        return
    before = condition.child_by_field_name("initializer")
    if before is not None:
        yield from (s for c in before.named_children or [before] for s in _statements(c, names, depth))
    asked = condition.child_by_field_name("value") or condition
    declared = list(_asked_and_named(asked, names))
    yield from declared
    then, other = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
    body: list[t.Stmt] = block(then, names, depth) if then is not None else [t.Pass(span(node))]
    orelse = block(other, names, depth) if other is not None else []
    test = declared[-1].targets[0] if declared else expression(asked, names)
    if (taken := _filled(test, names)) is not None:
        body = [taken, *body]
    yield t.If(test, body, orelse, span(node))


def _asked_and_named(asked: Node, names: Names) -> Iterator[t.Assign]:
    """`if (Node* found = find(key))`: a name that the test gives what it asks."""
    name, value = _declarator(asked.child_by_field_name("declarator")), asked.child_by_field_name("value")
    if asked.type == "declaration" and name is not None and value is not None:
        yield t.Assign([expression(name, names)], expression(value, names), Span(name.start_byte, value.end_byte))


def _while(node: Node, names: Names, depth: int) -> t.While:
    condition = node.child_by_field_name("condition")
    asked = (condition.child_by_field_name("value") or condition) if condition is not None else None
    test, body = expression(asked, names), _body(node, names, depth)
    if (taken := _filled(test, names)) is not None:
        body = [taken, *body]
    return t.While(test, body, [], span(node))


def _for(node: Node, names: Names, depth: int) -> Iterator[t.Stmt]:
    """Loops over a container by an iterator, or over a range of numbers; others are loops under their test."""
    first, test = node.child_by_field_name("initializer"), node.child_by_field_name("condition")
    begun = list(_statements(first, names, depth)) if first is not None and first.type == "declaration" else []
    body = _body(node, names, depth)
    asked = expression(test, names) if test is not None else t.Constant(True, span(node))
    step = text(node.child_by_field_name("update"))
    match begun:
        case [
            t.Assign(targets=[t.Name() as target], value=t.Call(func=t.Attribute(value=over, attr=attr), args=[]))
        ] if attr in ("begin", "cbegin", "rbegin"):
            yield t.For(target, over, body, [], span(node))
            return
        case [t.Assign(targets=[t.Name() as target], value=low)] if "++" in step:
            match asked:
                case t.Compare(left=t.Name(id=counted), ops=["<" | "<="], comparators=[high]) if counted == target.id:
                    over = t.Call(t.Name("range", high.span), [low, high], [], high.span)
                    yield t.For(target, over, body, [], span(node))
                    return
                case _:
                    pass
        case _:
            pass
    yield from begun
    yield t.While(asked, body, [], span(node))


def _switch(node: Node, names: Names, depth: int) -> t.Match:
    cases: list[t.MatchCase] = []
    inner = node.child_by_field_name("body")
    for child in inner.named_children if inner is not None else []:
        if child.type != "case_statement":
            continue
        value = child.child_by_field_name("value")
        rest = [c for c in child.named_children if c != value]
        body = _joined([s for c in rest for s in _statements(c, names, depth)])
        pattern = expression(value, names) if value is not None else t.Name("_", span(child))
        cases.append(t.MatchCase(pattern, None, body, span(child)))
    return t.Match(expression(node.child_by_field_name("condition"), names), cases, span(node))
