"""How Python reaches native code and replaceable kernels: loaders with their source files, registrations, decorators.

One record a binding, with its mechanism; which kernels the native code launches is the operator graph's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name, own_calls
from kernelscope.serving.pieces import by_function
from kernelscope.serving.routes import DECORATORS
from kernelscope.syntax.python import tree as t

NATIVE = (".cpp", ".cu", ".cc", ".cuh", ".c", ".h", ".hip", ".so")
LOADERS = {"load", "load_inline", "load_module", "CDLL", "load_library", "import_module", "build"}
NATIVE_MODULES = ("tvm_ffi", "torch.utils.cpp_extension", "ctypes", "torch.ops", "cupy", "pycuda", "cffi")
MECHANISMS = {"tvm_ffi": "tvm_ffi", "torch.utils.cpp_extension": "jit_load", "ctypes": "ctypes"}
REGISTERED = {"define": "torch_library", "impl": "torch_library", "custom_op": "torch_custom_op", "pybind": "pybind",
              "export": "ffi", "fake": "torch_custom_op"}  # fmt: skip
LIBRARY_DECORATORS = {"custom_op", "triton_op", "register_fake", "register_kernel", "impl", "register_autograd"}
IGNORED = {"parametrize", "skipif", "skip", "option", "argument", "command", "deprecated", "filterwarnings", "patch",
           "validator", "field_validator", "model_validator", "root_validator", "singledispatch"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Native:
    """A binding: the operator or module by name, the mechanism, and what is known in one sentence."""

    op: str
    mechanism: str
    detail: str
    where: str
    location: Location
    also: tuple[Location, ...] = ()
    callee: str = ""
    """The program's own loader, which `system` follows to the library it calls."""


@dataclass(frozen=True, slots=True)
class Loader:
    """A function that hands files to a library's loader: `library` is what it imports it from."""

    name: str
    library: str
    location: Location


def bindings(source: PythonSource) -> Iterator[Native]:
    """Loads of native files and decorators that name an operator or a kernel, in a Python file."""
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            files = _native_files(call)
            if files:
                first = literal(call.args[0]) if call.args else None
                op = first if isinstance(first, str) else last_name(call.func)
                loads = f"loads {', '.join(files)} with {source.quote(call.func)}: {source.quote(call)}"
                detail = f"{scope.qualified_name} {loads}"
                callee = last_name(call.func)
                yield Native(op, "jit_load", detail, scope.qualified_name, source.at(call), callee=callee)
    for scope in source.module.scopes:
        for decorator in scope.node.decorator_list:
            named = _named_decorator(decorator)
            if named is None:
                continue
            name, key = named
            if last_name_of(name) in LIBRARY_DECORATORS:
                mechanism, what = "torch_custom_op", "is the operator"
            elif "kernel" in name.lower() or "op" in name.lower().split("_"):
                mechanism, what = "third_party", "can be replaced by (or dispatches to) the kernel"
            else:
                continue
            detail = f"{scope.qualified_name} {what} {key}, by @{name}"
            yield Native(f"{scope.qualified_name} {key}", mechanism, detail, scope.qualified_name, source.at(decorator),
                         (source.at(scope.node),))  # fmt: skip


def last_name_of(name: str) -> str:
    return name.rpartition(".")[2]


def _named_decorator(decorator: t.Expr) -> tuple[str, str] | None:
    """The name and the first string of `@name("key")`, unless it is a route, a test or a command."""
    if not isinstance(decorator, t.Call) or not decorator.args:
        return None
    name, key = t.dotted(decorator.func), literal(decorator.args[0])
    if name is None or not isinstance(key, str) or not key or key.startswith("/"):
        return None
    last = last_name_of(name)
    return None if last in IGNORED or (last in DECORATORS and "." in name) else (name, key)


def _native_files(call: t.Call) -> list[str]:
    """Names of native source files among the arguments of a call, also in lists."""
    found: list[str] = []
    for argument in (*call.args, *(k.value for k in call.keywords)):
        entries = argument.elts if isinstance(argument, t.List | t.Tuple) else [argument]
        for entry in entries:
            value = literal(entry)
            if isinstance(value, str) and value.endswith(NATIVE) and " " not in value:
                found.append(value)
    return found


@by_function
def loaders(source: PythonSource) -> Iterator[Loader]:
    """Functions of the program that call the loader of a library that builds native code."""
    for scope in source.module.functions():
        imported = _imports(scope.node.body) | _imports(source.module.body)
        for call in own_calls(scope.node):
            name = t.dotted(call.func) or ""
            first = name.partition(".")[0]
            library = next((m for n, m in imported if n == first), "")
            if name.rpartition(".")[2] in LOADERS and library.startswith(NATIVE_MODULES):
                yield Loader(scope.node.name, library, source.at(call))
                break


def _imports(body: list[t.Stmt]) -> set[tuple[str, str]]:
    """Names bound by imports, with the module they come from."""
    found: set[tuple[str, str]] = set()
    for statement in t.flat(body):
        if isinstance(statement, t.Import):
            found |= {(alias.bound, alias.name) for alias in statement.names}
        elif isinstance(statement, t.ImportFrom):
            found |= {(alias.bound, f"{statement.module}.{alias.name}") for alias in statement.names}
    return found


def c_bindings(source: CSource) -> Iterator[Native]:
    """Operators that a C++ file registers: TORCH_LIBRARY blocks, pybind modules, FFI exports."""
    for r in source.facts.registrations:
        if r.library.startswith("#"):
            continue  # a macro of which no file says that it registers something
        where = source.at(r.start)
        op = f"{r.library}.{r.name}" if r.library else r.name
        if r.mechanism == "define":
            detail = f"schema of {op}: {r.schema or r.name}"
        else:
            key = f" for {r.key}" if r.key else ""
            detail = f"{op} is implemented{key} by {r.target or 'an unnamed function'} (C++)"
        yield Native(op, REGISTERED.get(r.mechanism, "pybind"), detail, r.library, where)
