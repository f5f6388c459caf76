// HIP for AMD's GPUs: what NVIDIA's limits, sectors and banks say is no finding there.
#include <hip/hip_runtime.h>

__global__ void large_tile(float *x) {
  __shared__ float tile[14000];
  tile[2 * threadIdx.x] = x[4 * threadIdx.x];
  x[threadIdx.x] = __builtin_amdgcn_exp2f(tile[threadIdx.x]);
}

void run(float *x, int n) { hipLaunchKernelGGL(large_tile, dim3(n), dim3(256), 60000, 0, x); }

// Indices and dynamic shared memory as HIP once called them.
__global__ void shifted(const float *x, float *y, int n) {
  HIP_DYNAMIC_SHARED(float, row)
  int i = hipBlockIdx_x * hipBlockDim_x + hipThreadIdx_x;
  row[hipThreadIdx_x] = x[i];
  __syncthreads();
  y[i] = row[hipBlockDim_x - 1 - hipThreadIdx_x];
}
void shift(const float *x, float *y, int n) { hipLaunchKernelGGL(shifted, dim3(n), dim3(64), 256, 0, x, y, n); }

// A warp has 32 lanes or 64: what is divided by its size is not divided by a number.
__global__ void by_warps(const float *x, float *y) {
  int warp = threadIdx.x / warpSize, lane = threadIdx.x % warpSize;
  if (lane == 0) y[warp] = x[threadIdx.x];
}
void warps(const float *x, float *y, int n) { hipLaunchKernelGGL(by_warps, dim3(n), dim3(256), 0, 0, x, y); }

// Vectors that an attribute makes, members of types that a function defines for itself, and no loads at all.
template <typename T, int CHUNK> __global__ void held_in_vectors(T *x) {
  using Wide = __attribute__((__vector_size__((CHUNK / 2) * sizeof(float)))) float;
  typedef float Four __attribute__((ext_vector_type(4)));
  union Either {
    T halves[CHUNK];
    float floats[CHUNK / 2];
  };
  Wide sums[4];
  Four more[2];
  Either both[2];
  x[threadIdx.x] = 0;
}
