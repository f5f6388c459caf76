"""Tree-sitter expression nodes to lowered expressions.

Never fails: what did not parse, and what is nested deeper than `MAX_DEPTH`, becomes `Broken`.
"""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node as Raw

from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.mending import HOLE
from kernelscope.syntax.python.strings import number, unescape

MAX_DEPTH = 100


def span_of(raw: Raw) -> Span:
    return Span(raw.start_byte, raw.end_byte)


def text_of(raw: Raw) -> str:
    return raw.text.decode("utf-8", "replace") if raw.text is not None else ""


def operands(raw: Raw) -> list[Raw]:
    """Named children without comments."""
    return [child for child in raw.named_children if child.type not in ("comment", "line_continuation")]


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


def _optional(raw: Raw, name: str, depth: int) -> t.Expr | None:
    child = raw.child_by_field_name(name)
    return None if child is None else expression(child, depth, span_of(raw))


def _all(raw: Raw, depth: int) -> list[t.Expr]:
    return [expression(child, depth, span_of(raw)) for child in operands(raw)]


def _first(raw: Raw, depth: int) -> t.Expr:
    found = operands(raw)
    return expression(found[0] if found else None, depth, span_of(raw))


def name_or_dotted(raw: Raw) -> t.Expr:
    """A `dotted_name` (in patterns and decorators) as a chain of attributes."""
    parts = [child for child in raw.named_children if child.type == "identifier"]
    if not parts:
        return t.Broken("missing name", span_of(raw))
    node: t.Expr = t.Name(text_of(parts[0]), span_of(parts[0]))
    for part in parts[1:]:
        node = t.Attribute(node, text_of(part), span_of(part), Span(parts[0].start_byte, part.end_byte))
    return node


def _name(raw: Raw, depth: int) -> t.Expr:
    name = text_of(raw)
    return t.Broken("syntax error", span_of(raw)) if name == HOLE else t.Name(name, span_of(raw))


def _number(raw: Raw, depth: int) -> t.Expr:
    value = number(text_of(raw))
    return t.Broken("malformed number", span_of(raw)) if value is None else t.Constant(value, span_of(raw))


def _constant(value: object) -> Callable[[Raw, int], t.Expr]:
    return lambda raw, depth: t.Constant(value, span_of(raw))


def _string_parts(raw: Raw, depth: int) -> list[t.Expr]:
    """Constants and interpolations of one string literal."""
    start = raw.named_children[0] if raw.named_children and raw.named_children[0].type == "string_start" else None
    prefix = text_of(start).rstrip("\"'").lower() if start is not None else ""
    parts: list[t.Expr] = []
    for child in raw.named_children:
        if child.type == "string_content":
            body = text_of(child)
            value = body if "r" in prefix else unescape(body)
            parts.append(t.Constant(value.encode("latin-1", "replace") if "b" in prefix else value, span_of(child)))
        elif child.type == "interpolation":
            parts.append(_field(child, "expression", depth))
    if not parts:
        parts.append(t.Constant(b"" if "b" in prefix else "", span_of(raw)))
    return parts


def _join(parts: list[t.Expr], span: Span) -> t.Expr:
    values = [part.value for part in parts if isinstance(part, t.Constant)]
    if len(values) == len(parts):
        if all(isinstance(value, str) for value in values):
            return t.Constant("".join(str(value) for value in values), span)
        if all(isinstance(value, bytes) for value in values):
            return t.Constant(b"".join(value for value in values if isinstance(value, bytes)), span)
    return t.JoinedStr(parts, span)


def _string(raw: Raw, depth: int) -> t.Expr:
    return _join(_string_parts(raw, depth), span_of(raw))


def _concatenated(raw: Raw, depth: int) -> t.Expr:
    return _join([part for child in operands(raw) for part in _string_parts(child, depth)], span_of(raw))


def _tuple(raw: Raw, depth: int) -> t.Expr:
    return t.Tuple(_all(raw, depth), span_of(raw))


def _tuple_pattern(raw: Raw, depth: int) -> t.Expr:
    """A target in brackets: `for (layer) in layers` binds what `for layer in layers` does; `(layer,)` is a pattern."""
    is_tuple = any(child.type == "," for child in raw.children) or len(operands(raw)) != 1
    return _tuple(raw, depth) if is_tuple else _inner(raw, depth)


def _list(raw: Raw, depth: int) -> t.Expr:
    return t.List(_all(raw, depth), span_of(raw))


def _set(raw: Raw, depth: int) -> t.Expr:
    return t.Set(_all(raw, depth), span_of(raw))


def _dict(raw: Raw, depth: int) -> t.Expr:
    keys: list[t.Expr | None] = []
    values: list[t.Expr] = []
    for child in operands(raw):
        if child.type == "pair":
            keys.append(_field(child, "key", depth))
            values.append(_field(child, "value", depth))
        elif child.type == "dictionary_splat":
            keys.append(None)
            values.append(_first(child, depth))
    return t.Dict(keys, values, span_of(raw))


def _attribute(raw: Raw, depth: int) -> t.Expr:
    attr = raw.child_by_field_name("attribute")
    if attr is None:
        return t.Broken("missing attribute", span_of(raw))
    return _unstarred(
        _field(raw, "object", depth), raw, lambda owner, span: t.Attribute(owner, text_of(attr), span_of(attr), span)
    )


def _unstarred(owner: t.Expr, raw: Raw, made: Callable[[t.Expr, Span], t.Expr]) -> t.Expr:
    """The grammar binds `*` closer than `.`, `[]` and `()`: what is made of `*x` is made of `x`, then starred."""
    if not isinstance(owner, t.Starred):
        return made(owner, span_of(raw))
    return t.Starred(made(owner.value, Span(owner.value.span.start, raw.end_byte)), span_of(raw))


def call_arguments(raw: Raw | None, depth: int) -> tuple[list[t.Expr], list[t.Keyword]]:
    """Positional and keyword arguments of an `argument_list`."""
    args: list[t.Expr] = []
    keywords: list[t.Keyword] = []
    for child in operands(raw) if raw is not None else []:
        if child.type == "keyword_argument":
            name = child.child_by_field_name("name")
            keywords.append(t.Keyword(text_of(name) if name else "", _field(child, "value", depth), span_of(child)))
        elif child.type == "dictionary_splat":
            keywords.append(t.Keyword(None, _first(child, depth), span_of(child)))
        else:
            args.append(expression(child, depth, span_of(child)))
    return args, keywords


def _call(raw: Raw, depth: int) -> t.Expr:
    arguments = raw.child_by_field_name("arguments")
    func = _field(raw, "function", depth)
    if arguments is not None and arguments.type == "generator_expression":
        args, keywords = [expression(arguments, depth, span_of(raw))], list[t.Keyword]()
    else:
        args, keywords = call_arguments(arguments, depth)
    return _unstarred(func, raw, lambda owner, span: t.Call(owner, args, keywords, span))


def _subscript(raw: Raw, depth: int) -> t.Expr:
    indices = [child for child in raw.children_by_field_name("subscript") if child.type != "comment"]
    lowered = [expression(child, depth, span_of(raw)) for child in indices]
    commas = any(child.type == "," for child in raw.children)
    if not lowered:
        index: t.Expr = t.Broken("missing index", span_of(raw))
    elif len(lowered) == 1 and not commas:
        index = lowered[0]
    else:
        index = t.Tuple(lowered, Span(indices[0].start_byte, indices[-1].end_byte))
    return _unstarred(_field(raw, "value", depth), raw, lambda owner, span: t.Subscript(owner, index, span))


def _slice(raw: Raw, depth: int) -> t.Expr:
    parts: list[t.Expr | None] = [None, None, None]
    position = 0
    for child in raw.children:
        if child.type == ":":
            position = min(position + 1, 2)
        elif child.is_named and child.type != "comment":
            parts[position] = expression(child, depth, span_of(raw))
    return t.Slice(parts[0], parts[1], parts[2], span_of(raw))


def _starred(raw: Raw, depth: int) -> t.Expr:
    return t.Starred(_first(raw, depth), span_of(raw))


def _binary(raw: Raw, depth: int) -> t.Expr:
    operator = raw.child_by_field_name("operator")
    op = text_of(operator) if operator else ""
    return t.BinOp(_field(raw, "left", depth), op, _field(raw, "right", depth), span_of(raw))


def _unary(raw: Raw, depth: int) -> t.Expr:
    operator = raw.child_by_field_name("operator")
    operand = _field(raw, "argument", depth)
    op = text_of(operator) if operator else ""
    if op == "-" and isinstance(operand, t.Constant) and isinstance(operand.value, int | float | complex):
        return t.Constant(-operand.value, span_of(raw))
    return t.UnaryOp(op, operand, span_of(raw))


def _not(raw: Raw, depth: int) -> t.Expr:
    return t.UnaryOp("not", _field(raw, "argument", depth), span_of(raw))


def _boolean(raw: Raw, depth: int) -> t.Expr:
    operator = raw.child_by_field_name("operator")
    op = text_of(operator) if operator else "and"
    left, right = _field(raw, "left", depth), _field(raw, "right", depth)
    chained = isinstance(left, t.BoolOp) and left.op == op and left.span.start == raw.start_byte
    values = [*left.values, right] if chained and isinstance(left, t.BoolOp) else [left, right]
    return t.BoolOp(op, values, span_of(raw))


def _compare(raw: Raw, depth: int) -> t.Expr:
    values = _all(raw, depth)
    ops = [" ".join(text_of(child).split()) for child in raw.children_by_field_name("operators")]
    if len(values) != len(ops) + 1:
        return t.Broken("syntax error", span_of(raw))
    return t.Compare(values[0], ops, values[1:], span_of(raw))


def _conditional(raw: Raw, depth: int) -> t.Expr:
    values = _all(raw, depth)
    if len(values) != 3:
        return t.Broken("syntax error", span_of(raw))
    return t.IfExp(values[1], values[0], values[2], span_of(raw))


def _lambda(raw: Raw, depth: int) -> t.Expr:
    return t.Lambda(parameters(raw.child_by_field_name("parameters"), depth), _field(raw, "body", depth), span_of(raw))


def _generators(raw: Raw, depth: int) -> list[t.Comprehension]:
    found: list[t.Comprehension] = []
    for child in raw.named_children:
        if child.type == "for_in_clause":
            target, source = _field(child, "left", depth), _field(child, "right", depth)
            found.append(t.Comprehension(target, source, [], span_of(child)))
        elif child.type == "if_clause" and found:
            found[-1].ifs.append(_first(child, depth))
    return found


def _list_comprehension(raw: Raw, depth: int) -> t.Expr:
    return t.ListComp(_field(raw, "body", depth), _generators(raw, depth), span_of(raw))


def _set_comprehension(raw: Raw, depth: int) -> t.Expr:
    return t.SetComp(_field(raw, "body", depth), _generators(raw, depth), span_of(raw))


def _generator(raw: Raw, depth: int) -> t.Expr:
    return t.GeneratorExp(_field(raw, "body", depth), _generators(raw, depth), span_of(raw))


def _dict_comprehension(raw: Raw, depth: int) -> t.Expr:
    body = raw.child_by_field_name("body")
    if body is None or body.type != "pair":
        return t.Broken("syntax error", span_of(raw))
    return t.DictComp(_field(body, "key", depth), _field(body, "value", depth), _generators(raw, depth), span_of(raw))


def _named(raw: Raw, depth: int) -> t.Expr:
    name = raw.child_by_field_name("name")
    if name is None:
        return t.Broken("syntax error", span_of(raw))
    return t.NamedExpr(t.Name(text_of(name), span_of(name)), _field(raw, "value", depth), span_of(raw))


def _await(raw: Raw, depth: int) -> t.Expr:
    return t.Await(_first(raw, depth), span_of(raw))


def _yield(raw: Raw, depth: int) -> t.Expr:
    value = expression(found[0], depth, span_of(raw)) if (found := operands(raw)) else None
    return t.Yield(value, any(child.type == "from" for child in raw.children), span_of(raw))


def _generic_type(raw: Raw, depth: int) -> t.Expr:
    """`Float[Tensor, "b s"]` in an annotation reads as the subscript that it is."""
    found = operands(raw)
    if len(found) != 2:
        return t.Broken("syntax error", span_of(raw))
    indices = _all(found[1], depth)
    index = indices[0] if len(indices) == 1 else t.Tuple(indices, span_of(found[1]))
    return t.Subscript(expression(found[0], depth, span_of(raw)), index, span_of(raw))


def _union_type(raw: Raw, depth: int) -> t.Expr:
    found = _all(raw, depth)
    return t.BinOp(found[0], "|", found[1], span_of(raw)) if len(found) == 2 else t.Broken("syntax error", span_of(raw))


def _member_type(raw: Raw, depth: int) -> t.Expr:
    found = operands(raw)
    if len(found) != 2:
        return t.Broken("syntax error", span_of(raw))
    value = expression(found[0], depth, span_of(raw))
    return t.Attribute(value, text_of(found[1]), span_of(found[1]), span_of(raw))


def parameters(raw: Raw | None, depth: int) -> list[t.Param]:
    """The parameters of a function or lambda, each with its kind."""
    found: list[t.Param] = []
    kind: t.ParamKind = "normal"
    for child in operands(raw) if raw is not None else []:
        if child.type == "positional_separator":
            for param in found:
                param.kind = "positional" if param.kind == "normal" else param.kind
            continue
        if child.type == "keyword_separator":
            kind = "keyword"
            continue
        param = _parameter(child, kind, depth)
        if param is not None:
            found.append(param)
            kind = "keyword" if param.kind == "args" else kind
    return found


_SPLATS: dict[str, t.ParamKind] = {"list_splat_pattern": "args", "dictionary_splat_pattern": "kwargs"}


def _parameter(raw: Raw, kind: t.ParamKind, depth: int) -> t.Param | None:
    name = raw.child_by_field_name("name")
    if name is None:
        name = raw if raw.type == "identifier" else next(iter(operands(raw)), None)
    if name is not None and name.type in _SPLATS:
        kind, name = _SPLATS[name.type], next(iter(operands(name)), None)
    elif raw.type in _SPLATS:
        kind = _SPLATS[raw.type]
    if name is None or name.type != "identifier" or text_of(name) == HOLE:
        return None
    annotation, default = _optional(raw, "type", depth), _optional(raw, "value", depth)
    return t.Param(text_of(name), annotation, default, kind, span_of(raw), span_of(name))


def _inner(raw: Raw, depth: int) -> t.Expr:
    """Parentheses and `type` wrappers add nothing to what they hold."""
    return _first(raw, depth)


def _case_pattern(raw: Raw, depth: int) -> t.Expr:
    return _first(raw, depth) if operands(raw) else t.Name("_", span_of(raw))


def _dotted(raw: Raw, depth: int) -> t.Expr:
    return name_or_dotted(raw)


_LOWER: dict[str, Callable[[Raw, int], t.Expr]] = {
    "identifier": _name,
    "keyword_identifier": _name,
    "integer": _number,
    "float": _number,
    "true": _constant(True),
    "false": _constant(False),
    "none": _constant(None),
    "ellipsis": _constant(...),
    "string": _string,
    "concatenated_string": _concatenated,
    "tuple": _tuple,
    "tuple_pattern": _tuple_pattern,
    "pattern_list": _tuple,
    "expression_list": _tuple,
    "list": _list,
    "list_pattern": _list,
    "set": _set,
    "dictionary": _dict,
    "attribute": _attribute,
    "call": _call,
    "subscript": _subscript,
    "generic_type": _generic_type,
    "union_type": _union_type,
    "member_type": _member_type,
    "slice": _slice,
    "list_splat": _starred,
    "list_splat_pattern": _starred,
    "parenthesized_list_splat": _inner,
    "binary_operator": _binary,
    "unary_operator": _unary,
    "not_operator": _not,
    "boolean_operator": _boolean,
    "comparison_operator": _compare,
    "conditional_expression": _conditional,
    "lambda": _lambda,
    "list_comprehension": _list_comprehension,
    "set_comprehension": _set_comprehension,
    "generator_expression": _generator,
    "dictionary_comprehension": _dict_comprehension,
    "named_expression": _named,
    "await": _await,
    "yield": _yield,
    "parenthesized_expression": _inner,
    "type": _inner,
    "as_pattern_target": _inner,
    "case_pattern": _case_pattern,
    "dotted_name": _dotted,
}
