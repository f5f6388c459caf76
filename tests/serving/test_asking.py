"""Who asks which route, how many are let through at once, and loops that generate by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from kernelscope.explain.report_places import Places, Texts
from kernelscope.explain.report_serving import SERVING
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.precision import precisions
from kernelscope.serving.presets import presets
from kernelscope.serving.reading import read_python
from kernelscope.serving.rounds import rounds
from kernelscope.serving.semaphores import semaphores
from kernelscope.serving.system import join
from kernelscope.serving.waits import syncs
from kernelscope.workspace.files import Files

Source = Callable[[str], PythonSource]

OFFICE = """
app = FastAPI()

@app.post("/letters")
async def letters(request):
    return take(request)
"""
DESK = """
class Desk:
    def write(self, text):
        url = self.office + "/letters"
        requests.post(url, json=text)

    def look(self):
        requests.get(f"{self.office}/nowhere")

    def read(self, folder):
        return open(folder + "/letters")
"""


def test_routes_are_joined_with_who_asks_for_them(source: Source) -> None:
    desk = replace(source(DESK), path=Path("/w/desk.py"))
    system = join([read_python(source(OFFICE)), read_python(desk)])
    assert [link.text for link in system.links] == ["HTTP POST /letters: asked for by Desk.write, served by letters"]


ROOMS = """
@app.get("/rooms/{name}")
def look(name):
    return rooms[name]

@app.delete("/rooms/{name}")
def leave(name):
    del rooms[name]

@app.get("/halls")
def halls():
    return all_halls
"""
GUEST = """
class Guest:
    async def look(self, name):
        async with self.session.get(f"http://{self.host}:{self.port}/rooms/{name}") as answer:
            return await answer.json()

    def halls(self):
        return self.client.get("/halls").json()

    def both(self, base, room):
        here = requests.get(urljoin(base, "halls"))
        return here, requests.delete(f"{base}/rooms/{room}")

    def far(self):
        return httpx.get("https://inn.example:80/halls?all=1")

    def kept(self):
        return self.rooms.get("/halls"), self.session.get(f"{self.base}/{self.hall}")
"""


def test_paths_are_joined_by_method_and_by_what_is_filled_in(source: Source) -> None:
    guest = replace(source(GUEST), path=Path("/w/guest.py"))
    system = join([read_python(source(ROOMS)), read_python(guest)])
    assert [link.text for link in system.requests] == [
        "HTTP GET /rooms/{name}: asked for by Guest.look, served by look",
        "HTTP GET /halls: asked for by Guest.halls, Guest.far, served by halls",
        "HTTP /rooms/{name}: asked for by Guest.both, served by look or leave",
        "HTTP /halls: asked for by Guest.both, served by halls",
    ]
    assert [link.is_by_name for link in system.requests] == [False, False, True, False]


BUREAU = """
class Base(bureau_pb2_grpc.BureauServicer):
    def Close(self, request, context):
        return Empty()

class Bureau(Base):
    def Send(self, request, context):
        return send(request)
"""
CLERK = """
class Clerk:
    def __init__(self, channel):
        self.stub = bureau_pb2_grpc.BureauStub(channel)

    async def send(self, letter):
        return await self.stub.Send(letter)

def close(channel):
    return BureauStub(channel).Close(Empty())

def other(stub):
    return stub.Send(1)
"""


def test_stubs_ask_for_remote_procedures(source: Source) -> None:
    clerk = replace(source(CLERK), path=Path("/w/clerk.py"))
    system = join([read_python(source(BUREAU)), read_python(clerk)])
    assert sorted(link.text for link in system.requests) == [
        "gRPC Bureau/Close: asked for by close, served by Base.Close",
        "gRPC Bureau/Send: asked for by Clerk.send, served by Bureau.Send",
    ]


def test_a_queue_of_a_derived_class_is_used_by_what_it_derives_from(source: Source) -> None:
    text = """
    import queue

    class Base:
        def answer(self, key, said):
            self.answers[key].put(said)

    class Quick(Base):
        def ask(self, key):
            self.answers[key] = queue.Queue()

    class Slow(Base):
        def ask(self, key):
            self.answers[key] = queue.Queue()

        def read(self, key):
            return self.answers[key].get()
    """
    quick, slow = join([read_python(source(text))]).links
    assert quick.senders == slow.senders == ("Base.answer",)
    assert (quick.receivers, slow.receivers) == ((), ("Slow.read",))


def test_reasons_that_requests_end_for_are_told_with_their_states(source: Source) -> None:
    text = """
    from enum import Enum

    class FinishReason(Enum):
        STOP = "stop"
        LENGTH = "length"

    class Reason(Enum):
        RAIN = 1
    """
    system = join([read_python(source(text))])
    laid = cast("dict[str, Any]", SERVING["lifecycle"])
    rows = laid["states"](system, Places(Path("/w"), Texts(Files([]))))
    assert [(row["name"], row["value"]) for row in rows] == [("FinishReason reasons", "STOP, LENGTH")]


def test_how_many_are_let_through(source: Source) -> None:
    text = """
        import asyncio
        from threading import Semaphore

        class Desk:
            def open(self, n):
                self.places = asyncio.Semaphore(self.limit)
                self.chairs = Semaphore(n)
                self.other = kernels.Semaphore(n)
    """
    assert [claim.value for claim in semaphores(source(text))] == [
        "concurrency limit: Desk.open lets at most self.limit through at once, who comes later waits "
        "(asyncio.Semaphore(self.limit))",
        "concurrency limit: Desk.open lets at most n through at once, who comes later waits (Semaphore(n))",
    ]


def test_a_loop_that_generates(source: Source) -> None:
    text = """
        def generate(model, prompt, n):
            for i in range(n):
                if i == 0:
                    out = model(prompt, use_cache=True)
                else:
                    out = model(token, use_cache=True, past_key_values=kept)
                kept = out.kept

        def other(model, xs):
            for i in range(len(xs)):
                if i == 0:
                    out = model(xs)
                else:
                    out = model(xs[i])
    """
    (claim,) = rounds(source(text))
    assert claim.value == (
        "prefill and decode are separate rounds of one loop: generate runs model on the prompt first (if i == 0), then "
        "once for each token with what was kept (model(token, use_cache=True, past_key_values=kept))"
    )


def test_a_configuration_that_a_file_makes(source: Source) -> None:
    text = "usual = Packing(bits=8, group=256, enabled=True)\nother = Packing(bits=8)\n"
    assert [claim.value for claim in presets(source(text))] == ["usual is Packing(bits=8, group=256, enabled=True)"]


def test_wider_types_are_told_as_such_and_a_callback_is_no_signal(source: Source) -> None:
    text = """
        def total(rows):
            sums = np.zeros(4, dtype=np.float64)
            sums += rows
            return sums

        def later(tasks):
            tasks.add_task(release_place)
    """
    (claim,) = precisions(source(text))
    assert claim.value == "total: np.zeros accumulates in float64: dtype=np.float64"
    assert not list(syncs(source(text)))
