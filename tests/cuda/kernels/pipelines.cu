// Copies that run ahead and tensor cores: inline PTX behind wrappers, roles of warps, launches by functions and lambdas.
__device__ __forceinline__ void copy16(void *to, const void *from) {
  unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(address), "l"(from));
}

__device__ __forceinline__ void multiply(float (&d)[4], unsigned const (&a)[4], unsigned const (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

struct alignas(16) Eight {
  __nv_bfloat16 values[8];
};

template <int kStages> __global__ void staged(const __nv_bfloat16 *in, float *out, int tiles) {
  __shared__ alignas(128) Eight buffer[kStages][128];
  float d[4] = {};
  unsigned a[4] = {}, b[2] = {};
  for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    copy16(&buffer[tile % kStages][threadIdx.x], in + tile * 1024 + threadIdx.x * 8);
    asm volatile("cp.async.wait_group %0;\n" ::"n"(1));
    __syncthreads();
    multiply(d, a, b);
  }
  out[threadIdx.x] = d[0];
}

__global__ void roles(const __grid_constant__ CUtensorMap map, float *out) {
  __shared__ uint64_t full[2], empty[2];
  if (threadIdx.x < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;\n");
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
                 ::"r"(0), "l"(&map), "r"(0), "r"(0), "r"(0));
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;\n");
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0}, %1, %2, 1, 1, 1, 0, 0;" ::"f"(out[0]));
  }
}

void run(const __nv_bfloat16 *in, float *out, int tiles, const CUtensorMap &map, cudaStream_t stream) {
  DISPATCH_STAGES(tiles, kStages, [&] { staged<kStages><<<132, 128, 0, stream>>>(in, out, tiles); });
  auto kernel = &staged<4>;
  kernel<<<132, 128, 0, stream>>>(in, out, tiles);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(132);
  config.blockDim = 384;
  config.dynamicSmemBytes = 0;
  config.stream = stream;
  cudaLaunchKernelEx(&config, roles, map, out);
}

// A barrier by another name that a bulk copy signals; a type that branches define; a block that is assigned later.
#if defined(USE_DOUBLE)
using number = double;
#else
using number = float;
#endif
using barrier = cuda::barrier<cuda::thread_scope_block>;
namespace cde = cuda::device::experimental;

__global__ void arrives(const __grid_constant__ CUtensorMap map, number *out) {
  __shared__ number tile[256];
  __shared__ barrier ready[2];
  if (threadIdx.x == 0) {
    cde::cp_async_bulk_tensor_1d_global_to_shared(tile, &map, 0, ready[0]);
  }
  ready[0].arrive_and_wait();
  out[blockIdx.x * blockDim.x + threadIdx.x] = tile[threadIdx.x];
}

void arrive(CUtensorMap map, number *out, int blocks) {
  int threads;
  threads = 256;
  arrives<<<blocks, threads>>>(map, out);
}

// A kernel of another generation, by the macros and copies of CUTLASS: `#else` only says that it does not run here.
struct Scheduler {
  int *tiles;
  int next;
  __device__ Scheduler(int *tiles) {
    this->tiles = tiles;
    this->next = blockIdx.x;
  }
  __device__ int tile() { return this->tiles[this->next]; }
};
template <int BLOCK_K, int kThreads>
CUTLASS_GLOBAL void __launch_bounds__(kThreads, 1) next_generation(const void *map, int *tiles, float *out) {
#if defined(__CUDA_ARCH__) and (__CUDA_ARCH__ >= 1000)
  extern __shared__ __align__(1024) float stage[];
  Scheduler scheduler(tiles);
  Barrier full(stage);
  if (threadIdx.x == 0) {
    full.arrive_and_expect_tx(BLOCK_K * 4);
    cute::SM90_TMA_LOAD_2D::copy(map, &full, 0, stage, 0, scheduler.tile());
  }
  full.wait(0);
  asm volatile("tcgen05.mma.cta_group::1.kind::f16 [%0], %1, %2, %3;" ::"r"(0), "l"(0L), "l"(0L), "r"(0));
  out[blockIdx.x * kThreads + threadIdx.x] = stage[threadIdx.x];
#else
  if (threadIdx.x == 0) assert(false && "only for sm_100");
#endif
}
void start(const void *map, int *tiles, float *out, int blocks, bool wide, cudaStream_t stream) {
  auto kernel = wide ? &next_generation<64, 256> : &next_generation<32, 256>;
  cutlass::ClusterLaunchParams params = {dim3(blocks), dim3(256), dim3(2, 1, 1), 32768, stream};
  cutlass::launch_kernel_on_cluster(params, (void *)kernel, map, tiles, out);
}

// Which instruction runs follows from the launch's template arguments, through a wrapper for each width.
template <int N> __device__ void multiply_async(float *d, uint64_t a, uint64_t b) {
  if constexpr (N == 128)
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {%0}, %1, %2, 1, 1, 1, 0, 0;" : "+f"(d[0]) : "l"(a), "l"(b));
  if constexpr (N == 64)
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0}, %1, %2, 1, 1, 1, 0, 0;" : "+f"(d[0]) : "l"(a), "l"(b));
}
template <int BN, int THREADS>
__global__ void __launch_bounds__(THREADS) chosen_width(float *out, uint64_t a, uint64_t b) {
  constexpr int consumers = THREADS / 128 - 1, width = BN / 2;
  constexpr int registers = consumers <= 2 ? 24 : 32;
  float d[4];
  if (threadIdx.x < 128) {
    warpgroup_reg_dealloc<registers>();
  } else {
    asm volatile("wgmma.fence.sync.aligned;");
    multiply_async<width>(d, a, b);
  }
  out[threadIdx.x] = d[0];
}
void narrow(float *out, uint64_t a, uint64_t b) { chosen_width<128, 384><<<64, 384>>>(out, a, b); }

// Two groups of warps run apart: what each does stands in functions, and one of them waits at a barrier of its own.
template <int BYTES> __device__ void fetch(uint64_t *full, float *stage, const float *a, int tile) {
  if (threadIdx.x % 128 == 0) {
    cuda::ptx::mbarrier_arrive_expect_tx(full, BYTES);
    SM90_BULK_COPY_G2S::copy(a + tile, stage, BYTES);
  }
}
__device__ void consume(float *d, uint64_t a, uint64_t b) {
  asm volatile("wgmma.fence.sync.aligned;");
  multiply_async<64>(d, a, b);
}
__global__ void apart(const float *a, float *out, uint64_t left, uint64_t right, int tiles) {
  __shared__ float stage[2048];
  __shared__ uint64_t full;
  const int group = threadIdx.x / 128;
  const int mine = blockIdx.x * tiles;
  float d[4];
  if (threadIdx.x == 0) cute::prefetch_tma_descriptor(a);
  if (group == 0) {
    fetch<8192>(&full, stage, a, mine);
  } else {
    cutlass::arch::NamedBarrier::arrive_and_wait(128, 1);
    consume(d, left, right);
  }
  if (mine < tiles) out[threadIdx.x] = d[0];
}
void run_apart(const float *a, float *out, uint64_t l, uint64_t r) { apart<<<64, 256>>>(a, out, l, r, 8); }

// Threads that share a row are no warp: what those beyond the rows do is no role of theirs.
__global__ void rows_of_threads(const float *a, float *out, uint64_t left, uint64_t right, int rows) {
  __shared__ uint64_t full;
  float d[4];
  const int row = threadIdx.x / 8;
  if (row < rows) {
    cuda::ptx::mbarrier_arrive_expect_tx(&full, 64);
    SM90_BULK_COPY_G2S::copy(a, out, 64);
  } else {
    consume(d, left, right);
  }
}

template <int N>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(N));
}

__device__ __forceinline__ void operands(unsigned (&a)[4], const void *from) {
  unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(from));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3]) : "r"(address));
}

template <int kDepth>
__global__ void deep_pipeline(const __nv_bfloat16 *in, float *out, int tiles) {
  extern __shared__ __nv_bfloat16 stages[];
  float d[4] = {};
  unsigned a[4] = {}, b[2] = {};
  for (int tile = 0; tile < tiles; tile++) {
    copy16(&stages[((tile + kDepth - 2) % kDepth) * 1024 + threadIdx.x * 8], in + (tile + kDepth - 2) * 1024 + threadIdx.x * 8);
    asm volatile("cp.async.commit_group;\n" ::);
    wait_for_copies<kDepth - 2>();
    __syncthreads();
    operands(a, &stages[(tile % kDepth) * 1024 + threadIdx.x * 8]);
    multiply(d, a, b);
  }
  wait_for_copies<0>();
  out[threadIdx.x] = d[0];
}
