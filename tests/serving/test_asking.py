"""Who asks which route, how many are let through at once, and loops that generate by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kernelscope.explain.faq_answers import asking
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.precision import precisions
from kernelscope.serving.presets import presets
from kernelscope.serving.reading import read_python
from kernelscope.serving.rounds import rounds
from kernelscope.serving.semaphores import semaphores
from kernelscope.serving.system import join
from kernelscope.serving.waits import syncs

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
    assert [claim.value for claim in asking(system)] == ["HTTP /letters: asked for by Desk.write, served by letters"]


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
