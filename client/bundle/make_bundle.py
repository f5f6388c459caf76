"""Puts the server and its libraries into one folder, for every supported Python of one platform.

Compiled files carry the version of Python in their names, so that those for all versions lie side by side.
Uses pip only; what is fetched is kept in a cache folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# vsce's name of a platform: pip's names, newest first.
PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "linux-arm64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "alpine-x64": ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64"),
    "darwin-x64": ("macosx_11_0_x86_64", "macosx_10_13_x86_64", "macosx_10_9_x86_64"),
    "darwin-arm64": ("macosx_12_0_arm64", "macosx_11_0_arm64"),
    "win32-x64": ("win_amd64",),
    "win32-arm64": ("win_arm64",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=PLATFORMS)
    parser.add_argument("--out", type=Path, required=True, help="the bundle folder; replaced")
    parser.add_argument("--wheels", type=Path, required=True, help="where fetched wheels are kept")
    options = parser.parse_args()

    server = build_server(options.wheels)
    wheels = {server, *(w for python in PYTHONS for w in download(options.target, python, server, options.wheels))}
    shutil.rmtree(options.out, ignore_errors=True)
    libs = options.out / "libs"
    libs.mkdir(parents=True)
    for wheel in sorted(wheels):
        unpack(wheel, libs)
    shutil.copy(Path(__file__).with_name("launch.py"), options.out)
    newest = int(PYTHONS[-1].split(".")[1])
    (options.out / "bundle.json").write_text(json.dumps({"target": options.target, "newestMinor": newest}) + "\n")


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"make_bundle: pip {arguments[0]} failed; it needs the package index or a filled cache")


def build_server(wheels: Path) -> Path:
    """Our own two packages as a wheel: what is bundled is what is published."""
    folder = wheels / "server"
    shutil.rmtree(folder, ignore_errors=True)
    pip("wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    return next(folder.glob("*.whl"))


def download(target: str, python: str, server: Path, wheels: Path) -> list[Path]:
    """Wheels of one Python; the folder's name holds the pins, so that none of other versions are found in it."""
    pins = hashlib.sha256(CONSTRAINTS.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()[:12]
    folder = wheels / pins / target / python
    platforms = [f"--platform={name}" for name in PLATFORMS[target]]
    pip("download", str(server), "--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms,
        f"--constraint={CONSTRAINTS}", f"--dest={folder}", f"--find-links={folder}")  # fmt: skip
    return [wheel for wheel in folder.glob("*.whl") if wheel.name != server.name]


def unpack(wheel: Path, libs: Path) -> None:
    """Everything but what only pip reads, and types of libraries: ours describe libraries to the server."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            is_type = name.endswith(".pyi") and not name.startswith("kernelscope/")
            if not is_type and not name.endswith((".dist-info/RECORD", ".dist-info/WHEEL")):
                archive.extract(name, libs)


if __name__ == "__main__":
    main()
