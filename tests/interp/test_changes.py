"""The version of what layers and files hold: the same when they hold the same, whatever happened in between."""

from kernelscope.dims import dim
from kernelscope.interp.changes import Changes
from kernelscope.interp.values import Opaque, Value


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
