"""Grading: strict about what an answer says, forgiving about how it is written."""

import pytest

from bench.graded.grading import same_json, same_number, same_set, same_text


@pytest.mark.parametrize(
    "answer", ['{"a": 1, "b": [2.5]}', '```json\n{"b": [2.5], "a": 1}\n```', ' {"a":1.0,"b":[2.5]} ']
)
def test_json_is_the_same_however_it_is_written(answer: str) -> None:
    assert same_json(answer, {"a": 1, "b": [2.5]})


@pytest.mark.parametrize(
    "answer", ["", "no JSON", '{"a": 1}', '{"a": true, "b": [2.5]}', '{"a": 1, "b": [2.6]}', '{"a": "1", "b": [2.5]}']
)
def test_json_that_says_something_else_is_refused(answer: str) -> None:
    assert not same_json(answer, {"a": 1, "b": [2.5]})


def test_a_set_has_no_order_but_all_its_members_once() -> None:
    assert same_set('["b", "a"]', ["a", "b"])
    assert not same_set('["b", "a", "a"]', ["a", "b"])
    assert not same_set('["b"]', ["a", "b"])
    assert not same_set('{"a": 1}', ["a"])
    assert not same_set("a, b", ["a", "b"])


@pytest.mark.parametrize(
    ("answer", "right", "same"),
    [
        ("1,234.50", 1234.5, True),
        ("The total is 1234.5 EUR.", 1234.5, True),
        ("-3", -3, True),
        ("1234.6", 1234.5, False),
        ("3 of 4", 3, False),
        ("", 0, False),
    ],
)
def test_an_answer_with_one_number_is_that_number(answer: str, right: float, same: bool) -> None:
    assert same_number(answer, right) is same


def test_a_text_is_the_same_without_its_quotes_case_and_full_stop() -> None:
    assert same_text('"Ada  Park".', "ada park")
    assert not same_text("Ada Parker", "Ada Park")
