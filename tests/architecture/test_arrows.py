"""Who may import whom, as ARCHITECTURE.md says. A new arrow is a decision: change the table and the page together."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "analyzers" / "kernelscope"
SERVER = ROOT / "server" / "kernelscope_server"

ANYONE = {"results", "problems", "turns", "faults"}
MAY_IMPORT: dict[str, set[str]] = {
    "results": set(),
    "problems": {"results"},
    "turns": set(),
    "faults": set(),
    "queries": {"dims", *ANYONE},
    "dims": set(),
    "tensor": {"dims", *ANYONE},
    "ops": {"dims", "tensor", *ANYONE},
    "syntax": {"dims", *ANYONE},
    "workspace": {"dims", "syntax", "queries", *ANYONE},
    "interp": {"dims", "tensor", "ops", "syntax", "workspace", "queries", *ANYONE},
    "kernels": {"dims", "tensor", "ops", "syntax", "workspace", "interp", "queries", *ANYONE},
    "graph": {"dims", "tensor", "syntax", "workspace", "interp", "kernels", "queries", *ANYONE},
    "patterns": {"dims", "tensor", "ops", "syntax", "workspace", "interp", "kernels", "graph", "queries", *ANYONE},
    "serving": {"dims", "tensor", "syntax", "workspace", "interp", "kernels", "graph", "patterns", "queries", *ANYONE},
    "diagrams": {"dims", "turns"},
    "explain": {
        "dims", "tensor", "ops", "syntax", "workspace", "interp", "kernels", "graph", "patterns", "serving",
        "diagrams", "queries", *ANYONE,
    },
}  # fmt: skip
MAY_IMPORT["analysis"] = set(MAY_IMPORT)
FACADE = {"kernelscope", "kernelscope.analysis", "kernelscope.results", "kernelscope.problems", "kernelscope.turns",
          "kernelscope.faults",
          "kernelscope.explain.document", "kernelscope.explain.render", "kernelscope.explain.report_text",
          "kernelscope.kernels.occupancy", "kernelscope.kernels.hardware",
          "kernelscope.syntax.text"}  # fmt: skip
ONLY_READER = "workspace"
STARTS_SCANNERS = LIBRARY / "workspace" / "processes.py"
"""Starts processes, of this library's own code only."""


def _modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            if node.module == "kernelscope":
                found |= {f"kernelscope.{alias.name}" for alias in node.names if not alias.name.startswith("_")}
    return found


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", _modules(LIBRARY), ids=_name)
def test_library_imports_only_leftwards(path: Path) -> None:
    relative = path.relative_to(LIBRARY)
    part = relative.parts[0].removesuffix(".py")
    if part == "__init__":
        return
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("kernelscope.")}
    assert used - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("path", _modules(LIBRARY), ids=_name)
def test_library_knows_no_protocol_and_opens_no_files(path: Path) -> None:
    imports = {name.split(".")[0] for name in _imports(path)}
    assert not imports & {"lsprotocol", "pygls", "kernelscope_server"}
    if path.relative_to(LIBRARY).parts[0] != ONLY_READER:
        calls = [
            node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        ]
        assert "subprocess" not in imports
        assert not {"open", "read_bytes", "read_text", "write_text", "write_bytes", "print", "eval", "exec"} & set(
            calls
        )


def test_the_protocol_s_libraries_are_loaded_in_one_place() -> None:
    libraries = {"lsprotocol", "pygls", "cattrs", "attrs"}
    users = [path.name for path in _modules(SERVER) if {name.split(".")[0] for name in _imports(path)} & libraries]
    assert users == ["announcement.py"]


@pytest.mark.parametrize("path", _modules(SERVER), ids=_name)
def test_server_uses_the_facade_only(path: Path) -> None:
    used = {name for name in _imports(path) if name.split(".")[0] == "kernelscope"}
    assert used <= FACADE


@pytest.mark.parametrize("path", [*_modules(LIBRARY), *_modules(SERVER)], ids=_name)
def test_every_module_opens_with_a_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":", "!"))


@pytest.mark.parametrize("path", [*_modules(LIBRARY), *_modules(SERVER)], ids=_name)
def test_no_group_has_a_possessive_quantifier(path: Path) -> None:
    """Python before 3.11.5 finds nothing by them (gh-106052); `(?>(?:...)*)` is the same and right everywhere."""
    assert not re.search(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+", path.read_text(encoding="utf-8"))


def _loaded(code: str) -> set[str]:
    """What some code imports, in an interpreter of its own."""
    command = [sys.executable, "-I", "-c", f"{code}\nimport sys; print(*sys.modules)"]
    return {*subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()}


def test_the_answer_to_initialize_waits_for_little() -> None:
    loaded = _loaded("import kernelscope_server.session, kernelscope_server.features_table")
    assert not loaded & {"networkx", "sqlite3", "tree_sitter", "msgspec"}
    assert {name for name in loaded if name.startswith("kernelscope.")} <= {*FACADE, "kernelscope.syntax"}


def test_the_hover_of_a_class_waits_for_no_interpreter() -> None:
    code = f"""
from pathlib import Path
from kernelscope.analysis import Analysis
folder = Path({str(ROOT / "tests/workspaces/sample")!r})
path = next(path for path in sorted(folder.rglob("*.py")) if b"\\nclass " in path.read_bytes())
assert Analysis([folder]).hover(path, path.read_bytes().index(b"\\nclass ") + 8)
"""
    assert not _loaded(code) & {"kernelscope.interp.interpreter", "kernelscope.kernels.triton.kernel_runs", "networkx"}


def test_a_start_reads_nothing_of_what_is_installed() -> None:
    assert "importlib.metadata" not in _loaded("import kernelscope_server.session, kernelscope.analysis")
