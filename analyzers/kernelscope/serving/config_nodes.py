"""Settings of configuration objects that are filled field by field: yacs, OmegaConf and ml_collections.

`_C.MODEL = CN()`, `_C.MODEL.WIDTH = 64`; `config = ConfigDict()`, `config.rate = 0.1`; `OmegaConf.create({…})`. Classes
of the program's own that hold each other so are no different.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import guarded, last_name
from kernelscope.serving.parameter import Parameter, comment_of
from kernelscope.syntax.python import tree as t

LIBRARIES = (b"yacs", b"fvcore", b"detectron2", b"omegaconf", b"ml_collections")
NODES = {"CN", "CfgNode", "ConfigDict", "FrozenConfigDict"}
CREATES = {"OmegaConf.create", "omegaconf.OmegaConf.create"}


def config_nodes(source: PythonSource) -> Iterator[Parameter]:
    """What a file stores in such objects, in the order of the file."""
    if any(library in source.text.data for library in LIBRARIES):
        bodies = [source.module.body, *(scope.node.body for scope in source.module.functions())]
        for body in bodies:
            yield from _stored(source, body, NODES)
    elif own := _own_nodes(source.module.body):
        yield from _stored(source, source.module.body, own)


def _own_nodes(body: list[t.Stmt]) -> set[str]:
    """Classes of the program's own that hold themselves under names in capitals: `_C = Node()`, `_C.DESK = Node()`."""
    made: dict[str, str] = {}
    found: set[str] = set()
    for statement in body:
        match statement:
            case t.Assign(targets=[target], value=t.Call(func=func, args=[], keywords=[])) if last_name(func)[
                :1
            ].isupper():
                root = (t.dotted(target) or "").partition(".")
                if root[2].isupper() and made.get(root[0]) == last_name(func):
                    found.add(last_name(func))
                elif isinstance(target, t.Name):
                    made[target.id] = last_name(func)
            case _:
                pass
    return found


def _stored(source: PythonSource, body: list[t.Stmt], nodes: set[str]) -> Iterator[Parameter]:
    paths: dict[str, str] = {}
    """What names of the block stand for: `model` for `config.model`."""
    for statement, _ in guarded(body):
        match statement:
            case t.Assign(targets=targets, value=value):
                pass
            case t.AnnAssign(target=target, value=value) if value is not None:
                targets = [target]
            case _:
                continue
        fields = [path for target in targets if isinstance(target, t.Attribute) and (path := _path(target, paths))]
        names = [target.id for target in targets if isinstance(target, t.Name)]
        if _is_node(value, nodes):
            for name in names:
                paths[name] = fields[0] if fields else name
            for path in fields or names[:1]:
                yield from _given(source, path, value)
        elif isinstance(value, t.Attribute) and (meant := _path(value, paths)):
            paths.update(dict.fromkeys(names, meant))
        else:
            for path in fields:
                owner, _, name = path.rpartition(".")
                told = comment_of(source, statement)
                yield Parameter(
                    name, owner, "field", source.quote(value), source.at(statement), literal(value), doc=told
                )


def _path(node: t.Attribute, paths: dict[str, str]) -> str:
    """The whole path of a field of one of the objects, or nothing."""
    root, _, rest = (t.dotted(node) or "").partition(".")
    return f"{paths[root]}.{rest}" if root in paths else ""


def _is_node(value: t.Expr, nodes: set[str] = NODES) -> bool:
    return isinstance(value, t.Call) and (last_name(value.func) in nodes or t.dotted(value.func) in CREATES)


def _given(source: PythonSource, owner: str, made: t.Expr) -> Iterator[Parameter]:
    """The entries of the dict that an object is made of, and of dicts in it."""
    assert isinstance(made, t.Call)
    for given in made.args[:1]:
        yield from _entries(source, owner, given)
    for keyword in made.keywords:
        if keyword.arg and last_name(made.func) in NODES and keyword.arg not in ("new_allowed", "type_safe"):
            yield from _entry(source, owner, keyword.arg, keyword.value)


def _entries(source: PythonSource, owner: str, given: t.Expr) -> Iterator[Parameter]:
    match given:
        case t.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, t.Constant) and isinstance(key.value, str):
                    yield from _entry(source, owner, key.value, value)
        case t.Call(func=t.Name(id="dict"), keywords=keywords):
            for keyword in keywords:
                if keyword.arg:
                    yield from _entry(source, owner, keyword.arg, keyword.value)
        case _:
            pass


def _entry(source: PythonSource, owner: str, name: str, value: t.Expr) -> Iterator[Parameter]:
    is_dict = isinstance(value, t.Dict) or (isinstance(value, t.Call) and t.dotted(value.func) == "dict")
    if is_dict or _is_node(value):
        inner = value.args[0] if isinstance(value, t.Call) and value.args else value
        yield from _entries(source, f"{owner}.{name}", inner)
    else:
        yield Parameter(name, owner, "field", source.quote(value), source.at(value), literal(value))
