"""Server-sent events: the standard's rules, no byte lost, and nothing that depends on where chunks were cut."""

import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_hub.proxy.sse import BOM, Event, SseParser
from tests.proxy.streams import STREAMS

PIECES = [
    b"data",
    b":",
    b" ",
    b"event",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"x",
    "é\u2028".encode(),
    b"\xff",
    BOM,
    b"id: 7",
    b"\0",
]
ANY_BYTES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30)
LINES = st.tuples(
    st.sampled_from([b"data: 1", b"data: 2", b"data", b"event: e", b": comment", b"", b"", BOM]),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
).map(b"".join)
ANY_STREAM = (ANY_BYTES | st.lists(LINES, max_size=12)).map(b"".join)


def events(*chunks: bytes) -> list[Event]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def named(found: Iterable[Event]) -> list[tuple[str, str]]:
    return [(event.event, event.data) for event in found if event.event]


def by_the_standard(stream: bytes) -> list[tuple[str, str]]:
    """The standard's algorithm, word for word: line by line over the whole stream."""
    lines = re.split("\r\n|\n|\r", stream.decode("utf-8", "replace").removeprefix("\ufeff"))[:-1]
    dispatched, data, kind = [], "", ""
    for line in lines:
        if line == "":
            if data:
                dispatched.append((kind or "message", data.removesuffix("\n")))
            data, kind = "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data += value + "\n"
    return dispatched


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


@example(b"data: 1\n\rdata: 2\r\n\rdata: 3\n\n")
@given(ANY_STREAM)
def test_any_bytes_give_the_events_that_the_standard_finds(stream: bytes) -> None:
    settled = stream + b":"  # a CR at the very end may still become a CRLF
    assert named(events(settled)) == by_the_standard(settled)


@given(ANY_STREAM, st.lists(st.integers(0, 200), max_size=8))
def test_events_do_not_depend_on_where_the_chunks_were_cut(stream: bytes, places: list[int]) -> None:
    assert events(*cut(stream, places)) == events(stream)


@given(ANY_STREAM, st.lists(st.integers(0, 200), max_size=8), st.integers(1, 40))
def test_the_raw_bytes_joined_are_the_input(stream: bytes, places: list[int], most: int) -> None:
    parser = SseParser(max_event_bytes=most + 3)
    raw = b"".join(event.raw for chunk in cut(stream, places) for event in parser.feed(chunk))
    assert raw + parser.rest == stream
    assert len(parser.rest) <= most + 3


@pytest.mark.parametrize("name", STREAMS)
def test_a_real_stream_is_the_same_split_at_every_byte(name: str) -> None:
    stream = STREAMS[name]
    whole = events(stream)
    assert b"".join(event.raw for event in whole) == stream
    assert named(whole) == by_the_standard(stream)
    assert all(events(stream[:at], stream[at:]) == whole for at in range(len(stream)))
    assert events(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_an_event_is_out_as_soon_as_its_blank_line_is_there_whatever_ends_its_lines(ending: bytes) -> None:
    stream = STREAMS["text"].replace(b"\n", ending)
    parser = SseParser()
    found: list[Event] = []
    for at in range(len(stream)):
        found += parser.feed(stream[at : at + 1])
        if stream[: at + 1].endswith(ending * 2):
            assert not parser.rest
    assert [event.data for event in found] == [event.data for event in events(STREAMS["text"])]


@pytest.mark.parametrize("nothing", [b": keep-alive\n\n", b"id: 7\n\n", b"\n", b"\r\n"])
def test_what_is_no_event_to_a_client_is_passed_on_at_once(nothing: bytes) -> None:
    (event,) = events(nothing)
    assert (event.event, event.data, event.raw) == ("", "", nothing)


def test_a_field_without_a_colon_has_an_empty_value_and_one_space_after_the_colon_goes() -> None:
    found = events(b"data\n\n", b"data:  two\n\n", b"data:none\ndata: next\n\n", b"datum: x\nDATA: x\n data: x\n\n")
    assert [event.data for event in found] == ["", " two", "none\nnext", ""]
    assert [event.event for event in found] == ["message", "message", "message", ""]


def test_a_name_without_data_does_not_pass_to_the_next_event() -> None:
    assert named(events(b"event: ping\n\n", b"data: 1\n\n")) == [("message", "1")]


def test_a_byte_order_mark_counts_at_the_start_only() -> None:
    assert named(events(BOM[:1], BOM[1:] + b"data: 1\n\n" + BOM + b"data: 2\n\n")) == [("message", "1")]


def test_an_event_without_an_end_does_not_stay_in_memory_and_the_next_one_is_understood() -> None:
    parser = SseParser(max_event_bytes=64)
    found = [event for _ in range(100) for event in parser.feed(b"data: " + b"x" * 20 + b"\n")]
    assert len(parser.rest) <= 64
    found += parser.feed(b"\ndata: next\n\n")
    assert named(found) == [("message", "next")]
    assert b"".join(event.raw for event in found).count(b"x" * 20) == 100


def test_a_line_feed_where_a_long_event_is_cut_does_not_end_it() -> None:
    parser = SseParser(max_event_bytes=64)
    found = parser.feed(b"data: " + b"x" * 90 + b"\nda")
    found += parser.feed(b"ta: of the long one\n\ndata: next\n\n")
    assert named(found) == [("message", "next")]
