"""GPUs: what a multiprocessor of each generation holds, and what each named product has of them.

Generations: CUDA C++ Programming Guide, "Compute Capabilities" (technical specifications per compute capability).
Products: NVIDIA's architecture white papers and data sheets, dense rates without sparsity.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Generation:
    """Limits of one multiprocessor (SM). Shared memory in bytes; `block_shared` is the opt-in limit of one block."""

    arch: str
    warps: int
    blocks: int
    shared: int
    block_shared: int
    reserved_shared: int
    shared_unit: int
    registers: int = 65536
    register_unit: int = 256
    partitions: int = 4
    warp: int = 32
    block_threads: int = 1024
    thread_registers: int = 255
    barriers: int = 64


_KIB = 1024
GENERATIONS: dict[str, Generation] = {
    g.arch: g
    for g in (
        Generation("sm_70", 64, 32, 96 * _KIB, 96 * _KIB, 0, 256),
        Generation("sm_72", 64, 32, 96 * _KIB, 96 * _KIB, 0, 256),
        Generation("sm_75", 32, 16, 64 * _KIB, 64 * _KIB, 0, 256),
        Generation("sm_80", 64, 32, 164 * _KIB, 163 * _KIB, _KIB, 128),
        Generation("sm_86", 48, 16, 100 * _KIB, 99 * _KIB, _KIB, 128),
        Generation("sm_87", 48, 16, 164 * _KIB, 163 * _KIB, _KIB, 128),
        Generation("sm_89", 48, 24, 100 * _KIB, 99 * _KIB, _KIB, 128),
        Generation("sm_90", 64, 32, 228 * _KIB, 227 * _KIB, _KIB, 128),
        Generation("sm_100", 64, 32, 228 * _KIB, 227 * _KIB, _KIB, 128),
        Generation("sm_103", 64, 32, 228 * _KIB, 227 * _KIB, _KIB, 128),
        Generation("sm_120", 48, 24, 100 * _KIB, 99 * _KIB, _KIB, 128, barriers=24),
        Generation("sm_121", 48, 24, 100 * _KIB, 99 * _KIB, _KIB, 128, barriers=24),
    )
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """One product. `bandwidth` in GB/s of its memory; `tensor` and `fp32` in dense TFLOP/s (tensor: bf16)."""

    name: str
    arch: str
    sms: int
    memory_gb: int
    bandwidth: int
    tensor: float
    fp32: float

    @property
    def generation(self) -> Generation:
        return GENERATIONS[self.arch]


GPUS: dict[str, Gpu] = {
    g.name: g
    for g in (
        Gpu("V100", "sm_70", 80, 32, 900, 125.0, 15.7),
        Gpu("T4", "sm_75", 40, 16, 320, 65.0, 8.1),
        Gpu("A100", "sm_80", 108, 80, 2039, 312.0, 19.5),
        Gpu("A10", "sm_86", 72, 24, 600, 125.0, 31.2),
        Gpu("RTX3090", "sm_86", 82, 24, 936, 71.0, 35.6),
        Gpu("L4", "sm_89", 58, 24, 300, 121.0, 30.3),
        Gpu("L40S", "sm_89", 142, 48, 864, 362.0, 91.6),
        Gpu("RTX4090", "sm_89", 128, 24, 1008, 165.2, 82.6),
        Gpu("H100", "sm_90", 132, 80, 3352, 989.4, 66.9),
        Gpu("H200", "sm_90", 132, 141, 4800, 989.4, 66.9),
        Gpu("B200", "sm_100", 148, 180, 7700, 2250.0, 75.0),
        Gpu("RTX5090", "sm_120", 170, 32, 1792, 209.5, 104.8),
    )
}


def generation(name: str) -> Generation | None:
    """The generation of `sm_90`, of `90`, or of a product such as `H100`."""
    text = name.strip()
    found = GENERATIONS.get(text.lower()) or GENERATIONS.get(f"sm_{text}".replace(".", ""))
    if found is not None:
        return found
    gpu = next((g for g in GPUS.values() if g.name.lower() == text.lower().replace(" ", "")), None)
    return gpu.generation if gpu else None
