"""What a C++ file hands to Python and PyTorch: calls in the blocks of modules and libraries, and chains of them.

Submodules and classes are followed by the variables that stand for them.
"""

from __future__ import annotations

import re

from kernelscope.workspace.cuda_built_ops import BUILDERS, built
from kernelscope.workspace.cuda_findings import MAX_ARGUMENT_BYTES, Findings
from kernelscope.workspace.cuda_registrations import (
    EXPORTS,
    OLD_LIBRARY,
    Library,
    chain,
    exported,
    is_class_variable,
    lambda_name,
    made_as,
    registered,
)
from kernelscope.workspace.cuda_text import closing, comma_bounds
from kernelscope.workspace.facts import TOP, Registration

_OWNER = re.compile(rb"(\w+)\s*\.\s*\Z")
_NEXT_IN_CHAIN = re.compile(rb"\)\s*\.\s*\Z")


class ModuleCalls:
    """The registrations of one file as they come."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self.registrations: list[Registration] = []
        self.lambda_of: dict[int, tuple[int, str]] = {}
        """By their braces: lambdas that implement operators, with where they begin and what they are called."""
        self._modules: dict[bytes, Library] = {}
        """By the variables that stand for them: submodules and classes of Python."""

    def registering(self, library: Library, chained: Library | None, start: int) -> Library | None:
        """What the call at `start` registers in: the variable before its dot, else the chain that it goes on with."""
        if owner := _OWNER.search(self._found.text, max(0, start - 60), start):
            return library if owner[1] == library.variable else self._modules.get(owner[1])
        return chained if _NEXT_IN_CHAIN.search(self._found.text, max(0, start - 200), start) else None

    def made(self, match: re.Match[bytes], library: Library | None, around: Library) -> Library | None:
        """Submodules and classes that a call in a block that registers makes."""
        start, tail = match.start("call"), match["call"].rpartition(b"::")[2].strip()
        made: Library | None = None
        variable = b""
        if tail == b"def_submodule" and library:
            made = library.submodule(self._found.arguments(match.end() - 1))
        elif tail == b"class_" or is_class_variable(self._found.text, start):
            arguments = self._found.arguments(match.end() - 1)
            made = (library or self.handed(around, arguments) or around).with_class(arguments)
            variable = match["call"] if tail != b"class_" else b""
        if made and (variable := variable or made_as(self._found.text, start)):
            self._modules[variable] = made
        return made

    def handed(self, library: Library, arguments: list[bytes]) -> Library | None:
        """The module that a function is given."""
        known = {library.variable: library} | self._modules
        return next((known[argument] for argument in arguments if argument in known), None)

    def register(self, verb: bytes, library: Library, opening: int, start: int, scope: int) -> None:
        """What `m.def(…)` or `m.impl(…)` makes known; a lambda among its arguments is a function."""
        close = closing(self._found.text, opening, MAX_ARGUMENT_BYTES)
        if close is None:
            return
        bounds = comma_bounds(self._found.text, opening + 1, close)
        arguments = [self._found.data[a:b].strip() for a, b in bounds]
        made = list(registered(verb, library, arguments, start, self._found.line_at(start), scope))
        self.registrations += made
        for a, b in bounds[1:]:
            argument, brace = self._found.text[a:b].lstrip(), self._found.text.find(b"{", a, b)
            if made and argument.startswith(b"[") and brace >= 0:
                opening = b - len(argument)
                self.lambda_of[brace] = opening, lambda_name(made[-1].name)

    def at_top(self, match: re.Match[bytes]) -> bool:
        """Whether a call at the top of a file makes a function known by name, or a chain of calls that it begins."""
        called, opening, start = match["call"], match.end() - 1, match.start("call")
        if called in EXPORTS:
            self.registrations += exported(self._found.arguments(opening), start, self._found.line_at(start))
        elif called in BUILDERS:
            self.registrations += built(self._found.text, called, opening, start, self._found.line_at(start))
        elif called.endswith(b"RegisterOperators"):  # RegisterOperators().op("ns::f", &f).op(…)
            for bracket in chain(self._found.text, opening):
                self.register(b"def", OLD_LIBRARY, bracket, bracket, TOP)
        else:
            return False
        return True
