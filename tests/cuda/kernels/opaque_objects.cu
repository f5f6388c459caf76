// An object of a type that a template argument tells gets shared memory: what its methods do there is not known.
template <typename Traits>
__global__ void averaged(const float *in, float *out) {
    using Stats = typename Traits::Stats;
    extern __shared__ char scratch[];
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    Stats stats(blockIdx.x, threadIdx.x, scratch);
    float mine[1] = {in[i]};
    out[i] = stats.template compute<1>(mine);
}

template <typename Traits>
void launch(const float *in, float *out) { averaged<Traits><<<8, 128, 1024>>>(in, out); }
