"""`self` of a method that is looked at by itself: an object made in the words of its class.

Where objects of the class are made, its constructor is given what all of those places have in common.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from kernelscope.dims import Dim, dim
from kernelscope.interp import jax_modules
from kernelscope.interp.agreement import FRACTION, NOT_TOLD
from kernelscope.interp.annotations import is_tensor, promised, sizes_of
from kernelscope.interp.argument_binding import SMALLEST_SIZE, bind
from kernelscope.interp.calls import run_body
from kernelscope.interp.common_sizes import Vector
from kernelscope.interp.containers import of_any_layers
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.generality import Generality
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OBJECT_STEPS
from kernelscope.interp.makers import Made, layer_for, made_for
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.records import MODULES, as_example, derives, is_record, parameters_of
from kernelscope.interp.sequences import is_callable
from kernelscope.interp.switches import set_otherwise
from kernelscope.interp.values import (
    Class,
    External,
    Flag,
    Function,
    Instance,
    Maybe,
    Number,
    Opaque,
    Open,
    Scope,
    Value,
    as_size,
)
from kernelscope.ops import Module, ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition


def alone(run: Interpreter, definition: Definition) -> Function:
    """A function that nobody is seen to call."""
    node, owner = definition.node, definition.owner
    assert isinstance(node, t.FunctionDef)
    decorators = {(t.dotted(d) or "").rpartition(".")[2] for d in node.decorator_list}
    if owner is None:
        return Function(definition)
    if "staticmethod" in decorators:
        return Function(definition)
    if "classmethod" in decorators:
        return Function(definition, Class(owner), True)
    return Function(definition, seeded_instance(run, owner), True)


def seeded_instance(run: Interpreter, cls: Definition) -> Instance:
    """An object that nobody is seen to make: `__init__` run on its own parameters' names."""
    if (known := run.receivers.get(cls.node)) is not None:
        return known
    init = _constructor(run, cls)
    run.receivers[cls.node] = instance = Instance(cls, is_module=run.classes.is_module(cls))
    if init is None and (derives(run, cls, MODULES) or (instance.is_module and is_record(run, cls))):
        fields = {param.name: _argument(run, path, param) for path, param in parameters_of(run, cls)}
        instance.made_with = ([], fields)
        run.symbols.hold(fields.values())
        instance.initialise = partial(jax_modules.fill_in, args=[], kwargs=fields)
        return instance
    if init is None or not isinstance(init.definition.node, t.FunctionDef):
        return instance
    path = init.definition.path
    names = {param.name: _argument(run, path, param) for param in init.definition.node.args[1:]}
    for param in init.definition.node.args[1:]:
        if param.kind in ("positional", "normal", "keyword") and _may_be_layer(run, path, param):
            made, layer = made_for(run, cls, init.definition.node, param.name), None
            if made is not None:
                layer = _made(run, made, names)
            elif param.default is None:
                layer = layer_for(run, cls, init.definition.node, param.name, names)
            if layer is not None:
                names[param.name] = layer if param.default is None else Maybe(layer, param.name)
    if not run.certain:
        otherwise = set_otherwise(run, cls, init.definition.node)
        names |= {name: Flag(name=name) for name in otherwise if isinstance(names[name], bool)}
    instance.usual = {p.name for p in init.definition.node.args[1:] if _is_by_default(p, names[p.name])}
    _made_by(run, instance, init, names)
    return instance


def _may_be_layer(run: Interpreter, path: str, param: t.Param) -> bool:
    """Whether an argument may be some layer, as far as its annotation tells; one that may be left out is said to be."""
    annotation = param.annotation
    match annotation:
        case t.Subscript(value=t.Name(id="Optional") | t.Attribute(attr="Optional"), slice=inner):
            annotation = inner
        case t.BinOp(left=inner, op="|", right=t.Constant(value=None)):
            annotation = inner
        case _:
            pass
    if param.default is not None and not (isinstance(param.default, t.Constant) and param.default.value is None):
        return False
    name = None if annotation is None else t.dotted(annotation)
    kind = None if name is None else run.module_name(path, name)
    is_any = annotation is None and param.default is None
    return is_any or (isinstance(kind, External) and kind.name.startswith("torch.nn."))


def _made(run: Interpreter, made: Made, outer: dict[str, Value]) -> Instance:
    """A layer that is made beside the object that it is given to: what both are given is one thing."""
    init = _constructor(run, made.cls)
    shared = {name: outer[given] for name, given in made.shared.items() if isinstance(outer.get(given), Opaque)}
    if init is None or not isinstance(init.definition.node, t.FunctionDef) or not shared:
        return seeded_instance(run, made.cls)
    names = {p.name: _argument(run, init.definition.path, p) for p in init.definition.node.args[1:]} | shared
    instance = Instance(made.cls, is_module=True)
    _made_by(run, instance, init, names)
    return instance


def _is_by_default(param: t.Param, value: Value) -> bool:
    """Whether a parameter is a switch, and set as it is where nothing is given."""
    match param.default:
        case t.Constant(value=bool() | str() as default):
            return bool(value == default)
        case _:
            return False


def common_instance(run: Interpreter, common: Generality, instances: list[Instance], name: str) -> Instance:
    """The object that stands for several of one class."""
    first = instances[0]
    init = _constructor(run, first.cls)
    if init is None:
        return _common_layer(run, common, instances) or of_any_layers(run, instances) or first
    given = [_given(run, init, instance) for instance in instances]
    arguments = [g for g in given if g is not None]
    if len(arguments) != len(given) or not arguments:
        return first
    names: dict[str, Value] = {}
    for parameter in arguments[0]:
        names[parameter] = common.value(parameter, [g.get(parameter, Unknown("")) for g in arguments])
    node = init.definition.node
    assert isinstance(node, t.FunctionDef)
    names |= sizes_by_default(node, names)
    fractions = {name for g in arguments for name, value in g.items() if _is_fraction(value)}
    names |= _own_sizes(common, node, {name: value for name, value in names.items() if name not in fractions})
    if common.examples:
        names = {name: _example(name, value) for name, value in names.items()}
        given_anew = (param.name for param in node.args if param.default is None)
        names |= {name: Opaque(name) for name in given_anew if isinstance(names.get(name), Function)}
    usual = {name for i in instances for name in i.usual}
    instance = Instance(first.cls, usual=usual, is_module=True)
    _made_by(run, instance, init, names)
    return instance


def _own_sizes(common: Generality, init: t.FunctionDef, names: Mapping[str, Value]) -> dict[str, Value]:
    """The sizes that the places tell nothing of, such as `sum(sizes.values())`: each object has one, called what the
    constructor calls it."""
    found: dict[str, Value] = {}
    for param in init.args:
        if isinstance(names.get(param.name), Unknown | Number) and _may_be_size(param):
            called = common.free(param.name)
            common.taken.add(called)
            found[param.name] = Opaque(called)
    return found


def _is_fraction(value: Value) -> bool:
    """Whether an argument is a floating-point number, such as a probability."""
    return isinstance(value, float) or (isinstance(value, Number) and value.reason == FRACTION)


def _may_be_size(param: t.Param) -> bool:
    """Whether a constructor says nothing else of a parameter than that it is a whole number."""
    if param.kind not in ("positional", "normal", "keyword"):
        return False
    if param.annotation is not None:
        return t.dotted(param.annotation) == "int"
    return param.default is None or (isinstance(param.default, t.Constant) and type(param.default.value) is int)


def sizes_by_default(init: t.FunctionDef, names: Mapping[str, Value]) -> dict[str, Value]:
    """The sizes of which no others are given to a constructor than its own: others may be given elsewhere."""
    sizes: dict[str, Value] = {
        param.name: Opaque(param.name, number)
        for param in init.args
        if (number := _number(param.default)) >= SMALLEST_SIZE and names.get(param.name) == dim(number)
    }
    for param in init.args:
        given = names.get(param.name)
        if isinstance(param.default, t.Constant) and type(given) is float and param.default.value == given:
            sizes[param.name] = Number(FRACTION)
    return sizes


def _number(default: t.Expr | None) -> int:
    match default:
        case t.Constant(value=int() as number):
            return number
        case _:
            return 0


def _example(name: str, value: Value) -> Value:
    """An argument of which the few callers of other files give an example: others give other numbers, and more. 1 is
    none by chance."""
    if isinstance(value, Dim) and (value.const or 0) > 1:
        return Opaque(name, value.const)
    return Open(value) if type(value) is dict else as_example(name, value)


def _common_layer(run: Interpreter, common: Generality, instances: list[Instance]) -> Instance | None:
    """The object that stands for several of a class that is a torch layer and has no constructor of its own."""
    for instance in instances:
        prepare(run, instance)
    layers = [instance.layer for instance in instances if isinstance(instance.layer, Module)]
    if len(layers) != len(instances) or len({id(layer) for layer in layers}) == 1:
        return None
    first = layers[0]
    settings = {key: common.value(key, [layer.settings.get(key) for layer in layers]) for key in first.settings}
    weights = {key: common.value(key, [layer.parameters.get(key) for layer in layers]) for key in first.parameters}
    parameters = {key: weight for key, weight in weights.items() if isinstance(weight, Tensor)}
    attributes = {"bias": None, **settings, **parameters}
    layer = Module(first.name, settings, parameters)
    return Instance(instances[0].cls, attributes, True, is_module=True, layer=layer)


def made_anew(run: Interpreter, instance: Instance) -> Instance:
    """An object made once more with what it was made with, by an interpreter that looks further into constructors."""
    init = _constructor(run, instance.cls)
    names = None if init is None else _given(run, init, instance)
    if init is None or names is None:
        return instance
    made = Instance(instance.cls, usual=instance.usual, is_module=instance.is_module)
    _made_by(run, made, init, names)
    return made


def variant(run: Interpreter, instance: Instance, name: str, test: t.Expr) -> Instance | None:
    """An object, called `name`, as it would be if a test on its attributes came out otherwise."""
    init = _constructor(run, instance.cls)
    names = None if init is None else _given(run, init, instance)
    asked = [n for n in t.walk(test) if isinstance(n, t.Attribute) and t.dotted(n.value) == name]
    if init is None or names is None or not asked:
        return None
    changes: dict[str, Value] = {}
    for attribute in asked:
        parameter = _stored_from(init, attribute.attr)
        if parameter in names:
            changes[parameter] = _otherwise(run, init, parameter, names[parameter], _compared(test, attribute))
    if not changes:  # the switch is deeper inside: all are open
        switches = {n: v for n, v in names.items() if isinstance(v, bool | None)}
        changes = {n: Flag(name=n) if isinstance(v, bool) else Opaque(n) for n, v in switches.items()}
    if not changes:
        return None
    made = Instance(instance.cls, is_module=instance.is_module)
    _made_by(run, made, init, {**names, **changes})
    return made


def _stored_from(init: Function, attribute: str) -> str:
    """The parameter of a constructor that an attribute is."""
    node = init.definition.node
    assert isinstance(node, t.FunctionDef)
    for found in t.walk(*node.body):
        match found:
            case t.Assign(targets=[t.Attribute(attr=attr)], value=t.Name(id=parameter)) if attr == attribute:
                return parameter
            case _:
                pass
    return ""


def _compared(test: t.Expr, attribute: t.Attribute) -> Value:
    """The text or number with which a test compares an attribute."""
    for node in t.walk(test):
        match node:
            case t.Compare(left=left, ops=["=="], comparators=[t.Constant(value=str() as value)]) if left is attribute:
                return value
            case _:
                pass
    return None


def _otherwise(run: Interpreter, init: Function, name: str, given: Value, compared: Value) -> Value:
    """Another value of an argument than the one that is given."""
    if isinstance(given, bool):
        return not given
    if isinstance(compared, str):
        return Opaque(name) if compared == given else compared
    node = init.definition.node
    assert isinstance(node, t.FunctionDef)
    annotation = next((p.annotation for p in node.args if p.name == name), None)
    found = sizes_of(name, annotation) or promised(run, init.definition.path, annotation)
    return Opaque(name) if found is None else found


def learn_words(common: Generality, instance: Instance) -> None:
    """Sizes that an object computes of what it is made with, such as `heads * width`, are sizes of its methods."""
    meanings: dict[str, Vector] = {word.name: vector for vector, word in common.words.items() if word.name}
    for value in instance.attributes.values():
        size = as_size(value)
        if not isinstance(size, Dim) or size.const is not None or size.name is not None:
            continue
        if not all(name in meanings for name in size.names()):
            continue
        vector: list[Dim | None] = []
        for i in range(common.count):
            parts = {name: meanings[name][i] for name in size.names()}
            known = {name: part for name, part in parts.items() if part is not None}
            vector.append(size.subs(known) if len(known) == len(parts) else None)
        common.words.setdefault(tuple(vector), size)


def _constructor(run: Interpreter, cls: Definition) -> Function | None:
    init = run.classes.attribute(cls, "__init__")
    if isinstance(init, Definition) and isinstance(init.node, t.FunctionDef):
        return Function(init, None, True)
    return None


def _given(run: Interpreter, init: Function, instance: Instance) -> dict[str, Value] | None:
    """What the constructor of one object was given, by parameter."""
    if instance.made_with is None:
        return None
    args, kwargs = instance.made_with
    scope = Scope(init.definition.path, init)
    bind(run, scope, Function(init.definition, instance, True), args, kwargs)
    node = init.definition.node
    own = node.args[0].name if isinstance(node, t.FunctionDef) and node.args else ""
    return {name: value for name, value in scope.names.items() if name != own}


def _made_by(run: Interpreter, instance: Instance, init: Function, names: dict[str, Value]) -> None:
    """Let the constructor run on named arguments when an attribute is first asked for."""
    node = init.definition.node
    assert isinstance(node, t.FunctionDef)
    positional = [names[p.name] for p in node.args[1:] if p.kind in ("positional", "normal") and p.name in names]
    keywords = {p.name: names[p.name] for p in node.args[1:] if p.kind == "keyword" and p.name in names}
    for held in (names.get(p.name) for p in node.args if p.kind == "kwargs"):
        if isinstance(held, dict):
            keywords = Open({**keywords, **held}) if isinstance(held, Open) else {**keywords, **held}
    instance.made_with = (positional, keywords)
    run.symbols.hold(names.values())

    def initialise(run: Interpreter, instance: Instance) -> None:
        frame = Scope(init.definition.path, Function(init.definition, instance, True), dict(names))
        frame.usual |= instance.usual
        if node.args:
            frame.names[node.args[0].name] = instance
        run.quiet += 1
        try:
            with run.budget(OBJECT_STEPS):
                run_body(run, frame, node)
        except ShapeError:
            pass
        finally:
            run.quiet -= 1

    instance.initialise = initialise


def _argument(run: Interpreter, path: str, param: t.Param) -> Value:
    """An argument of `__init__` in its own words: numbers are symbols, switches have their defaults."""
    if param.kind == "args":
        return ()
    if param.kind == "kwargs":
        return Open()
    if run.configuration is not None and (given := run.configuration.argument(run, path, param)) is not None:
        return given
    match param.default:
        case t.Constant(value=bool()) if run.certain:
            return Flag(name=param.name)
        case t.Constant(value=str()) | t.Name() | t.Attribute() if run.certain:
            return Opaque(param.name)
        case t.Constant(value=bool() | str() as value):
            return value
        case t.Constant(value=float()):
            return Number(FRACTION)
        case None:
            given = sizes_of(param.name, param.annotation) or promised(run, path, param.annotation)
            if given is None and is_tensor(param.annotation):
                return Tensor(Shape.unknown(NOT_TOLD))
            return Opaque(param.name) if given is None else given
        case t.Constant(value=value):
            return Opaque(param.name, value if isinstance(value, int) else None)
        case t.Name() | t.Attribute():
            value = evaluate(run, Scope(path), param.default)
            return Opaque(param.name, value.const) if isinstance(value, Dim) else as_example(param.name, value)
        case t.Call() if not run.certain and is_callable(value := evaluate(run, Scope(path), param.default)):
            return as_example(param.name, value)
        case _:
            return Opaque(param.name)
