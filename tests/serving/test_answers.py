"""Answers of the FAQ with the functions behind them, how requests end, and where what a function counts stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from kernelscope.analysis import Analysis
from kernelscope.explain.faq import QUESTIONS
from kernelscope.explain.faq_functions import samplers
from kernelscope.explain.report_execution import tiling
from kernelscope.explain.report_places import Places, Texts
from kernelscope.explain.report_structure import units
from kernelscope.explain.report_text import WHOLE, Lengths, to_markdown
from kernelscope.serving import execution, trees
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.endings import endings
from kernelscope.serving.layers import orders
from kernelscope.serving.parallel import strategies
from kernelscope.serving.parameters import parameters
from kernelscope.serving.reading import read_python
from kernelscope.serving.registries import registries
from kernelscope.serving.rounding import blocks_needed
from kernelscope.serving.system import System, join
from kernelscope.serving.waits import syncs
from kernelscope.serving.work import tile_counts
from kernelscope.workspace.files import Files

Source = Callable[[str], PythonSource]
Json = dict[str, object]

DESK = """
class Desk:
    size: int = 8

    def put(self, letter):
        if letter.late:
            return
        self.waiting.append(letter)

    def take(self):
        while self.waiting and len(self.running) < self.most:
            letter = self.waiting.popleft()
            self.running.append(letter)
"""


def answers(system: System, question: str) -> list[str]:
    (asked,) = (q for q in QUESTIONS if q.id == question)
    return [claim.value for claim in asked.claims(system)]


def test_an_answer_tells_the_steps_of_the_function_that_it_cites(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(DESK)
    report = Analysis([tmp_path]).report()
    entries = {str(row["id"]): row for row in cast("list[Json]", report["faq"])}
    steps = entries["batching.strategy.steps.1"]
    assert str(steps["answer"]).startswith("Desk.take:\nwhile self.waiting and len(self.running) < self.most:\n")
    assert "scheduling.states.steps.1" in entries and "kv_cache.block.steps.1" not in entries
    text = to_markdown(report, WHOLE)
    assert "- **Desk.take** (`desk.py:10`)\n\n  ```\n  while self.waiting" in text
    assert "**Desk.take** (" not in to_markdown(report, Lengths(functions=0)).split("## Serving")[0]


def test_requests_end_for_a_reason_or_by_a_mark(source: Source) -> None:
    text = """
        class StopRules:
            def check(self, token, req):
                if self.count >= self.most:
                    return True, StopReason.LENGTH
                if token in self.ends:
                    req.is_finished = True
                    req.finish_reason = "stop"
                return False, None
    """
    (claim,) = endings(source(text))
    assert claim.value == (
        "StopRules.check ends a request: StopReason.LENGTH if self.count >= self.most; "
        "req.is_finished = True if self.count < self.most and token in self.ends; "
        'req.finish_reason = "stop" if self.count < self.most and token in self.ends'
    )
    assert answers(join([read_python(source(text))]), "scheduling.ending")[0] == claim.value
    parts = (
        text.replace("is_finished", "finished_prefilling").replace("StopReason", "Size").replace("finish_", "other_")
    )
    assert not list(endings(source(parts)))
    doors = text.replace("Stop", "Door").replace("req.finish_", "door.").replace("req", "door")
    assert not list(endings(source(doors)))


def test_blocks_of_a_cache_are_no_tiles_of_a_kernel(source: Source) -> None:
    text = """
        def blocks_of(tokens):
            num_blocks = math.ceil(tokens / BLOCK_SIZE)
            return num_blocks
    """
    (claim,) = blocks_needed(source(text))
    assert claim.value.endswith("num_blocks = math.ceil(tokens / BLOCK_SIZE) (rounded up)")
    assert not list(tile_counts(source(text)))
    kernel = source("@triton.jit\ndef add(x):\n    pass\n" + text.replace("\n        ", "\n"))
    assert not list(blocks_needed(kernel))
    assert len(list(tile_counts(kernel))) == 1


def test_tests_that_have_a_name_are_spelt_out_with_the_order(source: Source) -> None:
    text = """
        class Mixer:
            def forward(self, q, k, n):
                use_one = n <= 8192 and q.shape[0] > 512
                q = rotate(q, k)
                if use_one:
                    return attention_one(q, k)
                k = pack(k, q)
                return attention_two(q, k)
    """
    said = [claim.value for _, claim in orders(source(text)) if claim.name.endswith(" order")]
    assert said[0].endswith(", where use_one = n <= 8192 and q.shape[0] > 512")
    (components,) = (p for p in read_python(source(text)).procedures if p.section == "components")
    assert components.evidence[0] == next(c.evidence[0] for _, c in orders(source(text)))


def test_graphs_that_a_function_of_the_file_captures_for_each_size_and_rank(source: Source) -> None:
    text = """
        SIZES = [1, 2, 4]
        SIZES = [n for n in SIZES if n <= MOST]

        class One:
            @staticmethod
            def trace(size, rank):
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    run(size, rank)

        class All:
            def warm(self):
                with bar() as shown:
                    for size in reversed(SIZES):
                        for rank in (0, 8):
                            self.graphs[size, rank] = One.trace(size, rank)
    """
    (claim,) = execution.captured_by_size(source(text))
    assert claim.value == (
        "CUDA graphs are captured one per `size` in reversed(SIZES) and `rank` in (0, 8) by One.trace in All.warm, "
        "where SIZES = [1, 2, 4], then [n for n in SIZES if n <= MOST]"
    )
    assert not list(execution.captured_by_size(source(text.replace("One.trace(", "Two.trace("))))


def test_a_tree_of_prefixes_is_cited_with_its_class(source: Source) -> None:
    file = source(
        """
        class Prefixes:
            def add(self, above, below, tokens):
                below.parent = above
                above.children[tokens[0]] = below

            def find(self, at, key):
                return at.children.get(key, None)
        """
    )
    (claim,) = trees.trees(file)
    assert [place.line for place in claim.evidence] == [5, 8, 7, 2]


def test_routes_of_one_file_are_told_together(source: Source) -> None:
    def server(name: str, *paths: str) -> PythonSource:
        text = "\n".join(f"@app.get('{path}')\ndef f{i}():\n    pass\n" for i, path in enumerate(paths))
        return PythonSource(Path(f"/w/{name}.py"), source(text).module)

    system = join([read_python(server("a", "/one", "/two")), read_python(server("b", "/v1/models", "/three"))])
    told = answers(system, "scalability.routes")
    assert [text.count("served by") for text in told] == [2, 2]
    assert "/v1/models" in told[0] and "/three" in told[0]


def test_a_function_is_written_out_once() -> None:
    steps: Json = {"question": "Why?", "answer": "f:\na\nb\nc", "found": True, "id": "a.steps.1", "evidence": []}
    first: Json = {"question": "Why?", "answer": "so", "found": True, "id": "a.1", "evidence": []}
    others: list[Json] = [{**entry, "question": "How?"} for entry in (first, steps)]
    text = to_markdown({"workspace": {"root": "office"}, "faq": [first, steps, *others]})
    assert text.count("```") == 2
    assert "- **f** is written out above" in text.split("### How?")[1]


def test_what_only_checks_how_to_choose_chooses_nothing(source: Source) -> None:
    text = """
        class SamplingParams:
            def verify(self):
                if self.top_p > 1:
                    raise ValueError(f"top_p is {self.top_p}")
                return self.top_k

        class Sampler:
            def forward(self, scores):
                best = scores.argmax()
                return best
    """
    assert [claim.name for claim in samplers(join([read_python(source(text))]))] == ["Sampler"]


def test_ranks_are_no_sizes_and_blocks_of_caches_no_tiles(source: Source) -> None:
    text = """
        class Settings:
            tensor_parallel_size: int = 2
            tensor_parallel_rank: int = 1
            block_size: int = 16
            BLOCK_M: int = 64
    """
    assert [p.name for p in strategies(parameters(source(text)))["TP"]] == ["tensor_parallel_size"]
    system = join([read_python(source(text))])
    (row,) = tiling(system, Places(Path("/w"), Texts(Files([]))))
    assert row["mapping"] == "Settings: BLOCK_M = 64"


def test_queues_of_a_server_are_no_units_of_work(source: Source) -> None:
    text = "class Desk:\n    def queue_task(self, task):\n        self.x = 1\n        self.queue.append(task)\n"
    system = join([read_python(source(text))])
    assert system.procedures_of("units_of_work")
    assert units(system, Places(Path("/w"), Texts(Files([])))) == []


def test_a_policy_may_be_asked_for_by_a_part_of_its_name(source: Source) -> None:
    text = """
        def scheduler(policy):
            if policy == "first":
                return First()
            elif "lanes" in policy:
                return Lanes()
    """
    (found,) = registries(source(text))
    assert [(e.key, e.implementation) for e in found.entries] == [("first", "First"), ("…lanes…", "Lanes")]


def test_the_host_waits_for_what_was_recorded(source: Source) -> None:
    one, other = syncs(source("def f(self):\n    self.done_event.synchronize()\n    torch.cuda.synchronize()\n"))
    assert one.text.endswith("the host waits until what was recorded is done")
    assert other.text.endswith("the host waits until the device is done")


def test_conditions_of_an_end_that_are_not_told_leave_dots(source: Source) -> None:
    text = """
    def check(self, request, tokens):
        if tokens:
            self.keep(tokens)
        elif request.pooled:
            request.is_finished = True
        elif self.encodes and request.done:
            if self.stops:
                request.is_finished = True
    """
    (claim,) = endings(source(text))
    assert "request.is_finished = True if not tokens and request.pooled" in claim.value
    assert claim.value.endswith("request.is_finished = True if … and self.encodes and request.done and self.stops")
