// One lane of a warp that the hardware elects, addresses that a warp reads for all its lanes, and walks backwards.
__device__ unsigned elect_one() {
  unsigned pred = 0;
  asm volatile("{ .reg .b32 %%rx; .reg .pred %%px; elect.sync %%rx|%%px, %1; @%%px mov.s32 %0, 1; }"
               : "+r"(pred) : "r"(0xffffffff));
  return pred;
}
__device__ bool elect_another() {
  unsigned chosen;
  asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p; }" : "=r"(chosen));
  return chosen;
}

//@ block 256
__global__ void elected(int *flags, const int *counts) {
  if (elect_one()) flags[threadIdx.x / 32] = counts[blockIdx.x];  //: counts load: uniform (one lane, 4 bytes) | flags store: uniform (one lane, 4 bytes)
  if (elect_another()) flags[threadIdx.x / 32] = 0;  //: flags store: uniform (one lane, 4 bytes)
}

//@ block 256
__global__ void peers(int **buffers, float *own) {
  int *buffer = buffers[threadIdx.x / 128];  //: buffers load: broadcast (8 bytes)
  buffer[threadIdx.x % 32] = 1;  //: buffers[…] (as buffer) store: coalesced (stride 1, 4 bytes/lane)
  int *of_lane = buffers[threadIdx.x];  //: buffers load: coalesced (stride 1, 8 bytes/lane)
  of_lane[0] = 2;  //: buffers[…] (as of_lane) store: scattered (data-dependent: an index comes from memory (buffers[…]))
}

//@ block 32
__global__ void backwards(float2 *rows) { rows[31 - threadIdx.x].x = 0; }  //: rows store: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)

// One lane, or a few, of a warp that is not the first one, where nobody knows the block.
__global__ void other_warps(int *counters, int *flags, float *out, const float *in, int per_group, float n) {
  __shared__ float cells[128];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int inner = warp % per_group;
  if (inner == 1 and lane == 0) atomicAdd(counters, flags[0]);  //: flags load: uniform (one lane, 4 bytes) | counters atomic: uniform (one lane, 4 bytes)
  if (inner == 0 and lane == 0) atomicAdd(counters + 1, 1);  //: counters atomic: uniform (one lane, 4 bytes)
  if (warp == 3 and lane == 0) atomicAdd(counters + 2, 1);  //: counters atomic: uniform (one lane, 4 bytes)
  if (warp == 3)
    if (lane < 4) cells[lane * 8] = n;  //: cells store: conflict-free
  if (warp == 3) cells[lane * 2] = n;  //: cells store: 2-way bank conflict
  __syncthreads();
  out[threadIdx.x] = cells[warp] + in[threadIdx.x];  //: in load: coalesced (stride 1, 4 bytes/lane) | out store: coalesced (stride 1, 4 bytes/lane) | cells load: conflict-free (broadcast)
}

// A triangle: where the inner loop has a round, the first two lanes are out. Bits that nobody knows pick lanes.
//@ block 16
__global__ void triangle(float *x, int step, int n) {
  __shared__ float a[16 * 16];
  int t = threadIdx.x;
  for (int i = 0; i < 15; i++) {
    if (t > i) {
      for (int j = 0; j < i; j++) a[t * 16 + i] = x[j];  //: x load: broadcast (4 bytes) | a store: 7-way bank conflict
      a[t * 16 + i] = 0;  //: a store: 8-way bank conflict
    }
  }
  int other = (blockIdx.x * blockDim.x + t) ^ step;
  if (other > blockIdx.x * blockDim.x + t) x[blockIdx.x * blockDim.x + t] = 1;  //: x store: coalesced (stride 1, 4 bytes/lane, if neighbouring lanes get there together)
}
