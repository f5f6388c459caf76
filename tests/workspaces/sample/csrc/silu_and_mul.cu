// silu(gate) * up, fused: one block per token, neighbouring threads on neighbouring elements.
#include <cuda_fp16.h>
#include <torch/all.h>

constexpr int kThreads = 256;

__device__ __forceinline__ float silu(float x) { return x / (1.0f + __expf(-x)); }

template <typename scalar_t>
__global__ void __launch_bounds__(kThreads) silu_and_mul_kernel(scalar_t* __restrict__ out,
                                                               const scalar_t* __restrict__ x, int d) {
  const int token = blockIdx.x;
  for (int i = threadIdx.x; i < d; i += blockDim.x) {
    const float gate = static_cast<float>(x[token * 2 * d + i]);
    const float up = static_cast<float>(x[token * 2 * d + d + i]);
    out[token * d + i] = static_cast<scalar_t>(silu(gate) * up);
  }
}

void silu_and_mul(torch::Tensor& out, const torch::Tensor& x) {
  const int d = x.size(-1) / 2;
  const int num_tokens = x.numel() / x.size(-1);
  const dim3 grid(num_tokens);
  const dim3 block(kThreads);
  silu_and_mul_kernel<float><<<grid, block>>>(out.data_ptr<float>(), x.data_ptr<float>(), d);
}
