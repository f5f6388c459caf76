// Strides that the launch passes: lanes lie next to each other where they are 1. A length of the data is none.
__global__ void copied(const float *x, float *y, int n, int step, long row_step) {
  int i = threadIdx.x;
  y[blockIdx.x * n + i] = x[blockIdx.x * row_step + i * step];
}

struct Steps {
  long row, column;
};
__global__ void packed(const float *x, float *y, Steps steps) {
  y[blockIdx.x * steps.row + threadIdx.x * steps.column] = x[threadIdx.x];
}

__global__ void transposed(const float *x, float *y, int rows, int columns) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  for (int column = 0; column < columns; column++) y[column * rows + row] = x[row * columns + column];
}

void run(float *x, float *y, int n, int k) {
  copied<<<n, 256>>>(x, y, n, 1, n);
  packed<<<n, 256>>>(x, y, Steps{n, 1});
  transposed<<<(n + 127) / 128, 128>>>(x, y, n, k);
}
