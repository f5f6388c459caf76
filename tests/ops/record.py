"""Record what torch, or JAX in `cases/jax_*.txt`, answers to calls: run it where they are installed, after adding one.

`record.py torch` and `record.py jax` do the files of one library. A line without ` → ` gets its result, others are
checked; `--accept` overwrites results that changed.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any

from opcalls import CASES, SHORT


def torch_scope() -> dict[str, Any]:
    """The names of a case file, for torch itself."""
    import einops
    import einops.layers.torch
    import einx
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
    scope |= {"torch": torch, "einops": einops, "einx": einx, "operator": operator, "slice": slice, "at": At}
    scope["params"] = lambda layer: {name: value.data for name, value in layer.named_parameters()}
    return scope


class Methods:
    """`jax.Array.reshape(x, 6)`, for the class itself has no methods, and `jax.Array.at.set(x, 0, 1.0)`."""

    def __getattr__(self, name: str) -> Any:
        if name == "at":
            return Updates()
        return lambda value, *args, **options: getattr(value, name)(*args, **options)


class Updates:
    """`x.at[index].set(value)`."""

    def __getattr__(self, name: str) -> Any:
        return lambda value, place, *args: getattr(value.at[place], name)(*args)


class Library:
    """A library of JAX's in which linen's layers are called without their weights."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __getattr__(self, name: str) -> Any:
        import flax.linen

        found = getattr(self.library, name)
        if name == "Array":
            return Methods()
        if isinstance(found, type) and issubclass(found, flax.linen.Module):
            return lambda *args, **options: self.initialised(found(*args, **options))
        return Library(found) if type(found).__name__ == "module" else found

    @staticmethod
    def initialised(layer: Any) -> Any:
        """A layer of linen that makes its weights when it is called."""
        import jax

        return lambda *args, **options: layer.init_with_output(jax.random.key(0), *args, **options)[0]


class Haiku:
    """Haiku, whose layers and functions work only inside of what is transformed."""

    def __getattr__(self, name: str) -> Any:
        import haiku

        found = getattr(haiku, name)
        if isinstance(found, type) and issubclass(found, haiku.Module):
            return lambda *made, **how: (
                lambda *args, **more: self.transformed(lambda: found(*made, **how)(*args, **more))
            )
        return lambda *args, **options: self.transformed(lambda: found(*args, **options))

    @staticmethod
    def transformed(call: Callable[[], Any]) -> Any:
        """What a call gives with new weights."""
        import haiku
        import jax

        pure = haiku.transform_with_state(call)
        return pure.apply(*pure.init(jax.random.PRNGKey(0)), jax.random.PRNGKey(0))[0]


def jax_scope() -> dict[str, Any]:
    """The names of a case file, for JAX itself."""
    import equinox
    import flax
    import flax.linen
    import flax.nnx
    import jax
    import jax.scipy.special

    def maker(dtype: Any) -> Any:
        return lambda *sizes: jax.numpy.ones(sizes, dtype)

    scope: dict[str, Any] = {short: maker(name) for short, name in SHORT.items()}
    scope |= {"jax": Library(jax), "flax": Library(flax), "haiku": Haiku(), "equinox": Library(equinox)}
    return scope | {"key": jax.random.PRNGKey(0), "rngs": flax.nnx.Rngs(0)}


def told(value: Any) -> str:
    """A result of torch or JAX as text."""
    if type(value).__module__.startswith("torch") and hasattr(value, "itemsize") and not hasattr(value, "shape"):
        return str(value).removeprefix("torch.")
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{list(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(told(v) for v in tuple[Any, ...](value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {told(v)}' for k, v in dict[str, Any](value).items())}}}"
    return str(value)


def main(library: str, accept: bool) -> int:
    """Fill in or check the files of a library; how many results differ from what is written."""
    scope, differing = jax_scope() if library == "jax" else torch_scope(), 0
    for path in sorted(CASES.glob("*.txt")):
        if path.name.startswith("jax") != (library == "jax"):
            continue
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
    sys.exit(main(sys.argv[1], "--accept" in sys.argv) != 0)
