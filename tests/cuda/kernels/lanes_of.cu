#include "lanes_of.cuh"

__global__ void rows_by_warp(const float *in, float *out, int width, int rows) {
  int warp = threadIdx.x / LANES;
  int lane = threadIdx.x % LANES;
  int left = rows - blockIdx.x * 4 >= 4 ? 4 : rows - blockIdx.x * 4;
  if (warp < left) out[(blockIdx.x * 4 + warp) * width + lane] = in[warp * width + lane];
}

void by_warp(const float *in, float *out, int width, int rows) { rows_by_warp<<<rows / 4, 128>>>(in, out, width, rows); }
