"""Settings in YAML files that source names: Hydra's configurations with their groups, and files that are loaded.

`@hydra.main(config_path="conf", config_name="main")` is composed of `conf/main.yaml` and of what its list of defaults
names; `OmegaConf.load("conf/main.yaml")` and `yaml.safe_load(…)` of a path that is written there stand for themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import own_calls, whole
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.pieces import by_function, mentions
from kernelscope.syntax import yaml
from kernelscope.syntax.python import tree as t

LOADS = {"OmegaConf.load", "omegaconf.OmegaConf.load", "yaml.safe_load", "yaml.load", "yaml.full_load"}
SUFFIXES = (".yaml", ".yml")
FOLDERS = ("conf", "config", "configs")
"""Where configurations usually lie, beside the program or at the top."""
SELF, GLOBAL = "_self_", "_global_"
MANDATORY = "???"
"""What stands for a value that has to be given."""
_PARTS = re.compile(r"[/.]")
MOST_GROUPS = 40
"""Groups of one configuration, also of groups in groups."""
OWNER = "config"


@dataclass(frozen=True, slots=True)
class Named:
    """A configuration that a file names: by its path from that file, or from the workspace; Hydra's with defaults."""

    path: str
    is_composed: bool
    location: Location
    is_looked_for: bool = False
    """Whether its folder is worked out where the program runs, so that it is looked for where such files lie."""


@dataclass(frozen=True, slots=True)
class Folder:
    """How files are looked at: the text of one, and the YAML files right in a folder."""

    text: Callable[[str], str | None]
    listed: Callable[[str], list[str]]


@by_function
def named_configs(source: PythonSource) -> Iterator[Named]:
    """The YAML files that the functions of a file load or are configured by."""
    if source.aside or not mentions(source, "hydra", "yaml", "OmegaConf"):
        return
    folder = _initialized(source) if mentions(source, "initialize") else ""
    for scope in source.module.functions():
        for decorator in scope.node.decorator_list:
            if isinstance(decorator, t.Call) and t.dotted(decorator.func) == "hydra.main":
                given = {k.arg: literal(k.value) for k in decorator.keywords}
                name, place = given.get("config_name"), given.get("config_path")
                if isinstance(name, str):
                    found = _composed(source, decorator, place if isinstance(place, str) else "", name)
                    is_worked_out = place is None and any(_is_worked_out(k) for k in decorator.keywords)
                    yield replace(found, is_looked_for=True) if is_worked_out else found
        for call in own_calls(scope.node):
            dotted = t.dotted(call.func) or ""
            if dotted in ("compose", "hydra.compose") and folder is not None:
                name = next((literal(k.value) for k in call.keywords if k.arg == "config_name"), None)
                name = name or literal(call.args[0] if call.args else None)
                if isinstance(name, str):
                    yield _composed(source, call, folder, name)
            elif dotted in LOADS:
                said = (literal(n) for n in t.walk(call) if isinstance(n, t.Constant))
                yield from (
                    Named(path, False, source.at(call))
                    for path in said if isinstance(path, str) and path.endswith(SUFFIXES)
                )  # fmt: skip


def _initialized(source: PythonSource) -> str | None:
    """The folder of `initialize(config_path="conf")`, if there is one only."""
    calls = (n for n in whole(source.module) if isinstance(n, t.Call))
    made = [c for c in calls if t.dotted(c.func) in ("initialize", "hydra.initialize")]
    paths = {p for c in made for k in c.keywords if k.arg == "config_path" and isinstance(p := literal(k.value), str)}
    return next(iter(paths)) if len(paths) == 1 else None


def _composed(source: PythonSource, node: t.Node, folder: str, name: str) -> Named:
    name = name if name.endswith(SUFFIXES) else f"{name}.yaml"
    return Named(os.path.join(folder, name), True, source.at(node))


def _is_worked_out(keyword: t.Keyword) -> bool:
    return keyword.arg == "config_path" and not isinstance(keyword.value, t.Constant)


def settings_of(named: Named, root: str, files: Folder) -> list[Parameter]:
    """The parameters of a configuration; of one that cannot be found, none."""
    beside = os.path.dirname(named.location.path)
    folders = ("", *FOLDERS) if named.is_looked_for else ("",)
    for start in (os.path.join(place, folder) for place in (beside, root) for folder in folders):
        path = os.path.normpath(os.path.join(start, named.path))
        if (text := files.text(path)) is not None:
            return _Composing(files, os.path.dirname(path)).all_of(path, text, named.is_composed)
    return []


class _Composing:
    """One configuration: what sets a key later than another file stands over it."""

    def __init__(self, files: Folder, folder: str) -> None:
        self._files, self._folder = files, folder
        self._found: dict[tuple[str, ...], Parameter] = {}
        self._groups = 0

    def all_of(self, path: str, text: str, is_composed: bool) -> list[Parameter]:
        self._add(path, text, (), is_composed)
        return list(self._found.values())

    def _add(self, path: str, text: str, package: tuple[str, ...], is_composed: bool) -> None:
        told = list(yaml.entries(text))
        defaults = [e for e in told if e.is_item and e.keys[:1] == ("defaults",)] if is_composed else []
        own = [e for e in told if e.keys[:1] != ("defaults",) or not is_composed]
        is_own_first = bool(defaults) and defaults[0].text == SELF
        if is_own_first:
            self._store(path, own, package)
        for entry in defaults:
            self._group(path, entry, package)
        if not is_own_first:
            self._store(path, own, package)

    def _group(self, path: str, entry: yaml.Entry, package: tuple[str, ...]) -> None:
        """`- model: small`, `- base`: another file of the folder, whose settings lie below its group."""
        self._groups += 1
        chosen = yaml.scalar(entry.text)
        if entry.text == SELF or self._groups > MOST_GROUPS or not isinstance(chosen, str):
            return
        named = entry.keys[1].removeprefix("override ").strip() if len(entry.keys) > 1 else ""
        group, _, placed = named.removeprefix("optional ").strip().partition("@")
        if group.startswith("hydra/"):
            return
        start = self._folder if group.startswith("/") or not package else os.path.dirname(path)
        folder = os.path.normpath(os.path.join(start, group.lstrip("/")))
        inner = (*package, *(part for part in _PARTS.split(placed or group) if part.strip(".")))
        if placed == GLOBAL:
            inner = package
        if group:
            options = tuple(os.path.basename(p).rpartition(".")[0] for p in self._files.listed(folder))
            place = Location(Path(path), entry.line)
            name = group.strip("/").rpartition("/")[2]
            said = Parameter(name, _owner((*package, name)), "field", chosen, place, chosen, choices=options)
            self._found[(*package, name, "")] = replace(said, doc=f"group of the configuration {entry.comment}".strip())
        target = os.path.join(folder, chosen if chosen.endswith(SUFFIXES) else f"{chosen}.yaml")
        text = self._files.text(target)
        if text is not None:
            self._add(target, text, inner, True)

    def _store(self, path: str, told: list[yaml.Entry], package: tuple[str, ...]) -> None:
        for entry in told:
            if entry.is_item or not entry.keys:
                continue
            keys = (*package, *entry.keys)
            place = Location(Path(path), entry.line)
            before = self._found.get(keys)
            if before is not None:
                if entry.text != (before.overrides[-1].value if before.overrides else before.expression):
                    over = Claim(keys[-1], entry.text, (place,), f"set in {os.path.basename(path)}")
                    self._found[keys] = replace(before, overrides=(*before.overrides, over))
                continue
            value = yaml.scalar(entry.text)
            text = "" if entry.text == MANDATORY else entry.text
            self._found[keys] = Parameter(
                keys[-1], _owner(keys), "field", text, place, value if text else None, doc=entry.comment
            )  # fmt: skip


def _owner(keys: tuple[str, ...]) -> str:
    return ".".join((OWNER, *keys[:-1]))
