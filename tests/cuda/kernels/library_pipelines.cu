#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda/pipeline>
namespace cg = cooperative_groups;

// Copies that each thread asks for are accesses of its own; a whole group's are shared out by the library.
__global__ void by_threads(const float* a, float* out, int width, int rounds) {
  __shared__ alignas(16) float tiles[2][16][64];
  auto pipe = cuda::make_pipeline();
  const auto shape = cuda::aligned_size_t<alignof(float4)>(sizeof(float4));
  float total = 0.0f;
  for (int round = 0; round < rounds; ++round) {
    pipe.producer_acquire();
    cuda::memcpy_async(&tiles[round % 2][threadIdx.y][threadIdx.x * 4],
                       &a[(blockIdx.x * 16 + threadIdx.y) * width + round * 64 + threadIdx.x * 4], shape, pipe);
    pipe.producer_commit();
    cuda::pipeline_consumer_wait_prior<1>(pipe);
    __syncthreads();
    total += tiles[round % 2][threadIdx.y][threadIdx.x];  //! bank-conflict
    pipe.consumer_release();
  }
  out[blockIdx.x * 256 + threadIdx.y * 16 + threadIdx.x] = total;
}

__global__ void by_block(const float* a, float* out) {
  __shared__ float tile[256];
  cg::thread_block block = cg::this_thread_block();
  cg::memcpy_async(block, tile, a + blockIdx.x * 256, sizeof(float) * 256);
  cg::wait(block);
  out[blockIdx.x * 256 + threadIdx.x] = tile[255 - threadIdx.x];
}

void run(const float* a, float* out, int width, int rounds) {
  by_threads<<<64, dim3(16, 16)>>>(a, out, width, rounds);
  by_block<<<64, 256>>>(a, out);
}

// A bulk copy by the functions of `cuda::ptx`, behind a helper that takes an address of no type.
__device__ void fetched(void* to, const void* from, uint32_t bytes, uint64_t* ready) {
  cuda::ptx::cp_async_bulk(cuda::ptx::space_shared, cuda::ptx::space_global, to, from, bytes, ready);
}
__global__ void by_bulk(const float* x, float* y) {
  __shared__ float tile[256];
  __shared__ uint64_t ready;
  if (threadIdx.x == 0) fetched(tile, x, 1024, &ready);
  while (!cuda::ptx::mbarrier_try_wait_parity(&ready, 0));
  y[threadIdx.x] = tile[threadIdx.x];
}
