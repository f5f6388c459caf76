// Addresses of shared memory that are held as numbers and handed to functions of inline PTX.
__device__ unsigned shared_address(const void *p) {
  unsigned at;
  asm("{.reg .u64 wide; cvta.to.shared.u64 wide, %1; cvt.u32.u64 %0, wide; }\n" : "=r"(at) : "l"(p));
  return at;
}

template <typename T> __device__ void load_tile(T *held, unsigned at) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16"
               "{%0, %1, %2, %3}, [%4];"
               : "=r"(((unsigned *)held)[0]), "=r"(((unsigned *)held)[1]), "=r"(((unsigned *)held)[2]),
                 "=r"(((unsigned *)held)[3])
               : "r"(at));
}

__device__ void copy16(unsigned to, const uint4 *from, bool wanted) {
  asm volatile("{ .reg .pred p; setp.ne.b32 p, %0, 0; @p cp.async.cg.shared.global [%1], [%2], 16; }" ::"r"((int)wanted),
               "r"(to), "l"(from));
}

template <typename T> __global__ void tiles(const T *x, T *y, int n) {
  __shared__ T rows[32][8], wide[32][64];
  unsigned to = shared_address(&rows[threadIdx.x][0]);
  copy16(to, (const uint4 *)(x + threadIdx.x * 8), n > 2);
  copy16(shared_address(&wide[threadIdx.x][0]), (const uint4 *)(x + threadIdx.x * 8), n > 2);  //! bank-conflict "8 lanes meet"
  __syncthreads();
  T held[8], other[8];
  load_tile(held, to);
  load_tile(other, shared_address(&wide[threadIdx.x][0]));  //! bank-conflict "8 lanes meet"
  y[threadIdx.x] = held[0] + other[0];
}

// A block of one thread shows no neighbours: what is told is told for a launch that fills a warp.
template <int N> __global__ void sized(float *x) { x[blockIdx.x * N + threadIdx.x] = N; }

// Elements of an array that the launch passes are told apart from the array.
struct Offsets {
  int v[17];
  __device__ int operator[](int i) const { return v[i]; }
};
__global__ void packed(const char *x, char *y, Offsets offsets, int which) {
  int width = offsets[which + 1] - offsets[which];
  int row = threadIdx.x / width;
  y[row * offsets[16] + threadIdx.x % width] = x[threadIdx.x];
}

void run(half *x, half *y, float *z, int n, Offsets offsets) {
  tiles<half><<<1, 32>>>(x, y, n);
  sized<1><<<n, 1>>>(z);
  sized<64><<<n, 64>>>(z);
  packed<<<1, 256>>>((const char *)x, (char *)y, offsets, n);
}
