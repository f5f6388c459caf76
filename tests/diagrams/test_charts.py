"""Timelines, memory ladders, tables, slots and frames: what stands where, and that frames are straight."""

from __future__ import annotations

from kernelscope.diagrams.cell_grid import cell_grid
from kernelscope.diagrams.cells import display_width, wrap_cells
from kernelscope.diagrams.ladder import Held, Level, Move, ladder
from kernelscope.diagrams.panel import Panel, beside, cells, framed, stacked, text
from kernelscope.diagrams.table import Cell, table
from kernelscope.diagrams.tile_grid import Axis, Moves, Operand, tile_grid
from kernelscope.diagrams.timeline import Lane, Task, timeline


def shown(panel: Panel) -> str:
    return panel.drawing().text


def regions(panel: Panel) -> dict[str, str]:
    """The text that each key stands for."""
    return {r.key: panel.rows[r.row][r.column : r.column + r.width] for r in panel.regions}


def test_timeline() -> None:
    tasks = (Task("Norm T0", 0, 2, key="n"), Task("Proj T0", 2, 4), Task("AR wait", 4, 6, waits=True))
    panel = timeline([Lane("SM0", tasks, "sm"), Lane("SM1", tasks[1:])], more="SM2 … SM7")
    assert shown(panel).split("\n") == [
        "SM0: [Norm T0][Proj T0](AR·wait)",
        "SM1:          [Proj T0](AR·wait)",
        "SM2 … SM7: the same",
        "     ──────────────────────────► time",
    ]
    assert regions(panel) == {"sm": "SM0", "n": "[Norm T0]"}


def test_a_timeline_keeps_its_width() -> None:
    lanes = [Lane("s", tuple(Task(f"a long task {n}", n, n + 1) for n in range(9)))]
    assert timeline(lanes, 60).width <= 60


def test_memory_ladder() -> None:
    levels = [
        Level("HBM", (Held("Q, K, V", "q"),), "80 GB", (Move("load", "l"), Move("store", back=True))),
        Level("registers", (Held("acc [M, D] fp32"),)),
    ]
    panel = ladder(levels)
    assert len({display_width(row) for row in shown(panel).split("\n") if row[0] in "┌│└"}) == 1
    assert regions(panel) == {"q": "Q, K, V", "l": "load"}
    assert shown(panel).count("▼") == shown(panel).count("▲") == 1


def test_frames_hold_what_is_beside_and_below() -> None:
    pool = beside(*[cells([f"Blk {n}"], [f"b{n}"]) for n in range(3)], text("", "physical", "blocks"), gap=1)
    table_of_blocks = framed(text("Req A: [0, 2, _]", "Req B: [1, _, _]"), "block table", key="t")
    panel = framed(stacked([pool, table_of_blocks], gap=1), "KV CACHE", "16 tokens a block")
    assert len({display_width(row) for row in panel.rows}) == 1
    assert regions(panel) == {"b0": "Blk 0", "b1": "Blk 1", "b2": "Blk 2", "t": "block table"}
    assert panel.rows[0].startswith("┌─ KV CACHE ─")
    assert panel.rows[0].endswith(" 16 tokens a block ─┐")


def test_products_break_between_factors_before_names_do() -> None:
    assert wrap_cells("Q + head·stride_bh + offs_m", 12) == ["Q + head·", "stride_bh +", "offs_m"]
    assert wrap_cells("a_very_long_name", 8) == ["a_very_", "long_", "name"]


def test_tables_wrap_and_point() -> None:
    panel = table(("Task", "What"), [[Cell("QKV", "k"), Cell("a long text " * 10)], [Cell("张量"), Cell("b")]], 40)
    assert len({display_width(row) for row in panel.rows}) == 1
    assert panel.width <= 40
    assert regions(panel) == {"k": "QKV"}


def test_tiles() -> None:
    a = Operand("a", "load L1", Axis("BK", Moves.LOOP, "k"), Axis("BM", Moves.PROGRAMS, "program_id(0)"), "a")
    rows = tile_grid([a]).rows
    assert [row.strip() for row in rows if "█" in row] == ["BM │███████►▒▒▒▒▒▒▒►▒▒▒▒▒▒▒│"]
    back = Operand("b", "load L3", Axis("BN", Moves.LOOP_BACK, "n"), Axis("BM", Moves.LOOP_BACK, "m"))
    assert [row.strip() for row in tile_grid([back]).rows][3:] == [
        "┌───────┬───────┬───────┐",
        "│▒▒▒▒▒▒▒│▒▒▒▒▒▒▒│▒▒▒▒▒▒▒│",
        "├───────┼───────┼───▲───┤",
        "│▒▒▒▒▒▒▒│▒▒▒▒▒▒▒│▒▒▒▒▒▒▒│",
        "├───────┼───────┼───▲───┤",
        "BM │▒▒▒▒▒▒▒◄▒▒▒▒▒▒▒◄███████│",
        "└───────┴───────┴───────┘",
        "↑ m",
        "← n",
    ]
    vector = Operand("x", "load L2", Axis("B"))
    assert tile_grid([vector]).rows[3:6] == ("┌───────┐", "│███████│", "└───────┘")
    assert len(tile_grid([a, a, a], 60).rows) == 2 * len(rows) + 1


def test_a_cell_grid_has_its_size_at_its_sides_and_is_cut_in_the_middle() -> None:
    assert cell_grid("c", "2", "8", [["w0", "w1"], ["w2", "w3"]]).rows == (
        "c",
        "        8",
        "  ┌─────┬─────┐",
        "  │ w0  │ w1  │",
        "2 ├─────┼─────┤",
        "  │ w2  │ w3  │",
        "  └─────┴─────┘",
    )
    long = cell_grid("", "", "", [[f"t{n}" for n in range(32)]] * 20).rows
    assert long[3] == "│ t0  │ t1  │ t2  │ t3  │ t4  │ t5  │  …  │ t31 │"
    assert len(long) == 2 + 2 * 9 + 1
