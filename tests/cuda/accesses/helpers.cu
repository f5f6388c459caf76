// Accesses behind functions, methods, lambdas, references, structs of pointers, inline PTX.

template <class T> struct alignas(16) Pack {
  static constexpr int size = 16 / sizeof(T);
  T payload[size];
  __device__ T &operator[](int i) { return payload[i]; }
};
template <class T> __device__ Pack<T> load_pack(const T *address) {
  return *reinterpret_cast<const Pack<T> *>(address);
}
template <class T> __device__ void store_pack(T *target, Pack<T> value) {
  *reinterpret_cast<Pack<T> *>(target) = value;
}
typedef Pack<float> pack;

//@ block 256
__global__ void packs(float *out, const float *in) {
  int idx = (blockIdx.x * blockDim.x + threadIdx.x) * pack::size;
  pack value = load_pack(in + idx);  //: in load via load_pack: coalesced (stride 1, 16 bytes/lane)
  pack result;
  for (int k = 0; k < value.size; ++k) result[k] = value[k] * 2.0f;
  store_pack(out + idx, result);  //: out store via store_pack: coalesced (stride 1, 16 bytes/lane)
}

struct Params {
  const float *weights;
  float *result;
  int stride;
};
__device__ int flat(int row, int col, int ld) { return row * ld + col; }

//@ block 64
__global__ void structured(Params p, const int *indices) {
  auto at = [&](int i) { return p.stride * blockIdx.x + i; };
  int lane = threadIdx.x & 31;
  p.result[at(threadIdx.x)] = p.weights[flat(threadIdx.x, 3, p.stride)];  //: p.weights load: uncoalesced unless p.stride is 1 (strided, 4*p.stride bytes stride, 12 % of sectors used for p.stride ≥ 8) | p.result store: coalesced (stride 1, 4 bytes/lane, if p.stride is a multiple of 8)
  const float &w = p.weights[lane];
  int row = indices[threadIdx.x];  //: indices load: coalesced (stride 1, 4 bytes/lane)
  float gathered = p.weights[row * p.stride] + w;  //: p.weights load: scattered (data-dependent: an index comes from memory (indices[…])) | p.weights (as w) load: coalesced (stride 1, 4 bytes/lane)
  p.result[flat(row, lane, p.stride)] = gathered;  //: p.result store: scattered (data-dependent: an index comes from memory (indices[…]))
  int same = indices[blockIdx.x];  //: indices load: broadcast (4 bytes)
  p.result[same * p.stride + threadIdx.x] = __ldg(p.weights + same);  //: p.weights load: broadcast (4 bytes) | p.result store: coalesced (stride 1, 4 bytes/lane, if p.stride is a multiple of 8)
}

__device__ void copy16(void *smem, const void *glob) {
  unsigned int address = static_cast<unsigned int>(__cvta_generic_to_shared(smem));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(address), "l"(glob));
}

//@ block 128
__global__ void staged(const char *in, float *out, int rows) {
  extern __shared__ __align__(16) char raw[];
  float *first = reinterpret_cast<float *>(raw);
  float *second = first + 1024;
  copy16(first + threadIdx.x * 4, in + threadIdx.x * 16);  //: in load via copy16: coalesced (stride 1, 16 bytes/lane) | raw store via copy16: conflict-free
  second[threadIdx.x * 2] = first[threadIdx.x * 8];  //: raw (as first) load: 8-way bank conflict | raw (as second) store: 2-way bank conflict
  unsigned int x;
  asm("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(x) : "r"((unsigned int)__cvta_generic_to_shared(raw + (threadIdx.x % 8) * 64)));  //: raw load: 4-way bank conflict
  out[threadIdx.x] = second[rows + threadIdx.x];  //: out store: coalesced (stride 1, 4 bytes/lane) | raw (as second) load: conflict-free
}

struct Point { float x, y, z, w; };
//@ block 128
__global__ void points(const Point *p, const float4 *q, float *out, double *wide, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float sum = p[i].x + p[i].w;  //: p load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  float4 v = q[i];  //: q load: coalesced (stride 1, 16 bytes/lane)
  out[i + 1] = sum + v.x + q[i].y;  //: q load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used) | out store: partially coalesced (misaligned, 5 sectors for 4, 4 bytes/lane)
  out[2 * i] = v.y;  //: out store: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  wide[i] = v.z;  //: wide store: coalesced (stride 1, 8 bytes/lane)
}

class View {
 public:
  const half *data;
  const int width;
  __device__ View(const half *data, int width) : data(data), width{width} {}
  __device__ half item(int row, int column) const { return data[row * width + column]; }
};
#define real double
//@ block 128
__global__ void viewed(const half *x, real *y, const int *rows, int width, bool first) {
  View view(x, width);
  const half *source = first ? x : x + 1024;
  y[threadIdx.x] = view.item(blockIdx.x, threadIdx.x);  //: x load via item: coalesced (stride 1, 2 bytes/lane, if width is a multiple of 16) | y store: coalesced (stride 1, 8 bytes/lane)
  y[threadIdx.x] = view.item(rows[threadIdx.x / 16], threadIdx.x % 16);  //: rows load: coalesced (4 bytes/lane) | x load via item: coalesced (2 bytes/lane, if width is a multiple of 16) | y store: coalesced (stride 1, 8 bytes/lane)
  y[threadIdx.x] = source[threadIdx.x];  //: x (as source) load: coalesced (stride 1, 2 bytes/lane) | y store: coalesced (stride 1, 8 bytes/lane)
}

//@ block 128
__global__ void steps_in_inner_loops(const float *x, float *y, int n) {
  const float *p = x + threadIdx.x;
  int column = threadIdx.x;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < 4; ++j) {
      p = p + (n > 3 ? 128 : 256);
      y[threadIdx.x] = *p;  //: x (as p) load: coalesced (stride 1, 4 bytes/lane) | y store: coalesced (stride 1, 4 bytes/lane)
    }
    for (int j = 0; j < 4; ++j) {
      column = column * 2;
      y[column] = x[column];  //: x load: not known: column changes in a loop in a way that differs by lane | y store: not known: column changes in a loop in a way that differs by lane
    }
  }
}

template <class T> struct Held { T value; };
template <class T> struct Named { T name; };
struct Tag {};
template <class A, class B> struct Both : A, B {};
struct Particle : Tag, Both<Held<float>, Named<double>> {
  float weight;
};
template <class A, class B> struct Nest : A, B {};
struct Nested : Nest<Held<float>, Nest<Named<int>, Held<double>>> {
  float weight;
};

//@ block 64
__global__ void derived_from_many(Particle *particles, Nested *nested, float *out) {
  out[threadIdx.x] = particles[threadIdx.x].weight + particles->name;  //: particles load: uncoalesced (strided, 24 bytes stride, 17 % of sectors used) | particles load: broadcast (8 bytes) | out store: coalesced (stride 1, 4 bytes/lane)
  out[threadIdx.x] = nested[threadIdx.x].weight;  //: nested load: not known: the size of Nested is not known | out store: coalesced (stride 1, 4 bytes/lane)
}

struct Packed { char tag; union { struct { half scale, least; }; half2 both; }; union { int a[2]; double b; } u[2]; unsigned char q[12]; };
struct Lists { float *x[8]; int n[8]; };

//@ block 128
__global__ void unnamed_members(const Packed *p, Lists l, float *out, bool wide) {
  const int t = threadIdx.x, at[2] = {t, 4 * t};
  out[t] = p[t].q[0] + p->q[t];  //: p load: uncoalesced (strided, 40 bytes stride, 3 % of sectors used) | p load: partially coalesced (misaligned, 2 sectors for 1, 1 byte/lane) | out store: coalesced (stride 1, 4 bytes/lane)
  out[at[0]] = p->u[1].b;  //: p load: broadcast (8 bytes) | out store: coalesced (stride 1, 4 bytes/lane)
  out[at[1]] = p[t].both.x;  //: p load: uncoalesced (strided, 40 bytes stride, 6 % of sectors used) | out store: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  out[(wide ? 2 : 1) * t] = l.x[blockIdx.x][t];  //: l.x[…] load: coalesced (stride 1, 4 bytes/lane) | out store: uncoalesced at worst (strided, 8 bytes stride, 50 % of sectors used)
  out[l.n[2] * t] = l.x[t / 4][0];  //: l.x[…] load: not known: l.x is a local array | out store: uncoalesced unless l.n[2] is 1 (strided, 4*l.n[2] bytes stride, 12 % of sectors used for l.n[2] ≥ 8)
  l.n[1] = t;
  out[l.n[1]] = 0;  //: out store: coalesced (stride 1, 4 bytes/lane)
  for (int i = 0; i < 4; ++i) {
    out[l.n[3]] = 0;  //: out store: not known: l.n is a local array
    l.n[3] = 2 * t;
  }
}

template <class T> struct Only;
template <> struct Only<float> { static constexpr int value = 1; };
template <> struct Only<float4> { static constexpr int value = 4; };
template <class T, int N> struct Pick;
template <class T> struct Pick<T, 1> { using type = T; };
template <> struct Pick<float, 4> { using type = float4; };
template <class T, bool Both> struct Cross {};
template <class T> struct Cross<T, true> { T *a; int n; T *b; };
template <class T> struct Cross<T, false> { T *a; T *b; };

//@ block 128
template <class T, bool Both> __global__ void defined_for_some(float *x, Cross<float, Both> open, Cross<half, true> both) {
  x[Only<float4>::value * threadIdx.x] = 0;  //: x store: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  x[Only<T>::value * threadIdx.x] = 0;  //: x store: uncoalesced unless Only<T>::value is 1 (strided, 4*(Only<T>::value) bytes stride, 12 % of sectors used for Only<T>::value ≥ 8)
  reinterpret_cast<typename Pick<float, Only<float4>::value>::type *>(x)[threadIdx.x] = {};  //: x store: coalesced (stride 1, 16 bytes/lane)
  reinterpret_cast<typename Pick<char, 1>::type *>(x)[threadIdx.x] = {};  //: x store: coalesced (stride 1, 1 byte/lane)
  reinterpret_cast<typename Pick<char, 2>::type *>(x)[threadIdx.x] = {};  //: x store: not known: the size of type is not known
  open.a[threadIdx.x] = 0;  //: open.a store: not known: the size of ? is not known
  both.b[threadIdx.x] = 0;  //: both.b store: coalesced (stride 1, 2 bytes/lane)
}

template <class T, int N> struct Lane { T v[N]; };
struct int4b {};
template <int N> struct Lane<int4b, N> { char v[N / 2]; };
template <class T, int N> __device__ void take(Lane<T, N> &to, const T *from) {
  if constexpr (sizeof(Lane<T, N>) == sizeof(uint4)) (uint4 &)to = *(const uint4 *)from;
  else if constexpr (sizeof(Lane<T, N>) == sizeof(uint2)) (uint2 &)to = *(const uint2 *)from;
  else if constexpr (sizeof(Lane<T, N>) == sizeof(uint)) (uint &)to = *(const uint *)from;
}

//@ block 128
template <class T, int N> __global__ void as_wide_as_the_type(const T *x, const float *f, float *out) {
  Lane<T, N> lane;
  take(lane, x + threadIdx.x * N);  //: x load via take: coalesced (stride 1, 16, 8 or 4 bytes/lane)
  Lane<T, 8 / sizeof(T)> eight;
  take(eight, x + threadIdx.x * (8 / sizeof(T)));  //: x load via take: coalesced (stride 1, 8 bytes/lane)
  if (N == 3) out[threadIdx.x * N] = 0;  //: out store: uncoalesced (strided, 12 bytes stride, 33 % of sectors used)
  if (blockIdx.x == 2 && N == 4 && threadIdx.x < 8) out[threadIdx.x * N + blockIdx.x] = 0;  //: out store: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
}

namespace wide { constexpr int bytes = 16; enum class Policy { Keep, Drop = 3 }; }
namespace narrow { constexpr int bytes = 4; constexpr int pieces = wide::bytes / bytes; enum class Policy { Drop = 2 }; }
template <int Bytes> __device__ void fetch(void *to, const void *from);
template <> __device__ void fetch<16>(void *to, const void *from) {
  uint4 *whole = reinterpret_cast<uint4 *>(to);
  asm("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(whole[0].x), "=r"(whole[0].y), "=r"(whole[0].z), "=r"(whole[0].w) : "l"(from));
}
template <> __device__ void fetch<4>(void *to, const void *from) {
  int *one = reinterpret_cast<int *>(to);
  asm("ld.global.u32 %0, [%1];" : "=r"(*one) : "l"(from));
}

//@ block 128
template <int N> __global__ void made_for_some_numbers(float *x, float *y, const half *bias, int channels) {
  float4 v;
  fetch<wide::bytes>(&v, x + threadIdx.x * narrow::pieces);  //: x load via fetch: coalesced (stride 1, 16 bytes/lane)
  int row, same;
  fetch<sizeof(float)>(&row, x + threadIdx.x);  //: x load via fetch: coalesced (stride 1, 4 bytes/lane)
  fetch<narrow::bytes>(&same, x + blockIdx.x);  //: x load via fetch: broadcast (4 bytes)
  y[row] = y[same];  //: y load: broadcast (4 bytes) | y store: scattered (data-dependent: an index comes from memory (x[…]))
  fetch<N>(&v, y + threadIdx.x);
  y[int(wide::Policy::Drop) * threadIdx.x] = y[int(narrow::Policy::Drop) * threadIdx.x];  //: y load: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | y store: uncoalesced (strided, 12 bytes stride, 33 % of sectors used)
  fetch<16>(&v, bias + (blockIdx.x * 4096 + threadIdx.x * 8) % channels);  //: bias load via fetch: coalesced (stride 1, 16 bytes/lane, if channels is a multiple of 256)
}

struct Slot {
  int tag;
  float value[3];
  __device__ void put(float v) { value[1] = v; }
  __device__ float get() const { return this->value[0]; }
  __device__ void add(const Slot &other) { tag += other.tag; }
};

//@ block 64
__global__ void objects_in_memory(Slot *slots, Unseen *unseen, float *out) {
  __shared__ Slot own[64];
  slots[threadIdx.x].put(1.0f);  //: slots store via put: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  out[threadIdx.x] = slots[blockIdx.x].get() + slots->get();  //: slots load via get: broadcast (4 bytes) | out store: coalesced (stride 1, 4 bytes/lane)
  own[threadIdx.x].add(slots[threadIdx.x]);  //: slots load via add: uncoalesced (strided, 16 bytes stride, 25 % of sectors used) | own load via add: 4-way bank conflict | own store via add: 4-way bank conflict
  Slot copy = slots[threadIdx.x];  //: slots load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
  copy.put(2.0f);
  unseen[threadIdx.x].write(3);
}

template <class T> struct Held4 {
  union { typename Unknown<T>::wide wide; typename Unknown<T>::Four four; } data;
  T *from;
};

//@ block 64
template <class T> __global__ void objects_in_registers(const T *x, T *y) {
  Held4<T> held;
  held.data.four[2] = x[threadIdx.x];  //: x load: coalesced (whatever the size of the type)
  y[threadIdx.x] = held.data.four[2] + held.from[3];  //: y store: coalesced (whatever the size of the type)
}

//@ block 32
__global__ void into_registers_of_unknown_classes(const half *x, float *y) {
  __shared__ half tile[32 * 8];
  Fragment<half> parts[2];
  int *words = (int *)parts[threadIdx.x % 2].x;
  asm("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(words[0]) : "l"(tile + threadIdx.x * 8));  //: tile load: conflict-free
  y[threadIdx.x] = words[0];  //: y store: coalesced (stride 1, 4 bytes/lane)
}

// A method that calls another one of its class: both work on the same object.
struct Gate {
  int *state;
  bool mine;

  __device__ Gate(int *state, int thread) : state(state), mine(thread == 0) {}
  __device__ int seen() { return mine ? *state : 0; }
  __device__ void pass(int turn) {
    while (seen() != turn) {
    }
  }
};

//@ block 128
__global__ void in_turns(int *gates, float *out) {
  Gate gate(gates + blockIdx.x, threadIdx.x);
  gate.pass(3);  //: gates load via pass: uniform (one lane, 4 bytes)
  out[threadIdx.x] = 1.0f;  //: out store: coalesced (stride 1, 4 bytes/lane)
}

// How far lanes are apart depends on the size of a type, which only a caller knows, though each moves four bytes.
//@ block 128
template <typename T>
__global__ void pairs_of_fragments(T *c, int n) {
  int row = threadIdx.x / 4;
  *reinterpret_cast<half2 *>(c + row * n + (threadIdx.x % 4) * 2) = half2();  //: c store: uncoalesced (strided; how far depends on the size of the type)
}

constexpr __device__ __host__ int ROW_LENGTH = 64;
__device__ int rounds_so_far = 2;

//@ block 64
__global__ void rows_of_a_constant_length(const float *in, float *out) {
  out[threadIdx.x + rounds_so_far] = in[blockIdx.x * ROW_LENGTH + threadIdx.x];  //: in load: coalesced (stride 1, 4 bytes/lane) | rounds_so_far load: broadcast (4 bytes) | out store: partially coalesced at worst (misaligned, 5 sectors for 4, 4 bytes/lane)
}

//@ block 256
__global__ void doubled_by_a_lambda(float *out, int n) {
  int at = threadIdx.x;
  for (int i = 0; i < n; i++) {
    auto further = [&]() { at *= 2; };
    further();
    out[at] = 0.0f;  //: out store: not known: at changes in a loop in a way that differs by lane
  }
}

// A lambda that says where it runs, as CUDA wants it of those that kernels are given.
template <typename In, typename Out, typename F> __device__ void for_each(const In *in, Out *out, int n, F &&f) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) f(out[i], in[i]);
}
//@ block 128
__global__ void by_a_device_lambda(const float *in, int *out, int n) {
  auto doubled = [=] __host__ __device__(int &to, const float &from) { to = 2 * from; };
  for_each(in, out, n, [=] __device__(int &to, const float &from) { to = from; });  //: in load via for_each: coalesced (stride 1, 4 bytes/lane) | out store via for_each: coalesced (stride 1, 4 bytes/lane)
  for_each(in, out + n, n, doubled);  //: in load via for_each: coalesced (stride 1, 4 bytes/lane) | out store via for_each: coalesced (stride 1, 4 bytes/lane, if n is a multiple of 8)
}
