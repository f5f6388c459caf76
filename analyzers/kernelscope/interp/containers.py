"""Classes that derive from torch's containers of layers: their objects are gone through and indexed as those are."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType

from kernelscope.dims import Dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.values import Alike, Arguments, External, Flag, Instance, Number, Opaque, Sequential, Value
from kernelscope.ops import Module
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import External as OutsideName

PLAIN = (bool, int, float, str, tuple, dict, Dim, Number, Flag, Opaque, NoneType)
"""What an object that is a chain of layers holds besides its layers: its stride, its number of channels."""
HELD = "_modules"
"""Where torch keeps the layers of a module, too."""
KINDS = ("Sequential", "ModuleList", "ModuleDict")
METHODS = {
    "Sequential": {"append", "extend", "insert", "children"},
    "ModuleList": {"append", "extend", "insert", "children"},
    "ModuleDict": {"items", "keys", "values", "update", "pop", "children"},
}


def kind_of(run: Interpreter, instance: Instance) -> str | None:
    """Which container a class derives from."""
    for base in run.classes.mro(instance.cls):
        if isinstance(base, OutsideName) and base.dotted.startswith("torch.nn."):
            short = base.dotted.rpartition(".")[2]
            return short if short in KINDS else None
    return None


def fill(run: Interpreter, instance: Instance, kind: str, args: Arguments) -> None:
    """`super().__init__(layers)`, or what a class without a constructor of its own is made with."""
    if kind == "Sequential":
        from kernelscope.interp.calls import call

        made = call(run, External("torch.nn.Sequential"), args, {}, None) if args else None
        instance.layer = made if isinstance(made, Sequential) else None
        return
    run.changes.before(instance.attributes)
    instance.attributes[HELD] = args[0] if args else {} if kind == "ModuleDict" else []


def contents(run: Interpreter, instance: Instance) -> Value:
    """The layers that an object holds, in the form of its base class; None if its class derives from none of them."""
    kind = kind_of(run, instance)
    if kind is None:
        return None
    prepare(run, instance)
    if isinstance(instance.layer, Sequential):
        return instance.layer
    if kind == "Sequential":
        parts = {name: value for name, value in instance.attributes.items() if not isinstance(value, PLAIN)}
        return Sequential(list(parts.values()), list(parts)) if parts else None
    held = instance.attributes.get(HELD)
    return held if isinstance(held, list | tuple | dict | Alike) else None


def of_any_layers(run: Interpreter, instances: Sequence[Instance]) -> Instance | None:
    """What stands for several chains of different layers: an object of which nothing is known what it holds."""
    held = [contents(run, instance) for instance in instances]
    chains = [chain for chain in held if isinstance(chain, Sequential)]
    if len(chains) < len(held) or all(_are_alike(chain, chains[0]) for chain in chains[1:]):
        return None
    return Instance(instances[0].cls, {}, True, is_module=True)


def _are_alike(one: Sequential, other: Sequential) -> bool:
    """Whether the layers of two chains are made alike."""
    if len(one.parts) != len(other.parts):
        return False
    for first, second in zip(one.parts, other.parts, strict=True):
        match first, second:
            case (Module(), Module()) if first.name == second.name and first.settings == second.settings:
                pass
            case (Instance(), Instance()) if first.cls is second.cls and first.made_with == second.made_with:
                pass
            case _ if first is second:
                pass
            case _:
                return False
    return True


def put(run: Interpreter, instance: Instance, key: Value, layer: Value) -> None:
    """`self.add_module(key, layer)` and `self[key] = layer`."""
    kind, held = kind_of(run, instance), instance.attributes.get(HELD)
    if kind == "ModuleDict" and isinstance(held, dict):
        run.changes.before(held)
        held[key if isinstance(key, str) else Unknown("a key")] = layer
    elif kind == "Sequential" and not isinstance(key, str):
        run.changes.before(instance.attributes)
        instance.attributes[str(len(instance.attributes))] = layer


def is_method(run: Interpreter, instance: Instance, name: str) -> bool:
    """Whether a method is one of the container's."""
    kind = kind_of(run, instance)
    return kind is not None and name in METHODS[kind]
