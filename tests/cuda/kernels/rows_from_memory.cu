// Rows that each thread takes from memory are no tile of the block; rows that a block takes are one.
__global__ void scale_rows(float* out, const float* table, const float* weights, const int* rows, long dim, long n) {
  const long row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= n) return;
  for (long c = threadIdx.x; c < dim; c += blockDim.x) {
    out[row * dim + c] = table[rows[row] * dim + c] * weights[row * dim + c];
  }
}

__global__ void copy_block_row(float* out, const float* table, const int* rows, long dim) {
  for (long c = threadIdx.x; c < dim; c += blockDim.x) {
    out[blockIdx.x * dim + c] = table[rows[blockIdx.x] * dim + c];
  }
}

// How neighbours lie to each other depends on what a launch gives: it is told for one of them.
template <int EACH>
__global__ void spread(float* out, const float* in, int n) {
  for (int i = 0; i < EACH; ++i) {
    const int at = (blockIdx.x * blockDim.x + threadIdx.x) * EACH + i;
    if (at < n) out[at] = in[at];
  }
}

void run(float* out, const float* table, const float* weights, const int* rows, long dim, long n) {
  scale_rows<<<n / 8, dim3(32, 8)>>>(out, table, weights, rows, dim, n);
  copy_block_row<<<n, 256>>>(out, table, rows, dim);
  spread<1><<<n / 256, 256>>>(out, table, n);
  spread<8><<<n / 2048, 256>>>(out, table, n);
}
