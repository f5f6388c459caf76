// Warps of a block that differ: rows shorter than a warp begin elsewhere in each, conditions leave lanes of some.

//@ block 16, 16
__global__ void one_of_each_row(const float *in, const float *weights, float *out, int width) {
  __shared__ float column[16];
  int x = threadIdx.x, y = threadIdx.y;
  int from = 16 * blockIdx.y + y + 1;
  if (x == 0) column[y] = in[from];  //: in load: partially coalesced at worst (misaligned, 2 sectors for 1, 4 bytes/lane) | column store: conflict-free
  __syncthreads();
  out[y * 16 + x] = column[y] * weights[from];  //: weights load: partially coalesced at worst (misaligned, 2 sectors for 1, 4 bytes/lane) | out store: coalesced (stride 1, 4 bytes/lane) | column load: conflict-free
}

//@ block 16, 16
__global__ void rows_of_a_fixed_length(const float *in, float *out) {
  __shared__ float tile[16][20];
  int x = threadIdx.x, y = threadIdx.y;
  tile[y][x ^ y] = in[y * 20 + x];  //: in load: uncoalesced (strided, 80 % of sectors used) | tile store: 2-way bank conflict
  out[x * 16 + y] = tile[x][y];  //: out store: uncoalesced (strided, 25 % of sectors used) | tile load: 2-way bank conflict
}

//@ block 128
__global__ void the_last_lanes_of_a_warp(const float *in, float *out) {
  int t = threadIdx.x;
  if (t >= 40) out[t] = in[2 * t];  //: in load: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | out store: coalesced (stride 1, 4 bytes/lane)
  if (t < 40) out[t + 256] = in[t];  //: in load: coalesced (stride 1, 4 bytes/lane) | out store: coalesced (stride 1, 4 bytes/lane)
  if (t % 64 == 0) out[512 + t / 64] = in[t];  //: in load: uniform (one lane, 4 bytes) | out store: uniform (one lane, 4 bytes)
}

//@ block 256
__global__ void rows_from_the_last_one(const float *in, float *out, int T) {
  int lane = threadIdx.x % 32;
  int row = (gridDim.x - blockIdx.x - 1) * 8 + threadIdx.x / 32;
  int position = row % T;
  int whole = position / 4;
  out[row * T + lane] = in[row * T + 4 * whole + lane];  //: in load: partially coalesced at worst (misaligned, 5 sectors for 4, 4 bytes/lane, if T is a multiple of 8) | out store: coalesced (stride 1, 4 bytes/lane, if T is a multiple of 8)
}

//@ block 256
__global__ void by_library_constants(const float *x, float *y) {
  const int lane = threadIdx.x % cutlass::NumThreadsPerWarp, group = threadIdx.x / cutlass::NumThreadsPerWarpGroup;
  y[group * cutlass::NumThreadsPerWarp + lane] = x[lane];  //: x load: coalesced (stride 1, 4 bytes/lane) | y store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 1
__global__ void alone(long *offsets, const long *sizes, int n) {
  offsets[0] = 0;  //: offsets store: uniform (one lane, 8 bytes)
  for (int i = 0; i < n; i++) offsets[i + 1] = offsets[i] + sizes[i];  //: offsets load: uniform (one lane, 8 bytes) | sizes load: uniform (one lane, 8 bytes) | offsets store: uniform (one lane, 8 bytes)
}

//@ block 16
__global__ void half_a_warp(float *out, const float *in, int row) {
  out[threadIdx.x] = in[threadIdx.x] + in[row];  //: in load: coalesced (stride 1, 4 bytes/lane) | in load: broadcast (4 bytes) | out store: coalesced (stride 1, 4 bytes/lane)
}

// What is exchanged with a number that only the launch gives: the lanes of a warp swap places, whichever number it is.

//@ block 256
__global__ void exchanged(int *table, int n, int j) {
  __shared__ int s[512];
  unsigned int i = threadIdx.x + blockDim.x * blockIdx.x;
  unsigned int other = i ^ j;
  if (i < n && other > i) {
    int mine = table[i];  //: table load: coalesced (stride 1, 4 bytes/lane, if neighbouring lanes get there together)
    table[i] = table[other];  //: table load: coalesced (4 bytes/lane, if neighbouring lanes get there together) | table store: coalesced (stride 1, 4 bytes/lane, if neighbouring lanes get there together)
    table[other * 4] = mine;  //: table store: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  }
  s[threadIdx.x ^ j] = 1;  //: s store: conflict-free
  s[2 * (threadIdx.x ^ j)] = 2;  //: s store: 2-way bank conflict
}
