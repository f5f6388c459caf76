"""What reports of engines that nobody had read said and was not so, each with what is told instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.explain.section_settings import concerns, declared
from kernelscope.serving import caches, capacity, evictions, service, victims
from kernelscope.serving.balancing import balancing
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.channels import channels, links, uses
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import collectives
from kernelscope.serving.endings import endings
from kernelscope.serving.failures import failures
from kernelscope.serving.metrics import metrics
from kernelscope.serving.parallel import strategy
from kernelscope.serving.preferences import preferences
from kernelscope.serving.queues import queues
from kernelscope.serving.reaching import reaches, wrapped_collectives
from kernelscope.serving.reading import read_c, read_python
from kernelscope.serving.sections import hits
from kernelscope.serving.streams import streams
from kernelscope.serving.system import System, join
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def joined(source: PythonSource) -> System:
    return join([read_python(source)])


def test_local_streams_of_one_name_are_several(source: Source) -> None:
    text = """
        import torch

        class Bench:
            def __init__(self):
                self.side = torch.cuda.Stream()

            def plane(self):
                s = torch.cuda.Stream()
                with torch.cuda.stream(s):
                    self.shave()

            def saw(self):
                s = torch.cuda.Stream()
                with torch.cuda.stream(s):
                    self.cut()

            def drill(self):
                with torch.cuda.stream(self.side):
                    self.bore()

            def carve(self):
                with torch.cuda.stream(self.side):
                    self.chip()

        class Vice:
            def hold(self):
                with torch.cuda.stream(self.side):
                    self.press()
    """
    said = [c.value for c in streams(source(text))]
    assert said == [
        "Bench.__init__ makes the stream self.side (torch.cuda.Stream()); Bench.drill, Bench.carve run on it, "
        "beside the main stream",
        "Bench.plane makes the stream s (torch.cuda.Stream()); Bench.plane runs on it, beside the main stream",
        "Bench.saw makes the stream s (torch.cuda.Stream()); Bench.saw runs on it, beside the main stream",
    ]


def test_an_endless_loop_that_lives_through_faults_tries_nothing_again(source: Source) -> None:
    text = """
        def listen(inbox):
            while True:
                try:
                    kind, payload = inbox.next_one()
                    if kind == "end":
                        break
                    elif kind == "letter":
                        read(payload)
                    else:
                        raise RuntimeError(kind)
                except Exception as e:
                    logger.exception(e)

        def fetch(folder, name):
            while True:
                try:
                    with locked(folder):
                        path = download(name)
                        if path is not None:
                            return path
                except Exception as e:
                    time.sleep(5)
    """
    said = [c.value for c in failures(source(text))]
    assert said == [
        "fetch tries again until it succeeds on Exception: download(name); between the tries it waits (time.sleep(5))"
    ]


def test_what_is_tried_is_all_that_is_called_in_turn(source: Source) -> None:
    text = """
        def place(module, devices):
            while True:
                try:
                    device = devices[0] if module.likes("host") else devices[1]
                    module.load(device)
                    module.run(device)
                    break
                except Exception:
                    devices = devices[1:]
    """
    (claim,) = failures(source(text))
    assert claim.value == "place tries again until it succeeds on Exception: module.load(device) and what follows it"


def test_a_program_that_gives_up_raises(source: Source) -> None:
    text = """
        def load(lines):
            try:
                return parse(lines)
            except ValueError:
                raise SystemExit("no ranks")
    """
    (claim,) = failures(source(text))
    assert claim.value == 'load: on ValueError it raises SystemExit("no ranks")'


def test_a_free_list_that_gives_and_takes_at_its_front_is_a_stack(source: Source) -> None:
    text = """
        from collections import deque

        class Seats:
            def __init__(self, count):
                self.free = deque(range(count))

            def take(self):
                return self.free.popleft()

            def give(self, seat):
                self.free.{put}(seat)

        class Rows:
            def __init__(self, count):
                self.free = list(range(count))

            def take(self):
                return self.free.pop()

            def give(self, row):
                self.free.insert(0, row)
    """
    at_front = [
        c.value for q in queues(source(text.replace("{put}", "appendleft"))) for c in service.free_list_claims(q)
    ]
    assert at_front == [
        "LIFO: taken from the front (popleft) and returned there: the most recently freed is reused first",
        "FIFO: taken from the back (pop), returned to the front: the least recently freed is reused first",
    ]
    both = [c.value for q in queues(source(text.replace("{put}", "append"))) for c in service.free_list_claims(q)]
    assert both[0].startswith("FIFO: taken from the front (popleft), returned to the back")


def test_an_order_of_eviction_that_is_one_of_several_says_when(source: Source) -> None:
    text = """
        class Shelf:
            def evict_order(self):
                if self.way == "recent":
                    return sorted(self.pages, key=lambda p: p.last_access)
                return prune(self.pages)

            def free_some(self, count):
                if count > 0:
                    return sorted(self.pages, key=lambda p: p.last_access)
    """
    said = [c.value for c in evictions.recency(source(text))]
    assert said == [
        'least recently used first: self.pages is ordered by lambda p: p.last_access, if self.way == "recent"',
        "least recently used first: self.pages is ordered by lambda p: p.last_access",
    ]


def test_files_that_are_sorted_wait_for_nothing(source: Source) -> None:
    text = """
        def latest_of(router_dir, waiting):
            found = sorted([*router_dir.glob("*.pt"), *router_dir.glob("*.bin")], key=lambda p: number(request(p)))
            return found[-1]

        def schedule(waiting):
            return sorted(waiting, key=lambda job: job.arrival)
    """
    (claim,) = service.orders(source(text))
    assert claim.name == "schedule order"


def test_who_declines_to_swap_refuses_no_request(source: Source) -> None:
    text = """
        class PageManager:
            def try_swap_out(self, seq):
                if self.num_free_host < len(seq.pages):
                    return False
                return True

            def can_allocate(self, seq):
                if self.num_free < len(seq.pages):
                    return False
                return True
    """
    (claim,) = capacity.admissions(source(text))
    assert claim.name == "PageManager.can_allocate admission"


def test_a_reason_under_another_name_ends_no_request_again(source: Source) -> None:
    text = """
        def stream_request(result, tools):
            if tools and result.finish_reason == "stop":
                result.finish_reason = "tool_calls"
            if result.count >= result.limit:
                result.finish_reason = "length"
    """
    (claim,) = endings(source(text))
    assert (
        claim.value == 'stream_request ends a request: result.finish_reason = "length" if result.count >= result.limit'
    )


def test_a_size_with_the_letters_of_a_strategy_is_none() -> None:
    assert strategy("patch_size_pp") is None
    assert strategy("pp_size") == "PP"
    assert strategy("num_pp") == "PP"


def test_a_function_that_makes_what_it_exchanges_is_given_none_of_it(source: Source) -> None:
    text = """
        import torch
        import torch.distributed as dist

        class Ring:
            def warm(self, device):
                x = torch.ones((6,), device=device)
                dist.all_reduce(x)

            def add(self, part):
                total = part.contiguous()
                dist.all_reduce(total)

            def __init__(self, device, part):
                self.warm(device)
                self.add(part)
    """
    file = source(text)
    rows = wrapped_collectives(file, reaches(file, list(collectives(file))))
    assert [(c.call, c.tensor) for c in rows] == [("self.warm", ""), ("self.add", "part")]


def test_what_is_exchanged_is_not_where_it_goes(source: Source) -> None:
    text = """
        import torch.distributed as dist

        def spread(out, mine, group):
            dist.all_gather_into_tensor(out, mine, group)
            dist.all_reduce(mine, group=group)
    """
    assert [c.tensor for c in collectives(source(text))] == ["mine → out", "mine"]


def test_a_task_that_waits_for_an_event_is_no_event(source: Source) -> None:
    text = """
        import asyncio

        class Desk:
            async def wait(self):
                never = asyncio.create_task(asyncio.Event().wait())
                self.rung = asyncio.Event()
                return never
    """
    assert [c.name for c in channels(source(text))] == ["rung"]


def test_events_of_other_classes_with_one_name_are_kept_apart(source: Source) -> None:
    files = [
        """
        import threading
        import torch

        class Bell:
            def __init__(self):
                self.ready = threading.Event()
                self.rung = threading.Event()

            def ring(self):
                self.ready.set()
                self.rung.set()

        class Porter:
            def __init__(self):
                self.bell = Bell()

            @property
            def ready(self):
                return self.bell.ready

            def open(self):
                self.ready.wait()
        """,
        """
        import torch
        from queue import Queue

        class Copies:
            def __init__(self):
                self.rung = torch.cuda.Event()

            @property
            def ready(self):
                return self.inner.ready

        def copy(copies):
            copies.rung.wait()
            copies.ready.wait()
        """,
    ]
    sources = [source(text) for text in files]
    sources[1] = PythonSource(Path("/w/other.py"), sources[1].module)
    opened = [c for file in sources for c in channels(file)]
    used = [u for file in sources for u in uses(file)]
    told = {link.channel.name: (link.senders, link.receivers) for link in links(opened, used)}
    assert told == {"ready": (("Bell.ring",), ("Porter.open",)), "rung": (("Bell.ring",), ())}


def test_labels_that_have_a_name_are_told_by_what_they_are(source: Source) -> None:
    text = """
        from prometheus_client import Counter, Gauge

        def make():
            names = ["model", "rank"]
            Gauge("waiting", "those that wait", labelnames=names)
            Counter("done", "those that are done", labelnames=names + ["reason"])
    """
    assert [m.labels for m in metrics(source(text))] == [
        '["model", "rank"]',
        'names + ["reason"], where names = ["model", "rank"]',
    ]


def test_settings_stand_under_caches_only_where_memory_of_requests_is_meant(source: Source) -> None:
    text = """
        import os
        from dataclasses import dataclass
        from pathlib import Path

        ROOM_CACHE = os.getenv("ROOM_CACHE", Path(Path.home(), ".cache"))

        @dataclass
        class Shop:
            num_blocks: int = None
            kv_proj: str = "kv"
            page_size: int = 16

            def __post_init__(self):
                self.num_blocks = min(self.num_blocks, self.model.num_hidden_layers)
    """
    assert [p.name for p in declared(joined(source(text)), "kv_cache")] == ["page_size"]


def test_pools_of_tasks_and_blocks_of_models_hold_no_keys(source: Source) -> None:
    file = """
        class TaskPool:
            size: int = 3

        class BlockSparse:
            limit: float = 0.5

        class PagePool:
            spare: int = 2
    """
    told = PythonSource(Path("/w/block_pool.py"), source(file).module)
    assert [f"{p.owner}.{p.name}" for p in declared(joined(told), "kv_cache")] == ["PagePool.spare"]


def test_blocks_of_texts_are_no_registry_of_caches(source: Source) -> None:
    text = """
        TEXT_BLOCKS = {"title": Title, "body": Body}
        KV_BLOCKS = {"title": Title, "body": Body}
    """
    found = joined(source(text)).registries
    assert [r.name for r in found if concerns("kv_cache", r)] == ["KV_BLOCKS"]


def test_memory_that_is_shared_holds_no_prefixes() -> None:
    assert not hits("serving.prefix_cache", "SharedBuffer")
    assert not hits("serving.prefix_cache", "shared_experts")
    assert hits("serving.prefix_cache", "shared_blocks")


def test_types_are_called_by_no_thread() -> None:
    text = b"""
        void work(int n) {
            std::thread t([&]() { for (size_t i = size_t(0); i < n; i++) { step_on(i); } });
        }
    """
    reading = read_c(CSource(Path("/w/desk.cpp"), SourceText(text)))
    assert [s.target for s in reading.started] == ["a function that calls step_on"]


def test_whom_callers_give_up_is_not_said_to_run(source: Source) -> None:
    text = """
        class Helper:
            def evict_for(self, need, evictable_seqs):
                while len(evictable_seqs) > 0:
                    evict_seq = evictable_seqs.pop(0)
                    evict_seq.state.free()

            def preempt_for(self, need, running_seqs):
                while len(running_seqs) > 0:
                    victim_seq = running_seqs.pop()
                    victim_seq.state.free()
    """
    said = [c.value.partition(" is taken")[0] for c in victims.victims(source(text))]
    assert said == [
        "victim, of those that callers give: the first of evictable_seqs",
        "preemption victim: the last of running_seqs",
    ]


def test_the_order_of_those_that_give_way_serves_nobody(source: Source) -> None:
    text = """
        class Oldest:
            def ordering_requests(self, requests):
                return sorted(requests, key=lambda r: r.arrived, reverse=True)
    """
    parsed = source(text)
    paused = PythonSource(Path("/w/pause_strategy.py"), parsed.module)
    served = PythonSource(Path("/w/schedule_strategy.py"), parsed.module)
    assert [c.value for c in service.orders(paused)] == [
        "order: requests is given in the order of lambda r: r.arrived, largest first; of those that are to stop, by "
        "the names"
    ]
    assert [c.value for c in service.orders(served)] == [
        "policy: requests is given in the order of lambda r: r.arrived, largest first"
    ]


def test_what_is_taken_from_the_end_is_taken_in_the_other_order(source: Source) -> None:
    text = """
        class Scheduler:
            def schedule(self, requests):
                by_room = [(r, self.room(r)) for r in requests]
                by_room.sort(key=lambda x: x[1])
                while self.lacks:
                    request, room = by_room.pop()
                    self.lacks -= room

            def schedule_first(self, requests):
                requests.sort(key=lambda x: x.room)
                for request in requests:
                    self.start(request)
    """
    assert [c.value for c in service.orders(source(text))] == [
        "policy: requests is served in the order of lambda x: x.room, smallest first"
    ]
    text = text.replace("by_room", "waiting_by_room")
    assert [c.value for c in service.orders(source(text))] == [
        "order: waiting_by_room is sorted in the order of lambda x: x[1], smallest first; the last is taken first "
        "(waiting_by_room.pop())",
        "policy: requests is served in the order of lambda x: x.room, smallest first",
    ]


def test_how_many_are_taken_is_no_replica(source: Source) -> None:
    text = """
        class Router:
            def pick(self, workers):
                best = 1e9
                for worker in range(1, len(workers) + 1):
                    if self.took[worker] < best:
                        best = self.took[worker]
                        worker_count = worker
                return worker_count
    """
    assert list(balancing(source(text))) == []
    assert len(list(balancing(source(text.replace("range(1, len(workers) + 1)", "range(len(workers))"))))) == 1


def test_tiles_of_a_launch_are_no_blocks_of_a_cache(source: Source) -> None:
    text = """
        import triton

        @triton.jit
        def copy_kernel(x): ...

        def copy_kv(seq_len):
            BLOCK = 64
            return (seq_len + BLOCK - 1) // BLOCK

        def kv_blocks(seq_len, block_size):
            return (seq_len + block_size - 1) // block_size
    """
    assert [c.name for c in caches.paging(source(text))] == ["kv_blocks blocks"]


def test_the_state_of_a_step_is_no_state_of_requests(source: Source) -> None:
    text = """
        class Model:
            def decode(self, step_state, n):
                step_state.partial = torch.empty((n, self.batch, self.heads, self.dim))
                step_state.pool_rows = torch.empty((n, self.batch, self.heads, self.dim))
    """
    assert [c.name for c in caches.buffers(source(text))] == ["Model.decode step_state.pool_rows layout"]


def test_what_a_draft_runs_is_no_policy(source: Source) -> None:
    text = """
        class DraftAction:
            def step(self):
                self.model.prefill_lagged()
                self.model.batch_decode()
    """
    assert list(preferences(source(text))) == []
    assert len(list(preferences(source(text.replace("DraftAction", "Action"))))) == 1


def test_what_a_nested_function_evicts_is_told_once(source: Source) -> None:
    text = """
        class Engine:
            def stream(self):
                def run():
                    self._kv_cache.popitem(last=False)
                return run()
    """
    assert [c.name for c in evictions.evictions(source(text))] == ["Engine.stream.run eviction"]
