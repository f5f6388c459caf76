"""Sockets behind classes: the places where such objects are made are ends of channels; kinds of messages."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from kernelscope.serving.channels import Link
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import read_python
from kernelscope.serving.system import join
from kernelscope.syntax.python.lower import parse_module

Source = Callable[[str], PythonSource]

BOXES = """
import zmq

class Outbox:
    def __init__(self, addr, create):
        self.socket = zmq.Context().socket(zmq.PUSH)
        self.socket.bind(addr) if create else self.socket.connect(addr)

    def put(self, letter):
        self.socket.send(letter)

class Inbox:
    def __init__(self, create, addr):
        self.socket = zmq.Context().socket(zmq.PULL)
        self.socket.bind(addr) if create else self.socket.connect(addr)

    def get(self):
        return self.socket.recv()
"""
WRITER = """
class Writer:
    def __init__(self, config):
        self.to_sorter = Outbox(config.sorter_addr, create=True)
        self.settings = Settings(config.desk_url)

    def write(self):
        self.to_sorter.put(Letter("hello"))
"""
SORTER = """
def sort(addr, reader_addr):
    inbox = Inbox(create=False, addr=addr)
    outbox = Outbox(reader_addr, create=True)
    while True:
        letter = inbox.get()
        if isinstance(letter, (Letter, Parcel)):
            outbox.put([Sorted(letter)])
"""
LAUNCH = """
from multiprocessing import Process

def launch(args):
    Process(target=sort, kwargs={"addr": args.sorter_addr, "reader_addr": args.reader_addr}).start()
    Process(target=sort, kwargs={"addr": args.late_addr, "reader_addr": args.reader_addr}).start()
"""


def linked(**files: str) -> list[Link]:
    readings = [
        read_python(PythonSource(Path(f"/w/{name}.py"), parse_module(textwrap.dedent(text).encode())))
        for name, text in files.items()
    ]
    return join(readings).links


def test_the_places_where_a_wrapping_class_is_made_are_the_ends() -> None:
    found = [link for link in linked(boxes=BOXES, writer=WRITER, sorter=SORTER, launch=LAUNCH) if link.pattern]
    (joined,) = (link for link in found if link.receivers and link.pattern == "PUSH → PULL")
    assert joined.channel.address == "config.sorter_addr"
    assert (joined.senders, joined.receivers) == (("Writer.write",), ("sort",))
    assert joined.messages == ("Letter", "Parcel")
    assert joined.text.endswith("Writer.write sends; sort receives; messages: Letter, Parcel")
    assert sorted((link.channel.address, link.pattern) for link in found if link is not joined) == [
        ("args.late_addr", "PULL"),
        ("args.reader_addr", "PUSH"),
    ]


def test_a_class_that_nothing_makes_keeps_its_socket() -> None:
    found = linked(boxes=BOXES)
    assert [(link.channel.where, link.channel.address) for link in found] == [("Outbox.__init__", "addr")]


def test_what_opens_no_socket_is_no_end() -> None:
    assert not linked(writer=WRITER)


def test_classes_of_one_name_that_open_different_sockets_stand_for_none() -> None:
    other = BOXES.replace("class Inbox", "class Outbox_").replace("class Outbox:", "class Inbox:")
    found = {(link.channel.where, link.channel.address) for link in linked(boxes=BOXES, others=other, sorter=SORTER)}
    assert ("sort", "reader_addr") in found
    assert ("sort", "addr") not in found, "an Inbox may be either"


def test_messages_of_a_queue(source: Source) -> None:
    text = """
        import queue

        class Desk:
            def __init__(self):
                self.jobs = queue.Queue()

            def put(self, text):
                job = Job(text)
                self.jobs.put(job)
                self.jobs.put(text)

            def run(self):
                while job := self.jobs.get():
                    if isinstance(job, Stop):
                        return
    """
    (link,) = join([read_python(source(text))]).links
    assert link.messages == ("Job", "Stop")


def test_what_joins_programs_comes_first(source: Source) -> None:
    text = """
        import threading, queue, zmq

        class Desk:
            def __init__(self, addr):
                self.ready = threading.Event()
                self.jobs = queue.Queue()
                self.socket = zmq.Context().socket(zmq.PULL)
    """
    found = join([read_python(source(text))]).links
    assert [link.channel.transport for link in found] == ["ZeroMQ", "queue", "event"]


LINES = """
import zmq
from threading import Thread

class Desk:
    def __init__(self, lines):
        self.to_rooms = zmq.Context().socket(zmq.ROUTER, lines.inputs[0])

    def send(self, letter):
        self.to_rooms.send_multipart([b"1", letter])

class Room:
    def __init__(self, addresses):
        Thread(target=self.listen, args=(addresses.inputs, b"1"), daemon=True).start()

    def listen(self, input_addresses, identity):
        doors = [open_socket(zmq.DEALER, addr, identity=identity) for addr in input_addresses]
        while True:
            for door in doors:
                door.recv_multipart()
"""


def test_a_thread_that_is_given_addresses_by_position_opens_a_socket_for_each(source: Source) -> None:
    (link,) = (link for link in join([read_python(source(LINES))]).links if link.pattern)
    assert link.pattern == "DEALER → ROUTER"
    assert (link.senders, link.receivers) == (("Room.listen",), ("Desk.__init__",))
    assert link.channel.address == "addresses.inputs"
