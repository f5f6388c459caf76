"""What functions of kernels are given: a kernel by its launches, a helper by its callers, and what that tells of it.

Values only; who calls whom is found in `kernel_runs`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.dims import Dim
from kernelscope.kernels.triton.host_descriptors import Ways, block_under
from kernelscope.kernels.triton.interpretation import Facts
from kernelscope.kernels.triton.parameters import parameter_value
from kernelscope.kernels.triton.switches import Answers
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor, Value
from kernelscope.syntax.python import tree as t


def kernel_arguments(
    node: t.FunctionDef,
    facts: Facts,
    uncalled: bool = False,
    blocks: Mapping[str, Ways] | None = None,
    answers: Answers | None = None,
) -> dict[str, Value]:
    """What a launch gives a kernel; what others may give a helper is of any shape, but for what is annotated. Of
    descriptors the `blocks` where tests have the `answers`."""
    given = {p.name: parameter_value(p, facts.pointers, facts.integers, facts.floats) for p in node.args}
    known = {name: block_under(ways, answers or {}) for name, ways in (blocks or {}).items()}
    given |= {name: Descriptor(known.get(name), f"T({name})", name) for name in facts.descriptors}
    free = {p.name for p in node.args if uncalled and p.annotation is None}
    return {
        name: Tensor(None, value.elem, value.pointer, value.bases, value.inputs)
        if name in free and isinstance(value, Tensor)
        else value
        for name, value in given.items()
    }


def float_defaults(node: t.FunctionDef) -> set[str]:
    """Parameters whose defaults are floats."""
    return {p.name for p in node.args if isinstance(p.default, t.Constant) and isinstance(p.default.value, float)}


def sayable(node: t.FunctionDef, arguments: dict[str, Value]) -> bool:
    """Whether the sizes of what a helper is given can be said with its own parameters."""
    own = {param.name for param in node.args}
    return all(own.issuperset(size.names()) for value in arguments.values() for size in _sizes(value))


def same_sizes(contexts: list[dict[str, Value]]) -> bool:
    """Whether callers give blocks of the same sizes, wherever they give blocks of the same rank."""
    first: dict[tuple[str, int], list[Dim]] = {}
    for arguments in contexts:
        for name, value in arguments.items():
            sizes = _sizes(value)
            if first.setdefault((name, len(sizes)), sizes) != sizes:
                return False
    return True


def has_block(arguments: dict[str, Value]) -> bool:
    """Whether a helper is given blocks: calls on scalars alone tell less of it."""
    return any(isinstance(value, Tensor) and bool(value.shape) for value in arguments.values())


def _sizes(value: Value) -> list[Dim]:
    shape = value.shape if isinstance(value, Tensor | BlockPointer | Descriptor) else None
    return [size for size in shape or () if size is not None]
