"""What one step of a scheduler takes: prompts in parts, one batch of two kinds of work, admission by a helper."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.serving import admission
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.halves import halves
from kernelscope.serving.preferences import preferences
from kernelscope.serving.speculation import verifications

Source = Callable[[str], PythonSource]


def test_prompts_are_cut_in_two(source: Source) -> None:
    text = """
        class Scheduler:
            def plan(self, new, idle_tokens):
                if len(new.prompt) > idle_tokens:
                    self.now.put(Part(new.id, new.prompt[:idle_tokens]))
                    self.later.put(Part(new.id, new.prompt[idle_tokens:]))

            def take(self, seq, most):
                n = min(len(seq.input_tokens), most)
                rest = seq.input_tokens[n:]
                seq.input_tokens = seq.input_tokens[:n]
    """
    one, other = halves(source(text))
    assert "new.prompt[:idle_tokens] goes now, new.prompt[idle_tokens:] is left for a later step" in one.value
    assert other.name == "Scheduler.take chunked prefill"
    assert len(list(halves(source(text.replace("min(len(seq.input_tokens), most)", "seq.matched"))))) == 1
    assert not list(halves(source(text.replace("Scheduler", "Tree"))))


def test_methods_that_fill_one_batch_mix_its_work(source: Source) -> None:
    text = """
        class Desk:
            def step(self):
                self.add_decodes(self.running)
                self.add_prompts(self.waiting)

            def add_decodes(self, seqs):
                for seq in seqs:
                    self.chosen.append(seq)

            def add_prompts(self, seqs):
                for seq in seqs:
                    self.chosen.append(seq)
    """
    (claim,) = preferences(source(text))
    assert claim.value.startswith(
        "mixed: Desk.step lets self.add_decodes (decode) and then self.add_prompts (prefill) put requests into "
        "self.chosen"
    )
    assert claim.confidence == "heuristic"
    assert not list(preferences(source(text.replace("self.chosen.append(seq)", "self.other.append(seq)", 1))))


def test_a_function_inside_may_admit(source: Source) -> None:
    text = """
        class Desk:
            def plan(self):
                running, moved = [], {}

                def start(seq, tokens):
                    running.append(seq)

                waiting = self.sort(self.waiting)
                while waiting and len(running) < self.most:
                    seq = waiting.pop(0)
                    if seq.late:
                        break
                    start(seq, 1)
                return running, moved
    """
    (claim,) = admission.continuous(source(text))
    assert "Desk.plan takes requests from waiting into running, which it returns" in claim.value
    assert not list(admission.continuous(source(text.replace("running.append(seq)", "running.append(tokens)"))))


def test_guesses_are_verified(source: Source) -> None:
    text = """
        def greedy(candidates, logits):
            mask = (candidates[:, 1:] == torch.argmax(logits[:, :-1], dim=-1)).int()
            return torch.cumprod(mask, dim=1).sum(dim=1)

        def by_chance(draft, p, q):
            r = random.random()
            ratio = p / q
            if r <= ratio:
                return True

        def one_by_one(drafts, tokens):
            for draft, token in zip(drafts, tokens):
                if draft != token:
                    break
                keep(token)

        def other(candidates, n):
            for i in range(len(candidates)):
                if i != n:
                    break
            x = torch.cumprod(n == 1, dim=1).sum()
    """
    told = [(c.name, c.value.partition(":")[0]) for c in verifications(source(text))]
    assert told == [
        ("greedy verification", "speculative decoding"),
        ("by_chance verification", "speculative decoding"),
        ("one_by_one verification", "speculative decoding"),
    ]
    sampled = text.replace("draft, p, q", "row, p, q")
    assert "by_chance verification" not in [c.name for c in verifications(source(sampled))]
