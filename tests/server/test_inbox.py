"""Order of messages: what somebody waits for comes first, but no request overtakes an edit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kernelscope_server.inbox import PATIENT, URGENCY, Inbox

METHODS = ["textDocument/hover", "textDocument/documentSymbol", "workspace/symbol", "textDocument/didChange"]
METHOD_NAMES = ("hover", "didChange", "hover")


def message(number: int, method: str) -> dict[str, object]:
    found: dict[str, object] = {"method": method, "place": number}
    return found if method.endswith("didChange") else found | {"id": number}


def drained(inbox: Inbox) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    while isinstance(taken := inbox.next(0), dict):
        found.append(taken)
        inbox.handled(taken)
    return found


@given(st.lists(st.sampled_from(METHODS), max_size=30))
def test_requests_are_reordered_between_edits_only(methods: list[str]) -> None:
    inbox = Inbox()
    sent = [message(number, method) for number, method in enumerate(methods)]
    for one in sent:
        inbox.put(one)
    expected: list[dict[str, object]] = []
    run: list[dict[str, object]] = []
    for one in [*sent, None]:
        if one is not None and "id" in one:
            run.append(one)
            continue
        expected += sorted(run, key=lambda m: URGENCY.get(str(m["method"]), len(URGENCY)))
        expected += [one] if one is not None else []
        run = []
    assert drained(inbox) == expected


def test_a_waiting_request_that_is_cancelled_is_taken_out() -> None:
    inbox = Inbox()
    for number in range(3):
        inbox.put(message(number, "workspace/symbol"))
    assert inbox.cancel(1)
    assert [one["id"] for one in drained(inbox)] == [0, 2]


def test_a_request_that_is_being_handled_is_marked_until_it_is_done() -> None:
    inbox = Inbox()
    inbox.put(message(7, "workspace/symbol"))
    inbox.next(0)
    assert not inbox.cancel(7)
    assert inbox.is_cancelled(7)
    inbox.done(7)
    assert not inbox.is_cancelled(7)


def test_initialize_and_shutdown_keep_their_place() -> None:
    inbox = Inbox()
    for number, method in enumerate(["shutdown", "textDocument/hover"]):
        inbox.put(message(number, method))
    assert not inbox.cancel(0)
    assert [one["method"] for one in drained(inbox)] == ["shutdown", "textDocument/hover"]


def test_an_edit_waits_for_the_requests_before_it_and_everything_waits_for_the_edit() -> None:
    inbox = Inbox()
    hover, edit, later = (message(number, f"textDocument/{name}") for number, name in enumerate(METHOD_NAMES))
    for one in (hover, edit, later):
        inbox.put(one)
    assert inbox.next(0) is hover
    assert inbox.next(0) is None
    inbox.handled(hover)
    assert inbox.next(0) is edit
    assert inbox.next(0) is None
    inbox.handled(edit)
    assert inbox.next(0) is later


def test_nothing_waits_for_a_document_that_is_being_made() -> None:
    inbox = Inbox()
    view, edit = message(1, PATIENT[0]), message(2, "textDocument/didChange")
    inbox.put(view)
    inbox.put(edit)
    assert inbox.next(0) is view
    assert inbox.next(0) is edit
    assert not inbox.stays_quiet(0)
    inbox.handled(edit)
    assert inbox.stays_quiet(0)
    inbox.wait_for_quiet(0)
    inbox.handled(view)
