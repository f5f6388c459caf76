"""Long work gives way to what is more urgent and ends when nobody wants it; whoever waits lets others work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext

import pytest
from kernelscope import turns as of_turns
from kernelscope.turns import Guard, Interrupted, Turns, give_way, is_alone

SECONDS = 10


def begun(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until_waiting(turns: Turns, count: int) -> None:
    while len(turns.waiting) < count:
        pass


def test_long_work_gives_way_at_its_steps_to_what_is_as_urgent() -> None:
    turns, order = Turns(), list[str]()

    def ask(urgency: int, name: str) -> None:
        with turns.turn(urgency):
            order.append(name)

    with turns.turn(5):
        others = [begun(lambda: ask(5, "equal")), begun(lambda: ask(1, "urgent")), begun(lambda: ask(9, "later"))]
        until_waiting(turns, 3)
        order.append("begin")
        give_way()
        order.append("end")
    for other in others:
        other.join(SECONDS)
    assert order == ["begin", "urgent", "equal", "end", "later"]


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, ["equal", "end"]), (SECONDS, ["end", "equal"])])
def test_what_is_as_urgent_goes_on_after_a_while_and_not_at_every_step(
    seconds: float, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_turns, "SLICE_SECONDS", seconds)
    turns, order = Turns(), list[str]()

    def ask() -> None:
        with turns.turn(5):
            order.append("equal")

    with turns.turn(5):
        other = begun(ask)
        until_waiting(turns, 1)
        give_way()
        order.append("end")
    other.join(SECONDS)
    assert order == expected


def test_work_that_nobody_wants_ends_at_its_next_step() -> None:
    unwanted: list[bool] = []
    with pytest.raises(Interrupted), Turns().turn(0, lambda: bool(unwanted)):
        give_way()
        unwanted.append(True)
        give_way()
    assert is_alone()


def test_whoever_waits_for_a_guard_lets_its_holder_work() -> None:
    turns, guard, order = Turns(), Guard(), list[str]()
    is_held = threading.Event()

    def look_ahead() -> None:
        with turns.turn(9), guard:
            is_held.set()
            until_waiting(turns, 1)
            give_way()  # to the urgent one, which then waits for the guard
            order.append("held")

    def ask() -> None:
        is_held.wait(SECONDS)
        with turns.turn(0), guard:
            order.append("urgent")

    for thread in (begun(look_ahead), begun(ask)):
        thread.join(SECONDS)
    assert order == ["held", "urgent"]


def test_the_holder_of_a_guard_is_as_urgent_as_who_waits_for_it() -> None:
    turns, guard, order = Turns(patient=5), Guard(), list[str]()
    is_held = threading.Event()

    def hold() -> None:
        with turns.turn(9):
            with guard:
                is_held.set()
                until_waiting(turns, 2)
                give_way()  # to the urgent one, which then waits for the guard; then the other one is not let through
                order.append("held")
            give_way()
            order.append("end")

    def ask(urgency: int, name: str) -> None:
        is_held.wait(SECONDS)
        with turns.turn(urgency), guard if urgency == 0 else nullcontext():
            order.append(name)

    for thread in (begun(hold), begun(lambda: ask(0, "urgent")), begun(lambda: ask(9, "equal"))):
        thread.join(SECONDS)
    assert order[0] == "held"
    assert set(order) == {"held", "urgent", "equal", "end"}


def test_one_who_takes_no_turn_gives_way_to_nobody() -> None:
    assert is_alone()
    give_way()


def test_work_beside_the_turns_waits_while_somebody_is_waited_for() -> None:
    turns, order = Turns(patient=5), list[str]()

    def index() -> None:
        with turns.beside():
            give_way()
            order.append("indexed")

    with turns.turn(9):
        begun(index).join(SECONDS)  # nobody waits for what is done in pauses
    with turns.turn(1):
        working = begun(index)
        working.join(0.05)
        order.append("answered")
    working.join(SECONDS)
    assert order == ["indexed", "answered", "indexed"]


def test_work_beside_the_turns_goes_on_during_a_long_answer() -> None:
    turns = Turns()
    with turns.turn(0):
        working = begun(turns.leave_time)
        working.join(SECONDS)
        assert not working.is_alive()
