"""Tree-sitter nodes of C++ statements and declarations to lowered ones.

Never fails: a statement that did not parse becomes `Broken` and spoils nothing around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tree_sitter import Node as Raw

from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.lower_expressions import (
    MAX_DEPTH,
    expression,
    layers,
    operands,
    span_of,
    template_arguments,
    text_of,
    type_descriptor,
    type_name,
)
from kernelscope.syntax.cuda.lower_parameters import parameters, qualifiers_of, template_parameters

_DECLARATORS = frozenset((
    "identifier", "field_identifier", "init_declarator", "pointer_declarator", "reference_declarator",
    "array_declarator", "parenthesized_declarator", "function_declarator", "structured_binding_declarator",
    "type_identifier", "attributed_declarator",
))  # fmt: skip


def block(raw: Raw, depth: int) -> list[t.Stmt]:
    """The statements of a compound statement, or the one statement that stands in its place."""
    if raw.type in ("compound_statement", "declaration_list", "field_declaration_list", "translation_unit"):
        return [node for child in operands(raw) for node in statement(child, depth)]
    return list(statement(raw, depth))


def statement(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """What one node lowers to: a declaration of several names gives several statements."""
    if depth > MAX_DEPTH:
        yield t.Broken("nested too deeply", span_of(raw))
        return
    lower = _LOWER.get(raw.type)
    if lower is not None:
        yield from lower(raw, depth + 1)
    elif raw.type == "ERROR":
        yield t.Broken("syntax error", span_of(raw))


# -- declarations -----------------------------------------------------------------------------------------------


def declaration(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    kind = raw.child_by_field_name("type")
    if kind is None:
        yield t.Broken("missing type", span_of(raw))
        return
    if kind.type in _TYPES and kind.child_by_field_name("body") is not None:
        for struct in _struct(kind, depth, []):
            if isinstance(struct, t.Struct) and not struct.name and raw.child_by_field_name("declarator") is not None:
                struct.name = _unnamed(kind)
            yield struct
    qualifiers = qualifiers_of(raw)
    for child in raw.named_children:
        if child.type in _DECLARATORS and child != kind:
            yield from _declared(raw, child, kind, qualifiers, depth)


def _unnamed(kind: Raw) -> str:
    """What stands for the name of a struct that only its variables name."""
    return f"{kind.type.partition('_')[0]} at {kind.start_byte}"


def _declared(raw: Raw, child: Raw, kind: Raw, qualifiers: frozenset[str], depth: int) -> Iterator[t.Stmt]:
    span = span_of(raw) if child.type != "init_declarator" else span_of(child)
    value: t.Expr | None = None
    declarator: Raw | None = child
    if child.type == "init_declarator":
        declarator = child.child_by_field_name("declarator")
        given = child.child_by_field_name("value")
        if given is not None and given.type == "argument_list":
            items = [expression(item, depth, span) for item in operands(given)]
            value = items[0] if len(items) == 1 else t.Braced(None, items, span_of(given))
        else:
            value = expression(given, depth, span)
    else:
        given = raw.child_by_field_name("default_value")
        value = expression(given, depth, span) if given is not None else None
    name, found = layers(declarator, depth)
    if name is None:
        return
    if name.type == "structured_binding_declarator":
        names = [t.Name(text_of(item), span_of(item)) for item in operands(name)]
        yield t.Bindings(names, value or t.Broken("missing value", span), span)
        return
    if name.type == "function_declarator":
        constructed = _constructed(name, depth) if raw.type != "field_declaration" else None
        if constructed is None or constructed[0].type == "operator_name":
            return  # a function's declaration, as that of a method is
        name, value = constructed
    type_of = type_name(kind, depth)
    type_of.layers = found
    if not type_of.base and kind.type in _TYPES:
        type_of.base = _unnamed(kind)
    yield t.Declare(text_of(name), type_of, value, qualifiers, span_of(name), span)


def _constructed(raw: Raw, depth: int) -> tuple[Raw, t.Expr] | None:
    """`Foo foo(a, b);` parses as a function's declaration; where every parameter is a bare name, it is a value."""
    name, found = layers(raw.child_by_field_name("declarator"), depth)
    given = raw.child_by_field_name("parameters")
    if name is None or given is None or found:
        return None
    items: list[t.Expr] = []
    for param in operands(given):
        kind = param.child_by_field_name("type")
        if kind is None or kind.type != "type_identifier" or len(param.named_children) != 1:
            return None
        items.append(t.Name(text_of(kind), span_of(kind)))
    return (name, t.Braced(None, items, span_of(given))) if items else None


def _conversion(raw: Raw, declarator: Raw, depth: int, template: list[t.TemplateParam]) -> Iterator[t.Stmt]:
    """`operator float *() { … }`, a method named `operator float*`."""
    body, kind = raw.child_by_field_name("body"), declarator.child_by_field_name("type")
    if body is None or kind is None:
        return
    returns = type_name(kind, depth)
    around = declarator.child_by_field_name("declarator")
    while around is not None and around.type != "abstract_function_declarator":
        returns.layers = ("*" if "pointer" in around.type else "&", *returns.layers)
        around = around.child_by_field_name("declarator")
    name = f"operator {returns.base}{'*' * returns.layers.count('*')}"
    yield t.Function(
        name, "", template, [], returns, qualifiers_of(raw), span_of(declarator), span_of(raw), lambda: block(body, 0)
    )


def _function(raw: Raw, depth: int, template: list[t.TemplateParam]) -> Iterator[t.Stmt]:
    cast = raw.child_by_field_name("declarator")
    if cast is not None and cast.type == "operator_cast":
        yield from _conversion(raw, cast, depth, template)
        return
    declarator, around = layers(raw.child_by_field_name("declarator"), depth)
    body = raw.child_by_field_name("body")
    if declarator is None or declarator.type != "function_declarator" or body is None:
        return
    name, _ = layers(declarator.child_by_field_name("declarator"), depth)
    scope: list[str] = []
    while name is not None and name.type == "qualified_identifier":
        scope.append(text_of(name.child_by_field_name("scope")))
        name = name.child_by_field_name("name")
    special: tuple[t.Expr | t.TypeName, ...] = ()
    if name is not None and name.type == "template_function":
        special = template_arguments(name.child_by_field_name("arguments"), depth)
        name = name.child_by_field_name("name")
    if name is None:
        return
    kind = raw.child_by_field_name("type")
    returns = type_name(kind, depth) if kind is not None else None
    if returns is not None:
        returns.layers = around
    params = parameters(declarator.child_by_field_name("parameters"), depth)
    yield t.Function(
        "".join(text_of(name).split()), "::".join(scope), template, params, returns, qualifiers_of(raw),
        span_of(name), span_of(raw), lambda: block(body, 0), list(_initialisers(raw, depth)), special,
    )  # fmt: skip


def _initialisers(raw: Raw, depth: int) -> Iterator[tuple[str, list[t.Expr]]]:
    for child in raw.named_children:
        for item in child.named_children if child.type == "field_initializer_list" else ():
            parts = operands(item)
            if item.type == "field_initializer" and len(parts) > 1:
                given = [expression(value, depth, span_of(item)) for value in operands(parts[1])]
                yield text_of(parts[0]), given


def _template(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    params = template_parameters(raw.child_by_field_name("parameters"), depth)
    for child in operands(raw):
        if child.type == "function_definition":
            yield from _function(child, depth, params)
        elif child.type == "template_declaration":
            yield from _template(child, depth + 1)
        elif child.type in _TYPES:
            yield from _struct(child, depth, params)
        elif child.type == "alias_declaration":
            yield from _using(child, depth)
        elif child.type == "declaration":
            for node in declaration(child, depth):
                if isinstance(node, t.Declare | t.Struct):
                    yield node


_TYPES = frozenset(("struct_specifier", "class_specifier", "union_specifier"))


def _struct(raw: Raw, depth: int, template: list[t.TemplateParam]) -> Iterator[t.Stmt]:
    body = raw.child_by_field_name("body")
    name = raw.child_by_field_name("name")
    if body is None:
        return
    named = type_name(name, depth) if name is not None else t.TypeName("", span_of(raw))
    bases: list[t.TypeName] = []
    for clause in raw.named_children:
        if clause.type == "base_class_clause":
            bases += [type_name(c, depth) for c in clause.named_children if "type" in c.type or "qualified" in c.type]
    yield t.Struct(
        named.base, named.scope, template, named.arguments, bases, raw.type.partition("_")[0], named.span,
        span_of(raw), lambda: block(body, 0), asks_alignment=lambda: "align" in text_of(raw).lower(),
    )  # fmt: skip


def _struct_alone(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    yield from _struct(raw, depth, [])


def _enum(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """Enumerators as constants; one without a value counts on from the one before."""
    body = raw.child_by_field_name("body")
    named = raw.child_by_field_name("name")
    enumeration = text_of(named) if named is not None else ""
    scoped = any(child.type in ("class", "struct") for child in raw.children)
    before: t.Expr = t.Number(-1, span_of(raw))
    for item in operands(body) if body is not None else ():
        name, given = item.child_by_field_name("name"), item.child_by_field_name("value")
        if name is None:
            continue
        span = span_of(item)
        value = expression(given, depth, span) if given is not None else t.Binary(before, "+", t.Number(1, span), span)
        before = value
        kind = t.TypeName("int", span)
        words = frozenset(("constexpr", "static"))
        yield t.Declare(text_of(name), kind, value, words, span_of(name), span, "", enumeration, scoped)


def _function_alone(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    yield from _function(raw, depth, [])


def _using(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    name, kind = raw.child_by_field_name("name"), raw.child_by_field_name("type")
    if name is not None and kind is not None:
        yield t.Using(text_of(name), type_descriptor(kind, depth), span_of(raw))


def _taken(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """`using a::b::name;`, which may name a type."""
    found = operands(raw)
    if found and found[0].type == "qualified_identifier" and raw.children[1].type != "namespace":
        kind = type_name(found[0], depth)
        yield t.Using(kind.base, kind, span_of(raw))


def _typedef(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    kind = raw.child_by_field_name("type")
    if kind is None:
        return
    yield from _struct(kind, depth, []) if kind.type in _TYPES else ()
    for child in raw.children_by_field_name("declarator"):
        name, around = layers(child, depth)
        type_of = type_name(kind, depth)
        type_of.layers = around
        if name is not None and not type_of.base and kind.type in _TYPES:
            for struct in _struct(kind, depth, []):
                assert isinstance(struct, t.Struct)
                struct.name = text_of(name)
                yield struct
        elif name is not None and text_of(name).isidentifier():  # else of a function, which is no type of a value
            yield t.Using(text_of(name), type_of, span_of(raw))


# -- control flow -----------------------------------------------------------------------------------------------


def _express(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    found = operands(raw)
    if not found:
        return
    if found[0].type == "gnu_asm_expression":
        yield _asm(found[0], depth)
        return
    value = expression(found[0], depth, span_of(raw))
    yield _array_pointer(value) or t.Express(value, span_of(raw))


def _array_pointer(value: t.Expr) -> t.Stmt | None:
    """`float (*tile)[32] = p;` parses as an assignment to a subscript of a cast; it declares."""
    if not (isinstance(value, t.Assign) and value.op == "=" and isinstance(value.target, t.Subscript)):
        return None
    sizes: list[t.Layer] = []
    target: t.Expr = value.target
    while isinstance(target, t.Subscript):
        sizes[:0] = [t.ArrayOf(size) for size in target.indices]
        target = target.value
    if isinstance(target, t.Call) and isinstance(target.func, t.Name) and len(target.args) == 1:
        base, inner = target.func.id, target.args[0]
    elif isinstance(target, t.Cast) and target.span.start == target.type.span.start:
        base, inner = target.type.base, target.operand
    else:
        return None
    if not (isinstance(inner, t.Unary) and inner.op in "*&" and isinstance(inner.operand, t.Name)):
        return None
    layer: t.Layer = "*" if inner.op == "*" else "&"
    kind = t.TypeName(base, target.span, layers=(layer, *sizes))
    return t.Declare(inner.operand.id, kind, value.value, frozenset(), inner.operand.span, value.span)


def _asm(raw: Raw, depth: int) -> t.Asm:
    code = raw.child_by_field_name("assembly_code")
    text = expression(code, depth, span_of(raw))
    sides: dict[str, list[tuple[str, t.Expr]]] = {"output_operands": [], "input_operands": []}
    for side, found in sides.items():
        given = raw.child_by_field_name(side)
        for item in operands(given) if given is not None else ():
            constraint = expression(item.child_by_field_name("constraint"), depth, span_of(item))
            value = expression(item.child_by_field_name("value"), depth, span_of(item))
            found.append((constraint.value if isinstance(constraint, t.Text) else "", value))
    return t.Asm(
        text.value if isinstance(text, t.Text) else "", sides["output_operands"], sides["input_operands"], span_of(raw)
    )


def _condition(raw: Raw, depth: int) -> tuple[list[t.Stmt], t.Expr]:
    """Declarations in a condition's brackets, and the test."""
    clause = raw.child_by_field_name("condition")
    if clause is None:
        return [], t.Broken("missing condition", span_of(raw))
    value = clause.child_by_field_name("value")
    setup = [
        node
        for child in clause.named_children
        if child.type == "init_statement"
        for inner in operands(child)
        for node in statement(inner, depth)
    ]
    if value is not None and value.type == "declaration":
        declared = list(declaration(value, depth))
        last = declared[-1] if declared else None
        if isinstance(last, t.Declare):
            return [*setup, *declared], t.Name(last.name, last.name_span)
    return setup, expression(value if value is not None else clause, depth, span_of(raw))


def _body(raw: Raw | None, depth: int) -> list[t.Stmt]:
    return block(raw, depth) if raw is not None else []


def _if(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """Long chains of `else if` are followed without recursion."""
    chain: list[Raw] = []
    last: Raw | None = raw
    while last is not None and last.type == "if_statement":
        chain.append(last)
        clause = last.child_by_field_name("alternative")
        inner = operands(clause) if clause is not None and clause.type == "else_clause" else [clause]
        last = inner[0] if inner else None
    orelse: list[t.Stmt] = _body(last, depth)
    for node in reversed(chain):
        setup, test = _condition(node, depth)
        body = _body(node.child_by_field_name("consequence"), depth)
        orelse = list[t.Stmt]([t.If(setup, test, body, orelse, span_of(node))])
    yield from orelse


def _for(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    given = raw.child_by_field_name("initializer")
    setup: list[t.Stmt] = []
    if given is not None:
        setup = list(statement(given, depth))
        if not setup and given.type != "ERROR":
            setup = [t.Express(expression(given, depth, span_of(raw)), span_of(given))]
    test, step = raw.child_by_field_name("condition"), raw.child_by_field_name("update")
    yield t.For(
        setup,
        expression(test, depth, span_of(raw)) if test is not None else None,
        expression(step, depth, span_of(raw)) if step is not None else None,
        _body(raw.child_by_field_name("body"), depth),
        span_of(raw),
    )


def _for_each(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    kind = raw.child_by_field_name("type")
    name, around = layers(raw.child_by_field_name("declarator"), depth)
    if kind is None or name is None:
        yield t.Broken("a loop over values", span_of(raw))
        return
    type_of = type_name(kind, depth)
    type_of.layers = around
    target = t.Declare(text_of(name), type_of, None, frozenset(), span_of(name), span_of(raw))
    values = expression(raw.child_by_field_name("right"), depth, span_of(raw))
    yield t.ForEach(target, values, _body(raw.child_by_field_name("body"), depth), span_of(raw))


def _while(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    setup, test = _condition(raw, depth)
    yield from setup
    yield t.While(test, _body(raw.child_by_field_name("body"), depth), span_of(raw), raw.type == "do_statement")


def _switch(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    setup, subject = _condition(raw, depth)
    yield from setup
    cases: list[t.Case] = []
    body = raw.child_by_field_name("body")
    for child in operands(body) if body is not None else ():
        if child.type != "case_statement":
            continue
        value = child.child_by_field_name("value")
        inside = [node for c in operands(child) if c != value for node in statement(c, depth)]
        cases.append(t.Case(expression(value, depth, span_of(child)) if value is not None else None, inside,
                            span_of(child)))  # fmt: skip
    yield t.Switch(subject, cases, span_of(raw))


def _return(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    found = operands(raw)
    yield t.Return(expression(found[0], depth, span_of(raw)) if found else None, span_of(raw))


def _jump(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    yield t.Jump(raw.type.partition("_")[0], span_of(raw))


def _block(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    yield t.Block(block(raw, depth), span_of(raw))


def _inside(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """What only wraps statements: labels, attributes, linkage."""
    for child in operands(raw):
        yield from statement(child, depth)


def _namespace(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    body = raw.child_by_field_name("body")
    yield from block(body, depth) if body is not None else ()


def _conditional_source(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """`#if` that nobody decided: its first branch."""
    skipped = {"condition", "name", "alternative"}
    for i, child in enumerate(raw.children):
        if child.is_named and raw.field_name_for_child(i) not in skipped:
            yield from statement(child, depth)


def _definitions_in_error(raw: Raw, depth: int) -> Iterator[t.Stmt]:
    """What parsed inside an `ERROR` node, after a note that something did not."""
    yield t.Broken("syntax error", span_of(raw))
    for child in operands(raw):
        if child.type in _DEFINING:
            yield from statement(child, depth)


_DEFINING = frozenset(("declaration", "function_definition", "template_declaration", "expression_statement",
                       "for_statement", "if_statement", "while_statement", "compound_statement", "ERROR"))  # fmt: skip

_LOWER: dict[str, Callable[[Raw, int], Iterator[t.Stmt]]] = {
    "declaration": declaration,
    "field_declaration": declaration,
    "function_definition": _function_alone,
    "template_declaration": _template,
    "struct_specifier": _struct_alone,
    "class_specifier": _struct_alone,
    "union_specifier": _struct_alone,
    "enum_specifier": _enum,
    "alias_declaration": _using,
    "using_declaration": _taken,
    "type_definition": _typedef,
    "expression_statement": _express,
    "if_statement": _if,
    "for_statement": _for,
    "for_range_loop": _for_each,
    "while_statement": _while,
    "do_statement": _while,
    "switch_statement": _switch,
    "return_statement": _return,
    "break_statement": _jump,
    "continue_statement": _jump,
    "goto_statement": _jump,
    "compound_statement": _block,
    "labeled_statement": _inside,
    "attributed_statement": _inside,
    "linkage_specification": _namespace,
    "namespace_definition": _namespace,
    "preproc_if": _conditional_source,
    "preproc_ifdef": _conditional_source,
    "ERROR": _definitions_in_error,
}
