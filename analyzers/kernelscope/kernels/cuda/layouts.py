"""Sizes and alignments of the types that code names: aliases followed, structs laid out by the rules of C++.

What numbers and names mean is for the scope that asks; files that include this one are looked at, but not theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kernelscope.dims import Dim, ceil_div, dim, maximum
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.library_storage import storage
from kernelscope.kernels.cuda.lookup import Named, visible
from kernelscope.kernels.cuda.specialisations import meant
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.declarations import VECTOR, Alias, Declarations, Struct
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.nodes import one_line
from kernelscope.syntax.cuda.spaces import unrenamed

MAX_ALIASES = 3
MAX_NESTED = 40
"""Aliases and members of members that are followed."""
Layout = tuple[Dim, int | None]
"""Size and alignment; the alignment is None where only the size has a name."""
_WORDS = re.compile(r"[A-Za-z_]\w*")
_NO_CLASS: Layout = (dim(0), 0)
"""Told by identity: a name is qualified by a namespace."""


class Scope(Protocol):
    """What names and numbers mean at a place."""

    @property
    def unit(self) -> Unit: ...
    @property
    def root(self) -> Unit:
        """The file that is compiled."""
        ...

    @property
    def function(self) -> Function | None: ...
    @property
    def bound(self) -> Mapping[str, str]: ...
    def evaluate(self, text: str, offset: int, depth: int = 0) -> Dim | None: ...
    def is_known(self, text: str, offset: int) -> bool:
        """Whether a template argument stands for one type or number."""
        ...

    def of_file(self, unit: Unit) -> Scope:
        """The scope of another file, outside of its functions."""
        ...

    def inside(self, struct: Struct, bound: Mapping[str, Dim | None], depth: int) -> Scope:
        """The scope of a struct of this file whose template parameters are given."""
        ...


def layout_of(scope: Scope, type_text: str, offset: int, depth: int = 0) -> Layout | None:
    """The layout of a type as written at an offset of the scope's file."""
    return _Question(frozenset(), depth).layout(scope, type_text, offset)


def is_aligned_template(unit: Unit, text: str) -> bool:
    """Whether a type is a struct that asks for an alignment which its template arguments decide."""
    structs = (struct for _, struct in _structs_named(unit, text, MAX_ALIASES))
    return any(set(_WORDS.findall(struct.align)) & set(struct.templates) for struct in structs)


def is_read_by_members(unit: Unit, text: str) -> bool:
    """Whether a type is a struct of its own that asks for no alignment: its members move one by one."""
    structs = list(_structs_named(unit, text, MAX_ALIASES))
    return bool(structs) and not any(_is_aligned(seen, struct, MAX_ALIASES) for seen, struct in structs)


def _is_aligned(unit: Unit, struct: Struct, depth: int) -> bool:
    """Whether a struct, or one that it holds, is to lie as vectors do."""
    if struct.align or struct.bases or any(member.align or types.vector(member.type) for member in struct.fields):
        return True
    inner = (_structs_named(unit, member.type, 1) for member in struct.fields if depth)
    return any(_is_aligned(seen, found, depth - 1) for each in inner for seen, found in each if found is not struct)


def _structs_named(unit: Unit, text: str, depth: int) -> Iterator[tuple[Unit, Struct]]:
    """The structs that a type's name may be, through its aliases."""
    name = plain_name(types.bare(text))
    for seen in unit.with_name(name):
        yield from ((seen, struct) for struct in seen.declarations.structs.get(name, ()))
        for alias in seen.declarations.aliases.get(name, ()) if depth else ():
            yield from _structs_named(unit, alias.aliased, depth - 1)


def plain_name(type_text: str) -> str:
    """A type's name without namespaces and template arguments."""
    return type_text.partition("<")[0].rpartition("::")[2]


def template_arguments(type_text: str) -> list[str]:
    head, _, rest = type_text.partition("<")
    return split_arguments(rest.rpartition(">")[0]) if rest and head else []


def _qualified(text: str) -> tuple[str, str]:
    """`Traits<A::B>::Type` in two; empty texts where nothing qualifies."""
    depth = 0
    for i in range(len(text) - 1, 0, -1):
        depth += (text[i] == ">") - (text[i] == "<")
        if depth == 0 and text[i - 1 : i + 1] == "::":
            return text[: i - 1].removeprefix("::"), text[i + 1 :]
    return "", ""


def _same_size(text: str) -> str | None:
    """The type that a trait of the standard library is given which only says more of it: `T` of `make_signed_t<T>`."""
    if not text.endswith((">", ">::type")):
        return None
    trait = plain_name(text).removesuffix("_t" if text.endswith(">") else "")
    arguments = template_arguments(text.removesuffix("::type")) if trait in types.OF_ONE_SIZE else []
    return arguments[0] if len(arguments) == 1 else None


def _open(text: str) -> Layout:
    """The layout of a type that template arguments decide."""
    return dim(f"sizeof({text})"), None


def _seen(scope: Scope, name: str) -> tuple[Unit, ...]:
    """The files that may define a name for a scope: its own with its headers, then those of the compiled file."""
    near = scope.unit.with_name(name)
    return near if scope.root is scope.unit else tuple(dict.fromkeys((*near, *scope.root.with_name(name))))


def _written_at(scope: Scope, unit: Unit, alias: Alias, offset: int) -> tuple[Scope, int]:
    """The scope and place in which what an alias stands for is read."""
    return (scope, offset) if alias.space is None else (
        scope if unit is scope.unit else scope.of_file(unit), alias.node.start_byte
    )  # fmt: skip


def _meant(
    scope: Scope, structs: Sequence[Named[Struct]], arguments: Sequence[str], offset: int
) -> tuple[Unit, Struct | None]:
    """The definition of a struct that template arguments choose, with its file; the nearest file's where several have
    it."""
    struct = meant([struct for _, struct in structs], arguments, lambda argument: scope.is_known(argument, offset))
    return next(((unit, one) for unit, one in structs if one is struct), (structs[0][0], None))


@dataclass(frozen=True, slots=True)
class _Question:
    """One step of a question: the aliases that led to it, each followed once, and how deep it is."""

    followed: frozenset[str]
    depth: int
    outwards: bool = True
    """Whether the files that include a scope's are still to be asked."""

    def deeper(self, alias: str = "") -> _Question:
        followed = self.followed | {alias} if alias else self.followed
        return _Question(followed, self.depth + 1, self.outwards)

    def layout(self, scope: Scope, type_text: str, offset: int) -> Layout | None:
        if self.depth > MAX_NESTED:
            return None
        text = types.bare(type_text)
        if "{" in text:
            return self._unnamed(scope, text, offset)
        if scope.function is not None and any(t.name == text and not t.type for t in scope.function.templates):
            given = scope.bound.get(text)
            if given is None or given == text:
                return dim(f"sizeof({text})"), None
            return self.deeper().layout(scope, given, offset)
        reference = text.endswith(("*", "&"))
        if not reference and (given := _same_size(text)) is not None:
            return self.deeper().layout(scope, given, offset)
        owner, member = _qualified(text) if not reference else ("", "")
        if owner and (found := self._member(scope, owner, member, offset)) is not _NO_CLASS:
            return found
        if not reference and (found := self._defined(scope, _seen(scope, plain_name(text)), text, offset)) is not None:
            return found
        known = types.layout(text)
        if known is not None:
            return dim(known[0]), known[1]
        if text.startswith(f"{VECTOR}<"):
            size = scope.evaluate(text[len(VECTOR) + 1 : -1], offset, self.depth)
            return (size, size.const) if size is not None else None
        return self._around(scope, text, offset) if self.outwards and not reference else None

    def _member(self, scope: Scope, owner: str, member: str, offset: int) -> Layout | None:
        """The layout of `Traits<T>::Type`; `_NO_CLASS` where the owner is a namespace, as far as anybody knows."""
        plain, written = plain_name(owner), f"{owner}::{member}"
        if scope.function is not None and any(t.name == plain for t in scope.function.templates):
            given = scope.bound.get(plain)
            return (
                self.deeper().layout(scope, f"{given}::{member}", offset)
                if given not in (None, plain)
                else _open(written)
            )
        found = self._visible(scope, _seen(scope, plain), owner, offset)
        for unit, alias in reversed(found):
            if isinstance(alias, Alias):
                there, place = _written_at(scope, unit, alias, offset)
                return self.deeper(plain).layout(there, f"{alias.aliased}::{member}", place)
        structs = {struct.node.start_byte: (unit, struct) for unit, struct in found if isinstance(struct, Struct)}
        if structs:
            arguments = [scope.bound.get(argument, argument) for argument in template_arguments(owner)]
            unit, struct = _meant(scope, list(structs.values()), arguments, offset)
            return self._inner(scope, unit, struct, arguments, member, offset) if struct is not None else _open(written)
        if member == "TempStorage" and (found := self._storage(scope, owner, offset)) is not None:
            return found
        return None if "<" in owner or plain in self.followed else _NO_CLASS

    def _storage(self, scope: Scope, owner: str, offset: int) -> Layout | None:
        """What an operation of a library keeps in shared memory."""

        def layout(text: str) -> tuple[int, int] | None:
            found = self.deeper().layout(scope, scope.bound.get(text, text), offset)
            size = found[0].const if found is not None else None
            return (size, found[1]) if found is not None and size is not None and found[1] is not None else None

        def number(text: str) -> Dim | None:
            return scope.evaluate(text, offset, self.depth)

        name = unrenamed(owner.partition("<")[0].removeprefix("typename").strip(), scope.unit.brought())
        return storage(name, template_arguments(owner), layout, number)

    def _visible(self, scope: Scope, units: Iterable[Unit], written: str, offset: int) -> list[Named[Alias | Struct]]:
        """The types that a name means for a scope; aliases that led to the question are not followed again."""
        name = written.partition("<")[0]
        plain = plain_name(name)

        def entries(declarations: Declarations) -> Sequence[Alias | Struct]:
            aliases = declarations.aliases.get(plain, ()) if plain not in self.followed else ()
            return [*aliases, *declarations.structs.get(plain, ())]

        return visible(scope.unit, units, entries, name, offset)

    def _inner(
        self, scope: Scope, unit: Unit, struct: Struct, arguments: list[str], member: str, offset: int
    ) -> Layout | None:
        """The layout of a type that a struct names or defines inside."""
        texts = dict(zip(struct.templates, arguments, strict=False))
        for alias in unit.declarations.aliases.get(member, ()):
            if struct.node.start_byte <= alias.scope[0] and alias.scope[1] <= struct.node.end_byte:
                given = _WORDS.sub(lambda word: texts.get(word[0], word[0]), alias.aliased)
                return self.deeper().layout(scope, given, offset)
        for inner in unit.declarations.structs.get(member, ()):
            if struct.node.start_byte < inner.node.start_byte < struct.node.end_byte:
                there = scope if unit is scope.unit else scope.of_file(unit)
                return self._struct(there, inner, arguments, offset, scope, struct.templates)
        return None

    def _unnamed(self, scope: Scope, text: str, offset: int) -> Layout | None:
        """The layout of a struct without a name, which is written where it is used."""
        source = scope.unit.source
        near = [s for s in scope.unit.declarations.structs.get("", ()) if s.node.start_byte <= offset]
        for struct in sorted(near, key=lambda s: -s.node.start_byte):
            if types.bare(one_line(source.text(struct.node))) == text:
                return self._struct(scope, struct, [], offset, scope)
        return None

    def _around(self, scope: Scope, text: str, offset: int) -> Layout | None:
        """The layout of a type that the files define which include this one, if they agree."""
        inner = _Question(self.followed, self.depth, False)
        units = scope.root.around(plain_name(text))
        found = {laid for unit in units if (laid := inner._defined(scope, (unit,), text, offset))}
        return found.pop() if len(found) == 1 else None

    def _defined(self, scope: Scope, units: Sequence[Unit], text: str, offset: int) -> Layout | None:
        """The layout of a type that one of the files which the scope sees defines."""
        plain = plain_name(text)
        found = self._visible(scope, units, text, offset)
        for unit, alias in reversed(found):
            if isinstance(alias, Alias):
                there, place = _written_at(scope, unit, alias, offset)
                return self.deeper(plain).layout(there, alias.aliased, place)
        structs = [(unit, struct) for unit, struct in found if isinstance(struct, Struct)]
        if structs:
            arguments = [scope.bound.get(argument, argument) for argument in template_arguments(text)]
            unit, struct = _meant(scope, structs, arguments, offset)
            there = scope if unit is scope.unit else scope.of_file(unit)
            return self._struct(there, struct, arguments, offset, scope) if struct is not None else _open(text)
        if text != plain or plain in self.followed:
            return None
        for unit in units:
            macros = unit.source.macros.get(plain.encode())
            if macros and macros[-1].params is None and macros[-1].body.decode("utf-8", "replace") != text:
                return self.deeper(plain).layout(scope, macros[-1].body.decode("utf-8", "replace"), offset)
        return None

    def _struct(
        self,
        scope: Scope,
        struct: Struct,
        arguments: list[str],
        offset: int,
        outer: Scope,
        templates: tuple[str, ...] | None = None,
    ) -> Layout | None:
        """C++ rules: each field at a multiple of its alignment, the whole a multiple of the largest one.

        `templates` are the parameters that the arguments are for, where these are not the struct's own.
        """
        templates = struct.templates if templates is None else templates
        if struct.bases or self.depth > MAX_NESTED:
            return None
        numbers = {t: outer.evaluate(a, offset, self.depth) for t, a in zip(templates, arguments, strict=False)}
        texts = dict(zip(templates, arguments, strict=False))
        inner = scope.inside(struct, numbers, self.depth)
        inside = _Question(frozenset(), self.depth + 1, self.outwards)
        at, largest = dim(0), 1
        for member in struct.fields:
            if "static" in member.words or "constexpr" in member.words:
                continue
            kind = texts.get(types.bare(member.type), member.type)
            given = kind != member.type
            found = inside.layout(
                outer if given else inner,
                f"{kind}*" if member.pointer else kind,
                offset if given else member.node.start_byte,
            )
            if found is None:
                return None
            size, align = found
            for bound in member.bounds:
                count = inner.evaluate(bound, member.node.start_byte, self.depth)
                if count is None:
                    return None
                size = size * count
            wanted = inner.evaluate(member.align, member.node.start_byte, self.depth) if member.align else None
            align = max(align or 0, (wanted.const or 0) if wanted is not None else 0) or None
            if align is None:
                return None
            largest = max(largest, align)
            if struct.kind == "union":
                at = maximum(at, size)
            else:
                at = ceil_div(at, align) * align + size if at.const != 0 else size
        if struct.align:
            wanted = inner.evaluate(struct.align, struct.node.start_byte, self.depth)
            if wanted is None or wanted.const is None:
                return None
            largest = max(largest, wanted.const)
        at = dim(1) if at.const == 0 else at  # arrays have at least one element
        return ceil_div(at, largest) * largest, largest
