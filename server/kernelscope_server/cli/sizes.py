"""The sizes that a user gives on the command line: `--bind` and `--config`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kernelscope.results import Configured, UserError

from kernelscope_server.wire import is_table


def read_config(path: str | None) -> dict[str, Configured]:
    """The names and plain values of a `config.json`; those of a table inside are named `vision_config.hidden_size`."""
    if path is None:
        return {}
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UserError(f"--config: {path} is not JSON") from None
    if not is_table(table):
        raise UserError(f"--config: {path} is not an object of names and values")
    return dict(_plain(table, ""))


def _plain(table: dict[Any, Any], outer: str) -> Iterator[tuple[str, Configured]]:
    for name, value in table.items():
        if is_table(value):
            yield from _plain(value, f"{outer}{name}.")
        elif value is None or isinstance(value, int | float | str):
            yield f"{outer}{name}", value


def read_bindings(pairs: list[str], config: Mapping[str, Configured]) -> dict[str, int]:
    """Sizes from `--bind` and the integers of `--config`."""
    found = {k: v for k, v in config.items() if isinstance(v, int) and not isinstance(v, bool)}
    for pair in pairs:
        for part in pair.split(","):
            name, _, value = part.partition("=")
            if not value.strip().isdigit() or not name.strip():
                raise UserError(f"--bind {part}: write NAME=NUMBER, such as --bind B=8")
            found[name.strip()] = int(value)
    return found
