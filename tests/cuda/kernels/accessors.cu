#include <torch/extension.h>

// Accessors of tensors reach memory by strides that the launch passes.
template <typename scalar_t>
__global__ void scale(const torch::PackedTensorAccessor32<scalar_t, 2, torch::RestrictPtrTraits> x,
                      torch::PackedTensorAccessor32<scalar_t, 2, torch::RestrictPtrTraits> y, const float* weight) {
  const int n = blockIdx.y;
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c < x.size(1)) {
    y[n][c] = x[n][c] * weight[c];
  }
}

__device__ float last_of(torch::TensorAccessor<float, 1> row, int i) { return row[i]; }

__global__ void pairs(torch::PackedTensorAccessor64<float, 3> cost, at::PackedTensorAccessor32<int, 1> length) {
  const int pair = threadIdx.x;
  auto rows = cost[blockIdx.x];
  float best = 1e9f;
  for (int i = 0; i < length[blockIdx.x]; ++i) {
    best = min(best, rows[i][pair] + last_of(rows[i], pair));
  }
  float* whole = cost.data();
  whole[pair] = best;
  atomicAdd(&cost[blockIdx.x][0][pair], best);
}

void run(torch::Tensor x, torch::Tensor y, torch::Tensor w, torch::Tensor cost, torch::Tensor length) {
  scale<float><<<dim3(x.size(1) / 256, x.size(0)), 256>>>(
      x.packed_accessor32<float, 2, torch::RestrictPtrTraits>(),
      y.packed_accessor32<float, 2, torch::RestrictPtrTraits>(), w.data_ptr<float>());
  pairs<<<cost.size(0), 32>>>(cost.packed_accessor64<float, 3>(), length.packed_accessor32<int, 1>());
}
