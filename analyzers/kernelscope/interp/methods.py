"""Methods of lists, dicts, strings and modules."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kernelscope.dims import Dim
from kernelscope.interp import containers
from kernelscope.interp.attributes import NUMEL, TUPLES, chosen
from kernelscope.interp.autograd import SAVE, SAVED
from kernelscope.interp.calls import call
from kernelscope.interp.circles import apart
from kernelscope.interp.families import layers_by_name, store_under
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import NoSuchWay
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.records import is_sequence, values_of
from kernelscope.interp.sequences import any_of, is_callable, iterated, parts_of, sequence
from kernelscope.interp.texts import BRACES, filled, joined_by
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Copied,
    Function,
    Instance,
    Keywords,
    Opaque,
    Open,
    PlainMethod,
    Sequential,
    Value,
    for_op,
    has_unknown_length,
)
from kernelscope.ops import Module
from kernelscope.tensor import Shape, Unknown
from kernelscope.tensor.size import numel

CHANGING = {"append", "extend", "insert", "pop", "update", "clear", "setdefault", "remove", "reverse", "sort"}
"""Methods that change the list or dict."""


GROWING = {"append", "extend", "add_module", "register_module"}
"""Methods that give a chain of layers more of them."""
TEXT = {("startswith", 1), ("endswith", 1), ("lower", 0), ("upper", 0), ("strip", 0), ("replace", 2), ("split", 0),
        ("split", 1), ("removeprefix", 1), ("removesuffix", 1), ("title", 0), ("isdigit", 0)}  # fmt: skip
"""Methods of texts, with the number of texts that they are given here."""


def call_method(run: Interpreter, target: PlainMethod, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    value, name = target.value, target.name
    if isinstance(value, list | dict) and name in CHANGING:
        run.changes.before(value)
    match value:
        case list() | Alike() | Sequential() if name == "children":  # a chain or a list of layers
            return iterated(run, value)
        case list():
            if name == "append" and args:
                value.append(apart(value, args[0]))
                return None
            if name == "extend" and args:
                value.extend([apart(value, part) for part in sequence(args[0]) or []])
                return None
            if name == "insert" and len(args) == 2:
                at = args[0].const if isinstance(args[0], Dim) else 0
                value.insert(0 if at is None else at, apart(value, args[1]))
                return None
            if name == "copy" and not args:
                return list(value)
            if name == "pop" and value:
                at = args[0].const if args and isinstance(args[0], Dim) else None if args else -1
                if has_unknown_length(value):
                    return any_of(parts_of(value))
                if at is not None and -len(value) <= at < len(value):
                    return value.pop(at)
                value[:] = [any_of(value)] * (len(value) - 1)  # nobody knows which are left
                return value[0] if value else Unknown("an element", span)
        case Alike() if name == "append" and args and run.trace is not None:
            run.trace.collected(value.element, args[0])
            return None
        case Alike() if name == "pop":
            return value.element
        case Copied() if name == SAVE:
            run.changes.before(value)
            value[SAVED] = tuple(args)
            return None
        case dict():
            if name == "get" and args:
                default = args[1] if len(args) > 1 else None
                if isinstance(value, Open) and isinstance(default, Dim) and isinstance(args[0], str):
                    return value.get(args[0], Opaque(args[0], default.const))
                if isinstance(args[0], str):
                    return value.get(args[0], default)
                if isinstance(default, Function):
                    return replace(default, is_default=True)
                return default if is_callable(default) else chosen(list(value.values()), span)
            if name == "pop" and args and isinstance(args[0], str):
                return value.pop(args[0], args[1] if len(args) > 1 else Unknown("a key", span))
            if name in ("items", "values") and any(isinstance(key, Unknown) for key in value):
                held = any_of(parts_of(list(value.values())))
                return Alike(held if name == "values" else (Unknown("a key"), held))
            if name == "items":
                return [(k, v) for k, v in value.items()]
            if name in ("values", "keys"):
                return list(value.values() if name == "values" else value)
            if name == "update" and args and isinstance(args[0], dict):
                value.update({key: apart(value, part) for key, part in args[0].items()})
                return None
            if name == "copy" and not args:
                return Open(value) if isinstance(value, Open) else dict(value)
            if name == "setdefault" and args and isinstance(args[0], str) and not isinstance(value, Open):
                return value.setdefault(args[0], apart(value, args[1]) if len(args) > 1 else None)
        case Sequential() if name in GROWING and args:
            run.changes.before(value.parts)
            if name != "append" and isinstance(args[0], str) and len(value.names) == len(value.parts):
                value.names.append(args[0])
            value.parts += sequence(args[0]) or [] if name == "extend" else [args[-1]]
            return value
        case str():
            if name == "format" and not kwargs and (text := filled(value, BRACES, args, span)) is not None:
                return text
            if name == "join" and len(args) == 1 and isinstance(parts := iterated(run, args[0]), list):
                text = joined_by(value, parts)
                return Unknown("a text that is not known", span) if text is None else text
            is_told = all(isinstance(a, str) and (a or name != "split") for a in args)
            if (name, len(args)) in TEXT and not kwargs and is_told:
                return getattr(value, name)(*args)
        case tuple() if name == NUMEL and all(isinstance(part, Dim | Opaque) for part in value):
            return numel(for_op(part) for part in value)  # of a part of a shape: `x.shape[:-1].numel()`
        case tuple() if run.forks and name not in TUPLES:
            raise NoSuchWay
        case Shape():
            if name == "numel":
                return value.numel()
        case Instance() if name in ("keys", "values", "items", "to_tuple") and is_sequence(run, value):
            held = values_of(run, value)
            if name == "items":
                return list(held.items())
            return list(held) if name == "keys" else tuple(held.values())
        case Instance() if containers.is_method(run, value, name):
            held = containers.contents(run, value)
            if name == "children":
                return list(held.values()) if isinstance(held, dict) else iterated(run, held)
            return call_method(run, PlainMethod(held, name), args, kwargs, span)
        case Instance():
            if name in ("register_buffer", "register_parameter", "add_module") and len(args) >= 2:
                if name == "add_module":
                    containers.put(run, value, args[0], args[1])
                store_under(run, value, args[0], args[1])
                return None
            if name in ("to", "cuda", "eval", "train", "half", "float", "bfloat16", "requires_grad_"):
                return value
            is_there = value.is_module and not value.is_being_made  # in its constructor layers would be made too deep
            if name in ("children", "named_children") and is_there:
                prepare(run, value)
                if (layers := layers_by_name(run, value)) is None:
                    return Unknown("layers of names that are not known", span)
                return list(layers.values()) if name == "children" else list(layers.items())
            if name == "__init__":
                return None
        case _:
            pass
    if isinstance(value, Module) and name in ("forward", "__call__"):
        return call(run, value, args, kwargs, span)
    return Unknown(f"the method {name} is not followed", span)
