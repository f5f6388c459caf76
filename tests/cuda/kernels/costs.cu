// Wasted sectors and meeting lanes are told where they are so in every launch, and not at the end of the data.
template <typename T> __global__ void words(const T *in, int *out, int stride) {
  const int lane = threadIdx.x;
  out[lane] = *reinterpret_cast<const int *>(&in[2 * lane]);
  out[lane + 64] = out[4 * lane];  //! uncoalesced "a warp's load of out uses 25 %"
}

template <int PAD> __global__ void columns(float *out) {
  __shared__ float tile[32][32 + PAD], plain[32][32];
  tile[threadIdx.x][0] = out[threadIdx.x];
  plain[threadIdx.x][0] = out[threadIdx.x];  //! bank-conflict "32 lanes" "rows of 33 elements"
}

__global__ void vectors_and_rest(const unsigned char *in, unsigned char *out, int n, int m) {
  const int i = 8 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i + 7 < n && threadIdx.y < m) {
    *reinterpret_cast<uint2 *>(out + i) = *reinterpret_cast<const uint2 *>(in + i);
  } else {
    for (int k = 0; k < 8; ++k) out[i + k] = in[i + k];
  }
  if (n <= i) out[i] = 0;
  if (m > 4) out[i] = 0;  //! uncoalesced "12 %"
}

template <int N> __device__ void put(float *to, float value) {
  if (to[0] > 0) to[0] = value;
  if (N > 2) *reinterpret_cast<float4 *>(to) = make_float4(value, value, value, value);
}

__global__ void in_two_ways(float *out, int n) {
  put<4>(out + 4 * threadIdx.x, 1.0f);  //! uncoalesced "load of out uses 25 %"
}

__global__ void rows_of_vectors(float *out) {
  __shared__ float rows[32][32];
  rows[threadIdx.x][1] = out[threadIdx.x];  //! bank-conflict "32 lanes meet in one bank when rows is written"
  __syncwarp();
  reinterpret_cast<float4 *>(out)[threadIdx.x] = *reinterpret_cast<float4 *>(&rows[threadIdx.x][0]);  //! bank-conflict "8 lanes"
}

void run(const void *in, int *out, float *result, int n) {
  words<float><<<n, 64>>>((const float *)in, out, n);
  words<__half><<<n, 64>>>((const __half *)in, out, n);
  columns<0><<<n, 32>>>(result);
  columns<1><<<n, 32>>>(result);
  vectors_and_rest<<<n, 128>>>((const unsigned char *)in, (unsigned char *)out, n, n);
  in_two_ways<<<n, 32>>>(result, n);
  rows_of_vectors<<<n, 32>>>(result);
}

// Which warps get there is not known, which of their lanes do is.
__global__ void last_lanes(const float4* table, float4* out, int heads, int slots, bool every) {
    int lane = threadIdx.x % 32;
    int slot = (blockIdx.x * 8 + threadIdx.x / 32) % slots;
    bool chosen = lane >= 28 && (slot == heads || every);
    if (chosen) {
        out[lane] = table[lane * 2];  //! uncoalesced "50 % of the 4 sectors"
    }
}

void run_last_lanes(const float4* table, float4* out, int n) { last_lanes<<<n, 256>>>(table, out, n, 17, false); }
