"""Frames between the pool and a worker: what goes in comes out, and what is no frame is refused."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.sandbox.protocol import HEADER, MAIN_LINE, NO_ANSWER, Frame, decode, encode, nested_deeper

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def body(encoded: bytes) -> bytes:
    """A frame's body; its header must tell the size."""
    size, _ = HEADER.unpack(encoded[: HEADER.size])
    assert size == len(encoded) - HEADER.size
    return encoded[HEADER.size :]


def through(value: Any) -> Any:
    """A value as the other side gets it."""
    return decode(body(encode({"type": "value", "value": value})))["value"]


def test_a_frame_is_its_size_its_calls_number_and_compact_json() -> None:
    assert encode({"type": "log", "text": "größe"}) == snapshot(
        b'\x00\x00\x00\x1f\x00\x00\x00\x00{"type":"log","text":"gr\xc3\xb6\xc3\x9fe"}'
    )
    assert encode({"type": "value"}, 0x01020304) == snapshot(b'\x00\x00\x00\x10\x01\x02\x03\x04{"type":"value"}')


@pytest.mark.parametrize("number", [NO_ANSWER, MAIN_LINE, 2**32 - 1])
def test_the_number_of_a_call_comes_out_as_it_went_in(number: int) -> None:
    assert HEADER.unpack(encode({"type": "call"}, number)[: HEADER.size])[1] == number


@given(st.dictionaries(TEXTS, JSON, max_size=4), TEXTS)
def test_a_frame_comes_out_as_it_went_in(fields: Frame, kind: str) -> None:
    frame = {**fields, "type": kind}
    assert decode(body(encode(frame))) == frame


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cant_hold_becomes_null_wherever_it_stands(number: float) -> None:
    assert through(number) is None
    assert through([1, {"a": (number, 2.5)}]) == [1, {"a": [None, 2.5]}]


def test_a_tuple_becomes_a_list() -> None:
    assert through((1, ("a",))) == [1, ["a"]]


def test_a_big_integer_keeps_its_digits() -> None:
    assert through(10**4_000) == 10**4_000


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert through("a\ud800b") == "a?b"


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), print, 1j, {("a",): 1}])
def test_what_json_cant_hold_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"type": "done", "value": value})


def test_an_integer_of_too_many_digits_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="4300 digits"):
        encode({"type": "done", "value": 10**4_300})


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no json", id="no JSON"),
        pytest.param(b'{"type":"done"', id="cut off"),
        pytest.param(b'{"type":"done"}{"type":"done"}', id="two frames"),
        pytest.param(b'"done"', id="a text"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="without a type"),
        pytest.param(b'{"type":3}', id="a type that is no text"),
        pytest.param(b'{"type":null}', id="a type that is null"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b'{"type":"done","value":' + b"[" * 200_000 + b"]" * 200_000 + b"}", id="nested too deep"),
        pytest.param(b'{"type":"done","value":' + b"9" * 5_000 + b"}", id="a number too long"),
    ],
)
def test_what_is_no_frame_is_a_value_error(received: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(received)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_frame_or_a_value_error(received: bytes) -> None:
    try:
        frame = decode(received)
    except ValueError:
        return
    assert isinstance(frame["type"], str)


def test_a_frame_may_hold_what_it_doesnt_name() -> None:
    assert decode(json.dumps({"type": "done", "extra": [1]}).encode()) == {"type": "done", "extra": [1]}


# Nesting


@pytest.mark.parametrize(
    ("value", "depth"),
    [
        (1, 0),
        ("[[[", 0),
        (None, 0),
        ([], 1),
        ({}, 1),
        ([1, [2, (3,)]], 3),
        ({"a": {"b": [{}]}}, 4),
        ([[], [[]], []], 3),
        ({"a": [], "b": [[[1]]]}, 4),
    ],
)
def test_nesting_is_told_as_deeper_up_to_its_depth_and_no_further(value: Any, depth: int) -> None:
    assert not nested_deeper(value, depth)
    assert depth == 0 or nested_deeper(value, depth - 1)


def test_nesting_beyond_pythons_own_recursion_is_told() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert nested_deeper(value, 99_999)
    assert not nested_deeper(value, 100_000)
    while isinstance(value, list):
        value = value.pop()  # a list this deep is taken apart by hand: freeing it recurses


@given(JSON)
def test_nesting_is_as_deep_as_brackets_stand_in_each_other(value: Any) -> None:
    depth = deepest = 0
    for each in re.sub(r'"(?:[^"\\]|\\.)*"', "", json.dumps(value)):
        depth += (each in "[{") - (each in "]}")
        deepest = max(deepest, depth)
    assert not nested_deeper(value, deepest)
    assert deepest == 0 or nested_deeper(value, deepest - 1)
