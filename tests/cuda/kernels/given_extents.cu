// A launch whose grid and block are parameters: each call of its function tells them, here and in other files.
#include "given_extents.cuh"

__global__ void shade(float *image, int width) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  image[y * width + x] = 0.f;
}

void Forward::draw(const dim3 grid, dim3 block, float *image, int width) { shade<<<grid, block>>>(image, width); }

// Of another class, and never called: nothing is known of its block.
void Backward::draw(const dim3 grid, dim3 block, float *image, int width) { shade<<<grid, block>>>(image, width); }

__global__ void clear(float *image) { image[blockIdx.x * blockDim.x + threadIdx.x] = 0.f; }
void cleared(dim3 grid, dim3 block, float *image) { clear<<<grid, block>>>(image); }
void clear_all(float *image, int n) {
  cleared(n / 128, 128, image);
  cleared(dim3(n / 64), dim3(64), image);
}

__global__ void __launch_bounds__(64) bounded(float *image) { image[threadIdx.x] = 0.f; }
void bound(dim3 block, float *image) { bounded<<<1, block>>>(image); }  //! launch-bounds "128" "64"
void bind(float *image) {
  bound(128, image);
  bound(dim3(128), image + 64);
}

// Sizes that a template chooses keep their names where a class of that name is an alias, those of a library are known.
template <typename Traits> __global__ void __launch_bounds__(2 * cutlass::NumThreadsPerWarpGroup) sized(float *image) {
  image[threadIdx.x] = 0.f;
}
template <typename T, int N> struct Traits : Layout<T, N> {};
template <typename T, int N> void launch_sized(float *image, int n) {
  using Traits = Traits<T, N>;
  dim3 grid(Traits::kBlocks * n);
  sized<Traits><<<grid, Traits::kThreads>>>(image);
}

// A parameter that its function gives another value is that, whatever is passed.
__global__ void one_warp(float *image) {
  __shared__ float unused[32];
  image[blockIdx.x * 32 + threadIdx.x] = 0.f;
}
void start_one_warp(float *image, int n, int threads) {
  threads = 32;
  one_warp<<<n, threads, threads * 4>>>(image);
}
void start_some(float *image, int n) { start_one_warp(image, n, 256); }

__global__ void perhaps_wider(float *image) { image[blockIdx.x * 32 + threadIdx.x] = 0.f; }
void start_wider(float *image, int n, int threads) {
  if (n > 64) threads = 64;
  perhaps_wider<<<n, threads>>>(image);
}

// Grid and block that a helper is handed to fill; where a branch decides whether it does, they are not known.
inline void fill_rows(dim3& blocks, dim3& threads, int& total, int rows) {
  threads.x = 64;
  int value = rows / threads.x;
  if (rows % threads.x > 0) value++;
  total = value;
  blocks.x = value;
}
inline void fill_squares(dim3& blocks, dim3& threads, int rows, int columns) {
  threads = dim3(32, 4);
  blocks.x = (columns + 31) / 32;
  blocks.y = (rows + 3) / 4;
}
__global__ void in_filled_rows(float* x) { x[blockIdx.x * blockDim.x + threadIdx.x] = 0; }
__global__ void in_filled_squares(float* x) { x[blockIdx.x * blockDim.x + threadIdx.x] = 0; }
__global__ void perhaps_filled(float* x) { x[blockIdx.x * blockDim.x + threadIdx.x] = 0; }
void run_filled(float* x, int n, int m, bool wide) {
  dim3 blocks, threads, grid, block, some, lanes;
  int total = 0;
  fill_rows(blocks, threads, total, n);
  in_filled_rows<<<blocks, threads>>>(x);
  fill_squares(grid, block, m, n);
  in_filled_squares<<<grid, block>>>(x);
  if (wide) fill_squares(some, lanes, m, n);
  perhaps_filled<<<some, lanes>>>(x);
}
