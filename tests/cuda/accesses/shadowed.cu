// A counter of an inner loop is another variable than one of its name outside.

//@ block 128
__global__ void gathered(float *out, const float *in, int rounds, int n) {
  __shared__ float tile[4 * 128];
  int left = n;
  for (int i = 0; i < rounds; i++, left -= 128) {
    int at = i * 128 + threadIdx.x;
    if (at < n) {
      tile[threadIdx.x] = in[n - at - 1];  //: in load: coalesced (4 bytes/lane, if n is a multiple of 8) | tile store: conflict-free
      for (int i = 0; i < 4; i++) tile[i * 128 + threadIdx.x] = in[at];  //: in load: coalesced (stride 1, 4 bytes/lane) | tile store: conflict-free
      { int left = 3; left++; }
    }
    out[left + threadIdx.x] = tile[threadIdx.x];  //: out store: coalesced (stride 1, 4 bytes/lane, if n is a multiple of 8) | tile load: conflict-free
  }
}

//@ block 128
__global__ void changed(float *out, int rounds) {
  int at = 0;
  for (int i = 0; i < rounds; i++) {
    if (i > 2) { at += 3; int at = 7; at += 5; }
    out[at + threadIdx.x] = 0;  //: out store: partially coalesced at worst (misaligned, 5 sectors for 4, 4 bytes/lane)
  }
}
