// Indices of a type that the launch decides: two elements of one array are two numbers, also behind their difference.

//@ block 128
template <typename Index>
__global__ void segments(const float *values, const Index *bounds, float *sums) {
  const int count = bounds[blockIdx.x + 1] - bounds[blockIdx.x];  //: bounds load: broadcast
  if (count == 0) {
    sums[blockIdx.x] = 0;  //: sums store: broadcast (4 bytes)
    return;
  }
  for (int i = threadIdx.x; i < count; i += blockDim.x)
    sums[threadIdx.x] += values[bounds[blockIdx.x] + i];  //: bounds load: broadcast | values load: partially coalesced at worst (misaligned, 5 sectors for 4, 4 bytes/lane) | sums load: coalesced (stride 1, 4 bytes/lane) | sums store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 128
template <typename Shape>
__global__ void sized(const float *values, float *out, Shape shape) {
  if (shape.extent(0) == shape.extent(1)) out[threadIdx.x] = values[threadIdx.x];  //: values load: coalesced (stride 1, 4 bytes/lane) | out store: coalesced (stride 1, 4 bytes/lane)
  if (shape.sizes[0] == shape.sizes[1]) return;  //: shape.sizes load: broadcast
  out[threadIdx.x * 2] = values[threadIdx.x];  //: values load: coalesced (stride 1, 4 bytes/lane) | out store: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
}

//@ block 256
template <typename T>
__global__ void next_of_any_type(const T *in, T *out) {
  out[threadIdx.x] = in[threadIdx.x + 1];  //: in load: partially coalesced (misaligned; how many sectors depends on the size of the type) | out store: coalesced (whatever the size of the type)
}

// Bits of a number that the launch gives are counted; those of what nobody knows are not.
//@ block 128
__global__ void rotated_lanes(unsigned char *bins, unsigned char *out, int n) {
  extern __shared__ unsigned char counts[];
  const int bits = __ffs(blockDim.x) - 3;
  const int turned = (threadIdx.x & (1 << bits) - 1) << 2 | (threadIdx.x >> bits);
  counts[256 * turned] = 0;  //: counts store: 32-way bank conflict
  counts[turned] = 31 - __clz(blockDim.x) + __popc(blockDim.x);  //: counts store: conflict-free
  __syncthreads();
  out[threadIdx.x] = counts[(n >> __clz(n)) + threadIdx.x];  //: out store: coalesced (stride 1, 1 byte/lane) | counts load: not known: threadIdx.x goes into it in a way that is not followed
  out[threadIdx.x * (39 - __clz(blockDim.x))] = counts[threadIdx.x * __popc(blockDim.x)];  //: out store: uncoalesced (strided, 15 bytes stride, 7 % of sectors used) | counts load: conflict-free
}
