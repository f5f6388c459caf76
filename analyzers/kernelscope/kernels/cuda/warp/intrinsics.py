"""What CUDA's own functions do with indices and memory: cached loads, atomics, shuffles, votes, minimum and maximum.

A table from name to rule; a rule gives None where the function, called so, is not what the table means.
Source: CUDA C++ Programming Guide, "C++ Language Extensions".
"""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.dims import Dim, TooLarge, dim, maximum, minimum
from kernelscope.kernels.cuda.warp.expressions import evaluate
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.operators import ARITHMETIC, binary
from kernelscope.kernels.cuda.warp.roots import written_name
from kernelscope.kernels.cuda.warp.types import CHAR, INT, builtin
from kernelscope.kernels.cuda.warp.values import Data, Group, InMemory, Int, Open, Pointer, Symbol, Value
from kernelscope.syntax.cuda import tree as t

Rule = Callable[[Machine, t.Call, Names], Value | None]


def _values(m: Machine, node: t.Call, names: Names) -> list[Value]:
    return [evaluate(m, arg, names) for arg in node.args]


def _load(m: Machine, node: t.Call, names: Names) -> Value | None:
    """`__ldg(p)`."""
    if not node.args:
        return None
    value = evaluate(m, node.args[0], names)
    pointer = m.pointer(value)
    if pointer is None:
        return Data(m.varying(value) or "an unknown address")
    return m.load(InMemory(pointer), node.span, written_name(node.args[0]))


def _store(m: Machine, node: t.Call, names: Names) -> Value | None:
    """`__stcs(p, v)`."""
    values = _values(m, node, names)
    if len(values) != 2:
        return None
    pointer = m.pointer(values[0])
    if pointer is not None:
        m.store(InMemory(pointer), values[1], node.span, written_name(node.args[0]))
    return Data()


def _atomic(m: Machine, node: t.Call, names: Names) -> Value | None:
    """`atomicAdd(p, v)`: the old value, which differs by lane."""
    values = _values(m, node, names)
    pointer = m.pointer(values[0]) if values else None
    if pointer is None:
        return Data("the result of an atomic operation")
    if pointer.memory.space == "local":
        m.overwrite(pointer)
    m.record("atomic", pointer, node.span, written_name(node.args[0]))
    return m.unknown(pointer.target, "old", "the result of an atomic operation")


def _copy_async(m: Machine, node: t.Call, names: Names) -> Value | None:
    """`__pipeline_memcpy_async(to, from, bytes)` and `cuda::memcpy_async`: a load from global and a store to shared
    memory; not the copy of a whole group, whose threads share it out as the library likes."""
    values = [evaluate(m, part, names) for part in node.args[:3]]  # not the barrier or pipeline that is told
    if len(values) < 3 or not isinstance(values[0], Pointer | Open):
        return None
    target, source, size = m.pointer(values[0]), m.pointer(values[1]), m.integer(values[2])
    if size is not None:
        if source is not None:
            m.record("load", source, node.span, written_name(node.args[1]), size)
        if target is not None:
            m.record("store", target, node.span, written_name(node.args[0]), size)
    return Data()


def _shuffle(m: Machine, node: t.Call, names: Names) -> Value | None:
    """A value of another lane; the same in all lanes when every lane asks the same one."""
    values = _values(m, node, names)
    if len(values) < 3:
        return None
    value = values[1]
    if not m.varying(value):
        return value
    func = node.func
    direct = isinstance(func, t.Name) and func.id in ("__shfl_sync", "__shfl")
    whole = len(values) < 4 or (isinstance(values[3], Int) and values[3].d.const == 32)
    same = direct and whole and not m.varying(values[2])
    if isinstance(value, Int):
        return Int(m.symbols.new("shuffled", Symbol("" if same else "a value of another lane")))
    return Data("" if same else "a value of another lane")


def _vote(m: Machine, node: t.Call, names: Names) -> Value | None:
    _values(m, node, names)
    return Int(m.symbols.new("vote", Symbol()))


def _extreme(choose: Callable[[Dim, Dim], Dim]) -> Rule:
    def rule(m: Machine, node: t.Call, names: Names) -> Value | None:
        values = _values(m, node, names)
        if len(values) == 2 and all(isinstance(value, Int | Open) for value in values):
            a, b = (m.integer(value) for value in values)
            if a is not None and b is not None:
                try:
                    return Int(choose(a, b))
                except TooLarge:
                    return Int(m.too_large(a, b))
        return Data(next((why for value in values if (why := m.varying(value))), ""))

    return rule


def _operation(op: str) -> Rule:
    """`__umul24(a, b)`."""

    def rule(m: Machine, node: t.Call, names: Names) -> Value | None:
        values = _values(m, node, names)
        return binary(m, op, values[0], values[1]) if len(values) == 2 and op in ARITHMETIC else None

    return rule


def _lane_number(m: Machine, node: t.Call, names: Names) -> Value | None:
    from kernelscope.kernels.cuda.warp.groups import thread_rank

    return Int(thread_rank() % 32) if not node.args else None


def _block(m: Machine, node: t.Call, names: Names) -> Value | None:
    return Group("block") if not node.args else None


def _grid(m: Machine, node: t.Call, names: Names) -> Value | None:
    return Group("grid") if not node.args else None


def _cluster(m: Machine, node: t.Call, names: Names) -> Value | None:
    return Group("cluster") if not node.args else None


def _tile(m: Machine, node: t.Call, names: Names) -> Value | None:
    """`tiled_partition<32>(block)`."""
    from kernelscope.kernels.cuda.warp.expressions import constant

    func = node.func
    size: Dim | None = None
    if isinstance(func, t.Name) and func.arguments:
        first = func.arguments[0]
        if isinstance(first, t.TypeName):
            first = t.Name(first.base, first.span, first.scope)
        size = constant(m, first, names)
    elif len(node.args) == 2:
        size = constant(m, node.args[1], names)
    return Group("tile", size)


def _address(m: Machine, node: t.Call, names: Names) -> Value | None:
    """Addresses as numbers stay addresses, counted in bytes."""
    values = _values(m, node, names)
    pointer = m.pointer(values[0]) if len(values) == 1 else None
    return Pointer(pointer.memory, pointer.offset, CHAR) if pointer is not None else None


def _same(m: Machine, node: t.Call, names: Names) -> Value | None:
    return evaluate(m, node.args[0], names) if node.args else None


def _nothing(m: Machine, node: t.Call, names: Names) -> Value | None:
    """Reads its arguments and has no other effect; the result is a number that is no index."""
    values = _values(m, node, names)
    return Data(next((why for value in values if (why := m.varying(value))), ""))


def _of_bits(count: Callable[[int], int]) -> Rule:
    """What is counted of the bits of a number of 32 bits, where the number is one that the launch gives."""

    def rule(m: Machine, node: t.Call, names: Names) -> Value | None:
        values = _values(m, node, names)
        number = m.known(values[0].d).const if len(values) == 1 and isinstance(values[0], Int) else None
        told = Int(dim(count(number & 0xFFFFFFFF))) if number is not None else None
        return told or Data(next((why for value in values if (why := m.varying(value))), ""))

    return rule


def _fragment(kind: str, place: int) -> Rule:
    """`wmma::load_matrix_sync(fragment, p, stride)`: the warp moves a tile, of which the source gives lanes nothing."""

    def rule(m: Machine, node: t.Call, names: Names) -> Value | None:
        values = _values(m, node, names)
        pointer = m.pointer(values[place]) if place < len(values) else None
        if pointer is None:
            return None
        own = m.symbols.new("fragment", Symbol("the hardware deals a fragment to the lanes"))
        whole = Pointer(pointer.memory, pointer.offset + own, pointer.target)
        m.record(kind, whole, node.span, written_name(node.args[place]))
        return Data()

    return rule


def _make_vector(name: str) -> Rule:
    def rule(m: Machine, node: t.Call, names: Names) -> Value | None:
        from kernelscope.kernels.cuda.warp.calls import construct

        kind = builtin(name)
        return construct(m, kind, _values(m, node, names), node.span) if kind is not None else None

    return rule


def _memory_function(m: Machine, node: t.Call, names: Names) -> Value | None:
    """`memcpy(to, from, bytes)` of fixed size is one access of that width on either side."""
    values = _values(m, node, names)
    if len(values) != 3:
        return None
    size = m.integer(values[2])
    target, source = m.pointer(values[0]), m.pointer(values[1])
    if size is not None and size.const is not None:
        if source is not None:
            m.record("load", source, node.span, written_name(node.args[1]), size)
        if target is not None:
            m.record("store", target, node.span, written_name(node.args[0]), size)
    if target is not None and target.memory.space == "local":
        m.overwrite(target)
    return Data()


def _bit_cast(m: Machine, node: t.Call, names: Names) -> Value | None:
    value = evaluate(m, node.args[0], names) if node.args else Data()
    varying = m.varying(value)
    return m.unknown(INT, "bits", varying) if isinstance(value, Data) else value


_VECTORS = [
    f"{sign}{base}{count}"
    for base in ("char", "short", "int", "long", "longlong")
    for sign in ("", "u")
    for count in range(1, 5)
] + [f"{base}{count}" for base in ("float", "double") for count in range(1, 5)]


def _each(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


INTRINSICS: dict[str, Rule] = {
    **_each("__ldg __ldcg __ldca __ldcs __ldlu __ldcv __builtin_nontemporal_load", _load),
    **_each("__stwb __stcg __stcs __stwt", _store),
    **{
        f"atomic{name}{scope}": _atomic
        for name in ("Add", "Sub", "Exch", "Min", "Max", "Inc", "Dec", "CAS", "And", "Or", "Xor")
        for scope in ("", "_block", "_system")
    },
    "unsafeAtomicAdd": _atomic,
    **_each("__pipeline_memcpy_async memcpy_async", _copy_async),
    "memcpy": _memory_function,
    **_each("__shfl_sync __shfl_xor_sync __shfl_up_sync __shfl_down_sync", _shuffle),
    **_each("__shfl __shfl_xor __shfl_up __shfl_down", _shuffle),
    **_each("__ballot_sync __any_sync __all_sync __activemask __ballot __any __all", _vote),
    **_each("__reduce_add_sync __reduce_max_sync __reduce_min_sync", _vote),
    **_each("__syncthreads_count __syncthreads_or __syncthreads_and", _vote),
    **_each("min umin imin llmin ullmin", _extreme(minimum)),
    **_each("max umax imax llmax ullmax", _extreme(maximum)),
    **_each("__mul24 __umul24 mul24", _operation("*")),
    **_each("__laneid __lane_id", _lane_number),
    "load_matrix_sync": _fragment("load", 1),
    "store_matrix_sync": _fragment("store", 0),
    **_each("mma_sync bmma_sync fill_fragment", _nothing),
    "this_thread_block": _block,
    "this_grid": _grid,
    "this_cluster": _cluster,
    "tiled_partition": _tile,
    **_each("__cvta_generic_to_shared __cvta_generic_to_global __nvvm_get_smem_pointer", _address),
    **_each("make_pipeline", _nothing),
    **_each("aligned_size_t", _same),
    **_each("move forward __builtin_assume_aligned make_const as_const addressof", _same),
    **_each("__float_as_int __float_as_uint __int_as_float __uint_as_float", _bit_cast),
    **{f"make_{name}": _make_vector(name) for name in _VECTORS},
    **_each("__syncthreads __syncwarp __threadfence __threadfence_block __threadfence_system sync", _nothing),
    **_each("__trap __nanosleep assert printf static_assert __builtin_assume __builtin_unreachable", _nothing),
    **_each("__pipeline_commit __pipeline_wait_prior clock clock64", _nothing),
    **_each("cudaGridDependencySynchronize cudaTriggerProgrammaticLaunchCompletion", _nothing),
    **_each("__half2float __float2half __float2half_rn __bfloat162float __float2bfloat16 __half22float2", _nothing),
    **_each("__float2bfloat16_rn __float22half2_rn __bfloat1622float2 __float22bfloat162_rn", _nothing),
    **_each("__hadd __hmul __hfma __hadd2 __hmul2 __hfma2 __hmax __hmin __hsub __hdiv __hgt __hlt", _nothing),
    **_each("exp expf __expf exp2f log logf __logf log2f sqrt sqrtf rsqrtf rsqrt pow powf __powf", _nothing),
    **_each("sin cos sinf cosf __sinf __cosf sincosf tanh tanhf erf erff", _nothing),
    **_each("fabs fabsf abs fmin fmax fminf fmaxf floor floorf ceil ceilf round roundf rintf lrintf", _nothing),
    **_each("trunc truncf isnan isinf isfinite fma fmaf __fmaf_rn __fdividef __frcp_rn __frsqrt_rn", _nothing),
    **_each("__fsqrt_rn __popcll __clzll __ffsll __brev __dp4a __byte_perm __vadd4", _nothing),
    "__popc": _of_bits(int.bit_count),
    "__clz": _of_bits(lambda bits: 32 - bits.bit_length()),
    "__ffs": _of_bits(lambda bits: (bits & -bits).bit_length()),
    **_each("__int2float_rn __float2int_rn __float2uint_rn __uint2float_rn", _nothing),
}
"""Names that CUDA, the C library and cooperative groups define; projects' own functions of a name are followed."""
