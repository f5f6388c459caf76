// Members of one vector move together, as the compiler makes it, unless something comes between them.

__device__ float2 unpacked(const __half2 &pair) { return {__half2float(pair.x), __half2float(pair.y)}; }

//@ block 128
__global__ void whole(float4 *out, const float4 *in, const __half2 *weights, float2 *sums) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float2 w = unpacked(weights[i]);  //: weights load via unpacked: coalesced (stride 1, 4 bytes/lane)
  float a = in[i].x * w.x, b = in[i].y * w.y;  //: in load: coalesced (stride 1, 16 bytes/lane)
  float c = in[i].z, d = in[i].w;  //: in load: coalesced (stride 1, 16 bytes/lane)
  out[i].x = a;  //: out store: coalesced (stride 1, 16 bytes/lane)
  out[i].y = b;  //: out store: coalesced (stride 1, 16 bytes/lane)
  out[i].z = c;  //: out store: coalesced (stride 1, 16 bytes/lane)
  out[i].w = d;  //: out store: coalesced (stride 1, 16 bytes/lane)
  sums[i].x += a;  //: sums load: coalesced (stride 1, 8 bytes/lane) | sums store: coalesced (stride 1, 8 bytes/lane)
  sums[i].y += b;  //: sums load: coalesced (stride 1, 8 bytes/lane) | sums store: coalesced (stride 1, 8 bytes/lane)
}

//@ block 128
__global__ void apart(float2 *out, const float2 *in, float *sums, const float3 *points, float scale) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i].x = in[i].x * scale;  //: in load: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | out store: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  out[i].y = in[i].y * scale;  //: in load: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | out store: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  atomicAdd(&out[i].x, scale);  //: out atomic: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  atomicAdd(&out[i].y, scale);  //: out atomic: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
  sums[i] = points[i].x + points[i].y + points[i].z;  //: points load: uncoalesced (strided, 12 bytes stride, 33 % of sectors used) | sums store: coalesced (stride 1, 4 bytes/lane)
  if (scale > 0) sums[i] = in[i].x;  //: in load: uncoalesced (strided, 8 bytes stride, 50 % of sectors used) | sums store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 64
__global__ void optional(float *out, const float *mask) {
  mask += blockIdx.x * 64 * (mask != nullptr);
  out[blockIdx.x * 64 + threadIdx.x] = mask[threadIdx.x];  //: mask load: coalesced (stride 1, 4 bytes/lane) | out store: coalesced (stride 1, 4 bytes/lane)
}

// The number of elements of a vector is chosen so that lanes are one vector apart: whether it is is not told without it.
//@ block 128
template <int ILP, typename T>
__global__ void by_vectors(T *x, const float *y, float *out, int n) {
  int i = (blockIdx.x * blockDim.x + threadIdx.x) * ILP;
  uint4 v = *(uint4 *)&x[i];  //: x load: not known: depends on ILP
  out[threadIdx.x] = v.x + y[i];  //: y load: uncoalesced (strided, 4*ILP bytes stride, 12 % of sectors used for ILP ≥ 8) | out store: coalesced (stride 1, 4 bytes/lane)
}

// How many there are in a pack is a number like others, and no size of a type.
//@ block 64
template <typename... Ts>
__global__ void of_a_pack(float *x, float *y, Ts *...more) {
  y[threadIdx.x] = x[threadIdx.x * sizeof...(Ts)];  //: x load: uncoalesced unless sizeof...(Ts) is 1 (strided, 4*sizeof...(Ts) bytes stride, 12 % of sectors used for sizeof...(Ts) ≥ 8) | y store: coalesced (stride 1, 4 bytes/lane)
}

// Steps that a condition chooses among keep what all of them are multiples of.
//@ block 128
__global__ void chosen_steps(const float *x, float *y, int n, bool wide) {
  const float *p = x + threadIdx.x, *q = x + threadIdx.x;
  for (int i = 0; i < n; ++i) {
    y[threadIdx.x] = *p + *q;  //: x (as p) load: coalesced (stride 1, 4 bytes/lane) | x (as q) load: coalesced (stride 1, 4 bytes/lane) | y store: coalesced (stride 1, 4 bytes/lane)
    p += wide ? 32 : 64;
    q += i % 2 ? 32 : 64;
  }
}

// What is left of a margin may be some or none, as sizes have it.
//@ block 128
__global__ void margins(const float *x, float *y, int margin, int width) {
  int start = max(0, margin - (int)threadIdx.x), from = max(0, (int)threadIdx.x - margin);
  y[start * width + threadIdx.x] = x[from];  //: x load: coalesced (stride 1, 4 bytes/lane, if margin is a multiple of 8) | y store: not known: the larger of unknown numbers
}

struct Body {
  double v, x, y, z;
};
struct alignas(16) AlignedBody {
  double v, x, y, z;
};
struct Quad {
  float x, y, z, w;
};
struct Holder {
  float4 inner[2];
};

//@ block 128
__global__ void whole_structs(const Body *bodies, const AlignedBody *aligned, const Quad *quads, const Holder *holders,
                              Quad *out) {
  __shared__ Body kept[128];
  int t = threadIdx.x;
  kept[t] = bodies[t];  //: bodies load: uncoalesced (strided, 32 bytes stride, 25 % of sectors used) | kept store: 4-way bank conflict
  AlignedBody a = aligned[t];  //: aligned load: uncoalesced (strided, 32 bytes stride, 50 % of sectors used)
  Holder h = holders[t];  //: holders load: uncoalesced (strided, 32 bytes stride, 50 % of sectors used)
  out[t] = quads[t];  //: quads load: uncoalesced (strided, 16 bytes stride, 25 % of sectors used) | out store: uncoalesced (strided, 16 bytes stride, 25 % of sectors used)
}
