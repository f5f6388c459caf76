"""Python sources as lowered trees: the same structure as the standard `ast`, and nothing lost around an error."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import parse_module

SAMPLE = textwrap.dedent(
    '''
    import a.b as c, d
    from ..pkg import (x as y, z)
    from q import *

    @deco(1, key=2)
    class Model(Base, metaclass=Meta):
        """Doc."""
        size: int = 3

        async def forward(self, x: "Tensor", /, *rest, flag=True, **kw) -> Out:
            B, S, _ = x.shape
            h = self.proj(x)[..., None, 1:2, ::3].view(B, -1) if flag else -x ** 2
            (a, *b), c.d[0] = f(*rest, k=1, **kw)
            A, B, C = *x.shape, *y[1:].size(), 2
            for i, (j, k) in enumerate(h):
                if not i and j or k < 1 <= i not in b:
                    continue
                elif i is not None:
                    break
                else:
                    pass
            for i, (layer) in enumerate(h):
                (layer.last), (m,) = layer, [i]
                (k) = [q for (q) in h for (r,) in q]
            while (n := next(it)):
                x += n @ h
            with torch.no_grad(), open(p) as (u, v):
                del x, y[0]
            try:
                assert h, "message"
            except (A, B) as e:
                raise X(1) from e
            else:
                global g
            finally:
                return [i for i in x if i for j in i], {**kw, "a": lambda q, *r: q}, f"s{x!r}{y}"
    '''
).encode()


def shape_of(node: object) -> object:
    """A tree as nested tuples of class names, comparable between `ast` and ours."""
    name = type(node).__name__
    renamed = {"keyword": "Keyword", "comprehension": "Comprehension", "withitem": "WithItem", "alias": "Alias"}
    name = renamed.get(name, name)
    match node:
        case ast.Expr(value=value):
            return ("ExprStmt", shape_of(value))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return ("Constant",)
        case ast.FormattedValue(value=value):
            return shape_of(value)
        case ast.arguments():
            return tuple(
                a.arg
                for a in (
                    *node.posonlyargs,
                    *node.args,
                    *filter(None, [node.vararg]),
                    *node.kwonlyargs,
                    *filter(None, [node.kwarg]),
                )
            )
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return ("FunctionDef", node.name, shape_of(node.args), *map(shape_of, node.body))
        case t.FunctionDef():
            return ("FunctionDef", node.name, tuple(p.name for p in node.args), *map(shape_of, node.body))
        case ast.Lambda() | t.Lambda():
            return ("Lambda", shape_of(node.body))
        case t.Dict():
            return ("Dict", len(node.keys), *map(shape_of, [k for k in node.keys if k] + node.values))
        case ast.Dict():
            return ("Dict", len(node.keys), *map(shape_of, [k for k in node.keys if k] + node.values))
        case ast.Name(id=name_) | t.Name(id=name_):
            return ("Name", name_)
        case ast.ClassDef() | t.ClassDef():
            return ("ClassDef", node.name, *map(shape_of, [*node.bases, *node.keywords, *node.body]))
        case ast.AST():
            skipped = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
            kids = [c for c in ast.iter_child_nodes(node) if not isinstance(c, skipped)]
            return (name, *map(shape_of, kids))
        case _:
            return (name, *map(shape_of, t.children(node)))  # pyright: ignore[reportArgumentType]


def test_structure_is_that_of_ast() -> None:
    ours = [shape_of(s) for s in parse_module(SAMPLE).body]
    theirs = [shape_of(s) for s in ast.parse(SAMPLE).body]
    assert ours == theirs


def test_spans_are_bytes_of_the_file() -> None:
    source = "naïve = 'é'\nx = naïve.shape[0]\n".encode()
    module = parse_module(source)
    second = module.body[1]
    assert isinstance(second, t.Assign)
    assert module.text.slice(second.value.span) == "naïve.shape[0]"
    assert module.text.line_of(second.span.start) == 2


HALF_TYPED = """
class M(Base):
    def forward(self, x):
        a = self.l(x)
        <|>
        b = a + 1
        return b

def g(y):
    return y
"""


@pytest.mark.parametrize(
    "typed",
    [
        "c = a.view(",
        "c = a.view(x,\n                   3",
        "c = (a +",
        "c = a.",
        "c = f(a)[:, ",
        "if a == (1,",
        "for i in range(",
        "return {'a': [1",
        "c = 'text",
        'c = f"{a',
        "a b c",
        "c = a ++* 2",
        "import",
        "c = a)",
    ],
)
def test_an_error_spoils_its_statement_only(typed: str) -> None:
    source = HALF_TYPED.replace("<|>", typed).encode()
    module = parse_module(source)
    found = {scope.qualified_name: scope.node for scope in module.functions()}
    assert set(found) == {"M.forward", "g"}
    body = found["M.forward"].body
    kept = [module.text.slice(s.span) for s in body if isinstance(s, t.Assign | t.Return)]
    assert kept[0] == "a = self.l(x)"
    inner = [s for s in t.walk(*body) if isinstance(s, t.Assign)]
    assert "b = a + 1" in [module.text.slice(s.span) for s in inner]


@pytest.mark.parametrize(
    ("header", "parameters"),
    [
        ("def f(x, y", ["x"]),
        ("def f(x, y)", ["x"]),
        ("def f(x: Tensor, y=(1,", ["x"]),
        ("def f(x,", []),
    ],
)
def test_a_function_whose_header_is_half_typed_keeps_its_body(header: str, parameters: list[str]) -> None:
    module = parse_module(f"{header}\n    a = x + 1\n    return a\n\ndef g(y):\n    return y\n".encode())
    first, second = module.functions()
    assert isinstance(first.node, t.FunctionDef)
    assert (first.node.name, second.node.name) == ("f", "g")
    assert [p.name for p in first.node.args] == parameters
    assert len(first.node.body) == 2


def test_what_a_half_typed_statement_assigns_is_not_known() -> None:
    module = parse_module(b"x = f(1)\nx = g(x, (2\ny = x\n")
    second = module.body[1]
    assert isinstance(second, t.Assign)
    assert isinstance(second.value, t.Broken)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x10", 16),
        ("1_000", 1000),
        ("1e-5", 1e-5),
        ("3j", 3j),
        ("'a\\n'", "a\n"),
        ("r'a\\n'", "a\\n"),
        ("b'x'", b"x"),
        ("'a' 'b'", "ab"),
        ("-4", -4),
    ],
)
def test_literals(text: str, value: object) -> None:
    (statement,) = parse_module(text.encode()).body
    assert isinstance(statement, t.ExprStmt)
    assert isinstance(statement.value, t.Constant)
    assert statement.value.value == value


def test_comments_know_whether_they_stand_alone() -> None:
    comments = parse_module(b"x = 1  # after\n# alone\n").comments
    assert [(c.text, c.alone) for c in comments.values()] == [("# after", False), ("# alone", True)]


def test_deep_nesting_is_cut_not_followed() -> None:
    for source in (b"(" * 5000 + b")" * 5000, b"a" + b".b()" * 5000, b"-" * 5000 + b"1", b"if x:\n" * 50):
        for node in t.walk(*parse_module(source).body):
            assert node.span.end <= len(source)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(SAMPLE)), st.integers(0, len(SAMPLE)), st.binary(max_size=6))
def test_any_edit_still_lowers(start: int, end: int, inserted: bytes) -> None:
    source = SAMPLE[: min(start, end)] + inserted + SAMPLE[max(start, end) :]
    module = parse_module(source)
    for node in t.walk(*module.body):
        assert 0 <= node.span.start <= node.span.end <= len(source)
    assert isinstance(module.scopes, list)
    assert isinstance(module.comments, dict)
