// One name for two kernels, each in a scope of its own: a launch means what its own scope gives the name.

#define LAUNCH(kernel, blocks, threads, x)       \
    do {                                         \
        auto chosen = kernel<float>;             \
        cudaLaunchConfig_t config{};             \
        config.gridDim = blocks;                 \
        config.blockDim = threads;               \
        cudaLaunchKernelEx(&config, chosen, x);  \
    } while (0)

template <typename T>
__global__ void __launch_bounds__(32) by_warp(T* x) { x[threadIdx.x] += 1; }

template <typename T>
__global__ void __launch_bounds__(1024) by_block(T* x) { x[threadIdx.x] += 2; }

void run(float* x, int n, bool wide) {
    if (n < 4) {
        LAUNCH(by_warp, 1, 32, x);
    } else {
        LAUNCH(by_block, 8, 1024, x);
    }
    auto either = by_warp<float>;  // this one may be either
    if (wide) either = by_block<float>;
    either<<<2, 32>>>(x);
}

// A switch chooses the width for whatever type: what is told holds for each width, and names none.
#define WIDTH_SWITCH(width, ...)           \
    [&] {                                  \
        if (width <= 32) {                 \
            constexpr static int W = 32;   \
            return __VA_ARGS__();          \
        }                                  \
        constexpr static int W = 64;       \
        return __VA_ARGS__();              \
    }()

template <typename T, int kRows, int kWidth>
__global__ void rows_of(const T* x, float* y) {
    __shared__ float rows[kRows][kWidth];
    rows[threadIdx.x][0] = y[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = rows[0][threadIdx.x];
}

template <typename T>
void run_rows(const T* x, float* y, int width) {
    WIDTH_SWITCH(width, [&] { rows_of<T, 32, W><<<1, 32>>>(x, y); });
}
