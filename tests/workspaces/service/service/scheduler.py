"""Who runs next: the running requests keep their place, waiting ones join while tokens and blocks last."""

from collections import deque
from dataclasses import dataclass, field

from service.blocks import BlockPool
from service.settings import Settings


@dataclass
class Request:
    tokens: list[int]
    max_tokens: int
    num_computed: int = 0
    blocks: list[int] = field(default_factory=list)

    def new_tokens(self):
        return self.tokens[self.num_computed :]

    def slots(self):
        return [self.blocks[at // 16] * 16 + at % 16 for at in range(self.num_computed, len(self.tokens))]


class Scheduler:
    def __init__(self, settings: Settings, pool: BlockPool):
        self.settings = settings
        self.pool = pool
        self.waiting = deque()
        self.running = []

    def add_request(self, request: Request):
        self.waiting.append(request)

    def schedule(self):
        budget = self.settings.max_num_batched_tokens
        for request in list(self.running):
            while request in self.running and not self.pool.allocate(request):
                self.preempt(self.running.pop())
            budget -= len(request.new_tokens())
        while self.waiting and len(self.running) < self.settings.max_num_seqs:
            request = self.waiting[0]
            if len(request.tokens) > budget or not self.pool.allocate(request):
                break
            self.waiting.popleft()
            self.running.append(request)
            budget -= len(request.tokens)
        return self.running

    def preempt(self, request: Request):
        self.pool.release(request)
        request.num_computed = 0
        self.waiting.appendleft(request)

    def update(self, batch, tokens):
        finished = []
        for request, token in zip(batch, tokens):
            request.num_computed = len(request.tokens)
            request.tokens.append(token)
            if len(request.tokens) >= request.max_tokens:
                self.pool.release(request)
                finished.append(request)
        self.running = [request for request in self.running if request not in finished]
        return finished
