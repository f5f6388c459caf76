"""What reports of real systems said wrongly or out of place, each where the code shows that it is not so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.faq import ATTENDS, ROTATES
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.collectives import phase_of
from kernelscope.serving.endpoints import addresses, listening
from kernelscope.serving.parallel import layer_claims, sharded_layers
from kernelscope.serving.registries import registries
from kernelscope.serving.rounding import blocks_needed
from kernelscope.serving.service import orders
from kernelscope.serving.sharding import made, sharded

Source = Callable[[str], PythonSource]
Json = dict[str, object]


def test_an_engine_that_hands_messages_on_is_no_layer_divided_by_heads(source: Source) -> None:
    text = """
        class Runner:
            def __init__(self, config):
                self.make_cache()

            def make_cache(self):
                heads = self.config.num_kv_heads // self.world_size

            def call(self, name, *args):
                return getattr(self, name)(*args)

        class Engine:
            def __init__(self, config):
                self.runner = Runner(config)
    """

    def told(text: str) -> list[str]:
        file = source(text)
        return [claim.name for claim in layer_claims(sharded_layers(sharded(file), made(file), ()))]

    assert not told(text)
    assert told(text.replace("class Runner:", "class Runner(Layer):")) == ["Runner sharding"]


def test_blocks_of_experts_are_none_of_a_cache(source: Source) -> None:
    text = "def align_{}(tokens, block_size):\n    num_blocks = cdiv(tokens, block_size)\n    return num_blocks\n"
    assert list(blocks_needed(source(text.format("prompts")))) and not list(blocks_needed(source(text.format("moe"))))


def test_an_address_is_told_whole(source: Source) -> None:
    (claim,) = addresses(source('def place(self):\n    return "ipc:///tmp/desk_" + self.suffix\n'))
    assert 'gives the address "ipc:///tmp/desk_" + self.suffix (ZeroMQ ipc)' in claim.value


@pytest.mark.parametrize(
    ("name", "phase"),
    [("forward", "forward"), ("_determine_num_pages", "init"), ("sum_bwd", "backward"), ("sync_memory", "")],
)
def test_a_phase_is_what_a_name_says(name: str, phase: str) -> None:
    assert phase_of(name) == phase


def test_constants_and_bare_fields_of_headers_are_no_settings_of_scheduling(tmp_path: Path) -> None:
    (tmp_path / "library.h").write_text(
        "#define LIB_CTA_POLICY_ZERO 2\n"
        "typedef struct libConfig_v2 {\n  int centricSched;\n  int busySched = 4;\n} libConfig_t;\n"
    )
    (tmp_path / "bind.cpp").write_text(
        'class Desk : public Object {\n  DECLARE_OBJECT_INFO("lib.Desk", Desk, Object);\n  int size;\n};\n'
    )
    report = cast("dict[str, dict[str, list[Json]]]", Analysis([tmp_path]).report())
    assert not [row for row in report["serving"]["scheduling"] if "POLICY" in str(row["name"])]
    (switches,) = (e for e in cast("list[Json]", report["faq"]) if str(e["id"]).startswith("scheduling.switches"))
    assert "busySched default 4" in str(switches["answer"]) and "centricSched" not in str(switches["answer"])
    assert not report["topology"]["bindings"]


def test_where_a_server_listens_is_told_of_calls_in_scripts_too(source: Source) -> None:
    text = """
        def main(args):
            server.run(app, host=args.host, port=args.port)
            child.run(port=4, quiet=True).wait()
            job.do(port=5)

        if __name__ == "__main__":
            uvicorn.run(app, host="0.0.0.0", port=6000)
    """
    told = [claim.value for claim in listening(source(text))]
    assert told == [
        "main lets a server listen on host args.host, port args.port (≈ server.run by its name)",
        'the script f.py lets a server listen on host "0.0.0.0", port 6000 (≈ uvicorn.run by its name)',
    ]


@pytest.mark.parametrize(
    ("order", "attends"),
    [
        ("runs in this order: qkv_proj → ctx.attn_backend.forward", True),
        ("runs in this order: self_attn → mlp", True),
        ("Desk.run runs in this order: get_attn_backend → load (if HAS_LONG_ATTN)", False),
        ("Desk.__init__ runs in this order: load → register_attn", False),
    ],
)
def test_only_steps_that_attend_compute_attention(order: str, attends: bool) -> None:
    assert bool(re.search(ATTENDS, order)) is attends
    assert bool(re.search(ROTATES, order.replace("attn", "rope"))) is attends


def test_a_branch_makes_the_object_and_not_what_is_worked_out_for_it(source: Source) -> None:
    text = """
        class Connector:
            def __init__(self, role):
                if role == "scheduler":
                    size = resolve_sizes(self.config)
                    self.manager = OffloadScheduler(size)
                elif role == "worker":
                    self.handler = OffloadWorker()
    """
    (registry,) = registries(source(text))
    assert [entry.implementation for entry in registry.entries] == ["OffloadScheduler", "OffloadWorker"]


def test_sizes_that_graphs_are_captured_for_are_no_requests(source: Source) -> None:
    text = """
        class {}:
            def next_ones(self):
                ones = list(self.waiting)
                ones.sort(key=lambda one: one.num_active, reverse=True)
                for one in ones:
                    self.run(one)
    """
    assert [claim.value for claim in orders(source(text.format("Scheduler")))]
    assert not list(orders(source(text.format("GraphScheduler"))))
