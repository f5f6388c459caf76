// A width that a switch chooses for the size of a type: with a type that is not known neither is certain.
#define WITH_WIDTH(n, ...)                                             \
  if (n == 16) { constexpr int width = 16; __VA_ARGS__; }             \
  else { constexpr int width = 4; __VA_ARGS__; }

template <typename T, int N> __global__ void sums_of_pieces(const T *in, float *out) {
  float sum = 0;
  for (int i = 0; i < N; ++i) sum += float(in[threadIdx.x * N + i]);
  out[threadIdx.x] = sum;
}
template <typename T> void pieces(const T *in, float *out) {
  WITH_WIDTH(64 / sizeof(T), sums_of_pieces<T, width><<<1, 128>>>(in, out))
}

// A kernel that a function picks, and a macro for a compiler that is not nvcc.
#ifdef OTHER_COMPILER
#define __shfl_xor_sync(mask, value, lanes) __shfl_xor(value, lanes)
#endif

template <int Rows> __global__ void row_sums(const float *in, float *out) {
  float sum = in[blockIdx.x * 32 + threadIdx.x];
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0u, sum, lanes);
  if (threadIdx.x < Rows) out[blockIdx.x * Rows + threadIdx.x] = sum;
}
typedef void (*row_kernel)(const float *, float *);

row_kernel picked(int rows) {
  if (rows == 1) return row_sums<1>;
  if (rows == 2) return &row_sums<2>;
  return nullptr;
}
void sums(const float *in, float *out, int n) {
  row_kernel kernel = picked(n);
  kernel<<<n, 32>>>(in, out);
}

// A header that a build file would say where to look for.
#include "halves.cuh"

__global__ void halves(const float *in, float *out) {
  out[threadIdx.x] = half_of(in, threadIdx.x / kHalf);
}
void run_halves(const float *in, float *out) { halves<<<1, 2 * kHalf>>>(in, out); }

// Sizes that host code changes on the way, in one branch, perhaps, or in a loop.
__global__ void scaled(float *x) { x[threadIdx.x] *= 2; }
void run_scaled(float *x, int rows, bool packed, bool tall) {
  dim3 grid(rows), block(256);
  if (packed) {
    block.x /= 2;
    scaled<<<grid, block>>>(x);
  } else {
    scaled<<<grid, block>>>(x);
  }
  if (tall) grid.y = 2;
  scaled<<<grid, 64>>>(x);
  scaled<<<dim3(ceil(rows / 256.0), (int)std::ceil(float(rows) * 3 / (float)block.y), ceil(rows / 1.5)), 32>>>(x);
  dim3 halves(1024);
  while (rows > 1) {
    halves.x /= 2;
    scaled<<<1, halves>>>(x);
  }
}

// Pointers that lie in a struct are global memory too.
struct Packed {
  const float *in;
  float *out;
  int n;
};
__global__ void packed(Packed p) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < p.n) p.out[i] = p.in[i];
}
