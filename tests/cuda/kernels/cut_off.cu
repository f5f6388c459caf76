// A kernel that somebody is just typing, and one whose shared memory an allocator deals out.
struct Carver {
  char *at;
  __device__ explicit Carver(char *begin) : at(begin) {}
  template <class T> __device__ T *take(int count) {
    T *found = reinterpret_cast<T *>(at);
    at += count * sizeof(T);
    return found;
  }
};

__global__ void carved(const float *in, float *out) {
  extern __shared__ char raw[];
  Carver carver(raw);
  float *first = carver.take<float>(256);
  float *second = carver.take<float>(256);
  first[threadIdx.x] = in[threadIdx.x];
  second[threadIdx.x * 2] = first[0];  //! bank-conflict "2 lanes" "raw"
  __syncthreads();
  out[threadIdx.x] = second[threadIdx.x];
}

__global__ void dealt_out(const float *in, float *out) {
  extern __shared__ int bytes[];
  Elsewhere pool((int *)&bytes[0]);
  auto &tile = pool.allocate<Tile>();
  tile.rows[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = tile.rows[0];
}

void run(const float *in, float *out) {
  carved<<<1, 128, 2048>>>(in, out);
  dealt_out<<<1, 128, 4096>>>(in, out);
}

__global__ void half_typed(const float *in, float *out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    out[i] = in[i];
