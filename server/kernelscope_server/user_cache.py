"""Where the index and what else is slow to make are kept between sessions: the user's cache folder.

A module of its own, because the command line asks for it without loading the protocol.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder; it need not exist yet."""
    if sys.platform == "linux":  # loading what knows all platforms takes as long as a hover
        given = os.environ.get("XDG_CACHE_HOME", "")
        return Path(given if os.path.isabs(given) else os.path.expanduser("~/.cache"), "kernelscope")
    from platformdirs import user_cache_path

    return user_cache_path("kernelscope", appauthor=False)
