"""What systems declare and do, from their structure: each test shows the source and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving import caches, queues, service
from kernelscope.serving.c_checks import c_constraints
from kernelscope.serving.c_collectives import c_collectives
from kernelscope.serving.c_constants import c_constants
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.channels import channels
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import collectives
from kernelscope.serving.commands import settable
from kernelscope.serving.constraints import constraints
from kernelscope.serving.lifecycle import states_only, transitions
from kernelscope.serving.metrics import metrics
from kernelscope.serving.parameters import parameters
from kernelscope.serving.process_groups import groups
from kernelscope.serving.processes import started
from kernelscope.serving.registries import registries
from kernelscope.serving.routes import routes
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def test_fields_with_defaults_overrides_and_comments(source: Source) -> None:
    found = parameters(
        source(
            """
            @dataclass
            class Sizes:
                hidden: int = 4096
                heads: int = Field(default=32, description="query heads")
                head_dim: int | None = None
                mode: Literal["a", "b"] = "a"  # how it runs

                def __post_init__(self):
                    if self.head_dim is None:
                        self.head_dim = self.hidden // self.heads
            """
        )
    )
    shown = {p.name: (p.value, p.doc, p.choices) for p in found}
    assert shown == {
        "hidden": (4096, "", ()),
        "heads": (32, "query heads", ()),
        "head_dim": (None, "", ()),
        "mode": ("a", "how it runs", ("a", "b")),
    }
    (override,) = next(p for p in found if p.name == "head_dim").overrides
    assert (override.value, override.condition) == ("self.hidden // self.heads", "self.head_dim is None")


def test_options_environment_and_constructor_defaults(source: Source) -> None:
    found = settable(
        source(
            """
            LIMIT = 1 << 10
            parser.add_argument("-p", "--port", type=int, default=8000, help="where to listen")
            debug = os.environ.get("APP_DEBUG", "0")

            class Config(Base):
                def __init__(self, layers=12, **kwargs):
                    self.layers = layers
            """
        )
    )
    assert {(p.kind, p.name, p.value) for p in found} == {
        ("constant", "LIMIT", 1024),
        ("option", "--port", 8000),
        ("environment", "APP_DEBUG", "0"),
        ("field", "layers", 12),
    }


def test_constants_of_c() -> None:
    text = SourceText(b"#define WARP 32U\nconstexpr int kStages = 3;\nconst auto x = f(y);\n#define CHECK(x) f(x)\n")
    assert [(p.kind, p.name, p.value) for p in c_constants(CSource(Path("a.cu"), text))] == [
        ("define", "WARP", 32),
        ("constant", "kStages", 3),
    ]


@pytest.mark.parametrize(
    ("statement", "condition", "kind"),
    [
        ("assert size % 256 == 0", "size % 256 == 0", "divisibility"),
        ("assert 1 <= tp <= 8", "1 <= tp <= 8", "range"),
        ("if width % heads != 0: raise ValueError('no')", "width % heads == 0", "divisibility"),
        ("if not (mode in ('a', 'b')): raise KeyError(mode)", "mode in ('a', 'b')", "membership"),
        ("assert x.dtype == torch.bfloat16", "x.dtype == torch.bfloat16", "dtype"),
        ("assert n & (n - 1) == 0", "n & (n - 1) == 0", "power_of_two"),
        ("assert x.data_ptr() % 16 == 0", "x.data_ptr() % 16 == 0", "alignment"),
    ],
)
def test_constraints_are_what_must_hold(source: Source, statement: str, condition: str, kind: str) -> None:
    (found,) = constraints(source(f"def f(size, x):\n    {statement}\n"))
    assert (found.condition, found.kind) == (condition, kind)


def test_constraints_of_c() -> None:
    text = SourceText(
        b'static_assert(kHeadDim % 8 == 0, "rows are vectors");\nTORCH_CHECK(x.size(0) > 0, "empty");\n'
        b'MY_ASSERT(bytes <= most and "too many for an SM");\n'
    )
    found = [(c.condition, c.kind, c.enforced_by) for c in c_constraints(CSource(Path("a.cu"), text))]
    assert found == [
        ("kHeadDim % 8 == 0", "divisibility", "static_assert"),
        ("x.size(0) > 0", "shape", "check_macro"),
        ('bytes <= most and "too many for an SM"', "range", "check_macro"),
    ]


def test_registries(source: Source) -> None:
    read = source(
        """
        class Kind(Enum):
            A = 1
            B = 2

        MODELS = {"llama": Llama, "qwen": Qwen}

        @BACKENDS.register("fast")
        def make_fast(): ...

        DESKS.register(Kind.A, LetterDesk)
        DESKS.register(Kind.B, ParcelDesk)
        atexit.register("x", close)

        def build(name):
            if name == "x":
                return X()
            elif name == "y":
                return Y()

        def scheduler(name, lanes):
            if name == "fifo" or name == "fcfs":
                return InOrder()
            if name == "first":
                lane = lanes.find()
                if lane:
                    return Lanes()
                return First()

        def note(self):
            if self.key in self.desk.open_letters:
                kept = Kept()
            elif self.key in self.desk.closed_letters:
                kept = Other()

        def draw(kind):
            if kind == "a":
                ink = Ink()
            if kind == "a":
                pen = Pen()

        def best(name, rows):
            first = rows[0]
            if name == "x":
                return first
            elif name == "y":
                return rows

        def count(name, rows):
            if name == "x":
                return len(rows)
            elif name == "y":
                return sum(rows)
        """
    )
    found = list(registries(read))
    assert [(r.kind, r.name, [e.key for e in r.entries]) for r in found] == [
        ("enum", "Kind", ["A", "B"]),
        ("decorator", "BACKENDS.register", ["fast"]),
        ("table", "DESKS", ["Kind.A", "Kind.B"]),
        ("table", "MODELS", ["llama", "qwen"]),
        ("factory", "build by name", ["x", "y"]),
        ("factory", "scheduler by name", ["fifo", "fcfs", "first"]),
    ]
    assert [e.implementation for e in found[-1].entries] == ["InOrder", "InOrder", "Lanes or First"]


def test_collectives_carry_their_guards(source: Source) -> None:
    (found,) = collectives(
        source(
            """
            import torch.distributed as dist

            class Rows:
                def forward(self, x):
                    y = self.linear(x)
                    if self.size > 1:
                        dist.all_reduce(y, group=self.group, async_op=True)
                    return gather(y)
            """
        )
    )
    assert (found.primitive, found.tensor, found.group, found.condition, found.is_async) == (
        "all_reduce",
        "y",
        "self.group",
        "self.size > 1",
        True,
    )


def test_operations_of_a_batch_and_the_grid_of_ranks(source: Source) -> None:
    file = source(
        """
        import torch.distributed as dist

        class Ring:
            def turn(self, x, y, ahead):
                self.todo += [dist.P2POp(dist.isend, x, self.next), dist.P2POp(dist.irecv, y, self.last, group=self.g)]
                self.todo.append(dist.P2POp(dist.isend if ahead else dist.irecv, x, 0))

        def arrange(dp, tp):
            grid = torch.arange(world_size).view(dp, tp)
            rows = torch.arange(n).view(dp, tp)
            dist.new_subgroups_by_enumeration([grid[d].tolist() for d in range(dp)])
        """
    )
    assert [(c.primitive, c.tensor, c.group, c.is_async, c.overlapped) for c in collectives(file)] == [
        ("send", "x", "default group", True, ""),
        ("recv", "y", "self.g", True, ""),
        ("send_recv", "x", "default group", True, ""),
    ]
    group, grid = groups(file)
    assert "new_subgroups_by_enumeration" in group.value
    assert grid.value.startswith("the ranks form a grid dp × tp")


def test_nccl_calls() -> None:
    text = SourceText(
        b"void f(int stage) {\n  if (stage == 1) {\n"
        b"    ncclCheck(ncclReduceScatter(grads, grads, n, t, ncclAvg, comm, stream));\n  }\n}\n"
    )
    (found,) = c_collectives(CSource(Path("z.cuh"), text))
    assert (found.primitive, found.tensor, found.condition) == ("reduce_scatter", "grads", "stage == 1")


def test_processes_channels_and_routes(source: Source) -> None:
    file = source(
        """
        import multiprocessing as mp
        import zmq

        @app.post("/generate")
        def generate(request): ...

        @app.get(f"{prefix}/letters")
        def letters(): ...

        @desk.get(self.health_path, dependencies=[])
        def health(): ...

        @desk.get(self.size)
        def size(): ...

        @app.put(BASE + "/letters")
        def put_letter(): ...

        @app.get(f"{prefix}")
        def nothing(): ...

        def launch():
            mp.set_start_method("spawn")
            inbox = mp.Queue()
            mp.Process(target=run_worker, args=(inbox,)).start()
            context.socket(zmq.PULL)
            torch.cuda.Event()
        """
    )
    assert [(s.kind, s.target) for s in started(file)] == [("start method", "spawn"), ("process", "run_worker")]
    assert [(c.transport, c.pattern) for c in channels(file)] == [("queue", ""), ("ZeroMQ", "PULL")]
    assert [(r.method, r.path) for r in routes(file)] == [
        ("POST", "/generate"),
        ("GET", "{prefix}/letters"),
        ("GET", "{self.health_path}"),
        ("PUT", "{BASE}/letters"),
    ]


def test_routes_of_routers_handlers_and_services(source: Source) -> None:
    file = source(
        """
        class Desk(BaseHTTPRequestHandler):
            def do_POST(self):
                table = {"/write": self.write, "/draw": self.draw}
                table[self.path]()

            def do_GET(self):
                if self.path.startswith("/letters"):
                    self.list_letters()
                elif self.path in ("/ping", "/health"):
                    self.answer()

            def do_nothing(self):
                if self.path == "/never":
                    self.answer()

        class Post(desk_pb2_grpc.PostServicer):
            async def Send(self, request, context): ...
            def helper(self, request, context): ...

        @app.route("/list", methods=["GET", "POST"])
        def listing(): ...

        def build(app):
            app.router.add_post("/stamp", stamp)
            app.add_api_route("/seal", seal, methods=["PUT"])
            app.add_route(later)
            app.get("/node")(node)
        """
    )
    assert {(r.method, r.path, r.handler) for r in routes(file)} == {
        ("POST", "/write", "self.write"),
        ("POST", "/draw", "self.draw"),
        ("GET", "/letters…", "self.list_letters"),
        ("GET", "/ping", "self.answer"),
        ("GET", "/health", "self.answer"),
        ("GET, POST", "/list", "listing"),
        ("POST", "/stamp", "stamp"),
        ("PUT", "/seal", "seal"),
        ("GET", "/node", "node"),
        ("gRPC", "Post/Send", "Post.Send"),
    }


def test_metrics_through_an_alias(source: Source) -> None:
    (found,) = metrics(
        source('def f(self):\n    self._gauge_cls(name="app:running", documentation="Requests now.", labelnames=n)\n')
    )
    assert (found.name, found.kind, found.measures) == ("app:running", "gauge", "Requests now.")
    assert not list(metrics(source('def f(desk):\n    desk.summary("2 letters today", "and none late")\n')))


def test_states_and_their_guards(source: Source) -> None:
    (found,) = transitions(
        source("def f(r):\n    if r.done:\n        r.status = Status.FINISHED\n    r.mode = other.VALUE\n")
    )
    assert (found.subject, found.state, found.condition) == ("r.status", "Status.FINISHED", "r.done")
    (given,) = transitions(source("def f(r):\n    r.set_status(Status.PAUSED)\n    r.tell(Status.PAUSED)\n"))
    assert (given.subject, given.state) == ("r (by set_status)", "Status.PAUSED")


def test_a_queue_between_threads_and_coroutines_is_one(source: Source) -> None:
    file = source(
        """
        class Desk:
            def __init__(self):
                self.waiting_queue = janus.Queue()

            def add(self, letter):
                self.waiting_queue.sync_q.put(letter)

            def step(self):
                letter = self.waiting_queue.sync_q.get_nowait()
                self.write(letter)
        """
    )
    (queue,) = queues.queues(file)
    (claim,) = service.service_claims(queue)
    assert claim.value.startswith("FCFS")


def test_a_heap_is_not_first_come_first_served(source: Source) -> None:
    file = source(
        """
        class Sched:
            def __init__(self):
                self.ready = []
            def add(self, r):
                heapq.heappush(self.ready, (r.priority, r))
            def take(self):
                return heapq.heappop(self.ready)
        """
    )
    claims = [c for q in queues.queues(file) for c in service.service_claims(q)]
    assert [c.value for c in claims] == ["by priority (heap): the least element is taken first"]


def test_a_priority_queue_is_served_by_what_its_elements_compare_by(source: Source) -> None:
    file = source(
        """
        @dataclass(order=True)
        class Letter:
            urgency: float
            arrived: float
            text: str = field(compare=False)

        class Desk:
            def __init__(self):
                self.letters = PriorityQueue()
            def add(self, letter):
                self.letters.put(letter, block=True)
            def take(self):
                task = self.letters.get()
                return task
        """
    )
    (queue,) = queues.queues(file)
    queue.holds_requests = True
    (claim,) = service.service_claims(queue)
    assert claim.value.endswith("elements compare by the urgency, then arrived of Letter")


def test_block_pointers_of_kernels_are_not_paging(source: Source) -> None:
    file = source(
        """
        def kernel(ptr, rows, cols, stride):
            return ptr[rows[:, None] * stride + cols[None, :]]

        def slot(table, p, size):
            return table[p // size] * size + p % size
        """
    )
    assert [c.name for c in caches.paging(file)] == ["slot slot"]


def test_states_are_called_so_or_are_several(source: Source) -> None:
    text = "def f(r, s):\n    r.plan = Plan.RING\n    r.step = Step.RUNNING\n    s.step = Step.DONE\n"
    found = list(transitions(source(text)))
    assert [x.state for x in states_only(found)] == ["Step.RUNNING", "Step.DONE"]
    copies = transitions(source(text.replace("RUNNING", "UPLOADING").replace("DONE", "IDLE")))
    assert not states_only(list(copies))
    sorts = "".join(f"def f{i}(r):\n    r.state = Sort.{m}\n" for i, m in enumerate(["DONE", "LOGITS", "PROBS", "CUT"]))
    assert not states_only(list(transitions(source(sorts))))
    parsed = transitions(
        source("def f(r):\n    r.state = StreamState.IN_KEY\ndef g(r):\n    r.state = StreamState.KEY\n")
    )
    assert not states_only(list(parsed))
    found += transitions(source("def g(r):\n    r.status = Job.DONE\n"))
    assert [x.state for x in states_only(found)] == ["Job.DONE"]
    found += transitions(source("def h(r):\n    r.status = RequestState.DONE\n    r.w = WorkerStatus.UP\n"))
    assert [x.state for x in states_only(found)] == ["Job.DONE", "RequestState.DONE"]
    others = list(transitions(source("def h(r):\n    r.status = WorkerStatus.UP\n")))
    assert not states_only(others)
    modes = "def h(m):\n    m.state = AttentionState.DECODE\ndef g(m):\n    m.state = AttentionState.PREFILL\n"
    assert not states_only(list(transitions(source(modes))))
