"""GPU kernels: Triton and CUDA, and the hardware that they run on."""
