"""Configurations of an autotuned kernel, for each way that the host may go when it makes their list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kernelscope.kernels.triton.import_time import AMD, MAX_STEPS, MAX_WAYS, ImportTime, Scope, Way
from kernelscope.kernels.triton.import_values import Config, Known, Value
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Modules

MAX_CONFIGS = 4_096
MAX_LISTS = 4
"""More lists than that are told as one."""


@dataclass(frozen=True, slots=True)
class ConfigList:
    """The configurations where some tests of the host came out so; `complete` where all was followed."""

    configs: tuple[Config, ...]
    when: tuple[tuple[str, bool], ...] = ()
    complete: bool = True
    at_most: int | None = None
    """How many there are at most where several lists are told as one."""

    @property
    def of_amd(self) -> bool:
        return (AMD, True) in self.when

    @property
    def condition(self) -> str:
        """`on AMD`, ``if `big()` ``, or both; empty where there is one list only."""
        if self.at_most is not None:
            return "by several tests of the host"
        vendors = [f"on {AMD if answer else 'NVIDIA'}" for text, answer in self.when if text == AMD]
        tests = [f"`{text}`" if answer else f"not `{text}`" for text, answer in self.when if text != AMD]
        return " ".join([*vendors, *([f"if {' and '.join(tests)}"] if tests else [])])


def config_lists(modules: Modules, path: str, node: t.Expr, around: Sequence[t.FunctionDef]) -> tuple[ConfigList, ...]:
    """The lists that an expression may be, each with the tests that choose it; tests that choose nothing are left
    out."""
    found: list[ConfigList] = []
    way: Way | None = Way()
    steps = MAX_STEPS
    while way is not None and len(found) < MAX_WAYS and steps > 0:
        run = ImportTime(modules, way, steps)
        configs = tuple(_configs(run, run.value(node, Scope(path, tuple(around), {}, node.span.start))))[:MAX_CONFIGS]
        found.append(ConfigList(configs, tuple(way.taken.items()), run.complete and bool(configs)))
        way, steps = way.next(), run.steps
    lists = _told(found)
    return lists if way is None and len(lists) <= MAX_LISTS else (_as_one(lists, way is None),)


def values_of(configs: Sequence[Config], name: str) -> tuple[Known, ...]:
    """The values that a name takes over configurations, in order of size."""
    found = {value for config in configs for n, value in (*config.values, *config.options) if n == name}
    return tuple(sorted(found, key=lambda v: (isinstance(v, str), v if isinstance(v, int | float) else 0, str(v))))


def strings(modules: Modules, path: str, node: t.Expr, around: Sequence[t.FunctionDef]) -> tuple[str, ...]:
    """The strings of a list, such as the arguments that choose a configuration."""
    value = ImportTime(modules, Way()).value(node, Scope(path, tuple(around), {}, node.span.start))
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def _configs(run: ImportTime, value: Value) -> Iterator[Config]:
    if isinstance(value, Config):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _configs(run, item)
    else:
        run.complete = False


def _told(lists: list[ConfigList]) -> tuple[ConfigList, ...]:
    """Lists that differ by one test only and are the same are one without it."""
    merged = True
    while merged:
        merged = False
        for i, one in enumerate(lists):
            for other in lists[i + 1 :]:
                differ = set(one.when) ^ set(other.when)
                same = (one.configs, one.complete) == (other.configs, other.complete)
                if same and len({text for text, _ in differ}) <= 1:
                    when = tuple(pair for pair in one.when if pair not in differ)
                    lists = [replace(one, when=when) if each is one else each for each in lists if each is not other]
                    merged = True
                    break
            if merged:
                break
    return tuple(lists)


def _as_one(lists: Sequence[ConfigList], all_ways: bool) -> ConfigList:
    """All that may be, where it would take too many words to tell when."""
    configs = dict.fromkeys(config for each in lists for config in each.configs)
    complete = all_ways and all(each.complete for each in lists)
    most = max(len(each.configs) for each in lists) if complete else None
    return ConfigList(tuple(configs)[:MAX_CONFIGS], (), complete, most)
