// Helpers, methods, structs and constants of one name in two namespaces or classes.
namespace near {
constexpr int kStep = 1;
struct Row { float a[2]; };
struct Walk {
  __device__ int at(int i) const;
};
__device__ int Walk::at(int i) const { return i; }
template <int N> __device__ float pick(const float *x, int i) { return x[i]; }
__device__ float key(const Row *row) { return row[threadIdx.x].a[0]; }
}  // namespace near

namespace far {
constexpr int kStep = 8;
struct Row { float a[8]; };
struct Walk {
  __device__ int at(int i) const;
};
__device__ int Walk::at(int i) const { return kStep * i; }
struct Sidewalk {
  __device__ int at(int i) const { return 4 * i; }
};
template <int N> __device__ float pick(const float *x, int i) { return x[N * i]; }
__device__ float key(const Row *row) { return row[0].a[threadIdx.x]; }

//@ block 32
__global__ void inside(float *y, const float *x, Row *rows) {
  Walk walk;
  y[walk.at(threadIdx.x)] = pick<4>(x, threadIdx.x);  //: x load via pick: uncoalesced (strided, 16 bytes stride, 25 % of sectors used) | y store: uncoalesced (strided, 32 bytes stride, 12 % of sectors used)
  rows[threadIdx.x].a[0] = x[kStep * threadIdx.x];  //: x load: uncoalesced (strided, 32 bytes stride, 12 % of sectors used) | rows store: uncoalesced (strided, 32 bytes stride, 12 % of sectors used)
}
}  // namespace far

//@ block 32
__global__ void outside(float *y, const float *x, near::Row *rows, far::Row *wide) {
  near::Walk walk;
  far::Sidewalk aside;
  y[walk.at(threadIdx.x)] = near::pick<4>(x, threadIdx.x);  //: x load via pick: coalesced (stride 1, 4 bytes/lane) | y store: coalesced (stride 1, 4 bytes/lane)
  rows[threadIdx.x].a[0] = x[aside.at(threadIdx.x)];  //: x load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used) | rows store: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  y[threadIdx.x] = key(wide);  //: wide load via key: coalesced (stride 1, 4 bytes/lane) | y store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 32
__global__ void by_argument(float *y, near::Row *rows) {
  y[threadIdx.x] = key(rows);  //: rows load via key: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | y store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 32
__global__ void undecided(float *y, const float *x) {
  y[threadIdx.x] = pick<4>(x, threadIdx.x);  //: y store: coalesced (stride 1, 4 bytes/lane)
}

template <int N> struct Shape {
  static constexpr int kWidth = 2 * N;
  struct Line { float a[kWidth]; };
};

//@ block 32
__global__ void nested(Shape<4>::Line *lines) {
  struct Pair { Shape<2>::Line first, second; };
  lines[threadIdx.x].a[0] = 0;  //: lines store: uncoalesced (strided, 32 bytes stride, 12 % of sectors used)
  reinterpret_cast<Pair *>(lines)[threadIdx.x].second.a[0] = 0;  //: lines store: uncoalesced (strided, 32 bytes stride, 12 % of sectors used)
}
