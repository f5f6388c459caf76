// Addresses that a table holds as numbers: lanes that read one entry have one address.
struct Cache {
    long long *data;
    int blocks, tokens;
    __device__ void *block(int sequence, int token) const {
        return reinterpret_cast<void *>(data[sequence * blocks + token / tokens]);
    }
};

__global__ void quantize(Cache cache, const int *padding, const int *lengths, const float *x, int n, int width) {
    for (int token = blockIdx.x * blockDim.y + threadIdx.y; token < n; token += gridDim.x * blockDim.y) {
        const int padded = token + padding[token];
        const int sequence = padded / width;
        auto codes = reinterpret_cast<signed char *>(cache.block(sequence, lengths[sequence]));
        float *scale = reinterpret_cast<float *>(codes + cache.tokens * 128);
        if (threadIdx.x == 0) *scale = 1.0f;
        __syncthreads();
        codes[threadIdx.x] = (signed char)(x[token * 32 + threadIdx.x] * *scale);
    }
}

// Each lane has an entry of its own here.
__global__ void scatter(Cache cache, const float *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) *reinterpret_cast<float *>(cache.block(i, 0)) = x[i];
}

void launch(Cache cache, const int *padding, const int *lengths, const float *x, int n, int width) {
    quantize<<<n, dim3(32, 4)>>>(cache, padding, lengths, x, n, width);
    scatter<<<n, 128>>>(cache, x, n);
}
