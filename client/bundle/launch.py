"""Starts the server that lies beside this file.

Run as `python -I launch.py`: isolated mode keeps the current folder, PYTHONPATH and the user's packages out, so that
nothing of a workspace can be imported. The one folder added is the bundle's own.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "libs"))

if __name__ == "__main__":
    import runpy

    runpy.run_module("kernelscope_server", run_name="__main__", alter_sys=True)
