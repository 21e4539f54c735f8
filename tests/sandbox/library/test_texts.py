"""Texts in the host: JSON as CPython reads and writes it, regular expressions, and errors that show what they met."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox.library import texts


@pytest.mark.parametrize("text", ['{"a": 1234567890123456}', '"\\udc00"', "[NaN]", "-Infinity"])
def test_what_starlarks_decoder_reads_otherwise_is_left_to_the_host(text: str) -> None:
    assert not texts.json_check(text)


@pytest.mark.parametrize("text", ["", "{", '{"a": tru}', "[1,]", "nothing", "[" * 100_000])
def test_what_is_not_json_is_told_with_its_beginning(text: str) -> None:
    with pytest.raises(texts.JSONDecodeError) as raised:
        texts.json_check(text)
    assert text[:60] in str(raised.value) or "nested too deep" in str(raised.value)


def test_a_pattern_is_told_with_what_is_wrong_in_it() -> None:
    with pytest.raises(texts.PatternError, match=r"nothing to repeat at position 0 \(the pattern is '\*'\)"):
        texts.re_groups("*", 0)
    with pytest.raises(texts.PatternError, match="cannot use"):
        texts.re_groups("a", re.L)


@given(st.text("ab1é😀\n", max_size=30), st.sampled_from(["a", "(a)(b)?", r"\w+", "(?P<x>1)|b", "^", ".", ""]))
def test_matches_are_told_by_their_groups_and_places(text: str, pattern: str) -> None:
    found = json.loads(texts.re_all(pattern, 0, text))
    expected = list(re.finditer(pattern, text))
    assert [match[0] for match in found] == [[each[0], *each.groups()] for each in expected]
    assert [(match[1][0], match[2][0]) for match in found] == [each.span() for each in expected]
    one = json.loads(texts.re_one("search", pattern, 0, text))
    assert (one or [None])[0] == (found[0][0] if found else None)


def test_only_as_many_matches_as_wanted_are_looked_for() -> None:
    assert len(json.loads(texts.re_all("a", 0, "aaaa", 2))) == 2


def test_a_match_expands_a_template_where_it_was_found() -> None:
    assert texts.re_expand("(b)(c)", 0, "abc", 1, r"\2\1") == "cb"
    with pytest.raises(texts.PatternError, match="in the template"):
        texts.re_expand("b", 0, "abc", 1, r"\3")


@given(st.text(max_size=20))
def test_no_lone_surrogate_is_left_in_what_goes_back(text: str) -> None:
    value = texts.json_value(json.dumps([text, {text: "\ud800"}]))
    assert value[0] == text
    json.dumps(value, ensure_ascii=False).encode()
