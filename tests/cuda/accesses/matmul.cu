// Matrix products: re-based pointers, tiles in shared memory, vector loads, template sizes.

//@ block 32, 32
__global__ void naive(int M, int N, int K, const float *A, const float *B, float *C) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  const int col = blockIdx.y * blockDim.y + threadIdx.y;
  if (row < M && col < N) {
    float sum = 0.0f;
    for (int k = 0; k < K; ++k) {
      sum += A[row * K + k] *  //: A load: uncoalesced (strided, 4*K bytes stride, 12 % of sectors used for K ≥ 8)
             B[k * N + col];  //: B load: broadcast (4 bytes)
    }
    C[row * N + col] = sum;  //: C store: uncoalesced (strided, 4*N bytes stride, 12 % of sectors used for N ≥ 8)
  }
}

//@ block 256 · BM=128 BN=128 BK=8 TM=8 TN=8
template <const int BM, const int BN, const int BK, const int TM, const int TN>
__global__ void blocktiled(int M, int N, int K, float *A, float *B, float *C) {
  __shared__ float As[BM * BK];
  __shared__ float Bs[BK * BN];
  const int threadCol = threadIdx.x % (BN / TN), threadRow = threadIdx.x / (BN / TN);
  A += blockIdx.y * BM * K;
  B += blockIdx.x * BN;
  C += blockIdx.y * BM * N + blockIdx.x * BN;
  const uint innerRowA = threadIdx.x / BK, innerColA = threadIdx.x % BK;
  const uint innerRowB = threadIdx.x / BN, innerColB = threadIdx.x % BN;
  const uint strideA = blockDim.x / BK;
  float results[TM * TN] = {0.0};
  float regM[TM], regN[TN];
  for (uint tile = 0; tile < K; tile += BK) {
    for (uint offset = 0; offset < BM; offset += strideA) {
      As[(innerRowA + offset) * BK + innerColA] =  //: As store: conflict-free
          A[(innerRowA + offset) * K + innerColA];  //: A load: coalesced (4 bytes/lane, if K is a multiple of 8)
    }
    Bs[innerRowB * BN + innerColB] = B[innerRowB * N + innerColB];  //: B load: coalesced (stride 1, 4 bytes/lane, if N is a multiple of 8) | Bs store: conflict-free
    __syncthreads();
    A += BK;
    B += BK * N;
    for (uint k = 0; k < BK; ++k) {
      for (uint i = 0; i < TM; ++i)
        regM[i] = As[(threadRow * TM + i) * BK + k];  //: As load: 2-way bank conflict
      for (uint i = 0; i < TN; ++i)
        regN[i] = Bs[k * BN + threadCol * TN + i];  //: Bs load: 4-way bank conflict
      for (uint i = 0; i < TM; ++i)
        for (uint j = 0; j < TN; ++j)
          results[i * TN + j] += regM[i] * regN[j];
    }
    __syncthreads();
  }
  for (uint i = 0; i < TM; ++i)
    for (uint j = 0; j < TN; ++j)
      C[(threadRow * TM + i) * N + threadCol * TN + j] = results[i * TN + j];  //: C store: uncoalesced (strided, 32 bytes stride, 12 % of sectors used)
}

#define TILE 16
//@ block 16, 16
__global__ void tiled(const float *A, const float *B, float *C, int width) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  float sum = 0;
  for (int t = 0; t < width / TILE; t++) {
    As[threadIdx.y][threadIdx.x] = A[row * width + t * TILE + threadIdx.x];  //: A load: coalesced (4 bytes/lane, if width is a multiple of 8) | As store: conflict-free
    Bs[threadIdx.y][threadIdx.x] = B[(t * TILE + threadIdx.y) * width + col];  //: B load: coalesced (4 bytes/lane, if width is a multiple of 8) | Bs store: conflict-free
    __syncthreads();
    for (int k = 0; k < TILE; k++)
      sum += As[threadIdx.y][k] *  //: As load: conflict-free
             Bs[k][threadIdx.x];  //: Bs load: conflict-free
    __syncthreads();
  }
  C[row * width + col] = sum;  //: C store: coalesced (4 bytes/lane, if width is a multiple of 8)
}

//@ block 256 · BK=8 BM=128
template <int BM, int BK>
__global__ void vectorised(int K, float *A, float *out) {
  __shared__ float As[BM * BK];
  int innerRow = threadIdx.x / (BK / 4), innerCol = threadIdx.x % (BK / 4);
  float4 tmp = reinterpret_cast<float4 *>(&A[innerRow * K + innerCol * 4])[0];  //: A load: coalesced (16 bytes/lane, if K is a multiple of 8)
  As[(innerCol * 4 + 0) * BM + innerRow] = tmp.x;  //: As store: 2-way bank conflict
  As[(innerCol * 4 + 1) * BM + innerRow] = tmp.y;  //: As store: 2-way bank conflict
  __syncthreads();
  reinterpret_cast<float4 *>(out)[threadIdx.x] = reinterpret_cast<float4 *>(&As[threadIdx.x * 4])[0];  //: out store: coalesced (stride 1, 16 bytes/lane) | As load: conflict-free
}

//@ block 32
__global__ void fragments(const half *a, const half *b, float *c, int n) {
  __shared__ half tile[16 * 16];
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  wmma::load_matrix_sync(left, a + blockIdx.x * 16 * n, n);  //: a load: not known: the hardware deals a fragment to the lanes
  wmma::load_matrix_sync(right, tile, 16);  //: tile load: not known: the hardware deals a fragment to the lanes
  wmma::mma_sync(sum, left, right, sum);
  wmma::store_matrix_sync(c, sum, n, wmma::mem_row_major);  //: c store: not known: the hardware deals a fragment to the lanes
}
