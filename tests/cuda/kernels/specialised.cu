// Functions and structs with a definition for each of some template arguments: what a kernel runs is the one it names.
namespace reduce {
enum class Kind { Max, Sum };
template <Kind kind, int N> __device__ void block_reduce(float *values);
template <> __device__ void block_reduce<Kind::Max, 1>(float *values) {
  static __shared__ float shared[1][32];
  values[0] = fmaxf(values[0], __shfl_xor_sync(0xffffffff, values[0], 16));
  shared[0][threadIdx.x / 32] = values[0];
  __syncthreads();
}
template <> __device__ void block_reduce<Kind::Sum, 2>(float *values) {
  static __shared__ float shared[2][32];
  for (int i = 0; i < 2; ++i) values[i] += __shfl_down_sync(0xffffffff, values[i], 16);
  shared[0][threadIdx.x / 32] = values[0];
  __syncthreads();
}
template <typename T> struct Carved;
template <> struct Carved <float> {
  __device__ float *data() { extern __shared__ float as_float[]; return as_float; }
};
template <> struct Carved <double> {
  __device__ double *data() { extern __shared__ double as_double[]; return as_double; }
};
}  // namespace reduce

__device__ float across(float value, int lanes) { return __shfl_xor_sync(0xffffffff, value, lanes); }
__device__ half2 across(half2 value, int lanes) { return __shfl_down_sync(0xffffffff, value, lanes); }

template <typename T> __global__ void moments(const T *x, float *out) {
  float sums[2] = {float(x[threadIdx.x]), 0.f};
  reduce::block_reduce<reduce::Kind::Sum, 2>(sums);
  float all = sums[0];
  for (unsigned lanes = 8; lanes > 0; lanes /= 2) all += across(all, lanes);
  if (threadIdx.x == 0) out[blockIdx.x] = all;
}

template <> __global__ void moments<double>(const double *x, float *out) {
  reduce::Carved<double> memory;
  double *shared = memory.data();
  shared[threadIdx.x] = x[threadIdx.x];
  out[threadIdx.x] = shared[255 - threadIdx.x];
}

__global__ void ordered(const int *keys, int *out, const int *offsets) {
  using Sort = cub::BlockMergeSort<int, 128, 1>;
  __shared__ typename Sort::TempStorage storage;
  int key[1] = {keys[threadIdx.x]};
  asm volatile("griddepcontrol.wait;");
  for (int i = 0; i < 2; ++i) {
    Sort(storage).Sort(key, [](int a, int b) { return a < b; });
  }
  if (offsets) {
    out[offsets[blockIdx.x] + threadIdx.x] = key[0];
  } else {
    out[blockIdx.x * 128 + threadIdx.x] = key[0];
  }
  unsigned low;
  asm("{.reg .pred p;\n shf.l.wrap.b32 %0, %1, %2, 4; }" : "=r"(low) : "r"(key[0]), "r"(threadIdx.x));
  out[low] = 0;
}

void launch(const float *x, const double *y, const int *keys, float *out, int *sorted) {
  moments<float><<<8, 256>>>(x, out);
  moments<double><<<8, 256, 2048>>>(y, out);
  ordered<<<8, 128, 512>>>(keys, sorted, nullptr);
}

// An object that becomes an address of shared memory, launched by a macro that is given the kernel in brackets.
template <typename Type> struct SharedMemory {
  __device__ operator Type *() { extern __shared__ int raw[]; return (Type *)raw; }
  __device__ operator const Type *() const { extern __shared__ int raw[]; return (Type *)raw; }
};
template <typename T, int N> __global__ void swapped(const T *x, T *y, int rows, int columns) {
  T *part = SharedMemory<T>();
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      const int place = (blockIdx.x * rows + row) * columns + column;
      part[threadIdx.x] = x[place * N];
    }
  }
  __syncthreads();
  y[threadIdx.x] = part[255 - threadIdx.x];
}
#define LAUNCH(kernel, grid, block, bytes, ...) (kernel)<<<grid, block, bytes>>>(__VA_ARGS__)
void launch_swapped(const float *x, float *y, int n) { LAUNCH((swapped<float, 2>), 8, 256, 1024, x, y, n, 2 * n); }

// Overloads of templates that other kinds of arguments choose: an operation and a width, or two operations.
enum class Op { Add, Max };
template <Op op, int width = 32> __device__ float over_warp(float value) {
  return value + __shfl_xor_sync(0xffffffff, value, width / 2);
}
template <Op first, Op second, int width = 32> __device__ float over_warp(float value) {
  return value + __shfl_down_sync(0xffffffff, value, width / 2) + __shfl_down_sync(0xffffffff, value, width / 4);
}
template <Op op, int width> __global__ void warped(const float *x, float *y) {
  y[threadIdx.x] = over_warp<op, width>(x[threadIdx.x]);
}
void launch_warped(const float *x, float *y) { warped<Op::Add, 16><<<8, 256>>>(x, y); }
template <Op... ops> __device__ float over_block(float value) { return over_warp<ops..., 8>(value); }
__global__ void packed(const float *x, float *y) { y[threadIdx.x] = over_block<Op::Add, Op::Max>(x[threadIdx.x]); }
__global__ void single(const float *x, float *y) { y[threadIdx.x] = over_block<Op::Add>(x[threadIdx.x]); }
