// What a kernel's text may be made of: functions within it, switches, loops over elements, waits, several names at once.
struct Tile { int rows, cols; };
template <int N, class F> __device__ void static_for(F f) { for (int i = 0; i < N; ++i) f(i); }
struct Pair { float a, b; __device__ Pair(float x, float y) : a(x), b(y) {} };
enum class Op { Add, Mul };
template <int N>
__global__ void forms(const float* x, float* y, int n, Op op, int mode) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  auto load = [&](int i, bool pred = true) {
    if (pred) {
      float v = x[i * N + t];
      tile[t] = v;
    }
    __syncthreads();
  };
  auto twice = [](float v) { return 2.f * v; };
  load(0);
  switch (mode) {
    case 0:
      y[t] = tile[t];
      break;
    case 1: {
      float s = twice(tile[255 - t]);
      y[t] = s;
      break;
    }
    default:
      y[t] = 0.f;
  }
  static_for<4>([&](auto i) {
    y[i * 256 + t] = tile[(t + i) % 256];
  });
  float acc[4] = {0};
  for (float& a : acc) a += tile[t];
  int steps = 0;
  do {
    n--;
    steps++;
    acc[0] += x[n];
  } while (n > 0);
  float m = [&] { float best = -1e30f; for (int i = 0; i < 4; ++i) best = fmaxf(best, acc[i]); return best; }();
  if (op == Op::Add) { y[t] += m; } else if (op == Op::Mul) { y[t] *= m; } else { y[t] = m > 0 ? m : -m; }
  if (int k = n / 2; k > 3) { y[k] = 1.f; }
  auto [r, c] = Tile{t / 16, t % 16};
  y[r * 16 + c] = m * steps;
  const float* rows[2] = {x, x + n};
  while (atomicCAS(reinterpret_cast<int*>(y), 0, 1) != 0);
  y[t] += rows[t % 2][t];
  Pair pair(m, y[t]);
  y[t] = pair.a;
  goto done;
done:
  atomicAdd(y + n, m);
}
void launch(const float* x, float* y, int n) { forms<8><<<n, 256>>>(x, y, n, Op::Add, 1); }
__global__ void stepped(const float* x, float* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x, step = blockDim.x * gridDim.x; i < n; i += step) y[i] = x[i];
}
