// Tiled matrix transpose through shared memory; the padding column keeps the column reads free of bank conflicts.
#include <torch/all.h>

constexpr int TILE = 32;
constexpr int ROWS = 8;

__global__ void transpose_kernel(float* out, const float* in, int width, int height) {
  __shared__ float tile[TILE][TILE + 1];

  int x = blockIdx.x * TILE + threadIdx.x;
  int y = blockIdx.y * TILE + threadIdx.y;
  for (int j = 0; j < TILE; j += ROWS) {
    if (x < width && y + j < height) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];
  }
  __syncthreads();

  x = blockIdx.y * TILE + threadIdx.x;
  y = blockIdx.x * TILE + threadIdx.y;
  for (int j = 0; j < TILE; j += ROWS) {
    if (x < height && y + j < width) out[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];
  }
}

void transpose(torch::Tensor& out, const torch::Tensor& in) {
  const int width = in.size(1), height = in.size(0);
  dim3 block(TILE, ROWS);
  dim3 grid((width + TILE - 1) / TILE, (height + TILE - 1) / TILE);
  transpose_kernel<<<grid, block>>>(out.data_ptr<float>(), in.data_ptr<float>(), width, height);
}
