"""Threads, routes, metrics, settings and free lists of engines in C++."""

from __future__ import annotations

from pathlib import Path

from kernelscope.explain.faq import QUESTIONS
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.reading import Reading, read_c
from kernelscope.serving.system import join
from kernelscope.syntax.text import SourceText


def read(text: str) -> Reading:
    reading = read_c(CSource(Path("/w/desk.cpp"), SourceText(text.encode())))
    assert not reading.faults
    return reading


def test_threads_are_told_by_what_they_run() -> None:
    reading = read("""
        void Desk::start() {
          loop_ = std::thread(&Desk::loop, this);
          reader_ = std::make_unique<std::thread>([this]() { CHECK(ok()); read_letters(); });
          if (many_) { worker_threads_.emplace_back([this, i] { work(i); }); }
          std::thread found;
          spare_ = std::thread();
        }
    """)
    assert [(s.kind, s.target, s.condition) for s in reading.started] == [
        ("thread", "Desk::loop", ""),
        ("thread", "a function that calls ok and read_letters", ""),
        ("thread", "a function that calls work", "many_"),
    ]


def test_routes_are_told_with_what_serves_them() -> None:
    reading = read("""
        void Desk::serve() {
          server_.RegisterRoute("GET", "/letters", list_letters);
          server_.Post("/letters", [this](const auto& req) { return post(req); });
          server_.register_uri("/health", &Desk::health);
          // server_.Get("/old", &Desk::old);
          client_.Post("/elsewhere", body, "text/plain");
          log_.write("/var/log", level);
        }
    """)
    assert [(r.method, r.path, r.handler) for r in reading.routes] == [
        ("GET", "/letters", "list_letters"),
        ("POST", "/letters", "a function in place"),
        ("ANY", "/health", "Desk::health"),
    ]


def test_metrics_are_told_with_their_kind() -> None:
    reading = read("""
        DEFINE_GAUGE(letters_waiting, "Letters that "
                     "wait");
        // DEFINE_GAUGE(letters_old, "Old letters");
        DEFINE_COUNTER_INSTANCE(sent, letters, {{"type", "sent"}});
        void Desk::init() {
          REGISTER_GAUGE_METRIC(late_metric, "desk.letters.late");
          auto& age = BuildHistogram().Name("letter_age").Help("Age of letters").Register(all);
        }
    """)
    assert [(m.name, m.kind, m.measures) for m in reading.metrics] == [
        ("letters_waiting", "gauge", "Letters that wait"),
        ("desk.letters.late", "gauge", ""),
        ("letter_age", "histogram", "Age of letters"),
    ]


def test_fields_that_a_macro_declares_are_settings_of_the_class_around() -> None:
    reading = read("""
        class Desk {
          struct Options {
            // words of a page
            FIELD(int32_t, page_size) = 16;
            FIELD(std::optional<std::vector<int>>, sizes);
          };
          CHECK_ARG(int, other);
        };
    """)
    found = [(p.owner, p.name, p.value, p.annotation) for p in reading.parameters]
    assert found[0] == ("Desk.Options", "page_size", 16, "int32_t")
    assert [name for _, name, *_ in found] == ["page_size", "sizes"]


def test_a_stack_of_free_ids_in_an_array() -> None:
    text = """
        int Pool::take() { return free_[--count_]; }
        void Pool::give(int id) { free_[count_++] = id; }
    """
    (claim,) = [c for c in read(text).claims["serving.kv_cache"] if "free list" in c.name]
    assert claim.value.startswith("LIFO: a stack in an array, free_[--count_] is taken and free_[count_++] = id given")
    assert not [c for c in read(text.replace("free_", "seen_")).claims["serving.kv_cache"] if "free list" in c.name]


def test_communicators_are_process_groups() -> None:
    reading = read("void Desk::join(int n) { if (n > 1) { NCCL_CHECK(ncclCommInitAll(comms.data(), n, ids)); } }")
    (claim,) = reading.claims["distributed.groups"]
    assert claim.value.endswith("ncclCommInitAll(comms.data(), n, ids), if n > 1")


def test_how_many_there_are_of_something_is_no_setting() -> None:
    text = "struct DeskConfig { int policies = 1; };\nvoid f() { TORCH_CHECK(policies.size() == groups); }"
    (asked,) = (q for q in QUESTIONS if q.id == "scheduling.policy")
    assert not any("size()" in claim.value for claim in asked.claims(join([read(text)])))
