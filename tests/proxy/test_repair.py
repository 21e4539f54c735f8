"""Repairs of streams: each defect that is known comes out legal, and nothing else is touched."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures import broken_streams as broken
from fixtures.broken_streams import AMBIGUOUS, CALL, DEFECTS, TEXT, call, delta, said, spelt, start, stop, stream
from fixtures.messages_answers import message, sent_so
from fixtures.messages_content import BLOCKS
from mcp_hub.proxy.repair import MOST_BLOCKS, Repair
from mcp_hub.proxy.sse import Event, SseParser
from tests.proxy.readers import as_claude_code_reads, is_legal, told
from tests.proxy.streams import STREAMS

HOWS = ("", "odd", "crlf", "cr", "bom")
SPELT_HALF = broken.SPELT[:9]
ASKED = json.dumps({"model": "m", "max_tokens": 9, "stream": True, "messages": []}).encode()
LEGAL = STREAMS | {
    f"{what} {how}": sent_so(message(ASKED, what, {"input_tokens": 7, "output_tokens": 9}), how.split()).body
    for what in (*BLOCKS, "say caf\u00e9", "cut", "torn", "overload")
    for how in HOWS
}


def repaired(*chunks: bytes) -> bytes:
    parser, repair = SseParser(), Repair()
    passed = b"".join(repair.feed(event) for chunk in chunks for event in parser.feed(chunk))
    return passed + repair.rest() + parser.rest


def bytewise(text: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in text]


@pytest.mark.parametrize("name", LEGAL)
def test_a_legal_stream_passes_byte_for_byte_as_each_event_comes(name: str) -> None:
    parser, repair = SseParser(), Repair()
    for event in parser.feed(LEGAL[name]):
        assert repair.feed(event) == event.raw
    assert repair.rest() == b""


@settings(max_examples=50)
@given(st.sampled_from(sorted(LEGAL)), st.lists(st.integers(0, 4000), max_size=6))
def test_where_a_legal_stream_is_cut_changes_nothing(name: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(LEGAL[name])]
    chunks = [LEGAL[name][a:b] for a, b in zip(edges, [*edges[1:], None], strict=True)]
    assert repaired(*chunks) == LEGAL[name]


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_comes_out_legal_and_means_what_it_meant(name: str) -> None:
    whole = repaired(DEFECTS[name].stream)
    assert is_legal(whole)
    assert as_claude_code_reads(whole) == list(DEFECTS[name].content)
    assert b"".join(repaired(*bytewise(DEFECTS[name].stream)).split()) == b"".join(whole.split())


@pytest.mark.parametrize("name", DEFECTS)
def test_it_is_one_that_a_client_trips_over(name: str) -> None:
    read: list[dict[str, Any]] = []
    with contextlib.suppress(LookupError, ValueError, TypeError):
        read = as_claude_code_reads(DEFECTS[name].stream)
    legal = is_legal(DEFECTS[name].stream) and all("input" in each["content_block"] for each in _calls(name))
    assert read != list(DEFECTS[name].content) or not legal


def _calls(name: str) -> list[dict[str, Any]]:
    events = told(DEFECTS[name].stream)
    return [each for each in events if each.get("content_block", {}).get("type") == "tool_use"]


@pytest.mark.parametrize("name", DEFECTS)
def test_what_is_repaired_is_left_alone_the_next_time(name: str) -> None:
    once = repaired(DEFECTS[name].stream)
    assert repaired(once) == once


def test_a_repaired_stream_is_the_same_wherever_it_is_cut() -> None:
    whole = DEFECTS["arguments at the start"].stream
    expected = repaired(whole)
    assert all(repaired(whole[:at], whole[at:]) == expected for at in range(len(whole)))


def test_arguments_at_the_start_become_one_delta_of_their_own() -> None:
    events = told(repaired(stream([start(0, CALL), stop(0)])))
    assert events[2:5] == [
        {"type": "content_block_start", "index": 0, "content_block": {**CALL, "input": {}}},
        *spelt(0, json.dumps(CALL["input"], ensure_ascii=False)),
        {"type": "content_block_stop", "index": 0},
    ]


def test_arguments_that_come_twice_go_out_once_as_the_deltas_spell_them() -> None:
    events = told(repaired(stream([start(0, CALL), *spelt(0), stop(0)])))
    assert events[2:-2] == [start(0, call(input={})), *spelt(0), stop(0)]


def test_a_start_with_some_of_the_arguments_gives_way_to_the_deltas_that_have_all() -> None:
    events = told(repaired(stream([start(0, call(input={"query": CALL["input"]["query"]})), *spelt(0), stop(0)])))
    assert events[2:-2] == [start(0, call(input={})), *spelt(0), stop(0)]


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_cannot_be_known_passes_as_it_came(name: str) -> None:
    assert repaired(stream(AMBIGUOUS[name])) == stream(AMBIGUOUS[name])


@pytest.mark.parametrize("pieces", [(), ("",), ("", "{}"), ("{}",)])
def test_a_call_without_arguments_stays_one(pieces: tuple[str, ...]) -> None:
    deltas = [each for piece in pieces for each in spelt(0, piece)]
    whole = stream([start(0, call(input={})), *deltas, stop(0)])
    assert repaired(whole) == whole


def test_deltas_that_come_well_are_not_held_back() -> None:
    repair = Repair()
    for event in SseParser().feed(stream([start(4, call(input={})), *spelt(4), stop(4)])):
        assert repair.feed(event)


def test_pings_pass_while_arguments_wait_for_their_end() -> None:
    repair = Repair()
    first, *rest = SseParser().feed(b"".join(map(_written, [start(0, CALL), {"type": "ping"}, stop(0)])))
    assert repair.feed(first) == b""
    assert repair.feed(rest[0]) == rest[0].raw
    assert is_legal(repair.feed(rest[1]))


@pytest.mark.parametrize("last", [None, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}])
def test_what_is_held_back_when_a_stream_breaks_off_goes_out_as_it_came(last: dict[str, Any] | None) -> None:
    whole = b"".join(map(_written, [start(0, CALL), *spelt(0, SPELT_HALF), *([last] if last else [])]))
    assert repaired(whole) == whole


def test_usage_told_in_the_middle_ends_no_block() -> None:
    tells = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 1}}
    whole = stream([start(0, TEXT), *said(0, "a"), tells, *said(0, "b"), stop(0)])
    assert repaired(whole) == whole


def test_blocks_and_deltas_of_a_new_kind_are_left_to_those_who_know_them() -> None:
    new = {"type": "hologram", "input": {"a": 1}}
    whole = stream([start(0, new), *said(0, "a"), delta(0, "beam", x=1), stop(0), start(1, TEXT), stop(1)])
    assert repaired(whole) == whole


JSON = st.recursive(
    st.none() | st.integers(-1, 2) | st.text(max_size=2) | st.sampled_from(["{}", '{"a":1}', "tool_use", "text"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "id", "input", "partial_json", "text", "index", "stop_reason"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
ANY_EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["content_block_start", "content_block_delta", "content_block_stop", "message_delta"])},
    optional={"index": st.integers(-1, 2) | JSON, "content_block": JSON, "delta": JSON},
)


@given(st.lists(ANY_EVENT | JSON, max_size=8))
def test_no_stream_is_too_odd_to_pass(events: list[Any]) -> None:
    repaired(b"".join(f"event: content_block_start\ndata: {json.dumps(each)}\n\n".encode() for each in events))


@pytest.mark.parametrize(
    "odd",
    [
        Event(b"data: {x}\n\n", b"data: {x}\n\n"),
        Event(b"event: content_block_start\ndata: x\n\n", b"event: content_block_start\ndata: x\n\n"),
        Event(b"what is too long to be read", b""),
    ],
)
def test_what_is_not_understood_passes_and_so_does_all_that_follows_from_it(odd: Event) -> None:
    repair = Repair()
    assert repair.feed(odd) == odd.raw
    end = Event(_written(stop(0)), _written(stop(0)))
    assert repair.feed(end) == (b"" if b"{x}" in odd.raw else end.raw)


def _written(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def test_what_is_held_back_is_bounded_and_passes_from_then_on() -> None:
    """A tool's block without an end, and text after it: nothing says when it will end."""
    started = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "n"}}
    text = {"type": "text", "text": ""}
    delta = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x" * 100_000}}
    told = [started, {"type": "content_block_start", "index": 1, "content_block": text}, *[delta] * 60]
    repair, passed = Repair(), []
    for each in told:
        raw = f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode()
        passed.append(len(repair.feed(Event(raw, raw))))
    assert sum(passed[2:42]) == 0
    assert sum(passed) > 60 * 100_000
    assert passed[-1] > 100_000


def test_blocks_that_never_end_are_bounded() -> None:
    repair = Repair()
    for index in range(MOST_BLOCKS + 2):
        block = {"type": "tool_use", "id": f"t{index}", "name": "n", "input": {}}
        raw = b"data: " + json.dumps({"type": "content_block_start", "index": index, "content_block": block}).encode()
        passed = repair.feed(Event(raw + b"\n\n", raw + b"\n\n"))
    assert passed == raw + b"\n\n"
