// Launches by objects that hold grid and block: what their constructors hand on is told, what they compute is not.
struct Config {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

class Launch {
 public:
  Launch(dim3 blocks, dim3 threads, cudaStream_t stream, size_t bytes = 0) noexcept
      : config_(configured(blocks, threads, stream, bytes)) {}

  Launch &dependent(bool enabled = true) { return *this; }

  template <class Kernel, class... Args> void operator()(Kernel &&kernel, Args &&...args) const {
    check(cudaLaunchKernelEx(&config_, kernel, std::forward<Args>(args)...));
  }

 private:
  static cudaLaunchConfig_t configured(dim3 blocks, dim3 threads, cudaStream_t stream, size_t bytes) {
    auto config = cudaLaunchConfig_t{};
    config.gridDim = blocks;
    config.blockDim = threads;
    config.dynamicSmemBytes = bytes;
    config.stream = stream;
    return config;
  }

  cudaLaunchConfig_t config_;
};

class Rows {
 public:
  Rows(int rows, int threads) : rows_(rows), threads_(threads), halves_(rows / 2) {}

  template <class Kernel> void run(Kernel kernel, float *x) { kernel<<<rows_, threads_>>>(x); }
  template <class Kernel> void run_half(Kernel kernel, float *x) { kernel<<<halves_, threads_>>>(x); }

 private:
  int rows_, threads_, halves_;
};

template <int N> __global__ void scale(float *x) { x[blockIdx.x * blockDim.x + threadIdx.x] *= N; }

void by_call(float *x, int n, cudaStream_t stream) {
  constexpr int kThreads = 128;
  Launch(n / kThreads, kThreads, stream)(scale<1>, x);
  Launch(dim3(n / 256, 2), 256, stream, 1024).dependent()(scale<2>, x);
}

void by_variable(float *x, int n) {
  Rows rows(n, 64);
  rows.run(scale<3>, x);
  rows.run_half(scale<4>, x);
}

template <int N> struct Scaling {
  static constexpr auto kernel = scale<N>;

  static void run(float *x, int n, cudaStream_t stream) { Launch(n, 32, stream)(kernel, x); }
};
