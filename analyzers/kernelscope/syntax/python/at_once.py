"""Functions that their decorator runs where they stand, as the statement that they are.

`@pl.when(test) def _(): …` of Pallas is a branch, `@pl.loop(0, n, step=2) def body(i): …` a loop. Told by their form,
in files that speak of Pallas: elsewhere a decorator may do anything under these names.
Source: https://docs.jax.dev/en/latest/pallas/design/design.html and `jax.experimental.pallas.when`, `.loop`.
"""

from __future__ import annotations

from kernelscope.syntax.python.tree import Call, For, FunctionDef, If, Keyword, Name, Return, dotted, walk

WHEN, LOOP = "when", "loop"
_SPOKEN_OF = b"pallas"


def at_once(function: FunctionDef, source: bytes) -> If | For | None:
    """The branch or loop that a function within another stands for, in a file with this source; None for others."""
    match function.decorator_list:
        case [Call(func=func, args=args, keywords=keywords) as call] if _SPOKEN_OF in source:
            name = (dotted(func) or "").rpartition(".")[2]
        case _:
            return None
    if any(isinstance(node, Return) and node.value is not None for node in walk(*function.body)):
        return None
    if name == WHEN and len(args) == 1 and not keywords and not function.args:
        return If(args[0], function.body, [], function.span)
    if name == LOOP and len(args) == 2 and len(function.args) == 1:
        counter = Name(function.args[0].name, function.args[0].name_span)
        steps = [keyword.value for keyword in keywords if keyword.arg == "step"]
        bounds = Call(Name("range", call.span), [*args, *steps], list[Keyword](), call.span)
        return For(counter, bounds, function.body, [], function.span)
    return None
