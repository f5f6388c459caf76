#include <cooperative_groups.h>
namespace cg = cooperative_groups;

// A function that is given any group waits for that group.
__device__ float sum_of(cg::thread_group group, float* room, float value) {
  const int rank = group.thread_rank();
  for (int half = group.size() / 2; half > 0; half /= 2) {
    room[rank] = value;
    group.sync();
    if (rank < half) value += room[rank + half];
    group.sync();
  }
  return value;
}

template <typename Group>
__device__ void settle(const Group& group, float* room) {
  room[group.thread_rank()] += 1.0f;
  group.sync();
}

__global__ void totals(const float* in, float* out) {
  cg::thread_block block = cg::this_thread_block();
  __shared__ float room[256];
  const float total = sum_of(block, room, in[block.thread_rank()]);
  settle(block, room);
  auto warp = cg::tiled_partition<32>(block);
  settle(warp, room);
  if (block.thread_rank() == 0) out[blockIdx.x] = total;
}

void run(const float* in, float* out) { totals<<<64, 256>>>(in, out); }

// The array of another block of the cluster is shared memory, and an atomic by a pointer that is passed may be of either.
__device__ void noted(int *counts, int place) { atomicAdd(&counts[place % 7], 1); }
__global__ void of_the_cluster(const int *x, int *out) {
  __shared__ int counts[256];
  auto cluster = cg::this_cluster();
  noted(counts, x[threadIdx.x]);
  cluster.sync();
  int *other = cluster.map_shared_rank(&counts[threadIdx.x], 1);
  out[threadIdx.x] = *other;
}
