"""How sequences of different lengths share one batch: packed with cumulative lengths, padded to one, masked.

Found by what the frameworks' calls are given (`cu_seqlens`) and by their own padding functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import last_name, own_calls
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

_CUMULATIVE = re.compile(r"cu_?seq_?lens?|cumulative_(?:seq_)?len|qo_indptr|kv_indptr|cu_seq", re.IGNORECASE)
LENGTHS = {"len", "lens", "length", "lengths", "seqlen", "seqlens", "token", "tokens", "indptr"}
"""Words of what is added up where one sequence follows the other."""
PADS = {"pad_sequence", "pad_packed_sequence", "left_pad", "right_pad"}


@by_function
def lengths(source: PythonSource) -> Iterator[Claim]:
    """Calls that take packed sequences, and calls that pad."""
    if source.aside:
        return
    for scope in source.module.functions():
        told: set[str] = set()
        for call in own_calls(scope.node):
            name = last_name(call.func.value if isinstance(call.func, t.Subscript) else call.func)  # `kernel[grid](…)`
            given = [k.arg for k in call.keywords if k.arg and _CUMULATIVE.search(k.arg)]
            if not given and "varlen" in words(name):
                given = [
                    n for a in call.args if (n := last_name(a)) and {"cu", "start", "indptr", "seqlens"} & {*words(n)}
                ]
            if given and name not in told and name != scope.node.name:
                told.add(name)
                value = (
                    f"sequences are packed without padding (ragged, variable length): {scope.qualified_name} gives "
                    f"{name} their cumulative lengths ({', '.join(dict.fromkeys(given[:3]))})"
                )
                yield Claim(f"{scope.qualified_name} packed sequences", value, (source.at(call), source.at(scope.node)))
            elif name in PADS or _pads(call):
                value = f"sequences are padded: {scope.qualified_name} calls {source.quote(call, 120)}"
                yield Claim(f"{scope.qualified_name} padding", value, (source.at(call), source.at(scope.node)))
            elif "sums" not in told and _adds_up(call):
                told.add("sums")
                value = (
                    f"sequences are packed without padding (ragged, variable length): {scope.qualified_name} adds up "
                    f"where each begins: {source.quote(call, 120)} (≈ lengths by their names)"
                )
                where = (source.at(call), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} packed sequences", value, where, confidence="heuristic")


def _adds_up(call: t.Call) -> bool:
    """`starts.append(starts[-1] + n)`: a running sum of lengths."""
    match call:
        case t.Call(
            func=t.Attribute(value=held, attr="append"),
            args=[t.BinOp(left=t.Subscript(value=before, slice=at), op="+", right=added)],
        ) if literal(at) == -1:
            names = {*words(t.dotted(held) or ""), *words(last_name(added))}
            if {"text", "char", "chars", "logprobs"} & set(words(t.dotted(held) or "")):
                return False  # where the pieces of an answer begin
            return t.dotted(held) == t.dotted(before) is not None and bool(LENGTHS & names)
        case _:
            return False


def _pads(call: t.Call) -> bool:
    """A tokenizer that is asked to pad; a class that is given `padding=True` is a layer."""
    if last_name(call.func)[:1].isupper():
        return False
    asked = next((k.value for k in call.keywords if k.arg == "padding"), None)
    return isinstance(asked, t.Constant) and (asked.value is True or asked.value in ("longest", "max_length"))
