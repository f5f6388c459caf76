// What is certainly wrong is told, and only that.
__global__ void too_large(float *x) {
  __shared__ float tile[128][128];  //! shared-memory-limit "65536 B" "49152 B"
  tile[threadIdx.y][threadIdx.x] = x[threadIdx.x];
}

__global__ void __launch_bounds__(128) small_blocks(float *x) { x[threadIdx.x] = 0; }

__global__ void sized_at_launch(float *x) {
  extern __shared__ float scratch[];
  scratch[threadIdx.x] = x[threadIdx.x];
}

__global__ void half_waits(float *x) {
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 64) {
    __syncthreads();  //! divergent-barrier "threadIdx.x < 64"
  }
  if (lane < 32) {
    __syncthreads();
  }
  if (x[0] > 0) {
    __syncthreads();
  }
}

__global__ void two_threads(int *ids, int depth) {
  __shared__ int id;
  if (threadIdx.x == 0) id = depth == 0 ? 0 : atomicAdd(ids, 1);
  __syncthreads();
}

__global__ void beyond_a_guard(float *x, int n) {
  __shared__ float part[64], rest[96];
  const int t = threadIdx.x;
  if (t < 96) part[t] = x[t];  //! out-of-bounds "256 bytes" "byte 383"
  if (t < 96) rest[t] = x[t];
  if (t < n) part[t] = 0;
  if (t >= 64) return;
  part[t] = rest[t + 32];
  if (t % 2) part[t + 1] = 0;  //! out-of-bounds "part has 256 bytes"
}

void run(float *x, int n) {
  beyond_a_guard<<<n, 128>>>(x, n);
  two_threads<<<2, 2>>>((int *)x, n);
  small_blocks<<<n, 256>>>(x);  //! launch-bounds "256" "128"
  small_blocks<<<n, 128>>>(x);
  small_blocks<<<n, n>>>(x);
  sized_at_launch<<<n, 128, 64 * 1024>>>(x);  //! dynamic-shared-opt-in "65536 B"
  sized_at_launch<<<n, 128, n * 1024>>>(x);
  half_waits<<<n, 128>>>(x);
}

__global__ void long_axes(float *x) { x[threadIdx.z] = 0; }
void run_long_axes(float *x) {
  long_axes<<<dim3(1, 70000), 32>>>(x);  //! launch-bounds "70000 blocks along y: at most 65535"
  long_axes<<<1, dim3(2, 1, 128)>>>(x);  //! launch-bounds "128 threads of a block along z: at most 64"
  long_axes<<<dim3(70000, 65535), dim3(4, 4, 64)>>>(x);
}

// Loops that some threads never enter; whoever enters all of them waits with all others.
__global__ void loops_wait(float *x, int n) {
  int lane = threadIdx.x % 32;
  for (int i = 0; i < lane; ++i) __syncthreads();  //! divergent-barrier "`i < lane` differs"
  for (int i = threadIdx.x; i < 100; i += blockDim.x) __syncthreads();  //! divergent-barrier "128"
  while (threadIdx.x < 64) {
    __syncthreads();  //! divergent-barrier "threadIdx.x < 64"
    break;
  }
  for (int i = threadIdx.x; i < 512; i += blockDim.x) __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) __syncthreads();
  for (int i = 0; i < 4; ++i) __syncthreads();
  x[lane] = 0;
}
void run_loops_wait(float *x, int n) { loops_wait<<<1, 128>>>(x, n); }
