"""How engines that were read last decide, choose and count: each test shows the source and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from kernelscope.explain.report_layout import laid_out
from kernelscope.explain.report_places import Places, Texts
from kernelscope.explain.report_serving import SERVING
from kernelscope.explain.section_settings import concerns, declared
from kernelscope.serving import caches, overlap
from kernelscope.serving.alternatives import alternatives
from kernelscope.serving.balancing import balancing
from kernelscope.serving.channels import channels, links, uses
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.commands import settable
from kernelscope.serving.deciding import decisions
from kernelscope.serving.endings import endings
from kernelscope.serving.kinds_in_turn import kinds_in_turn
from kernelscope.serving.measures import measures
from kernelscope.serving.page_reuse import reused_pages
from kernelscope.serving.processes import started
from kernelscope.serving.reading import read_python
from kernelscope.serving.sections import hits
from kernelscope.serving.shortest_paths import shortest_paths
from kernelscope.serving.system import System, join
from kernelscope.workspace.files import Files

from .test_read_beside_source import answers

Source = Callable[[str], PythonSource]


def joined(source: PythonSource) -> System:
    return join([read_python(source)])


def test_a_function_that_answers_test_after_test_decides_between_prefill_and_decode(source: Source) -> None:
    text = """
        class Maker:
            def do_prefill(self):
                if not self.desk.waiting:
                    return False
                if self.rounds >= self.most_rounds:
                    return True
                if self.desk.num_running < self.most * 0.5:
                    return True
                return False

            def supports_prefill(self):
                if self.waiting:
                    return False
                if self.running:
                    return True
                return False

            def release_decode(self, old, running, waiting):
                if old is None:
                    return True
                if running or waiting:
                    return False
                return True
    """
    (claim,) = decisions(source(text))
    assert claim.value == (
        "prefill or decode: whether a step runs prefill is decided anew each time, the first that holds of: "
        "False if not self.desk.waiting; True if self.rounds >= self.most_rounds; "
        "True if self.desk.num_running < self.most * 0.5; False otherwise (≈ by its name)"
    )
    assert answers(joined(source(text)), "scheduling.prefill_decode") == [f"Maker.do_prefill policy: {claim.value}"]


def test_kinds_of_requests_are_handled_in_the_order_of_a_list(source: Source) -> None:
    text = """
        class Desk:
            def __init__(self):
                self.turn = [RequestKind.STOP, RequestKind.ADD, RequestKind.END]
                self.colours = [Colour.RED, Colour.BLUE, Colour.GREEN]

            def step(self):
                for kind in self.turn:
                    self.handle(kind)
                for colour in self.colours:
                    self.paint(colour)
    """
    (claim,) = kinds_in_turn(source(text))
    assert claim.value == (
        "order by kind: Desk.step handles what came in one kind after the other, in the order of self.turn: "
        "RequestKind.STOP, RequestKind.ADD, RequestKind.END"
    )


def test_a_path_of_least_cost_is_told_with_what_its_edges_cost(source: Source) -> None:
    text = """
        import dijkstar

        class Router:
            def route(self, first, last):
                graph = self._graph(first, last)
                return dijkstar.find_path(graph, "in", "out")

            def _graph(self, first, last, *, full_delay=10):
                graph = dijkstar.Graph()
                delay = self.rtt(first)
                if self.is_full(first):
                    delay += full_delay
                graph.add_edge("in", first, delay)
                graph.add_edge(last, "out", 1.0 / self.speed)
                return graph
    """
    assert [c.value for c in shortest_paths(source(text))] == [
        'load balancing: Router.route takes the path of least cost (dijkstar.find_path(graph, "in", "out")) '
        'from "in" to "out" in the graph that Router._graph makes',
        'load balancing: what edges of the graph cost: delay for "in" → first, where delay = self.rtt(first), '
        '+= full_delay if self.is_full(first); 1.0 / self.speed for last → "out"; by default full_delay=10',
    ]


def test_a_candidate_may_be_drawn_by_weights(source: Source) -> None:
    text = """
        import numpy as np

        def pick_span(candidate_spans):
            weights = np.array([span.length for span in candidate_spans])
            return np.random.choice(candidate_spans, p=weights / weights.sum())
    """
    (claim,) = balancing(source(text))
    assert claim.value == (
        "load balancing: one of candidate_spans at random, by the weights weights / weights.sum(), where "
        "weights = np.array([span.length for span in candidate_spans]) (≈ replicas by their names)"
    )


def test_what_a_task_counts_as_is_told_with_its_limit(source: Source) -> None:
    text = """
        class Pool:
            def size_of(self, task):
                if task.ndim >= 2:
                    return task.shape[0] * task.shape[1]
                return 1

            def submit(self, task):
                if self.size_of(task) > self.max_batch_size:
                    raise ValueError("too large")

            def weight_of(self, task):
                return self.scale.weigh(task)

            def ship(self, task):
                if self.weight_of(task) > self.max_batch_size:
                    raise ValueError("too heavy")
    """
    (claim,) = measures(source(text))
    assert claim.value == (
        "limit: what counts is Pool.size_of, which is task.shape[0] * task.shape[1] if task.ndim >= 2; 1; "
        "Pool.submit compares it (self.size_of(task) > self.max_batch_size)"
    )


def test_a_factory_chooses_the_class_by_its_tests(source: Source) -> None:
    text = """
        def build_manager(config):
            if config.window < 0:
                return WholeBlockManager(config)
            return WindowBlockManager(config)

        def build_layer(config):
            if config.wide:
                return WideBlock(config)
            return NarrowBlock(config)
    """
    assert [(section, c.value) for section, c in alternatives(source(text))] == [
        (
            "serving.kv_cache",
            "build_manager makes WholeBlockManager if config.window < 0; WindowBlockManager otherwise",
        ),
        ("components", "build_layer makes WideBlock if config.wide; NarrowBlock otherwise"),
    ]


def test_blocks_are_counted_with_what_was_added_to_a_length(source: Source) -> None:
    text = """
        class Sequence:
            def prepare(self, padded, most):
                length = len(self.ids) + most
                if padded:
                    length += 1
                return (length + PAGE_SIZE - 1) // PAGE_SIZE
    """
    (claim,) = caches.paging(source(text))
    assert claim.value == (
        "number of blocks = (length + PAGE_SIZE - 1) // PAGE_SIZE (rounded up), where length = len(self.ids) + most, "
        "+= 1 if padded"
    )


def test_the_next_batch_may_be_sent_before_results_are_awaited(source: Source) -> None:
    text = """
        class Loop:
            async def turn(self, running):
                inputs, following = await self.send_next_inputs()
                out = await self.device.get_output()
                self.finish(out, running)
                return inputs, following

            async def late(self, running):
                out = await self.device.get_output()
                following = await self.send_next_inputs()
                return following
    """
    (claim,) = overlap.overlaps(source(text))
    assert claim.name == "Loop.turn overlap"
    assert "(await self.send_next_inputs()) before it awaits the results of this one" in claim.value


def test_variables_that_functions_convert_are_settings(source: Source) -> None:
    text = """
        import os

        def env_to_int(name, default=0):
            value = os.getenv(name)
            return default if value is None else int(value)

        def env_to_choice(name, default, choices):
            value = os.environ.get(name, default)
            assert value in choices
            return value

        turns = max(1, env_to_int("DESK_TURNS", 3))
        way = env_to_choice("DESK_WAY", "size", {"size", "fifo"})
        plain = os.getenv("DESK_PLAIN", "no")
    """
    found = [(p.name, p.value, p.choices) for p in settable(source(text)) if p.kind == "environment"]
    assert found == [
        ("DESK_TURNS", 3, ()),
        ("DESK_WAY", "size", ("fifo", "size")),
        ("DESK_PLAIN", "no", ()),
    ]


def test_a_default_that_is_stored_again_under_a_condition_overrules_what_was_chosen(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class CacheConfig:
            window: int = -1
            share_prefixes: bool = False

            def __post_init__(self):
                if self.window > 1:
                    self.share_prefixes = False
    """
    (p,) = (p for p in settable(source(text)) if p.name == "share_prefixes")
    assert [(o.value, o.condition) for o in p.overrides] == [("False", "self.window > 1")]


def test_a_text_that_is_asked_for_another_is_a_choice(source: Source) -> None:
    text = """
        class PageTable:
            def __init__(self):
                self.eviction_policy = "tree"
                self.name = "pages"
                self.state = "new"

            def order(self):
                self.state = "old"
                if self.eviction_policy == "oldest":
                    return sorted(self.pages)
                return self.prune(self.state == "new")
    """
    (p,) = (p for p in settable(source(text)) if p.kind == "field")
    assert (p.name, p.value, p.choices) == ("eviction_policy", "tree", ("tree", "oldest"))
    assert [q.name for q in declared(joined(source(text)), "kv_cache")] == ["eviction_policy"]
    assert not declared(joined(source(text)), "scheduling")


def test_reasons_that_calls_are_given_end_requests(source: Source) -> None:
    text = """
        class Job:
            def receive(self, token, emit):
                if token in self.stops:
                    return emit(done=True, eos_reason="stop_token")
                if self.count >= self.most:
                    return emit(done=True, eos_reason="max_tokens")
                return emit()
    """
    (claim,) = endings(source(text))
    assert claim.value == 'Job.receive ends a request: eos_reason "stop_token"; eos_reason "max_tokens"'


def test_roles_of_prefill_and_decode_are_about_scheduling(source: Source) -> None:
    text = """
        import enum

        class EngineRole(enum.Enum):
            Hybrid = 1
            Prefill = 2
            Decode = 3

        class TokenKind(enum.Enum):
            Prefill = 2
            Decode = 3
    """
    assert [r.name for r in joined(source(text)).registries if concerns("scheduling", r)] == ["EngineRole"]


def test_pools_say_how_many_work_in_them(source: Source) -> None:
    text = """
        from concurrent.futures import ThreadPoolExecutor

        def make():
            return ThreadPoolExecutor(max_workers=16)
    """
    (pool,) = started(source(text))
    assert (pool.count, pool.text) == ("16", "thread pool of at most 16 workers started by ThreadPoolExecutor in make")


def test_sockets_whose_kind_has_a_name_and_a_random_port_meet(source: Source) -> None:
    text = """
        import zmq

        class Server:
            def __init__(self):
                address = "tcp://localhost"
                self.socket = zmq.Context().socket(zmq.ROUTER)
                self.port = self.socket.bind_to_random_port(address)

            def serve(self):
                return self.socket.recv_multipart()

        class Client:
            def __init__(self, port):
                address = f"tcp://localhost:{port}"
                kind = zmq.DEALER
                self.socket = zmq.Context().socket(kind)
                self.socket.connect(address)

            def call(self, letter):
                self.socket.send_multipart(letter)
    """
    file = source(text)
    (link,) = links(channels(file), uses(file))
    assert (link.pattern, link.senders, link.receivers) == ("DEALER → ROUTER", ("Client.call",), ("Server.serve",))


def test_shared_memory_says_how_much_it_holds(source: Source) -> None:
    text = """
        from multiprocessing.shared_memory import SharedMemory

        SLOTS = 32
        SLOT_BYTES = 8

        class Buffer:
            def __init__(self):
                self.memory = SharedMemory(create=True, size=SLOT_BYTES * SLOTS)
    """
    (link,) = links(channels(source(text)), [])
    assert link.text.endswith("; it holds SLOT_BYTES * SLOTS bytes, where SLOT_BYTES = 8, SLOTS = 32")


def test_a_state_of_its_own_class_is_where_a_request_comes_from(source: Source) -> None:
    text = """
        import enum

        class SeqStatus(enum.Enum):
            WAITING = 1
            RUNNING = 2

        class Waiting:
            status = SeqStatus.WAITING

            def activate(self):
                self.to_state(Running)

        class Running:
            status = SeqStatus.RUNNING
    """
    system = joined(source(text))
    told = cast("dict[str, Any]", laid_out(SERVING, system, Places(Path("/w"), Texts(Files([])))))
    moves = told["lifecycle"]["transitions"]
    assert [(row["from"], row["to"]) for row in moves] == [("SeqStatus.WAITING", "SeqStatus.RUNNING")]


def test_pages_are_found_again_by_their_hashes_all_in_turn(source: Source) -> None:
    text = """
        class PageTable:
            def take(self, page_hashes):
                found = []
                for number, h in enumerate(page_hashes):
                    page = self.used_pages.get(h)
                    if page is None:
                        page = self.spare_pages.get(h)
                    if page is None:
                        page = self.new_page(h)
                    found.append(page)
                return found

            def count(self, hashes):
                for h in hashes:
                    colour = self.colours.get(h)

            def touch(self, hashes):
                for h in hashes:
                    self.used_pages.get(h)
    """
    (claim,) = reused_pages(source(text))
    assert claim.value == (
        "prefix lookup in PageTable.take: each of page_hashes is looked up by its hash in self.used_pages, then in "
        "self.spare_pages; what is found there is used again"
    )
    assert f"PageTable.take hash hit: {claim.value}" in answers(joined(source(text)), "kv_cache.prefix")


def test_hashes_are_several_of_a_hash() -> None:
    assert hits("serving.prefix_cache", "page_hashes") == 1


def test_tiles_of_weights_are_sampled_but_are_no_tokens(source: Source) -> None:
    text = """
        def sample_tiles(weights, width):
            tiles = weights.view(-1, 16)
            return tiles.abs().topk(width)

        def sample_next(logits):
            ids = logits / 2
            return ids.argmax()
    """
    assert [said.partition(":")[0] for said in answers(joined(source(text)), "components.sampling")] == ["sample_next"]


def test_loads_that_are_aborted_end_no_request(source: Source) -> None:
    text = """
        class Weights:
            def abort_load(self):
                self.loading = False
                self.parts = []

        class Scheduler:
            def abort_all(self):
                self.running = []
                self.waiting = []
    """
    system = joined(PythonSource(Path("/w/parts.py"), source(text).module))
    assert [said.partition(":")[0] for said in answers(system, "scheduling.ending")] == ["Scheduler.abort_all"]
