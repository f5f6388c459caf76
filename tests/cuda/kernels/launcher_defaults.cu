// A host template whose last argument nobody gives: it is the default where the launch is judged.
template <typename T, int THREADS>
__global__ void spread(const T* in, T* out, int n) {
    for (int i = threadIdx.x * 2; i < n; i += THREADS * 2)
        out[i + THREADS % 2] =  //! uncoalesced "50 %"
            in[i];  //! uncoalesced "50 %"
}

template <typename T, int THREADS = 128>
void launch_spread(const T* in, T* out, int n) {
    spread<T, THREADS><<<1, THREADS>>>(in, out, n);
}

void run(const float* in, float* out, const double* ind, double* outd, int n) {
    launch_spread<float>(in, out, n);
    launch_spread<double>(ind, outd, n);
}

// What is moved is a vector that a trait chooses; the block is a default that nobody changes.
template <typename T, int N> struct Packed {};
template <> struct Packed<float, 4> { using Type = float4; };

template <typename T, int THREADS>
__global__ void copy_packed(const T* in, T* out) {
    using Vec = typename Packed<T, 4>::Type;
    reinterpret_cast<Vec*>(out)[threadIdx.x] = reinterpret_cast<const Vec*>(in)[threadIdx.x];
}

template <typename T, int ROWS, int THREADS = 128>
void launch_packed(const T* in, T* out) {
    copy_packed<T, THREADS><<<ROWS, THREADS>>>(in, out);
}

void run_packed(const float* in, float* out) {
    launch_packed<float, 2>(in, out);
    launch_packed<float, 4>(in, out);
}
