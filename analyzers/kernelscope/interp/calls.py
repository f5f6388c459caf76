"""Calls: operators by the table, layers by their rules, the workspace's own functions and classes by interpretation."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from msgspec.structs import replace

from kernelscope import ops
from kernelscope.dims import Dim
from kernelscope.interp.administration import is_administration
from kernelscope.interp.agreement import joined
from kernelscope.interp.argument_binding import bind, bind_to
from kernelscope.interp.attributes import SHAPING, shaping_method
from kernelscope.interp.built_layers import built_layer
from kernelscope.interp.expressions import elements, evaluate
from kernelscope.interp.findings import Known
from kernelscope.interp.flow import Returns, execute
from kernelscope.interp.handed_calls import handed_call
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import LOADING_STEPS, MAX_CALLS, MAX_COUNTING, MAX_HELPERS, MAX_QUIET_CALLS
from kernelscope.interp.message_passing import exchanged
from kernelscope.interp.named_layers import kept_shape
from kernelscope.interp.other_layers import note_others
from kernelscope.interp.sequences import any_of
from kernelscope.interp.several_kinds import without_lengths
from kernelscope.interp.shares import within_bounds, within_share, within_steps
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Builtin,
    Choice,
    Class,
    External,
    Function,
    Instance,
    Keywords,
    LambdaValue,
    LayerMethod,
    Maybe,
    Number,
    Opaque,
    Open,
    Partial,
    PlainMethod,
    Scope,
    Sequential,
    SuperValue,
    TensorMethod,
    Unpacked,
    Value,
    for_op,
    present,
)
from kernelscope.ops import Module, ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DType, Unknown
from kernelscope.workspace.modules import Definition

MAX_OUTCOMES = 4
"""Results of different kinds that are followed apart."""


def call_node(run: Interpreter, scope: Scope, node: t.Call) -> Value:
    """A call expression."""
    if isinstance(node.func, t.Name) and node.func.id == "super":
        return _super(scope)
    target = evaluate(run, scope, node.func)
    args = elements(run, scope, node.args)
    kwargs: Keywords = {}
    for keyword in node.keywords:
        value = evaluate(run, scope, keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
            continue
        if isinstance(value, dict):
            kwargs.update({k: v for k, v in value.items() if isinstance(k, str)})
        if isinstance(value, Open) or not isinstance(value, dict):
            kwargs = Open(kwargs)
    if run.trace is not None:
        run.trace.callee = node.func
    if (handed := handed_call(run, scope, node, target, args, kwargs)) is not None:
        target, args, kwargs = handed
        if run.trace is not None:
            run.trace.callee = node.args[0]
    try:
        result = call(run, target, args, kwargs, node.span)
        note_others(run, scope, node, args, kwargs)
        if isinstance(target, Class) and isinstance(result, Instance) and result.is_module and not result.is_ready:
            result.usual = {*result.usual, *_handed_on(run, scope, target, node)}
        if scope.several and t.dotted(node.func) in scope.several and (run.trace is None or run.quiet):
            return without_lengths(result, args)
        kept = kept_shape(node.func, present(target), args) if isinstance(result, Unknown) and not run.certain else None
        if kept is None:
            return result
        return kept if run.trace is None or run.quiet else run.trace.same(kept, result)
    except ShapeError as error:
        if run.certain and any(isinstance(present(value), Opaque) for value in (*args, *kwargs.values())):
            return Unknown(error.message, node.span)  # what is taken for a number may be a tensor
        value = run.contradiction(scope.path, node.span, error)
        return value if run.trace is None or run.quiet else run.trace.broken(value)


def _handed_on(run: Interpreter, scope: Scope, made: Class, node: t.Call) -> set[str]:
    """The switches of a constructor that are as they are because the caller's own are by default."""
    from kernelscope.interp.makers import given_at
    from kernelscope.interp.otherwise import is_by_default

    init = run.classes.attribute(made.definition, "__init__")
    if not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
        return set()
    return {name for name, value in given_at(node, init.node) if is_by_default(scope, value)}


def _super(scope: Scope) -> Value:
    current: Scope | None = scope
    while current is not None:
        function = current.function
        owner = None if function is None else function.definition.owner
        if function is not None and owner is not None and isinstance(function.receiver, Instance | Class):
            return SuperValue(owner, function.receiver)
        current = current.outer
    return Unknown("super() outside a method")


def call(run: Interpreter, target: Value, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """The result of calling a value. Raises ShapeError for a certain contradiction."""
    if run.trace is None or run.quiet:
        return _call(run, target, args, kwargs, span)
    from kernelscope.interp.choices import is_one_thing, traced_choice, without_stand_ins

    if isinstance(target, Maybe) and target.test is not None:
        with run.trace.only_where(target.test):
            return call(run, target.value, args, kwargs, span)
    target = present(target)
    if isinstance(target, Choice):
        kept, others = without_stand_ins(run, target)
        if others:
            return run.trace.or_else(others, call(run, kept, args, kwargs, span))
    if isinstance(target, Choice) and is_one_thing(target) and not run.certain:
        return traced_choice(run, run.trace, target, args, kwargs, span)
    own: list[Value] = []
    trace = run.trace

    def follow() -> Value:
        return _call(run, target, args, kwargs, span)

    def go() -> Value:
        is_shared = trace.shares and isinstance(target, Function | Instance)
        own.append(within_share(run, trace, follow) if is_shared else follow())
        return own[-1]

    result = run.trace.call(target, args, kwargs, span, go)
    if own and own[-1] is not result and (outcomes := run.outcomes_of(own[-1])) is not None:
        run.outcomes = (result, [run.trace.as_of(outcome, result) for outcome in outcomes])
    return result


def _call(run: Interpreter, target: Value, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    run.step()
    target = present(target)
    match target:
        case Function():
            result = call_function(run, target, args, kwargs, span)
            lost = isinstance(result, Unknown | Choice)
            default = _default_choice(target.definition.name, args) if lost else None
            return result if default is None else default
        case TensorMethod():
            from kernelscope.interp.externals import call_tensor_method

            return call_tensor_method(run, target, args, kwargs)
        case External():
            from kernelscope.interp.externals import call_external

            return call_external(run, target.name, args, kwargs, span)
        case Builtin():
            from kernelscope.interp.python_functions import call_builtin

            return call_builtin(run, target.name, args, kwargs, span)
        case Module():
            return _layer(run, target, args, kwargs, span)
        case Class():
            from kernelscope.interp.instances import construct

            return construct(run, target.definition, args, kwargs)
        case Instance():
            from kernelscope.interp.instances import call_instance

            return call_instance(run, target, args, kwargs, span)
        case Sequential():
            return through(run, target.parts, args, kwargs, span)
        case LambdaValue():
            return _call_lambda(run, target, args, kwargs)
        case Partial():
            return call(run, target.target, [*target.args, *args], Open.together(target.kwargs, kwargs), span)
        case DType() if len(args) == 1:
            return call(run, External("jax.numpy.asarray"), [args[0], target], {}, span)
        case PlainMethod():
            from kernelscope.interp.methods import call_method

            return call_method(run, target, args, kwargs, span)
        case LayerMethod():
            from kernelscope.interp.instances import call_inherited

            return call_inherited(run, target, args, kwargs, span)
        case Choice() if run.certain:
            return Unknown("one of several callables", span)
        case Choice():
            from kernelscope.interp.choices import call_choice

            return call_choice(run, target, args, kwargs, span)
        case Opaque():
            return _opaque_call(run, target, args, kwargs, span)
        case Unknown():
            return Unknown(target.reason, span)
        case _:
            return Unknown("a call that is not followed", span)


def _opaque_call(run: Interpreter, target: Opaque, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    method = target.name.rpartition(".")[2]
    if method == "size" and method != target.name and not args:
        return target  # of a group of ranks, as of anything else that is counted
    if method in SHAPING:
        asked = shaping_method(run, f"what {target.name.rpartition('.')[0]} is is not known", method)
        return call(run, asked, args, kwargs, span)
    found = _default_choice(method, args)
    found = built_layer(run, target, args, kwargs) if found is None else found
    return Unknown(f"{target.name}() is not followed", span) if found is None else found


def _default_choice(name: str, args: Arguments) -> Function | None:
    """`table.get_interface(key, default)`: a default that is a function is what runs unless another is chosen."""
    callables = [a for a in args if isinstance(a, Function)]
    return replace(callables[0], is_default=True) if len(callables) == 1 and name.startswith("get") else None


def call_function(run: Interpreter, function: Function, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Interpret a function of the workspace on these arguments."""
    node = function.definition.node
    if not isinstance(node, t.FunctionDef):
        return Unknown("no function", span)
    if (result := exchanged(run, function, args, kwargs, span)) is not None:
        return result
    if run.calls >= MAX_CALLS:
        run.refused += 1
        return Unknown(f"{node.name} is called too deeply", span)
    constant = not args and not kwargs and not function.is_bound and function.closure is None
    if constant and node in run.constants:
        return run.constants[node]
    root = run.contexts.root
    is_built = run.symbols.building > 0 or (root is not None and root.name == "__init__")
    is_helper = is_built and node.name != "__init__"
    if is_helper and is_administration(run, function):
        return Unknown(f"{node.name} reads settings only", span)
    most_helpers = MAX_COUNTING if is_helper and all(map(_is_plain, (*args, *kwargs.values()))) else MAX_HELPERS
    if (run.quiet and run.depth >= MAX_QUIET_CALLS) or (is_helper and run.helpers >= most_helpers):
        run.refused += 1
        return Unknown(f"{node.name} is called too deeply", span)
    scope = Scope(function.definition.path, function, {}, function.closure)
    if node.name == "__init__" and isinstance(function.receiver, Instance):
        scope.usual |= function.receiver.usual
    is_whole = bind(run, scope, function, args, kwargs)
    from kernelscope.interp.substitutes import settle_substitutes
    from kernelscope.interp.summaries import followed

    settle_substitutes(run, scope, node)
    of_file = run.contexts.holds(scope.path, node)
    if of_file:
        if run.running and (caller := run.running[-1].function) is not None:
            run.contexts.edges.add((caller.definition.node, node))
        receiver = function.receiver if function.is_bound else None
        is_own = is_whole and not _is_extended(run, function)
        if is_own:  # nobody makes a call that fails: it is of another way through the code than this one
            facts = run.known.facts

            def told(size: Dim) -> Dim:
                return run.symbols.in_words(facts.rewrite(size))

            run.contexts.note(node, scope.names, receiver, facts, run.symbols.ones, told, run.guessed_sizes, run.aside)
    run.contexts.within += of_file
    run.helpers += is_helper
    try:
        is_open = any(isinstance(value, Open) for value in scope.names.values())
        with run.done_once() if constant else nullcontext():
            if _only_loads(run, function, args, kwargs):
                result = within_steps(run, LOADING_STEPS, lambda: followed(run, scope, node))
            else:
                result = within_bounds(run, node, lambda: followed(run, scope, node))
        result = _opened(result) if is_open else result
    finally:
        run.contexts.within -= of_file
        run.helpers -= is_helper
    if constant:
        if isinstance(result, Number) and result.is_integer:
            result = run.symbols.lasting(node.name.removeprefix("get_"), result.reason)
        elif isinstance(result, Dim) and len(result.names()) > 1 and not run.certain:
            result = run.symbols.lasting(node.name.removeprefix("get_"), "a function without arguments computes it")
        run.constants[node] = result
    return result


def _is_extended(run: Interpreter, function: Function) -> bool:
    """Whether a method runs for the method of a class below that extends it by more: `super().forward(joined)` tells
    nothing of the objects of the class itself."""
    owner, receiver = function.definition.owner, function.receiver
    if owner is None or not isinstance(receiver, Instance) or receiver.cls.node is owner.node:
        return False
    own = run.classes.attribute(receiver.cls, function.definition.name)
    return isinstance(own, Definition) and own.node is not function.definition.node


def _only_loads(run: Interpreter, function: Function, args: Arguments, kwargs: Keywords) -> bool:
    """Whether a method of a class elsewhere is given nothing to compute with: `Model.from_pretrained(name)`."""
    is_elsewhere = isinstance(function.receiver, Class) and function.definition.path != run.contexts.path
    return is_elsewhere and all(map(_is_plain, (*args, *kwargs.values())))


def _is_plain(value: Value) -> bool:
    """Whether a value is a number, a text, a class, or some of them, as far as is known."""
    match value:
        case bool() | str() | float() | None | Dim() | Class() | External():
            return True
        case Opaque():
            return value.cls is None
        case Open():
            return False
        case tuple() | list():
            return all(map(_is_plain, value))
        case dict():
            return all(map(_is_plain, value.values()))
        case _:
            return False


def _opened(value: Value) -> Value:
    """What a function makes of keyword arguments of which there may be more."""
    match value:
        case dict():
            return Open(value)
        case tuple() if type(value) is tuple:
            return tuple(_opened(v) for v in value)
        case list():
            return [_opened(v) for v in value]
        case Alike():
            return Alike(_opened(value.element), value.count)
        case _:
            return value


def run_body(run: Interpreter, scope: Scope, node: t.FunctionDef) -> Value:
    """Execute a function's body in a scope whose parameters are bound."""
    run.calls += 1
    run.deepest = max(run.deepest, run.calls)
    if run.quiet:
        run.deepest_quiet = max(run.deepest_quiet, run.calls)
    outer, run.nested = run.nested, 0
    run.frames += 1
    scope.frame = run.frames
    for param in node.args:
        if param.name in scope.names:
            value = scope.names[param.name]
            if _has_numbers(value):
                scope.names[param.name] = value = run.symbols.named(scope, value, param.name)
            run.record(scope.path, param.name_span, value)
    if node is run.contexts.root and not run.root_frame:
        run.root_frame = scope.frame
    caller, run.symbols.frame = run.symbols.frame, run.frames
    returns = Returns(run, scope)
    known = run.known
    run.running.append(scope)
    try:
        with nullcontext() if run.trace is None else run.trace.inside(scope.path):
            ended = execute(run, scope, node.body, returns)
            if not ended and returns.any:
                returns.add(None, run.known.facts)
            run.refuses = ended and not returns.any
    finally:
        facts = run.known.facts if returns.facts is None else returns.facts
        facts = facts if run.certain else run.symbols.batches.agree(facts, scope.frame)
        run.running.pop()
        run.known = Known(known.conditions, run.symbols.carried(facts, caller))
        run.calls -= 1
        run.nested = outer
        run.symbols.frame = caller
    if run.is_generator(node):
        return Alike(any_of(scope.yielded) if scope.yielded else Unknown("what a generator yields"))
    run.record(scope.path, node.name_span, returns.value)
    several = 1 < len(returns.outcomes) <= MAX_OUTCOMES
    run.outcomes = (returns.value, returns.outcomes) if several else None
    return returns.value


def _has_numbers(value: Value) -> bool:
    """Whether an argument holds integers that are not known: the function has names for them."""
    if type(value) is tuple:
        return any(_has_numbers(v) for v in value)
    return isinstance(value, Number) and value.is_integer


def _call_lambda(run: Interpreter, target: LambdaValue, args: Arguments, kwargs: Keywords) -> Value:
    scope = Scope(target.closure.path, target.closure.function, {}, target.closure)
    bind_to(run, scope, target.node.args, list(args), kwargs)
    return evaluate(run, scope, target.node.body)


def _layer(run: Interpreter, layer: Module, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    given = [_for_layer(a) for a in args]
    named = {k: for_op(v) for k, v in kwargs.items()}
    return run.operate(lambda facts: ops.call(layer, given, named, facts))


def _for_layer(value: Value) -> Value:
    """What a layer is called on is never a number."""
    value = present(value)
    return Unknown(f"what {value.name} is is not known") if isinstance(value, Opaque) else for_op(value)


def through(run: Interpreter, parts: list[Value], args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`Sequential`: each part on what the one before gave."""
    values = args
    for part in (p.value if isinstance(p, Unpacked) else p for p in parts):
        if isinstance(part, Alike):
            before = run.known
            with run.loop("loop", span, part.count):
                result = call(run, part.element, values, {}, span)
            known = run.known
            run.quiet += 1
            try:
                again = call(run, part.element, [result], {}, span)
            except ShapeError:  # each is made of sizes of its own: what the first takes is not what the next does
                again = values[0] if values else result
            finally:
                run.quiet -= 1
            is_same = repr(again) == repr(result)
            run.known = known if is_same else before  # what the first finds equal is so of the first
            one = result if is_same else joined(result, again)
            values = [one if one is result or run.trace is None else run.trace.met(one, result, again)]
        else:
            values = [call(run, part, values, {}, span)]
    return values[0] if values else None
