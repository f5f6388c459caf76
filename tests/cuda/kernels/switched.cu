// Blocks that the branches around a launch say, vectors that a launch chooses, and what the pseudocode keeps of loads.
template <int threads> __global__ void gather_rows(float *out, const float *__restrict__ in, const int *rows, int width) {
  extern __shared__ float sums[];
  int row = rows[blockIdx.x];
  const float *from = in + row * width;
  const signed char warp = threadIdx.x / 32;
  if (threads > 32) {
    sums[threadIdx.x] = from[warp];
    __syncthreads();
  }
  int counts[2] = {};
  for (int i = threadIdx.x; i < width; i += threads) counts[from[i] > 0]++;
  reinterpret_cast<int *>(out)[threadIdx.x] = counts[0];
  counts[rows[0]] = 0;
  out[blockIdx.x * width + threadIdx.x] = from[threadIdx.x];
}

void gather(float *out, const float *in, const int *rows, int count, int width, int threads) {
  dim3 block(threads);
  switch (threads) {
    case 32:
      gather_rows<32><<<count, block>>>(out, in, rows, width);
      break;
    case 64:
    case 96:
      gather_rows<96><<<count, threads>>>(out, in, rows, width);
      break;
    case 128: {
      threads += 32;
      gather_rows<128><<<count, threads>>>(out, in, rows, width);
      break;
    }
  }
  if (threads == 256)
    gather_rows<256><<<count, threads, 4 * threads>>>(out, in, rows, width);
  else
    gather_rows<512><<<count, threads>>>(out, in, rows, width);
}

template <class Pack> __global__ void clear(Pack *x) { x[threadIdx.x] = {}; }

void clear_all(float4 *wide, float2 *narrow) {
  clear<float2><<<1, 32>>>(narrow);
  clear<float4><<<1, 32>>>(wide);
}

// A switch over types that gives the block around the launch a name for each: what holds eight of them is one vector.
template <int BYTES> struct Unit {};
template <> struct Unit<16> { using Type = uint4; };
template <typename T, size_t COUNT> union Eight {
  using Whole = typename Unit<sizeof(T) * COUNT>::Type;
  Whole whole;
  T each[COUNT];
};
template <typename T> __global__ void scaled_eights(const T *x, T *y, T *sum, float scale) {
  using Vec = Eight<T, 8>;
  const size_t i = threadIdx.x + blockIdx.x * blockDim.x;
  Vec v = reinterpret_cast<const Vec *>(x)[i];
  for (int j = 0; j < 8; ++j) v.each[j] = static_cast<T>(static_cast<float>(v.each[j]) * scale);
  reinterpret_cast<Vec *>(y)[i] = v;
  atomicAdd(sum, v.each[0]);
}
#define SWITCH_16_BIT(code, name, ...)                                        \
  switch (code) {                                                            \
    case 1: { using name = half; { __VA_ARGS__ } } break;                    \
    case 2: { using name = __nv_bfloat16; { __VA_ARGS__ } } break;           \
  }
void scale_eights(int code, const void *x, void *y, void *sum, int n) {
  SWITCH_16_BIT(code, Scalar,
                scaled_eights<Scalar><<<n / 1024, 128>>>((const Scalar *)x, (Scalar *)y, (Scalar *)sum, 0.5f););
}
// The same of a type that nobody chooses: whether it is a vector is not known.
template <typename T> __global__ void copied_eights(const T *x, T *y) {
  reinterpret_cast<Eight<T, 8> *>(y)[threadIdx.x] = reinterpret_cast<const Eight<T, 8> *>(x)[threadIdx.x];
}
