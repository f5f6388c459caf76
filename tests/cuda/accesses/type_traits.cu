// Type traits decide which accesses there are: names of one type are the same, those of two libraries may be.

using scalar = half;

template <typename T>
__device__ void put(T *out, int i) {
  if constexpr (std::is_same_v<T, float>) out[2 * i] = 0;
  else if constexpr (std::is_same<T, __half>::value) out[i] = 0;
  else out[4 * i] = 0;
}

//@ block 256
__global__ void the_same(half *x, float *y, nv_bfloat16 *z) {
  put(x, threadIdx.x);  //: x store via put: coalesced (stride 1, 2 bytes/lane)
  put(y, threadIdx.x);  //: y store via put: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  put(z, threadIdx.x);  //: z store via put: uncoalesced (strided, 8 bytes stride, 25 % of sectors used)
}

template <typename T>
struct Pack {
  static constexpr int size = std::is_floating_point<T>::value ? 4 / sizeof(T) : 8;
  using type = std::conditional_t<std::is_same_v<T, int32_t>, int4, T>;
};

//@ block 256
__global__ void kinds(float *x, int *y) {
  x[Pack<float>::size * threadIdx.x] = 0;  //: x store: coalesced (stride 1, 4 bytes/lane)
  x[Pack<unsigned>::size * threadIdx.x] = 0;  //: x store: uncoalesced (strided, 32 bytes stride, 12 % of sectors used)
  *reinterpret_cast<Pack<int>::type *>(y + 4 * threadIdx.x) = {};  //: y store: coalesced (stride 1, 16 bytes/lane)
}

//@ block 256
__global__ void aliases(scalar *x) {
  if (std::is_same_v<scalar, half>) x[threadIdx.x] = 0;  //: x store: coalesced (stride 1, 2 bytes/lane)
  if (!std::is_same_v<scalar, half>) x[2 * threadIdx.x] = 0;
}

//@ block 256
__global__ void pairs(half2 *x) {
  if (std::is_same_v<half2, __half2>) x[threadIdx.x] = {};  //: x store: coalesced (stride 1, 4 bytes/lane)
  if (std::is_same_v<half2, __nv_bfloat162>) x[2 * threadIdx.x] = {};
  if (std::is_same_v<float2, float4>) x[4 * threadIdx.x] = {};
}

//@ block 256
template <typename T>
__global__ void open(T *x, int n) {
  if constexpr (std::is_same_v<T, half>) x[threadIdx.x] = 0;  //: x store: coalesced (whatever the size of the type)
  else x[n * threadIdx.x] = 0;  //: x store: uncoalesced (strided; how far depends on the size of the type)
}

// What only says more of a type has its size.

//@ block 256
template <typename T>
__global__ void of_one_size(T *x, short *y) {
  using Unsigned = typename std::make_unsigned<T>::type;
  __shared__ Unsigned held[256];
  held[threadIdx.x] = x[threadIdx.x];  //: x load: coalesced (whatever the size of the type) | held store: conflict-free
  auto *plain = reinterpret_cast<std::make_unsigned_t<short> *>(y);
  plain[2 * threadIdx.x] = 1;  //: y (as plain) store: uncoalesced (strided, 4 bytes stride, 50 % of sectors used)
}
