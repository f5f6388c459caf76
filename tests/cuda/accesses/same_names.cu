// Helpers of one name that call each other, types that a number chooses, and one that nobody defines.
__device__ void fetch(int4 &to, const int4 *from) { to = *from; }

template <class T> __device__ void fetch(T &to, const T *from) {
  fetch(reinterpret_cast<int4 &>(to), reinterpret_cast<const int4 *>(from));
}

__device__ void put(float *to, float value, int step) { to[step * threadIdx.x] = value; }
__device__ void put(float *to, float value) { put(to, value, 2); }

//@ block 256
__global__ void overloads(float *out, const float4 *in) {
  float4 own;
  fetch(own, &in[threadIdx.x]);  //: in load via fetch: coalesced (stride 1, 16 bytes/lane)
  put(out, own.x);  //: out store via put: uncoalesced (strided, 8 bytes stride, 50 % of sectors used)
}

//@ block 256 · wide=1
template <bool wide> __global__ void chosen_type(char *out) {
  using Whole = std::conditional_t<wide, double, float>;
  using Half = typename std::conditional<wide, float, short>::type;
  reinterpret_cast<Whole *>(out)[threadIdx.x] = 0;  //: out store: coalesced (stride 1, 8 bytes/lane)
  reinterpret_cast<Half *>(out)[threadIdx.x] = 0;  //: out store: coalesced (stride 1, 4 bytes/lane)
}

//@ block 256
__global__ void undefined_type(index_t *rows) { rows[2 * threadIdx.x] = 0; }  //: rows store: not known: the size of index_t is not known
