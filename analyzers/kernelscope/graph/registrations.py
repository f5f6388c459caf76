"""Operators and their registrations: library and name to implementation, from Python and C++ alike.

Follows `Library` variables and functions that wrap `define`; does not evaluate computed names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from kernelscope.graph.cpp_classes import HOOKED
from kernelscope.graph.cpp_links import CppLinks
from kernelscope.graph.handed_libraries import HandedLibraries
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind, operator
from kernelscope.graph.tried_code import is_tried
from kernelscope.workspace.cuda_registrations import BY_MACRO
from kernelscope.workspace.facts import TOP, Call, Def, DefKind, FileFacts, Registration
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.modules import Definition, External, Modules
from kernelscope.workspace.python_facts import literal

ANY_LIBRARY = "*"
"""A library whose name the build chooses (TORCH_EXTENSION_NAME)."""

MAX_WRAPPING = 3
WRAPPED_BY_OPERATOR = "._init_fn"
"""How torch keeps the function that `custom_op` decorated."""
_TENSOR = re.compile(r"\bTensor(\([a-z]\w*!?(?: ?-> ?[\w*|]+)?\)|!)?(?:\[\d*\])?\??(?:\[\d*\])?\??\s+(\w+)")
_FUNCTION = re.compile(r"(?:(?:[\w.]+\s*)?\(\s*)?([A-Za-z_][\w.]*)\s*\)?")
"""A function's name, alone, in brackets, or as what a call wraps."""
_HANDED_ON = re.compile(r"lambda\b[^:]*:\s*([A-Za-z_][\w.]*)\([^()]*\)\s*")
"""A lambda that does nothing but call a function: that one implements the operator."""
_OPENED = re.compile(r"\b\w*TORCH_LIBRARY\w*\s*\(\s*(\w+)\s*,")
_LIBRARY_CALL = re.compile(r"=\s*(?:[\w.]+\.)?Library\(\s*[\"']([\w.]+)[\"']")
_WITHOUT_MARK = re.compile(rb"\.__name__\b[^#]*\[1:\]")
_OPENED_IN_PYTHON = (
    r"\b%(variable)s\s*=\s*(?:[\w.]+\.)?Library\(\s*[\"']([\w.]+)[\"']"
    r"|\b_scoped_library\(\s*[\"']([\w.]+)[\"'][^()]*\)\s*as\s+%(variable)s\b"
)
FilesCalling = Callable[[str], Iterable[tuple[str, FileFacts]]]
"""The Python files that call a name, with their facts."""
PythonFunction = Callable[[str, str], Node | None]
"""A node for a Python function: path of the file that names it, and the name."""


class Registrations:
    """All registrations of the workspace as edges: operator → binding → implementation."""

    def __init__(
        self, modules: Modules, cpp: CppLinks, python_function: PythonFunction, files_calling: FilesCalling
    ) -> None:
        self._files_calling = files_calling
        self._modules = modules
        self._cpp = cpp
        self._python_function = python_function
        self._wrappers: dict[str, str] = {}
        self._without_mark: set[str] = set()
        """Those of them that take the leading underscore off the name of the function that they decorate."""

    def edges(self, files: Iterable[tuple[str, FileFacts]]) -> Iterator[Edge]:
        """Edges of every registration in the files, and of those made by functions that wrap `define`."""
        files = list(files)
        handed = HandedLibraries(self._cpp, files)
        libraries = dict(_macro_libraries(files))
        for path, facts in files:
            self._find_wrappers(path, facts)
            for registration in facts.registrations:
                if registration.library.startswith(BY_MACRO):
                    library = libraries.get(registration.library.removeprefix(BY_MACRO))
                    if library is not None:
                        yield from self._registration(
                            path, facts, msgspec.structs.replace(registration, library=library)
                        )
                    continue
                for meant in handed.meant(path, facts, registration):
                    yield from self._registration(path, facts, meant)
        calling: dict[str, FileFacts] = {}
        todo = sorted(self._wrappers)
        for _ in range(MAX_WRAPPING):
            found = {path: facts for wrapper in todo for path, facts in self._files_calling(wrapper)}
            calling.update(found)
            known = set(self._wrappers)
            for facts in found.values():
                self._find_outer_wrappers(facts, frozenset(todo))
            todo = sorted(set(self._wrappers) - known)
        for path, facts in sorted(calling.items()):
            for call in facts.calls:
                if call.name.rpartition(".")[2] in self._wrappers:
                    yield from self._wrapped(path, facts, call)

    def _registration(self, path: str, facts: FileFacts, found: Registration) -> Iterator[Edge]:
        if found.scope != TOP and path.endswith(PYTHON_SUFFIXES) and is_tried(self._modules, path, found.start):
            return
        library = self._library(path, facts, found)
        op = operator(library, found.name)
        detail = f"{found.mechanism} {found.key}".strip()
        name = found.schema.partition("(")[0].rpartition("::")[2] or found.name
        binding = Node(NodeKind.BINDING, name, path, found.start, found.line, detail)
        yield Edge(EdgeKind.REGISTERS, op, binding, path, found.line)
        for name, is_written in schema_tensors(found.schema):
            argument = Node(NodeKind.ARGUMENT, f"{op.name}({name})")
            yield Edge(EdgeKind.WRITES if is_written else EdgeKind.READS, op, argument, path, found.line)
        if found.mechanism == "define":
            return
        yield from self._bind(path, facts, binding, found.target, found.line, found.scope)

    def _bind(
        self, path: str, facts: FileFacts, binding: Node, target: str, line: int, scope: int = TOP
    ) -> Iterator[Edge]:
        if not target:
            missing = Node(NodeKind.MISSING, f"implementation of {binding.name} is computed")
            yield Edge(EdgeKind.BINDS, binding, missing, path, line)
            return
        if path.endswith(PYTHON_SUFFIXES):
            target = target.removesuffix(WRAPPED_BY_OPERATOR)
            if target.startswith("lambda"):
                handed_on = _HANDED_ON.fullmatch(target)
                if handed_on is None:
                    missing = Node(NodeKind.MISSING, f"the implementation of {binding.name} is a lambda")
                    yield Edge(EdgeKind.BINDS, binding, missing, path, line)
                    return
                target = handed_on[1]
            node = _own_function(path, facts, target, scope, line) or self._python_function(path, target)
            targets = [node] if node else []
        else:
            targets = [n for n in self._cpp.functions(target, path) if n.detail != "macro"]
            hooks = self._cpp.hooks(target, path)
            yield from (Edge(EdgeKind.CALLS, binding, hook, path, line, len(hooks) == 1, HOOKED) for hook in hooks)
        for node in targets:
            yield Edge(EdgeKind.BINDS, binding, node, path, line, len(targets) == 1)
        if not targets:
            yield Edge(EdgeKind.BINDS, binding, self._undefined(path, target), path, line)

    def _undefined(self, path: str, target: str) -> Node:
        """What is missing of an implementation: where a library of Python's has it, which one is said, too."""
        found = self._modules.resolve_all(path, target) if path.endswith(PYTHON_SUFFIXES) else ()
        for dotted in (result.dotted for result in found if isinstance(result, External)):
            return Node(NodeKind.MISSING, f"{dotted} lies outside of the workspace", detail=dotted.partition(".")[0])
        return Node(NodeKind.MISSING, f"no definition of {target} in the workspace")

    def _library(self, path: str, facts: FileFacts, registration: Registration) -> str:
        """The library's name; `=lib` stands for the variable `lib`, a library or the name of one."""
        library = registration.library
        if "TORCH_EXTENSION_NAME" in library:
            return ANY_LIBRARY + "".join(library.partition(".")[1:])
        if not library.startswith("="):
            return library
        variable, dot, submodules = library[1:].partition(".")
        if local := self._local_library(path, facts, registration, variable):
            return local
        for definition in facts.defs:
            if definition.name == variable and definition.kind is DefKind.VARIABLE:
                if found := _LIBRARY_CALL.match(definition.detail):
                    return found[1]
                if named := literal(definition.detail.removeprefix("=")):
                    return named
        resolved = self._modules.resolve(path, variable)
        if isinstance(resolved, Definition):
            module = self._modules.module(resolved.path)
            text = module.text.slice(resolved.node.span) if module else ""
            if found := _LIBRARY_CALL.search(text):
                return found[1]
            if named := literal(text.partition("=")[2]):
                return named
        return ANY_LIBRARY + dot + submodules

    def _local_library(self, path: str, facts: FileFacts, registration: Registration, variable: str) -> str | None:
        """The name of a library that the function around a registration opens before it."""
        module = self._modules.module(path) if registration.scope != TOP and path.endswith(PYTHON_SUFFIXES) else None
        if module is None or not variable.isidentifier():
            return None
        before = module.text.data[facts.defs[registration.scope].start : registration.start].decode("utf-8", "replace")
        opened = re.findall(_OPENED_IN_PYTHON % {"variable": variable}, before)
        return next(filter(None, opened[-1])) if opened else None

    # -- functions that register what they are given ----------------------------------------------------------

    def _find_wrappers(self, path: str, facts: FileFacts) -> None:
        """A function that calls `x.define(...)` with a computed name registers what its callers name."""
        for call in facts.calls:
            if call.scope == TOP or not call.name.endswith(".define") or not call.args:
                continue
            inner = facts.defs[call.scope]
            if literal(call.args[0][1]) is None and inner.kind is DefKind.FUNCTION:
                owner = _outermost(facts, call.scope)
                owner = inner if owner.kind is DefKind.CLASS else owner  # a method is called by its own name
                libraries = {
                    found[1]
                    for d in facts.defs
                    if d.kind is DefKind.VARIABLE and (found := _LIBRARY_CALL.match(d.detail))
                }
                self._wrappers[owner.name] = libraries.pop() if len(libraries) == 1 else ANY_LIBRARY
                module = self._modules.module(path)
                if module is not None and _WITHOUT_MARK.search(module.text.data[owner.start : owner.end]):
                    self._without_mark.add(owner.name)

    def _find_outer_wrappers(self, facts: FileFacts, inner: frozenset[str]) -> None:
        """Functions and classes that hand a computed name on to such a function."""
        for call in facts.calls:
            tail = call.name.rpartition(".")[2]
            if call.scope == TOP or tail not in inner or any(literal(text) for _, text in call.args):
                continue
            owner = _outermost(facts, call.scope)
            if owner.kind in (DefKind.FUNCTION, DefKind.CLASS):
                self._wrappers.setdefault(owner.name, self._wrappers[tail])

    def _wrapped(self, path: str, facts: FileFacts, call: Call) -> Iterator[Edge]:
        """What a call of such a function registers: by name and implementation, or the function it decorates."""
        names = [literal(text) for _, text in call.args]
        name = next((n for n in names if n and re.fullmatch(r"[\w:.]+", n)), None)
        wrapper = call.name.rpartition(".")[2]
        decorated = _decorated_by(facts, call)
        if decorated is not None:
            plain_name = decorated.name.removeprefix("_") if wrapper in self._without_mark else decorated.name
            name, target = _keyword_name(decorated.detail) or plain_name, decorated.name
        else:
            plain = [found[1] for _, text in call.args if (found := _FUNCTION.fullmatch(text))]
            target = next((text for text in plain if text not in ("None", "True", "False")), "")
        if name is None or not target or is_tried(self._modules, path, call.start):
            return
        library, _, short = name.rpartition("::")
        op = operator(library or self._library_given(path, facts, call) or self._wrappers[wrapper], short)
        binding = Node(NodeKind.BINDING, short, path, call.start, call.line, f"custom_op by {wrapper}")
        yield Edge(EdgeKind.REGISTERS, op, binding, path, call.line)
        if decorated is None:
            yield from self._bind(path, facts, binding, target, call.line, call.scope)
            return
        function = self._python_function(path, target) if decorated.scope == TOP else None
        if function is None or function.start != decorated.name_start:
            function = Node(NodeKind.FUNCTION, target, path, decorated.name_start, decorated.line, "Python")
        yield Edge(EdgeKind.BINDS, binding, function, path, call.line)

    def _library_given(self, path: str, facts: FileFacts, call: Call) -> str:
        """The library among the arguments of a call: a variable of the file's that holds one; empty without."""
        given = {text for _, text in call.args}
        made = (_LIBRARY_CALL.match(d.detail) for d in facts.defs if d.kind is DefKind.VARIABLE and d.name in given)
        return next((found[1] for found in made if found), "")


def _macro_libraries(files: Iterable[tuple[str, FileFacts]]) -> Iterator[tuple[str, str]]:
    """The macros whose text opens a library, with its name."""
    for _, facts in files:
        for definition in facts.defs:
            if definition.kind is DefKind.MACRO and (found := _OPENED.search(definition.detail)):
                yield definition.name, found[1]


def _outermost(facts: FileFacts, scope: int) -> Def:
    """The definition of the top level around one: only that is called by its name elsewhere."""
    while facts.defs[scope].scope != TOP:
        scope = facts.defs[scope].scope
    return facts.defs[scope]


def _decorated_by(facts: FileFacts, call: Call) -> Def | None:
    """The function above which this call stands as a decorator."""
    for definition in facts.defs:
        if definition.kind is DefKind.FUNCTION and definition.scope == call.scope and definition.start > call.start:
            marks = definition.detail
            return definition if re.search(rf"(?m)^@\s*{re.escape(call.name)}\b", marks) else None
    return None


def _keyword_name(decorators: str) -> str | None:
    """The name in quotes among the keywords of a decorator: `op_name="f"`."""
    found = re.search(r"""\b\w*name\s*=\s*["']([\w:.]+)["']""", decorators)
    return found[1] if found else None


def schema_tensors(schema: str) -> Iterator[tuple[str, bool]]:
    """The tensors among the arguments of a schema, each with whether the operator may change it."""
    arguments = schema.partition("(")[2].partition("->")[0]
    for found in _TENSOR.finditer(arguments):
        yield found[2], "!" in (found[1] or "")


def _own_function(path: str, facts: FileFacts, name: str, scope: int, line: int) -> Node | None:
    """A function of the same file or of the function around, which spares the parse that resolving its name takes.

    Of several, as when all are called `_`, the one in the line of its decorator's registration.
    """
    named = [
        definition
        for definition in facts.defs
        if definition.name == name and definition.kind is DefKind.FUNCTION and definition.scope in (scope, TOP)
    ]
    found = next((d for d in named if d.line == line), next(iter(named), None))
    return Node(NodeKind.FUNCTION, name, path, found.name_start, found.line, "Python") if found else None
