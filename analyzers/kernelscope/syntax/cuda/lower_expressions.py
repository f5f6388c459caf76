"""Tree-sitter nodes of C++ expressions and types to lowered ones.

Never fails: what did not parse, and what is nested deeper than `MAX_DEPTH`, becomes `Broken`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tree_sitter import Node as Raw

from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t

MAX_DEPTH = 120
_CASTS = frozenset(("static_cast", "reinterpret_cast", "const_cast", "dynamic_cast"))
_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)(?:[uU]?[lLzZ]{0,2}[uU]?)\Z")
_WORDS: dict[str, str] = {"and": "&&", "or": "||", "not": "!", "bitand": "&", "bitor": "|", "xor": "^", "compl": "~"}
_SKIPPED = frozenset(("comment", "line_continuation", "attribute_specifier", "attribute_declaration"))


def span_of(raw: Raw) -> Span:
    return Span(raw.start_byte, raw.end_byte)


def text_of(raw: Raw | None) -> str:
    text = raw.text if raw is not None else None
    return text.decode("utf-8", "replace") if text is not None else ""


def operands(raw: Raw) -> list[Raw]:
    """Named children without comments and attributes."""
    return [child for child in raw.named_children if child.type not in _SKIPPED]


def expression(raw: Raw | None, depth: int, parent: Span) -> t.Expr:
    """Lower one expression; `parent` places what is missing."""
    if raw is None:
        return t.Broken("missing expression", parent)
    if raw.is_missing:
        return t.Broken("missing expression", span_of(raw))
    if depth > MAX_DEPTH:
        return t.Broken("nested too deeply", span_of(raw))
    lower = _LOWER.get(raw.type)
    if lower is None:
        return t.Broken("syntax error" if raw.type == "ERROR" else f"unexpected {raw.type}", span_of(raw))
    return lower(raw, depth + 1)


def _field(raw: Raw, name: str, depth: int) -> t.Expr:
    return expression(raw.child_by_field_name(name), depth, span_of(raw))


def _all(raw: Raw | None, depth: int) -> list[t.Expr]:
    return [] if raw is None else [expression(child, depth, span_of(raw)) for child in operands(raw)]


def _name(raw: Raw, depth: int) -> t.Expr:
    return t.Name(text_of(raw), span_of(raw))


def _number(raw: Raw, depth: int) -> t.Expr:
    text = text_of(raw).replace("'", "")
    if match := _INTEGER.match(text):
        digits = match[1]
        octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
        if octal and ("8" in digits or "9" in digits):
            return t.Broken("not a number", span_of(raw))
        return t.Number(int(digits, 8 if octal else 0), span_of(raw))
    try:
        return t.Number(float(text.rstrip("fFlLhH")), span_of(raw))
    except ValueError:
        return t.Broken("not a number", span_of(raw))


def _word(value: int) -> Callable[[Raw, int], t.Expr]:
    return lambda raw, depth: t.Number(value, span_of(raw))


def _character(raw: Raw, depth: int) -> t.Expr:
    text = text_of(raw).strip("'")
    return t.Number(ord(text), span_of(raw)) if len(text) == 1 else t.Broken("a character", span_of(raw))


def _text(raw: Raw, depth: int) -> t.Expr:
    parts = [raw] if raw.type == "string_literal" else operands(raw)
    value = "".join(text_of(inner) for part in parts for inner in part.named_children)
    return t.Text(value, span_of(raw))


def _qualified(raw: Raw, depth: int) -> t.Expr:
    """`a::b::c<T>`: the last name with everything before it as its scope."""
    scope: list[str] = []
    node: Raw | None = raw
    while node is not None and node.type == "qualified_identifier":
        scope.append(text_of(node.child_by_field_name("scope")))
        node = node.child_by_field_name("name")
    if node is None:
        return t.Broken("missing name", span_of(raw))
    inner = expression(node, depth, span_of(raw))
    if isinstance(inner, t.Name):
        inner.scope = "::".join(part for part in scope if part)
        inner.span = span_of(raw)
        return inner
    return t.Name(text_of(node), span_of(raw), "::".join(part for part in scope if part))


def _template_name(raw: Raw, depth: int) -> t.Expr:
    name = text_of(raw.child_by_field_name("name"))
    return t.Name(name, span_of(raw), "", template_arguments(raw.child_by_field_name("arguments"), depth))


def template_arguments(raw: Raw | None, depth: int) -> tuple[t.Expr | t.TypeName, ...]:
    """Arguments in angle brackets; a bare name may mean a type or a value, and is read as a type."""
    if raw is None:
        return ()
    return tuple(
        type_descriptor(child, depth) if child.type == "type_descriptor" else expression(child, depth, span_of(raw))
        for child in operands(raw)
    )


def _member(raw: Raw, depth: int) -> t.Expr:
    name = raw.child_by_field_name("field")
    arguments: tuple[t.Expr | t.TypeName, ...] = ()
    if name is not None and name.type == "dependent_name":
        name = next(iter(operands(name)), name)
    if name is not None and name.type in ("template_method", "template_function"):
        arguments = template_arguments(name.child_by_field_name("arguments"), depth)
        name = name.child_by_field_name("name")
    operator = raw.child_by_field_name("operator")
    arrow = text_of(operator).startswith("->")
    where = span_of(name) if name is not None else span_of(raw)
    return t.Member(_field(raw, "argument", depth), text_of(name), arrow, where, span_of(raw), arguments)


def _subscript(raw: Raw, depth: int) -> t.Expr:
    indices = raw.child_by_field_name("indices")
    missing = t.Broken("missing index", span_of(raw))
    return t.Subscript(_field(raw, "argument", depth), _all(indices, depth) or [missing], span_of(raw))


def _call(raw: Raw, depth: int) -> t.Expr:
    func = raw.child_by_field_name("function")
    arguments = _all(raw.child_by_field_name("arguments"), depth)
    configuration = next((c for c in raw.named_children if c.type == "kernel_call_syntax"), None)
    if configuration is not None:
        return t.Launch(expression(func, depth, span_of(raw)), _all(configuration, depth), arguments, span_of(raw))
    if func is not None and func.type == "primitive_type" and len(arguments) == 1:
        return t.Cast(t.TypeName(text_of(func), span_of(func)), arguments[0], span_of(raw))
    callee = expression(func, depth, span_of(raw))
    if isinstance(callee, t.Name) and callee.id in _CASTS and len(callee.arguments) == 1 and len(arguments) == 1:
        target = callee.arguments[0]
        if isinstance(target, t.TypeName):
            return t.Cast(target, arguments[0], span_of(raw))
    return t.Call(callee, arguments, span_of(raw))


def _primitive(raw: Raw, depth: int) -> t.Expr:
    return t.Name(text_of(raw), span_of(raw))


def _cast(raw: Raw, depth: int) -> t.Expr:
    kind = raw.child_by_field_name("type")
    if kind is None:
        return t.Broken("missing type", span_of(raw))
    return t.Cast(type_descriptor(kind, depth), _field(raw, "value", depth), span_of(raw))


def _braced_type(raw: Raw, depth: int) -> t.Expr:
    kind = raw.child_by_field_name("type")
    name = type_name(kind, depth) if kind is not None else None
    return t.Braced(name, _all(raw.child_by_field_name("value"), depth), span_of(raw))


def _braced(raw: Raw, depth: int) -> t.Expr:
    return t.Braced(None, _all(raw, depth), span_of(raw))


def _designated(raw: Raw, depth: int) -> t.Expr:
    return _field(raw, "value", depth)


def _operator(raw: Raw) -> str:
    text = text_of(raw.child_by_field_name("operator"))
    return _WORDS.get(text, text)


def _unary(raw: Raw, depth: int) -> t.Expr:
    return t.Unary(_operator(raw), _field(raw, "argument", depth), span_of(raw))


def _step(raw: Raw, depth: int) -> t.Expr:
    prefix = bool(raw.children) and not raw.children[0].is_named
    return t.Step(_operator(raw), _field(raw, "argument", depth), prefix, span_of(raw))


def _binary(raw: Raw, depth: int) -> t.Expr:
    """Chains of one level are as deep as they are long, so the left side is followed without recursion."""
    chain: list[Raw] = []
    left: Raw | None = raw
    while left is not None and left.type == "binary_expression":
        chain.append(left)
        left = left.child_by_field_name("left")
    result = expression(left, depth, span_of(raw))
    for node in reversed(chain):
        result = t.Binary(result, _operator(node), _field(node, "right", depth), span_of(node))
    return result


def _comma(raw: Raw, depth: int) -> t.Expr:
    return t.Binary(_field(raw, "left", depth), ",", _field(raw, "right", depth), span_of(raw))


def _assign(raw: Raw, depth: int) -> t.Expr:
    return t.Assign(_field(raw, "left", depth), _operator(raw), _field(raw, "right", depth), span_of(raw))


def _conditional(raw: Raw, depth: int) -> t.Expr:
    return t.Conditional(
        _field(raw, "condition", depth), _field(raw, "consequence", depth), _field(raw, "alternative", depth),
        span_of(raw),
    )  # fmt: skip


def _parenthesised(raw: Raw, depth: int) -> t.Expr:
    found = operands(raw)
    return expression(found[0] if found else None, depth, span_of(raw))


def _size_of(raw: Raw, depth: int) -> t.Expr:
    if any(child.type == "..." for child in raw.children):  # how many there are in a pack
        return t.Name(f"sizeof...({text_of(raw.child_by_field_name('value'))})", span_of(raw))
    kind = raw.child_by_field_name("type")
    if kind is not None:
        return t.SizeOf(type_descriptor(kind, depth), span_of(raw))
    return t.SizeOf(_field(raw, "value", depth), span_of(raw))


def _lambda(raw: Raw, depth: int) -> t.Expr:
    from kernelscope.syntax.cuda.lower_parameters import parameters
    from kernelscope.syntax.cuda.lower_statements import block

    declarator = raw.child_by_field_name("declarator")
    params = parameters(declarator.child_by_field_name("parameters") if declarator is not None else None, depth)
    body = raw.child_by_field_name("body")
    return t.Lambda(params, block(body, depth) if body is not None else [], span_of(raw))


# -- types ------------------------------------------------------------------------------------------------------


def type_descriptor(raw: Raw, depth: int) -> t.TypeName:
    """`const T*`, as in casts and template arguments."""
    kind = raw.child_by_field_name("type")
    result = type_name(kind, depth) if kind is not None else t.TypeName("", span_of(raw))
    result.layers = layers(raw.child_by_field_name("declarator"), depth)[1]
    result.span = span_of(raw)
    return result


def type_name(raw: Raw, depth: int) -> t.TypeName:
    """A type without its declarators."""
    if depth > MAX_DEPTH:
        return t.TypeName("", span_of(raw))
    if raw.type == "sized_type_specifier":
        return t.TypeName(" ".join(text_of(raw).split()), span_of(raw))
    if raw.type == "placeholder_type_specifier":
        return t.TypeName("auto", span_of(raw))
    if raw.type == "dependent_type":
        inner = operands(raw)
        return type_name(inner[0], depth + 1) if inner else t.TypeName("", span_of(raw))
    if raw.type in ("struct_specifier", "class_specifier", "union_specifier", "enum_specifier"):
        name = raw.child_by_field_name("name")
        return type_name(name, depth + 1) if name is not None else t.TypeName("", span_of(raw))
    scope: list[str] = []
    node: Raw | None = raw
    while node is not None and node.type == "qualified_identifier":
        scope.append(text_of(node.child_by_field_name("scope")))
        node = node.child_by_field_name("name")
    if node is None:
        return t.TypeName("", span_of(raw))
    if node.type == "dependent_name":
        node = next(iter(operands(node)), node)
    arguments: tuple[t.Expr | t.TypeName, ...] = ()
    if node.type in ("template_type", "template_function"):
        arguments = template_arguments(node.child_by_field_name("arguments"), depth + 1)
        node = node.child_by_field_name("name")
    base = text_of(node) if node is None or node.type != "decltype" else "auto"
    return t.TypeName(base, span_of(raw), "::".join(part for part in scope if part), arguments)


_POINTER = frozenset(("pointer_declarator", "abstract_pointer_declarator"))
_REFERENCE = frozenset(("reference_declarator", "abstract_reference_declarator"))
_ARRAY = frozenset(("array_declarator", "abstract_array_declarator"))
_INNER = frozenset((
    "pointer_declarator", "reference_declarator", "array_declarator", "parenthesized_declarator", "identifier",
    "abstract_pointer_declarator", "abstract_reference_declarator", "abstract_array_declarator",
    "abstract_parenthesized_declarator", "function_declarator", "abstract_function_declarator", "field_identifier",
    "type_identifier", "init_declarator", "attributed_declarator", "variadic_declarator", "qualified_identifier",
    "operator_name", "destructor_name", "template_function", "structured_binding_declarator", "operator_cast",
))  # fmt: skip


def layers(raw: Raw | None, depth: int) -> tuple[Raw | None, tuple[t.Layer, ...]]:
    """The node that a declarator names, and the layers from that name outwards."""
    found: list[t.Layer] = []
    for _ in range(MAX_DEPTH):
        if raw is None:
            break
        if raw.type in _POINTER:
            found.append("*")
        elif raw.type in _REFERENCE:
            found.append("&")
        elif raw.type in _ARRAY:
            size = raw.child_by_field_name("size")
            found.append(t.ArrayOf(expression(size, depth + 1, span_of(raw)) if size is not None else None))
        elif raw.type not in (
            "parenthesized_declarator", "abstract_parenthesized_declarator", "attributed_declarator",
            "variadic_declarator",
        ):  # fmt: skip
            break
        inner = raw.child_by_field_name("declarator")
        raw = inner if inner is not None else next((c for c in raw.named_children if c.type in _INNER), None)
    return raw, tuple(reversed(found))


_LOWER: dict[str, Callable[[Raw, int], t.Expr]] = {
    "identifier": _name,
    "this": _name,
    "field_identifier": _name,
    "type_identifier": _name,
    "namespace_identifier": _name,
    "primitive_type": _primitive,
    "qualified_identifier": _qualified,
    "template_function": _template_name,
    "template_type": _template_name,
    "template_method": _template_name,
    "number_literal": _number,
    "true": _word(1),
    "false": _word(0),
    "null": _word(0),
    "nullptr": _word(0),
    "char_literal": _character,
    "string_literal": _text,
    "concatenated_string": _text,
    "field_expression": _member,
    "subscript_expression": _subscript,
    "call_expression": _call,
    "cast_expression": _cast,
    "compound_literal_expression": _braced_type,
    "initializer_list": _braced,
    "initializer_pair": _designated,
    "pointer_expression": _unary,
    "unary_expression": _unary,
    "update_expression": _step,
    "binary_expression": _binary,
    "comma_expression": _comma,
    "assignment_expression": _assign,
    "conditional_expression": _conditional,
    "parenthesized_expression": _parenthesised,
    "condition_clause": _parenthesised,
    "sizeof_expression": _size_of,
    "alignof_expression": _size_of,
    "lambda_expression": _lambda,
}
