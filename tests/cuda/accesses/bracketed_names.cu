// Macros put brackets around their arguments: a name in brackets before a sign is no type that a number is cast to.

#define AT(row, column, pitch) ((column) + (pitch) * (row))
#define AT3(a, b, c) \
  ((a) + rows * (b) + rows * columns * (c))
#define BACK(i, by) ((i) - (by) * 32)

struct Pair { double re, im; };

//@ block 16, 16
__global__ void indexed(const double *in, Pair *out, int rows, int columns) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int j = blockIdx.y * blockDim.y + threadIdx.y;
  double x = in[AT3(i, j, 0)];  //: in load: coalesced (8 bytes/lane, if rows is a multiple of 4)
  out[AT(j, i, rows)].re = x;  //: out store: uncoalesced (strided, 16 bytes stride, 50 % of sectors used)
}

//@ block 256
__global__ void signs(float *x, int n) {
  int i = threadIdx.x;
  x[BACK(i, n)] = 1;  //: x store: coalesced (stride 1, 4 bytes/lane)
  x[(int)(i) + n * 8] = 2;  //: x store: coalesced (stride 1, 4 bytes/lane)
}
