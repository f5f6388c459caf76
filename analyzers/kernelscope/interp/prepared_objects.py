"""Objects as their methods find them: made by their constructors, and perhaps used before."""

from __future__ import annotations

from contextlib import nullcontext

from kernelscope.dims import Dim, dim
from kernelscope.interp.changes import Changes
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import as_given
from kernelscope.interp.limits import OBJECT_STEPS, OutOfBudget
from kernelscope.interp.values import Flag, Instance, Maybe, Number, Opaque, Value
from kernelscope.tensor import Shape, Tensor, Unknown


def _of_a_used_one(run: Interpreter, instance: Instance, name: str, value: Value) -> Value:
    """What an object that a caller gives holds, where a new one holds this: a setting of another object."""
    if value is None and run.classes.is_stored_later(instance.cls, name):
        return stored_elsewhere(run, instance, name)
    is_number = isinstance(value, Dim) or (isinstance(value, Number) and value.is_integer)
    if is_number and instance.called and run.classes.storing(instance.cls, name) <= {"__init__"}:
        return Opaque(f"{instance.called}.{name}")
    return as_given(value, 1)


def prepare(run: Interpreter, instance: Instance) -> None:
    """Let an object's constructor run, if that is still to be done."""
    if instance.like is not None:
        new, instance.like = instance.like, None
        prepare(run, new)
        for name, value in new.attributes.items():
            instance.attributes[name] = _of_a_used_one(run, instance, name, value)
        instance.is_ready = True
    if instance.initialise is not None and not instance.is_ready:
        initialise, instance.initialise = instance.initialise, None
        # An object is made once, whichever way asks for it first.
        changes, run.changes = run.changes, Changes(lasting=run.changes.lasting)
        outside, helpers = run.outside, run.helpers
        if run.trace is not None:  # hovers are of what is near
            run.outside, run.helpers = run.calls, 0
        run.symbols.building += 1
        try:
            with run.done_once(), nullcontext() if run.symbols.building > 1 else run.budget(OBJECT_STEPS):
                initialise(run, instance)
        except OutOfBudget:  # nobody is left with half an object
            instance.attributes.clear()
            instance.initialise = initialise
            raise
        finally:
            run.symbols.building -= 1
            run.outside, run.helpers = outside, helpers
            run.changes = changes
        instance.is_ready = True
        if instance.is_module:
            _leave_open_what_changes(run, instance)


def _leave_open_what_changes(run: Interpreter, instance: Instance) -> None:
    """What a new object starts with and what becomes of it: numbers that its calls move on, as a call may be the first
    one or any other, switches that a method sets otherwise, `def use_cache(self, on): self.caching = on`, and tensors
    without elements, `self.cache = torch.tensor([])`, which keep the place of what is put there later."""
    for name, value in instance.attributes.items():
        if isinstance(value, bool) and run.classes.is_set_otherwise(instance.cls, name, value):
            instance.attributes[name] = Flag(f"methods of the object set self.{name}", f"self.{name}")
        elif isinstance(value, str) and run.classes.is_set_otherwise(instance.cls, name, value):
            instance.attributes[name] = Opaque(f"self.{name}")
        elif isinstance(value, Dim) and value.const is not None and run.classes.is_moved(instance.cls, name):
            instance.attributes[name] = Number(f"calls of the object move self.{name} on", True)
        elif isinstance(value, Tensor) and value.shape.dims == (dim(0),):
            later = Unknown(f"self.{name} is empty until something is put there")
            instance.attributes[name] = Tensor(Shape.unknown(later.reason), later, value.place)


def stored_elsewhere(run: Interpreter, instance: Instance, name: str) -> Maybe:
    """What a used object may hold where a new one holds nothing."""
    from kernelscope.interp.later_stores import some_stored, stored_later

    if (stored := stored_later(run, instance, name) or some_stored(run, instance, name)) is not None:
        return Maybe(stored, f"self.{name}")
    kind = Number if run.classes.is_counted(instance.cls, name) else Unknown
    return Maybe(kind(f"other code may store self.{name}"), f"self.{name}")
