"""Text and formats: what Python writes is what is written here."""

import pytest

from tests.sandbox.lowering.interpreter import expressions, same, within_function


@pytest.mark.parametrize("expression", expressions("texts"))
def test_an_expression_has_the_value_that_it_has_in_python(expression: str) -> None:
    same(f"result = {expression}")


@pytest.mark.parametrize("expression", expressions("texts"))
def test_an_expression_means_the_same_in_a_function(expression: str) -> None:
    same(within_function(f"result = {expression}"))
