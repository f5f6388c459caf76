// Reductions: loops that halve, one lane that stores, warps that write one value each, cooperative groups.
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

//@ block 256
__global__ void interleaved(const float *in, float *out) {
  extern __shared__ float sdata[];
  unsigned int tid = threadIdx.x, i = blockIdx.x * blockDim.x + threadIdx.x;
  sdata[tid] = in[i];  //: in load: coalesced (stride 1, 4 bytes/lane) | sdata store: conflict-free
  for (unsigned int s = 1; s < blockDim.x; s *= 2) {
    int index = 2 * s * tid;
    if (index < blockDim.x)
      sdata[index] += sdata[index + s];  //: sdata load: 8-way bank conflict at worst | sdata store: 8-way bank conflict at worst
    __syncthreads();
  }
  if (tid == 0)
    out[blockIdx.x] = sdata[0];  //: out store: uniform (one lane, 4 bytes) | sdata load: conflict-free (one lane)
}

//@ block 256
__global__ void every_other(float *data) {
  __shared__ float part[256];
  part[threadIdx.x] = data[threadIdx.x];  //: data load: coalesced (stride 1, 4 bytes/lane) | part store: conflict-free
  for (int s = 1; s < blockDim.x; s *= 2) {
    __syncthreads();
    if (threadIdx.x % (2 * s) == 0)  // sixteen lanes of a warp in the first round, one in the last
      part[threadIdx.x] += part[threadIdx.x + s];  //: part load: conflict-free | part store: conflict-free
  }
}

//@ block 256
__global__ void sequential(const float *in, float *out, int n) {
  __shared__ float sdata[256];
  int tid = threadIdx.x;
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + tid; i < n; i += gridDim.x * blockDim.x)
    sum += in[i];  //: in load: coalesced (stride 1, 4 bytes/lane)
  sdata[tid] = sum;  //: sdata store: conflict-free
  for (int s = blockDim.x / 2; s > 0; s >>= 1) {
    __syncthreads();
    if (tid < s)
      sdata[tid] += sdata[tid + s];  //: sdata load: conflict-free | sdata store: conflict-free
  }
  if (tid == 0) atomicAdd(out, sdata[0]);  //: out atomic: uniform (one lane, 4 bytes) | sdata load: conflict-free (one lane)
}

#define UNROLL _Pragma("unroll")
//@ block 256
__global__ void unrolled_by_macros(const float4 *in, float *out) {
  float sum = 0;
  UNROLL
  for (int k = 0; k < 4; ++k) sum += in[4 * threadIdx.x + k].x;  //: in load: uncoalesced (strided, 64 bytes stride, 12 % of sectors used)
  OTHER_UNROLL for (int k = 0; k < 4; ++k) {
    OTHER_UNROLL
    for (int j = 0; j < 2; ++j) sum += in[threadIdx.x + 256 * k].y;  //: in load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  }
  out[threadIdx.x] = sum;  //: out store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 256
__global__ void up_sweep(float *data) {
  __shared__ float part[512];
  int tid = threadIdx.x, distance = 1;
  part[tid] = data[tid];  //: data load: coalesced (stride 1, 4 bytes/lane) | part store: conflict-free
  for (int pairs = 256; pairs > 0; pairs >>= 1) {  // the distance doubles as the number of pairs is halved
    __syncthreads();
    if (tid < pairs)
      part[distance * (2 * tid + 2) - 1] += part[distance * (2 * tid + 1) - 1];  //: part load: 16-way bank conflict at worst | part store: 16-way bank conflict at worst
    distance *= 2;
  }
}

//@ block 256
__global__ void by_warp(const float *in, float *out, int C) {
  __shared__ float partial[8];
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
  int row = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
  const float *x = in + row * C;
  float sum = 0;
  for (int i = warp.thread_rank(); i < C; i += warp.size())
    sum += x[i];  //: in (as x) load: coalesced (stride 1, 4 bytes/lane, if C is a multiple of 8)
  if (warp.thread_rank() == 0)
    partial[warp.meta_group_rank()] = sum;  //: partial store: conflict-free (one lane)
  __syncthreads();
  float total = warp.thread_rank() < 8 ? partial[warp.thread_rank()] : 0.0f;  //: partial load: conflict-free
  if (block.thread_rank() < 4) out[block.thread_rank()] = total;  //: out store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 128
__global__ void by_library(const float *in, float *out) {
  using Sums = library::BlockReduce<float, 128>;
  __shared__ Sums::TempStorage storage;
  float sum = Sums(storage).Sum(in[threadIdx.x]);  //: in load: coalesced (stride 1, 4 bytes/lane)
  if (threadIdx.x == 0) *out = sum;  //: out store: uniform (one lane, 4 bytes)
}

//@ block 128
__global__ void counted(int *total, int *pairs, const int *x) {
  __shared__ int bins[64];
  atomicAdd(&bins[threadIdx.x / 8], 1);  //: bins atomic: one after the other (up to 8 lanes change one place)
  atomicAdd(&bins[threadIdx.x % 64], 1);  //: bins atomic: conflict-free
  atomicMax(&bins[0], x[threadIdx.x]);  //: x load: coalesced (stride 1, 4 bytes/lane) | bins atomic: one after the other (up to 32 lanes change one place)
  if (threadIdx.x < 4) atomicAdd(total, bins[0]);  //: total atomic: one after the other (up to 4 lanes change one place) | bins load: conflict-free (broadcast)
  atomicAdd(&pairs[threadIdx.x / 2], 1);  //: pairs atomic: coalesced (4 bytes/lane)
}

struct Scaled { half2 scale; int rest[3]; };
//@ block 32
template <class T> __global__ void pieces_of_eight(const Scaled *s, T *y) {
  y[threadIdx.x % 8 + 16 * (threadIdx.x / 8)] = __low2half(s[threadIdx.x].scale);  //: s load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used) | y store: uncoalesced at worst (strided; how far depends on the size of the type)
}
