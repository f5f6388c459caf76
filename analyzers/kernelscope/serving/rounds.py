"""Generation in one loop: a first round with the whole prompt, then rounds of one token with what was kept.

Found by a test that tells the first round from the others and one callable that both branches run, of which only the
other is given the keys and values of before.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

KEPT = {"past", "cache", "caches", "kv"}
"""Words of keywords that hand on keys and values."""


@by_function
def rounds(source: PythonSource) -> Iterator[Claim]:
    """`for i in range(n): if i == 0: out = model(prompt) else: out = model(token, past_key_values=kept)`."""
    if source.aside:
        return
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For, t.While):
            for branch in loop.body:
                if not isinstance(branch, t.If) or not branch.orelse or not _tells_first(loop, branch.test):
                    continue
                prompt = {t.dotted(c.func) for s in branch.body for c in calls(s)}
                later = (c for s in branch.orelse for c in calls(s))
                step = next((c for c in later if t.dotted(c.func) in prompt and _keeps(c)), None)
                if step is None:
                    continue
                name = source.quote(step.func)
                value = (
                    f"prefill and decode are separate rounds of one loop: {scope.qualified_name} runs {name} on the "
                    f"prompt first (if {source.quote(branch.test)}), then once for each token with what was kept "
                    f"({source.quote(step)})"
                )
                where = (source.at(branch.test), source.at(step), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} rounds", value, where)
                break


def _tells_first(loop: t.For | t.While, test: t.Expr) -> bool:
    """`i == 0` of the loop's own count, or `kept is None`."""
    match test:
        case t.Compare(left=t.Name(id=name), ops=["=="], comparators=[t.Constant(value=0)]):
            return isinstance(loop, t.For) and t.dotted(loop.target) == name
        case t.Compare(left=t.Name(id=name), ops=["is"], comparators=[t.Constant(value=None)]):
            return bool(KEPT & set(words(name)))
        case _:
            return False


def _keeps(call: t.Call) -> bool:
    return any(KEPT & set(words(k.arg or "")) and k.arg != "use_cache" for k in call.keywords)
