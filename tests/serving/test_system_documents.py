"""Documents of systems: what they show of the sample, that all their lines lead to source, and that absence is said."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.faq import QUESTIONS
from kernelscope.explain.render import to_text
from kernelscope.results import Location, Target, UserError
from kernelscope.serving.claims import Claim


@pytest.fixture(scope="module")
def analysis(sample_root: Path) -> Analysis:
    return Analysis([sample_root])


@pytest.mark.parametrize(
    ("kind", "fragments"),
    [
        ("serving", ("States of", "block table of a request", "block_size = 16 tokens", "FCFS", "request A:")),
        ("faq", ("In which order are requests served?", "not found: no pipeline")),
        ("report", ("Configuration", "Constraints", "Request lifecycle", "Technical FAQ")),
    ],
)
def test_it_shows(analysis: Analysis, sample_root: Path, kind: str, fragments: tuple[str, ...]) -> None:
    shown = to_text(analysis.document(kind, Target(sample_root)), 100, "unicode").text
    assert [fragment for fragment in fragments if fragment.lower() not in shown.lower()] == []


def test_a_file_stands_for_the_system_around_it(analysis: Analysis, sample_root: Path) -> None:
    inside = next(sample_root.rglob("*.py"))
    assert analysis.document("faq", Target(inside)).blocks == analysis.document("faq", Target(sample_root)).blocks


def test_every_question_of_the_method_has_its_topic() -> None:
    topics = {"batching", "kv_cache", "scheduling", "scalability", "seqlen", "hardware", "fusion", "precision"}
    assert {question.topic for question in QUESTIONS} == topics | {"parallelism"}
    assert len({question.id for question in QUESTIONS}) == len(QUESTIONS)


def test_a_folder_without_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no Python, Triton or CUDA source"):
        Analysis([tmp_path]).document("serving", Target(tmp_path))


PAGED = """
PAGE_SIZE = 16

class DeskCache:
    def __init__(self, n, heads, dim):
        self.k_cache = torch.zeros((n // PAGE_SIZE, PAGE_SIZE, heads, dim))
        self.v_cache = torch.zeros((n // PAGE_SIZE, PAGE_SIZE, heads, dim))
"""
DESK = """
import enum

class BlockAllocator:
    def __init__(self, n):
        self.free_blocks = list(range(n))

    def allocate(self):
        return self.free_blocks.pop()

    def free(self, block):
        self.free_blocks.append(block)

class BackendError(enum.Enum):
    NOT_READY = 3

class Config:
    def __init__(self, arch):
        assert arch == self.arch_string

class Experts:
    def load_cpu_offload(self, block_cache):
        for one in block_cache:
            one.load()
        return block_cache

class TiedDesk:
    def __init__(self):
        self.drawers = [1] * 3

def add_options(parser):
    parser.add_argument("--block-size", type=int, default=64)
"""


def answers_of(folder: Path) -> dict[str, str]:
    """The answers of the FAQ of a folder, by `topic.question.number`."""
    entries = cast("list[dict[str, str]]", Analysis([folder]).report()["faq"])
    return {entry["id"]: entry["answer"] for entry in entries}


def by_question(folder: Path) -> dict[str, str]:
    """The same by `question.number`, or `question` where nothing is found."""
    return {name.partition(".")[2]: answer for name, answer in answers_of(folder).items()}


def test_answers_are_about_what_is_asked(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(DESK, encoding="utf-8")
    answers = by_question(tmp_path)
    assert answers["block.1"] == "command line.--block-size default 64"
    for question in ("arch", "backends", "tied", "offload"):
        assert answers[question].startswith("not found")


def test_the_size_of_a_page_is_what_the_cache_is_laid_out_by(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(PAGED, encoding="utf-8")
    answers = answers_of(tmp_path)
    assert answers["kv_cache.block.1"] == "module.PAGE_SIZE default 16"


MEGAKERNEL = """
constexpr int PAGE_SIZE = 16384;
constexpr int PIPELINE_STAGES = 3;
static_assert(PIPELINE_STAGES == 3);
__device__ inline void finish_kv_page(State &s) {
    if (lane() == 0) { s.finish_page(s.pid(0), 4); s.note(1); s.note(2); s.note(3); }
}
"""


def test_pages_and_pipelines_of_a_kernel_are_none_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "desk.cu").write_text(MEGAKERNEL, encoding="utf-8")
    answers = by_question(tmp_path)
    for question in ("layout", "block", "pipeline"):
        assert answers[question].startswith("not found"), question


def test_options_of_the_server_are_the_first_sizes(tmp_path: Path) -> None:
    (tmp_path / "a_pool.py").write_text("class KVPool:\n    def __init__(self, page_size=1): ...\n", encoding="utf-8")
    options = "class ServerArgs:\n    page_size: int = 64\n"
    (tmp_path / "options.py").write_text(options + PAGED.replace("PAGE_SIZE = 16", ""), encoding="utf-8")
    answers = answers_of(tmp_path)
    assert answers["kv_cache.block.1"].startswith("ServerArgs.page_size default 64")


ENUMS = """
class Status(enum.Enum):
    OK = 1
    IO_ERROR = 2

class Desk:
    def close(self, letter):
        letter.status = Status.LOADED

    def open(self, letter):
        letter.status = Status.READY
"""


def test_an_enum_that_holds_none_of_the_states_is_another(tmp_path: Path) -> None:
    (tmp_path / "files.py").write_text(f"import enum\n{ENUMS}", encoding="utf-8")
    (tmp_path / "letters.py").write_text(
        "import enum\n\nclass Status(enum.Enum):\n    NEW = 0\n    READY = 1\n    LOADED = 2\n", encoding="utf-8"
    )
    answer = by_question(tmp_path)["states.1"]
    assert answer.startswith("status states of Status: NEW, READY, LOADED")
    assert "IO_ERROR" not in answer


def test_parts_in_other_languages_are_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "desk.py").write_text(DESK, encoding="utf-8")
    for name in ("queue.rs", "router.rs", "main.go"):
        (tmp_path / name).write_text("", encoding="utf-8")
    notes = Analysis([tmp_path]).document("faq", Target(tmp_path)).notes
    assert notes[1:] == ("not read: files in other languages (2 of Rust, 1 of Go), so what they do is missing here",)


def test_a_size_in_a_kernel_is_no_parallelism(tmp_path: Path) -> None:
    (tmp_path / "desk.cuh").write_text("__device__ void f() { constexpr int cp_size = 16; }\n", encoding="utf-8")
    answers = answers_of(tmp_path)
    assert answers["parallelism.sizes"].startswith("not found")


def test_an_edit_is_seen_and_costs_one_reading(tmp_path: Path) -> None:
    path = tmp_path / "settings.py"
    path.write_text("class Config:\n    block_size: int = 8\n", encoding="utf-8")
    analysis = Analysis([tmp_path])
    assert "block_size = 8" not in str(analysis.report()["faq"])
    assert "block_size default 8" in str(analysis.report()["faq"])
    analysis.set_text(path, b"class Config:\n    block_size: int = 32\n")
    assert "block_size default 32" in str(analysis.report()["faq"])


def test_a_claim_is_told_without_saying_twice_what_it_is_about() -> None:
    here = Location(Path("desk.py"), 1)
    claim = Claim("Desk.admit admission", "admission: Desk.admit refuses a letter when full", (here,))
    assert claim.text == "Desk.admit admission: Desk.admit refuses a letter when full"
