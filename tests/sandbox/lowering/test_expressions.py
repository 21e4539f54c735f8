"""Expressions: each means the same as in Python, those that hypothesis makes up too."""

import pytest
import starlark
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.lowering.interpreter import expressions, here, in_python, same, within_function


@pytest.mark.parametrize("expression", expressions("expressions"))
def test_an_expression_has_the_value_that_it_has_in_python(expression: str) -> None:
    same(f"result = {expression}")


@pytest.mark.parametrize("expression", expressions("expressions"))
def test_an_expression_means_the_same_in_a_function(expression: str) -> None:
    same(within_function(f"result = {expression}"))


NUMBERS = st.one_of(st.integers(-20, 20).map(str), st.sampled_from(["n", "m", "1.5", "0.1", "2_0", "(True + n)"]))
CHARACTERS = st.characters(exclude_categories=["Cn", "Cs"])
"""Without those that a later Unicode may assign: Python's tables and the interpreter's needn't be of one version."""

TEXTS = st.one_of(st.text(CHARACTERS, max_size=4).map(repr), st.sampled_from(["s", "t", "'a' 'b'"]))
LISTS = st.one_of(st.sampled_from(["l", "[]", "[3, 1, 2]", "list(s)"]))


def _numbers(inner: "st.SearchStrategy[str]") -> "st.SearchStrategy[str]":
    two = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*", "//", "%", "/"]), two).map(lambda x: f"({x[1][0]} {x[0]} {x[1][1]})"),
        two.map(lambda x: f"{x[0]} if {x[1]} else {x[0]}").map(lambda x: f"({x})"),
        st.tuples(inner, st.integers(0, 4)).map(lambda x: f"({x[0]} ** {x[1]})"),
        inner.map(lambda x: f"-{x}"),
        two.map(lambda x: f"abs({x[0]} - {x[1]})"),
        two.map(lambda x: f"(lambda n, k=2: n + k)({x[0]}, k={x[1]})"),
        st.tuples(LISTS, inner).map(lambda x: f"sum(i for i in {x[0]} if i is not None and i != 'a' and i < {x[1]})"),
        TEXTS.map(lambda x: f"len({x})"),
    )


def _tests(numbers: "st.SearchStrategy[str]") -> "st.SearchStrategy[str]":
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        st.tuples(numbers, signs, numbers, signs, numbers).map(lambda x: f"{x[0]} {x[1]} {x[2]} {x[3]} {x[4]}"),
        st.tuples(numbers, st.sampled_from(["in", "not in"]), LISTS).map(" ".join),
        st.tuples(TEXTS, signs, TEXTS).map(" ".join),
        st.tuples(numbers, numbers).map(lambda x: f"not {x[0]} and {x[1]} or None is None"),
        st.tuples(LISTS, numbers).map(lambda x: f"any(i == {x[1]} for i in {x[0]})"),
        st.tuples(TEXTS).map(lambda x: f"isinstance({x[0]}, (int, str))"),
    )


DEEP_NUMBERS = st.recursive(NUMBERS, _numbers, max_leaves=6)
DEEP_TESTS = _tests(DEEP_NUMBERS)
DEEP_TEXTS = st.one_of(
    st.tuples(DEEP_NUMBERS, TEXTS).map(lambda x: f"str({x[0]}) + {x[1]}"),
    st.tuples(DEEP_NUMBERS, TEXTS).map(lambda x: f"'%s|%r' % ({x[0]}, {x[1]})"),
    st.tuples(TEXTS, st.integers(-3, 3)).map(lambda x: f"{x[0]}[{x[1]}:] * 2"),
    st.tuples(st.sampled_from([">8", "<5", "^7", "", ".3"]), TEXTS).map(lambda x: f"format({x[1]}, {x[0]!r})"),
    st.tuples(DEEP_TESTS, TEXTS).map(lambda x: f"repr([{x[0]}, {x[1]}])"),
)
DEEP_LISTS = st.one_of(
    st.tuples(DEEP_NUMBERS, LISTS, DEEP_TESTS).map(lambda x: f"[[{x[0]}, i] for i in {x[1]} if {x[2]}]"),
    st.tuples(TEXTS, DEEP_NUMBERS).map(lambda x: f"[*{x[0]}, *[{x[1]}], c] if (c := {x[1]}) else list({x[0]})"),
    st.tuples(TEXTS, TEXTS).map(lambda x: f"sorted(set({x[0]}) | {{{x[1]}}} - set({x[1]}))"),
    st.tuples(DEEP_NUMBERS, DEEP_TEXTS).map(
        lambda x: f"[{x[0]}, ({x[1]}, {x[0]}), {{'a': {x[1]}, **{{'b': {x[0]}}}}}]"
    ),
)
ANY = st.one_of(DEEP_NUMBERS, DEEP_TESTS, DEEP_TEXTS, DEEP_LISTS)

GIVEN = "n, m, s, t, l = 3, -2, 'ab', '', [1, 2, 'a']\n"


@given(ANY)
@settings(max_examples=150)
def test_any_expression_means_the_same_as_in_python(expression: str) -> None:
    code = f"{GIVEN}def f(n, m, s, t, l):\n    return {expression}\nresult = f(n, m, s, t, l)\n"
    try:
        expected = repr(in_python(code))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        with pytest.raises(starlark.StarlarkError):
            here(code)
        return
    assert repr(here(code)) == expected
