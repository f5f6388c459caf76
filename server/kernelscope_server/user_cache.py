"""Where the index and what else is slow to make are kept between sessions: the user's cache folder.

A module of its own, because the command line asks for it without loading the protocol.
"""

from __future__ import annotations

from pathlib import Path


def cache_folder() -> Path:
    """The folder; it need not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("kernelscope", appauthor=False)
