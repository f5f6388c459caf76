"""Shared by all tests: `--accept` rewrites goldens and expectations in place instead of comparing."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite goldens and expectations with what was found")


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are to be rewritten."""
    return bool(request.config.getoption("--accept"))


@pytest.fixture
def golden(accept: bool):
    """Compare a text with a golden file, or rewrite the file under `--accept`."""

    def check(path: Path, found: str) -> None:
        if accept or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found, encoding="utf-8")
            assert accept, f"{path.name} is new: look at it, then commit it"
            return
        assert found == path.read_text(encoding="utf-8")

    return check
