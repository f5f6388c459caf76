"""Engines whose scheduler is C++ and whose server is Python: what was read of one against its source."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.report_serving import role_of
from kernelscope.results import Span
from kernelscope.serving.alternatives import alternatives
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.caches import sizing
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import collectives
from kernelscope.serving.constraints import constraints
from kernelscope.serving.cut_tensors import cut_tensors
from kernelscope.serving.metrics import metrics
from kernelscope.serving.preferences import preferences
from kernelscope.serving.prefixes import offered
from kernelscope.serving.processes import Started, started
from kernelscope.serving.reading import Reading, read_c
from kernelscope.serving.registries import registries
from kernelscope.serving.sharding import sharded
from kernelscope.serving.system import join
from kernelscope.syntax.text import SourceText


def read(text: str, name: str = "desk_cache") -> Reading:
    reading = read_c(CSource(Path(f"/w/{name}.cpp"), SourceText(text.encode())))
    assert not reading.faults
    return reading


def values(reading: Reading, section: str) -> list[str]:
    return [claim.value for claim in reading.claims.get(section, ())]


def test_what_a_thread_runs_in_place_is_no_method_that_its_body_asks_for() -> None:
    reading = read("""
        void Desk::run() {
          std::thread([this]() {
            while (open_) { letters_.take(); if (idle() && std::holds_alternative<Stop>(last_)) { close(); } }
          }).detach();
          std::thread(std::bind(&Desk::sort, this));
        }
    """)  # fmt: skip
    assert [s.target for s in reading.started] == ["a function that calls letters_.take and idle", "Desk::sort"]


def test_a_role_is_that_of_what_runs_before_that_of_its_class() -> None:
    where = read("void f() {}").path
    started = Started(
        "thread", "StreamManager::deviceWorker", "std::thread", "f", "", SourceText(b"").location(where, _NOWHERE)
    )
    assert role_of(started) == "worker"


def test_a_family_of_metrics_has_a_name_that_is_put_together_and_the_labels_of_its_members() -> None:
    reading = read("""
        Metrics::Metrics(const Config& config) {
          auto &waiting_family = prometheus::BuildGauge()
              .Name(std::string(PREFIX) + "_waiting")
              .Help("Letters that wait")
              .Register(*registry_);
          waiting = &waiting_family.Add({{"desk", config.desk}, {"kind", "air"}});
          sent_family_ = &prometheus::BuildCounter().Name("sent").Help("Letters sent").Register(*registry_);
        }
        prometheus::Counter* Metrics::sent(const std::string& to) { return &sent_family_->Add({{"to", to}}); }
    """)
    assert [(m.name, m.kind, m.labels) for m in reading.metrics] == [
        ("{PREFIX}_waiting", "gauge", "desk, kind"),
        ("sent", "counter", "to"),
    ]


def test_branches_with_names_of_their_own_are_all_told(source: Callable[[str], PythonSource]) -> None:
    (made,) = registries(source("""
        def read(kind):
            if kind == "image" :
                image = read_image(kind)
            elif kind == "picture":
                image = read_image(kind)
            elif kind == "sound":
                sound = read_sound(kind)
    """))  # fmt: skip
    assert [e.key for e in made.entries] == ["image", "picture", "sound"]


def test_a_branch_that_ends_the_program_says_what_must_hold() -> None:
    reading = read("""
        void Desk::check(int size) {
          if (size % 8 != 0) { LOG_ERROR("whole sheets only"); assert(false); }
          if (size < 2) { abort(); }
          if (open_ == false) { LOG_ERROR("closed"); exit(0); }
          if (done_) exit(0);
          letters_.push_back(size);
        }
    """)
    found = [(c.condition, c.enforced_by, c.message) for c in reading.constraints]
    assert found == [
        ("size % 8 == 0", "assert", "whole sheets only"),
        ("size >= 2", "exit", ""),
        ("open_", "exit", "closed"),
    ]


def test_in_python_too(source: Callable[[str], PythonSource]) -> None:
    found = constraints(source("""
        def check(args):
            if args.tp not in (1, 2):
                print("one or two")
                sys.exit(1)
            if args.done:
                sys.exit()
            if args.size % 8:
                assert False, "whole sheets"
    """))  # fmt: skip
    assert [(c.condition, c.enforced_by, c.message) for c in found] == [
        ("args.tp in (1, 2)", "exit", "one or two"),
        ("not (args.size % 8)", "assert", "whole sheets"),
    ]


_NOWHERE = Span(0, 0)

LIFE = """
struct Letter {
  enum Status { Received, Ready, Sent };
  Status plan_status = Received;
  void to_status(Status to);
  void absorb(int n) {
    if (n == length_) { to_status(Sent); }
  }
};
void Letter::to_status(Status to) {
  letters_.push_back(to);
  plan_status = to;
}
void Desk::schedule(Letter* letter) {
  if (free_ > 0) { letter->to_status(Letter::Ready); }
}
"""


def test_a_method_that_stores_its_argument_as_the_state_changes_it() -> None:
    system = join([read(LIFE)])
    assert [(x.subject, x.state, x.condition) for x in system.transitions] == [
        ("its state (by to_status)", "Status.Sent", "n == length_"),
        ("letter (by to_status)", "Status.Ready", "free_ > 0"),
    ]


def test_a_chain_of_texts_chooses_classes_in_cpp() -> None:
    reading = read("""
        std::shared_ptr<Desk> make_desk(Settings settings) {
          std::shared_ptr<Desk> desk;
          if (settings.kind == "plain") { desk = std::shared_ptr<Desk>(new PlainDesk()); }
          else if (settings.kind == "sorted") { desk = std::make_shared<SortedDesk>(); }
          else if (settings.kind == "timed") { desk.reset(new TimedDesk()); }
          names_.push_back(settings.kind);
          return desk;
        }
    """)
    (made,) = (r for r in reading.registries if r.kind == "factory")
    assert made.name == "make_desk by settings.kind"
    assert [(e.key, e.implementation) for e in made.entries] == [
        ("plain", "PlainDesk"), ("sorted", "SortedDesk"), ("timed", "TimedDesk"),
    ]  # fmt: skip


def test_branches_that_make_several_objects_are_of_one_kind(source: Callable[[str], PythonSource]) -> None:
    (made,) = registries(source("""
        def build(self, kind):
            if kind == "a":
                self.cache = PlainCache()
                self.model = PlainModel()
            elif kind == "b":
                if self.fast:
                    self.cache = FastCache()
                self.model = FastModel()
            elif kind == "c":
                self.cache = OtherCache()
                self.model = OtherModel()
    """))  # fmt: skip
    assert [e.implementation for e in made.entries] == ["PlainModel", "FastModel", "OtherModel"]


LINKED = """
Letters::Letters() {
  first_.next = &last_;
  last_.prev = &first_;
}
std::vector<Sheet> Letters::match(const Tokens& tokens) {
  for (Node* child : root_.children) { touch(child); }
}
size_t Letters::evict(size_t most) {
  for (Node* node = first_.next; gone < most && node != &last_; node = node->next) {
    if (!node->children.empty()) { continue; }
    doomed.push_back(node);
  }
}
void Letters::join(Node* node) {
  node->prev = last_.prev;
  node->next = &last_;
  last_.prev->next = node;
  last_.prev = node;
}
void Letters::part(Node* node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
}
void Letters::touch(Node* node) {
  part(node);
  join(node);
}
"""


def test_a_list_linked_by_hand_that_uses_reorder_is_least_recently_used() -> None:
    (said,) = [v for v in values(read(LINKED), "serving.kv_cache") if "LRU" in v]
    assert said == (
        "least recently used first (LRU): evict evicts from the front of a doubly linked list through the entries "
        "(node = first_.next), and touch moves an entry to its back when match uses it"
    )
    assert not [v for v in values(read(LINKED.replace("touch(child);", "")), "serving.kv_cache") if "LRU" in v]


WALKED = """
Letters::Entry Letters::access(const Key& key) {
  auto it = entries_.at(key);
  used_.erase(it);
  used_.push_front(*it);
}
void Letters::evict(size_t most) {
  for (auto it = used_.rbegin(); it != used_.rend();) {
    it = decltype(it)(used_.erase(std::next(it).base()));
  }
}
"""


def test_a_list_that_is_erased_from_its_end_is_least_recently_used() -> None:
    (said,) = values(read(WALKED), "serving.kv_cache")
    assert "Letters::evict goes through used_ from its back (it = used_.rbegin()) and erases there" in said
    assert "Letters::access moves what is used to the front (used_.push_front(*it))" in said
    assert not values(read(WALKED.replace("push_front", "push_back")), "serving.kv_cache")


def test_a_queue_of_a_class_of_its_own_is_a_channel_with_what_goes_through() -> None:
    system = join([read("""
        using Event = std::variant<Post, Stop>;
        struct Desk {
          LockFreeQueue<Event> events_;
          std::queue<int> plain_;
          void post(int n) { events_.enqueue(Post(n)); plain_.push(n); }
          void run() { auto event = events_.dequeue(); plain_.pop(); }
        };
    """)])  # fmt: skip
    (link,) = system.links
    assert link.text == "queue events_ opened in Desk; Desk.post sends; Desk.run receives; messages: Post, Stop"


def test_a_shape_is_put_together_size_by_size() -> None:
    (said,) = values(read("""
        DeskCache::DeskCache(const Config& config) {
          shape.push_back(config.layers);
          shape.push_back(config.pages);
          if (config.whole) { shape.push_back(config.heads); } else { shape.push_back(config.heads / n); }
          shape.push_back(config.head_dim);
          auto k = torch::zeros(shape, options);
        }
    """), "serving.kv_cache")  # fmt: skip
    assert said == (
        "shape: [config.layers, config.pages, config.heads if config.whole, config.heads / n if not (config.whole), "
        "config.head_dim]; indexed by block (paged)"
    )


@pytest.mark.parametrize(
    "text", ["TaskQueue" + " " * 30_000 + "x", "TaskQueue<" + "<" * 30_000, "Q" * 30_000, "queue" * 6_000]
)
def test_long_runs_take_no_time(text: str) -> None:
    begun = time.process_time()
    read(f"struct A {{\n{text};\n}};\nvoid f() {{ shape.push_back({text}); x = y.begin();{' ' * 9_000} }}\n")
    assert time.process_time() - begun < 2


def test_a_queue_of_a_header_is_joined_with_who_uses_it_in_another_file() -> None:
    header = read_c(CSource(Path("/w/desk.h"), SourceText(b"""
        class Desk {
          folly::MPMCQueue<std::unique_ptr<Letter>> letters_queue_;
          WaitingQueue plain_queue_;
          Queue make_queue();
        };
        class BlockingQueue { ConcurrentQueue<int> inner_queue; };
    """)))  # fmt: skip
    (link,) = join([header, read("""
        bool Desk::post(Letter* letter) { return letters_queue_.write(letter); }
        void Desk::run() { letters_queue_.read(letter); plain_queue_.push(letter); }
    """)]).links  # fmt: skip
    assert link.text == "queue letters_queue_ opened in Desk; Desk.post sends; Desk.run receives"


def test_what_all_branches_make_is_no_choice_in_cpp() -> None:
    reading = read("""
        Rect* Desk::part(Kind kind) {
          names_.push_back(kind);
          if (kind == Kind::A) { return new Rect(1); } else if (kind == Kind::B) { return new Rect(2); }
        }
    """)
    assert not [r for r in reading.registries if r.kind == "factory"]


def test_weights_that_each_rank_keeps_a_part_of(source: Callable[[str], PythonSource]) -> None:
    text = """
        class Columns:
            def part(self, weight):
                n = weight.shape[1] // self.tp_world_size
                start = n * self.tp_rank
                return weight[:, start : start + n]
            def other(self, weight, first):
                n = weight.shape[1] // self.tp_world_size
                return weight[:, first : first + n]
    """
    (said,) = cut_tensors(source(text))
    assert said.value == (
        "Columns.part cuts weight along axis 1 into one part for each rank: weight[:, start : start + n], where a "
        "part has n = weight.shape[1] // self.tp_world_size"
    )


def test_which_replica_a_rank_belongs_to_shards_nothing(source: Callable[[str], PythonSource]) -> None:
    (one, other) = sharded(source("""
        class Helper:
            def __init__(self):
                self.dp_rank = self.global_rank // self.tp_size
                self.dp_size = self.world_size // self.tp_size
            def forward(self, x):
                return all_reduce(x)
        class Columns:
            def __init__(self, output_size):
                self.part = output_size // self.tp_size
    """))  # fmt: skip
    assert (one.axes, len(other.axes)) == ((), 1)


def test_what_one_part_holds_is_not_what_the_memory_holds(source: Callable[[str], PythonSource]) -> None:
    found = sizing(source("""
        def size(self):
            self.num_blocks = memory_bytes // self.bytes_per_block
            self.tokens_per_sector = self.sector_bytes // self.bytes_per_block * self.tokens_per_page
    """))  # fmt: skip
    assert [c.name for c in found] == ["size number of blocks"]


def test_a_step_that_prefills_where_there_is_something_new_and_then_decodes(
    source: Callable[[str], PythonSource],
) -> None:
    text = """
        class Desk:
            def step(self):
                if self.fresh is not None:
                    self._prefill_batch(self.fresh)
                    self.fresh = None
                self._decode_batch()
    """
    (said,) = preferences(source(text))
    assert said.value.startswith("Desk.step runs prefill if self.fresh is not None, and then decode in every step")
    assert not list(preferences(source(text.replace("self.fresh = None", "return"))))


def test_programs_and_threads_are_told_with_what_they_are_and_how_many(source: Callable[[str], PythonSource]) -> None:
    found = started(source("""
        def start(self):
            command = ["serve", "--port", "1"]
            subprocess.Popen(command)
            script = os.path.join(here, "desk.py")
            subprocess.Popen(["python3", script, "--fast"])
            subprocess.Popen(shown)
            for _ in range(10):
                threading.Thread(target=self.work).start()
    """))  # fmt: skip
    assert [s.text for s in found] == [
        "process serve started by subprocess.Popen in start",
        "process script (desk.py) started by subprocess.Popen in start",
        "thread self.work started by threading.Thread in start, one for each of range(10)",
    ]


def test_a_longest_prefix_that_is_found_by_halving() -> None:
    (said,) = values(read("""
        Match PrefixTree::look_up(Token* data, size_t length) {
          size_t l = 0, r = length + 1;
          while (l + 1 < r) {
            size_t mid = (l + r) / 2;
            if (known.count(hash(data, mid))) { l = mid; } else { r = mid; }
          }
          letters_.push_back(l);
        }
    """), "serving.prefix_cache")  # fmt: skip
    assert said == (
        "the longest known prefix is found by binary search (bisection): PrefixTree.look_up asks "
        "known.count(hash(data, mid)) for mid = (l + r) / 2 while l + 1 < r"
    )


def test_all_but_the_last_token_by_a_name_of_its_own(source: Callable[[str], PythonSource]) -> None:
    (said,) = offered(source("""
        def start(self, cache, ids):
            if cache is not None:
                key = tensor(ids)
                key = key[0 : len(key) - 1]
                return cache.match_prefix(key)
    """))  # fmt: skip
    assert "is offered key after key = key[0 : len(key) - 1], so one token is left to compute" in said.value


def test_classes_that_are_given_back_by_switches(source: Callable[[str], PythonSource]) -> None:
    ((_, said),) = alternatives(source("""
        def desk_class(args):
            if args.plain:
                return PlainDesk
            if args.fast:
                return DeskForAir
            return OtherDesk
    """))  # fmt: skip
    assert said.value == (
        "desk_class gives back the class PlainDesk if args.plain; DeskForAir if args.fast; OtherDesk otherwise"
    )
    assert not list(alternatives(source("""
        def __getattr__(name):
            if name == "PlainDesk":
                return PlainDesk
            if name == "AirDesk":
                return AirDesk
    """)))  # fmt: skip


def test_how_parts_are_put_together_and_the_labels_that_a_function_hands_on(
    source: Callable[[str], PythonSource],
) -> None:
    (found,) = collectives(source("""
        import torch.distributed as dist
        def agree(n):
            dist.all_reduce(n, op=dist.ReduceOp.MIN)
    """))  # fmt: skip
    assert found.operation == "MIN"
    (metric,) = metrics(source("""
        class Desk:
            def make(self):
                self.create_counter("sent", labelnames=["kind"])
            def create_counter(self, name, labelnames=None):
                self.all[name] = Counter(name, TEXTS[name], labelnames=labelnames)
    """))  # fmt: skip
    assert (metric.name, metric.kind, metric.labels) == ("sent", "counter", '["kind"]')


def test_files_of_other_languages_are_said_not_to_be_read(tmp_path: Path) -> None:
    (tmp_path / "router.rs").write_text("fn main() {}\n")
    (tmp_path / "desk.py").write_text("size: int = 1\n")
    made = Analysis([tmp_path]).report()
    said = "files in other languages (1 of Rust), so what they do is missing here"
    assert cast("dict[str, object]", made["workspace"])["not_read"] == said
