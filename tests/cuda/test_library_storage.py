"""Bytes of CUB's storage, as `sizeof` and `alignof` of CUB 3.0 say them."""

from __future__ import annotations

import pytest
from kernelscope.dims import dim
from kernelscope.kernels.cuda.library_storage import storage

SIZES = {"float": (4, 4), "double": (8, 8), "char": (1, 1), "short": (2, 2), "int": (4, 4), "Pair": (8, 4),
         "Triple": (12, 4), "Wide": (16, 16), "long": (8, 8)}  # fmt: skip


def told(name: str, *arguments: str) -> tuple[int, int] | None:
    found = storage(name, arguments, SIZES.get, lambda text: dim(int(text)) if text.isdigit() else None)
    return (int(str(found[0])), found[1]) if found is not None else None


@pytest.mark.parametrize(
    ("kind", "threads", "found"),
    [
        ("float", 16, (12, 4)), ("float", 32, (12, 4)), ("float", 96, (20, 4)), ("float", 100, (24, 4)),
        ("float", 256, (44, 4)), ("float", 1024, (164, 4)), ("double", 256, (80, 8)), ("char", 256, (17, 1)),
        ("short", 1024, (98, 2)), ("Pair", 512, (152, 4)), ("Triple", 1024, (428, 4)), ("Wide", 128, (96, 16)),
        ("float", 24, None), ("T", 128, None),
    ],
)  # fmt: skip
def test_reductions(kind: str, threads: int, found: tuple[int, int] | None) -> None:
    assert told("cub::BlockReduce", kind, str(threads)) == found


@pytest.mark.parametrize(
    ("kind", "threads", "algorithm", "found"),
    [
        ("float", 32, "", 160), ("float", 64, "", 288), ("float", 96, "", 416), ("float", 128, "", 672),
        ("float", 1024, "", 4256), ("double", 256, "", 2336), ("char", 256, "", 320), ("Triple", 128, "", 1952),
        ("Wide", 128, "", 2592), ("long", 1024, "", 8480), ("int", 160, "BLOCK_SCAN_RAKING_MEMOIZE", 672),
        ("float", 64, "cub::BLOCK_SCAN_WARP_SCANS", 32), ("float", 1024, "cub::BLOCK_SCAN_WARP_SCANS", 192),
        ("double", 256, "cub::BLOCK_SCAN_WARP_SCANS", 96), ("short", 1024, "cub::BLOCK_SCAN_WARP_SCANS", 128),
        ("Triple", 128, "cub::BLOCK_SCAN_WARP_SCANS", 64), ("float", 100, "", None),
    ],
)  # fmt: skip
def test_scans(kind: str, threads: int, algorithm: str, found: int | None) -> None:
    given = (kind, str(threads), algorithm) if algorithm else (kind, str(threads))
    assert told("cub::BlockScan", *given) == (None if found is None else (found, 16))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("float", "32", "4"), 1184), (("float", "96", "4", "cub::NullType"), 3488),
        (("float", "256", "4", "int"), 9280),
        (("float", "1024", "8", "int"), 37056), (("float", "128", "16", "int"), 8448),
        (("float", "256", "16", "long"), 33792), (("double", "256", "11", "int"), 22528),
        (("float", "512", "9", "double"), 36864), (("float", "256", "4", "T"), None),
    ],
)  # fmt: skip
def test_sorts(arguments: tuple[str, ...], found: int | None) -> None:
    assert told("::cub::BlockRadixSort", *arguments) == (None if found is None else (found, 16))


@pytest.mark.parametrize(
    ("name", "arguments", "found"),
    [
        ("cub::WarpReduce", ("double",), (1, 1)),
        ("cub::WarpScan", ("int", "16"), (1, 1)),
        ("cub::WarpReduce", ("float", "24"), None),
        ("cub::BlockLoad", ("float", "256", "4"), (1, 1)),
        ("cub::BlockLoad", ("float", "256", "4", "cub::BLOCK_LOAD_TRANSPOSE"), (4096, 16)),
        ("cub::BlockLoad", ("float", "512", "8", "cub::BLOCK_LOAD_WARP_TRANSPOSE"), (16896, 16)),
        ("cub::BlockLoad", ("float", "256", "4", "cub::BLOCK_LOAD_WARP_TRANSPOSE_TIMESLICED"), None),
        ("cub::BlockStore", ("float", "256", "4", "cub::BLOCK_STORE_TRANSPOSE"), None),
        ("cub::BlockExchange", ("float", "128", "7"), (3584, 16)),
        ("mine::BlockReduce", ("float", "128"), None),
    ],
)
def test_others(name: str, arguments: tuple[str, ...], found: tuple[int, int] | None) -> None:
    assert told(name, *arguments) == found
