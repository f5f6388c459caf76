"""What reports of engines in C++ and CUDA that nobody had read left out or got wrong, as a few lines of source."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.explain.faq_answers import of_ranks
from kernelscope.serving.c_caches import c_layouts
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.c_waits import c_syncs
from kernelscope.serving.procedures import Procedure
from kernelscope.serving.reading import read_c
from kernelscope.serving.system import join
from kernelscope.serving.task_structs import task_structs
from kernelscope.serving.warp_roles import warp_roles
from kernelscope.syntax.text import SourceText


@pytest.mark.parametrize("refused", ['throw std::runtime_error("too few");', 'return Result::Error("too few");'])
def test_host_code_refuses_by_throwing_or_by_an_error_that_it_returns(refused: str) -> None:
    text = f"""
    void Desk::add(Letter letter) {{
        if (letter->copies <= 0) {{
            {refused}
        }}
        letters_.push_back(letter);
    }}
    """
    reading = read_c(CSource(Path("/w/desk.cc"), SourceText(text.encode()), False))
    assert [c.condition for c in reading.constraints] == ["letter->copies > 0"]


def native(text: str) -> CSource:
    return CSource(Path("/w/desk.cu"), SourceText(text.encode()), False)


TASK = """
template <typename Config, typename Globals> struct fold_letters {
    static constexpr int opcode = OPCODE_Fold;
    static constexpr int prev_opcode = OPCODE_Read;
    static constexpr int EXPECTED = Globals::letters / Globals::per_desk;
    struct parsed {
        __device__ parsed(int *instruction) {
            layer = instruction[1];
            pages = 2 * instruction[2];
            rest = instruction + 3;
        }
    };
    struct loader {
        static __device__ void run(const Globals &g, State &s) {
            while (*(volatile int *)&g.Bar[{s.layer, prev_opcode - 1, 0}] < EXPECTED) {
                __nanosleep(20);
            }
        }
    };
};
struct sizes {
    static constexpr int INSTRUCTION_WIDTH = 32;
};
"""


def test_a_struct_with_a_number_of_work_is_a_task() -> None:
    (claim,) = task_structs(native(TASK))
    assert claim.value.startswith("fold_letters is a kind of work: opcode = OPCODE_Fold, prev_opcode = OPCODE_Read")
    assert "; its instruction holds layer = [1], pages = 2 * [2], rest = [from 3 on]" in claim.value
    assert claim.value.endswith("; parts that run by themselves: loader")
    (wait,) = (s for s in c_syncs(native(TASK)) if s.role == "wait")
    assert wait.text.startswith("fold_letters::run waits by spinning")
    assert wait.text.endswith("until the counter is EXPECTED, which is letters / per_desk")


def test_a_sum_that_is_put_into_a_product_stays_one_factor() -> None:
    text = """
    struct fold {
        static constexpr int opcode = 3;
        static constexpr int each = sizeof(A) + sizeof(B);
        static constexpr int all = HEADS * each;
        static constexpr int next = each + 1;
    };
    """
    (claim,) = task_structs(native(text))
    assert "all = HEADS * (sizeof(A) + sizeof(B)), next = sizeof(A) + sizeof(B) + 1" in claim.value


ROLES = """
__device__ void loop(const G &g, S &s) {
    if (warpid() < config::READERS) {
        warpgroup::increase_registers<104>();
        ::desk::reader::main_loop<config, G>(g, s);
    } else {
        warpgroup::decrease_registers<64>();
        switch (warpgroup::warpid()) {
        case 0:
            ::desk::loader::main_loop<config, G>(g, s);
            break;
        case 1:
            ::desk::storer::main_loop<config, G>(g, s);
            break;
        default:
            asm volatile("trap;");
        }
    }
}
"""


def test_warps_that_a_switch_gives_roles() -> None:
    (claim,) = warp_roles(native(ROLES))
    assert claim.value == (
        "the warps of loop have roles: 0 runs desk::loader::main_loop, 1 runs desk::storer::main_loop "
        "(by warpgroup::warpid()), while warpid() < config::READERS runs desk::reader::main_loop"
    )
    assert not list(warp_roles(native(ROLES.replace("warpgroup::warpid()", "kind"))))


def host(text: str, name: str = "desk.cc") -> list[Procedure]:
    return read_c(CSource(Path("/w") / name, SourceText(text.encode()), False)).procedures


def test_a_host_function_is_placed_by_its_class_and_by_what_it_does() -> None:
    text = """
    class Scheduler {
      bool fits(const Letter& letter) {
        if (letter.pages() > most_pages_) { return false; }
        return letter.length() <= longest_;
      }
    };
    bool fits(const Letter& letter) {
      if (waiting_queue_.empty() || running_queue_.size() > most_) { return false; }
      return schedule(letter, waiting_queue_);
    }
    """
    found = host(text)
    assert [(p.name, p.section) for p in found] == [("fits", "serving.scheduling"), ("fits", "serving.scheduling")]
    assert not host(
        "int twice(int number) {\n  int other = number + number;\n  other += 1;\n  return other * 2;\n}\n" * 2
    )


def test_a_persistent_kernel_that_admits_requests_serves_them() -> None:
    text = """
    __device__ bool prepare_next_batch(Config const &config) {
      int tokens = 0;
      while (config.num_{0} < MOST && tokens < MOST_TOKENS) { tokens += config.length[tokens]; }
      return tokens > 0;
    }
    """
    (found,) = host(text.replace("{0}", "requests"), "run.cuh")
    assert found.section == "serving.batching"
    (other,) = host(text.replace("{0}", "tiles"), "run.cuh")
    assert other.section == "components"


def test_a_list_with_a_negative_number_is_no_layout_of_a_cache() -> None:
    sizes = "pages, {0}, page_size, head_dim"
    text = f"void f() {{{{ auto kv_cache = Made{{{{ {sizes} }}}}; use(kv_cache, pages, head_dim, page_size); }}}}\n"
    assert [c.name for c in c_layouts(native(text.format("2")))]
    assert not list(c_layouts(native(text.format("-1"))))


def test_tokens_that_are_committed_are_no_communicator() -> None:
    def told(condition: str) -> list[str]:
        text = f'void f() {{ CHECK({condition}) << "no"; }}'
        system = join([read_c(CSource(Path("/w/desk.cc"), SourceText(text.encode()), False))])
        return [c.condition for c in of_ranks(system)]

    assert told("tp_comm.size() == shards") == ["tp_comm.size() == shards"]
    assert not told("committed_tokens.size() == shards")
