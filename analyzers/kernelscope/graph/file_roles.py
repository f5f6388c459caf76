"""What part a file plays in its workspace: it is of the code, or of the tests of it."""

from __future__ import annotations

import os


def is_test(path: str) -> bool:
    """Whether a file belongs to tests, by where pytest looks for them."""
    folders, name = os.path.split(path)
    return name.startswith("test_") or not {"test", "tests"}.isdisjoint(folders.split(os.sep))
