"""`kernelscope occupancy`: blocks per SM of a kernel of which threads, registers and shared memory are given."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kernelscope.results import UserError

if TYPE_CHECKING:
    from kernelscope.kernels.hardware import Generation


def occupancy(options: argparse.Namespace) -> int:
    """Print the occupancy of one kernel, or of a batch of them."""
    if options.batch is not None:
        try:
            asked: object = json.loads(Path(options.batch).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"--batch: {options.batch} cannot be read as JSON: {error}") from None
        rows = cast("list[object]", asked) if isinstance(asked, list) else [None]
        if not all(isinstance(row, dict) for row in rows):
            raise UserError("--batch: a JSON list of {gpu, threads, registers, smem}")
        print(json.dumps({"rows": [_occupancy_row(cast("dict[str, object]", row), None) for row in rows]}))
        return 0
    if options.threads is None:
        raise UserError("--threads is missing: threads per block, such as --threads 256")
    row = {"gpu": options.gpu, "threads": options.threads, "registers": options.registers, "smem": options.smem}
    found = _occupancy_row(row, options.programs)
    if options.json:
        print(json.dumps(found))
        return 0
    limits = " and ".join(cast("list[str]", found["limited_by"]))
    share = f"{found['warps_per_sm']}/{found['max_warps']} warps = {found['percent']} %"
    print(f"{found['blocks_per_sm']} blocks/SM = {share} on {found['gpu']}, limited by {limits}")
    if "waves" in found:
        print(f"{found['waves']} waves, the last one {found['last_wave_percent']} % full")
    return 0


def _occupancy_row(row: dict[str, object], programs: int | None) -> dict[str, object]:
    from kernelscope.kernels.hardware import GPUS
    from kernelscope.kernels.occupancy import occupancy as blocks_held
    from kernelscope.kernels.occupancy import waves

    name = str(row.get("gpu", ""))
    held = generation_of(name)
    numbers = [row.get(key, 0) for key in ("threads", "registers", "smem")]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise UserError("threads, registers and smem are whole numbers")
    threads, registers, shared = (int(str(n)) for n in numbers)
    try:
        found = blocks_held(held, threads, registers, shared)
    except ValueError as error:
        raise UserError(str(error)) from None
    shown: dict[str, object] = {
        "gpu": held.arch, "blocks_per_sm": found.blocks_per_sm, "warps_per_sm": found.warps_per_sm,
        "max_warps": found.max_warps, "percent": round(100 * found.share), "limited_by": list(found.limited_by),
    }  # fmt: skip
    gpu = next((g for g in GPUS.values() if g.name.lower() == name.lower()), None)
    if programs is not None and gpu is not None and found.blocks_per_sm:
        number, last = waves(programs, found.blocks_per_sm, gpu.sms)
        shown |= {"waves": round(number, 2), "last_wave_percent": round(100 * last)}
    return shown


def generation_of(name: str) -> Generation:
    """What a GPU of this name can do; a name of none is the user's error."""
    from kernelscope.kernels.hardware import GPUS, generation

    held = generation(name)
    if held is None:
        raise UserError(f"there is no GPU {name}; known: {', '.join(GPUS)}, or sm_70 to sm_121")
    return held
