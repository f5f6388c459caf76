"""Shared by all tests: goldens that `--accept` rewrites, workspaces written as one text, no test against the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from kernelscope.workspace.files import Files

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite goldens and expectations with what was found")


@pytest.fixture(autouse=True)
def no_faults(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A fault that is logged, and costs a part of an answer only, fails the test all the same."""
    yield
    if request.node.get_closest_marker("faults") is None:
        told = [record for when in ("setup", "call") for record in caplog.get_records(when)]
        faults = [record for record in told if record.name == "kernelscope" and record.exc_info]
        assert not faults, "\n".join(record.getMessage() for record in faults)


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are to be rewritten."""
    return bool(request.config.getoption("--accept"))


@pytest.fixture
def golden(accept: bool) -> Callable[[Path, str], None]:
    """Compare a text with a golden file, or rewrite the file under `--accept`."""

    def check(path: Path, found: str) -> None:
        if accept or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(found, encoding="utf-8")
            assert accept, f"{path.name} is new: look at it, then commit it"
            return
        assert found == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[[str], Files]:
    """Writes the files of a text below a fresh folder and opens it; a line `## path` starts each file."""

    def write(text: str) -> Files:
        for part in f"\n{text}".split("\n## ")[1:]:
            name, _, source = part.partition("\n")
            path = tmp_path / name.strip()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return Files([str(tmp_path)])

    return write
