#pragma once

template <int ROWS>
__device__ void bring(const float *from, float *to, int pitch) {
  for (int row = 0; row < ROWS; row++) to[row * 32 + threadIdx.x] = from[row * pitch + threadIdx.x];
}
