"""Blocks of tensor descriptors that the host makes: set by hooks of configurations, or given where a launch is.

What two places say differently is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.kernels.triton.configs import tuning
from kernelscope.kernels.triton.descriptor_hooks import Block, hooked_blocks, sized
from kernelscope.kernels.triton.host_bindings import bindings
from kernelscope.kernels.triton.launch_sites import LaunchSite, LaunchSites, launching_files
from kernelscope.kernels.triton.parameters import is_constexpr
from kernelscope.kernels.triton.switches import Answers, told
from kernelscope.kernels.triton.values import Descriptor, Sizes
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.workspace import Workspace

Ways = tuple[tuple[Answers, Sizes], ...]
"""The block of a descriptor, by the answers to tests on constexprs."""
MADE = {"from_tensor": 1, "TensorDescriptor": 3}
"""What makes descriptors on the host, with the place of the block's shape among its arguments."""


def described(workspace: Workspace, path: str, node: t.FunctionDef) -> Mapping[str, Ways]:
    """The blocks of a kernel's descriptors, by parameter. Hooks decide, where there are any."""
    constexprs = {param.name for param in node.args if is_constexpr(param.annotation)}
    blocks = list(hooked_blocks(tuning(workspace.modules, path, node), constexprs))
    return _agreed(blocks or list(_launched(workspace, path, node, constexprs)))


def block_under(ways: Ways, answers: Answers) -> Sizes | None:
    """The block where some tests have answers; sizes that the others decide are told with them."""
    left = [
        (tests, shape) for tests, shape in ways if all(answers.get(t, holds) == holds for t, holds in tests.items())
    ]
    tests = tuple(dict.fromkeys(test for answered, _ in left for test in answered if test not in answers))
    if len(left) < 2:
        return left[0][1] if left else None
    found = told([(tests, Descriptor(shape)) for tests, shape in left], tests)
    return found.shape if isinstance(found, Descriptor) else None


def _agreed(blocks: list[Block]) -> Mapping[str, Ways]:
    found: dict[str, dict[frozenset[tuple[str, bool]], Sizes]] = {}
    odd: set[str] = set()
    for name, answers, shape in blocks:
        if found.setdefault(name, {}).setdefault(frozenset(answers.items()), shape) != shape:
            odd.add(name)
        if len({frozenset(test for test, _ in tests) for tests in found[name]}) > 1:
            odd.add(name)  # set anew behind a test
    return {
        name: tuple((dict(tests), shape) for tests, shape in ways.items())
        for name, ways in found.items()
        if name not in odd
    }


def _launched(workspace: Workspace, path: str, node: t.FunctionDef, constexprs: set[str]) -> Iterator[Block]:
    """The blocks of descriptors that launches pass, in the names that the launch has for the kernel's constexprs."""
    for file in launching_files(workspace, path, node.name):
        for site in LaunchSites(workspace, file, path, node).found():
            passed = dict(zip((p.name for p in node.args), site.call.args, strict=False))
            passed |= {k.arg: k.value for k in site.call.keywords if k.arg is not None}
            named = {v.id: name for name, v in passed.items() if isinstance(v, t.Name) and name in constexprs}
            numbers = [v.value for name, v in passed.items() if isinstance(v, t.Constant) and name in constexprs]
            for name, value in passed.items():
                for shape in _shapes(site, value):
                    sizes = tuple(None if _is_odd(e, numbers) else sized(e, named, set(named.values())) for e in shape)
                    yield name, {}, sizes


def _is_odd(size: t.Expr, numbers: list[object]) -> bool:
    """Whether a size is a number that the launch also passes for a constexpr: which one is meant is not told."""
    return isinstance(size, t.Constant) and size.value in numbers


def _shapes(site: LaunchSite, value: t.Expr) -> Iterator[list[t.Expr]]:
    """The shapes of blocks that a value which is passed may have."""
    made = [value]
    if isinstance(value, t.Name) and site.function is not None:
        given = bindings(site.function.body).get(value.id, [])
        made = [b.value for b in given if b.value is not None and b.start <= site.call.span.start]
    for node in made:
        if not isinstance(node, t.Call):
            continue
        place = MADE.get((t.dotted(node.func) or "").rpartition(".")[2])
        if place is None:
            continue
        shape = next((k.value for k in node.keywords if k.arg == "block_shape"), None)
        shape = node.args[place] if shape is None and len(node.args) > place else shape
        if isinstance(shape, t.List | t.Tuple) and not all(_is_one(size) for size in shape.elts):
            yield shape.elts


def _is_one(size: t.Expr) -> bool:
    """Whether a size is the 1 that stands for one which a hook sets."""
    return isinstance(size, t.Constant) and size.value == 1
