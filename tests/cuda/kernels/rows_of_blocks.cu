// Blocks whose size only the run knows: their tiles are told in their own words, and a block of rows is no single row.
__global__ void rows(const float* __restrict__ in, float* __restrict__ out, int n, int c) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= n) return;
    for (int i = threadIdx.x; i < c; i += 32) {
        out[row * c + i] = 2.0f * in[row * c + i];
    }
}

__global__ void one_row(const float* in, float* out, int c) {
    extern __shared__ float held[];
    float most = 0.0f;
    for (int i = threadIdx.x; i < c; i += blockDim.x) most = fmaxf(most, in[blockIdx.x * c + i]);
    held[threadIdx.x] = most;
    __syncthreads();
    for (int i = threadIdx.x; i < c; i += blockDim.x) out[blockIdx.x * c + i] = in[blockIdx.x * c + i] - held[0];
}

// What CUDA defines for numbers itself is not the file's own of that name, which is for another type.
struct alignas(2) Tiny { unsigned short bits; };
__device__ Tiny __ldcs(const Tiny* from) { return Tiny{__ldcs(reinterpret_cast<const unsigned short*>(from))}; }
__device__ void __stcs(Tiny* to, Tiny value) { for (int i = 0; i < 1; i++) to[i] = value; }
__device__ float twice(const float* x) { return 2.0f * *x; }
__device__ int twice(const int* x) { return 2 * *x; }

__global__ void streamed(float* out, const float* in, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) __stcs(out + i, __ldcs(in + i) + twice(in));
}

// Arrays of a thread are those of the functions that it runs, too; tensors come by descriptor.
template <int N>
__device__ void work(float* out, const float* in) {
    float own[N];
    for (int i = 0; i < N; ++i) own[i] = in[threadIdx.x + 32 * i];
    for (int i = 0; i < N; ++i) out[threadIdx.x + 32 * i] = own[i];
}
__global__ void wraps(const __grid_constant__ CUtensorMap map, float* out, const float* in) { work<4>(out, in); }

// Each element of a tile is read by so many threads, where the loads leave none out.
template <int N>
__global__ void product(const float* a, const float* b, float* c, int k) {
    __shared__ float left[N * N], right[N * N], scale[N];
    const int row = threadIdx.x / N, column = threadIdx.x % N;
    float sum = 0.0f;
    for (int begin = 0; begin < k; begin += N) {
        left[row * N + column] = a[row * k + begin + column];
        right[row * N + column] = b[(begin + row) * N + column];
        scale[column] = a[begin];
        __syncthreads();
        for (int i = 0; i < N; ++i) sum += left[row * N + i] * right[i * N + column] * scale[0];
        __syncthreads();
    }
    c[row * N + column] = sum;
}

void run(const float* in, float* out, int n, int c, int threads, CUtensorMap map) {
    rows<<<(n + threads / 32 - 1) / (threads / 32), dim3(32, threads / 32)>>>(in, out, n, c);
    one_row<<<n, threads, threads * sizeof(float)>>>(in, out, c);
    streamed<<<(n + 255) / 256, 256>>>(out, in, n);
    wraps<<<1, 32>>>(map, out, in);
    product<16><<<1, 256>>>(in, in, out, n);
}
