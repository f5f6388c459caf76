"""Channels with both their ends, processes that a class starts, streams and the layers that ranks get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kernelscope.serving.annotated import annotated
from kernelscope.serving.channels import channels, links, uses
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.endpoints import addresses
from kernelscope.serving.processes import started
from kernelscope.serving.reading import read_python
from kernelscope.serving.sharding import shares
from kernelscope.serving.streams import streams
from kernelscope.serving.system import join
from kernelscope.serving.vocabularies import vocabularies
from kernelscope.serving.work import producers, tile_counts

Source = Callable[[str], PythonSource]

SOCKETS = """
import zmq

class Desk:
    def __init__(self, first):
        if first:
            self.line = context.socket(zmq.PUB)
            self.line.bind(f"tcp://*:{self.door}")
        else:
            self.line = context.socket(zmq.SUB)
            self.line.connect(f"tcp://localhost:{self.door}")
"""
QUEUES = """
import torch.multiprocessing as mp

def open_office():
    letters = mp.Queue()
    return letters

def write(office):
    office.letters.put("hello")

def read(office):
    while True:
        print(office.letters.get())
"""
HANDED = """
import torch.multiprocessing as mp

def open_office():
    orders_q = mp.Queue()
    answers_q = mp.Queue()
    other_q = mp.Queue()
    mp.Process(target=work, kwargs={"inbox": orders_q, "answers_q": answers_q}).start()
    for answer in drained(5, answers_q):
        print(answer)
    note(other_q)

def drained(most, queue):
    while True:
        yield queue.get_nowait()

def note(queue):
    print(queue)

def work(inbox, answers_q):
    while True:
        answers_q.put(inbox.get())
"""
STARTED = """
from torch.multiprocessing import Process

class Job:
    target: Callable

    def make(self):
        return Process(target=self.target)

def plan():
    return [Job(target=serve), Job(target=count)]
"""
SENT = """
import zmq

class Desk:
    def open(self):
        self.line = context.socket(zmq.PUSH)
        self.line.connect(f"tcp://localhost:{self.door}")

    def write(self):
        self.line.send(b"hello")

class Office:
    def open(self):
        self.line = context.socket(zmq.PULL)
        self.line.bind(f"tcp://*:{self.door}")

    def read(self):
        return self.line.recv()
"""
ACTORS = """
def hire(place):
    clerk = ray.remote(num_cpus=1)(Clerk)
    clerk = clerk.options(place=place)
    one = clerk.remote(1)
    two = Porter.options(place=place).remote()
    one.write.remote("hello")
    return [one, two]
"""
COPIES = """
class Mover:
    def __init__(self):
        self.copies = torch.cuda.Stream()

    def load(self):
        with torch.cuda.stream(self.copies):
            self.weights.copy_(self.host)
"""
SHARES = "def part(rank):\n    num_mine = math.ceil(n_layers / num_ranks)\n    return num_mine * rank\n"


def test_two_sockets_meet_at_a_port(source: Source) -> None:
    (link,) = links(channels(source(SOCKETS)), [])
    assert (link.pattern, link.senders, link.receivers) == (
        "PUB → SUB",
        ("Desk.__init__ (if first)",),
        ("Desk.__init__ (if not first)",),
    )


def test_a_local_name_is_an_address_in_its_file_and_a_context_is_none(source: Source) -> None:
    push, pull = (
        f"import zmq\ndef {k}(ctx, door):\n    return open_socket(ctx, zmq.{k}, door)\n" for k in ("PUSH", "PULL")
    )
    far = replace(source(pull), path=Path("/w/far.py"))
    opened = [*channels(source(push)), *channels(far)]
    assert [(c.pattern, c.address) for c in opened] == [("PUSH", "door"), ("PULL", "door")]
    assert [link.pattern for link in links(opened, ())] == ["PUSH", "PULL"]
    assert [link.pattern for link in links(channels(source(push + pull)), ())] == ["PUSH → PULL"]


def test_who_sends_through_a_socket_and_who_receives(source: Source) -> None:
    file = source(SENT)
    (link,) = links(channels(file), uses(file))
    assert (link.senders, link.receivers, link.pattern) == (("Desk.write",), ("Office.read",), "PUSH → PULL")


def test_actors_are_made_of_classes_and_not_by_calls_of_their_methods(source: Source) -> None:
    assert [(s.kind, s.target) for s in started(source(ACTORS))] == [("actor", "Clerk"), ("actor", "Porter")]


def test_parts_of_an_address_are_none(source: Source) -> None:
    (found,) = addresses(source('def at(host):\n    return f"tcp://{host}:5000"\n'))
    assert 'f"tcp://{host}:5000"' in found.value


def test_a_queue_is_known_by_its_name(source: Source) -> None:
    file = source(QUEUES)
    (link,) = links(channels(file), uses(file))
    assert link.text == "queue letters opened in open_office; write sends; read receives (≈ ends found by its name)"


def test_of_two_queues_of_one_name_each_has_what_its_own_class_does(source: Source) -> None:
    file = source(
        "import queue\nclass Sender:\n    def __init__(self):\n        self.box = queue.Queue()\n"
        "    def run(self, x):\n        self.box.put(x)\nclass Other:\n    def __init__(self):\n"
        "        self.box = queue.Queue()\n    def take(self):\n        return self.box.get()\n"
    )
    assert [link.text for link in links(channels(file), uses(file))] == [
        "queue box opened in Sender.__init__; Sender.run sends",
        "queue box opened in Other.__init__; Other.take receives",
    ]


def test_a_class_starts_what_it_is_given(source: Source) -> None:
    system = join([read_python(source(STARTED))])
    assert [(s.kind, s.target, s.how) for s in system.started] == [
        ("process", "serve", "Job"),
        ("process", "count", "Job"),
    ]


LANES = """
import functools, queue, threading

class Worker(threading.Thread):
    def run(self):
        try:
            super().run()
        except Exception:
            raise SystemExit

class Clock(threading.Thread):
    def run(self):
        tick()

class Office:
    def __init__(self, lanes, width):
        self.inboxes = [queue.Queue(4) for _ in lanes]
        self.slots = [queue.Queue(width) for _ in lanes]
        for lane in lanes:
            for i in range(width):
                self.slots[lane].put(i)
        for lane in lanes:
            Worker(target=functools.partial(self.serve, lane))

    def post(self, lane, request):
        self.inboxes[lane].put(request, block=True)

    def serve(self, lane):
        mine, slots = self.inboxes[lane], self.slots[lane]
        inbox = self.inboxes[lane]
        free = self.slots[lane]
        self.fill(free, inbox)

    def fill(self, free, inbox):
        slot = free.get(block=False)
        request = inbox.get()

    def finish(self, lane, slot):
        free = self.slots[lane]
        free.put(slot)
"""


def test_a_class_that_is_a_thread_runs_what_it_is_given_or_says_so_itself(source: Source) -> None:
    system = join([read_python(source(LANES))])
    assert [(s.kind, s.target, s.how) for s in system.running] == [
        ("thread", "Clock.run", "threading.Thread"),
        ("thread", "self.serve", "Worker"),
    ]


def test_one_of_several_queues_is_known_by_the_names_that_it_goes_by(source: Source) -> None:
    file = source(LANES)
    assert [link.text for link in links(channels(file), uses(file))] == [
        "queue inboxes opened in Office.__init__; it holds at most 4 elements; Office.post sends; Office.fill receives",
        "queue slots opened in Office.__init__; it holds at most width elements; Office.__init__, Office.finish send; "
        "Office.fill receives",
    ]
    claims = read_python(file).claims
    free, slots = claims["serving.batching"]
    assert free.name == "Office.slots[…]"
    assert free.value.startswith("FIFO: taken from the front")
    assert slots.value == (
        "continuous batching by slots: a request takes one in fill; it is put back in finish, so the next request "
        "joins while the rest of the batch goes on; made by queue.Queue(width)"
    )
    assert [c.name for c in claims["serving.scheduling"]] == ["Office.inboxes[…] policy"]
    assert claims["serving.kv_cache"] == []


def test_streams_and_what_runs_on_them(source: Source) -> None:
    (claim,) = streams(source(COPIES))
    assert claim.value == (
        "Mover.__init__ makes the stream self.copies (torch.cuda.Stream()); "
        "Mover.load runs on it, beside the main stream"
    )


def test_shares_of_ranks_are_no_tiles(source: Source) -> None:
    file = source(SHARES)
    (claim,) = shares(file)
    assert "num_mine = math.ceil(n_layers / num_ranks)" in claim.value
    assert not list(tile_counts(file))


def test_channels_are_followed_where_they_are_handed_to(source: Source) -> None:
    ends = {link.channel.name: (link.senders, link.receivers) for link in join([read_python(source(HANDED))]).links}
    assert ends == {
        "orders_q": ((), ("work",)),
        "answers_q": (("work",), ("open_office",)),
        "other_q": ((), ()),
    }


ATTENTION = """
import torch.distributed as dist

class Attention:
    def __init__(self, config, tp_size):
        self.heads = config["num_heads"] // tp_size

    def infer(self, x):
        gathered = gather(x)
        out = self.out(gathered)
        dist.all_reduce(out)
        return out
"""


def test_heads_that_ranks_get_are_joined_by_a_sum(source: Source) -> None:
    (layer,) = join([read_python(source(ATTENTION))]).layers
    assert (layer.style, layer.divided) == ("tensor", 'heads: config["num_heads"] // tp_size')
    assert layer.joined is not None
    assert (layer.joined.primitive, layer.joined.where) == ("all_reduce", "Attention.infer")


PRODUCERS = """
import os

class Graph:
    def add(self, node, tensor):
        key = Buffer(tensor.data_ptr())
        self.makers[key] = node
        os.environ["PLACE"] = "here"
        return self.makers.get(key), os.environ.get("PLACE")
"""


def test_producers_are_kept_by_the_address_of_a_buffer(source: Source) -> None:
    said = [claim.value for claim in producers(source(PRODUCERS))]
    assert len(said) == 2
    assert "is recorded as the producer of its buffer: self.makers[key] = node" in said[0]
    assert "finds the producer of a tensor by its buffer: self.makers.get(key)" in said[1]


def test_layers_of_jax_are_sharded_by_annotation(source: Source) -> None:
    text = """
        from flax import nnx

        class Block(nnx.Module):
            def __init__(self, width, inner, init, n):
                self.up = nnx.Linear(width, inner, kernel_init=nnx.with_partitioning(init, (None, "model")))
                self.down = nnx.Linear(inner, width, kernel_init=nnx.with_partitioning(init, ("model", None)))
                self.out = nnx.Einsum("nhd->d", kernel_init=nnx.with_partitioning(init, (None, Axis.HEADS, None)))
                self.head = Head(width, w_sharding=P(None, ("data", "model")))
                self.norm = nnx.LayerNorm(width, axes=(n, 1))
    """
    (claim,) = annotated(source(text))
    assert claim.value == (
        "Block is sharded by annotation over axes of the mesh: "
        'up: column-parallel, its output is divided over "model"; '
        'down: row-parallel, its input is divided over "model"; out: Einsum with dim 1 over Axis.HEADS of 3; '
        'head: Head with dim 1 over ("data", "model") of 2 as w_sharding'
    )
    assert not list(annotated(source(text.replace("flax", "other"))))


def test_what_is_told_about_a_collective_is_none(source: Source) -> None:
    text = """
        import jax

        def meet(x, axis):
            sizes = all_to_all_params(x)
            return jax.lax.ragged_all_to_all(x, x, sizes, axis_name=axis)
    """
    reading = read_python(source(text))
    assert [(c.primitive, c.group) for c in reading.collectives] == [("all_to_all", "axis")]
    assert not reading.wrapped


def test_a_script_starts_processes_outside_of_functions(source: Source) -> None:
    text = """
        if __name__ == "__main__":
            for rank in range(2):
                child = multiprocessing.Process(target=carry_letters, args=(rank,))
                child.start()
            with ThreadPoolExecutor(2) as pool:
                pool.map(read, letters)
    """
    assert [s.text for s in read_python(source(text)).started] == [
        "process carry_letters started by multiprocessing.Process in the script f.py",
        "thread pool of at most 2 workers started by ThreadPoolExecutor in the script f.py",
    ]


MADE = """
from ray.util.queue import Queue

@ray.remote
class Writer:
    def __init__(self, desk, orders_queue):
        self.inbox = orders_queue

    def work(self):
        return self.inbox.get(block=True)

class Office:
    def __init__(self, kind, number):
        self.kind = kind
        self.staff = [self.kind.options(num_gpus=1).remote(i) for i in range(number)]

def open_office():
    orders = Queue(maxsize=4)
    letters_q = Queue()
    clerk = Writer.remote(1, letters_q)
    Office(Writer, 3)
    letters_q.put("first")
"""


def test_a_queue_that_a_constructor_keeps_under_another_name(source: Source) -> None:
    system = join([read_python(source(MADE))])
    said = {link.channel.name: (link.senders, link.receivers) for link in system.links}
    assert said == {"letters_q": (("open_office",), ("Writer.work",)), "orders": ((), ())}


def test_a_class_makes_actors_of_the_class_that_it_is_given(source: Source) -> None:
    system = join([read_python(source(MADE))])
    assert [(s.kind, s.target, s.how) for s in system.running] == [
        ("actor", "Writer", "Writer.remote"),
        ("actor", "Writer", "Office"),
    ]


def test_tasks_of_a_group_that_go_on(source: Source) -> None:
    text = """
        class Office:
            async def run(self):
                async with self.group as group:
                    group.start_soon(self.read)
                    group.start_soon(self.write, 1)
                    group.start_soon(self.once)

            async def read(self):
                async for letter in self.inbox:
                    self.take(letter)

            async def write(self, n):
                while True:
                    await self.send(n)

            async def once(self):
                for letter in self.inbox:
                    self.take(letter)
    """
    assert [(s.kind, s.target) for s in started(source(text))] == [
        ("asyncio task", "self.read"),
        ("asyncio task", "self.write"),
    ]


def test_topics_and_kinds_of_messages(source: Source) -> None:
    text = """
        ORDERS = TypedTopic("orders", Policy.Always)
        LETTERS = TypedTopic("letters", Policy.Never)
        OTHER = Paper("a4")
        Message = Chunk | Done | Failed
        Sizes = Message | None
    """
    assert [claim.value for claim in vocabularies(source(text))] == [
        "messages: Message is one of Chunk, Done, Failed",
        "topics (TypedTopic): ORDERS = orders, LETTERS = letters",
    ]


def test_loops_that_are_awaited_together_run_beside_each_other(source: Source) -> None:
    text = """
        class Desk:
            async def open(self):
                await asyncio.gather(self.read(), self.count(3))

            async def read(self):
                while True:
                    await self.take()

            async def count(self, n):
                return n
    """
    assert [(s.kind, s.target) for s in started(source(text))] == [("asyncio task", "self.read")]


TWO_DESKS = """
class Front:
    def __init__(self, ctx, ports):
        if ports.first:
            self.out = open_socket(ctx, zmq.PUSH, ports.door)

    def post(self, letter):
        self.out.send_pyobj(letter)

class Desk:
    def __init__(self, ctx, ports):
        self.box = open_socket(ctx, zmq.PULL, ports.door)

    def take(self):
        return self.box.recv_pyobj(zmq.NOBLOCK)

class Spare:
    def __init__(self, ctx, ports):
        self.box = open_socket(ctx, zmq.PULL, ports.door)
"""


def test_who_sends_is_told_of_sockets_that_are_opened_under_conditions_and_every_class_that_may_receive(
    source: Source,
) -> None:
    desk = source(TWO_DESKS)
    opened = "ZeroMQ PUSH → PULL ports.door opened in Front.__init__ if ports.first; Front.post sends; "
    assert [link.text for link in links(channels(desk), uses(desk))] == [
        f"{opened}Desk.take receives",
        f"{opened}Spare.__init__ opens the end that receives",
    ]
    both_ways = source(TWO_DESKS.replace("PUSH", "DEALER").replace("PULL", "ROUTER"))
    assert links(channels(both_ways), uses(both_ways))[1].text.endswith("Spare.__init__ opens the other end")
