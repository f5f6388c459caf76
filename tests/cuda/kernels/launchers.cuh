#pragma once
struct Launcher {
  const char *place;

  template <typename Kernel, typename... Args>
  void launch(const Kernel &kernel, const dim3 grid, const dim3 block, size_t bytes, Args &&...args) const {
    kernel<<<grid, block, bytes>>>(static_cast<Args &&>(args)...);
  }
};

#define LAUNCH(KERNEL, GRID, BLOCK, BYTES, ...)                                 \
  ([&] {                                                                        \
    auto &kernel = KERNEL;                                                      \
    Launcher{#KERNEL}.launch(kernel, GRID, BLOCK, BYTES __VA_OPT__(, ) __VA_ARGS__); \
  }())
