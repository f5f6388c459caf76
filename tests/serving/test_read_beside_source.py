"""What reports said beside the truth when they were read against their source, each with what is told instead."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.explain.faq import QUESTIONS, answer_of
from kernelscope.explain.section_settings import declared
from kernelscope.serving import chunking, evictions, failures, prefixes
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import read_python
from kernelscope.serving.system import System, join

Source = Callable[[str], PythonSource]


def answers(system: System, question: str) -> list[str]:
    asked = next(q for q in QUESTIONS if q.id == question)
    return [claim.value for claim in answer_of(asked, system)]


def test_who_looks_into_a_queue_again_does_not_try_again(source: Source) -> None:
    text = """
        def serve(inbox):
            while True:
                try:
                    letter = inbox.get(timeout=1)
                    if letter is None:
                        return
                except (Empty, ValueError):
                    continue
                fold(letter)

        def send(letter):
            while True:
                try:
                    post(letter)
                    return
                except ConnectionError:
                    continue
    """
    assert [claim.name for claim in failures.failures(source(text))] == ["send retries"]


def test_what_is_kept_of_pictures_is_no_cache_of_keys(source: Source) -> None:
    text = """
        class MultiModalCache:
            def put(self, key, value):
                self._cache[key] = value
                self._cache.popitem(last=False)

        class PrefixCache:
            def put(self, key, value):
                self._cache[key] = value
                self._cache.popitem(last=False)
    """
    assert [claim.name for claim in evictions.evictions(source(text))] == ["PrefixCache.put eviction"]


def test_a_prompt_may_be_cut_by_a_test(source: Source) -> None:
    text = """
        def next_letters(self, prefill_budget):
            for request in self.waiting:
                rest = len(request) - request.done_tokens
                if rest <= prefill_budget:
                    request.new_tokens = rest
                else:
                    request.new_tokens = prefill_budget
                prefill_budget -= request.new_tokens
    """
    (claim,) = chunking.portions_by_test(source(text))
    assert claim.value.startswith("chunked prefill: request.new_tokens = rest if rest <= prefill_budget, else prefill_")
    assert not list(chunking.portions_by_test(source(text.replace("new_tokens = rest", "new_tokens = 1"))))


def test_what_a_limit_leaves_is_not_called_a_budget(source: Source) -> None:
    text = """
        def next_letters(self, gate_limit):
            for request in self.waiting:
                prompt_tokens = min(request.prompt_tokens, gate_limit - request.done)
    """
    (claim,) = chunking.chunks(source(text))
    assert claim.value.endswith("at most what is left of gate_limit is taken")


def test_one_piece_is_looked_up_by_its_hash(source: Source) -> None:
    text = """
        class PrefixPages:
            def find(self, request, number):
                page_hash = hash_of_page(request, number)
                page = self.hash_to_page.get(page_hash)
                if page is None:
                    return None
                if self.tokens[page] != request.tokens:
                    return None
                return page
    """
    (claim,) = prefixes.lookups(source(text))
    assert claim.value == (
        "prefix lookup in PrefixPages.find: page = self.hash_to_page.get(page_hash); a miss where page is None, and "
        "where self.tokens[page] != request.tokens"
    )


def test_settings_that_only_sound_alike_are_no_answers(source: Source) -> None:
    text = """
        MOST_SWAPAB_ROWS = 32

        class EngineConfig:
            swap_space: int = 4
            prompt_len: int = 8
            prefix_len: int = 2

        def dispatch_schedule_method(self):
            if self.method == "a":
                return A()
            elif self.method == "b":
                return B()
    """
    system = join([read_python(source(text))])
    assert answers(system, "kv_cache.offload") == ["EngineConfig.swap_space default 4"]
    assert [p.name for p in declared(system, "prefix_cache")] == ["prefix_len"]
    assert answers(system, "scalability.balancing") == []


def test_the_next_token_is_chosen_where_logits_are_compared(source: Source) -> None:
    text = """
        class LastLayer:
            def forward(self, hidden):
                logits = linear(hidden, self.head)
                return torch.argmax(logits, dim=1)
    """
    assert answers(join([read_python(source(text))]), "components.sampling") == [
        "LastLayer: return torch.argmax(logits, dim=1)"
    ]


def test_lines_that_go_on_are_quoted_without_what_joins_them(source: Source) -> None:
    text = "def admit(self):\n    while self.waiting and \\\n          self.free:\n        self.waiting.pop()\n"
    file = source(text)
    (scope,) = file.module.functions()
    assert file.quote(scope.node.body[0]).startswith("while self.waiting and self.free:")
