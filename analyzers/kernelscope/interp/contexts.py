"""What functions were given: one context for each call, kept as it was when the call was made.

A context holds values; what several contexts have in common is found in `generality`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace

from kernelscope.dims import Dim, Facts
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.symbols import over_sizes
from kernelscope.interp.values import Alike, Copied, Instance, Maybe, Opaque, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor
from kernelscope.workspace.modules import Definition

MAX_CONTEXTS = 24
"""Calls of one function that are kept: more of them say little that these do not."""
MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Context:
    """The values of a function's parameters in one call."""

    names: dict[str, Value]
    receiver: Value
    facts: Facts
    caller: Definition | None
    """The class whose method makes the call."""
    ones: frozenset[str]
    """Names of sizes that may well be 1."""
    outside: bool
    """Whether another file or a trial calls: one of many users, who may leave out what the rest give."""
    guessed_sizes: Set[str] = frozenset()
    """Names of sizes that only the names of inputs tell."""
    is_trial: bool = False
    """Whether a function calls that is given nothing and called by nobody: its numbers are examples."""

    @property
    def tells_ranks(self) -> bool:
        """Whether it is known of some tensor that is given how many dims it has."""
        return any(isinstance(v := present(given), Tensor) and v.rank is not None for given in self.names.values())


@dataclass(slots=True)
class Contexts:
    """The calls that were seen of each function of one file."""

    path: str = ""
    """The file that is looked at."""
    root: t.FunctionDef | None = None
    """The function that is being interpreted for its own sake."""
    caller: Definition | None = None
    edges: set[tuple[t.Stmt, t.Stmt]] = field(default_factory=set[tuple[t.Stmt, t.Stmt]])
    """Functions of the file that were seen to call one another."""
    outside: bool = False
    """Whether a function of another file is being interpreted for its calls."""
    calls_built: bool = False
    """Whether a model that such a function builds is called as well: nothing is known of what is asked about."""
    within: int = 0
    """How many other functions of the file are running: what they call is seen when they are looked at themselves."""
    noted: int = 0
    """How many calls were noted so far."""
    passed_over: int = 0
    """How many were not, because of where they were made."""
    calls: dict[t.FunctionDef, list[Context]] = field(default_factory=dict[t.FunctionDef, list[Context]])
    unlikely: dict[t.FunctionDef, list[Context]] = field(default_factory=dict[t.FunctionDef, list[Context]])
    """Calls in branches that are not taken: they tell where there are no others, and that lists may be of other
    lengths than in the others."""
    shared: set[t.FunctionDef] = field(default_factory=set[t.FunctionDef])
    """Functions of which one call in the file does not tell what they are given: others call them as well."""

    def of(self, node: t.FunctionDef) -> list[Context]:
        """The calls of a function that tell what it is given: those of other files only where its own makes none, or
        no more than one."""
        unlikely = self.unlikely.get(node, [])
        calls = self.calls.get(node)
        calls = unlikely if not calls else calls + [c for u in unlikely if (c := _with_lists_of(calls[0], u))]
        is_shared = node in self.shared
        return [call for call in calls if not call.outside or (is_shared and call.tells_ranks)] or calls

    def are_examples(self, node: t.FunctionDef, calls: list[Context]) -> bool:
        """Whether the calls that were seen of a function are a few of many: others may give other numbers."""
        return node in self.shared or any(call.outside for call in calls)

    def holds(self, path: str, node: t.FunctionDef) -> bool:
        """Whether a function is one of the file, and not a part of the one that is looked at."""
        return path == self.path and not self.is_part(path, node)

    def is_part(self, path: str, node: t.FunctionDef) -> bool:
        """Whether a function is the one that is looked at, or a part of it."""
        root = self.root
        if root is None or path != self.path or self.outside:  # else it is one of another file
            return False
        return node is root or (root.span.start <= node.span.start and node.span.end <= root.span.end)

    def counts(self) -> dict[t.FunctionDef, int]:
        """How many calls were seen so far."""
        return {node: len(calls) for node, calls in self.calls.items()}

    def forget(self, counts: dict[t.FunctionDef, int]) -> None:
        """Forget the calls that were seen since."""
        for node, calls in self.calls.items():
            del calls[counts.get(node, 0) :]

    def settle(self, counts: dict[t.FunctionDef, int], facts: Facts) -> None:
        """Tell the sizes of the calls that were seen since as their caller knows them in the end: what divides what it
        may have found out in a later call. What it found equal may be so of one round of a loop only."""
        known = Facts(divisible=facts.divisible)
        if not known.divisible:
            return
        for node, calls in self.calls.items():
            for i in range(counts.get(node, 0), len(calls)):
                names = {name: over_sizes(value, known.rewrite) for name, value in calls[i].names.items()}
                calls[i] = replace(calls[i], names=names)

    def since(self, counts: dict[t.FunctionDef, int]) -> dict[t.FunctionDef, list[Context]]:
        """The calls that were seen since."""
        return {node: calls[counts.get(node, 0) :] for node, calls in self.calls.items()}

    def add(self, found: dict[t.FunctionDef, list[Context]]) -> None:
        """Remember calls that were forgotten."""
        for node, calls in found.items():
            self.calls.setdefault(node, []).extend(calls)

    def take(self, node: t.FunctionDef, other: Contexts) -> None:
        """Remember the calls of one function that were seen elsewhere."""
        for own, found in ((self.calls, other.calls), (self.unlikely, other.unlikely)):
            calls = own.setdefault(node, [])
            calls += found.get(node, [])[: MAX_CONTEXTS - len(calls)]

    def without(self, names: Set[str]) -> Contexts:
        """The same calls, as if nothing were known of some parameters: those that the callers give an example of."""
        lost = Tensor(Shape.unknown(NOT_TOLD))
        calls = {
            node: [replace(c, names={n: lost if n in names else v for n, v in c.names.items()}) for c in found]
            for node, found in self.calls.items()
        }
        return Contexts(self.path, outside=True, calls=calls)

    def without_optional(self, node: t.FunctionDef) -> Contexts:
        """The same calls of a function, as if nothing were known of the tensors that may be left out: what is handed on
        a long way is best known by what is done with it."""
        optional = {p.name for p in node.args if isinstance(p.default, t.Constant) and p.default.value is None}
        lost = Tensor(Shape.unknown(NOT_TOLD))

        def told(name: str, value: Value) -> Value:
            return Maybe(lost, name) if name in optional and isinstance(present(value), Tensor) else value

        calls = [replace(c, names={n: told(n, v) for n, v in c.names.items()}) for c in self.calls.get(node, [])]
        return Contexts(self.path, outside=True, calls={node: calls})

    def _is_trial(self) -> bool:
        """Whether what runs is a function without parameters that nothing calls: `def test(): Model(dim=16)(…)`."""
        root = self.root
        return root is not None and self.caller is None and not root.args and root not in self.calls

    def _is_made(self, receiver: Value, names: dict[str, Value]) -> bool:
        """Whether an object that is being made calls itself: `self.forward(torch.zeros(1, 3, 8, 8))` to see what comes
        out, or `self.decode(torch.arange(n))` for a table."""
        if isinstance(receiver, Instance) and receiver.is_being_made:
            return any(isinstance(present(value), Tensor) for value in names.values())
        root, caller = self.root, self.caller
        is_own = isinstance(receiver, Instance) and caller is not None and receiver.cls.node is caller.node
        return is_own and root is not None and root.name == "__init__"

    def note(
        self,
        node: t.FunctionDef,
        names: dict[str, Value],
        receiver: Value,
        facts: Facts,
        ones: set[str],
        told: Callable[[Dim], Dim],
        guessed_sizes: Set[str],
        aside: bool = False,
    ) -> None:
        """Remember a call of a function of the file; `told` tells sizes in the words of the caller."""
        calls = (self.unlikely if aside else self.calls).setdefault(node, [])
        if self.within or len(calls) >= MAX_CONTEXTS:
            self.passed_over += 1
            return
        self.noted += 1
        seen: dict[int, Value] = {}
        kept = {name: over_sizes(_kept(value, seen, 0), told) for name, value in names.items()}
        learnt, trial = replace(facts, needed=None), self._is_trial() or self._is_made(receiver, names)
        outside = self.outside or trial
        calls.append(Context(kept, receiver, learnt, self.caller, frozenset(ones), outside, guessed_sizes, trial))


def _with_lists_of(call: Context, unlikely: Context) -> Context | None:
    """A call as if it gave the lists of another, if that gives some of which this one says how long they are."""
    counted = (name for name, value in call.names.items() if isinstance(present(value), list))
    given = {name: unlikely.names.get(name) for name in counted}
    given = {name: value for name, value in given.items() if isinstance(present(value), list | Alike | Opaque)}
    return replace(call, names=call.names | given) if given else None


def _kept(value: Value, seen: dict[int, Value], depth: int) -> Value:
    """A value as it is now: what holds others is copied, for it may change."""
    if id(value) in seen:
        return seen[id(value)]
    if depth > MAX_DEPTH:
        return value
    match value:
        case tuple() if type(value) is tuple:
            return tuple(_kept(v, seen, depth + 1) for v in value)
        case list():
            return [_kept(v, seen, depth + 1) for v in value]
        case Copied():
            return Copied(value.of, {key: _kept(v, seen, depth + 1) for key, v in value.items()})
        case dict():
            return {key: _kept(v, seen, depth + 1) for key, v in value.items()}
        case Maybe():
            return Maybe(_kept(value.value, seen, depth + 1), value.name)
        case Alike():
            return Alike(_kept(value.element, seen, depth + 1), value.count)
        case Instance() if value.is_ready and not value.is_module:
            seen[id(value)] = copy = Instance(value.cls, {}, True, made_with=value.made_with)
            copy.attributes.update({key: _kept(v, seen, depth + 1) for key, v in value.attributes.items()})
            return copy
        case _:
            return value
