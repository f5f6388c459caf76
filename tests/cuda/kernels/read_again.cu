// What a second look at cards found: arguments in a macro, stand-ins for intrinsics, objects that are handed over.

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
__device__ float2 __hfma2(float2 a, float2 b, float2 c) {
    __syncthreads();
    return a;
}
#endif

struct Control {
    double scale;
    int kept, first;
};
template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Wide {
    T data[kWidth];
};

// Neither a barrier, which is only in what older devices run instead, nor a vector, as a control is read by members.
__global__ void scaled(const float* x, float* y, const void* controls) {
    const Control* control = (const Control*)controls;
    float2 a = __hfma2(x[threadIdx.x], x[threadIdx.x], 1.f);
    y[threadIdx.x] = a.x * control->scale;
}

template <typename T, int kWidth>
__global__ void as_wide(const T* x, signed char* y) {
    using Bytes = Wide<signed char, kWidth>;
    int i = threadIdx.x * kWidth;
    *reinterpret_cast<Bytes*>(&y[i]) = Bytes();
}

// The rows are addresses that an array holds as numbers.
__global__ void by_address(const long long* rows, float* out) {
    const float* row = (const float*)rows[blockIdx.x];
    out[threadIdx.x] = row[threadIdx.x];
}

__global__ void reduced(float* out) {
    using Reduce = other::Reduce<float, 128>;
    __shared__ Reduce::Storage storage;
    out[threadIdx.x] = Reduce{storage}.sum(out[threadIdx.x]);
}

#define BY_WIDTH(width, kWidth, ...)                                                          \
    if (width == 64) { constexpr int kWidth = 64; __VA_ARGS__ }                               \
    else if (width == 128) { constexpr int kWidth = 128; __VA_ARGS__ }
#define BY_FLAG(flag, kFlag, ...)                                                             \
    if (flag) { constexpr bool kFlag = true; __VA_ARGS__ }                                    \
    else { constexpr bool kFlag = false; __VA_ARGS__ }

template <int kWidth, bool a, bool b, bool c>
__global__ void dispatched(float* x) {
    extern __shared__ float rows[];
    rows[threadIdx.x] = x[threadIdx.x];
}

void run(float* x, float* y, const void* controls, const long long* rows, half* z, int width, bool a, bool b, bool c) {
#define ARGUMENTS x, y, controls
    scaled<<<1, 64>>>(ARGUMENTS);
#undef ARGUMENTS
    as_wide<half, 8><<<1, 64>>>(z, (signed char*)y);
    by_address<<<4, 64>>>(rows, y);
    // Each width is read, though all that the switches choose together would be too much.
    BY_WIDTH(width, kWidth, {
        BY_FLAG(a, kA, { BY_FLAG(b, kB, { BY_FLAG(c, kC, {
            dispatched<kWidth, kA, kB, kC><<<1, 2 * kWidth, 4 * kWidth>>>(x);
        }) }) })
    })
}

// What CUB asks for is known where its arguments are: through aliases, of the launch, and in a union.
template <typename T, int kThreads>
__global__ void by_cub(T* x) {
    typedef cub::BlockReduce<T, kThreads> BlockReduce;
    typedef cub::BlockScan<int, 128> Scan;
    __shared__ typename BlockReduce::TempStorage storage;
    __shared__ union {
        typename Scan::TempStorage scan;
        float rows[200];
    } either;
    T sum = BlockReduce(storage).Sum(x[threadIdx.x]);
    int before;
    Scan(either.scan).ExclusiveSum(sum > 0, before);
    if (threadIdx.x == 0) x[before] = sum;
}
void run_by_cub(double* x) { by_cub<double, 256><<<1, 256>>>(x); }
