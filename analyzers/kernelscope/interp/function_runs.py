"""What a function's parameters are bound to when it is run for its own sake: what its callers share, or seeds."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack, nullcontext
from dataclasses import replace

from kernelscope.dims import Dim, Facts
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.annotations import is_said_to_be_another
from kernelscope.interp.built_models import call_built
from kernelscope.interp.calls import run_body
from kernelscope.interp.contexts import Context
from kernelscope.interp.findings import Known
from kernelscope.interp.generality import Generality
from kernelscope.interp.gradients import ask_for_gradients, give_context
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.other_layers import call_others
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.ranks import settle_ranks
from kernelscope.interp.receivers import alone, common_instance, learn_words, sizes_by_default
from kernelscope.interp.seeds import BATCH, KNOWN_INPUTS, WIDTHS, Beliefs, Seeded, seed
from kernelscope.interp.substitutes import settle_substitutes
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.untaken import follow_untaken
from kernelscope.interp.untold_arguments import is_untold, tell_untold, want_untold
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import (
    Function,
    Instance,
    Maybe,
    Opaque,
    Scope,
    Value,
    as_size,
    present,
)
from kernelscope.interp.wants import is_object, wanted
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition


def run_function(run: Interpreter, path: str, scope: SourceScope, beliefs: Beliefs) -> Seeded:
    """Run one function on what its callers give; what its parameters were taken from besides."""
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    if "triton.jit" in {t.dotted(d) for d in node.decorator_list}:
        return Seeded()
    contexts, run.guessed_sizes = run.contexts.of(node), frozenset[str]()
    contexts = contexts if any(_tells(context, node) for context in contexts) else []
    run.symbols.widths = frozenset()
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    run.contexts.caller = owner
    if contexts:
        frame, facts = _common(run, Definition(path, node.name, node, owner), contexts)
        are_examples = run.contexts.are_examples(node, contexts)
        offered = _offer(run, frame, node, beliefs) if are_examples else _promised(run, frame, node, beliefs)
        untold = {} if beliefs.only_code else tell_untold(run, frame, node, beliefs.doubted)
        run.guessed_sizes = run.guessed_sizes | _guessed_sizes(frame, contexts)
        run.symbols.widths = frozenset(WIDTHS & run.guessed_sizes)
        run.known = Known(facts=facts)
        settle_substitutes(run, frame, node)
        if not beliefs.only_code:
            want_untold(run, frame, node)
        settle_ranks(run, frame, node, offered.guessed)
        guessed = frozenset[str]() if are_examples else offered.guessed
        seeded = _follow(run, frame, node, Seeded(guessed, told={**offered.told, **untold}))
        for param in node.args:
            if param.name_span in run.seen:
                run.seen[param.name_span].contexts = len(contexts)
        return seeded
    function = alone(run, Definition(path, node.name, node, owner))
    frame = Scope(path, function)
    seeded = seed(run, function, frame, beliefs)
    run.guessed_sizes = seeded.guessed_sizes
    settle_substitutes(run, frame, node)
    settle_ranks(run, frame, node, seeded.guessed)
    return _follow(run, frame, node, seeded, promised_lengths(frame, seeded))


def _follow(
    run: Interpreter, frame: Scope, node: t.FunctionDef, seeded: Seeded, promised: Sequence[Dim] = ()
) -> Seeded:
    """Run the body on what the parameters are bound to, as far as the steps go."""
    told = {name: _documented(frame, name) for name in seeded.told}
    shapes = {name: value.shape for name in frame.names if isinstance(value := present(frame.names[name]), Tensor)}
    seeded = replace(seeded, words={name: {size.names()[0] for size in sizes} for name, sizes in told.items()})
    kept = give_context(run, frame, node)
    try:
        outputs = run_body(run, frame, node)
        if kept is not None:
            ask_for_gradients(run, frame, kept, outputs)
        call_built(run, frame, outputs)
    except (OutOfBudget, RecursionError, ArithmeticError):
        return replace(seeded, is_whole=False)
    except ShapeError:
        return seeded
    facts = run.known.facts
    merged = {name for name, sizes in told.items() if len({facts.rewrite(size) for size in sizes}) < len(sizes)}
    seeded = replace(seeded, merged=merged | _with_lengths_of_batches(run, shapes, told.keys() & shapes.keys()))
    if promised or seeded.guessed:
        seeded = replace(seeded, is_odd=run.refuses or is_odd_run(run, promised))
    follow_untaken(run, frame)
    call_others(run)
    return seeded


def _with_lengths_of_batches(run: Interpreter, shapes: Mapping[str, Shape], told: Set[str]) -> set[str]:
    """The documented parameters with a first axis that the code takes to be as long as one that is nowhere first; and
    those of a batch where lengths meet so many times themselves, or vectors over it meet lengths: one is said to have
    the batch in front that has it not, or to have no axis behind."""
    firsts = {shape.head[0] for shape in shapes.values() if shape.head}
    others = {size for shape in shapes.values() for size in shape.head[1:]} - firsts
    named = [size for size in others if isinstance(size, Dim) and size.names()]
    facts, names = run.known.facts, sizes_in(named) - sizes_in(firsts)
    lengths = {facts.rewrite(size) for size in named}
    found: set[str] = set()
    for name in told:
        first = shapes[name].head[0] if shapes[name].head else None
        if not isinstance(first, Dim) or first.name is None:
            continue
        met = [size for pair in run.met if first in pair for size in pair] if shapes[name].rank == 1 else []
        is_met = any(not names.isdisjoint(size.names()) for size in met)
        if is_met or facts.rewrite(first) in lengths or any(_is_multiplied(*p, first.name, names) for p in run.met):
            found.add(name)
    return found


def _is_multiplied(one: Dim, other: Dim, batch: str, lengths: Set[str]) -> bool:
    """Whether of two sizes that meet both have to do with lengths, and one with a batch as well."""
    names = [set(size.names()) for size in (one, other)]
    return all(own & lengths for own in names) and (batch in names[0]) != (batch in names[1])


def _documented(frame: Scope, name: str) -> list[Dim]:
    """The sizes of a parameter that its documentation calls by different words."""
    value = present(frame.names.get(name))
    sizes = value.shape.head + (value.shape.tail or ()) if isinstance(value, Tensor) else ()
    return list(dict.fromkeys(size for size in sizes if isinstance(size, Dim) and size.name is not None))


def promised_lengths(frame: Scope, seeded: Seeded) -> list[Dim]:
    """The numbers and lengths of sequences that names promise: no code makes one of them the other."""
    found: dict[Dim, None] = {}
    for name in sorted(seeded.guessed):
        value, names = present(frame.names[name]), KNOWN_INPUTS.get(name, ())
        if names[:2] == BATCH and isinstance(value, Tensor) and value.rank == len(names):
            found |= {size: None for size in value.shape.head[:2] if isinstance(size, Dim) and size.name is not None}
    return list(found)


def is_odd_run(run: Interpreter, promised: Sequence[Dim]) -> bool:
    """Whether the code takes sizes of a batch to be equal that are not, or a shape to have another number of sizes, or
    a loop cannot begin."""
    facts, names = run.known.facts, {name for size in promised for name in size.names()}
    if run.doubtful_rounds or len({facts.rewrite(size) for size in promised}) < len(promised):
        return True
    return any(
        {*one.names(), *other.names()} <= names and facts.rewrite(one) != facts.rewrite(other) for one, other in run.met
    )


def _common(run: Interpreter, definition: Definition, contexts: list[Context]) -> tuple[Scope, Facts]:
    """The parameters of a function as all its callers give them."""
    node = definition.node
    assert isinstance(node, t.FunctionDef)
    uses = run.uses(node)
    callers = {None if c.caller is None else c.caller.node for c in contexts}
    own = definition.owner.node if definition.owner is not None else None

    def make(common: Generality, instances: list[Instance], name: str) -> Instance:
        return common_instance(run, common, instances, name)

    hinted = {n for names in uses.unpacked.values() for n in names if uses.bindings.get(n) == 1}
    ones = [c.ones for c in contexts]
    examples = run.contexts.are_examples(node, contexts)
    taken = set(uses.bindings) - hinted
    is_trial = all(context.is_trial for context in contexts)
    apart = {word for name, words in uses.unpacked.items() for word in _given_apart(contexts, name, words)}
    common = Generality(
        len(contexts),
        taken,
        callers != {own},
        hinted,
        apart,
        ones,
        examples=examples,
        trials=is_trial,
        make=make,
        saved=uses.saved,
    )
    names: dict[str, Value] = {}
    receivers = [alone(run, definition).receiver if is_trial else context.receiver for context in contexts]
    receiver = receivers[0]
    common.of_one_by_default = is_trial and isinstance(receiver, Instance) and _is_made_with_one(run, receiver)
    parameters = [p.name for p in node.args]
    if isinstance(receiver, Instance) and parameters:
        own_name = parameters.pop(0)
        same = all(isinstance(r, Instance) and r.cls.node is receiver.cls.node for r in receivers)
        with ExitStack() as stack:
            for name in parameters if node.name == "__init__" else ():  # the object is made with them
                if uses.bindings.get(name) == 1 and all(_is_size(c.names.get(name)) for c in contexts):
                    stack.enter_context(common.own(name))
            receiver = common.instance(own_name, receivers, receivers, 0) if same else receiver
        names[own_name] = receiver
        if isinstance(receiver, Instance):
            prepare(run, receiver)
            learn_words(common, receiver)
    sizes = {p for p in parameters if all(_is_size(c.names.get(p)) for c in contexts)}
    for name in sorted(parameters, key=lambda p: (p not in sizes, p not in uses.unpacked)):
        given = [c.names[name] for c in contexts if name in c.names]
        if len(given) == len(contexts):
            hints = [h if h in hinted else "_" for h in uses.unpacked.get(name, [])]
            is_own = uses.bindings.get(name) == 1 and all(map(_is_size, given))
            with common.own(name) if is_own else nullcontext():
                names[name] = value = common.value(name, _telling(contexts, given), hints)
            is_told = not _is_nobody_told(present(value)) or is_said_to_be_another(run, definition.path, node, name)
            if not is_told and _may_be_tensor(run, definition.path, names, uses, name):
                lost = Tensor(Shape.unknown(NOT_TOLD))
                names[name] = Maybe(lost, value.name) if isinstance(value, Maybe) else lost
    if node.name == "__init__":
        names |= sizes_by_default(node, names)
    run.symbols.ones |= common.ones
    facts = contexts[0].facts
    for context in contexts[1:]:
        facts = facts.common(context.facts)
    said = {name for fact in facts.divisible for size in fact for name in size.names() if common.keeps(name)}
    divisible = tuple(f for f in facts.divisible if all(said.issuperset(size.names()) for size in f))
    facts = Facts(divisible=divisible)  # sizes that are equal are told as one already, in the words of the callers
    return Scope(definition.path, Function(definition, receiver, isinstance(receiver, Instance)), names), facts


def _is_made_with_one(run: Interpreter, receiver: Instance) -> bool:
    """Whether a size that an object is made with is 1 by default."""
    init = run.classes.attribute(receiver.cls, "__init__")
    node = init.node if isinstance(init, Definition) else None
    defaults = [param.default for param in node.args] if isinstance(node, t.FunctionDef) else []
    return any(isinstance(d, t.Constant) and type(d.value) is int and d.value == 1 for d in defaults)


def _tells(context: Context, node: t.FunctionDef) -> bool:
    """Whether a call tells anything of what it gives; `super().forward(*args, **kwargs)` often does not."""
    bound = node.args[1:] if isinstance(context.receiver, Instance) else node.args
    own = [param for param in bound if param.kind not in ("args", "kwargs")]
    given = [(param, present(context.names.get(param.name))) for param in own]
    return not own or any(
        value is not None and not isinstance(value, Unknown) and not _is_default(param, value) for param, value in given
    )


def _is_default(param: t.Param, value: Value) -> bool:
    """Whether a value is the constant that a parameter has by default."""
    return (
        isinstance(param.default, t.Constant)
        and type(value) is type(param.default.value)
        and bool(value == param.default.value)
    )


def _telling(contexts: list[Context], given: list[Value]) -> list[Value]:
    """What calls give; where others do tell, one of another file that does not even tell how many dims says nothing;
    nor does it beside an example that does."""
    pairs = list(zip(contexts, given, strict=True))
    is_shown = any(context.is_trial and not is_untold(value) for context, value in pairs)
    if all(context.outside for context in contexts) and not is_shown:
        return given
    return [Unknown("") if context.outside and is_untold(value) else value for context, value in pairs]


def _given_apart(contexts: list[Context], name: str, words: list[str]) -> set[str]:
    """The words of a function for sizes of a parameter that some caller calls otherwise."""
    found: set[str] = set()
    for context in contexts:
        tensor = present(context.names.get(name))
        dims = tensor.shape.dims if isinstance(tensor, Tensor) else None
        if dims is not None and len(dims) == len(words):
            found |= {
                word for word, size in zip(words, dims, strict=True) if isinstance(size, Dim) and size.name != word
            }
    return found


def _is_nobody_told(value: Value) -> bool:
    """Whether nothing is known of what callers give, or nothing but a name that one of their own parameters has."""
    is_named = isinstance(value, Opaque) and value.cls is None and value.default is None
    return isinstance(value, Unknown) or (is_named and not value.is_typed)


def _may_be_tensor(run: Interpreter, path: str, names: dict[str, Value], uses: Uses, name: str) -> bool:
    """Whether a parameter is used like a tensor, or given to what takes one."""
    known = Scope(path, None, {**names})
    if name in uses.keys:
        return False
    if name not in uses.tensors:
        return wanted(run, known, uses, name) is not None
    return not is_object(run, known, uses, name)


def _guessed_sizes(frame: Scope, contexts: list[Context]) -> set[str]:
    """What sizes are called here that only the names of inputs tell at some caller."""
    found: set[str] = set()
    for name, value in frame.names.items():
        own = _dims(value)
        for context in contexts:
            given = _dims(context.names.get(name))
            if len(given) == len(own):
                told = [mine for mine, size in zip(own, given, strict=True) if context.guessed_sizes & set(size)]
                found.update(word for words in told for word in words)
    return found


def _dims(value: Value) -> list[tuple[str, ...]]:
    """The names in each dim of a tensor of known rank."""
    tensor = present(value)
    dims = tensor.shape.dims if isinstance(tensor, Tensor) else None
    return [tuple(size.names()) if isinstance(size, Dim) else () for size in dims or ()]


def _is_size(value: Value) -> bool:
    """Whether an argument is a size or some: what tensors' sizes are computed of may be told by it."""
    if type(value) is tuple:
        return all(_is_size(part) for part in value)
    return isinstance(present(value), Dim | Opaque)


def _differ_in_rank(one: Value, other: Value) -> bool:
    """Whether two tensors are known to have different numbers of dims."""
    one, other = present(one), present(other)
    ranks = [value.rank if isinstance(value, Tensor) else None for value in (one, other)]
    return None not in ranks and ranks[0] != ranks[1]


def _offer(run: Interpreter, frame: Scope, node: t.FunctionDef, beliefs: Beliefs) -> Seeded:
    """The few callers in other files are examples: what they leave out may be given by others, and what they do not
    tell, or the function's own documentation tells, is what it would be without them, unless they give another rank.

    Gives the parameters whose shape is guessed by their names, and those that are documented.
    """
    if frame.function is None:
        return Seeded()
    alone_frame = Scope(frame.path, frame.function)
    seeded = seed(run, frame.function, alone_frame, beliefs)
    guessed: set[str] = set()
    told: dict[str, bool] = {}
    for param in node.args:
        name = param.name
        if name not in frame.names or name not in alone_frame.names:
            continue
        given, own = frame.names[name], alone_frame.names[name]
        is_told = seeded.told.get(name) and not _differ_in_rank(given, own)
        if is_told or (is_untold(given) and not is_untold(own)):
            frame.names[name] = own
            guessed |= {name} & seeded.guessed
            if name in seeded.told:
                told[name] = seeded.told[name]
            if name in seeded.guessed and isinstance(tensor := present(own), Tensor):
                run.guessed_sizes = run.guessed_sizes | (seeded.guessed_sizes & set(tensor.shape.names()))
        elif given is None and isinstance(param.default, t.Constant) and name not in seeded.guessed:
            frame.names[name] = own if isinstance(own, Maybe | Unknown) or own is None else Maybe(own, name)
        elif name in seeded.moved or (isinstance(own, Opaque) and own.default is not None and _is_number(given)):
            frame.names[name] = own  # what is one number by default is given as another: it may be any
    return Seeded(guessed, told)


def _promised(run: Interpreter, frame: Scope, node: t.FunctionDef, beliefs: Beliefs) -> Seeded:
    """What the names of inputs promise of those of which no caller tells how many dims they have: as much as where
    nobody calls."""
    given_for = {p.name: present(frame.names.get(p.name)) for p in node.args if p.name in KNOWN_INPUTS}
    names = {name for name, given in given_for.items() if is_untold(given) or _is_nobody_told(given)}
    if frame.function is None or not names or not beliefs.by_name or beliefs.only_code:
        return Seeded()
    alone_frame = Scope(frame.path, frame.function)
    seeded = seed(run, frame.function, alone_frame, beliefs)
    guessed = names & seeded.guessed
    for name in guessed:
        given, own = frame.names[name], present(alone_frame.names[name])
        frame.names[name] = Maybe(own, given.name) if isinstance(given, Maybe) else own
        if isinstance(own, Tensor):
            run.guessed_sizes = run.guessed_sizes | (seeded.guessed_sizes & set(own.shape.names()))
    return Seeded(guessed)


def _is_number(value: Value) -> bool:
    size = as_size(value)
    return isinstance(size, Dim) and size.const is not None
