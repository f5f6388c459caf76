"""Engines in C++: queues, admission, preemption, states and trees of prefixes are told as those of Python are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.moves import moves
from kernelscope.serving.reading import Reading, read_c
from kernelscope.serving.system import join
from kernelscope.syntax.cuda.host_module import host_module
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText


def read(text: str) -> Reading:
    reading = read_c(CSource(Path("/w/planner.cpp"), SourceText(text.encode())))
    assert not reading.faults
    return reading


def told(reading: Reading, section: str) -> str:
    return "\n".join(claim.text for claim in reading.claims.get(section, ()))


def test_what_requests_are_compared_by_is_told_with_what_decides_between_equals() -> None:
    text = """
    struct LetterGreater {
      bool operator()(const Letter* a, const Letter* b) const {
        if (a->priority == b->priority) {
          return a->posted_at > b->posted_at;
        }
        return a->priority > b->priority;
      }
    };
    """
    (claim,) = read(text).claims["serving.scheduling"]
    assert claim.value == (
        "LetterGreater compares by priority, where that is equal by posted_at (a->posted_at > b->posted_at; "
        "a->priority > b->priority): a heap that it orders has the least on top"
    )
    assert [place.line for place in claim.evidence] == [5, 7, 3]


def test_a_long_function_in_cpp_is_told_in_stretches() -> None:
    steps = "\n".join(f'    queue_.push_back(letters_[{n}]);  // "}}" {n}' for n in range(50))
    reading = read(f"void Planner::schedule_batch(int most) {{\n  if (most > 0) {{\n{steps}\n    return;\n  }}\n}}\n")
    first, second = (p for p in reading.procedures if p.name.startswith("Planner::schedule_batch"))
    assert first.steps.startswith("takes int most\nif (most > 0) {\n  queue_.push_back(letters_[0]);")
    assert second.name == f"Planner::schedule_batch (from line {second.evidence[0].line})"
    assert second.steps.startswith("if (most > 0) {\n  …\n  queue_.push_back(")
    assert "  queue_.push_back(letters_[49]);\n  return;" in second.steps
    assert {p.line for p in second.evidence} & {52, 53}


def test_checks_say_what_must_hold() -> None:
    text = """
    void open(int size, Desk* desk) {
      CHECK(desk != nullptr);
      CHECK_GT(size, 0) << "no letters";
      CHECK(size % 8 == 0) << "whole sheets only";
    }
    """
    found = [(c.condition, c.message) for c in read(text).constraints]
    assert found == [("size > 0", "no letters"), ("size % 8 == 0", "whole sheets only")]


def test_what_a_move_leaves_behind_is_no_setting() -> None:
    assert not read("Desk::Desk(Desk&& other) { other.letters_ = 0; }").parameters


PLANNER = """
#include "planner.h"
namespace post {
Batch Planner::plan() {
  Letter* letter = nullptr;
  while (inbox_.read(letter)) {
    pending_letters_.push_back(letter);
  }
  for (auto it = active_letters_.rbegin(); it != active_letters_.rend(); ++it) {
    Letter* letter = *it;
    evictable_letters_.push_front(letter);
  }
  int left = options_.most_words();  // words of one batch
  while (!pending_letters_.empty() && left > 0) {
    Letter* letter = pending_letters_.front();
    if (letter->is_lost()) {
      pending_letters_.pop_front();
      continue;
    }
    if (letter->words() > left) {
      break;
    }
    pending_letters_.pop_front();
    active_letters_.push_back(letter);
    left -= letter->words();
  }
  return Batch(active_letters_);
}

bool Planner::post(std::unique_ptr<Letter>& letter) {
  return inbox_.write(letter.get());
}
}  // namespace post
"""


def test_admission_is_told_in_the_words_of_the_file() -> None:
    told_of = told(read(PLANNER), "serving.batching")
    assert "continuous batching: Planner.plan admits requests from pending_letters_ into active_letters_" in told_of
    assert "it stops when left <= 0 or letter->words() > left" in told_of
    assert "self." not in told_of and "is_lost" not in told_of  # what is skipped ends no loop


def test_a_name_that_is_declared_anew_is_another_element() -> None:
    moved = {(move.source, move.target) for move in read(PLANNER.replace("Letter", "Request")).moves}
    assert ("pending_letters_", "active_letters_") in moved
    assert not any(target == "evictable_letters_" for _, target in moved)


def test_a_name_that_is_bound_anew_is_another_element_in_python(source: Callable[[str], PythonSource]) -> None:
    text = """
        class Planner:
            def plan(self):
                request = self.waiting.popleft()
                self.running.append(request)
                for request in self.stale:
                    self.paused.append(request)
    """
    assert [(m.source, m.target) for m in moves(source(text))] == [("self.waiting", "self.running")]


def test_the_last_that_runs_is_preempted_and_waits_at_the_front() -> None:
    reading = read("""
        Entry PreemptLast(State state) {
          Request request = state->running_queue.back();
          Entry entry = state->Lookup(request);
          entry->status = EntryStatus::kPending;
          for (Model model : entry->models) {
            model->num_prefilled_tokens = 0;
          }
          state->running_queue.erase(state->running_queue.end() - 1);
          state->waiting_queue.insert(state->waiting_queue.begin(), request);
          return entry;
        }
    """)
    scheduling = told(reading, "serving.scheduling")
    assert "preempted by recompute" in scheduling and "re-queues at the front (head)" in scheduling
    assert "the victim is the last of its queue (request = state->running_queue.back())" in scheduling
    assert [(x.subject, x.state) for x in reading.transitions] == [("entry->status", "EntryStatus.kPending")]


def test_the_victim_of_a_loop_is_named_where_its_name_says_so() -> None:
    scheduling = told(read("""
        void Planner::fit() {
          while (!pending_.empty()) {
            Request* to_preempt = preemptable_.back();
            preemptable_.pop_back();
            if (to_preempt != pending_.front()) {
              blocks_->release_blocks_for(to_preempt);
            }
          }
        }
    """), "serving.scheduling")  # fmt: skip
    assert "preemption victim: the last of preemptable_ is taken (preemptable_.pop_back())" in scheduling
    assert "blocks_->release_blocks_for(to_preempt)" in scheduling


def test_queues_are_served_in_the_order_of_their_ends() -> None:
    scheduling = told(read("""
        void Desk::add(Request request) { waiting_queue_.push_back(request); }
        Request Desk::next() {
          Request request = waiting_queue_.front();
          waiting_queue_.pop_front();
          return request;
        }
        void Urgent::add(Request request) { priority_requests_.push(request); }
        Request Urgent::next() {
          auto request = priority_requests_.top();
          priority_requests_.pop();
          return request;
        }
        Desk::~Desk() { waiting_queue_.push_front(nullptr); }
    """), "serving.scheduling")  # fmt: skip
    assert "Desk.waiting_queue_ policy: FCFS" in scheduling and "requeue" not in scheduling
    assert "Urgent.priority_requests_ policy: by priority (heap)" in scheduling


def test_free_lists_are_filled_by_numbers() -> None:
    cache = told(read("""
        Pool::Pool(int n) {
          for (int i = 0; i < n; ++i) { free_blocks_.push_back(i); }
        }
        int Pool::take() {
          int block = free_blocks_.front();
          free_blocks_.pop_front();
          return block;
        }
        void Pool::give(int block) { free_blocks_.push_back(block); }
    """), "serving.kv_cache")  # fmt: skip
    assert "FIFO: taken from the front (pop_front)" in cache


@pytest.mark.parametrize(
    ("link", "children"),
    [
        ("leaf->up = node; node->leaves.insert(leaf);", "`leaves`"),
        ("leaf->up = node; leaf->beside = node->lowest; node->lowest = leaf;", "`lowest`"),
    ],
)
def test_trees_of_sets_and_of_siblings(link: str, children: str) -> None:
    text = f"""
        void Tree::split(Node* node, size_t n) {{
          Node* leaf = new Node();
          {link}
          leaf->tokens = node->tokens.slice(n);
          node->tokens.resize(n);
        }}
    """
    told_of = told(read(text), "serving.prefix_cache")
    assert f"radix tree: nodes hold their children in {children} and their `up`" in told_of


def test_a_list_linked_both_ways_is_no_tree() -> None:
    text = """
        void List::split(Node* node, size_t n) {
          node->before = head; node->next = head->next; head->next = node;
          node->tokens = head->tokens.slice(n);
          head->tokens.resize(n);
        }
    """
    assert "tree" not in told(read(text), "serving.prefix_cache")


def test_members_are_what_nothing_in_the_file_declares() -> None:
    module = host_module(b"""
        static int limit = 3;
        void Desk::work(int given) {
          int own = given;
          counted_ += own + limit + kMost;
          (void)this->named;
        }
    """)
    work = next(scope.node for scope in module.functions())
    members = {n.attr for n in t.walk(work) if isinstance(n, t.Attribute) and t.dotted(n.value) == "self"}
    assert members == {"counted_", "named"}


def test_broken_code_is_read_as_far_as_it_goes() -> None:
    reading = read("void Desk::work( { queue_.push_back(x; for (;; } } void Desk::add(R r) { waiting_.push_back(r); }")
    assert reading.path.name == "planner.cpp"


def test_an_empty_body_is_a_body() -> None:
    reading = read("void Desk::step() { if (prefill()) {} else {} for (;;) {} decode(); queue_.push_back(1); }")
    assert not reading.faults


def test_what_is_asked_is_no_work_of_a_step() -> None:
    text = """
        void Desk::step() {
          if (!can_decode()) { give_up(queue_.front()); }
          prefill_late();
          queue_.push_back(next_);
        }
    """
    assert "in every step" not in told(read(text), "serving.scheduling")


def test_what_is_stored_about_a_cache_is_no_cache() -> None:
    reading = read("void load(In& in) { in.kv_cache_block_id = allocBuf(n, max_blocks); in.kv_cache = alloc(n, len); }")
    assert "kv_cache_block_id" not in told(reading, "serving.kv_cache")
    assert "kv_cache layout" in told(reading, "serving.kv_cache")


def test_counts_of_what_happened_deal_no_work() -> None:
    text = "void f() { int n = dropped.fetch_add(1, order); if (n % 100 == 0) log(n); }"
    assert not read(text).syncs
    (dealt,) = read("void f() { int n = next.fetch_add(1, order); if (n >= all) return; run(n); }").syncs
    assert "fetches work dynamically" in dealt.text


def test_draining_what_is_completed_is_no_spinning() -> None:
    assert not read("void f() { while (queue->Next(&tag, &ok)) {} }").syncs


def test_negative_whole_numbers_are_whole() -> None:
    (option,) = read("struct EngineConfig { int most_seqs = -1; };").parameters
    assert option.value == -1 and isinstance(option.value, int)


def test_what_a_test_names_is_bound_before_it() -> None:
    text = """
        void Desk::find(Letter& letter) {
          int i = 0;
          for (; i < letter.pieces; ++i) {
            const auto key = extend_prefix_key(last, letter.tokens(i));
            if (Node* node = tree_.find(last_node, key, letter.tokens(i))) {
              letter.nodes.push_back(node);
            } else {
              break;
            }
          }
        }
    """
    (claim,) = read(text).claims["serving.prefix_cache"]
    assert "it stops at the first miss. A hit is checked by tree_.find(last_node, key, letter.tokens(i))" in claim.value


def test_queues_that_are_named_by_their_class() -> None:
    text = """
        class RequestQueue {
          void put(Letter letter) { queue_.push_back(std::move(letter)); }
          void take(std::vector<Letter>& letters, int most) {
            while (!queue_.empty() && letters.size() < most) {
              auto& first = queue_.front();
              letters.push_back(std::move(first));
              queue_.pop_front();
            }
          }
        };
    """
    reading = read(text)
    assert "RequestQueue.take takes requests from queue_ into letters, which its caller gave" in told(
        reading, "serving.batching"
    )
    assert "FCFS (first come, first served)" in told(reading, "serving.scheduling")
    other = read(text.replace("RequestQueue", "ThreadPool"))
    assert not told(other, "serving.batching") and not told(other, "serving.scheduling")


def test_the_first_may_be_put_without_a_name() -> None:
    text = """
        std::vector<Task> TaskQueue::take(int most_tokens) {
          std::vector<Task> tasks;
          int tokens = 0;
          while (!queue_.empty()) {
            tokens += queue_.front()->length();
            if (tokens > most_tokens) { break; }
            tasks.push_back(queue_.front());
            queue_.pop();
          }
          return tasks;
        }
    """
    assert "TaskQueue.take takes requests from queue_ into tasks, which it returns; it stops when tokens" in told(
        read(text), "serving.batching"
    )


def test_sorting_by_a_function_in_place_has_its_key() -> None:
    text = """
        void Scheduler::plan(Step& step) {
          std::sort(step.requests.begin(), step.requests.end(), [](Letter* a, Letter* b) {
            return a->sent ORDER b->sent;
          });
        }
    """
    served = "policy: step.requests is served in the order of a->sent"
    assert f"{served}, smallest first" in told(read(text.replace("ORDER", "<")), "serving.scheduling")
    assert f"{served}, largest first" in told(read(text.replace("ORDER", ">")), "serving.scheduling")
    assert not told(read(text.replace("return", "if (a) return")), "serving.scheduling")


def test_pieces_of_tokens_are_looked_up_until_one_is_missing() -> None:
    text = """
        int PrefixDesk::get(const std::vector<int>& tokens) {
          std::vector<Key> pieces;
          pieces.push_back(cut(tokens));
          for (size_t i = 0; i < pieces.size(); ++i) {
            int number;
            if (!kept_.get(pieces[i], number)) { break; }
            load(number);
          }
        }
    """
    assert "it stops at the first miss (if not kept_.get(pieces[i], number))" in told(
        read(text), "serving.prefix_cache"
    )
    assert not told(read(text.replace("PrefixDesk", "Desk")), "serving.prefix_cache")


def test_layouts_of_caches_are_lists_of_sizes() -> None:
    text = """
        void Desk::open() {
          key_cache_shape = {layers / ranks, batch, heads, width / (16 / sizeof(T)), max_len, 16 / sizeof(T)};
          cache_ = wide ? tensor({blocks, layers, heads, block_size}, type) : tensor({heads, layers, 2, width}, type);
          cache_names = {"a", "b", "layers", "heads"};
          Cache cache{layers, heads};
        }
    """
    layouts = [c.value for c in read(text).claims["serving.kv_cache"]]
    assert layouts == [
        "key_cache_shape: [layers / ranks, batch, heads, width / (16 / sizeof(T)), max_len, 16 / sizeof(T)]; "
        "contiguous, not paged",
        "cache_: [blocks, layers, heads, block_size]; indexed by block (paged)",
    ]


def test_lists_in_the_order_of_use_drop_the_least_recent() -> None:
    text = """
        bool Kept::get(const K& key) { list.splice(list.begin(), list, found->second); return true; }
        void Kept::drop() { list.pop_back(); }
    """
    (claim,) = read(text).claims["serving.kv_cache"]
    assert claim.value.startswith("least recently used first: a use moves an entry to the front of list")
    assert not read(text.replace("pop_back", "pop_front")).claims["serving.kv_cache"]


SERVER = """
enum slot_state { IDLE, PROCESSING };
struct server_desk {
  void take(task t) { queue_tasks.push_back(t); }
  void work() {
    while (!queue_tasks.empty()) {
      task t = queue_tasks.front();
      queue_tasks.erase(queue_tasks.begin());
      start(t);
    }
  }
  void step() {
    for (auto & slot : slots) {
      if (slot.state == IDLE) { continue; }
      add(batch, slot.last);
    }
    if (params.joins || batch.size == 0) {
      for (auto & slot : slots) {
        if (slot.state == IDLE && slot.has_prompt) {
          slot.state = PROCESSING;
          slot.past = common_part(slot.cache_tokens, slot.prompt_tokens);
        }
      }
    }
  }
};
"""


def test_slots_take_requests_while_others_go_on() -> None:
    reading = read(SERVER)
    assert (
        "continuous batching by slots: at every step server_desk.step goes on with what runs in slots and starts a "
        "request in one where slot.state == IDLE && slot.has_prompt (slot.state = PROCESSING), so requests join while "
        "others go on; only if params.joins || batch.size == 0" in told(reading, "serving.batching")
    )
    assert "FCFS" in told(reading, "serving.scheduling")
    assert "prefix reuse: slot.past = common_part(slot.cache_tokens, slot.prompt_tokens)" in told(
        reading, "serving.prefix_cache"
    )
    assert not told(read(SERVER.replace("slot.state = PROCESSING;", "")), "serving.batching")
    assert not told(read(SERVER.replace("if (slot.state == IDLE) { continue; }", "")), "serving.batching")
    assert not told(read(SERVER.replace("slot", "worker")), "serving.batching")
    assert "FCFS" not in told(read(SERVER.replace("server_desk", "thread_pool")), "serving.scheduling")


def test_states_of_bare_enums() -> None:
    system = join([read(SERVER)])
    assert [(x.subject, x.state, x.where) for x in system.transitions] == [
        ("slot.state", "slot_state.PROCESSING", "server_desk.step")
    ]


def test_a_budget_that_is_bound_to_a_name_cuts_prompts_too() -> None:
    batching = told(read("""
        void Desk::step() {
          for (auto& letter : letters_) {
            size_t left_in_batch = config_.max_batched_tokens - output.total_tokens;
            size_t tokens = std::min(left_in_batch, letter->open_tokens());
            letter->schedule(tokens);
            output.ids.push_back(letter->id);
          }
        }
    """), "serving.batching")  # fmt: skip
    assert "chunked prefill: tokens = std::min(left_in_batch, letter->open_tokens())" in batching
    assert "where left_in_batch = config_.max_batched_tokens - output.total_tokens" in batching


def test_entries_of_a_table_of_embeddings_are_no_cache_of_requests() -> None:
    text = """
        void Desk::look(int id) {
          used_list.splice(used_list.begin(), used_list, place->second);
          used_list.pop_back();
        }
    """
    assert "least recently used" in told(read(text), "serving.kv_cache")
    assert "least recently used" not in told(read(text.replace("used_list", "embedding_list")), "serving.kv_cache")


def test_the_least_by_the_time_of_its_use_is_taken_first() -> None:
    text = """
        Page take_page() {
          auto found = std::min_element(std::begin(pages_), std::end(pages_), [](const auto& a, const auto& b) -> bool {
            return a.second->last_time() < b.second->last_time(); });
          pages_.erase(found->first);
          return found->second;
        }
    """.replace("take_page", "evict_page")
    expected = "least recently used first: the least by a.second->last_time() < b.second->last_time() is taken"
    assert expected in told(read(text), "serving.kv_cache")
    assert "least recently" not in told(read(text.replace("last_time", "words")), "serving.kv_cache")
