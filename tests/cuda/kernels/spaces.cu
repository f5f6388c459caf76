// One name in two namespaces, in two classes, in two functions: each means what stands around it.
#include "spaces.cuh"

namespace small {
constexpr int kTile = 32;
enum Mode { kWide = 1 };
using Element = float;
struct Storage { float rows[kTile]; };
template <typename T>
struct Pack {
    T data[2];
    struct Half { T data[1]; };
};
__device__ int place(int i) { return i; }

__global__ void scale(const float* x, Element* out) {
    __shared__ Storage storage;
    __shared__ Element tile[kTile * kWide];
    storage.rows[threadIdx.x] = x[place(threadIdx.x)];
    tile[threadIdx.x] = 0;
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x] + storage.rows[threadIdx.x];
}
}  // namespace small

namespace little = small;

__global__ void qualified(const float* x, small::Pack<float>* packs) {
    using large::kTile;
    __shared__ large::Storage a;
    __shared__ little::Storage b;
    __shared__ float c[small::kTile + 2 * kTile + large::Mode::kWide];
    __shared__ large::Pack<float>::Half d;
    a.rows[threadIdx.x] = x[large::place(threadIdx.x)];
    b.rows[threadIdx.x] = x[little::place(threadIdx.x)];
    c[threadIdx.x] = d.data[threadIdx.x & 3] = packs[threadIdx.x].data[0];
}

__global__ void opened(const float* x) {
    using namespace small;
    __shared__ Storage a;
    using Mine = Pack<double>;
    __shared__ Mine b;
    a.rows[threadIdx.x] = b.data[threadIdx.x & 1] = x[place(threadIdx.x)];
}

__global__ void taken(const float* x) {
    using large::Storage;
    __shared__ Storage a;
    a.rows[threadIdx.x] = x[threadIdx.x];
}

// Nobody says which of the two is meant.
MACRO_THAT_OPENS_ONE
__global__ void undecided(const float* x) {
    __shared__ Storage a;
    __shared__ float b[kTile];
    a.rows[threadIdx.x] = b[threadIdx.x] = x[place(threadIdx.x)];
}

// No workspace holds `std`: its array is none of those that are called so here.
namespace small { struct array { float x[1]; }; }
__global__ void of_library() {
    __shared__ std::array<float, 4> a;
    a[threadIdx.x & 3] = 0;
}

namespace {
struct Hidden { float a[4]; };
}
namespace outer {
namespace {
struct Hidden { float a[40]; };
}
inline namespace v2 {
constexpr int kHidden = 40;
}
__global__ void unnamed() {
    __shared__ Hidden a;
    __shared__ float b[kHidden];
    a.a[threadIdx.x] = b[threadIdx.x] = 0;
}
}  // namespace outer

struct Forward {
    struct Storage { float a[16]; };
    static constexpr int kRows = 8;
};
struct Backward {
    struct Storage { float a[64]; };
    static constexpr int kRows = 24;
};
enum class Kind { kWide = 7 };

__global__ void of_classes() {
    __shared__ Backward::Storage a;
    __shared__ Forward::Storage b;
    __shared__ float c[Backward::kRows + static_cast<int>(Kind::kWide)];
    a.a[threadIdx.x] = b.a[threadIdx.x & 15] = c[threadIdx.x & 15] = 0;
}

__global__ void one_of_its_own() {
    struct Local { float a[4]; };
    __shared__ Local a;
    a.a[threadIdx.x] = 0;
}

template <int N>
__global__ void another_of_its_own() {
    struct Local { double a[2 * N]; };
    __shared__ Local a;
    a.a[threadIdx.x] = 0;
}

void run(float* x, double* y) {
    small::scale<<<1, 32>>>(x, x);
    large::scale<<<2, 64>>>(y, y);
    auto held = &little::scale;
    held<<<3, 32>>>(x, x);
    another_of_its_own<8><<<1, 16>>>();
}
