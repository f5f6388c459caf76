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
