// A tiled matrix product: template sizes, launch bounds, a launch through dim3s and a macro, an instantiation per call.
#define CEIL_DIV(a, b) (((a) + (b) - 1) / (b))

constexpr int kPad = 4;

template <int BM, int BN, int BK, int TM>
__global__ void __launch_bounds__(BM * BN / TM, 2) product(int M, int N, int K, const float *a, const float *b, float *c) {
  __shared__ float As[BM * BK];
  __shared__ float Bs[BK][BN + kPad];
  const int row = threadIdx.x / BN;
  const int col = threadIdx.x % BN;
  a += blockIdx.y * BM * K;
  float sums[TM] = {0.0f};
  for (int start = 0; start < K; start += BK) {
    As[threadIdx.x] = a[row * K + col + start];
    Bs[row][col] = b[(start + row) * N + col];
    __syncthreads();
    for (int k = 0; k < BK; ++k) {
      for (int i = 0; i < TM; ++i) {
        sums[i] += As[(row * TM + i) * BK + k] * Bs[k][col];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < TM; ++i) {
    c[(row * TM + i) * N + col] = sums[i];
  }
}

void run(int M, int N, int K, const float *a, const float *b, float *c, cudaStream_t stream) {
  constexpr int BM = 64, BN = 64;
  dim3 blocks(CEIL_DIV(N, BN), CEIL_DIV(M, BM));
  dim3 threads(BM * BN / 8);
  product<BM, BN, 8, 8><<<blocks, threads, 0, stream>>>(M, N, K, a, b, c);
}
