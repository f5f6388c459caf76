"""Options of commands with types, choices of enums, what scripts store over options, and what files do themselves."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.explain.faq_answers import said_of
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.commands import settable
from kernelscope.serving.procedures import procedures
from kernelscope.serving.reading import read_python
from kernelscope.serving.system import join

Source = Callable[[str], PythonSource]


def test_arguments_of_a_command_are_options_and_enums_choices(source: Source) -> None:
    text = """
        class Way(str, Enum):
            short = "short"
            long = "long"

        @app.command()
        def serve(letters: str, way: Optional[Way] = None, port: int = 8080):
            pass

        def other(way: Way = None):
            pass
    """
    found = [(p.name, p.kind, p.expression, p.choices) for p in settable(source(text))]
    assert found == [
        ("short", "field", '"short"', ()),
        ("long", "field", '"long"', ()),
        ("letters", "option", "", ()),
        ("--way", "option", "None", ("short", "long")),
        ("--port", "option", "8080", ()),
    ]


def test_options_of_click_also_in_helpers(source: Source) -> None:
    text = """
        import click
        from click import argument

        def shared(command):
            for add in (
                click.option("--port", "-p", default=8080, type=int, help="Where it listens."),
                click.option("--way", type=click.Choice(["short", "long"]), default="short"),
            ):
                command = add(command)
            return command

        @click.command()
        @shared
        @argument("folder")
        @click.option("--quiet/--loud")
        @click.option("-v", "--verbose", is_flag=True)
        @other.option("--no", default=1)
        def serve(**options):
            pass
    """
    found = [(p.name, p.expression, p.doc, p.choices) for p in settable(source(text)) if p.kind == "option"]
    assert sorted(found) == [
        ("--port", "8080", "Where it listens.", ()),
        ("--quiet", "False", "", ()),
        ("--verbose", "False", "", ()),
        ("--way", '"short"', "", ("short", "long")),
        ("folder", "", "", ()),
    ]


def test_settings_are_read_from_the_environment_by_prefix_or_alias(source: Source) -> None:
    text = """
        class Base(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="DESK_", frozen=True)
            size: int = 4

        class Desk(Base):
            width: int = 8  # in fields
            height: int = Field(9, validation_alias="TALLNESS")

        class Old(BaseSettings):
            depth: int = 2

            class Config:
                env_prefix = "OLD_"

        class Bare(BaseSettings):
            name: str

        class Other:
            size: int = 4
    """
    said = {(p.owner, p.name): p.doc for p in settable(source(text)) if p.annotation}
    assert said == {
        ("Base", "size"): "(read from the environment as DESK_SIZE)",
        ("Desk", "width"): "in fields (read from the environment as DESK_WIDTH)",
        ("Desk", "height"): "(read from the environment as TALLNESS)",
        ("Old", "depth"): "(read from the environment as OLD_DEPTH)",
        ("Bare", "name"): "(read from the environment as NAME)",
        ("Other", "size"): "",
    }


def test_a_script_stores_over_its_options(source: Source) -> None:
    text = """
        if __name__ == "__main__":
            parser.add_argument("--ring.size", type=int, default=1)
            parser.add_argument("--pack", action="store_true")
            args = nested(parser.parse_args())
            if args.ring.size > 1:
                args.pack = True
    """
    system = join([read_python(source(text))])
    (pack,) = (p for p in system.declared if p.name == "--pack")
    assert said_of(pack) == "--pack default False, becomes True if args.ring.size > 1"


def test_a_file_that_decides_something_when_it_is_read_is_told(source: Source) -> None:
    text = """
        SIZE = 4
        sizes = os.getenv("SIZES")
        if sizes is not None:
            sizes = [int(one) for one in sizes.split(",")]
            sizes.sort(reverse=True)
        parser.add_argument("--request-batch-size")
        if TYPE_CHECKING:
            from a import b
    """
    (found,) = procedures(source(text))
    assert found.name == "the file f.py"
    assert found.steps == (
        'sizes = os.getenv("SIZES")\n'
        "if sizes is not None:\n"
        '  sizes = [int(one) for one in sizes.split(",")]\n'
        "  sizes.sort(reverse=True)"
    )
    assert not list(procedures(source("import a\nif TYPE_CHECKING:\n    from a import b\nSIZE = 4\n")))


def test_amounts_that_a_function_is_given_are_told(source: Source) -> None:
    text = """
        def connect(address, timeout=timedelta(minutes=60), tries=3, name="x"):
            open_socket(address, timeout)
            wait(tries)
    """
    (found,) = (p for p in procedures(source(text)) if p.section != "components")
    assert found.steps.startswith("by default timeout=timedelta(minutes=60), tries=3\n")


def test_arguments_that_are_kept_privately_are_settings_and_comparisons_are_told(source: Source) -> None:
    text = """
        class Vote:
            def __init__(self, base: float = 0.5, cap: float = 10.0):
                self._base = base
                self._cap = cap

            def __lt__(self, other):
                if self.clock != other.clock:
                    return self.clock < other.clock
                return self.age < other.age
    """
    file = source(text)
    assert [(p.name, p.kind, p.value) for p in settable(file)] == [("base", "field", 0.5), ("cap", "field", 10.0)]
    (found,) = (p for p in procedures(file) if p.name == "Vote.__lt__")
    assert found.steps.endswith("return self.age < other.age")


def test_what_an_option_is_made_with_is_its_default_and_what_it_is_for(source: Callable[[str], PythonSource]) -> None:
    text = """
        @app.command()
        def serve(
            width: int = typer.Option(80, help="how wide  it is"),
            height: int = typer.Option(default=HEIGHT),
            depth: int = typer.Option(..., help="no default"),
            kind: str = typer.Option(**usual("kind"), help="which kind"),
            plain: int = 3,
        ): ...
    """
    found = {p.name: (p.expression, p.value, p.doc) for p in settable(source(text)) if p.kind == "option"}
    assert found["--width"] == ("80", 80, "how wide it is")
    assert found["--height"] == ("HEIGHT", None, "")
    assert found["--depth"] == ("", None, "no default")
    assert found["--kind"] == ("", None, "which kind")
    assert found["--plain"] == ("3", 3, "")
