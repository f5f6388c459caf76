// A source file that another one includes, after it defined the type: nothing is included here.
__global__ void scaled(number* out, const number* in) {
    out[blockIdx.x * blockDim.x + threadIdx.x] = 2 * in[blockIdx.x * blockDim.x + threadIdx.x];
}
