"""lsprotocol's classes are made when they are used, and are then what they always are."""

from __future__ import annotations

import subprocess
import sys

LEAN = """
import attrs
from kernelscope_server.lean_pygls import types
from lsprotocol import converters
made = lambda cls: isinstance(cls.__dict__["__attrs_attrs__"], tuple)
"""


def run(code: str) -> list[str]:
    """What a fresh process prints that loads the libraries as the server does."""
    done = subprocess.run([sys.executable, "-I", "-c", LEAN + code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_classes_are_made_one_by_one() -> None:
    printed = run(
        "print(made(types.Position), made(types.Range))\n"
        "types.Position(line=1, character=2)\n"
        "print(made(types.Position), made(types.Range))\n"
    )
    assert printed == ["False False", "True False"]


def test_fields_of_a_class_and_of_what_it_inherits_are_known_before_an_object_is() -> None:
    printed = run(
        "print([field.name for field in attrs.fields(types.OptionalVersionedTextDocumentIdentifier)])\n"
        "print(attrs.has(types.ServerCapabilities), attrs.has(types.MarkupKind))\n"
        "print(types.InitializeParams.__mro__[1] is types._InitializeParams)\n"
        "print('process_id' in attrs.fields_dict(types.InitializeParams))\n"
    )
    assert printed == ["['uri', 'version']", "True False", "False", "True"]


def test_objects_compare_check_and_convert_as_they_do_elsewhere() -> None:
    code = (
        "from lsprotocol import types, converters\n"
        "converter = converters.get_converter()\n"
        "hover = {'contents': {'kind': 'markdown', 'value': 'x'}, 'range': {'start': {'line': 1, 'character': 2},"
        " 'end': {'line': 3, 'character': 4}}}\n"
        "made = converter.structure(hover, types.Hover)\n"
        "print(made, made == converter.structure(hover, types.Hover), made.range.start < made.range.end)\n"
        "print(converter.unstructure(made))\n"
        "folders = types.WorkspaceOptions(workspace_folders=types.WorkspaceFoldersServerCapabilities(supported=True))\n"
        "print(converter.unstructure(types.ServerCapabilities(hover_provider=True, workspace=folders)))\n"
        "try:\n    types.Position(line='x', character=0)\nexcept Exception as error:\n    print(type(error).__name__)\n"
    )
    usual = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run(code) == usual.stdout.splitlines()


def test_an_import_before_ours_is_left_as_it_is() -> None:
    code = "from lsprotocol import types\nfrom kernelscope_server import lean_pygls\nprint(lean_pygls.types is types)\n"
    code += "print(type(types.Position.__dict__['__attrs_attrs__']).__name__)\n"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "PositionAttributes"]


def test_threads_may_make_the_first_objects_of_a_class_at_once() -> None:
    printed = run(
        "import sys, threading\n"
        "sys.setswitchinterval(1e-6)\n"
        "made, start = [], threading.Barrier(8)\n"
        "def act():\n"
        "    start.wait()\n"
        "    place = types.Position(line=1, character=2)\n"
        "    made.append(types.Location(uri='a', range=types.Range(start=place, end=place)))\n"
        "threads = [threading.Thread(target=act) for _ in range(8)]\n"
        "for thread in threads:\n"
        "    thread.start()\n"
        "for thread in threads:\n"
        "    thread.join()\n"
        "print(len(made), len(set(map(repr, made))))\n"
    )
    assert printed == ["8 1"]
