"""What comes in is checked and handed to who registered for it; every request gets exactly one answer.

Parameters and results are plain dicts. pygls tells what the registered features add up to (`announcement`); reading,
writing, threads and documents are our own, because pygls' block each other and split lines where the protocol does not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import NamedTuple, cast

from kernelscope.faults import trace
from kernelscope.turns import Interrupted

from kernelscope_server.announcement import announced
from kernelscope_server.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
    REQUEST_CANCELLED,
    Json,
    Malformed,
    RequestError,
    Writer,
    is_list,
    is_table,
)

Handler = Callable[[Json], object]
Reply = Callable[[object], None]
ERROR, WARNING, INFORMATION = 1, 2, 3
"""Levels of `window/logMessage`."""
MAX_LOGGED = 4000
INITIALIZE = "initialize"


class Later(NamedTuple):
    """What a handler returns for work that others need not wait for: it asks the analysis nothing but an outline."""

    work: Callable[[], object]


class NotYet(Exception):
    """What a handler raises when the index will soon tell more than `answer`, which is what is known so far.

    `is_over` tells when it did, or will not.
    """

    def __init__(self, answer: object, is_over: Callable[[], bool]) -> None:
        super().__init__()
        self.answer = answer
        self.is_over = is_over


class Protocol:
    """Checks messages and hands them to the registered features, on whichever thread has its turn."""

    output: Writer
    postpone: Callable[[Callable[[], None]], None]
    """Runs work that takes no turn."""
    is_cancelled: Callable[[int | str], bool]
    claim: Callable[[object], bool]
    """Whether a request is still to be answered; asked once by whoever is about to."""
    initialized = False

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.options: dict[str, Json | None] = {}
        """What was registered with each method."""
        self.commands: dict[str, Callable[[object], object]] = {}
        self._shutdown = False
        self._replies: dict[int, Reply] = {}
        self._numbers = itertools.count(1)

    # -- to the client -----------------------------------------------------------------------------------

    def notify(self, method: str, params: object = None) -> None:
        self.output.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: object, reply: Reply | None = None) -> None:
        """A request to the client; `reply` gets the result (None for an error) in a turn."""
        number = next(self._numbers)
        if reply is not None:
            self._replies[number] = reply
        self.output.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    def log(self, text: str, level: int = INFORMATION) -> None:
        """To the client's log: stdout is the protocol's, and editors show stderr as errors.

        Of a long text the middle is left out: a trace says at its end what went wrong.
        """
        if len(text) > MAX_LOGGED:
            text = f"{text[: MAX_LOGGED // 4]}\n…\n{text[-MAX_LOGGED * 3 // 4 :]}"
        self.notify("window/logMessage", {"type": level, "message": text})

    def send_result(self, number: object, result: object) -> None:
        if self.claim(number):
            self.output.send({"jsonrpc": "2.0", "id": number, "result": result})

    def send_now(self, number: object, result: str) -> bool:
        """The same for a result that is JSON already; False where it would have to wait."""
        return self.output.send_now(f'{{"jsonrpc":"2.0","id":{json.dumps(number)},"result":{result}}}')

    def refuse(self, number: object, code: int, text: str) -> None:
        if self.claim(number):
            self.output.send({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}})

    def takes(self, message: Json) -> bool:
        """Whether a message is a request that may be answered now."""
        number, is_open = message.get("id"), self.initialized and not self._shutdown
        return (
            is_open
            and isinstance(number, int | str)
            and not isinstance(number, bool)
            and is_table(message.get("params"))
        )

    # -- from the client ---------------------------------------------------------------------------------

    def handle(self, message: object) -> None:
        """One message as it was read; raises nothing but `Interrupted` and `NotYet`, which answer nobody."""
        if isinstance(message, Malformed):
            self.refuse(None, message.code, message.reason)
        elif is_list(message):
            self.refuse(None, INVALID_REQUEST, "batches are not part of the protocol")
        elif not is_table(message):
            self.refuse(None, INVALID_REQUEST, "a message is an object")
        elif "method" not in message:
            self._reply(message)
        elif "id" in message:
            self._request(message)
        else:
            self._notification(message)

    def guarded(self, action: Callable[[], None], what: str) -> None:
        """Run an action that answers nobody; a failure is logged."""
        try:
            action()
        except RequestError as error:
            self.log(f"{what} was ignored: {error}", WARNING)
        except Exception:
            self.log(f"internal error in {what}, please report it\n{trace()}", ERROR)

    def _reply(self, message: Json) -> None:
        number = message.get("id")
        if "result" not in message and "error" not in message:
            self.refuse(number, INVALID_REQUEST, "neither a method nor a result")
            return
        reply = self._replies.pop(number, None) if isinstance(number, int) else None
        if reply is not None:
            self.guarded(lambda: reply(message.get("result")), "an answer")

    def _notification(self, message: Json) -> None:
        method, params = message["method"], message.get("params")
        handler = self.handlers.get(method) if isinstance(method, str) else None
        if handler is not None and self.initialized:
            self.guarded(lambda: cast(None, handler(params if is_table(params) else {})), str(method))

    def _request(self, message: Json) -> None:
        number, method, params = message["id"], message["method"], message.get("params")
        if not isinstance(number, int | str) or isinstance(number, bool):
            self.refuse(None, INVALID_REQUEST, "an id is a number or a string")
        elif not isinstance(method, str):
            self.refuse(number, INVALID_REQUEST, "a method is a string")
        elif self._shutdown:
            self.refuse(number, INVALID_REQUEST, "the server is shutting down")
        elif self.initialized and method == INITIALIZE:
            self.refuse(number, INVALID_REQUEST, "the server is initialized already")
        elif not self.initialized and method != INITIALIZE:
            self.refuse(number, NOT_INITIALIZED, "the server is not initialized")
        elif (handler := self.handlers.get(method)) is None:
            self.refuse(number, METHOD_NOT_FOUND, f"there is no method {method}")
        elif params is not None and not is_table(params):
            self.refuse(number, INVALID_PARAMS, "params is an object")
        else:
            given = params or {}
            self.answer(number, method, lambda: handler(given))

    def answer(self, number: int | str, method: str, work: Callable[[], object]) -> None:
        """Do the work of a request and send its answer: the only place that answers, unless it is `NotYet` done."""
        if self.is_cancelled(number):
            self.refuse(number, REQUEST_CANCELLED, "cancelled")
            return
        try:
            result = work()
            if isinstance(result, Later):
                self.postpone(lambda: self.answer(number, method, result.work))
                return
            self.send_result(number, result)
        except RequestError as error:
            self.refuse(number, error.code, str(error))
        except NotYet:
            raise
        except Interrupted:
            if not self.is_cancelled(number):
                raise
            self.refuse(number, REQUEST_CANCELLED, "cancelled")
        except Exception:
            self.log(f"internal error in {method}, please report it\n{trace()}", ERROR)
            self.refuse(number, INTERNAL_ERROR, f"internal error in {method}; see the log")

    # -- life --------------------------------------------------------------------------------------------

    def capabilities_for(self, client: object, encoding: str) -> Json:
        """What the registered features add up to, for a client with these capabilities."""
        knows_notebooks = is_table(client) and is_table(client.get("notebookDocument"))
        return announced(self.options, [*self.commands], encoding, knows_notebooks)

    def shut_down(self) -> None:
        """From now on only `exit` is heard."""
        self._shutdown = True

    @property
    def exit_status(self) -> int:
        return 0 if self._shutdown else 1
