"""Which calls of a function may run something on a device, and what they are called in few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import last_name
from kernelscope.syntax.python import tree as t


def words(text: str) -> frozenset[str]:
    """Names written with blanks between them."""
    return frozenset(text.split())


DEVICES = words("current_stream default_stream Event Stream ExternalStream device nullcontext is_available query "
                "elapsed_time record_stream")  # fmt: skip
"""Calls about streams and devices that run nothing."""
BUILTINS = words("isinstance len getattr hasattr setattr print range enumerate zip list tuple dict set int float str "
                 "bool max min any all super sorted reversed type id abs sum map iter next repr partial")  # fmt: skip
OF_CONTAINERS = words("append extend pop popleft get keys items values update add format join debug info warning error "
                      "numel size dim setdefault save_for_backward get_rank get_world_size is_pinned")  # fmt: skip
"""Methods that do nothing on a device."""
OF_HOST = words("math os sys time logger logging np numpy warnings json")
MOST_TEXT = 24


def works(body: Sequence[t.Stmt]) -> bool:
    """Whether something is called that may run on a device."""
    return any(True for statement in body for _ in calls_of(statement))


def calls_of(statement: t.Stmt) -> Iterator[t.Call]:
    """The outermost calls of a statement, those of methods of what a call gave as the call itself."""
    todo: list[t.Node] = [statement]
    while todo:
        node = todo.pop(0)
        if isinstance(node, t.Call) and not _is_plain(node):
            yield node
        elif not isinstance(node, t.Lambda | t.FunctionDef):
            todo += t.children(node)


def own_nodes(body: Sequence[t.Stmt]) -> Iterator[t.Node]:
    """The nodes of some statements, without those of functions defined there."""
    todo: list[t.Node] = list(body)
    while todo:
        node = todo.pop()
        if not isinstance(node, t.FunctionDef | t.ClassDef | t.Lambda):
            yield node
            todo += t.children(node)


def _is_plain(call: t.Call) -> bool:
    """Whether a call itself runs nothing on a device; what it is given may."""
    name = last_name(call.func) or ""
    if name in DEVICES or name.startswith("is_"):
        return True
    if isinstance(call.func, t.Name):
        return name in BUILTINS
    of = (t.dotted(call.func) or "").partition(".")[0]
    return of in OF_HOST or (name in OF_CONTAINERS and of != "torch")


def label_of(call: t.Call, source: PythonSource) -> str:
    """What is called, short: `_layer` of `self._layer(x)`, `to` of `x.to(device).numpy()`."""
    func = call.func
    while isinstance(func, t.Attribute) and isinstance(func.value, t.Call):
        func = func.value.func
    text = (t.dotted(func) or source.quote(func, MOST_TEXT)).removeprefix("self.")
    return ".".join(text.split(".")[-2:]) if not text.startswith("torch.") else text.rpartition(".")[2]
