"""Layers, precision, sharding, synchronisation and C programs: what their structure says, under names of nobody."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from kernelscope.serving.c_algorithms import algorithms, recomputed
from kernelscope.serving.c_caches import c_caches
from kernelscope.serving.c_constants import c_constants
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.c_graphs import c_graphs
from kernelscope.serving.c_settings import c_settings, c_tables
from kernelscope.serving.c_structures import c_structures
from kernelscope.serving.c_waits import c_syncs
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.execution import launches
from kernelscope.serving.layers import fused_residuals, orders
from kernelscope.serving.lengths import lengths
from kernelscope.serving.numbering import c_numberings, numbering_claims, numberings
from kernelscope.serving.precision import precisions
from kernelscope.serving.reading import Reading, read_python
from kernelscope.serving.sharding import shares
from kernelscope.serving.system import join
from kernelscope.serving.waits import syncs
from kernelscope.serving.weights import shared_weights
from kernelscope.serving.work import dealing, intersections, tile_counts
from kernelscope.serving.wrapping import wrapping
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def c_source(text: str) -> CSource:
    return CSource(Path("/w/a.cu"), SourceText(textwrap.dedent(text).encode()))


def test_norms_before_sub_layers_and_rope_before_the_cache(source: Source) -> None:
    file = source(
        """
        class Block:
            def forward(self, x, past):
                h = self.in_norm(x)
                h = self.attention(h, past)
                x = x + h
                h = self.out_norm(x)
                return x + self.mlp(h)

        class Mixer:
            def forward(self, x, past):
                q, k = self.project(x)
                q, k = apply_rotary(q, k, self.table)
                if past is not None:
                    k = past.update(k)
                return attend_kernel(q, k)
        """
    )
    said = " ".join(claim.value for _, claim in orders(file))
    assert "Block.forward is pre-norm" in said
    assert "is applied before the KV cache update past.update (if past is not None)" in said


def test_an_order_without_norms_says_nothing_of_them(source: Source) -> None:
    file = source(
        """
        class Block:
            def forward(self, x):
                x = self.attention(x)
                x = self.mlp(x)
                return self.head(x)
        """
    )
    assert not [claim for _, claim in orders(file) if "norm" in claim.value]


def test_paths_and_files_are_no_steps(source: Source) -> None:
    file = source(
        """
        from os import path

        def build(root):
            folder = path.join(root, "a")
            name = path.join(folder, "b")
            made = path.abspath(name)
            return path.exists(made)
        """
    )
    assert not list(orders(file))


def test_statistics_in_float32_and_the_cast_back(source: Source) -> None:
    file = source(
        """
        def scale(self, x):
            kind = x.dtype
            x = x.float()
            v = x.pow(2).mean(-1, keepdim=True)
            x = x * torch.rsqrt(v + self.eps)
            return self.weight * x.to(kind.dtype)

        def double(self, x):
            return x.float() * 2

        def head(self, x):
            gate = self.scale.to(x.dtype) * torch.mean(x, -1)
            logits = self.out(x * gate).float()
            return torch.tanh(logits)

        def both(x, residual, w):
            x = x + residual
            y = rms_norm(x, w)
            return y, x
        """
    )
    (found,) = precisions(file)
    assert "computes in float32 (x.float())" in found.value
    assert "before the product with the weight" in found.value
    (fused,) = fused_residuals(file)
    assert "fuses the residual add (x + residual)" in fused.value


def test_sharding_follows_sizes_and_collectives_across_files(source: Source) -> None:
    layers = read_python(
        source(
            """
            import torch.distributed as dist

            class Base(Module):
                def __init__(self, wide, tall): ...

            class Tall(Base):
                def __init__(self, input_size, output_size, ranks):
                    super().__init__(input_size // ranks, output_size)

                def forward(self, x):
                    y = linear(x, self.w)
                    if self.ranks > 1:
                        dist.all_reduce(y)
                    return y

            class Wide(Base):
                def __init__(self, input_size, output_size, ranks):
                    super().__init__(input_size, output_size // ranks)

            class Plain(Base):
                def __init__(self, input_size, output_size):
                    super().__init__(input_size // 2, output_size)
            """
        )
    )
    model = read_python(
        source(
            """
            class Net:
                def __init__(self):
                    self.up = Wide(1, 2)
                    self.down = Tall(2, 1)
                    self.side = Plain(2, 1)
            """
        )
    )
    found = {layer.name: layer for layer in join([layers, model]).layers}
    assert {name: layer.style for name, layer in found.items()} == {"Tall": "row", "Wide": "column"}
    assert [part.attribute for part in found["Tall"].parts] == ["down"]
    assert found["Tall"].joined is not None
    assert found["Tall"].joined.condition == "self.ranks > 1"


def test_files_that_many_import_come_first() -> None:
    hub = Reading(Path("/w/pack/hub.py"), False, 1)
    rim = [Reading(Path(f"/w/pack/rim{i}.py"), False, 1, (), ("pack.hub",)) for i in range(9)]
    system = join([hub, *rim])
    assert system.weight(hub.path) > system.weight(rim[0].path)


def test_waits_signals_and_generated_fetches(source: Source) -> None:
    file = source(
        '''
        def hold(board, n):
            for i in range(n):
                while ld(board + i, semantic="acquire") != 1:
                    pass
            __syncthreads()

        def done(board, tile):
            __syncthreads()
            if tid(0) == 0:
                st(board + tile, 1, "gpu", "release")

        def source_of(late):
            return f"""
            at = tl.atomic_add(next_free, 1)
            {"x" if late else "y"}
            """
        '''
    )
    said = [(s.role, s.text) for s in syncs(file)]
    assert [role for role, _ in said] == ["wait", "signal", "fetch"]
    assert not list(syncs(source("def warm_up(file):\n    while file.read(100):\n        pass\n")))
    (device,) = syncs(source("def stop():\n    torch.cuda.synchronize()\n"))
    assert device.text.endswith("the host waits until the device is done")
    assert "with acquire order" in said[0][1]
    assert "single thread (tid(0) == 0), after __syncthreads()" in said[1][1]
    assert "atomic_add(next_free, 1)" in said[2][1] and "(if late)" in said[2][1]


def test_launches_with_their_grids(source: Source) -> None:
    file = source(
        """
        @triton.jit
        def add_kernel(x, n): ...

        @functools.cache
        def table(n): ...

        def add(x):
            n, d = x.shape
            blocks = cdiv(n, 64)
            add_kernel[(blocks,)](x, n)
            table[0](n)
        """
    )
    (found,) = launches(file)
    assert (
        found.value
        == "add launches the kernel add_kernel (@triton.jit) with grid (blocks,), where blocks = cdiv(n, 64)"
    )


def test_dealing_tiles_and_intersections(source: Source) -> None:
    file = source(
        """
        def deal(n, jobs):
            rows = [[] for _ in range(n)]
            for i, job in enumerate(jobs):
                rows[i % n].append(job)
            return rows

        def tiles(batch, heads, rows, SIZE):
            num_tiles = batch * heads * cdiv(rows, SIZE)
            return num_tiles

        def needs(self, other):
            if self.need.whole:
                return True
            return slices_intersect(self.need, other.made)
        """
    )
    assert [c.value.split(": task")[0] for c in dealing(file)] == ["deal deals tasks round robin"]
    assert [c.value.split(" (")[0] for c in tile_counts(file)] == [
        "tiles: number of tiles num_tiles = batch * heads * cdiv(rows, SIZE)"
    ]
    (found,) = intersections(file)
    assert "whole output if self.need.whole" in found.value


def test_kinds_of_work_are_numbered_by_their_classes(source: Source) -> None:
    def kinds(*numbers: int) -> str:
        return "".join(f"class K{i}:\n    def code(self):\n        return {n}\n" for i, n in enumerate(numbers))

    assert [n.text for n in numberings(source(kinds(3, 1, 2)))] == ["1 = K1, 2 = K2, 3 = K0"]
    assert not list(numberings(source(kinds(1, 1, 1))))


def test_numbers_of_python_and_cuda_are_compared(source: Source) -> None:
    names = ["Load", "Fold", "Send", "Rest"]
    python = "".join(f"class {k}:\n    def code(self):\n        return {n}\n" for n, k in enumerate(names))
    native = c_source("#define OP_Load 0\n#define OP_Fold 1\n#define OP_Send 3\n#define OP_Sleep 2\n")
    numbers = c_numberings(c_constants(native))
    said = [claim.value for claim in numbering_claims(list(numberings(source(python))), list(numbers))]
    assert (
        "same numbers in Python (code()) and CUDA (constants OP_…): Load = 0, Fold = 1; they differ for Send is 2"
        in said[-1]
    )


def test_models_are_sharded_or_copied_by_the_frameworks_wrappers(source: Source) -> None:
    file = source(
        """
        from torch.distributed.fsdp import fully_shard as spread
        from torch.nn.parallel import DistributedDataParallel

        def wrap(model, mesh, several):
            if several:
                for block in model.blocks:
                    spread(block, mesh=mesh)
                spread(model.head, mesh=mesh, reshard_after_forward=False)

        def copy(model):
            return DistributedDataParallel(model)

        def spread_out(model, devices):
            from torch.nn.parallel import replicate
            return replicate(model, devices)

        def wrap_some(model, mesh, several):
            if several:
                spread(model.body, mesh=mesh)
            spread(model, mesh=mesh)

        def own(model):
            return FSDP(model)
        """
    )
    sharded, copied, partly = wrapping(file)
    assert partly.condition == "", "the last call is not under the test"
    assert sharded.value.startswith("wrap wraps block, model.head by spread: fully sharded data parallel")
    assert sharded.value.endswith("model.head stay gathered after the forward pass; over the mesh mesh")
    assert sharded.condition == "several"
    assert copied.value.startswith("copy wraps model by DistributedDataParallel: data parallel (DDP)")


def test_graphs_of_cpp_are_captured_and_launched() -> None:
    text = """
    void Desk::record(cudaStream_t s) { cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed); work(s); }
    void Desk::again(cudaStream_t s) { cudaGraphLaunch(made, s); graphs[n]->destroy(); }
    void Desk::other() { graph_->replay(); film->replay(); }
    """
    assert [claim.value for claim in c_graphs(c_source(text))] == [
        "CUDA graph captured in Desk::record: cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed)",
        "Desk::again replays the CUDA graph with cudaGraphLaunch(made, s)",
        "Desk::other replays the CUDA graph with graph_->replay()",
    ]


def test_a_loop_that_goes_on_by_itself_waits_for_nobody() -> None:
    compared = "int same(const char *q, const char *s) { int a = 0, b = 0; while (q[a++] == s[b++]); return a; }"
    assert not list(c_syncs(c_source(compared)))
    assert not list(c_syncs(c_source("int size(const char *q) { while (*q++); return 0; }")))
    assert len(list(c_syncs(c_source("void hold(volatile int *q) { while (*q == 0); }")))) == 1


def test_marks_and_events_of_others_are_no_synchronisation(source: Source) -> None:
    assert not list(syncs(source("def f(item):\n    item.add_mark(skip(reason='need the release option'))\n")))
    assert not list(syncs(source("def f(letter, now):\n    letter.record_event(Kind.SENT, now)\n")))
    (stored,) = syncs(source("def f(at):\n    store_flag(at, 1, sem='release')\n"))
    assert stored.role == "signal"
    (recorded,) = syncs(source("def f(s, e):\n    s.record_event(e)\n"))
    assert recorded.kind == "stream_event"


def test_what_looks_like_weights_lengths_and_layers_but_is_none(source: Source) -> None:
    wrapper = "class A:\n    def __init__(self, inner):\n        self.weight = inner.weight\n"
    assert not list(shared_weights(source(wrapper)))
    tied = "class A:\n    def __init__(self):\n        self.head.weight = self.table.weight\n"
    assert len(list(shared_weights(source(tied)))) == 1
    assert not list(lengths(source("def f(w):\n    return Packed(w, padding=True)\n")))
    assert not list(precisions(source("def f():\n    return dict(acc_dtype=torch.float32)\n")))
    (dealt,) = shares(source("def f(self, tp_size):\n    n = (self.num_layers + 1) // tp_size\n"))
    assert "layers are dealt out to ranks" in dealt.value
    assert not list(shares(source("def f(self, tp_size):\n    n = self.num_layers * self.bytes // tp_size\n")))
    assert not list(syncs(source("def f(self):\n    self.handler = SignalHandler(self)\n")))
    (core,) = algorithms(c_source("__device__ void f() { kittens::warp::mma_ABt(a, b, c, a); }"))
    assert "uses tensor cores: warp::mma_ABt" in core[1].value


def test_what_nothing_is_added_to_accumulates_nothing(source: Source) -> None:
    scale = "def f(x):\n    s = torch.full([1], 2.0, dtype=torch.float32)\n    return x * s\n"
    assert not list(precisions(source(scale)))
    spread = scale.replace("return", "s = s.expand(len(x))\n    return")
    assert not list(precisions(source(spread)))
    (claim,) = precisions(source("def f(x):\n    s = tl.zeros([4], dtype=tl.float32)\n    s += x\n    return s\n"))
    assert claim.value == "f: tl.zeros accumulates in float32 (fp32): dtype=tl.float32"
    (turned,) = precisions(source("def f(x):\n    s = zeros([4], dtype=float32)\n    s = dot(x, x, s)\n    return s\n"))
    assert "accumulates" in turned.value


def test_spin_loops_of_cuda_with_braces_in_the_index() -> None:
    source = c_source(
        """
        __device__ void hold(Globals g, int layer) {
            while (*(volatile int *)&g.done[{layer, 3}] < 4) {
                __nanosleep(20);
            }
            while (layer < 4) {
                layer++;
            }
            while (clock64() - start < 1000) {
            }
        }
        """
    )
    (found,) = c_syncs(source)
    assert (
        found.text == "hold waits by spinning: while (*(volatile int *)&g.done[{layer, 3}] < 4): until the counter is 4"
    )


def test_grids_that_meet() -> None:
    source = c_source(
        """
        __device__ void meet(unsigned int* gate) {
            unsigned int seen;
            do {
                asm volatile("ld.acquire.gpu.u32 %0,[%1];" : "=r"(seen) : "l"(gate) : "memory");
            } while (seen == 0);
        }

        __global__ void all(float* x) {
            auto grid = cooperative_groups::this_grid();
            grid.sync();
            block.sync();
        }
        """
    )
    spin, grid = c_syncs(source)
    assert spin.text.startswith("meet waits by spinning: do asm volatile") and spin.text.endswith("while (seen == 0)")
    assert grid.text == "all: all blocks of the grid wait for each other (grid.sync()): a cooperative launch"


def test_caches_of_c_programs() -> None:
    source = c_source(
        """
        void prepare(State* s, Config* c) {
            s->key_cache = calloc((size_t)c->layers * c->seq_len * width, sizeof(float));
            cudaMalloc((void**)&s->value_cache, c->num_blocks * c->block_bytes);
            s->l2_cache = malloc(10);
            s->kv_cache = malloc(all_bytes);
            int kv_pos = sinks + (pos - sinks) % (c->seq_len - sinks);
            int lane_pos = pos % 32;
            int place_pos = pos % PAGE_SIZE;
            int kv_pos_of_pair = pair % c_len;
            int row = pair / c_len;
        }
        """
    )
    key, untold, value, ring = c_caches(source)
    assert untold.value == "s->kv_cache is allocated with malloc(all_bytes)"
    assert key.value.endswith("* width, sizeof(float)): contiguous, not paged")
    assert value.value.endswith("c->num_blocks * c->block_bytes bytes: paged (in blocks)")
    assert ring.value.startswith("rotating buffer (ring): kv_pos = sinks + (pos - sinks) %")


def test_structures_of_settings() -> None:
    source = c_source(
        """
        struct ModelConfig {
            int width;      // of a letter
            float eps = 1e-5f; /* of norms */
            int area() const { int side; return width * width; }
        };
        typedef struct { int heads; } RunOptions;
        struct KernelArgs { int rows; };
        """
    )
    assert [(p.owner, p.name, p.value, p.doc) for p in c_structures(source)] == [
        ("ModelConfig", "width", None, "of a letter"),
        ("ModelConfig", "eps", 1e-5, "of norms"),
        ("RunOptions", "heads", None, ""),
    ]


def test_counters_and_queues_of_a_persistent_kernel() -> None:
    source = c_source(
        """
        __device__ void work(Plan plan) {
            int const mine = blockIdx.x;
            ids = plan.work_queues[mine];
            size_t wanted = plan.triggers[e] * round;
            while (seen < wanted) {
                seen = ld_acquire(&plan.event_counters[e]);
                __nanosleep(10);
            }
            task = ld_relaxed(&plan.work_queues[mine][at % plan.length]);
            size_t old = atom_add_release(&plan.event_counters[done], 1);
            if (old + 1 == needed) { at++; }
            st_relaxed(&plan.work_queues[next][last % plan.length], task);
            next = (next == most - 1) ? first : next + 1;
        }
        """
    )
    assert [(s.kind, s.role, s.text) for s in c_syncs(source)] == [
        ("scoreboard", "wait", "work waits by spinning: while (seen < wanted), where seen = ld_acquire("
         "&plan.event_counters[e]): until the counter is wanted, which is plan.triggers[e] * round"),
        ("queue", "fetch", "work takes work from the queue plan.work_queues, a ring of plan.length entries: "
         "ld_relaxed(&plan.work_queues[mine][at % plan.length])"),
        ("event_counter", "signal", "work signals by atom_add_release(&plan.event_counters[done], 1): the counter in "
         "plan.event_counters is raised; whoever sees old + 1 == needed goes on"),
        ("queue", "fetch", "work puts work into the queue plan.work_queues, a ring of plan.length entries: "
         "st_relaxed(&plan.work_queues[next][last % plan.length], task); the queues take turns (round robin): "
         "next = (next == most - 1) ? first : next + 1"),
        ("queue", "fetch", "work works through a queue of its own: plan.work_queues[mine], where mine is blockIdx.x"),
    ]  # fmt: skip


def test_settings_of_c_by_condition_and_option() -> None:
    source = c_source(
        """
        void fill(Sizes* s, int width) {
            if (width == 10) { deep = 6; head = 64; }
            else if (width == 20) { deep = 12; head = 128; }
            s->length = 2048; // not 1024
            if (width > 5) { s->flag = true; }
        }
        int main(int argc, char** argv) {
            int again = 1;
            for (int i = 1; i < argc; i += 2) {
                if (argv[i][1] == 'r') { again = atoi(argv[i+1]); }
            }
        }
        """
    )
    found = {p.name: (p.value, p.owner, p.doc) for p in c_settings(source)}
    assert found["length"] == (2048, "fill (s->length)", "")
    assert found["flag"] == (True, "fill (s->flag) if width > 5", "")
    assert found["again"] == (1, "main", "set by the option -r")
    (table,) = c_tables(source)
    assert table.value == "width 10: deep = 6, head = 64; width 20: deep = 12, head = 128"


ONLINE = """
__global__ void rows(float* out, const float* in, int N, int T) {
    int at = blockIdx.x;
    int own = at % T;
    float top = -1e30f, total = 0.f, maxval = top, sum = total;
    for (int i = 0; i <= own; ++i) {
        float before = maxval;
        maxval = fmaxf(maxval, in[i]);
        sum *= expf(before - maxval);
        sum += expf(in[i] - maxval);
    }
    out[at] = sum;
}
"""
TWO_PASSES = ONLINE.replace("sum *= expf(before - maxval);", "")


def test_online_softmax_needs_the_rescaled_sum() -> None:
    said = " ".join(claim.value for _, claim in algorithms(c_source(ONLINE)))
    assert "online softmax" in said and "causal" in said
    assert not [claim for _, claim in algorithms(c_source(TWO_PASSES)) if "online" in claim.value]


def test_attention_that_writes_its_scores_and_recomputation() -> None:
    source = c_source(
        """
        void attend(float* out, float* q, float* k, float* v, float* w, int T, int D) {
            my_matmul(w, q, k, T, T, D, T * T);
            row_softmax_kernel<<<T, 32>>>(w, T);
            my_matmul(out, w, v, D, T, T, T * D);
        }
        void net_backward(Net* n) {
            if (n->again >= 1) {
                act_forward(n->kept, n->given, 10);
            }
            act_backward(n->kept);
        }
        """
    )
    said = " ".join(claim.value for _, claim in algorithms(source))
    assert "attention is materialised: the full T * T score matrix `w`" in said
    (again,) = recomputed(source)
    assert "act_forward is computed again (recomputed)" in again.value
    assert "when n->again >= 1" in again.value


def test_calls_of_one_line_run_from_left_to_right_and_inside_out(source: Source) -> None:
    text = """
        class Layer:
            def forward(self, x, angles):
                q, k, v = self.wq(x), self.wk(x), self.wv(x)
                q, k = rope(q, k, angles)
                return self.wo(self.attend(q, k, v))
    """
    (order,) = (claim for _, claim in orders(source(text)) if claim.name == "Layer.forward order")
    assert order.value.endswith("wq → wk → wv → rope → attend → wo")
