"""The operations of `triton.language`: one line per op, with its parameters and the rule for its result.

Rules stand in the modules of their families; a name that is missing here gives an unknown value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kernelscope.kernels.triton import memory_ops as memory
from kernelscope.kernels.triton import reduction_ops as reductions
from kernelscope.kernels.triton import shape_ops as shapes
from kernelscope.kernels.triton import value_ops as values
from kernelscope.kernels.triton.call import OpCall
from kernelscope.kernels.triton.values import Value

Rule = Callable[[OpCall], Value]


@dataclass(frozen=True, slots=True)
class Operation:
    """`params` bind positional arguments; `*` at the end of the last one takes all the rest."""

    params: tuple[str, ...]
    rule: Rule


def _table(*lines: tuple[str, str, Rule]) -> dict[str, Operation]:
    return {name: Operation(tuple(params.split()), rule) for names, params, rule in lines for name in names.split()}


OPERATIONS: dict[str, Operation] = _table(
    # programs
    ("program_id", "axis", values.program_id),
    ("num_programs", "axis", values.num_programs),
    # creation
    ("arange", "start end", values.arange),
    ("zeros", "shape dtype", values.zeros),
    ("full", "shape value dtype", values.full),
    ("zeros_like", "input", values.like),
    ("full_like", "input value", values.like),
    ("rand randn", "seed offset n_rounds", values.random_float),
    ("randint", "seed offset n_rounds", values.random_int),
    ("rand4x randn4x", "seed offset n_rounds", values.random_float4),
    ("randint4x", "seed offset n_rounds", values.random_int4),
    ("philox philox_impl", "seed c0 c1 c2 c3 n_rounds", values.philox),
    ("uint_to_uniform_float", "x", values.uniform_float),
    ("pair_uniform_to_normal", "x y", values.normal_pair),
    ("to_tensor", "x", values.to_tensor),
    # casts
    ("to cast", "input dtype fp_downcast_rounding bitcast", values.cast),
    ("float_to_int32 float_as_int float_as_uint", "input", values.to_int32),
    # elementwise: one operand, type kept
    (
        "exp exp2 log log2 sin cos sqrt rsqrt sqrt_rn erf floor ceil abs sigmoid tanh tan acos asin atan cosh sinh"
        " acosh asinh atanh rint round trunc log1p log10 expm1 cbrt rcbrt erfc erfinv fast_expf fast_logf nearbyint"
        " lgamma tgamma fabs exp10 fast_cosf fast_sinf fast_tanf fast_tanhf ex2 brev",
        "input",
        values.same,
    ),
    ("isnan isinf isfinited finitef", "input", values.predicate),
    ("signbit ilogb clz popc ffs", "input", values.to_int32),
    ("llrint llround", "input", values.to_int64),
    # elementwise: several operands
    ("maximum minimum", "x y propagate_nan", values.extreme_of_two),
    ("clamp", "x min max propagate_nan", values.clamp),
    ("fdiv div_rn", "x y ieee_rounding", values.fdiv),
    ("fma", "x y z", values.fma),
    ("umulhi", "x y", values.binary),
    ("pow fmod atan2 copysign fmin fmax hypot", "x y", values.binary),
    ("add sub mul", "x y sanitize_overflow", values.binary),
    ("cdiv", "x div", values.cdiv),
    ("where", "condition x y", values.where),
    ("inline_asm_elementwise", "asm constraints args dtype is_pure pack", values.inline_asm),
    ("map_elementwise", "function args*", values.mapped),
    # compile time
    ("next_power_of_2", "n", values.next_power_of_2),
    ("min", "input axis return_indices return_indices_tie_break_left keep_dims", reductions.minimum),
    ("max", "input axis return_indices return_indices_tie_break_left keep_dims", reductions.maximum),
    ("constexpr", "value", values.constexpr),
    (
        "static_assert static_print device_print device_assert debug_barrier assume gdc_wait gdc_launch_dependents",
        "args*",
        values.nothing,
    ),
    ("_log2", "n", values.exponent),
    ("multiple_of max_contiguous max_constancy", "input values", values.unchanged),
    # reductions and scans
    ("sum xor_sum reduce_or", "input axis keep_dims dtype", reductions.total),
    ("argmax argmin", "input axis tie_break_left keep_dims", reductions.arg_extreme),
    ("reduce", "input axis combine_fn keep_dims", reductions.reduce),
    ("cumsum", "input axis reverse dtype", reductions.cumsum),
    ("cumprod", "input axis reverse", reductions.cumprod),
    ("associative_scan", "input axis combine_fn reverse", values.unchanged),
    ("softmax", "input dim keep_dims", reductions.softmax),
    ("sort bitonic_merge flip", "input dim", values.unchanged),
    ("topk", "input k dim", shapes.topk),
    ("histogram", "input num_bins mask", reductions.histogram),
    ("gather", "src index axis", reductions.gather),
    (
        "dot",
        "input other acc input_precision allow_tf32 max_num_imprecise_acc out_dtype trans_a trans_b",  # 2.0 had trans_*
        reductions.dot,
    ),
    (
        "dot_scaled",
        "lhs lhs_scale lhs_format rhs rhs_scale rhs_format acc fast_math lhs_k_pack rhs_k_pack out_dtype",
        reductions.dot_scaled,
    ),
    # shapes
    ("expand_dims", "input axis", shapes.expand_dims),
    ("broadcast_to", "input shape*", shapes.broadcast_to),
    ("broadcast", "x y", shapes.broadcast_pair),
    ("reshape view", "input shape*", shapes.reshape),
    ("ravel", "input", shapes.ravel),
    ("trans permute", "input dims*", shapes.permute),
    ("join", "a b", shapes.joined),
    ("split", "input", shapes.split),
    ("interleave", "a b", shapes.interleave),
    ("cat", "a b can_reorder dim", shapes.cat),
    ("swizzle2d", "i j size_i size_j size_g", shapes.swizzle2d),
    ("item", "input", shapes.item),
    ("squeeze", "input dim", shapes.squeeze),
    ("unsqueeze", "input dim", shapes.expand_dims),
    # memory
    ("load", "pointer mask other boundary_check padding_option cache_modifier eviction_policy volatile", memory.load),
    ("store", "pointer value mask boundary_check cache_modifier eviction_policy", memory.store),
    (
        "atomic_add atomic_max atomic_min atomic_xchg atomic_and atomic_or atomic_xor",
        "pointer val mask sem scope",
        memory.atomic,
    ),
    ("atomic_cas", "pointer cmp val sem scope", memory.atomic_cas),
    ("make_block_ptr", "base shape strides offsets block_shape order", memory.make_block_ptr),
    ("advance", "base offsets", values.unchanged),
    ("make_tensor_descriptor", "base shape strides block_shape padding_option", memory.make_descriptor),
    ("_experimental_make_tensor_descriptor", "base shape strides block_shape", memory.make_descriptor),
    ("load_tensor_descriptor", "desc offsets", memory.load_descriptor),
    ("store_tensor_descriptor", "desc offsets value", memory.store_descriptor),
    ("_experimental_descriptor_load", "desc offsets shape dtype", memory.legacy_descriptor_load),
    ("_experimental_descriptor_store", "desc value offsets", memory.legacy_descriptor_store),
    ("gather_descriptor", "desc x_offsets y_offset", memory.descriptor_gather),
)  # fmt: skip

RANGES: dict[str, bool] = {"range": False, "static_range": True}
"""Iterators of `for`, with whether the loop is unrolled."""
