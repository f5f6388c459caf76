"""The card of a Triton kernel: grid, configurations, constexprs, blocks, accesses, work, shared memory, features.

Rows are gathered from the kernel's run, its launches and its decorators; a row that cannot be told says why.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.dims import render
from kernelscope.explain.document import Card, CardRow, Line
from kernelscope.explain.triton_amounts import MAX_GRIDS, programs_rows, shared_rows, work_rows
from kernelscope.explain.triton_hover import describe
from kernelscope.kernels.triton.accesses import describe_footprint, footprint
from kernelscope.kernels.triton.algorithms import grouped_order
from kernelscope.kernels.triton.bodies import all_calls, loops_in, nodes_of, operation
from kernelscope.kernels.triton.bounds import Overshoot, overshoots
from kernelscope.kernels.triton.broadcasting import numel
from kernelscope.kernels.triton.config_lists import ConfigList, values_of
from kernelscope.kernels.triton.dtypes import BITS
from kernelscope.kernels.triton.host_things import HostValue, Plain, as_dim
from kernelscope.kernels.triton.kernel_facts import HelperFacts, KernelFacts, counter
from kernelscope.kernels.triton.persistent_loops import persistent_loops
from kernelscope.kernels.triton.values import Tensor
from kernelscope.results import Hover, Link, Span, Target
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module

MAX_BLOCKS = 4
"""Blocks that a card names."""
MAX_ROWS = 12
"""Accesses that a hover and a report list."""
FEATURES: dict[str, str] = {
    "dot": "tl.dot (tensor cores)",
    "dot_scaled": "tl.dot_scaled (tensor cores)",
    "atomic_add": "atomic add",
    "atomic_max": "atomic max",
    "atomic_min": "atomic min",
    "atomic_cas": "compare-and-swap",
    "atomic_xchg": "atomic exchange",
    "make_block_ptr": "block pointers",
    "make_tensor_descriptor": "tensor descriptors (TMA)",
    "_experimental_descriptor_load": "tensor descriptors (TMA)",
    "_experimental_descriptor_store": "tensor descriptors (TMA)",
    "inline_asm_elementwise": "inline assembly",
    "rand": "random numbers",
    "associative_scan": "scan",
    "cumsum": "scan",
    "debug_barrier": "barrier",
    "static_range": "unrolled loops",
}


def kernel_hover(facts: KernelFacts, span: Span, gpu: str = "H100") -> Hover:
    """The hover of a kernel's name: the card as a table."""
    rows = tuple((row.name, "<br>".join(line.text for line in row.lines)) for row in kernel_card(facts, gpu).rows)
    kind = f"@{'gluon' if facts.gluon else 'triton'}.jit {'helper' if facts.run.is_helper else 'kernel'}"
    target = Target(facts.path, facts.node.name_span.start)
    links = (Link("Explain kernel", command="kernelscope.explainKernel", target=target),)
    return Hover(span, f"{facts.node.name}: {kind}", "python", (), rows, links)


def kernel_card(facts: KernelFacts, gpu: str = "H100", most: int | None = MAX_ROWS) -> Card:
    """Every row of the card; `none` is written out. `most`: how many accesses are listed."""
    rows = (
        ("Grid", _grid(facts)),
        ("Programs", programs_rows(facts, gpu)),
        ("Configs", _configs(facts)),
        ("Constexprs", _constexprs(facts)),
        ("Block tensors", _blocks(facts)),
        ("Loads / stores", _accesses(facts, most)),
        ("Loops", _loops(facts)),
        ("Work per program", work_rows(facts)),
        ("Shared memory", shared_rows(facts, gpu)),
        ("Features", _features(facts)),
    )
    return Card(tuple(CardRow(name, tuple(lines) or (Line("none"),)) for name, lines in rows))


def _grid(facts: KernelFacts) -> Iterator[Line]:
    if facts.run.is_helper:
        yield Line("none: a helper, compiled into its callers", None)
        return
    if facts.run.uncalled:
        yield _uncalled(facts)
        return
    told: set[str] = set()
    for launch in facts.launches:
        where = f"at `{launch.location.path.name}:{launch.location.line}`"
        if launch.grid is None:
            text = f"not followed: `{_short(launch.text)}` {where}"
        else:
            sizes = ", ".join(render(size, facts.order) for size in launch.grid)
            text = f"`({sizes}{',' if len(launch.grid) == 1 else ''})` {where}"
            if launch.when:
                text += f" if `{launch.when}`"
        if text.partition(" at ")[0] not in told and len(told) < MAX_GRIDS:
            told.add(text.partition(" at ")[0])
            yield Line(text, launch.location)
    if not facts.launches:
        yield Line("no launch found in the workspace")


def _uncalled(facts: KernelFacts) -> Line:
    """A helper without callers: one that a decorator takes is built into what that makes."""
    around = facts.wrapper
    if around is None:
        return Line("none: a helper that nobody is seen to call; what it is given may be of any shape")
    where = facts.location(around.span)
    name = t.dotted(around.func if isinstance(around, t.Call) else around) or "a decorator"
    text = f"none of its own: `{name}` (L{where.line}) is handed this function and may build kernels around it"
    return Line(f"{text}; what it is given may be of any shape", where)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def _configs(facts: KernelFacts) -> Iterator[Line]:
    tuned = facts.tuning
    if not tuned.tuned:
        options = sorted({f"{name}={value}" for launch in facts.launches for name, value in launch.options})
        yield Line(f"not autotuned; launched with {', '.join(options)}" if options else "not autotuned")
        return
    name = f"as `{tuned.name}`: " if tuned.name else ""
    lists = [name + _listed(each) for each in tuned.lists]
    yield from (Line(each) for each in lists[:-1])
    parts = lists[-1:]
    if tuned.key:
        parts.append(f"key: {', '.join(tuned.key)}")
    if tuned.pruned:
        parts.append("the host may drop some before they are tried")
    if tuned.zeroed:
        parts.append(f"set to zero before each run: {', '.join(tuned.zeroed)}")
    if tuned.restored:
        parts.append(f"put back after each trial: {', '.join(tuned.restored)}")
    yield Line("; ".join(parts))


def _listed(found: ConfigList) -> str:
    """The configurations of one list with the values that they take; of several the test that chooses it."""
    number = f"{len(found.configs)}" if found.at_most is None else f"at most {found.at_most}"
    count = f"{number} autotune config{'s' * (number != '1')}" if found.complete else "autotuned, configs built by code"
    names = dict.fromkeys(name for config in found.configs for name, _ in (*config.values, *config.options))
    sets = " · ".join(f"{name} ∈ {{{', '.join(map(str, values_of(found.configs, name)))}}}" for name in names)
    return "; ".join(part for part in (f"{count} {found.condition}".strip(), sets) if part)


def constexpr_value(facts: KernelFacts, param: t.Param) -> str:
    """What is known of a constexpr: `∈ {64, 128}`, `= 128`, `heuristic`, or empty."""
    choices = facts.tuning.choices(param.name)
    if choices:
        return _one_of([str(choice) for choice in choices])
    if param.name in facts.tuning.heuristics:
        return "heuristic"
    passed = {_passed(value) for launch in facts.launches for name, value in launch.arguments if name == param.name}
    missing = [launch for launch in facts.launches if param.name not in dict(launch.arguments)]
    if any(launch.spreads for launch in missing):
        return ""
    if param.default is not None and (missing or not passed):
        passed.add(_default(param.default))
    known = sorted((value for value in passed if value is not None), key=lambda v: (not v.isdecimal(), len(v), v))
    return _one_of(known) if known and None not in passed else ""


def _one_of(values: list[str]) -> str:
    return f"= {values[0]}" if len(values) == 1 else f"∈ {{{', '.join(values)}}}"


def _passed(value: HostValue) -> str | None:
    if isinstance(value, Plain):
        return repr(value.value)
    number = as_dim(value)
    return str(number.const) if number is not None and number.const is not None else None


def _default(node: t.Expr) -> str | None:
    return repr(node.value) if isinstance(node, t.Constant) else None


def _constexprs(facts: KernelFacts) -> Iterator[Line]:
    parts = [f"{p.name} {constexpr_value(facts, p)}".rstrip() for p in facts.constexprs]
    if parts:
        yield Line(" · ".join(parts))


def largest_blocks(facts: KernelFacts | HelperFacts) -> list[tuple[str, Tensor, Span]]:
    """The blocks that names are given, one per name: data before what they are addressed and masked by, those of most
    elements first."""
    best: dict[str, tuple[str, Tensor, Span]] = {}
    for target in _assigned(facts.node):
        for value in facts.run.values.get(target.span, ())[:1]:
            if target.id not in best and isinstance(value, Tensor) and value.shape and numel(value.shape) is not None:
                best[target.id] = (target.id, value, target.span)
    return sorted(best.values(), key=lambda item: (_is_index(item[1]), -_weight(item[1]), item[2].start))


def _assigned(node: t.FunctionDef) -> Iterator[t.Name]:
    """The places where a body gives names their values."""
    for statement in nodes_of(node, t.Assign):
        for target in statement.targets:
            yield from (inner for inner in t.walk(target) if isinstance(inner, t.Name))


def _is_index(block: Tensor) -> bool:
    return block.pointer or block.elem == "int1" or block.steps is not None


def _weight(block: Tensor) -> int:
    """Elements with every unknown size taken as 64, times their bytes: an order, not a figure."""
    count = numel(block.shape)
    if count is None:
        return 0
    number = count.evaluate(dict.fromkeys(count.names(), 64))
    return (number or 0) * (BITS.get(block.elem, 16) if not block.pointer else 8)


def _blocks(facts: KernelFacts) -> Iterator[Line]:
    """The largest blocks; those of helpers where the kernel has none of its own."""
    for function in (facts, *facts.helpers):
        blocks = largest_blocks(function)[:MAX_BLOCKS]
        inside = f" in {function.node.name}" if function is not facts else ""
        for name, block, span in blocks:
            text = f"`{name}` {either_block(function, name, block, span)}{inside}"
            yield Line(text, function.module.text.location(function.path, span))
        if blocks:
            return


def either_block(function: KernelFacts | HelperFacts, name: str, block: Tensor, span: Span) -> str:
    """What a name is given, on the other side of a branch too."""
    order = tuple(param.name for param in function.node.args)
    kinds = (describe(one, order) or "" for one in (block, *_on_the_other_side(function, name, span)))
    return " or ".join(dict.fromkeys(filter(None, kinds)))


def _on_the_other_side(function: KernelFacts | HelperFacts, name: str, span: Span) -> Iterator[Tensor]:
    """What a name is given on the other sides of the branch that it is given a block on."""
    branches = [b for b in nodes_of(function.node, t.If) if b.orelse and any(s.span.covers(span) for s in b.body)]
    innermost = max(branches, key=lambda branch: branch.span.start, default=None)
    for statement in t.flat(innermost.orelse) if innermost is not None else ():
        for target in statement.targets if isinstance(statement, t.Assign) else []:
            if isinstance(target, t.Name) and target.id == name:
                values = function.run.values.get(target.span, ())[:1]
                yield from (value for value in values if isinstance(value, Tensor) and value.shape)


def _accesses(facts: KernelFacts, most: int | None) -> Iterator[Line]:
    known = facts.fixed
    launched = next((launch for launch in facts.launches if launch.grid is not None), None)
    beyond = overshoots(facts, launched) if launched is not None else {}
    told: set[str] = set()
    for number, access in enumerate(facts.run.accesses):
        if most is not None and len(told) == most:
            yield Line(f"and {len(facts.run.accesses) - number} more")
            return
        where = facts.location(access.span)
        base = footprint(access).base or "?"
        block = describe(access.block, facts.order) or "block of unknown shape"
        text = f"`{base}` L{where.line} {access.kind}: {block} · {' · '.join(describe_footprint(access, known))}"
        text += _held_back(facts, beyond.get(access.span, ()))
        if access.name:
            text += f" · in {access.name}" + (f" L{facts.line_in(access)}" if facts.line_in(access) else "")
        if text not in told:  # a helper may be called on both sides of a branch
            told.add(text)
            yield Line(text, where)


def _loops(facts: KernelFacts) -> Iterator[Line]:
    """The loops of the kernel and its helpers with their rounds, each in its own words."""
    persistent = {
        found.loop.span: ", one tile of the grid each (persistent)" if found.each_round else " (persistent)"
        for found in persistent_loops(facts.node)
    }
    for function in (facts, *facts.helpers):
        inside = "" if function is facts else f" in {function.node.name}"
        order = tuple(param.name for param in function.node.args)
        for loop in loops_in(function.node):
            where = function.module.text.location(function.path, loop.span)
            rounds = function.run.rounds.get(loop.span)
            often = _while(function.module, loop)
            if rounds is not None:
                often = "one round" if rounds.const == 1 else f"{render(rounds, order)} rounds"
            kind = persistent.get(loop.span, "") if not inside else ""
            named = f"`{name}` L{where.line}" if (name := counter(loop)) else f"L{where.line}"
            yield Line(f"{named}{inside}: {often}{kind}", where)


def _while(module: Module, loop: t.For | t.While) -> str:
    """The number, range or test that says at run time how often a loop runs."""
    match loop:
        case t.For(iter=t.Call(args=[stop]) as source) | t.For(iter=t.Call(args=[t.Constant(value=0), stop]) as source):
            step = None
        case t.For(iter=t.Call(args=[t.Constant(value=0), stop, step]) as source):
            pass
        case _:
            source = stop = step = None
    if source is not None and stop is not None and operation(source) in ("range", "static_range"):
        end, by = (_short(module.text.slice(part.span)) if part is not None else "1" for part in (stop, step))
        return f"`{end}` rounds" if by == "1" else f"`cdiv({end}, {by})` rounds"
    text = _short(module.text.slice((loop.iter if isinstance(loop, t.For) else loop.test).span))
    return f"as often as `{text}` says" if isinstance(loop, t.For) else f"while `{text}`"


def _held_back(facts: KernelFacts, beyond: tuple[Overshoot, ...]) -> str:
    """Whether the mask covers what the last programs would touch beyond the data."""
    covered = [render(one.size, facts.order) for one in beyond if one.covered]
    missed = [render(one.size, facts.order) for one in beyond if not one.covered]
    text = f" · the mask ends at {' and '.join(covered)}" if covered else ""
    return text + (f" · nothing stops it at {' and '.join(missed)}" if missed else "")


def _features(facts: KernelFacts) -> Iterator[Line]:
    found = [text for name, text in FEATURES.items() if name in facts.run.operations]
    if facts.run.facts.descriptors:
        found.append(FEATURES["make_tensor_descriptor"])
    found = list(dict.fromkeys(found))
    if persistent_loops(facts.node):
        found.append("persistent")
    if grouped_order(facts.run) is not None:
        found.append("grouped ordering (L2)")
    if any(k.arg == "warp_specialize" for _, call in all_calls(facts.node) for k in call.keywords):
        found.append("warp specialisation")
    if facts.gluon:
        found.insert(0, "Gluon: layouts, buffers and barriers are the author's own and are not told here")
    helpers = sorted({call.function.node.name for call in facts.run.calls})
    if helpers:
        found.append(f"helpers: {', '.join(helpers)}")
    if found:
        yield Line(" · ".join(found))
