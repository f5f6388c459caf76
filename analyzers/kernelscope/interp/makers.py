"""Layers that a constructor is given: what class they are, from the places that make such objects.

`Decoder(width=w, mixer=Mixer(size=w))`: inside a Decoder that is looked at by itself, `mixer` is a Mixer of its width,
and where `nn.Linear(w, 2 * w)` is given, it is one from `width` to `2*width`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kernelscope import ops
from kernelscope.interp.agreement import CALLERS_DIFFER, NOT_TOLD
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import (
    Class,
    External,
    Function,
    Scope,
    Value,
    for_op,
)
from kernelscope.ops import Module
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.usages import CallSite

MAX_SITES = 6
MAX_DEPTH = 3
"""Variables and functions between an argument and the call that makes it."""


@dataclass(frozen=True, slots=True)
class Made:
    """The class of an argument, and which of its own arguments are arguments of the object that it is given to."""

    cls: Definition
    shared: dict[str, str]


def made_for(run: Interpreter, cls: Definition, init: t.FunctionDef, name: str) -> Made | None:
    """What all places that make objects of a class, as far as they tell, give its constructor as a layer to call."""
    if run.certain or not _is_called(cls, init, name):
        return None
    found: Made | None = None
    paths = dict.fromkeys((cls.path, *run.nearby(cls.path).calling(cls.name)))
    for site in run.workspace.usages.calls_in(paths, cls, MAX_SITES):
        given = dict(given_at(site.call, init))
        expression = given.get(name)
        made = None if expression is None else _maker(run, site.path, site.function, expression, MAX_DEPTH)
        if made is None:
            continue
        inner, call, path, function = made
        if found is not None and found.cls.node is not inner.node:
            return None
        is_beside = path == site.path and function is site.function
        found = found or Made(inner, _shared(run, site, given, inner, call) if is_beside else {})
    return found


def layer_for(
    run: Interpreter, cls: Definition, init: t.FunctionDef, name: str, outer: Mapping[str, Value]
) -> Module | None:
    """The torch layer that the places which make objects of a class give its constructor, in the words of `outer`, its
    own arguments; what they do not agree on is not known."""
    if run.certain or not _is_called(cls, init, name):
        return None
    found: Module | None = None
    paths = dict.fromkeys((cls.path, *run.nearby(cls.path).calling(cls.name)))
    for site in run.workspace.usages.calls_in(paths, cls, MAX_SITES):
        given = dict(given_at(site.call, init))
        layer = _layer(run, site, given, name, outer)
        if layer is None:
            continue
        if found is not None and found.name != layer.name:
            return None
        found = layer if found is None else _alike(found, layer)
    return found


def _layer(
    run: Interpreter, site: CallSite, given: Mapping[str, t.Expr], name: str, outer: Mapping[str, Value]
) -> Module | None:
    """The torch layer that one place gives: words that the object is given as well mean what they mean in it."""
    expression = given.get(name)
    if isinstance(expression, t.Name) and site.function is not None:
        bound = [
            node.value
            for node in t.walk(*site.function.body)
            if isinstance(node, t.Assign) and any(t.dotted(target) == expression.id for target in node.targets)
        ]
        expression = bound[0] if len(bound) == 1 else None
    if isinstance(expression, t.IfExp):  # the other may be a layer of the workspace that does the same in fewer bits
        either = [_layer(run, site, {**given, name: one}, name, outer) for one in (expression.body, expression.orelse)]
        layers = [layer for layer in either if layer is not None]
        if len({layer.name for layer in layers}) != 1:
            return None
        return layers[0] if len(layers) == 1 else _alike(*layers)
    if not isinstance(expression, t.Call) or (called := t.dotted(expression.func)) is None:
        return None
    target = run.module_name(site.path, called)
    if not isinstance(target, External) or not target.name.startswith("torch.nn."):
        return None
    words: dict[str, Value] = {}
    for parameter, argument in given.items():
        if isinstance(argument, t.Name) and parameter in outer:
            words.setdefault(argument.id, outer[parameter])
    local = set(run.uses(site.function).bindings) if site.function is not None else set[str]()
    scope = Scope(site.path, None, {**{word: Unknown(NOT_TOLD) for word in local}, **words})
    run.quiet += 1
    try:
        args = [for_op(evaluate(run, scope, argument)) for argument in expression.args]
        kwargs = {k.arg: for_op(evaluate(run, scope, k.value)) for k in expression.keywords if k.arg is not None}
    finally:
        run.quiet -= 1
    layer = ops.build(target.name, args, kwargs)
    return layer if isinstance(layer, Module) else None


def _alike(one: Module, other: Module) -> Module:
    """A layer with the settings that two of a kind have in common."""
    settings = {
        key: value if other.settings.get(key) == value else Unknown(CALLERS_DIFFER)
        for key, value in one.settings.items()
    }
    layer = ops.build(one.name, [], settings)
    return layer if isinstance(layer, Module) else one


def _is_called(cls: Definition, init: t.FunctionDef, name: str) -> bool:
    """Whether a parameter of the constructor is kept and called by the class's methods."""
    kept = ""
    for statement in init.body:
        match statement:
            case t.Assign(targets=[t.Attribute(attr=attr)], value=t.Name(id=given)) if given == name:
                kept = attr
            case _:
                pass
    body = cls.node.body if kept and isinstance(cls.node, t.ClassDef) else []
    return any(isinstance(n, t.Call) and t.dotted(n.func) == f"self.{kept}" for n in t.walk(*body))


def given_at(call: t.Call, init: t.FunctionDef, first: int = 1) -> Iterator[tuple[str, t.Expr]]:
    """The arguments of a call that makes an object, by parameter; or of a function, from its `first` parameter on."""
    for param, argument in zip(init.args[first:], call.args, strict=False):
        if isinstance(argument, t.Starred):
            return
        yield param.name, argument
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg is not None)


def _maker(
    run: Interpreter, path: str, function: t.FunctionDef | None, expression: t.Expr, depth: int
) -> tuple[Definition, t.Call, str, t.FunctionDef | None] | None:
    """The class whose object an expression is, with the call that makes it and where that stands."""
    if depth == 0:
        return None
    match expression:
        case t.Name(id=name) if function is not None:
            for node in t.walk(*function.body):
                match node:
                    case t.Assign(targets=[t.Name(id=target)], value=value) if target == name:
                        return _maker(run, path, function, value, depth - 1)
                    case _:
                        pass
        case t.Call(func=func) if (name := t.dotted(func)) is not None:
            target = run.module_name(path, name)
            if isinstance(target, Class) and run.classes.is_module(target.definition):
                return target.definition, expression, path, function
            if isinstance(target, Function) and isinstance(node := target.definition.node, t.FunctionDef):
                results = [n.value for n in t.walk(*node.body) if isinstance(n, t.Return) and n.value is not None]
                return _maker(run, target.definition.path, node, results[-1], depth - 1) if results else None
        case _:
            pass
    return None


def _shared(
    run: Interpreter, site: CallSite, given: dict[str, t.Expr], inner: Definition, call: t.Call
) -> dict[str, str]:
    """The parameters of the inner constructor that are given what the outer one is given: the same words."""
    module, init = run.workspace.modules.module(site.path), run.classes.attribute(inner, "__init__")
    if module is None or not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
        return {}
    words = {module.text.slice(e.span): name for name, e in given.items() if not isinstance(e, t.Constant | t.Call)}
    texts = {name: module.text.slice(e.span) for name, e in given_at(call, init.node)}
    return {name: words[text] for name, text in texts.items() if text in words}
