// A type that goes with some numbers only: where the number is open, so is the type.
enum class Mode { kValues, kPages, kRagged };

template <Mode MODE, int ITEMS, typename T, typename I>
__global__ void finish(I* indices, T* values, int count) {
    for (int i = 0; i < ITEMS; ++i) {
        int at = threadIdx.x * ITEMS + i;
        if (at < count) {
            indices[at] = indices[at] + 1;
            if constexpr (MODE == Mode::kValues) values[at] = values[at] * T(2);
        }
    }
}

template <Mode MODE, typename T, typename I>
void launch_finish(I* indices, T* values, int count) {
    finish<MODE, 4, T, I><<<1, 32>>>(indices, values, count);
}

template <typename T, typename I>
void choose(I* indices, T* values, int count, int mode) {
    if (mode == 0) launch_finish<Mode::kPages, unsigned char, I>(indices, nullptr, count);
    else if (mode == 1) launch_finish<Mode::kRagged, unsigned char, I>(indices, nullptr, count);
    else launch_finish<Mode::kValues, T, I>(indices, values, count);
}
