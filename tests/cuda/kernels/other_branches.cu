// Launches in branches of `#if` that the preprocessor does not take: they are told as such, and decide nothing else.

__global__ void scaled(float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= 2.0f;
}

void scale(float* x, int n, cudaStream_t stream) {
#ifndef FOR_AMD
    dim3 grid((n + 255) / 256);
    cudaLaunchConfig_t config = {grid, dim3(256), 0, stream};
    cudaLaunchKernelEx(&config, scaled, x, n);
#else
    dim3 grid((n + 63) / 64);  // the same name, and another size
    scaled<<<grid, 64, 0, stream>>>(x, n);
#endif
}

// Every launch of this one stands in branches that are not taken, one of them within the other.
__global__ void shifted(float* x) { x[threadIdx.x] += 1.0f; }

void shift(float* x) {
#if defined(FOR_AMD)
#  if WIDE
    shifted<<<4, 128>>>(x);
#  else
    shifted<<<8, 64>>>(x);
#  endif
#elif defined(FOR_NEITHER)
    shifted<<<2, 32>>>(x);
#else
    x[0] = 1.0f;
#endif
}

// Which of two branches launches the kernel that a wrapper is given.
template <typename Kernel>
void launch_it(Kernel kernel, float* x, int blocks) {
#ifdef WITH_PDL
    kernel<<<blocks, 512>>>(x);
#else
    kernel<<<blocks, 256>>>(x);
#endif
}

__global__ void doubled(float* x) { x[threadIdx.x] *= 2.0f; }

void twice(float* x) { launch_it(doubled, x, 16); }

// What plain zeros switch off is no launch of any build.
__global__ void halved(float* x) { x[threadIdx.x] *= 0.5f; }

void half(float* x) {
#if 0
    halved<<<1, 32>>>(x);
#endif
}
