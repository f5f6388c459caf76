// Barriers behind a place where threads return: those are not waited for. Grids of two sizes fill a GPU differently.
__global__ void guarded(const float *x, float *y, int n) {
  __shared__ float s[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = x[i];
  __syncthreads();
  y[i] = s[threadIdx.x ^ 1];
}

// Whole blocks leave: nobody waits in them.
__global__ void by_row(const float *x, float *y, int n, int rows) {
  __shared__ float s[256];
  int row = blockIdx.x;
  if (row >= rows) return;
  s[threadIdx.x] = x[row * n + threadIdx.x];
  __syncthreads();
  y[row * n + threadIdx.x] = s[255 - threadIdx.x];
}

// Only what is behind the place is reached by fewer threads.
__global__ void late(const float *x, float *y) {
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x >= 32) return;
  y[threadIdx.x] = s[threadIdx.x];
}

void run(float *x, float *y, int n) {
  guarded<<<(n + 255) / 256, 256>>>(x, y, n);
  by_row<<<n, 256>>>(x, y, n, n);
  late<<<1000, 256>>>(x, y);
  late<<<4096, 256>>>(x, y);
}
