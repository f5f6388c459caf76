"""What is written goes out in order, at once where the pipe takes it, and never holds up who sends."""

from __future__ import annotations

import io
import json
import os
import threading
import time

import pytest
from kernelscope_server.wire import Writer, read_message

LARGE = "x" * 300_000
"""More than a pipe holds."""


def test_small_answers_are_out_when_send_returns() -> None:
    reading, writing = os.pipe()
    writer = Writer(os.fdopen(writing, "wb"))
    for number in range(3):
        writer.send({"id": number})
    os.set_blocking(reading, False)
    assert os.read(reading, 10_000).count(b"Content-Length") == 3


@pytest.mark.parametrize("between", ["", LARGE])
def test_order_is_kept_and_a_reader_that_sleeps_holds_up_nobody(between: str) -> None:
    reading, writing = os.pipe()
    writer = Writer(os.fdopen(writing, "wb"))
    begun = time.monotonic()
    for number in range(200):
        writer.send({"id": number, "text": between if number == 50 else "y" * 900})
    assert time.monotonic() - begun < 5
    with os.fdopen(reading, "rb") as stream:
        found = [read_message(stream) for _ in range(200)]
    assert [message["id"] for message in found if isinstance(message, dict)] == list(range(200))


def test_several_senders_mix_no_messages() -> None:
    reading, writing = os.pipe()
    writer = Writer(os.fdopen(writing, "wb"))

    def send(name: int) -> None:
        for number in range(100):
            writer.send({"name": name, "number": number, "text": "z" * (number * 97)})

    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    with os.fdopen(reading, "rb") as stream:
        found = [read_message(stream) for _ in range(400)]
    for thread in threads:
        thread.join()
    for name in range(4):
        own = [m["number"] for m in found if isinstance(m, dict) and m["name"] == name]
        assert own == list(range(100))


def test_a_stream_that_is_no_file_is_written_by_the_thread() -> None:
    stream = io.BytesIO()
    writer = Writer(stream)
    writer.send({"id": 1})
    writer.close()
    assert json.loads(stream.getvalue().partition(b"\r\n\r\n")[2]) == {"id": 1}


def test_a_closed_pipe_ends_nothing() -> None:
    reading, writing = os.pipe()
    writer = Writer(os.fdopen(writing, "wb"))
    os.close(reading)
    for number in range(3):
        writer.send({"id": number})
    writer.close()
