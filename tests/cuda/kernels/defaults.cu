template <typename T, int COUNT>
__device__ void sum_pairs(T *values) {
  __shared__ T partial[COUNT][33];
  for (int i = 0; i < COUNT; i++) partial[i][threadIdx.x / 32] = values[i];
  __syncthreads();
  for (int i = 0; i < COUNT; i++) values[i] = partial[i][0];
}

template <typename T>
__device__ void sum_one(T *value) {
  __shared__ T partial[32];
  for (int i = 0; i < 1; i++) partial[threadIdx.x / 32] = value[i];
  __syncthreads();
  for (int i = 0; i < 1; i++) value[i] = partial[0];
}

template <typename T, bool SQUARES = false>
__global__ void normalised(const T *in, T *out) {
  T pair[2] = {in[threadIdx.x], in[threadIdx.x]};
  if (SQUARES) {
    sum_pairs<T, 2>(pair);
  } else {
    sum_one<T>(pair);
  }
  out[threadIdx.x] = in[threadIdx.x] - pair[0];
}

void normalise(const float *in, float *out) { normalised<float><<<1, 256>>>(in, out); }
