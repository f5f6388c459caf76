// A host template whose last argument nobody gives: it is the default where the launch is judged.
template <typename T, int THREADS>
__global__ void spread(const T* in, T* out, int n) {
    for (int i = threadIdx.x * 2; i < n; i += THREADS * 2) out[i + THREADS % 2] = in[i];
}

template <typename T, int THREADS = 128>
void launch_spread(const T* in, T* out, int n) {
    spread<T, THREADS><<<1, THREADS>>>(in, out, n);
}

void run(const float* in, float* out, const double* ind, double* outd, int n) {
    launch_spread<float>(in, out, n);
    launch_spread<double>(ind, outd, n);
}
