"""The HTTP side: takes requests, hands them to the process of the engine, and waits for what it gives."""

import multiprocessing as mp

import zmq
from fastapi import FastAPI

from service.engine import run_engine
from service.settings import REQUESTS, RESULTS

app = FastAPI()


class Frontend:
    def __init__(self):
        context = zmq.Context()
        self.requests = context.socket(zmq.PUSH)
        self.requests.connect(REQUESTS)
        self.results = context.socket(zmq.PULL)
        self.results.bind(RESULTS)

    def submit(self, tokens, max_tokens):
        self.requests.send_pyobj((tokens, max_tokens))

    def receive(self):
        return self.results.recv_pyobj()


frontend = Frontend()


@app.post("/generate")
def generate(tokens: list[int], max_tokens: int = 64):
    frontend.submit(tokens, max_tokens)
    return frontend.receive()


def main():
    mp.Process(target=run_engine, daemon=True).start()
