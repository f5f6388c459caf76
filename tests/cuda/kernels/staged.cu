// Copies that run ahead of the work: how far is read off what a round waits for, wherever the wait, the copy and the
// work stand in it. Where it does not follow, there is no picture.
__device__ __forceinline__ void copy16(void* to, const void* from) {
    unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(address), "l"(from));
}
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;\n" ::); }
template <int N>
__device__ __forceinline__ void wait() { asm volatile("cp.async.wait_group %0;\n" ::"n"(N)); }

__device__ float work(const float4* tile) {
    float sum = 0.0f;
    for (int i = 0; i < 32; ++i) {
        const float4 each = tile[(threadIdx.x + i) % 32];
        sum += each.x * each.y + each.z * each.w;
        sum = fmaxf(sum, each.x + each.y + each.z + each.w) * 0.5f + each.x * 0.25f + each.y * 0.125f;
    }
    return sum;
}

// Waits, copies, works: the copies of this round are in flight besides those that the wait leaves.
template <int STAGES>
__global__ void waits_first(const float4* in, float* out, int tiles) {
    __shared__ float4 ring[STAGES][32];
    for (int t = 0; t < STAGES - 1; ++t) { copy16(&ring[t][threadIdx.x], in + t * 32 + threadIdx.x); commit(); }
    float sum = 0.0f;
    for (int t = 0; t < tiles; ++t) {
        wait<STAGES - 2>();
        __syncthreads();
        if (t + STAGES - 1 < tiles) copy16(&ring[(t + STAGES - 1) % STAGES][threadIdx.x], in + (t + STAGES - 1) * 32 + threadIdx.x);
        commit();
        sum += work(ring[t % STAGES]);
    }
    out[threadIdx.x] = sum;
}

// Copies, waits, works: only what the wait leaves is in flight; two halves by the parity of the round, in a lambda.
__global__ void copies_first(const float4* in, float* out, int tiles) {
    __shared__ float4 ring[2][32];
    auto fetch = [&](int t) {
        if (t < tiles) copy16(&ring[t & 1][threadIdx.x], in + t * 32 + threadIdx.x);
        commit();
    };
    fetch(0);
    float sum = 0.0f;
    for (int t = 0; t < tiles; ++t) {
        fetch(t + 1);
        wait<1>();
        __syncthreads();
        sum += work(ring[t & 1]);
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

// Copies, works, waits for the next: as far ahead as where it waits first.
__global__ void waits_last(const float4* in, float* out, int tiles) {
    __shared__ float4 ring[4][32];
    int slot = 0;
    for (int t = 0; t < 3; ++t) { copy16(&ring[t][threadIdx.x], in + t * 32 + threadIdx.x); commit(); }
    wait<2>();
    __syncthreads();
    float sum = 0.0f;
    for (int t = 0; t < tiles; ++t) {
        copy16(&ring[(slot + 3) % 4][threadIdx.x], in + (t + 3) * 32 + threadIdx.x);
        commit();
        sum += work(ring[slot]);
        slot = slot == 4 - 1 ? 0 : slot + 1;
        wait<2>();
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

// Nothing is in flight while it works.
__global__ void in_turn(const float4* in, float* out, int tiles) {
    __shared__ float4 tile[32];
    float sum = 0.0f;
    for (int t = 0; t < tiles; ++t) {
        copy16(&tile[threadIdx.x], in + t * 32 + threadIdx.x);
        commit();
        wait<0>();
        __syncthreads();
        sum += work(tile);
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

// Copies begin in some of the rounds only: how far ahead they are is not told.
__global__ void now_and_then(const float4* in, float* out, int tiles) {
    __shared__ float4 ring[4][32];
    float sum = 0.0f;
    for (int t = 0; t < tiles; ++t) {
        if (t % 2 == 0) { copy16(&ring[t % 4][threadIdx.x], in + t * 32 + threadIdx.x); commit(); wait<1>(); }
        __syncthreads();
        sum += work(ring[t % 4]);
    }
    out[threadIdx.x] = sum;
}

void run(const float4* in, float* out, int tiles) {
    waits_first<4><<<1, 32>>>(in, out, tiles);
    copies_first<<<1, 32>>>(in, out, tiles);
    waits_last<<<1, 32>>>(in, out, tiles);
    in_turn<<<1, 32>>>(in, out, tiles);
    now_and_then<<<1, 32>>>(in, out, tiles);
}

// Macros of one's own around the instructions, with a parameter whose name is in their strings; the sizes are operands.
// Copies begin before a round works, although they are only put into a group behind it.
#define FETCH(dst, src, bytes) \
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;\n" ::"r"(dst), "l"(src), "n"(bytes))
#define COMMIT() asm volatile("cp.async.commit_group;\n" ::)
#define WAIT(n) asm volatile("cp.async.wait_group %0;\n" ::"n"((n)))

__global__ void by_macros(const float* in, float* out, int tiles) {
    __shared__ float halves[2][64];
    unsigned at = __cvta_generic_to_shared(&halves[0][threadIdx.x * 2]);
    FETCH(at, in + threadIdx.x * 2, 8);
    COMMIT();
    WAIT(0);
    __syncthreads();
    float sum = 0.0f;
    for (int t = 1; t < tiles; ++t) {
        int own = (t - 1) & 1, next = t & 1;
        unsigned to = __cvta_generic_to_shared(&halves[next][threadIdx.x * 2]);
        FETCH(to, in + t * 64 + threadIdx.x * 2, 8);
        for (int i = 0; i < 64; ++i) sum += halves[own][i] * out[i];
        COMMIT();
        WAIT(0);
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

void by_macros_launched(const float* in, float* out, int tiles) { by_macros<<<1, 32>>>(in, out, tiles); }
