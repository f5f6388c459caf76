// How kernels walk over their work: threads or blocks a grid apart, by a scheduler, from a counter, or not at all.
#include <cooperative_groups.h>

namespace cg = cooperative_groups;

struct Tiles {
    int taken = -1;
    int count;
    int per_round;

    __device__ bool next(int& tile) {
        tile = ++taken * per_round + blockIdx.x;
        return tile < count;
    }
};

struct Dealt {
    int next_tile;
    int step;
    int count;

    __device__ Dealt(int first, int step, int count) : next_tile(first), step(step), count(count) {}

    __device__ bool next(int& tile) {
        tile = next_tile;
        next_tile += step;
        return tile < count;
    }
};

__device__ void fill(float* out, int begin, int step, int n) {
    for (int i = begin; i < n; i += step) out[i] = 0.0f;
}

__global__ void by_thread(float* out, int n) {
    const int all = blockDim.x * gridDim.x;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += all) out[i] = 1.0f;
}

__global__ void by_group(float* out, int n) {
    cg::grid_group grid = cg::this_grid();
    for (int i = grid.thread_rank(); i < n; i += grid.size()) out[i] = 1.0f;
}

__global__ void by_warp(float* out, int rows) {
    const int warps = blockDim.x / 32;
    const int first = blockIdx.x * warps + threadIdx.x / 32;
    for (int row = first; row < rows; row += gridDim.x * warps) out[row * 32 + threadIdx.x % 32] = 1.0f;
}

__global__ void by_block(float* out, int rows) {
    for (int row = blockIdx.x; row < rows; row += gridDim.x) out[row * blockDim.x + threadIdx.x] = 1.0f;
}

__global__ void in_a_function(float* out, int n) {
    fill(out, blockIdx.x * blockDim.x + threadIdx.x, blockDim.x * gridDim.x, n);
}

__global__ void by_a_scheduler(float* out, Tiles tiles) {
    int tile;
    while (tiles.next(tile)) out[tile * blockDim.x + threadIdx.x] = 1.0f;
}

__global__ void by_an_open_scheduler(float* out, int step, int count) {
    Dealt dealt(blockIdx.x, step, count);
    int tile;
    while (dealt.next(tile)) out[tile * blockDim.x + threadIdx.x] = 1.0f;
}

__global__ void from_a_counter(float* out, int* counter, int count) {
    __shared__ int tile;
    while (true) {
        if (threadIdx.x == 0) tile = atomicAdd(counter, 1);
        __syncthreads();
        if (tile >= count) break;
        out[tile * blockDim.x + threadIdx.x] = 1.0f;
        __syncthreads();
    }
}

__global__ void within_its_block(float* out, int n) {
    __shared__ int taken;
    if (threadIdx.x == 0) taken = 0;
    __syncthreads();
    const float scale = 1.0f / gridDim.x;
    for (int i = threadIdx.x; i < n; i += blockDim.x) out[blockIdx.x * n + i] = scale;
    for (int k = atomicAdd(&taken, 1); k < n; k = atomicAdd(&taken, 1)) out[blockIdx.x * n + k] += scale;
}

__device__ int divided_up(int a, int b) { return (a + b - 1) / b; }

__global__ void runs_of_tiles(const float *in, float *out, int tiles) {
  int each = divided_up(tiles, gridDim.x);
  int first = each * blockIdx.x;
  for (int tile = first; tile < first + each && tile < tiles; tile++) {
    out[tile * 128 + threadIdx.x] = in[tile * 128 + threadIdx.x];
  }
}

void in_runs(const float *in, float *out, int tiles, int sms) { runs_of_tiles<<<sms, 128>>>(in, out, tiles); }

// A block's own run of requests, from one end to another that memory names; each of them is a tile of the output.
struct Share { int first, last; };
__global__ void runs_of_requests(const Share *shares, const float *x, float *out) {
  const int part = blockIdx.x;
  Share mine = shares[part];
  for (int request = mine.first; request <= mine.last; ++request) out[request * 32 + threadIdx.x] = x[threadIdx.x];
}

struct Rows { const float* in; float* out; int rows; int blocks; };

// A step that the host passes: as many rows as all blocks have together.
template <int PER_BLOCK>
__global__ void rows_by_the_host(Rows given) {
    const int first = blockIdx.x * PER_BLOCK + threadIdx.y;
    for (int row = first; row < given.rows; row += given.blocks * PER_BLOCK) {
        given.out[row * 32 + threadIdx.x] = given.in[row * 32 + threadIdx.x];
    }
}

void launch_rows(Rows given, cudaStream_t stream) {
    rows_by_the_host<4><<<given.blocks, dim3(32, 4), 0, stream>>>(given);
}

// A scheduler that the launch chooses deals tiles by its own rules; grids are those of the scheduler that is meant.
struct OneTile {
  struct Args { int tiles, heads; };
  static dim3 grid_of(Args const& args, int) { return {unsigned(args.tiles), unsigned(args.heads)}; }
};
struct Persistent {
  struct Args { int tiles, heads; };
  static dim3 grid_of(Args const& args, int sms) { return {unsigned(sms)}; }
};
template <class Schedule>
__global__ void by_a_chosen_scheduler(const float* x, float* y, typename Schedule::Args args) {
  Schedule schedule;
  for (auto tile = schedule.first(args); tile.is_valid(args); tile = schedule.template next<true>(args, tile)) {
    y[tile.index * 128 + threadIdx.x] = x[tile.index * 128 + threadIdx.x];
  }
}
void run_chosen(const float* x, float* y, int n, int heads, int sms) {
  using Schedule = OneTile;
  OneTile::Args args = {n / 128, heads};
  dim3 grid = Schedule::grid_of(args, sms);
  by_a_chosen_scheduler<Schedule><<<grid, 128>>>(x, y, args);
}
template <bool kPersistent> void run_switched(const float* x, float* y, int n, int heads, int sms) {
  using Schedule = std::conditional_t<kPersistent, Persistent, OneTile>;
  typename Schedule::Args args = {n / 128, heads};
  dim3 grid = Schedule::grid_of(args, sms);
  by_a_chosen_scheduler<Schedule><<<grid, 128>>>(x, y, args);
}

// Ranks in a grid of one axis: the places along the other two are left out of a formula that is too long with them.
__global__ void by_rank(const float* x, float* y, long n) {
  auto own = cooperative_groups::this_grid().thread_rank();
  if (own < n) y[own] = x[own];
}
void run_by_rank(const float* x, float* y, long n) { by_rank<<<(n + 255) / 256, 256>>>(x, y, n); }

// Rounds that template parameters place: by as many blocks as they say, or from a block's tile on by tiles.
template <int kBlocks, int kWarps>
__global__ void warps_take_rows(const float* x, float* y, int rows) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int row = warp * kBlocks + blockIdx.x; row < rows; row += kBlocks * kWarps) y[row * 32 + lane] = x[row * 32 + lane];
}
template <int kTile>
__global__ void tiles_from_the_diagonal(const float* x, float* y, int n) {
  for (int column = blockIdx.x * kTile; column < n; column += kTile) {
    y[blockIdx.x * n + column + threadIdx.x] = x[blockIdx.x * n + column + threadIdx.x];
  }
}

// A place that a round uses and then moves on: its formula is not that of the round that comes.
__global__ void summed_in_steps(const float* x, float* sums, int n) {
  int place = threadIdx.x;
  float sum = 0;
  while (place < n) {
    sum += x[blockIdx.x * n + place];
    place += blockDim.x;
  }
  sums[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// The same step in a loop that has nothing but a condition.
template <int ROWS>
__global__ void rows_while_there_are(const float* x, float* y, int rows, int blocks) {
  int row = (blockIdx.x * blockDim.y + threadIdx.y) * ROWS;
  while (row < rows) {
    y[row * 32 + threadIdx.x] = x[row * 32 + threadIdx.x];
    row += blocks * ROWS;
  }
}
