// Grid and block that branches before the launch set: a launch for each way through them.
__global__ void copy(float *out, const float *in, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) out[i] = in[i];
}

__global__ void copy_bounded(float *out, const float *in, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) out[i] = in[i];
}

__global__ void copy_by_size(float *out, const float *in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i];
}

__global__ void copy_in_place(float *out, const float *in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i];
}

void by_members(float *out, const float *in, int m, int n) {
    dim3 block, grid;
    if (n / 4 <= 1024) {
        block.x = n / 4;
        grid.x = m;
    } else {
        block.x = 1024;
        grid.x = ceil(m * n / 1024.);
    }
    copy<<<grid, block>>>(out, in, m * n);
}

void bounded(float *out, const float *in, int n) {
    dim3 grid((n + 127) / 128);
    if (grid.x > 65535) {
        grid.x = 65535;
    }
    copy_bounded<<<grid, 128>>>(out, in, n);
}

void by_size(float *out, const float *in, int n) {
    int threads = 1024;
    if (n < 4096)
        threads = 128;
    else if (n < 65536)
        threads = 256;
    copy_by_size<<<(n + threads - 1) / threads, threads>>>(out, in, n);
}

// The launch is in the branch itself, and another one does not lead to it.
void in_the_branch(float *out, const float *in, int n, bool wide) {
    dim3 block(256), grid((n + 255) / 256);
    if (wide) {
        block.x /= 2;
        grid.x = (n + 127) / 128;
        copy_in_place<<<grid, block>>>(out, in, n);
    } else {
        copy_in_place<<<grid, block>>>(out, in, n);
    }
}

// A division that rounds up by what is left, and a grid of which one number depends on what nobody knows.
#define PARTS(m, n) ((m) / (n) + ((m) % (n) > 0))
__global__ void copy_in_parts(float *out, const float *in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i];
}

void in_parts(float *out, const float *in, int m, int n, bool both) {
    dim3 blocks(PARTS(n, 256)), grid;
    copy_in_parts<<<blocks, 256>>>(out, in, n);
    grid.x = m;
    grid.y = n;
    grid.z = both ? 2 : 1;
    copy_in_parts<<<grid, 256>>>(out, in, n);
}

// Only one of the two branches is ever taken: the second launch has 128 threads.
template <int D>
__global__ void __launch_bounds__(128) prepared(float *out) { out[threadIdx.x] = D; }
__global__ void worked(float *out) { out[threadIdx.x] = 1; }
void in_turn(float *out, int width) {
    auto threads = 128;
    if (width == 64) {
        prepared<64><<<1, threads>>>(out);
        threads = 384;
        worked<<<1, threads>>>(out);
    }
    if (width == 128) {
        prepared<128><<<1, threads>>>(out);
    }
}
