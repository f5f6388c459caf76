"""The serving loop: admit waiting requests under a budget, run one step, append a token, drop the finished."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

import torch

from tinyllm.config import ModelConfig, ServerConfig
from tinyllm.kv_cache import PagedKVCache, Pages
from tinyllm.model import TinyLLM


class Status(Enum):
    WAITING = auto()
    RUNNING = auto()
    FINISHED = auto()


@dataclass
class Request:
    request_id: int
    tokens: list[int]
    max_tokens: int
    status: Status = Status.WAITING
    num_computed: int = 0
    block_table: list[int] = field(default_factory=list)


class Engine:
    def __init__(self, model_config: ModelConfig, config: ServerConfig):
        self.config = config
        self.model = TinyLLM(model_config)
        self.cache = PagedKVCache(
            model_config.num_hidden_layers,
            config.num_blocks,
            config.block_size,
            model_config.num_key_value_heads,
            model_config.head_dim,
        )
        self.waiting = deque()
        self.running = []

    def add_request(self, request):
        self.waiting.append(request)

    def schedule(self):
        """Running requests first; then admit from the head of the queue while tokens and blocks last."""
        budget = self.config.max_num_batched_tokens
        for request in list(self.running):
            while request in self.running and not self.cache.allocate(request, len(request.tokens)):
                self.preempt(self.running.pop())
            if request in self.running:
                budget -= len(request.tokens) - request.num_computed
        while self.waiting and len(self.running) < self.config.max_num_seqs:
            request = self.waiting[0]
            if len(request.tokens) > budget or not self.cache.allocate(request, len(request.tokens)):
                break
            self.waiting.popleft()
            request.status = Status.RUNNING
            self.running.append(request)
            budget -= len(request.tokens)
        return self.running

    def preempt(self, request):
        """Give up the blocks of the newest request; its tokens are computed again later."""
        self.cache.release(request)
        request.num_computed = 0
        request.status = Status.WAITING
        self.waiting.appendleft(request)

    @torch.inference_mode()
    def step(self):
        for request in self.schedule():
            start, end = request.num_computed, len(request.tokens)
            input_ids = torch.tensor([request.tokens[start:end]], device="cuda")
            positions = torch.arange(start, end, device="cuda").unsqueeze(0)
            pages = Pages(
                slot_mapping=torch.tensor(self.cache.slots(request, start, end), device="cuda"),
                block_table=torch.tensor(request.block_table, device="cuda"),
                seq_len=end,
            )
            logits = self.model(input_ids, positions, self.cache, pages)
            next_token = logits[0, -1].argmax(dim=-1)
            request.tokens.append(next_token.item())
            request.num_computed = end
            if next_token == self.config.eos_token_id or len(request.tokens) >= request.max_tokens:
                request.status = Status.FINISHED
                self.cache.release(request)
        self.running = [request for request in self.running if request.status is not Status.FINISHED]

    def run(self):
        while self.waiting or self.running:
            self.step()
