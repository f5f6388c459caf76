"""C++ expressions as nodes of the Python tree, so that what follows queues and states need not know two languages.

Casts, moves, addresses and dereferences are left out, and the methods of containers get the names of Python's. Knows no
types: what a name is follows from where it is declared in the function and how it is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node

from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

MAX_DEPTH = 60
TRANSPARENT = {"move", "forward", "ref", "cref", "static_cast", "dynamic_cast", "const_cast", "reinterpret_cast",
               "static_pointer_cast", "dynamic_pointer_cast", "unique_ptr", "shared_ptr"}  # fmt: skip
"""Functions that give what they are given."""
RENAMED = {"push_back": "append", "emplace_back": "append", "push_front": "appendleft", "emplace_front": "appendleft",
           "pop_front": "popleft", "pop_back": "pop", "enqueue": "append", "erase": "remove",
           "emplace": "append", "push": "append"}  # fmt: skip
"""Methods of containers by what Python's do the same; `insert` and `pop` depend on more than their name."""
SORTS = {"sort", "stable_sort"}
_MADE = re.compile(r"(?:std\s*::\s*)?make_(?:unique|shared)\s*<\s*(?:\w+\s*::\s*)*(\w+)")
"""`std::make_unique<Pool>(n)` makes an object of its class, as `new Pool(n)` does."""
_COMPARES = {"==", "!=", "<", ">", "<=", ">="}
_CONSTANT = re.compile(r"k[A-Z]|[A-Z]")


@dataclass(frozen=True, slots=True)
class Names:
    """What names of one function mean: its locals, those of the file outside, and whether it has an object."""

    local: frozenset[str]
    outer: frozenset[str]
    of_object: bool
    fronts: frozenset[str]
    """Containers that are asked for their front: what they pop is that."""
    heaps: frozenset[str]
    """Containers that keep their elements by priority."""
    concurrent: frozenset[str]
    """Queues that are written to and read from."""


def text(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)


def expression(node: Node | None, names: Names, depth: int = 0) -> t.Expr:
    """The expression that a node stands for; `Broken` for what Python's tree has no word for."""
    if node is None:
        return t.Broken("missing", Span(0, 0))
    if depth > MAX_DEPTH:
        return t.Broken("nested too deeply", span(node))
    below = depth + 1
    match node.type:
        case "identifier" | "field_identifier" | "type_identifier" | "namespace_identifier":
            return _named(node, names)
        case "this":
            return t.Name("self", span(node))
        case "number_literal":
            return t.Constant(_number(text(node)), span(node))
        case "true" | "false":
            return t.Constant(node.type == "true", span(node))
        case "null" | "nullptr":
            return t.Constant(None, span(node))
        case "string_literal" | "raw_string_literal" | "concatenated_string" | "char_literal":
            return t.Constant(text(node).strip("\"'"), span(node))
        case "field_expression":
            field = node.child_by_field_name("field")
            owner = expression(node.child_by_field_name("argument"), names, below)
            return t.Attribute(owner, plain(field), span(field or node), span(node))
        case "qualified_identifier":
            return _qualified(node)
        case "template_function":
            return expression(node.child_by_field_name("name"), names, below)
        case "call_expression":
            return _call(node, names, below)
        case "subscript_expression":
            value = expression(node.child_by_field_name("argument"), names, below)
            given = node.child_by_field_name("indices")
            index = given.named_children[0] if given is not None and given.named_children else given
            return t.Subscript(value, expression(index, names, below), span(node))
        case "pointer_expression" | "cast_expression":
            inner = node.child_by_field_name("argument") or node.child_by_field_name("value")
            return expression(inner, names, below)
        case "parenthesized_expression" | "condition_clause" | "update_expression":
            return expression(next(iter(node.named_children), None), names, below)
        case "unary_expression":
            op = text(node.children[0])
            operand = expression(node.child_by_field_name("argument"), names, below)
            return t.UnaryOp("not" if op in ("!", "not") else op, operand, span(node))
        case "binary_expression":
            return _binary(node, names, below)
        case "conditional_expression":
            parts = [expression(node.child_by_field_name(f), names, below)
                     for f in ("condition", "consequence", "alternative")]  # fmt: skip
            return t.IfExp(parts[0], parts[1], parts[2], span(node))
        case "assignment_expression":
            return expression(node.child_by_field_name("right"), names, below)
        case "initializer_list":
            return t.List([expression(c, names, below) for c in node.named_children], span(node))
        case "compound_literal_expression" | "new_expression":
            kind = node.child_by_field_name("type")
            given = node.child_by_field_name("value") or node.child_by_field_name("arguments")
            made = t.Name(plain(kind), span(kind or node))
            args = [expression(c, names, below) for c in (given.named_children if given is not None else [])]
            return t.Call(made, args, [], span(node))
        case _:
            return t.Broken(node.type, span(node))


def plain(node: Node | None) -> str:
    """A name without the arguments of its template."""
    return text(node).partition("<")[0].strip()


def _named(node: Node, names: Names) -> t.Expr:
    """A name that nothing declares here is a member of the object; constants and types are written in capitals."""
    name = text(node)
    is_member = names.of_object and name not in names.local and name not in names.outer and not _CONSTANT.match(name)
    if is_member and node.type == "identifier":
        return t.Attribute(t.Name("self", span(node)), name, span(node), span(node))
    return t.Name(name, span(node))


def _qualified(node: Node) -> t.Expr:
    parts = [p for p in re.sub(r"<[^<>]*>", "", text(node)).replace("template ", "").split("::") if p.strip()]
    found: t.Expr = t.Name(parts[0].strip() if parts else "", span(node))
    for part in parts[1:]:
        found = t.Attribute(found, part.strip(), span(node), span(node))
    return found


def _number(written: str) -> int | float | None:
    digits = written.lower().replace("'", "")
    try:
        return int(digits.rstrip("ulz"), 0)
    except ValueError:
        pass
    try:
        return float(digits.rstrip("flu"))
    except ValueError:
        return None


def _binary(node: Node, names: Names, depth: int) -> t.Expr:
    left = expression(node.child_by_field_name("left"), names, depth)
    right = expression(node.child_by_field_name("right"), names, depth)
    operator = node.child_by_field_name("operator")
    op = {"&&": "and", "||": "or"}.get(text(operator), text(operator))
    if op in ("and", "or"):
        before = left.values if isinstance(left, t.BoolOp) and left.op == op else [left]
        return t.BoolOp(op, [*before, right], span(node))
    if op in _COMPARES:
        return t.Compare(left, [op], [right], span(node))
    return t.BinOp(left, op, right, span(node))


def _call(node: Node, names: Names, depth: int) -> t.Expr:
    called = node.child_by_field_name("function")
    given = node.child_by_field_name("arguments")
    arguments = [c for c in given.named_children if c.type != "comment"] if given is not None else []
    args = [expression(c, names, depth) for c in arguments]
    if called is None:
        return t.Broken("call", span(node))
    if called.type in ("identifier", "template_function", "qualified_identifier"):
        name = plain(called).rpartition("::")[2]
        if name in TRANSPARENT and len(args) == 1:
            return args[0]
        if name in SORTS and (ordered := _sorted(arguments, args, span(node), names)) is not None:
            return ordered
        if (made := _MADE.match(text(called))) is not None:
            return t.Call(t.Name(made[1], span(called)), args, [], span(node))
        func = _qualified(called) if called.type == "qualified_identifier" else t.Name(name, span(called))
        if called.type == "identifier" and names.of_object and name not in names.local | names.outer:
            func = t.Attribute(t.Name("self", span(called)), name, span(called), span(called))
        return t.Call(func, args, [], span(node))
    func = expression(called, names, depth)
    if isinstance(func, t.Attribute):
        return _on_container(func, args, span(node), names)
    return t.Call(func, args, [], span(node))


def _sorted(arguments: list[Node], args: list[t.Expr], where: Span, names: Names) -> t.Call | None:
    """`sort(q.begin(), q.end(), [](a, b) { return a.x < b.x; })` is `q.sort(key=lambda a: a.x)`."""
    match args:
        case [t.Call(func=t.Attribute(value=held, attr="begin") as begin), t.Call(), _]:
            pass
        case _:
            return None
    inner = arguments[2].child_by_field_name("body") if arguments[2].type == "lambda_expression" else None
    returned = [c.named_children[0] for c in inner.named_children if c.type == "return_statement"] if inner else []
    compared = returned[0] if len(returned) == 1 and inner is not None and inner.named_child_count == 1 else None
    op = text(compared.child_by_field_name("operator")) if compared is not None else ""
    if compared is None or op not in ("<", ">"):
        return None
    left = compared.child_by_field_name("left")
    key = t.Lambda([], expression(left, names), span(left or compared))
    given = [t.Keyword("key", key, key.span)]
    if op == ">":
        given.append(t.Keyword("reverse", t.Constant(True, key.span), key.span))
    return t.Call(t.Attribute(held, "sort", begin.attr_span, begin.span), [], given, where)


def _on_container(func: t.Attribute, args: list[t.Expr], where: Span, names: Names) -> t.Expr:
    """A method call, as Python's containers have it: `q.front()` is `q[0]`, `q.insert(q.end(), x)` is `q.append(x)`."""
    owner, method = func.value, func.attr
    held = owner.attr if isinstance(owner, t.Attribute) else owner.id if isinstance(owner, t.Name) else ""
    if not args and method in ("front", "top"):
        return t.Subscript(owner, t.Constant(0, func.attr_span), where)
    if not args and method == "back":
        return t.Subscript(owner, t.UnaryOp("-", t.Constant(1, func.attr_span), func.attr_span), where)
    if not args and method in ("get", "value", "lock") and held not in names.fronts:
        return owner
    if method == "write" and len(args) == 1 and held in names.concurrent:
        method = "append"
    elif not args and method == "pop":
        method = "heappop" if held in names.heaps else "popleft" if held in names.fronts else "pop"
    elif method in ("push", "emplace") and held in names.heaps:
        method = "heappush" if len(args) == 1 else method
    elif method == "insert":
        method, args = _inserted(owner, args)
    elif method == "erase" and (end := _end_of(owner, args)):
        method, args = end, []
    elif method in RENAMED and (len(args) == 1 or method.startswith("pop")):
        args = [_sought(given) if method == "erase" else given for given in args]
        method = RENAMED[method]
    renamed = t.Attribute(owner, method, func.attr_span, func.span)
    return t.Call(renamed, args, [], where)


def _inserted(owner: t.Expr, args: list[t.Expr]) -> tuple[str, list[t.Expr]]:
    """`q.insert(x)` of a set, `q.insert(q.begin(), x)`, `q.insert(q.end(), others.begin(), others.end())`."""
    match args:
        case [_]:
            return "add", args
        case [t.Call(func=t.Attribute(value=held, attr="begin" | "cbegin")), given] if _same(held, owner):
            return "appendleft", [given]
        case [t.Call(func=t.Attribute(value=held, attr="end" | "cend")), given] if _same(held, owner):
            return "append", [given]
        case [t.Call(func=t.Attribute(value=held, attr="end")), t.Call(func=t.Attribute(value=given)), _] if _same(
            held, owner
        ):
            return "extend", [given]
        case _:
            return "insert", args


def _end_of(owner: t.Expr, args: list[t.Expr]) -> str:
    """`q.erase(q.begin())` and `q.erase(q.end() - 1)` take from an end."""
    match args:
        case [t.Call(func=t.Attribute(value=held, attr="begin"))] if _same(held, owner):
            return "popleft"
        case [t.BinOp(left=t.Call(func=t.Attribute(value=held, attr="end")), op="-", right=t.Constant(value=1))] if (
            _same(held, owner)
        ):
            return "pop"
        case _:
            return ""


def _sought(given: t.Expr) -> t.Expr:
    """What `erase(find(begin, end, x))` takes out: `x`."""
    match given:
        case t.Call(func=t.Attribute(attr="find" | "remove"), args=[_, _, sought]):
            return sought
        case _:
            return given


def _same(one: t.Expr, other: t.Expr) -> bool:
    name = t.dotted(one)
    return name is not None and name == t.dotted(other)
