// Blocks that the branches around a launch say, vectors that a launch chooses, and what the pseudocode keeps of loads.
template <int threads> __global__ void gather_rows(float *out, const float *__restrict__ in, const int *rows, int width) {
  extern __shared__ float sums[];
  int row = rows[blockIdx.x];
  const float *from = in + row * width;
  const signed char warp = threadIdx.x / 32;
  if (threads > 32) {
    sums[threadIdx.x] = from[warp];
    __syncthreads();
  }
  int counts[2] = {};
  for (int i = threadIdx.x; i < width; i += threads) counts[from[i] > 0]++;
  reinterpret_cast<int *>(out)[threadIdx.x] = counts[0];
  counts[rows[0]] = 0;
  out[blockIdx.x * width + threadIdx.x] = from[threadIdx.x];
}

void gather(float *out, const float *in, const int *rows, int count, int width, int threads) {
  dim3 block(threads);
  switch (threads) {
    case 32:
      gather_rows<32><<<count, block>>>(out, in, rows, width);
      break;
    case 64:
    case 96:
      gather_rows<96><<<count, threads>>>(out, in, rows, width);
      break;
    case 128: {
      threads += 32;
      gather_rows<128><<<count, threads>>>(out, in, rows, width);
      break;
    }
  }
  if (threads == 256)
    gather_rows<256><<<count, threads, 4 * threads>>>(out, in, rows, width);
  else
    gather_rows<512><<<count, threads>>>(out, in, rows, width);
}

template <class Pack> __global__ void clear(Pack *x) { x[threadIdx.x] = {}; }

void clear_all(float4 *wide, float2 *narrow) {
  clear<float2><<<1, 32>>>(narrow);
  clear<float4><<<1, 32>>>(wide);
}
