"""C++ functions that are declared and defined nowhere in the workspace: the build makes them, or they were left out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from kernelscope.kernels.cuda.includes import Includes, written_includes
from kernelscope.results import LeftOut
from kernelscope.workspace.facts import TOP
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.workspace import Workspace

MAX_FILES = 40
"""Files beside another one, and files that it includes, that are looked into."""
_PARAMETER = re.compile(
    rb"\s*(?:void\s*|[A-Za-z_][\w:<>\[\]. ]*[ \t\n*&>]\s*[\w&*.]+[\[\]\d ]*\s*(?:=.*)?)?", re.DOTALL
)
"""Of a prototype: a type and a name. What constructs a variable is given other expressions."""


class Declarations:
    """Prototypes that the C++ files of a workspace can see."""

    def __init__(self, workspace: Workspace, is_defined: Callable[[str], bool]) -> None:
        self._workspace = workspace
        self._is_defined = is_defined
        self._included = Includes(workspace)

    def is_declared_only(self, path: str, name: str) -> bool:
        """Whether a C++ file, or what stands beside it or is included, declares a function that no C++ file defines."""
        if self._is_defined(name):
            return False
        prototype = re.compile(
            rb"(?m)^(?!return\b|else\b)[\w:\[][\w:<>,&*\[\] \t\n]*[ \t\n&*]%b\s*\(([^;{}()]*)\)[^;{}()]*;"
            % re.escape(name.encode())
        )
        for near in self._declaring(path):
            data = self._workspace.files.read(near)
            if isinstance(data, LeftOut) or name.encode() not in data:
                continue
            found = prototype.search(data)
            if found is not None and all(map(_PARAMETER.fullmatch, found[1].split(b","))):
                return True
        return False

    def other_name(self, path: str, name: str) -> str:
        """What a type's name stands for that a C++ file or one that it includes gives it: `using Error = a::Error`."""
        for near in self._declaring(path):
            facts = self._workspace.index.facts(near)
            for reference in facts.references if facts is not None else ():
                if reference.variable == name and reference.scope == TOP:
                    return reference.name
        return ""

    def _declaring(self, path: str) -> list[str]:
        """The files whose declarations a C++ file may use: itself, those beside it and those that it includes."""
        data = self._workspace.files.read(path)
        written = () if isinstance(data, LeftOut) else written_includes(data)
        included = [self._included.file(path, include) for include in written[:MAX_FILES]]
        beside = self._workspace.files.beside(os.path.dirname(path), CUDA_SUFFIXES)[:MAX_FILES]
        return list(dict.fromkeys((path, *(file for file in included if file is not None), *beside)))
