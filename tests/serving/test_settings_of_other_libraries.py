"""Settings as further libraries declare them: flags in C++, a program's own nodes, bounds in types, lists by name."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from kernelscope.serving.c_functions import CSource
from kernelscope.serving.c_options import c_options
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.config_nodes import config_nodes
from kernelscope.serving.constraints import constraints
from kernelscope.serving.options import options
from kernelscope.serving.parameter import Parameter
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def _cpp(text: str) -> dict[str, Parameter]:
    source = CSource(Path("/w/desk.cc"), SourceText(textwrap.dedent(text).encode()))
    return {p.name: p for p in c_options(source)}


def test_flags_of_gflags_and_abseil_are_options() -> None:
    found = _cpp("""
        DEFINE_int32(desk_width, 256, "how wide, "
                     "at most");
        DEFINE_string(policy, "oldest", "which goes first");
        DEFINE_bool(overlap, true, "");
        ABSL_FLAG(int, depth, 3, "how deep");
        // DEFINE_int32(gone, 1, "no longer");
    """)
    assert {name: (p.value, p.doc) for name, p in found.items()} == {
        "--desk_width": (256, "how wide, at most"),
        "--policy": ("oldest", "which goes first"),
        "--overlap": (True, ""),
        "--depth": (3, "how deep"),
    }


def test_options_that_parsers_of_cpp_are_given_are_options_and_what_is_read_a_variable() -> None:
    found = _cpp("""
        int main(int argc, char** argv) {
            options.add_options()("m,most", "how many", cxxopts::value<int>()->default_value("8"));
            described.add_options()("size", po::value<int>()->default_value(4), "how big");
            app.add_option("-p,--port", port, "where it listens")->default_val(8080);
            const char* name = std::getenv("DESK_NAME");
            const char* other = std::getenv(name);
        }
    """)
    assert {name: (p.kind, p.value, p.doc) for name, p in found.items()} == {
        "--most": ("option", "8", "how many"),
        "--size": ("option", 4, "how big"),
        "--port": ("option", 8080, "where it listens"),
        "DESK_NAME": ("environment", None, ""),
    }


def test_nodes_of_a_class_of_the_programs_own_hold_settings(source: Source) -> None:
    text = """
        from .node import Settings

        _C = Settings()
        _C.DESK = Settings()
        # how wide it is
        _C.DESK.WIDTH = 90
        _C.DESK.KIND = 'plain'
    """
    found = {f"{p.owner}.{p.name}": (p.value, p.doc) for p in config_nodes(source(text))}
    assert found == {"_C.DESK.WIDTH": (90, "how wide it is"), "_C.DESK.KIND": ("plain", "")}


def test_what_one_object_keeps_of_another_class_is_no_setting(source: Source) -> None:
    text = """
        desk = Desk()
        desk.lamp = Lamp()
        desk.lamp.height = 3
    """
    assert list(config_nodes(source(text))) == []


def test_bounds_in_types_are_demanded(source: Source) -> None:
    text = """
        class Config(BaseModel):
            depth: conint(gt=0, le=8) = 3
            width: Annotated[int, Meta(ge=1)] = 80
            plain: Annotated[int, Meta(title="t")] = 80
    """
    assert [(c.condition, c.enforced_by) for c in constraints(source(text))] == [
        ("0 < depth <= 8", "validator"),
        ("1 <= width", "validator"),
    ]


def test_what_an_option_may_be_is_a_list_or_table_of_the_file(source: Source) -> None:
    text = """
        KINDS = ["narrow", "wide"]
        DESKS = {"plain": Plain, "round": Round}
        parser.add_argument("--kind", choices=KINDS, default="wide")
        parser.add_argument("--desk", choices=DESKS)
        parser.add_argument("--lamp", choices=lamps.KINDS)
        flags.DEFINE_bool(name="overlap", default=True, help="whether")
    """
    found = {p.name: p for p in options(source(text))}
    assert found["--kind"].choices == ("narrow", "wide")
    assert found["--desk"].choices == ("plain", "round")
    assert found["--lamp"].choices == ()
    assert (found["--overlap"].value, found["--overlap"].doc) == (True, "whether")
