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


def test_whole_numbers_must_be_met() -> None:
    assert not same_json('{"total": 3000002}', {"total": 3000000})
    assert same_json('{"total": 3000002}', {"total": 3000000.0})


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
        ("The total: 1234.5 EUR.", 1234.5, True),
        ("Around the total of it all, 1234.5", 1234.5, False),
        ("it is not 17", 18, False),
        ("8,4,4,3", 8443, False),
        ("1,7", 17, False),
        ("port-8443", -8443, False),
        ("5000004", 5000000, False),
        ("5000000", 5000000, True),
        ("5000000.0000001", 5000000.0, True),
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
