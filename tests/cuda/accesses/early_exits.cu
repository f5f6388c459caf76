// Values on paths that leave a loop, a round or a function early, and choices at the borders of the data.

//@ block 256
__global__ void search_for_each_thread(const double *cdf, const double *u, const float *xs, float *out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int index = -1;
  for (int x = 0; x < n; x++) {
    if (cdf[x] >= u[i]) {  //: cdf load: broadcast (8 bytes) | u load: coalesced (stride 1, 8 bytes/lane)
      index = x;
      break;
    }
  }
  if (index == -1) index = n - 1;
  out[i] = xs[index];  //: xs load: scattered (data-dependent: an index comes from memory (u[…])) | out store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 256
__global__ void search_together(const int *flag, const float *rows, float *out, int n, int columns) {
  int row = -1;
  for (int x = 0; x < n; x++) {
    if (flag[x] > 0) {  //: flag load: broadcast (4 bytes)
      row = x;
      break;
    }
  }
  out[threadIdx.x] = rows[row * columns + threadIdx.x];  //: rows load: coalesced (stride 1, 4 bytes/lane, if columns is a multiple of 8) | out store: coalesced (stride 1, 4 bytes/lane)
}

__device__ void pick(int t, int &at) {
  if (t % 2 == 0) {
    at = t * 2;
    return;
  }
  at = t;
}
__device__ void find(const int *table, int value, int &at) {
  for (int k = 0; k < 8; k++) {
    if (table[k] == value) {
      at = k;
      return;
    }
  }
  at = 7;
}

//@ block 256
__global__ void helpers_that_return_early(const float *xs, const int *table, const int *values, float *out) {
  int near, found;
  pick(threadIdx.x, near);
  out[threadIdx.x] = xs[near];  //: xs load: uncoalesced (strided, 50 % of sectors used) | out store: coalesced (stride 1, 4 bytes/lane)
  find(table, values[threadIdx.x], found);  //: values load: coalesced (stride 1, 4 bytes/lane) | table load via find: broadcast (4 bytes)
  out[threadIdx.x + 256] = xs[found];  //: xs load: scattered (data-dependent: an index comes from memory (values[…])) | out store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 64, 4
__global__ void clamped_neighbours(const float *in, float *out, int nx, int ny) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int j = blockIdx.y * blockDim.y + threadIdx.y;
  int c = j * nx + i;
  int west = i == 0 ? c : c - 1;
  int south = j == ny - 1 ? c : c + nx;
  out[c] = in[south];  //: in load: coalesced (stride 1, 4 bytes/lane, if nx is a multiple of 8) | out store: coalesced (stride 1, 4 bytes/lane, if nx is a multiple of 8)
  out[c] += in[west];  //: in load: partially coalesced (misaligned, 5 sectors for 4, 4 bytes/lane, if nx is a multiple of 8) | out load: coalesced (stride 1, 4 bytes/lane, if nx is a multiple of 8) | out store: coalesced (stride 1, 4 bytes/lane, if nx is a multiple of 8)
}

//@ block 128
__global__ void rounds_cut_short(const int *skip, const float *in, float *out) {
  for (int k = 0; k < 4; k++) {
    int at = k * 128 + threadIdx.x;
    if (skip[k]) {  //: skip load: broadcast (4 bytes)
      at = 0;
      continue;
    }
    out[at] = in[at];  //: in load: coalesced (stride 1, 4 bytes/lane) | out store: coalesced (stride 1, 4 bytes/lane)
  }
}

//@ block 128
__global__ void moved_by_whole_rows(const float *x, float *y, int rows, int width, int n) {
  if (blockIdx.x > rows) x += (blockIdx.x - rows) * 8 * width;
  if (n > width) y += n - width;
  y[threadIdx.x] = x[threadIdx.x];  //: x load: coalesced (stride 1, 4 bytes/lane) | y store: partially coalesced at worst (misaligned, 5 sectors for 4, 4 bytes/lane)
}

// A variable that one branch sets has that value wherever it may be read; one that a round sets may keep an older one.
//@ block 64
__global__ void set_in_one_branch(float *out, const float *in, int n) {
  int place;
  bool own = threadIdx.x < n;
  if (own) place = blockIdx.x * 64 + threadIdx.x;
  __syncthreads();
  if (own) out[place] = 0;  //: out store: coalesced (stride 1, 4 bytes/lane)
  int last;
  for (int i = 0; i < n; ++i) {
    if (in[i] > 0) last = 2 * i * blockDim.x + threadIdx.x;  //: in load: broadcast (4 bytes)
    out[last] = 1;  //: out store: not known: threadIdx.x goes into it in a way that is not followed
  }
}

//@ block 512
__global__ void first_thread_of_all(const float *in, float *out, int n) {
  int i = blockIdx.x * 5120 + threadIdx.x;
  if (i == 0) *out = 0.0f;  //: out store: uniform (one lane, 4 bytes)
  if (i < 32) out[1 + i] = 0.0f;  //: out store: partially coalesced (misaligned, 5 sectors for 4, 4 bytes/lane)
  float value = i < n ? in[i] : 0.0f;  //: in load: coalesced (stride 1, 4 bytes/lane)
  if (value > 0.0f) out[0] = value;  //: out store: broadcast (4 bytes)
}

//@ block 128
__global__ void one_lane_if_asked_for(float *mean, float *rows, const int *flags, int n) {
  if (threadIdx.x == 0 && mean != nullptr) mean[blockIdx.x] = 0.0f;  //: mean store: uniform (one lane, 4 bytes)
  if (threadIdx.x == 0 || n > 7) rows[blockIdx.x] = 0.0f;  //: rows store: broadcast (4 bytes)
  if (flags[0] > 0 && threadIdx.x % 32 == 31) rows[0] = 0.0f;  //: flags load: broadcast (4 bytes) | rows store: uniform (one lane, 4 bytes)
}

//@ block 256
__global__ void the_last_row_again(const float *in, float *out, int rows, int size) {
  float sum = 0.0f;
  for (int i = 0; i < 8 * size; i += size) {
    const int at = i < rows * size ? i : (rows - 1) * size;
    sum += in[at + threadIdx.x];  //: in load: coalesced (stride 1, 4 bytes/lane, if size is a multiple of 8)
  }
  out[threadIdx.x] = sum;  //: out store: coalesced (stride 1, 4 bytes/lane)
}

// Either of two distances between neighbours: neither does for the other.
//@ block 128
__global__ void either_way_round(const float *x, float *y, int width, bool across) {
  int apart = across ? width : 1;
  y[threadIdx.x] = x[threadIdx.x * apart];  //: x load: uncoalesced unless width is 1 at worst (strided, 4*width bytes stride, 12 % of sectors used for width ≥ 8) | y store: coalesced (stride 1, 4 bytes/lane)
}

// A row of a shared array whose class is not at hand is no global memory.
struct Plan {
  Elsewhere<3> first;
  Flags<2> valid;
};
//@ block 128
__global__ void rows_of_a_plan(float *y, int which) {
  extern __shared__ char room[];
  Plan &plan = *reinterpret_cast<Plan *>(room);
  if (plan.valid[which][threadIdx.x]) y[threadIdx.x] = 0;  //: y store: coalesced (stride 1, 4 bytes/lane) | room (as plan.valid) load: conflict-free (broadcast)
}

// The least of two bounds is below each of them, also where one is not known.
//@ block 256
__global__ void parts_of_four(float *out, int n) {
  int begin = blockIdx.x * 4;
  int end = min(begin + 4, n);
  if (begin + threadIdx.x < end) {
    out[begin + threadIdx.x] = 0.0f;  //: out store: coalesced (stride 1, 4 bytes/lane)
  }
  if (begin + threadIdx.x < min(begin + 1, n)) out[begin] = 1.0f;  //: out store: uniform (one lane, 4 bytes)
}

#define N 16
//@ block 16
__global__ void more_lanes_in_each_round(const float *in, float *out) {
  __shared__ float cells[N + 1][N + 1];
  int t = threadIdx.x;
  for (int m = 0; m < N; m++) {
    if (t <= m) cells[m - t + 1][t + 1] = cells[m - t][t];  //: cells load: 8-way bank conflict | cells store: 8-way bank conflict
    __syncthreads();
  }
  for (int m = N - 2; m >= 0; m--) {
    if (t <= m) cells[N - t][t + N - m] = 1;  //: cells store: 8-way bank conflict
    __syncthreads();
  }
  out[t] = cells[t + 1][t + 1];  //: out store: coalesced (stride 1, 4 bytes/lane) | cells load: conflict-free
}
