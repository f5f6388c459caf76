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
