"""The grammars of tree-sitter: each is one compiled module of a package, which is all that is loaded of it.

What the packages do besides loads code to unpack archives: a tenth of what a start takes until its first hover. One
that is made otherwise is loaded as a whole.
"""

from __future__ import annotations

from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import cast

from tree_sitter import Language


def language(package: str) -> Language:
    """The language of a package such as `tree_sitter_python`."""
    name = f"{package}._binding"
    around = find_spec(package)
    spec = PathFinder.find_spec(name, around.submodule_search_locations) if around is not None else None
    if spec is None or spec.loader is None:
        return Language(cast(object, import_module(package).language()))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return Language(cast(object, module.language()))
