"""Numbers and switches that stand in constructors, and what is decided elsewhere than where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.explain.faq_answers import given
from kernelscope.explain.section_settings import declared
from kernelscope.serving import admission, caches, execution
from kernelscope.serving.alternatives import alternatives
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.parameters import parameters
from kernelscope.serving.procedures import procedures
from kernelscope.serving.reading import read_python
from kernelscope.serving.registries import registries
from kernelscope.serving.system import join
from kernelscope.serving.waits import syncs

Source = Callable[[str], PythonSource]

LANES = """
    class Lanes:
        def __init__(self, most):
            self.most = most
            self.quantum = 0.01  # 10 ms
            self.patience = 3.5
            self.steps = 5
            self.seen = 0

        def count(self):
            self.steps += 1

        def set_patience(self, patience):
            self.patience = patience
"""


def test_numbers_that_a_constructor_writes_down_are_parameters(source: Source) -> None:
    found = {p.name: (p.value, p.doc) for p in parameters(source(LANES))}
    assert found["quantum"] == (0.01, "10 ms")
    assert found["patience"] == (3.5, "")
    assert "steps" not in found and "seen" not in found


def test_they_stand_with_the_scheduler_whose_file_they_are_in(source: Source) -> None:
    def told(name: str) -> list[str]:
        file = PythonSource(Path(f"/w/{name}.py"), source(LANES).module)
        return [p.name for p in declared(join([read_python(file)]), "scheduling")]

    assert "quantum" in told("scheduler") and "quantum" not in told("model")


def test_classes_are_chosen_by_switches(source: Source) -> None:
    text = """
        class Desk:
            def __init__(self, config):
                if config.paged:
                    self.pages = PagedCache(config.size)
                elif config.aware:
                    self.whole = WholeCache(config)
                else:
                    self.whole = PlainCache()
    """
    ((section, claim),) = alternatives(source(text))
    assert section == "serving.kv_cache"
    assert claim.value == (
        "Desk.__init__ makes PagedCache if config.paged; WholeCache if config.aware; PlainCache otherwise"
    )
    assert not list(alternatives(source(text.replace("WholeCache", "PagedCache").replace("PlainCache", "PagedCache"))))
    assert not list(alternatives(source(text.replace("Cache", "Layer"))))


def test_a_share_of_the_memory_is_a_size_of_a_cache(source: Source) -> None:
    text = """
        class CacheSettings:
            def limit(self):
                available = free_memory()
                most = int(available * self.memory_share)
                return most
    """
    (claim,) = caches.sizing(source(text))
    assert claim.value == "most = int(available * self.memory_share): a share of the memory"
    assert not list(caches.sizing(source(text.replace("CacheSettings", "Pictures"))))


def test_what_ends_an_admission_is_cited_where_it_is_decided(source: Source) -> None:
    text = """
        class Desk:
            def fits(self, letter):
                return len(self.running) < self.most

            def plan(self):
                while self.waiting:
                    letter = self.waiting[0]
                    if self.fits(letter):
                        self.running.append(letter)
                        self.waiting.pop(0)
                    else:
                        break
    """
    (claim,) = admission.continuous(source(text))
    assert "which asks len(self.running) < self.most" in claim.value
    assert [place.line for place in claim.evidence] == [7, 6, 3]
    either = text.replace("return len(self.running) < self.most", "return letter.short or (self.idle and self.late)")
    (claim,) = admission.continuous(source(either))
    assert "which asks letter.short or (self.idle and self.late)" in claim.value


def test_a_long_return_is_written_on_several_lines(source: Source) -> None:
    long = " and ".join(f"(len(self.running_{i}) + self.reserved_{i} < self.most_of_them_{i})" for i in range(3))
    text = f"class Scheduler:\n    def admit(self):\n        x = 1\n        return {long}\n"
    (found,) = (p for p in procedures(source(text)) if p.section)
    assert found.steps.split("\n")[2:] == [
        f"  and len(self.running_{i}) + self.reserved_{i} < self.most_of_them_{i}" for i in (1, 2)
    ]


def test_a_stream_waits_for_an_event_that_a_table_holds(source: Source) -> None:
    text = "def step(ids):\n    events[0].wait(torch.cuda.current_stream())\n    lock.wait(3)\n"
    (found,) = syncs(source(text))
    assert found.text == "step: events[0].wait(torch.cuda.current_stream()): the stream goes on after the event"


def test_a_block_that_stands_for_nothing_is_the_cache_s(source: Source) -> None:
    text = """
        class Pages:
            def __init__(self):
                self.null_block = self.free.popleft()
                self.dummy_request = Request()
    """
    (claim,) = execution.placeholder_blocks(source(text))
    assert claim.value == "placeholder self.null_block = self.free.popleft()"


def test_constructors_of_servers_take_sizes(source: Source) -> None:
    text = """
        class OfflineLLM:
            def __init__(self, model, max_batch_size: int = 256, name="a"):
                self.engine = Engine(model, max_batch_size)

        class Picture:
            def __init__(self, max_batch_size: int = 8):
                self.inner = Inner(max_batch_size)
    """
    (claim,) = given("batch")(join([read_python(source(text))]))
    assert claim.value == "OfflineLLM.__init__.max_batch_size default 256"


def test_classes_of_names_are_enums_where_they_list_ways(source: Source) -> None:
    text = """
        class LetterStatus:
            "How far a letter is."
            WRITTEN = "written"
            SENT: str = "sent"

        class LetterSizes:
            SMALL = "a5"
            LARGE = "a4"

        class DeskStatus:
            OPEN = "open"
            SHUT = "shut"

            def say(self): ...
    """
    enums = [(r.name, [e.key for e in r.entries]) for r in registries(source(text)) if r.kind == "enum"]
    assert enums == [("LetterStatus", ["WRITTEN", "SENT"])]
