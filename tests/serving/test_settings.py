"""Settings: chosen at import, changed from outside, contradicted; constraints of modules and of chains of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.explain.faq_sizes import context_limits
from kernelscope.explain.section_settings import concerns, declared
from kernelscope.serving.c_constants import c_constants, c_enums
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.constraints import constraints
from kernelscope.serving.contradictions import contradictions
from kernelscope.serving.metrics import metrics
from kernelscope.serving.parallel import strategies
from kernelscope.serving.parameters import parameters
from kernelscope.serving.presets import presets
from kernelscope.serving.reading import read_python
from kernelscope.serving.sections import ranked
from kernelscope.serving.stores import overridden, stored
from kernelscope.serving.system import join
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]

BRANCHES = """
SIZE: int
if KIND == "long":
    SIZE = 256
else:
    SIZE = 16
"""
CHAIN = """
def engine(kind):
    if kind == "plain":
        return Plain()
    elif kind == "pair":
        return Pair()
    else:
        raise ValueError("unknown kind")
"""
OUTSIDE = """
class DeskConfig:
    pages: int = -1
    size: int = 8

class Letter:
    size: int = 4

def start(config):
    config.pages = count() // 2
    Letter.size = config.size
"""
WIDTH = "class Config:\n    width: int = 64\n    def __post_init__(self):\n"


TAKEN = """
class Desk:
    def __init__(self, most=None, least=1, config=None):
        if most is None:
            most = 8 if config.is_small else 2
        self.least, self.most = least, most
"""
HANDED_ON = """
class ModelConfig:
    dtype: str = "half"

    def __post_init__(self):
        self.other_config.dtype = self.dtype
"""


LOOKED_UP = """
class LetterConfig:
    def __init__(self, given: dict, most: int = 3):
        self.width = given["paper_width"]
        self.ink = given.get("ink", 10)
        self.most = most
        self.area = self.width * 2
"""


def test_a_configuration_that_looks_its_values_up(source: Source) -> None:
    found = {
        p.name: (p.default, p.doc, p.overrides) for p in parameters(source(LOOKED_UP)) if p.owner == "LetterConfig"
    }
    assert found == {
        "most": ("default 3", "", ()),
        "width": ("has no default", "read as 'paper_width' of given", ()),
        "ink": ("default 10", "read as 'ink' of given", ()),
    }


BUILT = """
class LetterConfig:
    width: int
    ink: str

    @staticmethod
    def usual(width: int = 7):
        return LetterConfig(width, "blue")

    @classmethod
    def from_file(cls, read):
        width = read.get("width", 7)
        ink = read.get("ink", "black")
        return cls(width, ink)
"""


def test_defaults_stand_in_what_makes_an_object(source: Source) -> None:
    found = {p.name: [(o.value, o.detail) for o in p.overrides] for p in parameters(source(BUILT)) if p.kind == "field"}
    assert found == {
        "width": [("7", "default of LetterConfig.usual")],
        "ink": [('"black"', "default of LetterConfig.from_file")],
    }


def test_an_argument_that_is_bound_anew_before_it_is_stored(source: Source) -> None:
    found = {p.name: [(o.value, o.condition) for o in p.overrides] for p in parameters(source(TAKEN))}
    assert found["most"] == [("8 if config.is_small else 2", "most is None")]
    assert found["least"] == []


def test_a_value_that_is_handed_to_another_object_stays(source: Source) -> None:
    read = source(HANDED_ON)
    (dtype,) = overridden(parameters(read), stored(read))
    assert dtype.overrides == ()


def test_abbreviations_are_sizes_where_there_are_several(source: Source) -> None:
    found = strategies(
        parameters(
            source(
                "class Ways:\n    dp: int\n    pp: int\nclass Text:\n    sp: int = 1\n    parallel_context: int = 1\n"
                "    cp_async_size: int = 64\n    TilePipelineStage: int = 2\n"
            )
        )
    )
    assert {kind: [p.name for p in ps] for kind, ps in found.items()} == {"DP": ["dp"], "PP": ["pp"]}


def test_a_module_chooses_by_branches(source: Source) -> None:
    (size,) = parameters(source(BRANCHES))
    assert [(o.value, o.condition) for o in size.overrides] == [
        ("256", 'KIND == "long"'),
        ("16", 'KIND != "long"'),
    ]


def test_a_literal_type_gives_the_choices_of_a_constant(source: Source) -> None:
    (kind,) = parameters(source('kind: Literal["plain", "pair"] = "pair"\n'))
    assert (kind.value, kind.choices) == ("pair", ("plain", "pair"))


def test_code_outside_a_class_changes_its_fields(source: Source) -> None:
    read = source(OUTSIDE)
    changed = {
        f"{p.owner}.{p.name}": [o.value for o in p.overrides] for p in overridden(parameters(read), stored(read))
    }
    assert changed == {"DeskConfig.pages": ["count() // 2"], "DeskConfig.size": [], "Letter.size": ["config.size"]}


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (CHAIN, 'kind in ("plain", "pair")'),
        ("assert RATIO > 0\n", "RATIO > 0"),
        ('KINDS = {"a", "b"}\nassert KIND in KINDS\n', 'KIND in KINDS, where KINDS = {"a", "b"}'),
    ],
)
def test_modules_and_chains_constrain(source: Source, text: str, condition: str) -> None:
    assert condition in [c.condition for c in constraints(source(text))]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (WIDTH + "        self.width = self.all // self.heads\n",
         "default-never-used"),
        ('class Config:\n    most: int = Field(8, description="Many (default: 16).")\n', "default-contradicts-text"),
        ("class Config:\n    size: int = 100\n    def __post_init__(self):\n        assert self.size % 16 == 0\n",
         "default-breaks-constraint"),
        ('class Config:\n    most_open: int = 8\nparser.add_argument("--most-open", default=9)\n', "defaults-differ"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told(source: Source, text: str, code: str) -> None:
    read = source(text)
    assert [c.code for c in contradictions(parameters(read), constraints(read))] == [code]


def test_what_a_method_demands_contradicts_no_default(source: Source) -> None:
    read = source("class Config:\n    size: int = 1\n    def video(self):\n        assert self.size > 1\n")
    assert not list(contradictions(parameters(read), constraints(read)))


def test_what_is_demanded_in_a_branch_contradicts_no_default(source: Source) -> None:
    read = source(
        "class Sampler:\n    def __init__(self, rounds: int = 4, most: int | None = None):\n"
        "        if most:\n            assert rounds == 1\n"
    )
    assert [c.condition for c in constraints(read)] == ["rounds == 1"]
    assert not list(contradictions(parameters(read), constraints(read)))


@pytest.mark.parametrize(
    "text",
    [
        WIDTH + "        self.width = self.width or 8\n",
        WIDTH + "        if self.auto:\n            self.width = 8\n",
        'class Config:\n    most: int = Field(8, description="How many (default: 8).")\n',
        'class Config:\n    most: int = Field(10_000, description="How many (default: 10,000)")\n',
        'class Config:\n    most: int = Field(1 << 26, description="How much, by default: 64 MiB.")\n',
        "class Config:\n    allocations: int = 60000  # default is 700, too often\n",
        "class Config:\n    size: int = 96\n    def check(self):\n        assert self.size % 16 == 0\n",
        'class Config:\n    most_open: int = 8\nparser.add_argument("--most-open", default=8)\n',
    ],
)
def test_what_agrees_is_not(source: Source, text: str) -> None:
    read = source(text)
    assert not list(contradictions(parameters(read), constraints(read)))


def test_metrics_are_made_by_a_function_of_the_file(source: Source) -> None:
    text = """
        ABOUT = {"desk_open": "Open letters"}
        class Board:
            def start(self):
                self.make("desk_open")
            def make(self, name):
                self.all[name] = Gauge(name, ABOUT[name])
    """
    assert [(m.name, m.kind, m.measures) for m in metrics(source(text))] == [("desk_open", "gauge", "Open letters")]


def test_metrics_are_made_when_a_file_is_imported(source: Source) -> None:
    text = """
        open_letters = Gauge("desk:open", "Open letters", ["desk"])
        class Board:
            late = Counter("desk:late", "Late letters")
    """
    found = [(m.name, m.kind, m.labels) for m in metrics(source(text))]
    assert found == [("desk:open", "gauge", '["desk"]'), ("desk:late", "counter", "")]


BOUNDED = """
class Limits(Base):
    share: float = Field(0.9, gt=0, le=1)
    rows: int = Field(64, multiple_of=8)
    most: Optional[int] = None

    @validator("most", mode="before")
    def fill(cls, values):
        if values.get("most") is None:
            values["most"] = values.get("rows") - 1
        return values
"""
UNSET = """
class ShapeArgs:
    theta: float = None
    width: int = 64
    depth: int = 2

    def cells(self):
        return self.width * self.depth

class Turner:
    def __init__(self, args: ShapeArgs):
        self.args = args

    def table(self):
        return angles(self.args.theta or 10000.0)
"""
PRESETS = """
def shape(name):
    if name == "small":
        made = Shape(width=64, depth=2)
    elif name == "large":
        made = Shape(width=512, depth=24)
    return made
"""


def test_fields_declare_bounds_and_validators_fill_them(source: Source) -> None:
    read = source(BOUNDED)
    assert [(c.condition, c.enforced_by) for c in constraints(read)] == [
        ("0 < share <= 1", "validator"),
        ("rows % 8 == 0", "validator"),
    ]
    (most,) = (p for p in parameters(read) if p.name == "most")
    assert [(o.value, o.condition) for o in most.overrides] == [
        ('values.get("rows") - 1', 'values.get("most") is None')
    ]


def test_what_stands_for_an_unset_setting_and_what_is_computed(source: Source) -> None:
    read = source(UNSET)
    found = {p.name: p for p in overridden(parameters(read), stored(read))}
    assert [(o.value, o.condition) for o in found["theta"].overrides] == [("10000.0", "theta is unset")]
    assert (found["cells"].kind, found["cells"].expression) == ("computed", "self.width * self.depth")


def test_presets_are_told_key_by_key(source: Source) -> None:
    said = [claim.value for claim in presets(source(PRESETS))]
    assert said == [
        'preset "small" of shape by name: Shape(width=64, depth=2)',
        'preset "large" of shape by name: Shape(width=512, depth=24)',
    ]


def test_a_long_chain_is_one_constraint(source: Source) -> None:
    chain = CHAIN.replace("    else:", '    elif kind == "ring":\n        return Ring()\n    else:')
    assert [c.condition for c in constraints(source(chain))] == ['kind in ("plain", "pair", "ring")']


def test_constants_of_c_by_branch_and_enums() -> None:
    text = SourceText(
        b"#if defined(WIDE)\n#define LANES 256\n#else\n#define LANES 128\n#endif\n"
        b"int const MOST = 160;\nconstexpr int BYTES = 6 * 1024;\nenum Kind : int { LOAD = 4, FOLD, SEND = 9 };\n"
    )
    source = CSource(Path("a.cuh"), text)
    found = {p.name: p for p in c_constants(source)}
    assert (found["MOST"].value, found["BYTES"].value) == (160, 6144)
    assert [(o.value, o.condition) for o in found["LANES"].overrides] == [
        ("256", "defined(WIDE)"),
        ("128", "not (defined(WIDE))"),
    ]
    (kind,) = c_enums(source)
    assert [(e.key, e.implementation) for e in kind.entries] == [("LOAD", "4"), ("FOLD", "5"), ("SEND", "9")]


def test_a_field_may_be_set_by_its_name(source: Source) -> None:
    read = source(
        """
        class Config:
            backend: str = "auto"
            size: int = 1
            other: int = 2

        def adjust(config: Config):
            def put(name, value):
                object.__setattr__(config, name, value)

            if config.backend == "auto":
                chosen = "one" if new_card() else "two"
                put("backend", chosen)
            setattr(config, "size", 64)
            put("other")
        """
    )
    told = {p.name: [(o.value, o.condition) for o in p.overrides] for p in overridden(parameters(read), stored(read))}
    assert told["backend"] == [('"one" if new_card() else "two"', 'config.backend == "auto"')]
    assert told["size"] == [("64", "")] and told["other"] == []


def test_settings_stand_where_their_help_or_their_rank_says(source: Source) -> None:
    text = """
    from enum import IntEnum

    class Priority(IntEnum):
        HIGH = 0
        LOW = 1

    parser.add_argument("--most-ooe", default=10, help="letters that go out of order")
    parser.add_argument("--max_wait_steps", default=4)
    parser.add_argument("--max_req_input_len", default=2048)
    parser.add_argument("--colour", default=1, help="of the paper")
    """
    system = join([read_python(source(text))])
    assert [p.name for p in declared(system, "scheduling")] == ["--most-ooe", "--max_wait_steps"]
    assert [r.name for r in system.registries if concerns("scheduling", r)] == ["Priority"]
    assert not any(concerns("batching", r) for r in system.registries)
    assert ["--max_req_input_len" in claim.value for claim in context_limits(system)] == [True]
    assert "serving.scheduling" in [section for _, section in ranked("ordering_reqs", "Fcfs")]
