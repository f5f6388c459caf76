"""The version of what layers and files hold: the same when they hold the same, whatever happened in between."""

from typing import Any

from kernelscope.dims import dim
from kernelscope.interp.changes import Changes
from kernelscope.interp.values import Instance, Opaque, Value


def test_the_version_tells_contents_and_not_how_they_came_about() -> None:
    changes, cache = Changes(), dict[str, Value]()
    changes.lasting.hold(cache)
    empty = changes.lasting.version

    def store(value: Value) -> int:
        changes.before(cache)
        cache["kernel"] = value
        return changes.lasting.version

    first = store(Opaque("made"))
    changes.undo(0)
    assert changes.lasting.version == empty
    assert store(dim("n")) not in (empty, first)
    assert store(Opaque("made")) == first


def test_a_change_of_what_nothing_holds_is_no_new_version() -> None:
    changes, own = Changes(), list[Value]()
    before = changes.lasting.version
    changes.before(own)
    own.append(1)
    assert changes.lasting.version == before
    changes.lasting.hold(own)
    changes.undo(0)
    assert changes.lasting.version != before


def test_objects_that_cannot_be_compared_are_told_apart() -> None:
    changes, cache = Changes(), dict[str, Value]()
    changes.lasting.hold(cache)
    versions: set[int] = set()
    for _ in range(3):
        changes.before(cache)
        cache["parts"] = [dim("n")]
        versions.add(changes.lasting.version)
    assert len(versions) == 3


def a_layer(**attributes: Value) -> Instance:
    nothing: Any = None
    return Instance(nothing, dict(attributes), is_ready=True, is_module=True)


def test_a_call_sees_what_the_layers_hold_that_it_reaches() -> None:
    changes, part, other = Changes(), a_layer(width=dim("n")), a_layer(width=dim("n"))
    whole = a_layer(parts=[part])

    def store(layer: Instance, name: str, value: Value) -> None:
        changes.lasting.of_object(layer)
        changes.before(layer.attributes)
        layer.attributes[name] = value

    def versions() -> tuple[int, ...]:
        return tuple(changes.lasting.version_for([layer]) for layer in (part, whole, other))

    first = versions()
    store(part, "width", dim("m"))
    second = versions()
    assert second[0] == second[1] != first[0]
    assert second[2] == first[2]
    store(whole, "more", other)
    store(other, "width", dim("m"))
    third = versions()
    assert third[0] == second[0]
    assert third[1] not in second
    changes.lasting.share(other)
    assert changes.lasting.version_for([]) not in (*first, *second)
