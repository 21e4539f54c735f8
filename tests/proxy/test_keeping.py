"""What of an answer is kept: complete messages only, and never one that was cut, failed or did something meanwhile."""

import json
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.messages_content import BLOCKS
from mcp_hub.proxy.flights import Piece
from mcp_hub.proxy.keeping import Reading, read
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.replay import message_in, stream_of
from mcp_hub.proxy.sse import SseParser
from tests.proxy.streams import COMPLETE, STREAMS

USAGE = {"input_tokens": 3, "output_tokens": 9}
KEPT = ("citations", "text", "thinking")
"""The recorded streams in which nothing is called."""


def message(*content: Any, **fields: Any) -> dict[str, Any]:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [*content]}
    return {**told, "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE, **fields}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def whole(told: object, *, tool_calls: bool = False) -> Reading | None:
    """What is made of an answer that is no stream."""
    return read([Piece(7.0, json.dumps(told).encode())], streams=False, tool_calls=tool_calls)


def streamed(*pieces: bytes, tool_calls: bool = True) -> Reading | None:
    """What is made of a stream, whose pieces came every half second."""
    return read([Piece(7 + index / 2, each) for index, each in enumerate(pieces)], streams=True, tool_calls=tool_calls)


def is_kept(reading: Reading | None) -> bool:
    return reading is not None and reading.is_kept


def events(name: str) -> list[bytes]:
    return [event.raw for event in SseParser().feed(STREAMS[name])]


def told(**event: Any) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


# Streams


@pytest.mark.parametrize("name", KEPT)
def test_a_complete_stream_is_kept_as_it_came_and_as_its_message(name: str) -> None:
    pieces = events(name)
    reading = streamed(*pieces, tool_calls=False)
    assert reading is not None
    assert reading.is_kept
    assert reading.stream == STREAMS[name]
    assert json.loads(reading.message) == message_in(STREAMS[name])
    assert reading.pace == tuple((index / 2, len(each)) for index, each in enumerate(pieces))
    assert reading.usage.input > 0


def cuts(name: str) -> Iterator[int]:
    """Where a stream is cut: at and beside every event's end, and at odd places within."""
    stream = STREAMS[name]
    ends = accumulate(len(each) for each in events(name))
    yield from sorted(
        {at for end in ends for at in (end - 2, end - 1, end, end + 1, end + 7) if at < len(stream)} | {0, 1}
    )
    yield from range(13, len(stream), 41)


@pytest.mark.parametrize("name", COMPLETE)
def test_a_stream_that_was_cut_anywhere_is_nothing(name: str) -> None:
    assert streamed(STREAMS[name]) is not None
    for at in cuts(name):
        assert streamed(STREAMS[name][:at]) is None, at


@pytest.mark.parametrize("name", COMPLETE)
def test_a_stream_that_lacks_an_event_of_its_frame_is_not_kept(name: str) -> None:
    pieces = events(name)
    assert not is_kept(streamed(*pieces[1:]))
    assert streamed(*pieces[:-1]) is None
    assert not is_kept(streamed(*(each for each in pieces if b'"message_delta"' not in each)))
    assert not is_kept(streamed(*(each for each in pieces if b'"content_block_start"' not in each)))


def test_a_stream_with_an_error_in_it_is_nothing_wherever_it_is() -> None:
    error = told(type="error", error={"type": "overloaded_error", "message": "Overloaded"})
    pieces = events("text")
    for at in range(len(pieces) + 1):
        assert streamed(*pieces[:at], error, *pieces[at:]) is None, at
    assert streamed(STREAMS["overloaded"]) is None
    assert streamed(STREAMS["overloaded"] + told(type="message_stop")) is None


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(STREAMS["text"])), max_size=6))
def test_where_a_stream_was_cut_into_pieces_changes_its_pace_alone(at: list[int]) -> None:
    stream = STREAMS["text"]
    ends = [0, *sorted(at), len(stream)]
    reading, known = streamed(*(stream[a:b] for a, b in pairwise(ends))), streamed(stream)
    assert reading is not None
    assert known is not None
    assert (reading.message, reading.stream, reading.is_kept) == (known.message, known.stream, True)
    assert sum(size for _, size in reading.pace) == len(stream)


def test_a_stream_twice_or_with_another_ones_event_in_it_is_nothing() -> None:
    assert streamed(STREAMS["text"], STREAMS["text"]) is None
    assert streamed(*events("text")[:-2], *events("thinking")[1:]) is None


def test_a_stream_that_does_not_tell_what_it_used_is_not_kept() -> None:
    start = told(type="message_start", message={**message(), "usage": {}, "stop_reason": None})
    block = told(type="content_block_start", index=0, content_block=text("a"))
    end = told(type="message_delta", delta={"stop_reason": "end_turn"}, usage={})
    stop = told(type="message_stop")
    assert not is_kept(streamed(start, block, end, stop))
    assert is_kept(streamed(start, block, end.replace(b'"usage": {}', b'"usage": {"output_tokens": 3}'), stop))


# Messages


def test_a_complete_message_is_kept_byte_for_byte_and_as_a_stream() -> None:
    body = (
        b' {"usage":{"output_tokens":9, "input_tokens":3},'
        + json.dumps(message(text("caf\u00e9")))[1:].encode()
        + b"\n"
    )
    reading = read([Piece(1.0, body[:9]), Piece(2.0, body[9:])], streams=False, tool_calls=False)
    assert reading is not None
    assert (reading.message, reading.pace, reading.is_kept) == (body, (), True)
    assert reading.stream == stream_of(json.loads(body))
    assert reading.usage == Usage(input=3, output=9)


@pytest.mark.parametrize("asked", sorted(BLOCKS.keys() - {"tool", "tools", "search", "nothing"}))
def test_whatever_a_model_says_is_kept(asked: str) -> None:
    assert is_kept(whole(message(*BLOCKS[asked])))


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence"])
def test_an_answer_that_has_ended_is_kept_whatever_ended_it(reason: str) -> None:
    assert is_kept(whole(message(text("a"), stop_reason=reason)))


@pytest.mark.parametrize(
    "fields",
    [
        *({"stop_reason": reason} for reason in ("pause_turn", "max_tokens", "refusal", "a_new_one")),
        {"stop_reason": None},
        {"content": []},
        {"stop_reason": 3},
        {"type": "error"},
        {"type": None},
        {"container": {"id": "container_1"}},
        {"container": {}},
        {"content": None},
        {"content": "a"},
        {"content": [None]},
        {"content": [{"type": ["text"], "text": "a"}, {"type": "server_tool_use"}]},
        {"usage": {}},
        {"usage": {"input_tokens": 3}},
    ],
    ids=str,
)
def test_what_is_no_finished_message_is_not_kept(fields: dict[str, Any]) -> None:
    assert is_kept(whole(message(text("a"))))
    assert not is_kept(whole(message(text("a"), **fields)))


@pytest.mark.parametrize("name", ["stop_reason", "type", "content", "usage"])
def test_a_message_without_one_of_its_fields_is_not_kept(name: str) -> None:
    assert not is_kept(whole({each: value for each, value in message(text("a")).items() if each != name}))


def test_a_stream_of_what_is_to_be_gone_on_with_is_not_kept_either() -> None:
    for change in (b'"pause_turn"', b"null"):
        assert not is_kept(streamed(STREAMS["text"].replace(b'"end_turn"', change)))
    container = STREAMS["text"].replace(b'"stop_reason":null', b'"stop_reason":null,"container":{"id":"c"}', 1)
    assert container != STREAMS["text"]
    assert not is_kept(streamed(container))


def test_an_answer_that_calls_a_tool_is_kept_only_where_that_is_wanted_and_always_known_by_its_cost() -> None:
    for wanted in (False, True):
        readings = [
            streamed(STREAMS["tool_use"], tool_calls=wanted),
            *(whole(message(*BLOCKS[asked], stop_reason="tool_use"), tool_calls=wanted) for asked in ("tool", "tools")),
        ]
        for reading in readings:
            assert reading is not None
            assert reading.is_kept is wanted
            assert reading.usage.output > 0


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use", "fallback"])
def test_what_the_api_did_meanwhile_is_never_kept(kind: str) -> None:
    assert is_kept(whole(message(text("a"), {"type": "another", "id": "s"})))
    assert not is_kept(whole(message(text("a"), {"type": kind, "id": "s", "input": {}}), tool_calls=True))
    block = told(type="content_block_start", index=0, content_block={"type": kind, "id": "s", "input": {}})
    pieces = [
        told(type="message_start", message={**message(), "stop_reason": None}),
        block,
        told(type="content_block_stop", index=0),
        told(type="message_delta", delta={"stop_reason": "end_turn"}, usage=USAGE),
        told(type="message_stop"),
    ]
    assert is_kept(streamed(*(each.replace(kind.encode(), b"another") for each in pieces)))
    assert not is_kept(streamed(*pieces))


def test_a_recorded_search_is_not_kept() -> None:
    reading = streamed(STREAMS["web_search"])
    assert reading is not None
    assert (reading.is_kept, reading.usage.web_searches) == (False, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"type": "error", "error": {"type": "api_error", "message": "x"}}',
        STREAMS["text"],
        json.dumps(message(text("a")))[:-1].encode(),
    ],
    ids=lambda body: str(body[:12]),
)
def test_a_body_that_is_no_message_is_nothing(body: bytes) -> None:
    assert read([Piece(1.0, body)], streams=False, tool_calls=True) is None
    assert read([], streams=False, tool_calls=True) is None


def test_a_whole_message_where_a_stream_was_told_is_nothing() -> None:
    assert streamed(json.dumps(message(text("a"))).encode()) is None
    assert streamed() is None


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity"])
def test_arguments_that_json_cant_spell_are_not_kept(number: str) -> None:
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {"x": 0.5}}
    known = message(call, stop_reason="tool_use")
    stream = stream_of(known)
    assert stream is not None
    assert is_kept(streamed(stream))
    assert not is_kept(streamed(stream.replace(b"0.5", number.encode())))
    body = json.dumps(known).replace("0.5", number).encode()
    assert not is_kept(read([Piece(1.0, body)], streams=False, tool_calls=True))


def test_arguments_nested_as_deep_as_can_be_read_never_raise() -> None:
    stream = stream_of(message({"type": "tool_use", "id": "t", "name": "n", "input": {"x": "HERE"}}))
    body = json.dumps(message({"type": "tool_use", "id": "t", "name": "n", "input": "HERE"}))
    assert stream is not None
    for depth in range(960, 1000):  # about where what can be read can no longer be written
        nested = '{"a":' * depth + "1" + "}" * depth
        streamed(stream.replace(b'\\"HERE\\"', nested.replace('"', '\\"').encode()))
        read([Piece(1.0, body.replace('"HERE"', nested).encode())], streams=False, tool_calls=True)
