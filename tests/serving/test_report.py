"""The report of the sample workspace: what it must say, that all it cites exists, and that it is silent elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.report_text import WHOLE, Lengths, to_markdown
from kernelscope.explain.section_settings import declared
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.procedures import procedures
from kernelscope.serving.reading import read_python
from kernelscope.serving.sections import spoken_of
from kernelscope.serving.system import System, join

Json = dict[str, object]

Source = Callable[[str], PythonSource]


@pytest.fixture(scope="module")
def sample_report(sample_root: Path) -> Json:
    return Analysis([sample_root]).report()


def items(node: object, keys: str = "") -> Iterator[tuple[str, Json]]:
    """Every object of a report with the keys that lead to it."""
    if isinstance(node, dict):
        yield keys, cast(Json, node)
        for key, value in cast(Json, node).items():
            yield from items(value, f"{keys}.{key}")
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            yield from items(value, keys)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("serving.kv_cache", ("block_size", "16")),
        ("serving.kv_cache", ("FIFO", "PagedKVCache.free")),
        ("serving.kv_cache", ("num_blocks, block_size, num_kv_heads, head_dim",)),
        ("serving.kv_cache", ("request.block_table[position // self.block_size] * self.block_size",)),
        ("serving.scheduling", ("FCFS", "Engine.waiting")),
        ("serving.scheduling", ("newest", "running.pop()")),
        ("serving.scheduling", ("front (head) of the queue", "appendleft")),
        ("serving.batching", ("max_num_batched_tokens", "4096")),
        ("serving.lifecycle.states", ("WAITING, RUNNING, FINISHED",)),
        ("config.constraints", ("self.hidden_size % self.num_attention_heads == 0",)),
        ("faq", ("not found", "pipeline")),
        ("faq", ("not found", "route")),
    ],
)
def test_it_says(sample_report: Json, section: str, words: tuple[str, ...]) -> None:
    said = [str(item) for keys, item in items(sample_report) if section in keys]
    assert any(all(word in text for word in words) for text in said)


def test_every_citation_is_a_line_that_exists(sample_report: Json, sample_root: Path) -> None:
    cited = [item for _, item in items(sample_report) if set(item) >= {"path", "line"}]
    assert len(cited) > 100
    for place in cited:
        lines = (sample_root / str(place["path"])).read_text(encoding="utf-8").split("\n")
        assert 1 <= cast(int, place["line"]) <= len(lines)


def test_names_do_not_matter(sample: System, sample_root: Path, tmp_path: Path) -> None:
    """The same system under other names gives the same claims about queues and caches."""
    for path in sample_root.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace("waiting", "inbox").replace("Engine", "Motor")
        target = tmp_path / path.relative_to(sample_root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace("block_table", "pages_of"), encoding="utf-8")
    renamed = Analysis([tmp_path]).report()
    text = str(renamed)
    assert "Motor.inbox policy" in text
    assert "request.pages_of[position // self.block_size] * self.block_size" in text


def test_an_empty_folder_has_an_honest_report(tmp_path: Path) -> None:
    found = Analysis([tmp_path]).report()
    answers = [cast(Json, entry) for entry in cast("list[object]", found["faq"])]
    assert answers
    assert not any(entry["found"] for entry in answers)


def test_settings_are_tables_and_steps_are_lines() -> None:
    where = [{"path": "a/desk.py", "line": 3}, {"path": "a/desk.py", "line": 5}]
    steps = "Desk.run:\nif full: return\nfor p in pages:\n  p.turn()"
    text = to_markdown(
        {
            "workspace": {"root": "office"},
            "config": {"parameters": [{"name": "pages", "owner": "Desk", "expression": "8", "evidence": where}]},
            "serving": {
                "scheduling": [
                    {"name": "Desk.run steps", "value": steps, "evidence": where},
                    {"name": "Desk order", "value": "first come, first served", "evidence": where},
                ],
                "topology": {"routes": [{"name": "POST /letter", "value": "served by Desk", "evidence": where}]},
            },
        }
    )  # fmt: skip
    assert "| pages | Desk | 8 | `a/desk.py:3`, `:5` |" in text
    assert "- **Desk order**: first come, first served (`a/desk.py:3`, `:5`)" in text
    assert "#### Routes\n\n- **POST /letter**: served by Desk" in text
    below = "\n\n  ```\n  if full: return\n  for p in pages:\n    p.turn()\n  ```"
    assert f"- **Desk.run steps** (`a/desk.py:3`){below}" in text


def test_a_report_ends_its_lists_where_a_reader_would_and_says_what_is_left() -> None:
    where = [{"path": "a/desk.py", "line": 3}]
    claims: list[object] = [{"name": f"Desk {n}", "value": "is told", "evidence": where} for n in range(4)]
    steps: list[object] = [{"name": f"Desk.f{n}", "value": "f:\n" + "x = 1\n" * 5, "evidence": where} for n in range(3)]
    rows = [{"name": f"p{n}", "owner": "Desk", "evidence": where} for n in range(3)]
    made: Json = {
        "workspace": {"root": "office"},
        "serving": {"scheduling": claims + steps},
        "config": {"parameters": rows},
    }
    text = to_markdown(made, Lengths(rows=2, points=3, steps=1, lines=2))
    assert "Desk 2" in text and "Desk 3" not in text
    assert "- … 1 more: `kernelscope report --all`\n- **Desk.f0** (`a/desk.py:3`)" in text
    assert "  x = 1\n  x = 1\n  … 3 more lines\n" in text
    assert "- … the steps of 2 more: `kernelscope report --all`" in text
    assert "| p1 |" in text and "| p2 |" not in text
    whole = to_markdown(made, WHOLE)
    assert "…" not in whole and "Desk.f2" in whole and "| p2 |" in whole


def test_a_question_stands_once_above_its_answers() -> None:
    place = [{"path": "a/desk.py", "line": 3}]
    answers = [
        {"question": "In which order?", "answer": f"first {n}.\nthen {n}", "found": True, "evidence": place}
        for n in range(3)
    ]
    missing = {"question": "Is it fair?", "answer": "not found: no quotas in 2 files", "found": False, "evidence": []}
    text = to_markdown({"workspace": {"root": "office"}, "faq": [missing, *answers]}, Lengths(answers=4))
    assert text.count("### In which order?") == 1
    assert "- first 0.\n- then 0 (`a/desk.py:3`)\n- first 1.\n- then 1 (`a/desk.py:3`)\n- … 2 more:" in text
    assert "### Not found\n\n- Is it fair? not found: no quotas in 2 files" in text
    assert text.index("Not found") > text.index("In which order")


def test_steps_of_functions_are_laid_out(source: Source) -> None:
    code = "def admit(q):\n    if q.full:\n        return\n    elif q.new:\n        a(q)\n        b(q)\n"
    (found,) = (p for p in procedures(source(code)) if p.section == "components")
    assert found.steps == "if q.full: return\nelif q.new:\n  a(q)\n  b(q)"


def test_a_process_is_called_after_what_it_runs(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(
        "class CoreManager:\n    def start(self):\n        mp.set_start_method('spawn')\n"
        "        mp.Process(target=run_engine)\n        mp.Process(target=load_pages)\n"
    )
    found = Analysis([tmp_path]).report()["serving"]
    assert [
        (row["name"], row["role"]) for keys, row in items(found) if keys.endswith("processes") and "role" in row
    ] == [
        ("run_engine", "engine"),
        ("load_pages", "controller"),
        ("spawn", "other"),
    ]


def test_examples_that_are_asked_for_are_the_product(tmp_path: Path) -> None:
    server = "class Desk:\n    def __init__(self):\n        self.waiting = deque()\n\n"
    server += "    def put(self, letter):\n        self.waiting.append(letter)\n\n"
    server += "    def take(self):\n        letter = self.waiting.popleft()\n        self.running.append(letter)\n"
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "desk.py").write_text(server)
    (tmp_path / "other.py").write_text("x = 1\n")
    analysis = Analysis([tmp_path])

    def told(*focus: str) -> bool:
        found = analysis.report(focus)["serving"]
        return any(row.get("from") == "self.waiting" for _, row in items(found))

    assert [told(), told("examples"), told("examples/desk.py"), told()] == [False, True, True, False]


def test_functions_stand_where_claims_of_them_do_and_where_their_words_fit(source: Source) -> None:
    text = """
        class Store:
            def of_key(self, ids, before):
                made = hashlib.sha256(before)
                made.update(ids)
                return made.digest()

            def match_block(self, key):
                found = self.known.get(key)
                return found

            def take(self, waiting, running):
                self.queue.append(waiting)
                self.idle.remove(running)
    """
    known = {p.name: p for p in read_python(source(text)).procedures}
    assert known["Store.match_block"].section == "serving.kv_cache"
    assert known["Store.match_block"].also == ("serving.prefix_cache",)
    system = join([read_python(source(text.replace("of_key", "page_key")))])
    assert [p.name for p in system.procedures_of("serving.prefix_cache")] == ["Store.page_key", "Store.match_block"]
    assert spoken_of("waiting running queue page") == ("serving.scheduling",)


def test_settings_of_caches_and_defaults_of_arguments_stand_with_their_kind(source: Source) -> None:
    text = """
        LONGEST = 640
        OTHER = 1 if LONGEST else 2

        class PagedKVPool:
            step = 48

        class Base:
            MOST: int = 7

        class Plan:
            chunk_most: int = Base.MOST
            chunk_size: int = LONGEST
            chunk_limit: int = OTHER

        def serve(model, batch_size=5, batch_kind=None):
            pass
    """
    system = join([read_python(source(text))])
    assert [p.name for p in declared(system, "kv_cache")] == ["step"]
    assert [(p.name, p.default) for p in declared(system, "batching")] == [
        ("chunk_size", "default 640 (LONGEST)"), ("chunk_most", "default 7 (Base.MOST)"),
        ("chunk_limit", "default OTHER"), ("batch_size", "default 5"),
    ]  # fmt: skip


def test_what_a_class_stores_over_a_field_is_told_with_its_value(source: Source) -> None:
    text = """
        class CacheConfig:
            USUAL: ClassVar[int] = 24
            block_size: int | None = None

            def __post_init__(self):
                if self.block_size is None:
                    self.block_size = self.USUAL

        def insert(kv, block_size=0):
            pass
    """
    system = join([read_python(source(text))])
    (size,) = (p for p in system.declared if p.owner == "CacheConfig" and p.name == "block_size")
    assert [(o.value, o.condition) for o in size.overrides] == [("24 (self.USUAL)", "self.block_size is None")]
