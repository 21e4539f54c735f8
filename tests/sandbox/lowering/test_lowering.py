"""Lines stay true: an error of a lowered program is told at the program's own line."""

import ast
import re

import pytest
import starlark
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_hub.sandbox import lowering
from mcp_hub.sandbox.environment import dialect
from tests.sandbox.lowering.interpreter import NAMESPACES, PROGRAMS, lowered, programs, value_of

FAILING = "1 // 0"

LONG = """\
import json
x = 0
while x < 3:
    x += 1
    if x == 2:
        continue
else:
    x = 9
for i in range(2):
    try:
        y = [a ** 2 for a in range(3) if a is not None]
        z = {b for b in y}
    except KeyError as e:
        y = str(e)
    else:
        y = [y]
    finally:
        x += 1
def f(a: int, *rest: int) -> int:
    match a:
        case 1:
            return 5
        case [p, *q]:
            return q
    assert a, "no"
    return a
first, *others = [f(1), f(2), f([1, 2])]
d = {}
d["k"] = d.setdefault("j", []) + [
    first,
    len(others),
]
del d["k"]
n = 0
def more():
    global n
    n += 1
    yield n
    yield from [n]
listed = list(more())
if (m := n + 1) > 1:
    m = (m
         + 1)
result = {
    "x": x,
    **d,
    "t": f"{m:>3}",
}
"""


def statements(code: str) -> list[int]:
    """The lines on which a simple statement of the program stands alone."""
    simple = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return, ast.Assert, ast.Delete)
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, simple)]
    return sorted({node.lineno for node in found if node.end_lineno == node.lineno})


HANDLED = LONG.splitlines().index("        y = str(e)") + 1


@pytest.mark.parametrize("line", [line for line in statements(LONG) if line != HANDLED])
def test_an_error_at_any_statement_is_told_at_its_line(line: int) -> None:
    lines = LONG.splitlines()
    indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    lines[line - 1] = f"{' ' * indent}{FAILING}; {lines[line - 1].strip()}"
    told = lowered("\n".join(lines))
    with pytest.raises(starlark.StarlarkError) as failed:
        value_of(told.code)
    assert line in placed(str(failed.value), told)


def placed(text: str, told: lowering.Lowered) -> list[int]:
    """The program's lines in an error's text."""
    return [told.line(int(number)) for number in re.findall(r"program:(\d+)", text)]


def test_an_error_in_a_part_of_an_expression_is_told_at_the_parts_line() -> None:
    told = lowered("x = {\n    'a': 2 ** 3,\n    'b': [\n        1,\n        1 // 0,\n    ],\n}\n")
    with pytest.raises(starlark.StarlarkError) as failed:
        value_of(told.code)
    assert placed(str(failed.value), told) == [5]


@pytest.mark.parametrize("file", sorted(path.stem for path in PROGRAMS.glob("*.txt")))
def test_every_line_of_code_stands_for_a_line_of_the_program(file: str) -> None:
    for code in programs(file).values() if "\n---\n" in (PROGRAMS / f"{file}.txt").read_text() else ():
        told = lowered(code)
        assert len(told.lines) == len(told.code.splitlines())
        assert set(told.lines) <= set(range(1, len(code.splitlines()) + 1))


def test_an_error_in_a_handler_is_told_at_its_line() -> None:
    told = lowered("try:\n    x = 1\nexcept KeyError as e:\n    y = 2\n    1 // 0\n")
    with pytest.raises(starlark.StarlarkError) as failed:
        value_of(told.code, {"kind": "script", "type": "KeyError", "message": "x"})
    assert placed(str(failed.value), told) == [5]


def test_a_line_that_is_not_there_is_the_nearest() -> None:
    told = lowered("x = 1\ny = 2\n")
    assert (told.line(0), told.line(2), told.line(99)) == (1, 2, 2)


@given(st.lists(st.sampled_from(LONG.splitlines()), max_size=12))
@settings(max_examples=100)
def test_what_python_parses_is_lowered_to_what_starlark_parses(lines: list[str]) -> None:
    code = "\n".join(lines)
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    try:
        compile(tree, "program", "exec")
    except SyntaxError:
        return
    starlark.parse("program", lowered(code).code, dialect())


def test_a_program_of_many_terms_is_lowered() -> None:
    terms = " + ".join(["x ** 2"] * 400)
    assert value_of(lowered(f"x = 1\n{terms}\n").code) == 400


def test_many_branches_are_lowered() -> None:
    branches = "".join(f"elif x == {number}:\n    y = x ** 2\n" for number in range(400))
    assert value_of(lowered(f"x = 399\nif x is None:\n    pass\n{branches}y\n").code) == 399**2


def test_what_is_nested_too_deep_is_an_error_that_says_so() -> None:
    with pytest.raises((RecursionError, MemoryError)):
        lowered(f"x = {'[' * 150}{'-' * 2000}1{']' * 150}")


def test_nodes_may_be_given() -> None:
    tree = ast.parse("x = 2 ** 2\n")
    assert lowering.lower(tree, NAMESPACES, ast.walk(tree)) == lowered("x = 2 ** 2\n")
