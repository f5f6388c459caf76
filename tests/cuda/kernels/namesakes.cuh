// A library of wrappers: functions of one name in several namespaces, and a launch of whatever kernel it is given.
struct Plain {
  template <class T> __device__ static void fetch(T *to, const T *from) { *to = *from; }
};
namespace wait {
template <class T> __device__ void fetch(T *to, const T *from) { *to = *from; }
}  // namespace wait
namespace async {
template <class T> __device__ void fetch(T *to, const T *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from));
}
}  // namespace async

struct Barrier {
  unsigned long long word;
};

template <auto step> void launch_any(float *x, int n) { step<<<7, 64>>>(x, n); }

inline void configure(int n, dim3 &grid, dim3 &block) {
  block.x = n < 256 ? n : 256;
  grid.x = (n + block.x - 1) / block.x;
}

struct Where {
  dim3 grid, block;
  size_t bytes;
  Where(dim3 blocks, int threads) : grid(blocks), block(threads), bytes(4 * threads) {}
};
template <class K, class... A> void launch(K kernel, const Where &where, A... args) {
  kernel<<<where.grid, where.block, where.bytes>>>(args...);
}

constexpr int blocks_for(int n, int threads = 128) { return (n + threads - 1) / threads; }
template <class K, class... A> void launch_linear(K kernel, int count, A... args) {
  kernel<<<blocks_for(count), 128>>>(args...);
}

// Hands on all that it is given, the rest of it too.
template <class Kernel, class Count, class... Rest> void launch_each(Kernel kernel, Count count, Rest... rest) {
  kernel<<<blocks_for(count), 128>>>(count, rest...);
}
