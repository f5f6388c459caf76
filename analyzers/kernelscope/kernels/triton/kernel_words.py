"""Sizes of the launching code said in the kernel's own parameters, as far as these reach.

What only the host knows keeps the host's names.
"""

from __future__ import annotations

from kernelscope.dims import Dim, ceil_div, dim, maximum, minimum, product
from kernelscope.dims.monomial import Opaque
from kernelscope.kernels.triton.host_things import META, HostValue, Plain, Thing, as_dim
from kernelscope.syntax.python import tree as t


class KernelWords:
    """From the host's sizes to the kernel's parameters."""

    def __init__(self, arguments: dict[str, HostValue], node: t.FunctionDef, host: str) -> None:
        self.params = {p.name for p in node.args}
        self.host = host
        self.foreign: set[str] = set()
        self.exact: dict[Dim, str] = {}
        for name, value in arguments.items():
            if isinstance(value, Thing) and value.shape is not None:
                continue
            number = as_dim(value) if not isinstance(value, Plain) else None
            if number is not None and number.const is None:
                self.exact.setdefault(number, name)

    def own(self, size: Dim) -> Dim:
        """The size in the kernel's words, as far as they reach."""
        if size.const is not None:
            return size
        if size in self.exact:
            return dim(self.exact[size])
        result = dim(0)
        for monomial, coefficient in size.terms:
            term = Dim(((monomial, 1),))
            factors: list[Dim] = [dim(coefficient)]
            for known, name in self.exact.items():
                if len(known.terms) == 1 and (rest := term.exact_div(known)) is not None:
                    factors.append(dim(name))
                    term = rest
            for atom_monomial, c in term.terms:
                factors.append(dim(c))
                for atom, exponent in atom_monomial:
                    factors.append(self._atom(atom) ** exponent)
            result = result + product(factors)
        return result

    def _atom(self, atom: str | Opaque) -> Dim:
        if isinstance(atom, str):
            if atom.startswith(META):
                return dim(atom.removeprefix(META))
            if (known := self.exact.get(dim(atom))) is not None:
                return dim(known)
            plain = atom.replace("′", "")
            self.foreign.add(plain)
            return dim(f"{self.host}.{plain}" if plain in self.params else plain)
        whole = Dim(((((atom, 1),), 1),))
        if whole in self.exact:
            return dim(self.exact[whole])
        parts = tuple(self.own(part) for part in atom.args)
        match atom.op:
            case "//":
                return parts[0] // parts[1]
            case "%":
                return parts[0] % parts[1]
            case "cdiv":
                return ceil_div(*parts)
            case "max":
                return maximum(*parts)
            case _:
                return minimum(*parts)
