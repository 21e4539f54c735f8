"""Operators and comparisons: each means what it means in Python, once and in order."""

import pytest
import starlark

from tests.sandbox.lowering.interpreter import expressions, here, same, within_function


@pytest.mark.parametrize("expression", expressions("operators"))
def test_an_expression_has_the_value_that_it_has_in_python(expression: str) -> None:
    same(f"result = {expression}")


@pytest.mark.parametrize("expression", expressions("operators"))
def test_an_expression_means_the_same_in_a_function(expression: str) -> None:
    same(within_function(f"result = {expression}"))


def test_a_power_that_is_too_large_is_refused_before_it_is_made() -> None:
    for code in ("10 ** 10 ** 10", "(2 ** 999) ** 999999", "x = 3\nx **= 99999999"):
        with pytest.raises(starlark.StarlarkError, match=r"OverflowError: .* more than a program may make"):
            here(code)


@pytest.mark.parametrize("base", [0, 1, -1])
def test_a_power_of_nought_and_one_is_never_too_large(base: int) -> None:
    assert here(f"result = ({base}) ** 10000000000") == base**2


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("'a' ** 2", "TypeError: unsupported operand"),
        ("(-8) ** 0.5", "ValueError: .*complex"),
        ("0 ** -1", "ZeroDivisionError"),
        ("1e308 ** 2", "OverflowError"),
        ("f'{[1]:>5}'", "TypeError: unsupported format string passed to list"),
        ("'%d' % 'a'", "TypeError"),
        ("'%s %s' % (1,)", "TypeError: not enough arguments"),
        ("'%s' % (1, 2)", "TypeError: not all arguments"),
        ("next(iter([]))", "StopIteration"),
        ("int('x')", "ValueError: invalid literal"),
        ("a, *b, c = [1]", "ValueError: not enough values"),
        ("f'{1:>9999999999}'", "ValueError: .* more than a format may fill"),
    ],
)
def test_an_error_has_pythons_name(code: str, message: str) -> None:
    with pytest.raises(starlark.StarlarkError, match=message):
        here(code)
