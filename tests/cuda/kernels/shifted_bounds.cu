// `i < n >> 3` is a comparison with what is shifted, and no template: loops and branches behind it are there.
__global__ void halves(const float4* in, float* out, int n, int m) {
  float total = 0.0f;
  for (int i = 0; i < n >> 3; i++) {
    const int at = threadIdx.x + i * blockDim.x;
    if (at < m >> 1) {
      const auto four = in[blockIdx.x * m + at];
      const float* first = (const float*)&four.x;
      total += *first;
    }
  }
  if (threadIdx.x < blockDim.x >> 1 && n > 8) out[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

template <typename A, typename B> struct Pair { A a; B b; };

__global__ void templates(const Pair<float, Pair<float, float>>* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i < n ? n : i >> 2].a;
}

void run(const float4* in, const Pair<float, Pair<float, float>>* pairs, float* out, int n, int m) {
  halves<<<m, 256>>>(in, out, n, m);
  templates<<<m, 256>>>(pairs, out, n);
}
