"""Code that is nearly what a recogniser looks for, and must not be told as it."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.explain.faq import QUESTIONS
from kernelscope.serving import admission, caches, capacity, evictions, execution, overlap, preferences, sharing
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import read_python
from kernelscope.serving.system import join

Source = Callable[[str], PythonSource]


def answers(text: str, question: str, source: Source) -> list[str]:
    system = join([read_python(source(text))])
    (asked,) = (q for q in QUESTIONS if q.id == question)
    return [claim.value for claim in asked.claims(system)]


def test_what_runs_already_is_not_admitted(source: Source) -> None:
    text = """
        class Desk:
            def go_on(self):
                while self.running:
                    if self.left == 0:
                        break
                    seq = self.running.popleft()
                    self.paused.append(seq)
    """
    assert not list(admission.continuous(source(text)))
    (claim,) = admission.continuous(source(text.replace("running", "waiting")))
    assert "from self.waiting into self.paused" in claim.value


def test_what_is_put_into_a_batch_in_an_object_is_admitted(source: Source) -> None:
    text = """
        class Desk:
            def prefills(self):
                chosen, ignored = [], []
                while self.waiting:
                    group = self.waiting[0]
                    if group.size > self.most:
                        ignored.append(group)
                        self.waiting.popleft()
                        continue
                    if group.size > self.left:
                        break
                    self.waiting.popleft()
                    chosen.append(Chosen(group=group, tokens=1))
                return Outputs(groups=chosen, ignored=ignored, size=len(chosen))
    """
    (claim,) = admission.continuous(source(text))
    assert (
        "a batch is formed anew at every step: Desk.prefills takes requests from self.waiting into chosen"
        in claim.value
    )


def test_an_answer_of_an_enum_refuses_by_its_word(source: Source) -> None:
    text = """
        class Manager:
            def can_allocate(self, seq):
                if self.num_free - seq.size >= self.kept:
                    return Answer.OK
                else:
                    return Answer.LATER
    """
    (claim,) = capacity.admissions(source(text))
    assert "admits a request only if self.num_free - seq.size >= self.kept" in claim.value
    kernel = "def gather_slots(slots, n):\n    if n.max == 0:\n        return\n"
    assert not list(capacity.admissions(source(kernel)))


def test_a_batch_of_empty_lists_mixes_nothing(source: Source) -> None:
    text = "def empty(): return Batch(decode_seqs=[], prefill_seqs=[])"
    assert not list(preferences.preferences(source(text)))
    assert list(preferences.preferences(source(text.replace("[]", "found"))))


def test_two_entries_of_a_table_are_no_order_of_work(source: Source) -> None:
    text = "def select_next(cfg, mode): return cfg.get('method') or mode.get('method')"
    assert not list(preferences.preferences(source(text)))


def test_what_a_mask_chooses_is_no_slot(source: Source) -> None:
    assert not list(caches.paging(source("def bend(s, mask, diff, k): return s[mask] * diff - k[mask]")))


def test_the_loop_of_somebody_else_is_no_main_loop(source: Source) -> None:
    text = """
        def build(apart):
            if apart:
                asyncio.get_running_loop()
            else:
                client.wait_loop()
    """
    assert not list(overlap.switches(source(text)))
    assert list(overlap.switches(source(text.replace("get_running_loop", "normal_loop"))))


def test_a_function_named_replay_is_no_graph(source: Source) -> None:
    assert not list(execution.replays(source("def f(): replay()")))
    assert list(execution.replays(source("def f(self): self.graph.replay()")))


def test_results_that_are_kept_are_no_kv_cache(source: Source) -> None:
    text = """
        class Checker:
            def cache(self):
                self._result_cache.popitem(last=False)
    """
    assert not list(evictions.evictions(source(text)))
    assert list(evictions.evictions(source(text.replace("_result_cache", "_block_cache"))))


def test_states_of_a_guide_are_hashed_too(source: Source) -> None:
    text = "def {name}(input_ids, block): return hash((input_ids, block))"
    assert not list(sharing.hashes(source(text.format(name="logits_processor"))))
    assert list(sharing.hashes(source(text.format(name="block_key"))))


def test_of_two_enums_of_one_name_that_of_requests_is_told(source: Source) -> None:
    text = """
        class StreamState(Enum):
            {members}
        class Desk:
            def go(self, job):
                job.state = StreamState.{first}
    """
    requests = read_python(source(text.format(members="WAITING = 1; RUNNING = 2", first="RUNNING")))
    parser = read_python(source(text.format(members="IN_KEY = 1; IN_VALUE = 2", first="IN_KEY")))
    system = join([parser, requests])
    assert [[e.key for e in registry.entries] for registry in system.states] == [["WAITING", "RUNNING"]]
    assert [x.state for x in system.transitions] == ["StreamState.RUNNING"]


def test_sorting_by_digits_shares_no_prefix(source: Source) -> None:
    assert not answers("class Config:\n    radix_size: int = 256\n", "kv_cache.prefix", source)
    assert answers("class Config:\n    disable_radix_cache: bool = False\n", "kv_cache.prefix", source)


def test_what_is_chosen_within_a_layer_is_no_backend(source: Source) -> None:
    table = """
        class Attention:
            def {name}(self, kind):
                if kind == 'a':
                    x = A()
                elif kind == 'b':
                    x = B()
                return x
    """
    assert not answers(table.format(name="init_rope"), "parallelism.backends", source)
    assert answers(table.format(name="init_backend"), "parallelism.backends", source)


def test_tokens_in_a_block_are_its_size(source: Source) -> None:
    text = """
        class CacheConfig:
            tokens_per_block: int = 64
        class Pool:
            def slot(self, table, i):
                return table[i // self.tokens_per_block] * self.tokens_per_block + i % self.tokens_per_block
    """
    assert any("tokens_per_block default 64" in answer for answer in answers(text, "kv_cache.block", source))
