"""Second names of what a configuration holds: `hidden_size` for `n_embd`, as a table of its class says.

A class has such a table if its lookup of attributes reads one. What is read under a second name is told by the first,
so that one size has one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.records import fields_of
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition

LOOKUPS = ("__getattribute__", "__getattr__")


def first_name(run: Interpreter, holder: str, name: str) -> str:
    """What `holder.name` is called where it is declared; of which class the holder is says the file that is run."""
    path = run.running[0].path if run.running else ""
    word = holder.rpartition(".")[2]
    if (path, word) not in run.second_names:
        run.second_names[path, word] = _of_variable(run, path, word) if path else {}
    return run.second_names[path, word].get(name, name)


def _of_variable(run: Interpreter, path: str, word: str) -> Mapping[str, str]:
    """The second names in all classes that a file promises a variable to be of, as far as these agree."""
    found: dict[str, str] = {}
    differing: set[str] = set()
    for cls in dict.fromkeys(_promised(run, path, word)):
        names = second_names(run, cls) if next(_tables(cls), None) is not None else {}
        differing |= {name for name, first in names.items() if found.setdefault(name, first) != first}
        differing |= found.keys() & set(fields_of(run, cls)) | (found.keys() - names.keys())
    return {name: first for name, first in found.items() if name not in differing}


def _promised(run: Interpreter, path: str, word: str) -> Iterator[Definition]:
    module = run.workspace.modules.module(path)
    for annotation in module.annotations.get(word, ()) if module is not None else ():
        if (cls := annotated_class(run, path, annotation)) is not None:
            yield cls


def second_names(run: Interpreter, cls: Definition) -> dict[str, str]:
    """Other names of attributes: a table of names of the class that its lookup of attributes reads."""
    read = set(_names_in_lookups(run, cls))
    found: dict[str, str] = {}
    for base in reversed(run.classes.mro(cls)):
        for name, table in _tables(base) if isinstance(base, Definition) else ():
            if name in read:
                found.update(_texts(table))
    return found


def _tables(cls: Definition) -> Iterator[tuple[str, t.Dict]]:
    """The dictionaries that the body of a class writes out, with their names."""
    for statement in cls.node.body if isinstance(cls.node, t.ClassDef) else ():
        if isinstance(statement, t.Assign) and isinstance(statement.value, t.Dict):
            yield from ((target.id, statement.value) for target in statement.targets if isinstance(target, t.Name))


def _names_in_lookups(run: Interpreter, cls: Definition) -> Iterator[str]:
    for name in LOOKUPS:
        method = run.classes.attribute(cls, name)
        if isinstance(method, Definition) and isinstance(method.node, t.FunctionDef):
            for node in t.walk(*method.node.body):
                if isinstance(node, t.Constant) and isinstance(node.value, str):
                    yield node.value
                elif isinstance(node, t.Attribute):
                    yield node.attr


def _texts(table: t.Dict) -> Iterator[tuple[str, str]]:
    for key, value in zip(table.keys, table.values, strict=True):
        texts = tuple(part.value for part in (key, value) if isinstance(part, t.Constant))
        match texts:
            case (str() as alias, str() as target):
                yield alias, target
            case _:
                pass


def annotated_class(run: Interpreter, path: str, annotation: t.Expr | None) -> Definition | None:
    """The class that an annotation names: `LlamaConfig`, `"LlamaConfig"`, `LlamaConfig | None`."""
    for node in t.walk(annotation) if annotation is not None else ():
        name = node.value if isinstance(node, t.Constant) and isinstance(node.value, str) else t.dotted(node)
        found = class_called(run, path, name) if name else None
        if found is not None:
            return found
    return None


def class_called(run: Interpreter, path: str, name: str) -> Definition | None:
    """The class that a file means by a name."""
    found = run.workspace.modules.resolve(path, name)
    return found if isinstance(found, Definition) and isinstance(found.node, t.ClassDef) else None
