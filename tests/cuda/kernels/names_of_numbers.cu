// Helpers that are meant: one type under several names, and those that this compiler takes.
#include <cstdint>

__device__ uint32_t read_u4(const uint32_t *words, uint32_t index) { return (*words >> (index * 4u)) & 0xfu; }

template <typename T>
__device__ T exchanged(const T value, int mask) { return __shfl_xor_sync(0xffffffff, value, mask); }
#ifdef USE_AN_OLD_COMPILER
__device__ float exchanged(float value, int mask) { return __shfl_xor(value, mask); }
#endif

__global__ void unpacked(float *out, const unsigned *packed, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = (float)read_u4(packed + i / 8, i % 8);
}

__global__ void summed(float *out, const float *in) {
    float value = in[threadIdx.x];
    out[threadIdx.x] = value + exchanged(value, 1);
}

// All threads take part in asking; what depends on the answer is a branch.
__global__ void until_all_are_done(float *x, int n) {
    for (int i = 0; i < n; ++i) {
        bool done = x[i * blockDim.x + threadIdx.x] > 1;
        if (__syncthreads_count(done) >= blockDim.x) break;
        if (n > 3) __syncthreads();
    }
}

void launch(float *out, const float *in, const unsigned *packed, int n) {
    unpacked<<<(n + 255) / 256, 256>>>(out, packed, n);
    summed<<<1, 256>>>(out, in);
    until_all_are_done<<<1, 256>>>(out, n);
}
