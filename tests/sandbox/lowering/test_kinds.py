"""What a program's text says of the kinds of its values."""

import ast

import pytest

from mcp_hub.sandbox.lowering import scopes
from mcp_hub.sandbox.lowering.kinds import Kinds

NAMESPACES = frozenset({"server"})


def kind(code: str) -> str:
    """The kind of the expression on the last line of a program."""
    tree = ast.parse(code)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    read = scopes.read(tree, NAMESPACES)
    return Kinds(read, NAMESPACES).of(last.value, read.module)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("'a'", "text"),
        ("1", "int"),
        ("1.5", "float"),
        ("True", "bool"),
        ("None", "none"),
        ("f'{x}'", "text"),
        ("[1]", "list"),
        ("(1,)", "tuple"),
        ("{}", "dict"),
        ("{1}", "set"),
        ("[x for x in y]", "list"),
        ("{x for x in y}", "set"),
        ("{x: 1 for x in y}", "dict"),
        ("1 < 2", "bool"),
        ("not x", "bool"),
        ("-1", "int"),
        ("-True", "int"),
        ("x", "unknown"),
        ("str(x)", "text"),
        ("len(x)", "int"),
        ("sorted(x)", "list"),
        ("set(x)", "set"),
        ("x.strip()", "text"),
        ("x.split()", "list"),
        ("x.items()", "list"),
        ("server.list()", "data"),
        ("x.f()", "unknown"),
        ("1 + 2", "int"),
        ("1 + 2.0", "float"),
        ("1 / 2", "float"),
        ("'a' + x", "text"),
        ("'a' * x", "text"),
        ("'%s' % x", "text"),
        ("{1} - x", "set"),
        ("2 ** x", "unknown"),
        ("True & False", "bool"),
        ("1 if x else 2.0", "float"),
        ("'a' if x else None", "text"),
        ("'a' if x else 1", "unknown"),
        ("x or 'a'", "unknown"),
        ("'ab'[0]", "text"),
        ("[1, 2][0]", "int"),
        ("[1, 'a'][0]", "unknown"),
        ("x = 1\nx", "int"),
        ("x = 1\nx = 'a'\nx", "unknown"),
        ("x = None\nx = 'a'\nx", "text"),
        ("x = 0\nx += 1\nx", "int"),
        ("x = 0\nx += 1.5\nx", "float"),
        ("x = ''\nx += 'a'\nx", "text"),
        ("x = 0\nx += y\nx", "unknown"),
        ("x = x\nx", "none"),
        ("a, b = 1, 'a'\nb", "text"),
        ("a, *b = x\nb", "list"),
        ("for i in range(3):\n    pass\ni", "int"),
        ("for i, c in enumerate('ab'):\n    pass\nc", "text"),
        ("for i in x:\n    pass\ni", "unknown"),
        ("for w in 'a b'.split():\n    pass\nw", "text"),
        ("def f():\n    pass\nf", "unknown"),
        ("str = 1\nstr(2)", "unknown"),
        ("if (n := 'a'):\n    pass\nn", "text"),
        ("d = datetime(2025, 1, 1)\nd", "unknown"),
        ("from datetime import datetime\nd = datetime(2025, 1, 1)\nd", "date"),
        ("from datetime import timedelta\nd = x - timedelta(days=1)\nd.days", "int"),
        ("round(x)", "int"),
        ("round(x, 2)", "float"),
        ("abs(-1)", "int"),
        ("x: str = y\nx", "unknown"),
    ],
)
def test_a_kind_is_told_where_it_is_certain(code: str, expected: str) -> None:
    assert kind(code) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("str", "text"),
        ("list[str]", "list"),
        ("Optional[int]", "int"),
        ("dict | None", "dict"),
        ("Issue", "unknown"),
        ("int | str", "unknown"),
    ],
)
def test_an_annotation_names_a_parameters_kind(annotation: str, expected: str) -> None:
    tree = ast.parse(f"def f(x: {annotation}):\n    return x")
    read = scopes.read(tree, NAMESPACES)
    scope = read.of[tree.body[0]]
    assert Kinds(read, NAMESPACES).of(ast.Name("x", ast.Load()), scope) == expected
