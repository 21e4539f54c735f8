"""Which variables are read after a try has failed."""

import ast

import pytest

from mcp_hub.sandbox.lowering.liveness import Liveness, reads


def live(code: str, always: frozenset[str] = frozenset()) -> list[set[str]]:
    """The names that are read once each try's handler has begun, of those that are one letter long."""
    found: list[set[str]] = []
    Liveness(always, lambda _, names: found.append({name for name in names if len(name) == 1})).before(
        ast.parse(code).body, frozenset()
    )
    return found


@pytest.mark.parametrize(
    ("after", "names"),
    [
        ("print(a)", {"a"}),
        ("a = 1\nprint(a)", set()),
        ("a, b = 1, 2\nprint(a)", set()),
        ("a += 1", {"a"}),
        ("a[0] = 1", {"a"}),
        ("if b:\n    a = 1\nprint(a)", {"a", "b"}),
        ("if b:\n    a = 1\nelse:\n    a = 2\nprint(a)", {"b"}),
        ("for c in b:\n    print(a)", {"a", "b"}),
        ("while a:\n    b = 1\n    break\nprint(b)", {"a", "b"}),
        ("def f():\n    return a\n", {"a"}),
        ("return b\nprint(a)", {"b"}),
        ("match b:\n    case 1:\n        print(a)", {"a", "b"}),
        ("with b:\n    print(a)", {"a", "b"}),
        ("del a", {"a"}),
    ],
)
def test_what_is_read_behind_a_try_is_live(after: str, names: set[str]) -> None:
    assert live(f"try:\n    x\nexcept Exception:\n    pass\n{after}\n")[-1] == names


@pytest.mark.parametrize(
    ("handler", "names"),
    [
        ("pass", {"a"}),
        ("print(b)", {"a", "b"}),
        ("a = 1", set()),
        ("raise", set()),
        ("continue", {"a", "c"}),
        ("break", {"z"}),
    ],
)
def test_a_handler_leads_where_its_last_statement_says(handler: str, names: set[str]) -> None:
    code = f"while c:\n    try:\n        work()\n    except Exception:\n        {handler}\n    c = print(a)\nprint(z)\n"
    assert live(code)[-1] - ({"z", "c"} - names) == names


def test_what_functions_read_is_always_live() -> None:
    assert live("try:\n    x\nexcept Exception:\n    pass\n", frozenset({"a"})) == [{"a"}]


def test_what_is_finally_read_is_live_without_a_handler() -> None:
    assert live("try:\n    x\nfinally:\n    print(a)\nprint(b)\n") == [{"a"}]


def test_reads_are_those_of_functions_within_too() -> None:
    assert reads(ast.parse("x = lambda: y + z[0]")) == {"y", "z"}
