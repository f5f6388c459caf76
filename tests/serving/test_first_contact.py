"""What reports of engines that nobody had read left out or got wrong, each as a few lines of source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.explain.report_layout import MOST_ENTRIES, cut_to_size
from kernelscope.explain.section_settings import is_offered
from kernelscope.serving import caches, free_arrays, lifecycle, service
from kernelscope.serving.balancing import balancing
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import collectives
from kernelscope.serving.constraints import constraints
from kernelscope.serving.endpoints import addresses
from kernelscope.serving.evictions import recency
from kernelscope.serving.giving_up import given_up
from kernelscope.serving.layers import orders
from kernelscope.serving.parameters import parameters
from kernelscope.serving.preferences import preferences
from kernelscope.serving.procedures import is_aside
from kernelscope.serving.reaching import reaches, wrapped_collectives
from kernelscope.serving.registries import registries
from kernelscope.serving.roles import roles
from kernelscope.serving.victims import victims
from kernelscope.serving.work import tables

Source = Callable[[str], PythonSource]

CUT = """
class Drawers:
    def take(self, n):
        ids = self.free_ids[:n]
        self.free_ids = self.free_ids[n:]
        return ids

    def give(self, ids):
        self.free_ids = np.concatenate([self.free_ids, ids])

    def tidy(self):
        self.free_ids = np.sort(self.free_ids)
"""


def test_an_array_that_is_cut_in_front_and_joined_behind_is_a_free_list(source: Source) -> None:
    (claim,) = free_arrays.cut_arrays(source(CUT))
    assert claim.value.startswith(
        "FIFO: taken from the front (self.free_ids = self.free_ids[n:]), returned to the back"
    )
    assert claim.value.endswith("; tidy sorts it anew")
    (turned,) = free_arrays.cut_arrays(source(CUT.replace("[self.free_ids, ids]", "[ids, self.free_ids]")))
    assert turned.value.startswith("LIFO: taken from the front")
    assert not list(free_arrays.cut_arrays(source(CUT.replace("free_ids", "late_ids"))))
    assert not list(free_arrays.cut_arrays(source(CUT.replace("ids = self.free_ids[:n]", "ids = n"))))


def test_the_ends_of_what_a_stack_in_an_array_gives_may_have_names(source: Source) -> None:
    text = """
    class Drawers:
        def take(self, n):
            begin = self.mark
            end = self.mark + n
            ids = self.ids[begin:end]
            self.mark += n
            return ids

        def give(self, ids):
            end = self.mark
            begin = self.mark - len(ids)
            self.ids[begin:end] = ids
            self.mark -= len(ids)
    """
    (claim,) = free_arrays.stacks_of_ids(source(text))
    assert claim.value.startswith(
        "LIFO: a stack in an array, self.ids[begin:end] (where begin = self.mark, end = self.mark + n) is taken"
    )


def test_two_bounds_of_one_assert_are_a_range(source: Source) -> None:
    found = [
        c.condition for c in constraints(source("def f(a, n):\n    assert a.share > 0 and a.share < 1 and n > 2\n"))
    ]
    assert found == ["a.share > 0 and a.share < 1", "n > 2"]
    other = [c.condition for c in constraints(source("def f(a, n):\n    assert a.share > 0 and n < 1\n"))]
    assert other == ["a.share > 0", "n < 1"]


LEAST = """
class Budget:
    def dispatch(self, way, n):
        if way == Way.LETTERS:
            at = self.total_requests.index(min(self.total_requests))
        else:
            at = min(range(self.num_workers), key=lambda i: (self.tokens[i], self.total_requests[i]))
        return at
"""


def test_the_place_of_the_least_load_is_chosen(source: Source) -> None:
    (claim,) = balancing(source(LEAST))
    assert "the one with the smallest of self.total_requests (self.total_requests.index(" in claim.value
    assert "or the one of range(self.num_workers) with the smallest lambda i: (self.tokens[i]" in claim.value
    (other,) = balancing(source(LEAST.replace("total_requests", "sizes")))
    assert "sizes.index" not in other.value


def test_turns_over_a_local_name_of_the_workers(source: Source) -> None:
    text = """
    class Desks:
        def round_robin(self, letter):
            active = self.active_workers
            at = active[self.turn % len(active)]
            self.turn = (self.turn + 1) % len(active)
            send(self.workers[at], letter)
    """
    (claim,) = balancing(source(text))
    assert "round robin: active take turns (self.turn % len(active))" in claim.value


def test_who_goes_where_by_what_a_request_says_is_no_round_robin(source: Source) -> None:
    text = """
    class Desks:
        def hand_out(self, letter):
            at = letter.room % len(self.workers)
            send(self.workers[at], letter)
    """
    (claim,) = balancing(source(text))
    assert "by letter.room: those with the same one go to the same of self.workers" in claim.value
    assert not list(balancing(source(text.replace("send(self.workers[at], letter)", "return at"))))


def test_a_cache_that_is_asked_for_a_prefix_is_no_replica(source: Source) -> None:
    text = """
    class Pipeline:
        def init_load(self, key):
            found = self.cache.match_prefix(Params(key=key))
            return found
    """
    assert not list(balancing(source(text)))
    (claim,) = balancing(source(text.replace("self.cache", "self.workers")))
    assert "by prefix" in claim.value


def test_backends_of_both_phases_say_nothing_of_where_they_run(source: Source) -> None:
    text = "def f(cfg):\n    both = cfg.prefill_{0} == 'x' and cfg.decode_{0} == 'x'\n    return both\n"
    assert not list(roles(source(text.format("backend"))))
    assert [c.name for c in roles(source(text.format("hosts")))] == ["f disaggregation"]


def test_what_turns_one_kind_of_work_into_the_other_runs_neither(source: Source) -> None:
    text = """
    class Desk:
        def step(self):
            self.adapter.{0}()
            self.arm.{1}()
    """
    assert not list(preferences(source(text.format("convert_decode_to_extend", "arm_prefill_decode_interval"))))
    assert list(preferences(source(text.format("run_decode", "run_prefill"))))


def test_blocks_that_are_needed_for_some_bytes_are_not_as_many_as_the_memory_holds(source: Source) -> None:
    text = "def make_room(n_bytes, page_size):\n    {0} = (n_bytes {1}) // page_size\n    return {0}\n"
    assert not list(caches.sizing(source(text.format("need_pages", "+ page_size - 1"))))
    assert list(caches.sizing(source(text.format("num_pages", "- held_bytes"))))


PAUSED = """
class Desk:
    def step(self):
        while not self.fits(self.running):
            some = choose(self.running)
            self.pause(some)

    def fits(self, batch):
        if batch is None:
            return True
        return batch.needed() + self.used() <= self.most

    def pause(self, letters):
        for letter in letters:
            self.free_memory(letter)
            letter.kv_length = 0
            letter.paused = True
"""


def test_requests_that_are_paused_until_the_rest_fits(source: Source) -> None:
    told = [c.value for c in given_up(source(PAUSED))]
    assert told[0].startswith("preempted by recompute: Desk.pause frees what letter holds (self.free_memory(letter))")
    assert told[1].endswith(
        "self.pause(some) until self.fits(self.running), which asks whether batch.needed() + self.used() <= self.most"
    )
    assert not list(given_up(source(PAUSED.replace("pause", "greet"))))
    kept = PAUSED.replace("letter.kv_length = 0", "letter.late = True")
    assert [c.name for c in given_up(source(kept))] == ["Desk.step preemption"]


def test_an_order_that_is_turned_round_serves_the_newest_first(source: Source) -> None:
    text = "class Way:\n    def ordering(self, reqs):\n        return {0}\n"
    for turned in ("reqs[::-1]", "list(reversed(reqs))"):
        (claim,) = victims(source(text.format(turned)))
        assert claim.value == f"Way.ordering turns reqs round ({turned}): the last (newest) first"
    assert not list(victims(source(text.format("reqs[1:]"))))
    asker = "\ndef choose(way, some):\n    return way.ordering(some)\n"
    (asked,) = victims(source(text.format("reqs[::-1]") + asker))
    assert asked.value.endswith("the last (newest) first, as choose asks for it")


def test_of_cases_that_return_one_is_all_that_runs(source: Source) -> None:
    text = """
    def deal(mode, letters):
        match mode:
            case "turns":
                return in_turn(letters)
            case "waves":
                return in_waves(letters)
            case "pools":
                return in_pools(letters)
            case _:
                raise ValueError(mode)
    """
    assert not list(orders(source(text)))


def test_what_an_axis_of_a_table_counts_is_its_last_name_or_itself(source: Source) -> None:
    text = "def f(c):\n    barriers = torch.zeros([c.num_layers, 10, c.heads + 2 * c.groups], dtype=torch.int32)\n"
    (claim,) = tables(source(text))
    assert ", one entry per layer, 10, (c.heads + 2 * c.groups): torch.zeros(" in claim.value


@pytest.mark.parametrize(
    ("path", "aside"),
    [("demos/fold/fold.cu", False), ("desk/demos/fold.py", False), ("demos/fold.py", True), ("a/demo/main.cpp", True)],
)
def test_demonstrations_with_kernels_or_in_a_package_belong_to_the_product(path: str, aside: bool) -> None:
    assert is_aside(Path(path)) is aside


SAID = """
from typing import Annotated as A

# ------------------
# Memory
class Desk:
    size: A[int, "how many letters fit"] = 8
    way: A[str, Arg(help="who comes " + "first", choices=["fifo", "lifo"])] = "fifo"
    rate: float = field(default=0.5, metadata={"help": "how fast"})
    # ------------------
    bare: int = 3
"""


def test_what_a_declaration_says_of_itself_is_offered(source: Source) -> None:
    found = {p.name: p for p in parameters(source(SAID))}
    assert [(found[n].doc, found[n].choices, is_offered(found[n])) for n in ("size", "way", "rate", "bare")] == [
        ("how many letters fit", (), True),
        ("who comes first", ("fifo", "lifo"), True),
        ("how fast", (), True),
        ("", (), False),
    ]


BY_NAME = """
class Var:
    def __init__(self, default):
        self.default = default
    def __set_name__(self, owner, name):
        self.name = name
    def get(self):
        return os.getenv(self.name)

class Float(Var):
    def parse(self, text):
        return float(text)

class Vars:
    DESK_RATE = Float(0.7)
    OTHER = Shelf(0.5)
"""


def test_variables_that_are_read_by_the_name_they_are_stored_as(source: Source) -> None:
    found = {p.name: (p.kind, p.value) for p in parameters(source(BY_NAME)) if p.name in ("DESK_RATE", "OTHER")}
    assert found == {"DESK_RATE": ("environment", 0.7), "OTHER": ("field", None)}


def test_a_report_that_says_too_much_loses_the_last_of_its_longest_lists() -> None:
    rows = [{"name": str(i)} for i in range(MOST_ENTRIES)]
    found: dict[str, object] = {"faq": list(rows[:500]), "a": {"long": list(rows)}, "b": rows[:100]}
    cut_to_size(found)
    kept = found["a"]
    assert isinstance(kept, dict)
    assert len(kept["long"]) == MOST_ENTRIES - 500 - 100 - 2
    assert found["faq"] == rows[:500]


def test_a_check_that_always_fails_says_nothing_of_what_is_evicted(source: Source) -> None:
    text = """
    class Tree:
        def __init__(self):
            self.leaves = SortedSet(key=lambda leaf: leaf.rank())

        def evict(self, wanted):
            if wanted > self.held:
                assert False, "too many"
            leaf = self.leaves.pop(0)
            assert leaf.users == 0
            self.free(leaf)
    """
    claims = [c.value for c in recency(source(text))]
    assert [value for value in claims if "it must hold that leaf.users == 0" in value]
    assert not [value for value in claims if "False" in value]


def test_the_beginning_of_addresses_is_none(source: Source) -> None:
    assert not list(addresses(source("def f(kind):\n    assert kind in ('tcp://', 'ipc:///tmp/')\n")))
    assert list(addresses(source("def f(kind):\n    return 'tcp://desk:80'\n")))


def test_steps_when_something_fails_belong_to_no_order(source: Source) -> None:
    text = """
    class Desk:
        def forward(self, x):
            try:
                x = self.fold(x)
                x = self.seal(x)
                x = self.norm(x)
                return self.send(x)
            except Torn as e:
                self.burn(x)
    """
    (claim,) = (c for _, c in orders(source(text)) if c.name.endswith(" order"))
    assert claim.value.endswith("runs in this order: fold → seal → norm → send")


def test_the_same_again_and_again_is_no_order(source: Source) -> None:
    text = "    def forward(self, x):\n" + "".join("        x = self.{0}(x)\n" for _ in range(5)) + "        return x\n"
    assert not list(orders(source("class Desk:\n" + text.format("fold"))))


GIVEN = """
class Desk:
    def settle(self, share):
        tensor = torch.tensor(self.size, device="cuda")
        dist.all_reduce(tensor)

    def gather(self, letter):
        self.settle(letter)

    def fold(self, x):
        y = x.contiguous()
        dist.all_reduce(y)

    def start(self, share, page):
        self.settle(share)
        self.gather(share)
        self.fold(page)
"""


def test_what_a_wrapper_exchanges_of_its_own_is_not_what_it_is_given(source: Source) -> None:
    text = source(GIVEN)
    found = wrapped_collectives(text, reaches(text, collectives(text)))
    assert [(c.call, c.tensor) for c in found if c.where == "Desk.start"] == [
        ("self.settle", ""),
        ("self.gather", ""),
        ("self.fold", "page"),
    ]


def test_a_buffer_through_which_a_cache_is_moved_keeps_none(source: Source) -> None:
    text = "class Kv:\n    def __init__(self, n):\n        self.{0} = torch.empty((1, n.max_len, n.heads, n.dim))\n"
    (moved,) = caches.buffers(source(text.format("kv_move_buffer")))
    (kept,) = caches.buffers(source(text.format("kv_buffer")))
    assert "contiguous" not in moved.value and "contiguous: every sequence has its positions" in kept.value


def test_counts_of_a_vocabulary_synchronise_nothing(source: Source) -> None:
    text = "def f(c):\n    self.counter = torch.zeros((c.most, c.{0}), dtype=torch.int32)\n"
    assert not list(tables(source(text.format("vocab_size"))))
    assert list(tables(source(text.format("layers"))))


def test_what_is_pending_of_weights_are_no_requests(source: Source) -> None:
    text = """
    def {0}(files):
        pending = collections.deque()
        while pending:
            job = pending.popleft()
    """
    assert not list(service.orders(source(text.format("weights_iterator"))))
    assert [c.name for c in service.orders(source(text.format("serve")))] == ["serve order"]


STATED = """
class LetterStatus(Structure):
    _fields_ = [("status", int)]
    WAITING = 0
    RUNNING = 1
    FINISHED = 2

    def is_over(self):
        return self.status == self.FINISHED

class Letter:
    def read(self):
        self.letter_status.set_status(LetterStatus.FINISHED)
"""


def test_states_that_are_numbers_of_a_class_are_an_enum(source: Source) -> None:
    (enum,) = (r for r in registries(source(STATED)) if r.kind == "enum")
    assert [(e.key, e.implementation) for e in enum.entries] == [("WAITING", "0"), ("RUNNING", "1"), ("FINISHED", "2")]
    assert [x.state for x in lifecycle.transitions(source(STATED))] == ["LetterStatus.FINISHED"]
    assert not [r for r in registries(source(STATED.replace("= 1", "= 0"))) if r.kind == "enum"]


def test_an_atomic_that_stores_a_state_is_a_transition(source: Source) -> None:
    text = "class Letter:\n    def read(self):\n        self.{0}.store(LetterState.READ, release)\n"
    assert [x.state for x in lifecycle.transitions(source(text.format("status")))] == ["LetterState.READ"]
    assert not list(lifecycle.transitions(source(text.format("page"))))
