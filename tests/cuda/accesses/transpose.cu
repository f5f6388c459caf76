// Matrix transposes: which side of the copy is uncoalesced, and what padding does to shared memory.

//@ block 32, 8
__global__ void naive(float *out, const float *in, int width, int height) {
  int x = blockIdx.x * 32 + threadIdx.x;
  int y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8) {
    out[x * height + (y + j)] = in[(y + j) * width + x];  //: in load: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 8) | out store: uncoalesced unless height is 1 (strided, 4*height bytes stride, 12 % of sectors used for height ≥ 8)
  }
}

//@ block 32, 8
__global__ void conflicted(float *out, const float *in, int width, int height) {
  __shared__ float tile[32][32];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];  //: in load: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 8) | tile store: conflict-free
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    out[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];  //: out store: coalesced (stride 1, 4 bytes/lane, if height is a multiple of 8) | tile load: 32-way bank conflict
}

//@ block 32, 8
__global__ void padded(float *out, const float *in, int width, int height) {
  __shared__ float tile[32][32 + 1];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  tile[threadIdx.y][threadIdx.x] = in[y * width + x];  //: in load: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 8) | tile store: conflict-free
  __syncthreads();
  out[y * height + x] = tile[threadIdx.x][threadIdx.y];  //: out store: coalesced (stride 1, 4 bytes/lane, if height is a multiple of 8) | tile load: conflict-free
}

//@ block 32, 8
__global__ void swizzled(float *out, const float *in, int width) {
  __shared__ float tile[32 * 32];
  int row = threadIdx.y, col = threadIdx.x;
  tile[row * 32 + (col ^ row)] = in[row * width + col];  //: in load: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 8) | tile store: conflict-free
  __syncthreads();
  out[row * width + col] = tile[col * 32 + (row ^ col)];  //: out store: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 8) | tile load: conflict-free
}

//@ block 16, 16
__global__ void narrow(float *out, const float *in, int n) {
  // a warp spans two rows of the block
  __shared__ float tile[16][16];
  tile[threadIdx.y][threadIdx.x] = in[threadIdx.y * n + threadIdx.x];  //: in load: coalesced (4 bytes/lane, if n is a multiple of 8) | tile store: conflict-free
  __syncthreads();
  out[threadIdx.y * n + threadIdx.x] = tile[threadIdx.x][threadIdx.y];  //: out store: coalesced (4 bytes/lane, if n is a multiple of 8) | tile load: 8-way bank conflict
}

// Four threads next to each other, the next four in another row.
//@ block 128
__global__ void rows_of_four(float *out, const float *in, int n) {
  out[threadIdx.x / 4 * n + threadIdx.x % 4] = in[threadIdx.x % 4 * n + threadIdx.x / 4];  //: in load: coalesced (4 bytes/lane, if n is a multiple of 8) | out store: uncoalesced (strided, 4*n bytes stride of groups of 4 lanes, 50 % of sectors used for n ≥ 8)
}

//@ block 64
__global__ void halves_of_rows(half2 *x, int rows, int width) {
  const int row = blockIdx.z * rows + blockIdx.y;
  if (threadIdx.x < width / 2) x[(row * 2 + blockIdx.x % 2) * width / 2 + threadIdx.x] = half2();  //: x store: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 16)
}
