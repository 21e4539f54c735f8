"""Bytes in, lines out: however the bytes are cut, and however long a line is."""

import json
import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.hub.stdio import EDGE_BYTES, Lines, Oversized

MOST = 1_000


def feed(chunks: list[bytes]) -> list[Any]:
    """What comes out for these chunks; an oversized line as its size and the request it answers."""
    lines = Lines(MOST)
    out = [line for chunk in chunks for line in lines.feed(chunk)]
    return [(line.size, line.answers) if isinstance(line, Oversized) else line for line in out]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b", b"\n"], [b"ab"]),
        ([b"a\nb", b"c\nd"], [b"a", b"bc"]),
        ([b"a\r\n"], [b"a\r"]),
        ([b"", b"\n", b"  \n", b"\r\n", b"\t\n"], []),
        ([b"no end"], []),
        (["ä\u2028\x85\n".encode()], ["ä\u2028\x85".encode()]),
        ([b"\xff\x00\n"], [b"\xff\x00"]),
    ],
)
def test_a_line_comes_out_when_its_end_has_come_in(chunks: list[bytes], lines: list[bytes]) -> None:
    assert feed(chunks) == lines


def test_lines_before_and_after_an_oversized_one_are_whole() -> None:
    assert feed([b"before\n" + b"x" * 5_000 + b"\nafter\n"]) == [b"before", (5_000, None), b"after"]


@pytest.mark.parametrize(("size", "kept"), [(MOST - 1, True), (MOST, True), (MOST + 1, False)])
@pytest.mark.parametrize("step", [1, 300, MOST, 5_000])
def test_a_line_of_exactly_the_limit_is_kept_and_one_byte_more_is_not(size: int, kept: bool, step: int) -> None:
    data = b"x" * size + b"\n"
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    assert feed(chunks) == ([data[:-1]] if kept else [(size, None)])


def test_of_an_oversized_line_no_more_is_held_than_the_limit_and_its_ends() -> None:
    lines = Lines(MOST)
    for _ in range(200):
        assert lines.feed(b"x" * 700) == []
        assert len(pickle.dumps(lines)) < MOST + 2 * EDGE_BYTES + 500
    (line,) = lines.feed(b"\n")
    assert isinstance(line, Oversized)
    assert line.size == 140_000


pieces = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"a",
        b" ",
        b'{"id":1}',
        b'{"id":7,"result":"',
        b'"}',
        b'","jsonrpc":"2.0","id":8}',
        b"x" * 400,
        b"y" * 2_500,
    ]
)


@given(st.lists(pieces, max_size=12), st.lists(st.integers(0, 10**6), max_size=10))
def test_the_same_bytes_give_the_same_lines_however_they_are_cut(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    assert feed(cut(data, places)) == feed([data])


@given(st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=5))
def test_any_bytes_come_out_as_their_lines_without_the_blank_ones(data: bytes, places: list[int]) -> None:
    complete = data.split(b"\n")[:-1]
    assert feed(cut(data, places)) == [line for line in complete if line.strip()]


BIG = "x" * 5_000


def request_answered_by(message: str | bytes) -> int | str | None:
    data = message.encode() if isinstance(message, str) else message
    told = {feed(cut(data + b"\n", places))[0][1] for places in ([], [900, 1_800, 2_700], [len(data) - 9])}
    assert len(told) == 1
    return told.pop()  # type: ignore[no-any-return]


@pytest.mark.parametrize("answers", [0, 7, 123456789, "abc", "", "größe", "7"])
@pytest.mark.parametrize(
    "order", [("jsonrpc", "id", "result"), ("result", "jsonrpc", "id"), ("id", "jsonrpc", "error")]
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", " : ")])
def test_an_oversized_answer_tells_its_request_wherever_the_id_stands(
    answers: int | str, order: tuple[str, ...], separators: tuple[str, str]
) -> None:
    fields = {
        "jsonrpc": "2.0",
        "id": answers,
        "result": {"id": 99, "text": BIG},
        "error": {"id": 99, "message": BIG},
    }
    message = json.dumps({key: fields[key] for key in order}, ensure_ascii=False, separators=separators)
    assert request_answered_by(message) == answers


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "result": {"id": 5, "text": BIG}},
        {"jsonrpc": "2.0", "result": {"text": BIG, "more": {"id": 5}}},
        {"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {"text": BIG}},
        {"method": "sampling/createMessage", "params": {"text": BIG}, "jsonrpc": "2.0", "id": 5},
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {"id": 5, "data": BIG}},
        {"jsonrpc": "2.0", "id": None, "result": BIG},
        {"jsonrpc": "2.0", "id": {"a": 1}, "result": BIG},
        [{"id": 5, "result": BIG}],
        BIG,
    ],
)
def test_what_is_no_answer_or_hides_its_id_is_taken_for_the_answer_to_nothing(message: Any) -> None:
    assert request_answered_by(json.dumps(message)) is None


@pytest.mark.parametrize("answers", [b'"\xff"', b'"\t"', b"007", b"-1", b"1.5", b'"a\\"b"', b"9" * EDGE_BYTES, b""])
def test_an_id_that_cant_be_read_is_none(answers: bytes) -> None:
    assert request_answered_by(b'{"id":' + answers + b',"result":"' + BIG.encode() + b'"}') is None


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_oversized_line_is_taken_without_an_error(head: bytes, tail: bytes) -> None:
    line = (head + b"x" * 2_000 + tail).replace(b"\n", b"")
    ((size, _),) = feed([line + b"\n"])
    assert size == len(line)
