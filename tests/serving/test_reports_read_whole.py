"""What whole reports said that misled when every line was read as its user does, each with what is told instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.explain.faq_answers import of_ranks
from kernelscope.explain.section_settings import declared
from kernelscope.serving import caches, layers, prefixes, refusals, sharing, waits
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.endings import endings
from kernelscope.serving.fused_calls import fused_calls
from kernelscope.serving.reading import read_python
from kernelscope.serving.system import System, join

from .test_read_beside_source import answers
from .test_system_documents import answers_of

Source = Callable[[str], PythonSource]


def joined(source: PythonSource) -> System:
    return join([read_python(source)])


def test_going_through_something_is_no_step_of_an_order(source: Source) -> None:
    text = """
        def fold(self, x):
            x = self.cut(x)
            x = self.press(x, reversed(x))
            x = self.glue(x)
            return self.dry(x)
    """
    (claim,) = (c for _, c in layers.orders(source(text)) if c.name.endswith(" order"))
    assert claim.value.endswith("cut → press → glue → dry")


def test_the_longest_sequence_of_one_call_is_no_limit(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class Settings:
            max_seqlen_q: int = 0
            max_seq_len: int = 64
    """
    assert answers(joined(source(text)), "seqlen.limits") == ["Settings.max_seq_len default 64"]


def test_where_slots_end_is_no_slot(source: Source) -> None:
    text = """
        def place(seq, i, end, size):
            slot = seq.block_table[i] * size + seq.offset
            slot_end = seq.block_table[i] * size + end - i * size
            return slot, slot_end
    """
    said = [c.value for c in caches.paging(source(text))]
    assert said == [
        "paged: slot = seq.block_table[i] * size + seq.offset",
        "paged: the slots of a part end before seq.block_table[i] * size + end - i * size",
    ]


def test_a_library_fuses_what_a_file_calls(source: Source) -> None:
    text = """
        class Norm:
            def __init__(self, width):
                from desks import fused_fold_press, is_fused_ready
                self.fused_fold_press = fused_fold_press

            def forward(self, x, rest=None):
                if rest is not None and is_fused_ready(x):
                    self.fused_fold_press(x, rest)
                return x
    """
    (claim,) = fused_calls(source(text))
    assert claim.value == (
        "Norm.forward calls desks.fused_fold_press: several operations in one call, by its name "
        "(self.fused_fold_press(x, rest)), if rest is not None and is_fused_ready(x)"
    )
    assert claim.confidence == "heuristic"
    assert list(fused_calls(source(text.replace("from desks", "from .desks")))) == []


def test_an_exchange_within_a_function_is_told_by_its_name(tmp_path: Path) -> None:
    text = """
import torch.distributed as dist

class Desk:
    def _agree(self):
        free = self.room()
        dist.all_reduce(free, group=self.pairs)
        return free

    def start(self):
        self.room_left = self._agree()
"""
    (tmp_path / "desk.py").write_text(text, encoding="utf-8")
    said = answers_of(tmp_path)["parallelism.collectives.1"]
    assert "Desk.start: all_reduce within self._agree over" in said
    assert "its arguments" not in said


def test_what_an_object_collects_or_hands_over_is_no_setting(source: Source) -> None:
    text = """
        from dataclasses import dataclass, field

        @dataclass
        class Scheduler:
            waiting_queue: list = field(default_factory=list)
            _queue_head: int | None = None
            max_queue: int = 9

        @dataclass
        class SchedulerOutput:
            preempted: bool = False

        def order_queue(rows, queue_rank=3):
            ...

        def turn_queue(rows, queue_rank=3):
            ...
    """
    told = [f"{p.owner}.{p.name}" for p in declared(joined(source(text)), "scheduling")]
    assert told == ["Scheduler.max_queue", "order_queue.queue_rank"]


def test_a_local_mark_ends_a_request(source: Source) -> None:
    text = """
        def take_results(self, batch):
            for req in batch.requests:
                finished = not req.may_go_on
                if not req.ignores_end:
                    finished |= req.last == self.end
                self.tell(req, finished=finished)
    """
    (claim,) = endings(source(text))
    assert claim.value == (
        "take_results ends a request: finished if not req.may_go_on; "
        "finished if req.last == self.end and not req.ignores_end"
    )
    assert list(endings(source(text.replace("finished=finished", "count=1")))) == []


def test_a_request_may_be_dropped_with_a_line_in_the_log(source: Source) -> None:
    text = """
        def take(self, message):
            if message.pages > self.most:
                return logger.warning(f"{message.pages} pages are too many, request {message.name} is dropped.")
            if message.ink:
                logger.warning("grammar rejected the ink of request %s. Ending it.", message.name)
    """
    (claim,) = refusals.refusals(source(text))
    assert claim.value == (
        'take drops a request if message.pages > self.most (logged: f"{message.pages} pages are too many, '
        'request {message.name} is dropped.")'
    )


def test_one_piece_in_several_groups_is_no_prefix(source: Source) -> None:
    text = """
        def find(self, block_hash, groups):
            found = []
            for group in groups:
                block_hash_of_group = make_hash(block_hash, group)
                block = self.table.get(block_hash_of_group)
                if block is None:
                    return None
                found.append(block)
            return found
    """
    assert list(prefixes.lookups(source(text))) == []
    assert list(prefixes.lookups(source(text.replace("group", "piece")))) != []


def test_a_hash_is_told_by_what_is_hashed(source: Source) -> None:
    text = """
        def key_of(letter, first_token, last_token):
            pages = letter.pages[first_token:last_token]
            return hashlib.sha256(as_bytes(pages)).digest()
    """
    (claim,) = sharing.hashes(source(text))
    assert claim.value == ("hashlib.sha256 over as_bytes(pages), which is made of first_token, last_token, letter")


def test_a_method_that_tells_others_is_no_signal(source: Source) -> None:
    text = """
        def take(self, blocks):
            self._notify_reuse(blocks)
            dl.notify(blocks, 1)
    """
    assert [s.text for s in waits.syncs(source(text))] == ["take signals with dl.notify(blocks, 1)"]


def test_steps_say_under_which_tests_they_run(source: Source) -> None:
    text = """
    class Desk:
        def plan(self, letter):
            while not self.shelf.has_room(letter):
                if self.open:
                    letter = self.cut(letter)
            folded = self.fold(letter)
            if not folded.is_sealed and folded.has_a_very_long_name_that_nobody_reads and self.is_patient:
                folded = self.press(folded)
            self.send(folded)
    """
    (order,) = (claim.value for _, claim in layers.orders(source(text)))
    told = "cut (if not self.shelf.has_room(letter) and self.open) → fold → press (if …) → send"
    assert order == f"Desk.plan runs in this order: {told}"


def test_that_there_are_several_ranks_is_no_limit(source: Source) -> None:
    text = """
    class Desk:
        def tell(self, width):
            assert self.world_size > 1
            assert get_world_size() >= 2
            assert width % self.world_size == 0
            assert self.world_size <= 8
    """
    system = join([read_python(source(text))])
    assert [c.condition for c in of_ranks(system)] == ["width % self.world_size == 0", "self.world_size <= 8"]
