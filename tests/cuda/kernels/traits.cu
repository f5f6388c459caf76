// Structs that are written anew for some template arguments, and kernels of one name that are.
template <class T> struct Kind { using Type = T; };
template <> struct Kind<float> { using Type = double; };
template <class T> struct Vec { static constexpr int size = 0; };
template <> struct Vec<float> { using Type = float2; static constexpr int size = 2; };
template <> struct Vec<half> { using Type = uint2; static constexpr int size = 4; };
template <class T, int N> struct Store { T a[N]; };
template <class T> struct Store<T, 1> { T a; char tag; };
struct Storage { char elsewhere; };

template <class T, class Traits, int N> __global__ void specialised(T *x, const Store<float, 1> *one) {
  using Sum = library::Reduce<T, 128>;
  __shared__ typename Sum::Storage of_a_library;
  __shared__ typename Kind<T>::Type open[32];
  __shared__ typename Kind<float>::Type wide[8];
  __shared__ Store<half, 1> one_of_these[4];
  __shared__ typename Traits::Storage given;
  constexpr int step = Vec<T>::size;
  *reinterpret_cast<typename Vec<T>::Type *>(x + blockIdx.x * 512 + threadIdx.x * step) = {};
  x[threadIdx.x] = one[blockIdx.x].a;
}

template <class T> __global__ void named_twice(T *x) { x[threadIdx.x] = 0; }
template <> __global__ void named_twice(half2 *x) { x[2 * threadIdx.x] = {}; }  //! uncoalesced

template <class T> void run(T *x, float *f, half2 *h, Store<float, 1> *one, int n) {
  specialised<float, Storage, 3><<<n, 128>>>(f, one);
  named_twice<float><<<n, 64>>>(f);
  named_twice<half2><<<n, 128>>>(h);
  named_twice<T><<<n, 256>>>(x);
}

// Traits of a width that the launch leaves open, with constants that are named as the parameters are but for their ends.
template <int kRows_, typename T> struct shape_of { using element = T; };

template <int kRows_, int kWarps_, typename T = float, typename Base = shape_of<kRows_, T>>
struct shaped : public Base {
    static constexpr int kWarps = kWarps_;
    static constexpr int kThreads = kWarps * 32;
    static constexpr int kRows = kRows_;
};

template <typename Shape> __global__ void by_shape(float* x) {
    constexpr int kWarps = Shape::kWarps;
    constexpr int kThreads = Shape::kThreads;
    x[blockIdx.x * kThreads + threadIdx.x] = kWarps;
}

template <typename Shape> void run_by_shape(float* x) { by_shape<Shape><<<4, 128>>>(x); }

template <int Rows, int Warps> void run_shaped(float* x) { run_by_shape<shaped<Rows, Warps>>(x); }

// A struct that seems to hold itself, because one of another namespace has its name.
#include "traits.cuh"

namespace outer { struct Pair { inner::Pair first; int last; }; }
struct Pairs { outer::Pair pair; int last; };

__global__ void by_pairs(const Pairs* x, float* y) {
    __shared__ float last[32];
    last[threadIdx.x] = x[threadIdx.x].last;
    y[threadIdx.x] = last[31 - threadIdx.x];
}
