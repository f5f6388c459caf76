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
