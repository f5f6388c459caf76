// One decoder layer as tasks of a persistent kernel. A task spins on a counter until those that it reads are done, and
// adds to its own when it is done itself. The lists of tasks are built by `tinyllm/schedule.py`.
#include <cuda_runtime.h>

#define NORM_PROJECT 0
#define ATTEND 1
#define OUTPUT 2
#define EXPAND 3
#define CONTRACT 4

struct Entry {
    int layer, kind, head;
};

struct Counters {
    int *data;
    int kinds, heads;
    __device__ int &operator[](Entry at) const { return data[(at.layer * kinds + at.kind) * heads + at.head]; }
};

struct Task {
    int kind, layer, tile, head;
};

struct norm_project {
    static constexpr int kind = NORM_PROJECT;
    static __device__ void run(const Counters &done, const Task &task) {
        while (*(volatile int *)&done[{task.layer - 1, CONTRACT, 0}] < gridDim.x) __nanosleep(20);
        // … multiply the tile
        atomicAdd(&done[{task.layer, kind, task.head}], 1);
    }
};

struct attend {
    static constexpr int kind = ATTEND;
    static __device__ void run(const Counters &done, const Task &task) {
        while (*(volatile int *)&done[{task.layer, NORM_PROJECT, task.head}] < 4) __nanosleep(20);
        // … scores, softmax, values of one head
        atomicAdd(&done[{task.layer, kind, 0}], 1);
    }
};

template <int KIND, int BEFORE, int COUNT> struct multiply_add {
    static constexpr int kind = KIND;
    static constexpr int before = BEFORE;
    static __device__ void run(const Counters &done, const Task &task) {
        while (*(volatile int *)&done[{task.layer, before, 0}] < COUNT) __nanosleep(20);
        // … multiply the tile and add it to the residual
        atomicAdd(&done[{task.layer, kind, 0}], 1);
    }
};

struct output : multiply_add<OUTPUT, ATTEND, 32> {};
struct contract : multiply_add<CONTRACT, EXPAND, 128> {};

struct expand {
    static constexpr int kind = EXPAND;
    static __device__ void run(const Counters &done, const Task &task) {
        while (*(volatile int *)&done[{task.layer, OUTPUT, 0}] < 128) __nanosleep(20);
        // … gate and up, their product
        atomicAdd(&done[{task.layer, kind, 0}], 1);
    }
};

__global__ void megakernel(const Task *tasks, int count, Counters done) {
    for (int i = blockIdx.x; i < count; i += gridDim.x) {
        Task task = tasks[i];
        switch (task.kind) {
            case NORM_PROJECT: norm_project::run(done, task); break;
            case ATTEND: attend::run(done, task); break;
            case OUTPUT: output::run(done, task); break;
            case EXPAND: expand::run(done, task); break;
            case CONTRACT: contract::run(done, task); break;
        }
        __syncthreads();
    }
}
