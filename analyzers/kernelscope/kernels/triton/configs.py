"""What decorators say of a kernel: autotune configurations, the arguments that choose among them, heuristics.

The lists of configurations are read in `config_lists`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernelscope.kernels.triton.config_lists import ConfigList, config_lists, strings, values_of
from kernelscope.kernels.triton.import_time import AMD
from kernelscope.kernels.triton.import_values import Config, Known
from kernelscope.kernels.triton.surroundings import functions_around, meaning
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, Modules


@dataclass(frozen=True, slots=True)
class Tuning:
    """`complete` is False where configurations are computed in a way that is not followed."""

    lists: tuple[ConfigList, ...] = ()
    """One list of configurations, or several by what the host finds."""
    key: tuple[str, ...] = ()
    heuristics: tuple[str, ...] = ()
    complete: bool = True
    tuned: bool = False
    pruned: bool = False
    """Whether configurations may be dropped before they are tried."""
    wrapped: bool = False
    """Whether there are other decorators than Triton's own, which may add or drop arguments of a launch."""
    name: str = ""
    """By which other name the module knows the kernel that is tuned: `name = autotune(…)(kernel)`."""
    zeroed: tuple[str, ...] = ()
    """Arguments that are set to zero before each run that is tried."""
    restored: tuple[str, ...] = ()
    """Arguments that are put back after each run that is tried."""

    @property
    def configs(self) -> tuple[Config, ...]:
        """Those of all lists."""
        return tuple(dict.fromkeys(config for each in self.lists for config in each.configs))

    @property
    def hooks(self) -> tuple[t.FunctionDef, ...]:
        """The functions that change arguments before runs of configurations."""
        nodes = (config.hook.node for each in self.lists for config in each.configs if config.hook is not None)
        return tuple(dict.fromkeys(node for node in nodes if isinstance(node, t.FunctionDef)))

    @property
    def of_nvidia(self) -> tuple[Config, ...]:
        """Those that are tried on a GPU of NVIDIA's."""
        return tuple(dict.fromkeys(c for each in self.lists if not each.of_amd for c in each.configs))

    @property
    def by_host(self) -> bool:
        """Whether the host decides when it runs which configurations are tried."""
        tested = any(each.at_most or any(text != AMD for text, _ in each.when) for each in self.lists)
        return self.pruned or tested

    def choices(self, name: str) -> tuple[Known, ...]:
        """The values that a name takes over all configurations, in order of size."""
        return values_of(self.configs, name)

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(n for c in self.configs for n, _ in (*c.values, *c.options)))


def tuning(modules: Modules, path: str, node: t.FunctionDef) -> Tuning:
    """Read the decorators of a kernel, and what its module applies to it like one, by structure: `configs=`, `key=`,
    `values=` of lambdas."""
    lists: tuple[ConfigList, ...] = ()
    key: tuple[str, ...] = ()
    zeroed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    heuristics: tuple[str, ...] = ()
    complete, tuned, pruned = True, False, False
    around = functions_around(modules, path, node.span.start, node)
    wrapped = any(not _is_own(modules, path, decorator, around) for decorator in node.decorator_list)
    applied = list(_applied(modules, path, node))
    for decorator in (*node.decorator_list, *(decorator for _, decorator in applied)):
        if not isinstance(decorator, t.Call):
            continue
        name = (t.dotted(decorator.func) or "").rpartition(".")[2]
        keywords = {k.arg: k.value for k in decorator.keywords if k.arg is not None}
        listed = keywords.get("configs") or (decorator.args[0] if "autotune" in name and decorator.args else None)
        if listed is not None:
            tuned = True
            pruned = pruned or "prune_configs_by" in keywords
            placed = dict(zip(("configs", "key"), decorator.args, strict=False))
            given = {**placed, **keywords}
            key, zeroed, restored = (
                strings(modules, path, given[name], around) if name in given else ()
                for name in ("key", "reset_to_zero", "restore_value")
            )
            lists = config_lists(modules, path, listed, around)
            complete = complete and all(each.complete for each in lists)
        values = keywords.get("values") or (decorator.args[0] if decorator.args else None)
        if listed is None and "heuristics" in name:
            values = _definition_of(modules, path, values, around)
            complete = complete and isinstance(values, t.Dict) and None not in values.keys
        if isinstance(values, t.Dict) and listed is None:
            heuristics += tuple(k.value for k in values.keys if isinstance(k, t.Constant) and isinstance(k.value, str))
    known_as = next((name for name, _ in applied if name != node.name), "")
    kinds = (complete, tuned, pruned, wrapped, known_as, zeroed, restored)
    return Tuning(lists, key, heuristics, *kinds)


def _applied(modules: Modules, path: str, node: t.FunctionDef) -> Iterator[tuple[str, t.Call]]:
    """What a module applies to a kernel as decorators are: `tuned = autotune(…)(heuristics(…)(kernel))`."""
    module = modules.module(path)
    for statement in t.flat(module.body) if module is not None else ():
        if not isinstance(statement, t.Assign) or not isinstance(statement.targets[0], t.Name):
            continue
        chain: list[t.Call] = []
        made = statement.value
        while isinstance(made, t.Call) and isinstance(made.func, t.Call) and len(made.args) == 1:
            chain.append(made.func)
            made = made.args[0]
        if chain and isinstance(made, t.Name) and made.id == node.name:
            yield from ((statement.targets[0].id, decorator) for decorator in chain)


def _definition_of(modules: Modules, path: str, node: t.Expr | None, around: Sequence[t.FunctionDef]) -> t.Expr | None:
    """What a name stands for where the kernel is; other expressions stand for themselves."""
    found = meaning(modules, path, node.id, around) if isinstance(node, t.Name) else None
    return found.node.value if isinstance(found, Definition) and isinstance(found.node, t.Assign) else node


def _is_own(modules: Modules, path: str, decorator: t.Expr, around: Sequence[t.FunctionDef]) -> bool:
    """Whether a decorator is Triton's own."""
    name = t.dotted(decorator.func if isinstance(decorator, t.Call) else decorator)
    found = meaning(modules, path, name, around) if name is not None else None
    return isinstance(found, External) and found.dotted.startswith("triton.")
