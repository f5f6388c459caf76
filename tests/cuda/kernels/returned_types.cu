// Template arguments that a call of a function tells: what it returns.
template <typename To, typename From>
__device__ inline To convert(From v) { return (To)v; }
template <>
__device__ inline float convert(double v) { return (float)v; }

template <typename T>
__device__ T *first_of(T *row, int n) { return row + n; }

template <typename T>
__device__ inline T warp_sum(T v) {
    for (int m = 16; m > 0; m >>= 1) v += __shfl_xor_sync(0xffffffff, v, m);
    return v;
}

template <typename T>
__device__ inline T block_sum(T v) {
    static __shared__ T parts[32];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    v = warp_sum(v);
    if (lane == 0) parts[warp] = v;
    __syncthreads();
    v = threadIdx.x < blockDim.x / 32 ? parts[lane] : (T)0;
    return warp_sum(v);
}

template <typename T>
__global__ void sums(const T *x, float *y) {
    float s = block_sum(convert<float>(x[threadIdx.x]));
    if (threadIdx.x == 0) y[blockIdx.x] = s;
}

template <typename T>
__global__ void sums_of_elements(const T *x, float *y) {
    T s = block_sum(x[threadIdx.x]);
    if (threadIdx.x == 0) y[blockIdx.x] = (float)s;
}

// What the helper's `T` is, nobody says here; it is not the kernel's.
template <typename T>
__global__ void sums_of_unknown(const T *x, float *y) {
    float s = block_sum(undeclared(x[threadIdx.x]));
    if (threadIdx.x == 0) y[blockIdx.x] = s;
}

void launch(const double *x, float *y) {
    sums<double><<<1, 256>>>(x, y);
    sums_of_elements<double><<<1, 256>>>(x, y);
    sums_of_unknown<double><<<1, 256>>>(x, y);
}
