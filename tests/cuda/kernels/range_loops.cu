// Loops over objects: an iterator that goes on by the same amount is followed, another one is said not to be.
template <typename T>
struct GridWalk {
    struct Iterator {
        T at, step;
        __device__ Iterator(T at, T step) : at(at), step(step) {}
        __device__ T operator*() const { return at; }
        __device__ Iterator &operator++() {
            at += step;
            return *this;
        }
        __device__ bool operator!=(const Iterator &other) const { return at < other.at; }
    };
    T end_;
    __device__ GridWalk(T end) : end_(end) {}
    __device__ Iterator begin() const {
        return Iterator(blockIdx.x * blockDim.x + threadIdx.x, gridDim.x * blockDim.x);
    }
    __device__ Iterator end() const { return Iterator(end_, 0); }
};

struct Doubling {
    struct Iterator {
        int at;
        __device__ Iterator(int at) : at(at) {}
        __device__ int operator*() const { return at; }
        __device__ Iterator &operator++() {
            at *= 2;
            return *this;
        }
        __device__ bool operator!=(const Iterator &other) const { return at < other.at; }
    };
    int end_;
    __device__ Doubling(int end) : end_(end) {}
    __device__ Iterator begin() const { return Iterator(threadIdx.x + 1); }
    __device__ Iterator end() const { return Iterator(end_); }
};

__global__ void walks(const float *x, float *y, int n) {
    for (int i : GridWalk<int>(n)) y[i] = x[i];
}

__global__ void doubles(const float *x, float *y, int n) {
    for (int i : Doubling(n)) y[i] = x[i];
}

__global__ void unseen(const float *x, float *y, int n) {
    for (int i : elsewhere::strided_range(n)) y[i] = x[i];
}

void launch(const float *x, float *y, int n) {
    walks<<<64, 256>>>(x, y, n);
    doubles<<<1, 256>>>(x, y, n);
    unseen<<<64, 256>>>(x, y, n);
}
