"""The gallery of documents, made from our sample workspaces; `--accept` writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.diagrams.cells import display_width
from kernelscope.diagrams.model import Graph
from kernelscope.explain.document import Block, Diagram, Line, Paragraph
from kernelscope.explain.render import to_text
from kernelscope.results import Target, ViewOptions

ROOT = Path(__file__).parents[2]
WORKSPACES = ROOT / "tests" / "workspaces"
SAMPLE = WORKSPACES / "sample"
INTRODUCTION = """# Gallery

What Kernelscope draws and tells of the small model of [`tests/workspaces/sample`](../tests/workspaces/sample), of a
serving repository, [`tests/workspaces/service`](../tests/workspaces/service), and of layers after public architectures
in [`tests/workspaces/models`](../tests/workspaces/models), as it stands in the editor and the terminal. The page is
generated: `pytest tests/explain/test_gallery.py --accept` writes it anew, and the test suite compares it with what the
code gives.
"""
PAGES = (
    ("dataflow", "tinyllm/model.py", "DecoderLayer", "Dataflow of a decoder layer"),
    ("dataflow", "tinyllm/model.py", "TinyLLM", "Dataflow of the whole model"),
    ("ops", "tinyllm/model.py", "MLP", "Operators, with sizes bound"),
    ("memory", "tinyllm/model.py", "MLP", "Tensors from birth to last use"),
    ("architecture", "tinyllm/model.py", "TinyLLM", "Architecture"),
    ("pseudocode", "tinyllm/model.py", "Attention.forward", "Pseudocode of a module"),
    ("pseudocode", "tinyllm/kernels/flash_attention.py", "flash_attention_kernel", "Pseudocode of a kernel"),
    ("tiling", "tinyllm/kernels/flash_attention.py", "flash_attention_kernel", "Tiles and memory of a kernel"),
    ("timeline", "tinyllm/schedule.py", "", "Timeline of a scheduler's tasks"),
    ("timeline", "csrc/megakernel.cu", "", "Timeline of a megakernel's tasks"),
)
SERVICE = (
    ("architecture", "", "", "Architecture of a serving repository"),
    ("serving", "", "", "The serving system of a repository"),
    ("faq", "", "", "The technical FAQ, answered from its code"),
)
MODELS = (
    ("dataflow", "decoder_layers.py", "DecoderLayer", "A decoder layer after Llama"),
    ("dataflow", "decoder_layers.py", "SparseDecoderLayer", "A decoder layer with a mixture of experts after Mixtral"),
    ("dataflow", "dense_and_sparse.py", "PlainBlock", "A block after GPT-2"),
    (
        "dataflow",
        "latent_attention.py",
        "LatentDecoderLayer",
        "A decoder layer with latent attention after DeepSeek-V3",
    ),
    ("dataflow", "vision_block.py", "Block", "A block of a vision transformer"),
    ("dataflow", "unet_block.py", "DownBlock", "A block of a diffusion UNet"),
    ("dataflow", "cross_attention.py", "DecoderLayer", "A decoder layer with cross-attention after T5"),
)
ABOVE = Paragraph((Line("the picture that is shown above"),))
"""Stands for a picture that another document of the page shows, too."""
PUBLIC = Path(__file__).parent / "public_servers.md"
"""What reports of public servers say, whose code is not ours to keep here."""
SIZES = {"B": 8, "S": 4096, "hidden_size": 4096, "intermediate_size": 14336}


def gallery() -> str:
    pages = [*_pages(SAMPLE, PAGES), *_pages(WORKSPACES / "service", SERVICE), *_pages(WORKSPACES / "models", MODELS)]
    return "\n".join([INTRODUCTION, *pages, PUBLIC.read_text(encoding="utf-8")])


def _pages(root: Path, pages: tuple[tuple[str, str, str, str], ...]) -> Iterator[str]:
    analysis = Analysis([root])
    shown: list[Graph] = []
    for kind, file, symbol, title in pages:
        bindings = SIZES if kind in ("ops", "memory") else {}
        target = Target(root / file, None, symbol or None)
        document = analysis.document(kind, target, ViewOptions(bindings=bindings))
        blocks = tuple(ABOVE if _is_among(shown, block) else block for block in document.blocks)
        shown += [block.graph for block in blocks if isinstance(block, Diagram)]
        text = to_text(replace(document, blocks=blocks)).text.rstrip()
        text = text.replace(f"{ROOT}/", "")
        bound = "".join(f" --bind {name}={value}" for name, value in bindings.items())
        place = f"{file}::{symbol}" if symbol else file or root.name
        yield f"## {title}\n\n    $ kernelscope {kind} {place}{bound}\n\n```text\n{text}\n```\n"


def _is_among(shown: list[Graph], block: Block) -> bool:
    return isinstance(block, Diagram) and block.graph in shown


def test_the_gallery_is_what_the_code_gives(golden: Callable[[Path, str], None]) -> None:
    golden(ROOT / "docs" / "gallery.md", gallery())


def test_no_document_of_the_gallery_is_wider_than_asked() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = [line for block in page.split("```")[1::2] for line in block.splitlines()]
    assert [line for line in shown if display_width(line) > 100] == []
