"""CUDA kernels as a reader sees them: the document of every kernel, lenses, hints, hovers of launches, findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Span, Target, UserError

FOLDER = Path(__file__).parent / "kernels"
FILES = sorted(FOLDER.glob("*.cu"))


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    found = Analysis([FOLDER])
    found.index()
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_documents_of_the_kernels(analysis: Analysis, path: Path, request: pytest.FixtureRequest) -> None:
    texts = [
        to_text(analysis.document("explain", Target(path, facts.function.name_span.start))).text
        for facts in analysis.cuda.in_file(str(path))
    ]
    told = "\n\n".join(texts)
    golden = path.with_suffix(".txt")
    if request.config.getoption("--accept"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_findings_are_the_expected_ones(analysis: Analysis, path: Path) -> None:
    data = path.read_bytes()
    found = sorted((data[: p.span.start].count(b"\n") + 1, p.code, p.message) for p in analysis.problems(path))
    expected = [
        (number, match[1], match[2])
        for number, line in enumerate(data.decode().splitlines(), 1)
        if (match := re.search(r"//! ([\w-]+)(.*)$", line))
    ]
    assert [(line, code) for line, code, _ in found] == [(line, code) for line, code, _ in expected]
    for (_, _, message), (_, _, fragments) in zip(found, expected, strict=True):
        for fragment in re.findall(r'"([^"]*)"', fragments):
            assert fragment in message


def test_padding_is_no_advice_for_rows_that_are_read_as_vectors(analysis: Analysis) -> None:
    told = [p.message for p in analysis.problems(FOLDER / "costs.cu") if "rows is written" in p.message]
    assert told == ["32 lanes meet in one bank when rows is written"]


def test_shared_arrays_show_their_bytes(analysis: Analysis) -> None:
    path = FOLDER / "pipelines.cu"
    data = path.read_bytes()
    hints = analysis.inlay_hints(path, Span(0, len(data)))
    assert [(data[: h.offset].splitlines()[-1].split()[-1].decode(), h.label) for h in hints] == [
        ("buffer[kStages][128]", " 2048*kStages B"),
        ("full[2]", " 16 B"),
        ("empty[2]", " 16 B"),
        ("tile[256]", " 1024 B"),
        ("ready[2]", " 16 B"),
        ("stage[2048]", " 8192 B"),
        ("full", " 8 B"),
        ("full", " 8 B"),
        ("group", ": 0 … 1"),
    ]


def test_every_kernel_and_what_launches_them_has_a_lens(analysis: Analysis) -> None:
    path = FOLDER / "reductions.cu"
    data = path.read_bytes()
    assert [data[lens.span.start : lens.span.end] for lens in analysis.lenses(path)] == [
        b"row_sums",
        b"total",
        b"counts",
        b"run",
        b"count",
    ]


def test_the_hover_of_a_launch_tells_grid_and_block(analysis: Analysis) -> None:
    path = FOLDER / "tiled_matmul.cu"
    hover = analysis.hover(path, path.read_bytes().rindex(b"product<"))
    assert hover is not None
    assert dict(hover.table)["Grid"] == "(cdiv(N, 64), cdiv(M, 64), 1)"
    assert dict(hover.table)["Block"] == "(512, 1, 1)"


def test_a_kernel_has_to_be_named_where_there_are_several(analysis: Analysis) -> None:
    with pytest.raises(UserError, match="row_sums, total"):
        analysis.document("explain", Target(FOLDER / "reductions.cu"))


def test_a_kernel_that_is_cut_off_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.cu"
    path.write_text(
        "__global__ void scale(float* a, int n) {\n    __shared__ float s[32];\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n    if (i < n) {\n        a[i] = 2.0f * s[thread"
    )
    card = to_text(Analysis([tmp_path]).document("explain", Target(path))).text
    assert "Cut off                  the body that begins at L1 is not closed" in card
    assert "`a` L5 store: coalesced" in card
    assert "128 B: `s` float[32] 128 B" in card


def test_a_library_under_a_new_name_of_its_namespace_is_known(tmp_path: Path) -> None:
    (tmp_path / "portable.cuh").write_text(
        "#ifdef FOR_HIP\nnamespace library = hipcub;\n#else\nnamespace library = cub;\n#endif\n"
    )
    file = tmp_path / "sum.cu"
    file.write_text(
        '#include "portable.cuh"\ntemplate <int N>\n__global__ void sum(const float* x, float* out) {\n'
        "    typedef library::BlockReduce<float, N> Reduce;\n    __shared__ typename Reduce::TempStorage storage;\n"
        "    out[blockIdx.x] = Reduce(storage).Sum(x[threadIdx.x]);\n}\n"
        "void run(const float* x, float* out) { sum<256><<<1, 256>>>(x, out); }\n"
    )
    told = to_text(Analysis([tmp_path]).document("explain", Target(file, None, "sum"))).text
    assert "__syncthreads in CUB" in told
    assert "shuffles in CUB" in told
    assert re.search(r"Shared memory \(static\) +4\*\(\(N \+ 31\)//32\)", told)
    assert "not followed" not in told


def test_a_launch_in_a_part_of_a_file_has_the_constants_of_the_other_parts(tmp_path: Path) -> None:
    (tmp_path / "kernels.h").write_text(
        "const int WIDE = 128;\n#define HIGH 2\n__global__ void k(float* x) { x[threadIdx.x] = 1; }\n"
    )
    (tmp_path / "launches.h").write_text(
        "struct Sizes { int own; };\nvoid run(float* x, int n, int TALL) {\n    dim3 block(WIDE, HIGH);\n"
        "    k<<<cuda::ceil_div<int>(n, WIDE), block>>>(x);\n    k<<<1, TALL>>>(x);\n}\n"
    )
    (tmp_path / "main.cu").write_text('const int TALL = 8;\n#include "kernels.h"\n#include "launches.h"\n')
    told = to_text(Analysis([tmp_path]).document("explain", Target(tmp_path / "kernels.h", None, "k"))).text
    assert "`(cdiv(n, 128), 1, 1)`" in told
    assert "`(128, 2, 1)` = 256 threads" in told
    assert "`(TALL, 1, 1)`" in told, "a parameter is no constant of another file"


def test_numbers_that_the_template_of_the_host_function_chooses_are_given_to_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "chosen.cu"
    file.write_text(
        "template <int WIDTH, int DEEP>\n__global__ void k(float* x) { x[threadIdx.x * WIDTH / DEEP] = 1; }\n"
        "template <int D>\nvoid launch(float* x) {\n    constexpr int WIDTH = D < 128 ? 8 : 2;\n"
        "    constexpr int DEEP = D < 128 ? 8 : 1;\n    k<WIDTH, DEEP><<<1, 64>>>(x);\n}\n"
        "void run(float* x, int d) { d == 64 ? launch<64>(x) : launch<256>(x); }\n"
    )
    told = to_text(Analysis([tmp_path]).document("explain", Target(file, None, "k"))).text
    assert "coalesced (stride 1, 4 bytes/lane)" in told
    assert "with <8, 8>" in told


def test_extents_that_a_text_names_that_round_up_and_that_a_pointer_holds(tmp_path: Path) -> None:
    file = tmp_path / "extents.cu"
    file.write_text(
        "#define parts(a, b) ((a) % (b) == 0 ? (a) / (b) : ((a) / (b)) + 1)\n"
        "__global__ void k(float* x) { x[threadIdx.x] = 1; }\n"
        'void run(float* x, int n, const int* count) {\n    dim3 block(32, 8);\n    printf("block = %d %d", 32, 8);\n'
        "    dim3 grid(parts(n, 32), (*count + 7) / 8);\n    k<<<grid, block>>>(x);\n}\n"
    )
    told = to_text(Analysis([tmp_path]).document("explain", Target(file, None, "k"))).text
    assert "`(32, 8, 1)` = 256 threads" in told
    assert "`(cdiv(n, 32), cdiv(count[0], 8), 1)`" in told


def test_a_kernel_that_takes_a_pack_is_launched_with_any_number_of_arguments(tmp_path: Path) -> None:
    file = tmp_path / "pack.cu"
    file.write_text(
        "template <int N, typename... Ts>\n__global__ void k(float* x, Ts*... more) { x[threadIdx.x] = N; }\n"
        "void run(float* x, int* y, char* z) { k<4, int, char><<<1, 64>>>(x, y, z); k<4><<<1, 64>>>(x); }\n"
    )
    facts = next(iter(Analysis([tmp_path]).cuda.in_file(str(file))))
    assert len(facts.launches) == 2


def test_launch_bounds_behind_a_macro_that_nobody_defines_are_not_denied(tmp_path: Path) -> None:
    file = tmp_path / "bounds.cu"
    file.write_text("template <typename T>\nOUR_BOUNDS_2(512, 4)\n__global__ void k(T* x) { x[threadIdx.x] = 0; }\n")
    told = to_text(Analysis([tmp_path]).document("explain", Target(file, None, "k"))).text
    assert "not known: `OUR_BOUNDS_2(…)` before the kernel" in told


def test_a_header_that_others_hold_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernelscope.kernels.cuda.units.KEPT_UNITS", 1)
    (tmp_path / "size.cuh").write_text("constexpr int SIZE = 64;\n")
    for name in ("a.cu", "b.cu"):
        (tmp_path / name).write_text('#include "size.cuh"\n__global__ void k(float* x) { x[SIZE] = 0; }\n')
    units = Analysis([tmp_path]).cuda.units
    made = [units.unit(str(tmp_path / name)) for name in ("a.cu", "b.cu")]
    first, second = (unit.with_name("SIZE")[1] for unit in made if unit is not None)
    assert first is second


def test_registers_are_those_of_a_build_log_nearby(tmp_path: Path) -> None:
    path = tmp_path / "scale.cu"
    path.write_text(
        "template <int N> __global__ void scale(float* a) { a[threadIdx.x] *= N; }\n"
        "__global__ void rescale(float* a) { a[threadIdx.x] *= 2; }\n"
        "void run(float* a) { scale<2><<<8, 256>>>(a); scale<4><<<8, 256>>>(a); }\n"
    )
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "make.log").write_text(
        "ptxas info    : Compiling entry function '_Z5scaleILi2EEvPf' for 'sm_90'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 40 registers, 360 bytes cmem[0]\n"
        "ptxas info    : Compiling entry function '_Z5scaleILi4EEvPf' for 'sm_90'\n"
        "    8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads\n"
        "ptxas info    : Used 96 registers, 360 bytes cmem[0]\n"
    )
    analysis = Analysis([tmp_path])
    rows = dict(_card(analysis, path, b"scale"))
    assert rows["Registers"] == "`ptxas` 40 to 96 over 2 instantiations on sm_90, 40 bytes spilled (L6 `make.log`)"
    assert rows["Occupancy"] == (
        "2 blocks/SM = 16/64 warps = 25% on sm_90, limited by registers<br>one wave, 3% full, on H100 (132 SMs)"
    )
    assert dict(_card(analysis, path, b"rescale"))["Registers"] == "not known without ptxas"


class _Counted:
    """A pattern that counts how often a text is searched through."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.searches = 0

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        self.searches += 1
        return self.pattern.finditer(text)


def test_how_kernels_walk_over_their_work(analysis: Analysis) -> None:
    found = {
        facts.name: dict(_card(analysis, FOLDER / "walks.cu", facts.name.encode()))["Loop"]
        for facts in analysis.cuda.in_file(str(FOLDER / "walks.cu"))
    }
    assert found == {
        "by_thread": "grid-stride (L37)",
        "by_group": "grid-stride (L42)",
        "by_warp": "grid-stride (L48)",
        "by_block": "persistent: blocks take tiles a grid apart (L52)",
        "in_a_function": "grid-stride in `fill` (L56)",
        "by_a_scheduler": "persistent: `next` gives a block its next tile (L61)",
        "by_an_open_scheduler": "not known: `next` says in each round what a block does next (L67)",
        "from_a_counter": "persistent: work is taken from a counter by an atomic (L72)",
        "within_its_block": "one tile per block",
        "runs_of_tiles": "one share per block: `each` divides the work by their number (L93)",
        "runs_of_requests": "one run per block: memory says where its `request` begins and ends (L107)",
        "rows_by_the_host": "persistent: a block goes on by `given.blocks * PER_BLOCK`, which the host passes (L116)",
        "by_a_chosen_scheduler": "not known: `next` of `Schedule`, which the launch chooses, says what a block does "
        "next (L137)",
        "by_rank": "one tile per block",
        "warps_take_rows": "not known: each round goes on by `kBlocks*kWarps`, a grid apart if all blocks take so "
        "many (L165)",
        "tiles_from_the_diagonal": "one tile per block",
        "summed_in_steps": "one tile per block",
        "rows_while_there_are": "persistent: a block goes on by `blocks * ROWS`, which the host passes (L189)",
    }


def test_what_variables_hold_is_read_once_for_all_launches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.cu"
    many = "k<<<1, 1>>>(); " * 300
    path.write_text(f"void f() {{ auto k = &first<4>; {many} k = other; {many} }}\nvoid g() {{ {many} }}\n")
    given = _Counted(resolve_name("kernelscope.kernels.cuda.launched_kernels._GIVEN"))
    monkeypatch.setattr("kernelscope.kernels.cuda.launched_kernels._GIVEN", given)
    found = [(launch.kernel, launch.templates) for launch in Analysis([tmp_path]).cuda.launches_in(str(path))]
    assert given.searches == 1
    assert found == [("first", ("4",))] * 300 + [("first", ("4",)), ("other", ())] * 300 + [("k", ())] * 300


def _card(analysis: Analysis, path: Path, name: bytes) -> tuple[tuple[str, str], ...]:
    hover = analysis.hover(path, path.read_bytes().index(b"void " + name + b"(") + 5)
    assert hover is not None
    return hover.table


def test_the_timeline_of_a_kernel_is_its_pipeline(analysis: Analysis) -> None:
    told = to_text(analysis.document("timeline", Target(FOLDER / "staged.cu", symbol="waits_last"))).text
    assert "Copies run 3 rounds ahead of the work" in told
    with pytest.raises(UserError, match=r"no task of staged\.cu waits"):
        analysis.document("timeline", Target(FOLDER / "staged.cu", symbol="in_turn"))


def test_a_specialisation_is_explained_where_it_is_pointed_at(analysis: Analysis) -> None:
    path = FOLDER / "specialised.cu"
    kernels = [facts.function for facts in analysis.cuda.in_file(str(path)) if facts.name == "moments"]
    told = [
        to_text(analysis.document("explain", Target(path, kernel.name_span.start, "moments"))).text
        for kernel in kernels
    ]
    assert len(told) == 2
    assert "double" not in told[0]
    assert "double" in told[1]
