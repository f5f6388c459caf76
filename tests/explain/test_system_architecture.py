"""The architecture of a serving repository: its parts, who calls whom, and nothing that the code does not show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.diagrams.flow import draw
from kernelscope.explain import document as d
from kernelscope.results import Target, UserError, ViewOptions
from kernelscope.serving import readings
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import Reading

SERVICE = Path(__file__).parents[1] / "workspaces" / "service"


def architecture(folder: Path) -> d.Document:
    return Analysis([folder], cache_dir=None).document("architecture", Target(folder))


def calls(document: d.Document) -> set[tuple[str, str, str]]:
    table = next(block for block in document.blocks if isinstance(block, d.Table))
    return {(row[0].text, row[1].text, row[2].text) for row in table.rows}


def test_a_request_is_followed_from_the_server_to_the_kernels() -> None:
    document = architecture(SERVICE)
    found = calls(document)
    assert ("API server", "Engine", "ZeroMQ PUSH→PULL") in found
    assert ("Engine", "API server", "ZeroMQ PUSH→PULL") in found, "what it gives goes back"
    assert ("run_engine", "Engine", "step") in found
    assert ("Engine", "Scheduler", "schedule") in found
    assert ("Engine", "ModelRunner", "execute") in found
    assert ("Scheduler", "BlockPool", "allocate") in found
    assert ("ModelRunner", "Decoder", "forward") in found
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    frames = {box.lines[0]: box.group for box in graph.boxes}
    assert {frames[name] for name in ("Scheduler", "waiting", "running")} == {"Scheduling"}
    assert frames["BlockPool"] == "KV cache"
    assert {frames[name] for name in ("ModelRunner", "Decoder", "kernels", "collectives")} == {"Model"}
    assert ("Decoder", "Layer ×config.num_layers") in {box.lines for box in graph.boxes}
    assert ("kernels", "store_kernel") in {box.lines for box in graph.boxes}


def test_a_crowded_system_is_drawn_in_parts_with_its_names_whole() -> None:
    document = Analysis([SERVICE], cache_dir=None).document("architecture", Target(SERVICE), ViewOptions(width=40))
    pictures = [block for block in document.blocks if isinstance(block, d.Diagram)]
    titles = [block.text for block in document.blocks if isinstance(block, d.Heading)]
    assert len(pictures) > 1
    assert titles[-2:] == ["Shown by", "Execution model"]
    assert len(titles) == len(pictures) + 1, "the parts have titles, what shows them all, and how it runs"
    assert not any(draw(picture.graph, width=40).is_narrow for picture in pictures)
    assert all(picture.places for picture in pictures)
    ends = [[(edge.source, edge.target) for edge in picture.graph.edges] for picture in pictures]
    assert all(len(set(pairs)) == len(pairs) for pairs in ends), "one line between two boxes"


def test_parts_lead_to_their_source() -> None:
    document = architecture(SERVICE)
    picture = next(block for block in document.blocks if isinstance(block, d.Diagram))
    named = {box.lines[0]: picture.places[box.key] for box in picture.graph.boxes if box.key in picture.places}
    for name, text in (("Engine", "class Engine"), ("BlockPool", "class BlockPool"), ("waiting", "self.waiting[0]")):
        place = named[name]
        assert text in place.path.read_text().splitlines()[place.line - 1]


def test_how_a_system_serves_begins_with_its_architecture() -> None:
    document = Analysis([SERVICE], cache_dir=None).document("serving", Target(SERVICE / "service" / "engine.py"))
    first, picture = document.blocks[:2]
    assert isinstance(first, d.Heading) and first.text == "Architecture"
    assert isinstance(picture, d.Diagram) and "Scheduler" in {box.lines[0] for box in picture.graph.boxes}


APART = """
from collections import deque

class Scheduler:
    def __init__(self):
        self.waiting, self.running = deque(), []

    def schedule(self, budget):
        while self.waiting and len(self.running) < budget:
            request = self.waiting.popleft()
            self.running.append(request)

class Model:
    def forward(self, x):
        return x
"""


def test_parts_that_do_not_call_each_other_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(APART)
    with pytest.raises(UserError, match="no scheduler, cache or model"):
        architecture(tmp_path)


def test_a_server_that_nothing_is_seen_to_lead_from_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    for path in (SERVICE / "service").glob("*.py"):
        (tmp_path / "service" / path.name).write_text(path.read_text())
    (tmp_path / "service" / "server.py").write_text(
        "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post('/generate')\ndef generate(text):\n"
        "    return text\n"
    )
    document = architecture(tmp_path)
    assert "API server" not in {end for source, target, _ in calls(document) for end in (source, target)}
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    server = next(box.key for box in graph.boxes if box.lines[0] == "API server")
    assert [edge.source for edge in graph.edges if edge.target == server] == ["clients"]


def test_routes_of_many_files_are_of_one_server(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    for path in (SERVICE / "service").glob("*.py"):
        (tmp_path / "service" / path.name).write_text(path.read_text())
    for name in ("score", "embed", "chat"):
        (tmp_path / "service" / f"{name}.py").write_text(
            f"from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n@router.post('/{name}')\n"
            f"def {name}(text):\n    return text\n"
        )
    graph = next(block.graph for block in architecture(tmp_path).blocks if isinstance(block, d.Diagram))
    assert [box.lines for box in graph.boxes if "server" in box.lines[0]] == [("API servers", "4 files")]


QUEUED = """
from collections import deque
from multiprocessing import Process, Queue


class Scheduler:
    def __init__(self):
        self.waiting, self.running = deque(), []

    def schedule(self, budget):
        while self.waiting and len(self.running) < budget:
            self.running.append(self.waiting.popleft())


def work(jobs):
    scheduler = Scheduler()
    scheduler.schedule(4)
    jobs.put(1)


def start():
    jobs = Queue()
    Process(target=work, args=(jobs,)).start()
"""
OTHERS = """
from multiprocessing import Process, Queue


def work(jobs):
    jobs.put(1)


def take(jobs):
    jobs.get()


def start():
    jobs = Queue()
    Process(target=work, args=(jobs,)).start()
    Process(target=take, args=(jobs,)).start()
"""


def test_of_processes_of_one_name_none_is_taken_for_another(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "tuning.py").write_text(OTHERS)
    (tmp_path / "second" / "engine.py").write_text(QUEUED)
    document = architecture(tmp_path)
    table = next(block for block in document.blocks if isinstance(block, d.Table))
    places = [(row[0].text, row[0].location, row[1].text) for row in table.rows]
    files = {(source, place.path.name, target) for source, place, target in places if place is not None}
    assert files <= {("work", "engine.py", "Scheduler"), ("work", "tuning.py", "take")}
    assert ("work", "engine.py", "Scheduler") in files


def test_what_tests_make_is_not_read_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("service", "tests"):
        (tmp_path / folder).mkdir()
        for path in (SERVICE / "service").glob("*.py"):
            (tmp_path / folder / path.name).write_text(path.read_text())
    read = list[str]()
    original = readings.read_python

    def recorded(source: PythonSource, whole: bool) -> Reading:
        read.append(source.path.parent.name)
        return original(source, whole)

    monkeypatch.setattr(readings, "read_python", recorded)
    assert calls(architecture(tmp_path)) == calls(architecture(SERVICE))
    assert "tests" not in read and "service" in read


INTERFACE = """
class Planner:
    def add_request(self, request):
        raise NotImplementedError

    def schedule(self):
        raise NotImplementedError

    def update(self, batch, tokens):
        raise NotImplementedError


class Scheduler(Planner):"""


def test_an_engine_has_its_scheduler_also_where_that_is_chosen_at_run_time(tmp_path: Path) -> None:
    shutil.copytree(SERVICE, tmp_path / "service")
    engine, scheduler = (tmp_path / "service" / "service" / name for name in ("engine.py", "scheduler.py"))
    text = engine.read_text().replace("Request, Scheduler", "Planner, Request")
    engine.write_text(text.replace("self.scheduler = Scheduler(", "self.scheduler: Planner = settings.planner("))
    scheduler.write_text(scheduler.read_text().replace("class Scheduler:", INTERFACE.strip()))
    found = calls(architecture(tmp_path))
    assert ("Engine", "Scheduler", "schedule ?") in found
    assert ("run_engine", "Engine", "step") in found


RUNNER = """
import torch

class Runner:
    def __init__(self, model):
        self.model, self.graphs = model, {}

    def capture_model(self, sizes):
        for size in sizes:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.outputs = self.model(self.inputs[:size])
            self.graphs[size] = graph

    def execute_batch(self, batch):
        self.graphs[len(batch)].replay()
        return self.outputs
"""
ENGINE = """
from scheduler import Scheduler
from workers import Workers

class Engine:
    def __init__(self, workers: Workers):
        self.scheduler = Scheduler()
        self.workers = workers

    def step(self):
        self.scheduler.schedule(8)
        return self.workers.execute_batch(self.scheduler.running)
"""
WORKERS = """
class Workers:
    def execute_batch(self, batch):
        return self.on_all("execute_batch", batch)

    def on_all(self, method, batch):
        return [getattr(worker, method)(batch) for worker in self.workers]
"""


def test_what_captures_graphs_is_joined_where_a_text_names_its_method(tmp_path: Path) -> None:
    texts = {"scheduler": APART, "runner": RUNNER, "engine": ENGINE, "workers": WORKERS}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    analysis = Analysis([tmp_path], cache_dir=None)
    analysis.index()
    document = analysis.document("architecture", Target(tmp_path))
    assert ("Engine", "Runner", "execute_batch ?") in calls(document)
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    assert {box.lines[0]: box.group for box in graph.boxes}["Runner"] == "Execution"


def test_what_captures_graphs_stands_aside_where_nothing_leads_to_it(tmp_path: Path) -> None:
    texts = {"scheduler": APART, "runner": RUNNER, "engine": ENGINE, "workers": WORKERS.replace("getattr", "print")}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    analysis = Analysis([tmp_path], cache_dir=None)
    analysis.index()
    graph = next(
        b.graph for b in analysis.document("architecture", Target(tmp_path)).blocks if isinstance(b, d.Diagram)
    )
    assert "Runner" not in {box.lines[0] for box in graph.boxes}


WEB = """
from fastapi import FastAPI
from desk import Clerk

app = FastAPI()
clerk = Clerk()


@app.post("/ask")
def ask(question: str):
    return clerk.ask(question)
"""
DESK = """
import zmq


class Lines:
    def __init__(self, lines):
        self.to_rooms = zmq.Context().socket(zmq.ROUTER, lines.inputs[0])
        self.to_sorter = zmq.Context().socket(zmq.PUSH, lines.sorter_addr)


class Clerk(Lines):
    def ask(self, question):
        return self.send(question)

    def send(self, question):
        self.to_rooms.send_multipart([b"1", question])
        self.to_sorter.send(question)
"""
SORTER = """
import zmq


def sort(config):
    inbox = zmq.Context().socket(zmq.PULL, config.sorter_addr)
    while True:
        inbox.recv()
"""
ROOM = """
import zmq
from collections import deque
from multiprocessing import Process
from threading import Thread


class Listening:
    def __init__(self, addresses):
        Thread(target=self.listen, args=(addresses.inputs,)).start()

    def listen(self, input_addresses):
        doors = [open_socket(zmq.DEALER, addr) for addr in input_addresses]
        for door in doors:
            self.waiting.append(door.recv())


class Scheduler(Listening):
    def __init__(self, addresses):
        super().__init__(addresses)
        self.waiting, self.running = deque(), []

    def schedule(self, budget):
        while self.waiting and len(self.running) < budget:
            self.running.append(self.waiting.popleft())


def work(addresses):
    Scheduler(addresses).schedule(4)


def start(addresses):
    from sorter import sort

    Process(target=work, args=(addresses,)).start()
    Process(target=sort, args=(addresses,)).start()
"""


def test_a_server_is_joined_by_the_sockets_that_its_calls_go_through(tmp_path: Path) -> None:
    """The sockets are opened by a base of the class that handlers call, and by one that the scheduler derives from."""
    for name, text in (("web", WEB), ("desk", DESK), ("room", ROOM), ("sorter", SORTER)):
        (tmp_path / f"{name}.py").write_text(text)
    found = calls(architecture(tmp_path))
    assert ("API server", "Scheduler", "ZeroMQ DEALER↔ROUTER") in found, (
        "both may send; a request comes from the server"
    )
    assert ("API server", "sort", "ZeroMQ PUSH→PULL") in found, (
        "a process whose function is imported where it is started"
    )
    assert ("work", "Scheduler", "schedule") in found


def test_an_end_in_the_file_of_the_routes_is_the_server(tmp_path: Path) -> None:
    web = """
from fastapi import FastAPI
import zmq

app = FastAPI()


@app.post("/ask")
def ask(question: str):
    return state.ask(question)


def run(config):
    global state
    state = State(outbox=zmq.Context().socket(zmq.PUSH, config.sorter_addr))
"""
    for name, text in (("web", web), ("room", ROOM), ("sorter", SORTER)):
        (tmp_path / f"{name}.py").write_text(text)
    assert ("API server", "sort", "ZeroMQ PUSH→PULL") in calls(architecture(tmp_path))


HOLDER = """
from collections import deque
from models import make_model


class Scheduler:
    def __init__(self, config):
        self.waiting, self.running = deque(), []
        self.net = make_model(config)

    def schedule(self, budget):
        while self.waiting and len(self.running) < budget:
            self.running.append(self.waiting.popleft())
        return self.net(self.running)
"""
CHOSEN = """
import importlib

TABLE = {{
    "first": ("{first}", "First"),
    "second": ("{second}", "Second"),
}}


def make_model(config):
    return chosen(config.name)(config)


def chosen(name):
    file, cls = TABLE[name]
    return getattr(importlib.import_module(f"models.{{file}}"), cls)
"""
NET = """
from torch import nn


class {name}(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(config.num_layers)])

    def {method}(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
"""


def chosen(folder: Path, method: str) -> d.Document:
    (folder / "models").mkdir()
    (folder / "engine.py").write_text(HOLDER)
    (folder / "models" / "__init__.py").write_text(CHOSEN.format(first="first", second="second"))
    for name in ("first", "second"):
        (folder / "models" / f"{name}.py").write_text(NET.format(name=name.title(), method=method))
    return architecture(folder)


def test_what_holds_a_model_that_a_registry_chooses_runs_one_of_its_classes(tmp_path: Path) -> None:
    document = chosen(tmp_path, "forward")
    assert ("Scheduler", "First, one of 2", "forward ?") in calls(document)
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    assert ("First, one of 2", "Linear ×config.num_layers") in {box.lines for box in graph.boxes}


def test_a_registry_of_what_is_no_model_is_none_of_models(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="that call each other"):
        chosen(tmp_path, "count")


FRONT = """
import zmq


class Front:
    def __init__(self, config):
        self.outbox = zmq.Context().socket(zmq.PUSH, config.sorter_addr)

    def handle(self, request):
        self.outbox.send(request)
"""


CLERK = """
import zmq
from collections import deque


class Clerk:
    def __init__(self, lines):
        self.to_rooms = zmq.Context().socket(zmq.ROUTER, lines.inputs[0])
        self.waiting, self.running = deque(), []

    def ask(self, question):
        while self.waiting and len(self.running) < 4:
            self.running.append(self.waiting.popleft())
        self.to_rooms.send_multipart([b"1", question])
"""


def test_over_a_line_of_two_ways_a_request_goes_on_from_where_calls_led_it(tmp_path: Path) -> None:
    texts = {"web": WEB, "desk": CLERK, "a_room": ROOM, "sorter": SORTER}  # the scheduler's file is the first of all
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    found = calls(architecture(tmp_path))
    assert ("API server", "Clerk", "ask") in found
    assert ("Clerk", "Scheduler", "ZeroMQ DEALER↔ROUTER") in found


AUDIT = """
from multiprocessing import Process
from desk import Clerk


def audit(config):
    Clerk(config).ask("?")


def start_audit(config):
    Process(target=audit, args=(config,)).start()
"""


def test_what_several_parts_send_by_is_a_part_with_the_classes_that_derive_from_it(tmp_path: Path) -> None:
    for name, text in (("web", WEB), ("desk", DESK), ("room", ROOM), ("sorter", SORTER), ("audit", AUDIT)):
        (tmp_path / f"{name}.py").write_text(text)
    found = calls(architecture(tmp_path))
    assert ("API server", "Lines", "ask") in found
    assert ("Lines", "Scheduler", "ZeroMQ DEALER↔ROUTER") in found


def test_a_class_that_sends_to_a_part_is_one_though_no_call_is_seen_to_lead_to_it(tmp_path: Path) -> None:
    for name, text in (("front", FRONT), ("room", ROOM), ("sorter", SORTER)):
        (tmp_path / f"{name}.py").write_text(text)
    assert ("Front", "sort", "ZeroMQ PUSH→PULL") in calls(architecture(tmp_path))
