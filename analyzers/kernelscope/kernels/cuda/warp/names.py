"""Scopes of device code: what names mean inside a block, a function, a lambda or a struct."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kernelscope.kernels.cuda.warp.types import StructType, Type
from kernelscope.kernels.cuda.warp.values import Place, Record


class Names(Struct, eq=False):
    """One scope and those around it."""

    parent: Names | None = None
    variables: dict[str, Place] = {}
    types: dict[str, Type] = {}
    struct: StructType | None = None
    """The struct whose members are in scope."""
    this: Record | None = None
    space: str = ""
    """The namespaces that the code stands in."""

    def variable(self, name: str) -> Place | None:
        scope: Names | None = self
        while scope is not None:
            found = scope.variables.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def type(self, name: str) -> Type | None:
        scope: Names | None = self
        while scope is not None:
            found = scope.types.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def object(self) -> Record | None:
        """What `this` points to."""
        scope: Names | None = self
        while scope is not None:
            if scope.this is not None:
                return scope.this
            scope = scope.parent
        return None

    def namespace(self) -> str:
        """The namespaces in which names without one are looked for first."""
        scope: Names | None = self
        while scope is not None:
            if scope.space:
                return scope.space
            scope = scope.parent
        return ""

    def around(self) -> StructType | None:
        """The innermost struct whose members are in scope."""
        return next(self.arounds(), None)

    def arounds(self) -> Iterator[StructType]:
        """The structs whose members are in scope, the innermost first."""
        scope: Names | None = self
        while scope is not None:
            if scope.struct is not None:
                yield scope.struct
            scope = scope.parent
