"""Parameters of functions and templates to lowered ones, with what qualifies a declaration."""

from __future__ import annotations

from tree_sitter import Node as Raw

from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.lower_expressions import (
    expression,
    layers,
    operands,
    span_of,
    text_of,
    type_descriptor,
    type_name,
)

QUALIFIERS = frozenset(("type_qualifier", "storage_class_specifier", "virtual_specifier", "virtual"))

WORDS = frozenset(("__global__", "__device__", "__host__", "__forceinline__", "__noinline__"))


def parameters(raw: Raw | None, depth: int) -> list[t.Param]:
    """The parameters of a function or lambda; unnamed ones have an empty name."""
    found: list[t.Param] = []
    for child in operands(raw) if raw is not None else ():
        kind = child.child_by_field_name("type")
        if kind is None or (child.type == "parameter_declaration" and text_of(child) == "void"):
            continue
        name, around = layers(child.child_by_field_name("declarator"), depth)
        type_of = type_name(kind, depth)
        type_of.layers = around
        default = child.child_by_field_name("default_value")
        value = expression(default, depth, span_of(child)) if default is not None else None
        where = span_of(name) if name is not None else span_of(child)
        named = name is not None and name.type in ("identifier", "field_identifier")
        found.append(t.Param(text_of(name) if named else "", type_of, value, qualifiers_of(child), where))
    return found


def template_parameters(raw: Raw | None, depth: int) -> list[t.TemplateParam]:
    found: list[t.TemplateParam] = []
    for child in operands(raw) if raw is not None else ():
        pack = "variadic" in child.type
        default = child.child_by_field_name("default_value") or child.child_by_field_name("default_type")
        kind = child.child_by_field_name("type")
        if "type_parameter" in child.type:
            name = child.child_by_field_name("name") or next(
                (c for c in child.named_children if c.type == "type_identifier"), None
            )
            value = type_descriptor(default, depth) if default is not None else None
            if value is not None and not value.base and default is not None:
                value = type_name(default, depth)
            found.append(t.TemplateParam(text_of(name), None, value, span_of(child), pack))
        elif kind is not None:
            name, _ = layers(child.child_by_field_name("declarator"), depth)
            number = expression(default, depth, span_of(child)) if default is not None else None
            found.append(t.TemplateParam(text_of(name), type_name(kind, depth), number, span_of(child), pack))
    return found


def qualifiers_of(raw: Raw) -> frozenset[str]:
    words = [text_of(child) for child in raw.children if child.type in QUALIFIERS or child.type in WORDS]
    return frozenset(word for text in words for word in text.split())
