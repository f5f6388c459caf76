#include "opting_in.cuh"

__global__ void roomy(float *x) {
  extern __shared__ float tile[];
  tile[threadIdx.x] = x[threadIdx.x];
}

void run(float *x) {
  ROOM_FOR(roomy, 65536);
  roomy<<<8, 128, 65536>>>(x);
}
