// HIP for AMD's GPUs: what NVIDIA's limits, sectors and banks say is no finding there.
#include <hip/hip_runtime.h>

__global__ void large_tile(float *x) {
  __shared__ float tile[14000];
  tile[2 * threadIdx.x] = x[4 * threadIdx.x];
  x[threadIdx.x] = __builtin_amdgcn_exp2f(tile[threadIdx.x]);
}

void run(float *x, int n) { hipLaunchKernelGGL(large_tile, dim3(n), dim3(256), 60000, 0, x); }
