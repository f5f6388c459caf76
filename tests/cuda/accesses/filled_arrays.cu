// Local arrays that loops fill: an element is what the round gave that wrote it, also of several dimensions.

//@ block 128
template <int N>
__global__ void swizzled(const float4 *in, float4 *out, int pitch) {
  __shared__ float4 tile[8 * 128];
  int places[N];
#pragma unroll
  for (int i = 0; i < N; i++) places[i] = i * 128 + (threadIdx.x ^ 1);
  for (int i = 0; i < N; i++) tile[places[i]] = in[i * pitch + threadIdx.x];  //: in load: coalesced (stride 1, 16 bytes/lane, if pitch is a multiple of 2) | tile store: conflict-free
  __syncthreads();
  out[threadIdx.x] = tile[places[N - 1]];  //: out store: coalesced (stride 1, 16 bytes/lane) | tile load: conflict-free
}

//@ block 256
template <int ROWS, int PARTS>
__global__ void two_dimensions(const float *in, float *out, int n) {
  int at[PARTS][ROWS];
  for (int p = 0; p < PARTS; p++)
    for (int r = 0; r < ROWS; r++) at[p][r] = (p * ROWS + r) * n + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < 16; k++)
    for (int r = 0; r < ROWS; r++) sum += in[at[k % PARTS][r]];  //: in load: coalesced (stride 1, 4 bytes/lane, if n is a multiple of 8)
  out[at[0][1]] = sum;  //: out store: coalesced (stride 1, 4 bytes/lane, if n is a multiple of 8)
}

//@ block 256
__global__ void pointers(float *a, int n) {
  float *rows[4];
  for (int i = 0; i < 4; i++) rows[i] = a + i * n;
  for (int i = 0; i < 4; i++) rows[i][threadIdx.x] = rows[3 - i][2 * threadIdx.x];  //: a (as rows) load: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | a (as rows) store: coalesced (stride 1, 4 bytes/lane, if n is a multiple of 8)
}

//@ block 256
__global__ void not_what_a_round_gave(const int *order, float *a, int n) {
  int at[4], last[4], part[4];
  for (int i = 0; i < 4; i++) at[i] = order[i];  //: order load: broadcast (4 bytes)
  for (int i = 0; i < 4; i++) last[0] = i * 32 + threadIdx.x;
  for (int i = 0; i < 4; i++)
    if (i < n) part[i] = threadIdx.x;
  for (int i = 0; i < 4; i++) {
    a[at[i] + threadIdx.x] = 0;  //: a store: not known: at is a local array
    a[last[0]] = 0;  //: a store: not known: last is a local array
    a[part[i]] = 0;  //: a store: not known: part is a local array
  }
}

//@ block 256
__global__ void of_a_round_around(float *a, int n, int tiles) {
  int at[4];
  for (int t = 0; t < tiles; t++) {
    for (int i = 0; i < 4; i++) at[i] = (t * 4 + i) * n + threadIdx.x;
    for (int i = 0; i < 4; i++) a[at[i]] = 1;  //: a store: coalesced (stride 1, 4 bytes/lane, if n is a multiple of 8)
  }
  a[at[0]] = 2;  //: a store: not known: at is a local array
}

//@ block 256
__global__ void changed_again(float *a, int n) {
  int at[4];
  for (int i = 0; i < 4; i++) at[i] = i * n + threadIdx.x;
  for (int i = 0; i < 4; i++) at[i] *= 2;
  for (int i = 0; i < 4; i++) a[at[i]] = 1;  //: a store: not known: at is a local array
  at[1] = 0;
  for (int i = 0; i < 4; i++) a[at[i]] = 1;  //: a store: not known: at is a local array
}

//@ block 256
__global__ void left_early(float *a, int n) {
  int at[4] = {0, 0, 0, 0};
  for (int i = 0; i < 4; i++) {
    if (i >= n) break;
    at[i] = i * n + threadIdx.x;
  }
  for (int i = 0; i < 4; i++) a[at[i]] = 1;  //: a store: not known: at is a local array
}
