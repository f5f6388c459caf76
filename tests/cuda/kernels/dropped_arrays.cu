// Shared arrays in branches that template arguments decide: an instance has those that it takes only.
#include <type_traits>

template <int N>
__device__ float first_of(float v) {
    __shared__ float held[N];
    held[threadIdx.x] = v;
    __syncthreads();
    return held[0];
}

// No launch takes the branch: its array is nowhere.
template <bool WIDE>
__global__ void never(float* o) {
    __shared__ float a[32];
    a[threadIdx.x] = o[threadIdx.x];
    if constexpr (WIDE) {
        __shared__ float b[36];
        b[threadIdx.x] = a[0];
        o[1] = b[2];
    }
    o[0] = a[1];
}

// Some launches do: bytes are told by instance.
template <bool WIDE>
__global__ void sometimes(float* o) {
    __shared__ float a[32];
    a[threadIdx.x] = o[threadIdx.x];
    if constexpr (WIDE) {
        __shared__ float b[36];
        b[threadIdx.x] = a[0];
        o[1] = b[2];
    }
    o[0] = a[1];
}

// The type decides.
template <typename T>
__global__ void by_type(T* o) {
    if constexpr (std::is_same_v<T, float>) {
        __shared__ T b[36];
        b[threadIdx.x] = o[0];
        o[1] = b[2];
    }
}

// Nobody launches these: one condition gives two sums, several give a range, what the run decides gives none.
template <bool WIDE>
__global__ void either_way(float* o, int n) {
    __shared__ float a[32];
    a[threadIdx.x] = o[threadIdx.x];
    if constexpr (WIDE) {
        __shared__ float b[36];
        b[threadIdx.x] = a[0];
        o[1] = b[2];
    } else {
        __shared__ float c[40];
        c[threadIdx.x] = a[0];
        o[1] = c[2];
    }
    if (n > 3) {
        __shared__ float d[4];
        d[threadIdx.x & 3] = a[0];
        o[2] = d[1];
    }
    o[0] = a[1];
}

template <bool WIDE, int MODE>
__global__ void called(float* o) {
    if (MODE > 2 && o) o[1] = first_of<32>(o[2]);
    if constexpr (WIDE) o[0] = first_of<64>(o[1]);
    if constexpr (MODE == 1) o[0] = first_of<128>(o[1]);
    else o[0] = first_of<128>(o[2]);
}

template <int N, bool WIDE, bool DEEP>
__global__ void sized(float* o) {
    __shared__ float a[N];
    a[threadIdx.x] = o[threadIdx.x];
    if constexpr (WIDE) {
        __shared__ float b[2 * N];
        if (DEEP) {
            __shared__ float c[3 * N];
            c[threadIdx.x] = a[0];
            b[1] = c[0];
        }
        o[1] = b[2];
    }
    o[0] = a[1];
}

void run(float* o, double* d) {
    never<false><<<1, 32>>>(o);
    sometimes<false><<<1, 32>>>(o);
    sometimes<true><<<1, 32>>>(o);
    by_type<float><<<1, 32>>>(o);
    by_type<double><<<1, 32>>>(d);
}
