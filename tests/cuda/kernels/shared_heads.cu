// Two kernels behind one head: the preprocessor takes one branch, a reader may look at either.
template <typename T, int N>
#if defined(WIDE)
__global__ void __launch_bounds__(256) wide(const T *x, T *y) {
  y[blockIdx.x * N + threadIdx.x] = x[threadIdx.x];
}
#else
__global__ void narrow(const T *x, T *y) {
  __shared__ T rows[N];
  rows[threadIdx.x] = x[blockIdx.x * N + threadIdx.x];
  __syncthreads();
  y[blockIdx.x * N + threadIdx.x] = rows[N - 1 - threadIdx.x];
}
#endif
void run(float *x, float *y) { narrow<float, 128><<<4, 128>>>(x, y); }
