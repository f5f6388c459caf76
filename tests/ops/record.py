"""Record what torch answers to the calls in `cases/*.txt`: run it where torch is installed, after adding a call.

A line without ` → ` gets its result, others are checked; `--accept` overwrites results that changed.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from typing import Any

from opcalls import CASES, SHORT


def torch_scope() -> dict[str, Any]:
    """The names of a case file, for torch itself."""
    import einops
    import einops.layers.torch
    import torch
    import torch.nn.utils.rnn

    def maker(dtype: Any) -> Any:
        def make(*sizes: int) -> Any:
            if dtype.is_floating_point or dtype.is_complex:
                return torch.rand(sizes, dtype=dtype) if dtype.itemsize > 1 else torch.zeros(sizes, dtype=dtype)
            return torch.zeros(sizes, dtype=dtype)

        return make

    class At:
        def __init__(self, value: Any) -> None:
            self.value = value

        def __getitem__(self, items: Any) -> Any:
            return self.value[items]

    scope: dict[str, Any] = {short: maker(getattr(torch, name)) for short, name in SHORT.items()}
    scope |= {"torch": torch, "einops": einops, "operator": operator, "slice": slice, "at": At}
    scope["params"] = lambda layer: {name: value.data for name, value in layer.named_parameters()}
    return scope


def told(value: Any) -> str:
    """A result of torch as text."""
    import torch

    if isinstance(value, torch.Tensor):
        return f"{list(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, (tuple, list)):
        return f"({', '.join(told(v) for v in tuple[Any, ...](value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {told(v)}' for k, v in dict[str, Any](value).items())}}}"
    return str(value)


def main(accept: bool) -> int:
    """Fill in or check all files; how many results differ from what is written."""
    scope, differing = torch_scope(), 0
    for path in sorted(CASES.glob("*.txt")):
        lines: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            call, arrow, old = line.rpartition(" → ")
            call = call if arrow else line
            if not call or line.startswith("#"):
                lines.append(line)
                continue
            try:
                found = told(eval(call, dict(scope)))
            except Exception as error:
                found = "error"
                if not arrow:
                    print(f"{path.name}: {call}: {str(error).splitlines()[0][:110] if str(error) else error!r}")
            if arrow and old != found:
                differing += 1
                print(f"{path.name}: {call}: {old} is written, {found} found")
            lines.append(f"{call} → {found if accept or not arrow else old}")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return differing


if __name__ == "__main__":
    sys.exit(main("--accept" in sys.argv) != 0)
