// Methods of objects whose type is a name for a partial specialisation, and extents that macros write.
#define THREADS 256
#define BLOCKS(n) (n + THREADS - 1) / THREADS

template <typename T, int ROWS, int COLS>
struct Total {
  __device__ T over(T value, T *kept) {
    kept[threadIdx.x] = value;
    __syncthreads();
    return kept[0];
  }
};

template <typename T, int ROWS>
struct Total<T, ROWS, 1> {
  __device__ T over(T value, T *kept) {
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffff, value, lanes);
    return value;
  }
};

using WarpTotal = Total<float, 1, 1>;

__global__ void sums(const float *x, float *y, long n) {
  WarpTotal total;
  long i = blockIdx.x * (long)blockDim.x + threadIdx.x;
  float value = i < n ? x[i] : 0.0f;
  value = total.over(value, nullptr);
  if (threadIdx.x % 32 == 0 && i < n) y[i / 32] = value;
}

void run(const float *x, float *y, long n) { sums<<<BLOCKS(n), THREADS>>>(x, y, n); }
