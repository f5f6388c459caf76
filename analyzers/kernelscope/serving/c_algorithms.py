"""Algorithms that the text of C++ and CUDA functions shows: fused kernels, online softmax, materialised attention.

Also the libraries that do the mathematics, tensor-core instructions, and activations computed again in a backward pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.c_functions import CFunction, CSource
from kernelscope.serving.c_procedures import effects, steps_of
from kernelscope.serving.claims import Claim
from kernelscope.serving.sections import words


def algorithms(source: CSource) -> Iterator[tuple[str, Claim]]:
    """Claims about algorithms that the text of single functions shows, each with its section."""
    if source.aside:
        return
    for function in source.functions:
        yield from (("faq.hardware", c) for c in _tensor_cores(source, function))
        if function.is_kernel:
            yield from _softmax(source, function)
            yield from (("faq.fusion", c) for c in _fusions(source, function))
        else:
            yield from (("components", c) for c in _score_matrix(source, function))
            yield from (("components", c) for c in _libraries(source, function))


_LOSS = re.compile(r"-=\s*logf?\s*\(|=\s*-\s*logf?\s*\(")
_LOGIT_GRADIENT = re.compile(r"\(\s*(\w+)\s*-\s*(\w+)\s*\)\s*\*")
_INDICATOR = r"\b{name}\s*=\s*\(?[^;]*==[^;]*\?\s*1(?:\.0?f?)?\s*:\s*0"


def _fusions(source: CSource, function: CFunction) -> Iterator[Claim]:
    """Kernels with several results from several inputs: what other programs do in several launches."""
    written, read, uses = effects(source, function)
    body = source.quote(function.start, function.end, 1 << 20)
    steps = [
        n for n, _ in source.calls(function) if {"softmax", "norm", "gelu", "silu", "rope", "reduce"} & set(words(n))
    ]
    if _LOSS.search(body):
        steps.append("cross-entropy loss (minus the log of a probability)")
    for probability, target in _LOGIT_GRADIENT.findall(body):
        if re.search(_INDICATOR.format(name=target), body):
            steps.append(f"gradient of the loss to the logits (dlogits): {probability} - {target}")
            break
    steps += [name for name in uses if name in ("rsqrt", "tanh", "erf")]
    if len(written) < 2 or not (len(read) >= 2 or len(steps) >= 2):
        return
    value = (
        f"{function.name} is one fused kernel: from {', '.join(read) or 'its buffers'} it writes {', '.join(written)}"
    )
    if steps:
        value += f"; it computes {', '.join(dict.fromkeys(steps))}"
    yield Claim(f"{function.name} fused", value, (source.at(function.name_start), source.at(function.start)))


_CORES = re.compile(
    rb"\b(wmma::\w+|nvcuda::wmma|mma_sync|wgmma|tcgen05(?=(?:\.|::|_)mma)|mma\.sync)\b|\bmma\.sync|wgmma\.mma|tcgen05\.mma"
    rb"|\bwarp(?:group)?::mma_A\w+"
)


def _tensor_cores(source: CSource, function: CFunction) -> Iterator[Claim]:
    """Matrix instructions of tensor cores in a function, in code or in inline assembly."""
    match = _CORES.search(source.text.data, function.start, function.end)
    if match is not None:
        value = f"{function.name} uses tensor cores: {match[0].decode()}"
        yield Claim(f"{function.name} mma", value, (source.at(match.start()), source.at(function.name_start)))


def _softmax(source: CSource, function: CFunction) -> Iterator[tuple[str, Claim]]:
    """A running maximum with a rescaled sum is the online softmax; causal where a bound is a position."""
    body = source.quote(function.start, function.end, 1 << 20)
    running = re.search(r"\b(\w*max\w*)\s*=\s*(?:fmaxf?|max)\s*\(\s*\1\b", body)
    rescaled = re.search(r"\b(\w*sum\w*)\s*\*=\s*\w*exp|\b(\w*sum\w*)\s*=\s*\2\s*\*\s*\w*exp", body)
    if not running or not rescaled:
        return
    position = re.search(r"\b(\w+)\s*=\s*\w+\s*%\s*(\w+)\s*;", body)
    bounded = position is not None and re.search(rf"<=?\s*{position[1]}\b", body) is not None
    value = f"{function.name}: online softmax: one pass keeps `{running[1]}` and rescales the sum when it grows"
    if bounded and position is not None:
        value += f"; causal (autoregressive): each row stops at its own position `{position[1]}`, the lower triangle"
    places = [source.at(function.name_start), *_places(source, function, running[1])]
    yield "components", Claim(f"{function.name} softmax", value, tuple(places))
    yield "faq.precision", Claim(f"{function.name} softmax", value, tuple(places))


def _places(source: CSource, function: CFunction, word: str) -> list[Location]:
    found = re.finditer(rb"\b%b\b" % re.escape(word.encode()), source.code[function.start : function.end])
    return [source.at(function.start + m.start()) for m in found][:3]


def _score_matrix(source: CSource, function: CFunction) -> Iterator[Claim]:
    """A matrix product, a softmax and a second product, with a buffer of T*T per head: attention is materialised."""
    steps = steps_of(source, function)
    kinds = ["softmax" if "softmax" in words(s) else "product" if _is_product(s) else "" for s in steps]
    if "softmax" not in kinds:
        return
    middle = kinds.index("softmax")
    if "product" not in kinds[:middle] or "product" not in kinds[middle + 1 :]:
        return
    for name, offset in source.calls(function):
        square = [a for a in source.arguments(offset, function.end) if re.fullmatch(r"(\w+)\s*\*\s*\1", a)]
        if _is_product(name) and square:
            out = source.arguments(offset, function.end)[0]
            value = (
                f"{function.name}: attention is materialised: the full {square[0]} score matrix `{out}` is written to "
                f"memory by {name}, then {steps[middle]}, then the product with the values; in order "
                f"{' → '.join(steps)}"
            )
            yield Claim(f"{function.name} attention", value, (source.at(offset), source.at(function.name_start)))
            return


def _is_product(name: str) -> bool:
    return bool({"matmul", "gemm", "mm", "bmm"} & set(words(name)))


_LIBRARY = re.compile(r"^(cublasLt|cublas|cudnn|cutlass|cusparse|nvshmem|nccl)[A-Z_:]")


def _libraries(source: CSource, function: CFunction) -> Iterator[Claim]:
    """Functions that hand their work to a library of NVIDIA: its name and the calls."""
    used: dict[str, list[tuple[str, int]]] = {}
    for name, offset in source.calls(function):
        if (match := _LIBRARY.match(name)) and not name.endswith(("Check", "CHECK")):
            used.setdefault(match[1], []).append((name, offset))
    for library, calls in used.items():
        computing = [c for c in calls if re.search(r"[Mm]atmul|[Gg]emm|[Ee]xecute|device::", c[0])]
        if computing and library != "nccl":
            shown = ", ".join(dict.fromkeys(name for name, _ in calls[:8]))
            value = f"{function.name} computes its GEMM / matmul with the library {library} ({shown})"
            places = (source.at(function.name_start), *(source.at(offset) for _, offset in computing[:3]))
            yield Claim(f"{function.name} library", value, places)


def recomputed(source: CSource) -> Iterator[Claim]:
    """Forward functions that a backward function calls again under a flag: activations are recomputed."""
    if source.aside:
        return
    for function in source.functions:
        if function.is_kernel or "backward" not in words(function.name):
            continue
        for name, offset in source.calls(function):
            guards = source.guards(function, offset)
            if "forward" in words(name) and guards:
                value = (
                    f"{name} is computed again (recomputed) in the backward pass {function.name} when "
                    f"{' and '.join(guards)}: its output is not kept from the forward pass"
                )
                flags = re.findall(r"[\w.>-]*?(\w+)\s*(?:>=|<=|==|>|<|\)|$)", guards[-1])
                places = [source.at(offset), *_defaults(source, flags[:1])]
                yield Claim(f"{name} recompute", value + _default_text(source, flags[:1]), tuple(places))


def _defaults(source: CSource, flags: list[str]) -> list[Location]:
    return [source.at(m.start()) for flag in flags for m in _settings(source, flag)]


def _default_text(source: CSource, flags: list[str]) -> str:
    found = [f"{flag} = {m[1].decode()}" for flag in flags for m in _settings(source, flag)]
    return f"; set to {', '.join(dict.fromkeys(found))}" if found else ""


def _settings(source: CSource, flag: str) -> list[re.Match[bytes]]:
    return list(re.finditer(rb"\b%b\s*=\s*(-?\d+)\s*;" % re.escape(flag.encode()), source.code))
