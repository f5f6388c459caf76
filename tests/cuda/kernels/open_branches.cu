// What stands in an `if constexpr` that no launch decides may not be there.
template <typename T>
__device__ float total_of(float value) {
  if constexpr (sizeof(T) == 4) {
    value += __shfl_xor_sync(0xffffffff, value, 1);
  }
  if constexpr (sizeof(T) == 2) {
    value = __shfl_sync(0xffffffff, value, 0);
  } else {
    value = __shfl_sync(0xffffffff, value, 1);
  }
  __syncwarp();
  return value;
}

template <typename Kind>
__global__ void reduce(const float* in, float* out) {
  out[threadIdx.x] = total_of<typename Kind::element>(in[threadIdx.x]);
  atomicAdd(out, 1.0f);
}

// Rows of vectors of a type that is not known lie next to each other if it is small.
template <typename T>
__global__ void in_eights(const T* in, T* out, int width) {
  const int row = threadIdx.x / 8, column = threadIdx.x % 8;
  const T* from = in + row * width + column * 8;
  float4 eight = *reinterpret_cast<const float4*>(from);
  *reinterpret_cast<float4*>(out + row * width + column * 8) = eight;
}

template <typename Kind, typename T>
void run(const float* in, float* out, const T* from, T* to, int width) {
  reduce<Kind><<<1, 32>>>(in, out);
  in_eights<T><<<1, 256>>>(from, to, width);
}
