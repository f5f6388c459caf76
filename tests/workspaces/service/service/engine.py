"""The process of the engine: receives requests, runs step after step, sends the results."""

import torch
import zmq

from service.blocks import BlockPool
from service.model import Decoder
from service.scheduler import Request, Scheduler
from service.settings import REQUESTS, RESULTS, ModelConfig, Settings


class ModelRunner:
    def __init__(self, config: ModelConfig, settings: Settings):
        self.model = Decoder(config)
        shape = (2, config.num_layers, settings.num_blocks, settings.block_size, config.num_heads, config.head_dim)
        self.kv_cache = torch.zeros(shape, device="cuda", dtype=torch.bfloat16)

    @torch.inference_mode()
    def execute(self, batch):
        tokens = torch.tensor([token for request in batch for token in request.new_tokens()], device="cuda")
        slots = torch.tensor([slot for request in batch for slot in request.slots()], device="cuda")
        logits = self.model(tokens, slots, self.kv_cache)
        return logits.argmax(dim=-1).tolist()


class Engine:
    def __init__(self):
        settings = Settings()
        self.scheduler = Scheduler(settings, BlockPool(settings.num_blocks, settings.block_size))
        self.runner = ModelRunner(ModelConfig(), settings)
        context = zmq.Context()
        self.requests = context.socket(zmq.PULL)
        self.requests.bind(REQUESTS)
        self.results = context.socket(zmq.PUSH)
        self.results.connect(RESULTS)

    def receive(self):
        tokens, max_tokens = self.requests.recv_pyobj()
        self.scheduler.add_request(Request(tokens, max_tokens))

    def step(self):
        batch = self.scheduler.schedule()
        tokens = self.runner.execute(batch)
        for request in self.scheduler.update(batch, tokens):
            self.results.send_pyobj(request.tokens)


def run_engine():
    engine = Engine()
    while True:
        engine.receive()
        engine.step()
