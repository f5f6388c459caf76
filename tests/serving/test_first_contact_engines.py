"""What engines that nobody had read showed to be missing or untrue, in small."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import cast

from kernelscope.explain.report_config import CONFIG
from kernelscope.explain.report_places import Places, Texts
from kernelscope.serving import capacity, endings, first_ids, free_arrays, registrars, service, sharing, trees
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import Reading, read_c, read_python
from kernelscope.serving.system import join
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import Files

Source = Callable[[str], PythonSource]


def native(text: str, name: str = "desk.cpp") -> Reading:
    reading = read_c(CSource(Path("/w") / name, SourceText(textwrap.dedent(text).encode())))
    assert not reading.faults
    return reading


def told(reading: Reading, section: str) -> list[str]:
    return [claim.value for claim in reading.claims.get(section, ())]


def test_a_free_list_that_is_filled_from_one_on_leaves_the_first_id(source: Source) -> None:
    text = """
    class Drawers:
        def clear(self):
            self.free_ids = torch.arange(1, self.size + 1, dtype=torch.int64)

        def fill(self):
            for i in range(2, self.size):
                self.free_slots.append(i)
    """
    first, second = (claim.value for claim in first_ids.first_ids(source(text)))
    assert first.startswith("self.free_ids is filled with ids from 1 on (self.free_ids = torch.arange(1,")
    assert first.endswith("0 is not among those that it holds to give out")
    assert "0 to 1 are not among" in second
    assert not list(first_ids.first_ids(source(text.replace("arange(1", "arange(0").replace("range(2", "range(0"))))
    assert not list(first_ids.first_ids(source(text.replace("free_", "late_"))))
    cpp = "void Drawers::fill() { for (int i = 1; i < count_; ++i) { free_ids_.insert(i); } }\n"
    assert "from 1 on" in told(native(cpp), "serving.kv_cache")[0]


def test_a_count_of_what_remains_is_a_capacity(source: Source) -> None:
    text = """
    class Adder:
        def add_request(self, request):
            if request.tokens >= self.rem_tokens:
                return Answer.NO_TOKENS
    """
    (claim,) = capacity.admissions(source(text))
    assert claim.value == "admission: Adder.add_request refuses a request when request.tokens >= self.rem_tokens"
    assert not list(capacity.admissions(source(text.replace("rem_tokens", "seen_tokens"))))


def test_reasons_that_are_classes_are_ends_of_requests(source: Source) -> None:
    text = """
    class BaseFinishReason: pass
    class FINISH_LENGTH(BaseFinishReason): pass
    class FINISH_ABORT(BaseFinishReason): pass
    class Request:
        def check(self):
            if self.count >= self.most:
                self.finished_reason = FINISH_LENGTH(self.count)
    """
    (end,) = endings.endings(source(text))
    assert end.value == "Request.check ends a request: self.finished_reason = FINISH_LENGTH if self.count >= self.most"
    (kinds,) = endings.kinds_of_ends(source(text))
    assert kinds.value == (
        "a request ends with one of these reasons: FINISH_LENGTH, FINISH_ABORT (classes that derive from "
        "BaseFinishReason)"
    )
    assert not list(endings.kinds_of_ends(source(text.replace("BaseFinishReason", "BaseRequest"))))


def test_a_list_that_is_joined_only_under_a_switch_says_so(source: Source) -> None:
    text = """
    class Drawers:
        def take(self, n):
            ids = self.free_ids[:n]
            self.free_ids = self.free_ids[n:]
            return ids

        def give(self, ids):
            if self.keeps_order:
                self.late_ids = cat((self.late_ids, ids))
            else:
                self.free_ids = cat((ids, self.free_ids))
    """
    (claim,) = free_arrays.cut_arrays(source(text))
    assert "returned there (self.free_ids = cat((ids, self.free_ids)) if not self.keeps_order)" in claim.value


def test_what_one_statement_demands_is_one_constraint_and_further_ones_share_rows(source: Source) -> None:
    text = [
        "class Settings:",
        "    def check(self):",
        "        if self.stages > 1:",
        "            assert self.plain and self.draft is None and not self.mixed, 'stages go with neither'",
        *(f"        assert self.size_{n} > 0, 'size {n}'" for n in range(320)),
    ]
    system = join([read_python(source("\n".join(text)))])
    find = CONFIG["constraints"]
    assert callable(find)
    rows = cast("list[dict[str, object]]", find(system, Places(Path("/w"), Texts(Files([])))))
    joined = "self.plain and self.draft is None and not self.mixed"
    assert joined in "\n".join(str(row["condition"]) for row in rows)
    alone, together = rows[:300], rows[300:]
    assert not any("; " in str(row["condition"]) for row in alone)
    assert len(together) == 3 and str(together[0]["condition"]).count("; ") == 7


FACTORY = """
std::unique_ptr<Scheduler> create_scheduler(Engine* engine, Options options) {
  switch (scheduler_kind(options)) {
    case Kind::MIXED:
      return std::make_unique<MixedScheduler>(engine);
    case Kind::PLAIN:
      return std::make_unique<desk::PlainScheduler>(engine);
  }
}

Kind scheduler_kind(const Options& options) {
  if (options.mixed()) {
    return Kind::MIXED;
  }
  return Kind::PLAIN;
}

void Desk::start(Options options) {
  if (options.mixed()) {
    scheduler_.reset(new MixedScheduler(this));
  } else {
    scheduler_.reset(new PlainScheduler(this));
  }
}
"""


def test_schedulers_of_an_engine_in_cpp_are_told_with_what_chooses_them() -> None:
    kind, start, create = told(native(FACTORY, "scheduler_factory.cpp"), "serving.scheduling")
    assert kind == "policy by scheduler_kind: Kind::MIXED if options.mixed(); else Kind::PLAIN"
    assert create == (
        "create_scheduler makes MixedScheduler if scheduler_kind(options) is Kind::MIXED; "
        "PlainScheduler if scheduler_kind(options) is Kind::PLAIN"
    )
    assert start == "Desk.start makes MixedScheduler if options.mixed(); PlainScheduler otherwise"


def test_comparisons_by_what_methods_answer_are_told_and_what_is_not_understood_is_not() -> None:
    text = """
    bool Strict::operator()(const std::shared_ptr<Request>& a, const std::shared_ptr<Request>& b) const {
      auto rank_a = a->priority();
      auto rank_b = b->priority();
      if (rank_a != rank_b) {
        return rank_a > rank_b;
      }
      return a->created_time() > b->created_time();
    }
    bool Dense::operator()(const std::shared_ptr<Request>& a, const std::shared_ptr<Request>& b) const {
      double dense_a, dense_b;
      if (a->decodes()) { dense_a = a->weight() / a->cost(); dense_b = b->weight() / b->cost(); }
      else { dense_a = a->weight(); dense_b = b->weight(); }
      if (std::abs(dense_a - dense_b) < limit) { return a->created_time() > b->created_time(); }
      return dense_a < dense_b;
    }
    """
    (claim,) = told(native(text, "comparators.cpp"), "serving.scheduling")
    assert claim == (
        "Strict compares by priority, where that is equal by created_time (rank_a > rank_b; a->created_time() > "
        "b->created_time()): a heap that it orders has the least on top"
    )


STACK = """
int Drawers::take() {
  size_t before = num_free_.fetch_sub(1, std::memory_order_relaxed);
  return free_ids_[before - 1];
}
void Drawers::give(int id) {
  size_t before = num_free_.fetch_add(1, std::memory_order_relaxed);
  CHECK(before < free_ids_.size());
  free_ids_[before] = id;
}
"""


def test_a_stack_with_an_atomic_counter_is_a_free_list_and_hands_out_no_work() -> None:
    reading = native(STACK)
    (value,) = told(reading, "serving.kv_cache")
    assert value == (
        "LIFO: a stack in an array with an atomic counter, free_ids_[before - 1] is taken and free_ids_[before] = id "
        "given back: the most recently freed is reused first"
    )
    assert not reading.syncs
    asked = STACK.replace("free_ids_[before] = id;", "run(letters_[before]);")
    assert [sync.where for sync in native(asked).syncs] == ["Drawers::give"]


def test_paths_that_are_mapped_to_methods_are_routes() -> None:
    text = """
    constexpr const char* kRoutes =
        "v1/letters => Letters,"
        "sleep => Sleep";
    // "v1/old => Old"
    """
    assert [(r.method, r.path, r.handler) for r in native(text).routes] == [
        ("any", "/v1/letters", "Letters"),
        ("any", "/sleep", "Sleep"),
    ]


def test_why_an_answer_ends_is_told_of_cpp() -> None:
    text = """
    FinishReason Checker::check(const Tokens& tokens) const {
      if (tokens.size() >= most_) { return FinishReason::LENGTH; }
      return FinishReason::NONE;
    }
    """
    (value,) = told(native(text), "serving.lifecycle")
    assert "FinishReason.LENGTH if tokens.size() >= most_" in value


KEYS = """
void init_keys(Cache* cache, const Tokens* complete, int size) {
  int64_t rolling = 0;
  auto* token_ids = complete->data();
  for (int i = 0; i < count; ++i) {
    rolling = hashInt64Array(rolling, token_ids + i * size, token_ids + (i + 1) * size);
    cache->pushBackKey(i, rolling);
  }
}
void Drawers::release(const Ids& ids) {
  for (const auto& id : ids) {
    if (ref_counter_.count(id) == 0 && cache_ref_counter_.count(id) == 0) {
      free_ids_.insert(id);
    }
  }
}
"""


def test_keys_that_are_hashed_in_a_chain_and_what_is_freed_at_no_reference() -> None:
    reading = native(KEYS)
    (keys,) = told(reading, "serving.prefix_cache")
    assert keys.startswith("each key is a hash chained with the previous one: rolling = hashInt64Array(rolling, ")
    (freed,) = told(reading, "serving.kv_cache")
    assert freed == (
        "reference count: free_ids_.insert(id) only if ref_counter_.count(id) == 0 and "
        "cache_ref_counter_.count(id) == 0"
    )
    assert not told(native(KEYS.replace("(rolling, token", "(seed, token")), "serving.prefix_cache")
    assert not told(native(KEYS.replace("ref_counter_", "seen_")), "serving.kv_cache")


def test_a_tree_that_is_gone_down_is_told_without_the_file_of_its_nodes(source: Source) -> None:
    text = """
    class PrefixIndex:
        def match(self, request):
            node = self.root
            while True:
                key = self.hash_of(request.token_ids)
                if key not in node.below:
                    break
                child = node.below[key]
                node = child
    """
    (claim,) = trees.trees(source(text))
    assert claim.value == (
        "prefix tree (trie): nodes hold their children in `below` by key (= self.hash_of(request.token_ids)); "
        "PrefixIndex.match goes down (child = node.below[key]) and stops at the first that no child has: the longest "
        "common prefix is the hit"
    )
    assert not list(trees.trees(source(text.replace("PrefixIndex", "Menu").replace("hash_of", "first_of"))))
    assert not list(trees.trees(source(text.replace("break", "pass"))))


def test_lists_of_classes_that_a_module_fills_are_choices(source: Source) -> None:
    text = """
    DECODERS = []
    if on_gpu:
        DECODERS.extend([Fast, Faster])
    DECODERS.append(Plain)
    DECODERS.append(made())
    NUMBERS.append(3)
    """
    (claim,) = registrars.registrars(source(text))
    assert claim.value == "DECODERS holds in this order: Fast, Faster (if on_gpu); Plain"


def test_what_runs_is_gone_through_in_an_order_for_whatever_reason(source: Source) -> None:
    text = """
    class Scheduler:
        def by_age(self):
            def reorder_running():
                return sorted(self.ready, key=lambda seq: seq.arrival)
            return reorder_running()
    """
    (claim,) = service.orders(source(text))
    assert claim.value == "order: self.ready is given in the order of lambda seq: seq.arrival, smallest first"
    assert not list(service.orders(source(text.replace("reorder_running", "reorder_victims_to_evict"))))


QUEUES = """
class ByRank {
  using Held = std::priority_queue<Job*, std::vector<Job*>, Less>;
  Held queue_;
 public:
  void push(Job* job) { queue_.push(job); }
  Job* next() { Job* job = queue_.top(); queue_.pop(); return job; }
};
class ByAge {
  std::deque<Job*> queue_;
 public:
  void push(Job* job) { queue_.push_back(job); }
  Job* next() { Job* job = queue_.front(); queue_.pop_front(); return job; }
};
"""


def test_queues_of_two_classes_that_are_called_alike_have_their_own_order() -> None:
    first, second = sorted(claim.text for claim in native(QUEUES, "job_queue.h").claims["serving.scheduling"])
    assert first.startswith("ByAge.queue_ policy: FCFS")
    assert first != second and second.startswith("ByRank.queue_ policy: by priority (heap)")


PREEMPTS = """
void Planner::make_room(Queue* others) {
  Job* victim = late_jobs_.back();
  if (others != nullptr) {
    cache_->deallocate(victim);
    late_jobs_.pop_back();
    late_waiting_->push(victim);
  } else {
    victim = running_jobs_.back();
    cache_->deallocate(victim);
    running_jobs_.pop_back();
    waiting_queue_.push_back(victim);
  }
}
"""


def test_a_victim_is_what_its_name_was_bound_to_last_and_who_pushes_says_no_end() -> None:
    said = [v for v in told(native(PREEMPTS, "planner.cpp"), "serving.scheduling") if v.startswith("preempted")]
    assert len(said) == 2
    assert "re-queues in the queue: late_waiting_->push(victim); the victim is the last of its queue" in said[0]
    assert "late_jobs_.back()" in said[0]
    assert "re-queues at the back of the queue: waiting_queue_.push_back(victim)" in said[1]
    assert "running_jobs_.back()" in said[1] and "late_jobs_.back()" not in said[1]


def test_what_else_is_through_ends_no_request_and_has_no_state_of_one(source: Source) -> None:
    text = """
    class MediaWriter:
        def finish(self):
            if self.drained():
                self.finished = True
    """
    assert not list(endings.endings(source(text)))
    assert list(endings.endings(source(text.replace("MediaWriter", "RequestWriter"))))
    states = """
    class Status(Enum):
        LOADED = 1
        READY = 2
    class Worker:
        def load(self):
            self.status = Status.LOADED
        def allocate(self):
            self.status = Status.READY
    """
    assert not join([read_python(source(states))]).transitions
    assert join([read_python(source(states.replace("Worker", "Ticket")))]).transitions


def test_what_counts_users_of_no_memory_locks_no_blocks(source: Source) -> None:
    text = """
    class Links:
        def open(self, link):
            link.ref_count += 1
        def close(self, link):
            link.ref_count -= 1
            if link.ref_count > 0:
                return
    """
    (claim,) = sharing.reference_counts(source(text))
    assert claim.name == "Links reference count" and claim.value.endswith("is given up only at 0")
    (claim,) = sharing.reference_counts(source(text.replace("Links", "BlockPool")))
    assert claim.name == "BlockPool shared blocks are locked"
    assert claim.value.endswith("freed or evictable only at 0")


def test_an_enum_that_a_class_is_made_of_goes_by_its_name_and_switches_may_be_demanded() -> None:
    text = """
    class FinishReason {
     public:
      enum Value : uint8_t { NONE = 0, STOP = 1, LENGTH };
    };
    enum Kind { ONE, TWO };
    void start(const Options& options, Desk* desk) {
      CHECK(options.enable_chunks()) << "it needs chunks";
      CHECK(desk->open()) << "no desk";
      CHECK(write(options.path())) << "not written";
    }
    """
    reading = native(text)
    assert [registry.name for registry in reading.registries] == ["FinishReason", "Kind"]
    assert [(c.condition, c.message) for c in reading.constraints] == [("options.enable_chunks()", "it needs chunks")]
