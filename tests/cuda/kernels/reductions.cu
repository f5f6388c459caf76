// Sums of rows: shared memory of a device function, shuffles, cooperative groups, atomics, sizes given at the launch.
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

#define WARP_SIZE 32
#define FULL 0xffffffff

template <typename T> __device__ T warp_sum(T value) {
  for (int offset = WARP_SIZE / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(FULL, value, offset);
  return value;
}

template <typename T> __device__ T block_sum(T value) {
  __shared__ T partial[WARP_SIZE];
  int warp = threadIdx.x / WARP_SIZE, lane = threadIdx.x % WARP_SIZE;
  value = warp_sum(value);
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  value = lane < blockDim.x / WARP_SIZE ? partial[lane] : T(0);
  return warp_sum(value);
}

template <typename T> __global__ void row_sums(const T *in, T *out, int columns) {
  T sum = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += in[blockIdx.x * columns + i];
  sum = block_sum<T>(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

__global__ void total(const float4 *in, float *out, int n) {
  extern __shared__ float scratch[];
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<32> tile = cg::tiled_partition<32>(block);
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i].x;  //! uncoalesced "16 bytes apart"
  sum += tile.shfl_down(sum, 1);
  scratch[threadIdx.x] = sum;
  block.sync();
  if (threadIdx.x == 0) atomicAdd(out, scratch[0]);
}

void run(const void *in, void *out, int rows, int columns, bool wide) {
  const int threads = 256;
  if (wide) {
    row_sums<double><<<rows, threads>>>((const double *)in, (double *)out, columns);
  } else {
    row_sums<float><<<rows, threads>>>((const float *)in, (float *)out, columns);
  }
  total<<<min(rows, 1024), threads, threads * sizeof(float)>>>((const float4 *)in, (float *)out, rows * columns / 4);
}

// Counts in shared memory behind a pointer; what separates them is a number that the launch passes.
__global__ void counts(int *totals, int stride) {
  __shared__ int own[32 * 33];
  int *mine = own + threadIdx.x * stride;
  mine[0] = 0;
  int old = atomicAdd(mine + 1, 1);
  if (old == 0) atomicAdd(&totals[threadIdx.x], 1);
}
void count(int *totals) { counts<<<1, 32>>>(totals, 32); }
