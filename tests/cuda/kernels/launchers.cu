// Kernels that a launcher object is given by a macro: by way of variables that stand for them. Brackets may be apart.
#include "launchers.cuh"

template <typename T, bool kWide> __global__ void scaled(const T *in, T *out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i] * (kWide ? 2 : 1);
}

__global__ void cleared(float *out) { out[threadIdx.x] = 0; }

void run(const float *in, float *out, int n, bool wide) {
  const auto chosen = (wide ? scaled<float, true> : scaled<float, false>);
  LAUNCH(chosen, (n + 127) / 128, 128, 0, in, out, n);
  LAUNCH(cleared, 1, dim3(64), 0, out);
  cleared << <2, 128 >> 2 >> > (out + 64);
}

// A lambda that is given the kernel, once launching it and once handing it on.
template <int WAVES, bool FIRST> __global__ void passes(float *x, int n) { x[blockIdx.x * WAVES + threadIdx.x] = FIRST; }
template <typename K, typename... Args> void hand_on(K kernel, int rows, Args... args) { kernel<<<rows, 96>>>(args...); }
void run_passes(float *x, int n, bool first) {
  auto launch = [&](auto kernel, int waves) {
    dim3 const grid((n / 4) / waves);
    kernel<<<grid, 32 * waves>>>(x, n);
  };
  if (first) {
    launch(passes<2, true>, 2);
  } else {
    launch(passes<4, false>, 4);
  }
  auto other = [x, n](auto given) -> void { hand_on(given, n, x, n); };
  other(passes<3, true>);
}

// A kernel that one of three conditions chooses, of which the first ones compare.
template <int GROUP, bool CUT> __global__ void compacted(const float *x, int *y) { y[threadIdx.x] = x[threadIdx.x] > GROUP; }
void run_compacted(const float *x, int *y, int columns, int n) {
  const auto kernel = columns == 1 ? compacted<1, false> :
                      n % 8 != 0   ? compacted<8, true>
                                   : compacted<8, false>;
  hand_on(kernel, (n + columns - 1) / columns, x, y);
}

// A lambda that is called where it stands returns the kernel.
template <int N> __global__ void by_twos(float *x) { x[threadIdx.x + 8 * N] = 0; }
template <int N> __global__ void by_fours(float *x) { x[threadIdx.x + 16 * N] = 0; }
template <int N, int STEP> void run_chosen_by_a_lambda(float *x, int rows) {
  auto kernel = []() {
    if constexpr (STEP == 2) {
      return &by_twos<N>;
    } else {
      return &by_fours<N>;
    }
  }();
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(rows, STEP);
  config.blockDim = dim3(64);
  cudaLaunchKernelEx(&config, kernel, x);
}

// A macro of a library that is not at hand stands for `__global__ void`: what is launched is a kernel.
template <typename T> LIB_KERNEL filled_by_a_library(T *x, T value) { x[blockIdx.x * blockDim.x + threadIdx.x] = value; }
LIB_EXPORT void fill(float *x, int n) { filled_by_a_library<float><<<n / 128, 128>>>(x, 1.0f); }
