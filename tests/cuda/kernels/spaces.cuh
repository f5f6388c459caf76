// What `large` holds has the names of what spaces.cu has in `small`.
#pragma once
namespace large {
constexpr int kTile = 64;
enum Mode { kWide = 4 };
using Element = double;
struct Storage {
    double rows[kTile];
    int flags[4];
};
template <typename T>
struct Pack {
    T data[8];
    struct Half { T data[4]; };
};
__device__ inline int place(int i) { return 32 * i; }

__global__ void scale(const double* x, Element* out) {
    __shared__ Storage storage;
    __shared__ Element tile[kTile * kWide];
    storage.rows[threadIdx.x] = x[place(threadIdx.x)];
    tile[threadIdx.x] = 0;
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x] + storage.rows[threadIdx.x];
}
}  // namespace large
