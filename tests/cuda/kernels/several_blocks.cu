// Launched with blocks of several sizes; how large what they share is, is the secret of a library.
#include <library/sorting.cuh>

__global__ void sorted(int *out, const int *in) {
    __shared__ library::Scratch scratch;
    out[blockIdx.x * blockDim.x + threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
}

void launch(int *out, const int *in) {
    sorted<<<8, 64>>>(out, in);
    sorted<<<8, 128>>>(out, in);
}
