// What is handed to code that only a launch knows is not followed, and nothing is said to be absent from it.
struct Reverse {
    __device__ void operator()(const float *x, float *y) const {
        __shared__ float tile[256];
        tile[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
        y[threadIdx.x] = tile[255 - threadIdx.x];
    }
};

template <typename Work, typename... T>
__global__ void run_work(T... args) {
    Work()(args...);
}

template <typename Work>
__global__ void run_on(const float *x, float *y) {
    Work()(x, y);
}

void launch(const float *x, float *y) {
    run_work<Reverse, const float *, float *><<<1, 256>>>(x, y);
    run_on<Reverse><<<1, 256>>>(x, y);
}
