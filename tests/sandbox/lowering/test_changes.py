"""What statements change, and through which variable."""

import ast

import pytest

from mcp_hub.sandbox.lowering.changes import Change, bound_in, changes, origins_of, outermost


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a = 1", {Change("a", 1, False, True)}),
        ("a, (b, *c) = d", {Change(name, 1, False, True) for name in "abc"}),
        ("a += 1", {Change("a", 1, False, True)}),
        ("a[0] = 1", {Change("a", 1, False, False)}),
        ("a['x'][0].append(1)", {Change("a", 1, False, False)}),
        ("a.setdefault('x', []).append(1)", {Change("a", 1, False, False)}),
        ("del a[0]", {Change("a", 1, False, False)}),
        ("f(b).append(1)", set()),
        ("[x for x in y]", set()),
        ("a.strip()", set()),
        ("(a := 1)", {Change("a", 1, False, True)}),
    ],
)
def test_a_change_is_told_of_the_variable(code: str, expected: set[Change]) -> None:
    assert set(changes(list(ast.walk(ast.parse(code))), False)) == expected


def test_a_variable_may_stand_for_a_part_of_another() -> None:
    origins = origins_of(ast.parse("row = rows[0]\nfor cell in row['x']:\n    new = f(cell)\n").body)
    assert outermost("cell", origins) == "rows"
    assert outermost("new", origins) is None
    assert outermost("other", origins) == "other"


def test_names_that_stand_for_each_other_end() -> None:
    assert outermost("a", {"a": "b", "b": "a"}) in ("a", "b")


def test_the_names_that_a_program_binds() -> None:
    assert bound_in(list(ast.walk(ast.parse("a = 1\ndef f(b):\n    for c in d:\n        pass")))) == {"a", "b", "c"}
