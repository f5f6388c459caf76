// Attributes may stand before `__global__`; what a comment says of them counts for nothing.
#define THREADS 256
#define BLOCKS 2

__launch_bounds__(THREADS)
__global__ void attribute_first(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i];
}

// __launch_bounds__(64)
__global__ void attribute_in_a_comment(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i];
}

// Three floats are loaded one by one: no vector.
template <typename T>
__launch_bounds__(THREADS, BLOCKS) __global__ void lengths(const T *points, T *out, int n) {
    const float3 *p = (const float3 *)points;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float3 a = p[i];  //! uncoalesced "33 %"
        out[i] = a.x + a.y + a.z;
    }
}

void launch(const float *x, float *y, int n) {
    attribute_first<<<(n + THREADS - 1) / THREADS, THREADS>>>(x, y, n);
    attribute_in_a_comment<<<(n + THREADS - 1) / THREADS, THREADS>>>(x, y, n);
    lengths<float><<<(n + THREADS - 1) / THREADS, THREADS>>>(x, y, n);
}
