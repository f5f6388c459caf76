// Launches with long lists of template arguments: the second one tells what differs from the first. What a default
// gives stands at its parameter's place, wherever arguments are told.
template <int kRows, int kColumns, int kStages, bool kIsMasked, typename Element, bool kIsSummed = false>
__global__ void add_tiles(const Element* in, Element* out) {
  __shared__ Element tile[kRows][kColumns];
  tile[threadIdx.y][threadIdx.x] = in[threadIdx.y * kColumns + threadIdx.x];
  __syncthreads();
  out[threadIdx.y * kColumns + threadIdx.x] = kIsSummed ? tile[0][threadIdx.x] : tile[threadIdx.y][threadIdx.x];
}

using Accumulated = float;
using AccumulatedTwice = double;

void run(const float* in, float* out, const double* wide, double* wide_out, bool summed) {
  constexpr int kWideColumns = 32, kWideRows = 8;
  if (summed) {
    add_tiles<kWideRows, kWideColumns, 2, false, Accumulated, true><<<1, dim3(32, 8)>>>(in, out);
  } else {
    add_tiles<kWideRows, kWideColumns, 2, true, Accumulated, true><<<1, dim3(32, 8)>>>(in, out);
  }
  add_tiles<kWideRows, kWideColumns, 2, false, AccumulatedTwice><<<1, dim3(32, 8)>>>(wide, wide_out);
  add_tiles<kWideRows, kWideColumns, 2, false, Accumulated, true><<<2, dim3(32, 8)>>>(in, out);
}
