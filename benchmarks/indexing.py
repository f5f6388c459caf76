"""CPU seconds of the stages of indexing one folder, cold and warm: python benchmarks/indexing.py FOLDER

Wall time is the machine's; CPU time of this process and of its scanning processes can be compared.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.workspace.files import CUDA_SUFFIXES, PYTHON_SUFFIXES, Files
from kernelscope.workspace.index import Index, Stage
from kernelscope.workspace.worker import facts_or_none


def cpu() -> float:
    """CPU seconds of this process and of those that it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def has_reached(index: Index, stage: Stage) -> bool:
    return index.stage >= stage


def by_language(folder: Path) -> None:
    """What extracting the facts of a file costs, of every fifth file, in this process."""
    files = Files([str(folder)])
    for language, suffixes in (("Python", PYTHON_SUFFIXES), ("C++ and CUDA", CUDA_SUFFIXES)):
        chosen = [entry for entry in files.walk() if entry.path.endswith(suffixes)][::5]
        texts = [(entry.path, data) for entry in chosen if isinstance(data := files.read(entry.path), bytes)]
        begun = time.process_time()
        for path, data in texts:
            facts_or_none(path, data)
        seconds, size = time.process_time() - begun, sum(len(data) for _, data in texts) / 1e6
        if texts:
            print(f"facts of {language}: {seconds / size:.3f} s per MB ({len(texts):,} files, {size:.1f} MB)")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as cache:
        for start in ("cold", "warm"):
            analysis = Analysis([folder], cache_dir=Path(cache))
            index = analysis.workspace.index
            begun = cpu()
            for stage in (Stage.NAMES, Stage.OPERATORS, Stage.CALLS):
                index.run(None, partial(has_reached, index, stage))
                print(f"{start} {stage.name.lower():10} {cpu() - begun:7.2f} s")
            analysis.navigation.graph()
            print(f"{start} graph      {cpu() - begun:7.2f} s, {len(index.paths()):,} files")
            index.close()
    by_language(folder)
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
