"""Bedrock's streams: the events don't depend on where the bytes are cut, and what is damaged is never passed on."""

import json
import random
from binascii import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures import event_stream, messages_answers
from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.upstreams.bedrock_events import BedrockEvents
from mcp_hub.proxy.upstreams.upstream import BrokenError

EVENTS = (
    '{"type":"message_start","message":{"id":"msg_bdrk_1","usage":{"input_tokens":1e0}}}',
    '{"type":"content_block_delta", "index":0,"delta":{"type":"text_delta","text":"caf\u00e9 \\u2014 \U0001f50e"}}',
    '{"delta":{"stop_reason":"end_turn"},"type":"message_delta","usage":{"output_tokens":7}}',
    '{"type":"message_stop"}',
)
STREAM = b"".join(event_stream.chunk(each.encode(), number) for number, each in enumerate(EVENTS))


def sse(*events: str) -> bytes:
    return "".join(f"event: {json.loads(each)['type']}\ndata: {each}\n\n" for each in events).encode()


def fed(*pieces: bytes) -> bytes:
    events = BedrockEvents("bedrock")
    told = b"".join(told_by(events, piece) for piece in pieces)
    events.finish()
    return told


def told_by(events: BedrockEvents, piece: bytes) -> bytes:
    """The events that a piece completes; a damaged one raises."""
    told, problem = events.events(piece)
    if problem is not None:
        raise problem
    return told


def test_events_come_with_their_json_as_it_was() -> None:
    assert fed(STREAM) == sse(*EVENTS)


def test_a_cut_at_any_byte_changes_nothing() -> None:
    for at in range(len(STREAM) + 1):
        assert fed(STREAM[:at], STREAM[at:]) == sse(*EVENTS)


def test_so_do_bytes_one_by_one() -> None:
    assert fed(*(bytes([byte]) for byte in STREAM)) == sse(*EVENTS)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=90))
def test_so_do_pieces_of_any_sizes(seed: int, most: int) -> None:
    sizes, pieces, at = random.Random(seed), [], 0
    while at < len(STREAM):
        size = sizes.randint(0, most)
        pieces.append(STREAM[at : at + size])
        at += size
    assert fed(*pieces) == sse(*EVENTS)


def test_an_event_is_told_as_soon_as_its_last_byte_is_there() -> None:
    first = len(event_stream.chunk(EVENTS[0].encode()))
    events = BedrockEvents("bedrock")
    assert events.events(STREAM[: first - 1]) == (b"", None)
    assert events.events(STREAM[first - 1 : first]) == (sse(EVENTS[0]), None)


def test_an_end_inside_of_a_frame_is_told_at_every_byte() -> None:
    frame = event_stream.chunk(EVENTS[0].encode())
    for at in range(1, len(frame)):
        with pytest.raises(BrokenError, match="'bedrock' broke off inside an event"):
            fed(frame[:at])
    assert fed() == b""
    assert fed(frame) == sse(EVENTS[0])


def test_no_damaged_byte_gets_through() -> None:
    good, frame = event_stream.chunk(EVENTS[0].encode()), event_stream.chunk(EVENTS[1].encode(), 5)
    for at in range(len(frame)):
        for bit in (1, 128):
            damaged = frame[:at] + bytes([frame[at] ^ bit]) + frame[at + 1 :]
            told, problem = BedrockEvents("bedrock").events(good + damaged)
            assert told == sse(EVENTS[0])
            assert problem is not None
            assert "is damaged: ChecksumMismatch" in problem.text


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"bytes": 7}',
        b'{"bytes": "not base64!"}',
        b'{"bytes": "e30="}',  # {}
        b'{"bytes": "NQ=="}',  # 5
        b'{"bytes": "WzFd"}',  # [1]
        b'{"bytes": "eyJ0eXBlIjo1fQ=="}',  # {"type":5}
        b'{"bytes": "eyJ0eXBlIjoiYVxuYiJ9"}',  # {"type":"a\nb"}
        b'{"bytes": "//8="}',
    ],
)
def test_a_chunk_that_holds_no_event_is_told(payload: bytes) -> None:
    frame = event_stream.frame({":event-type": "chunk", ":message-type": "event"}, payload)
    with pytest.raises(BrokenError, match="is damaged"):
        fed(frame)


def test_a_header_of_an_unknown_type_is_told() -> None:
    frame = bytearray(event_stream.frame({"a": "b"}, b""))
    frame[14] = 77
    crc = crc32(bytes(frame[:-4])).to_bytes(4, "big")
    with pytest.raises(BrokenError, match="is damaged: KeyError"):
        fed(bytes(frame[:-4]) + crc)


def test_the_invocations_metrics_are_taken_out() -> None:
    metrics = '{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":1}}'
    assert fed(event_stream.chunk(metrics.encode())) == sse('{"type":"message_stop"}')


def test_a_text_that_speaks_of_them_stays() -> None:
    text = '{"type": "content_block_delta","delta":{"text":"\\"amazon-bedrock-invocationMetrics\\": {}"}}'
    assert fed(event_stream.chunk(text.encode())) == sse(text)


def test_line_breaks_in_json_do_not_end_an_event() -> None:
    spread = json.dumps(json.loads(EVENTS[1]), indent=1).replace("\n", "\r\n")
    (event,) = SseParser().feed(fed(event_stream.chunk(spread.encode())))
    assert json.loads(event.data) == json.loads(EVENTS[1])


def test_frames_of_kinds_that_nobody_knows_are_left_out() -> None:
    unknown = event_stream.frame({":event-type": "moon", ":message-type": "event"}, b"\x00")
    assert fed(unknown, STREAM, unknown) == sse(*EVENTS)


@pytest.mark.parametrize(
    ("frame", "type"),
    [
        (event_stream.exception("throttlingException", {"message": "so it is"}), "rate_limit_error"),
        (event_stream.exception("modelStreamErrorException", {"originalMessage": "so it is"}), "api_error"),
        (event_stream.exception("modelTimeoutException", {"message": "so it is"}), "timeout_error"),
        (event_stream.exception("internalServerException", {"message": "so it is"}), "api_error"),
        (event_stream.exception("serviceUnavailableException", {"message": "so it is"}), "overloaded_error"),
        (event_stream.exception("validationException", {"message": "so it is"}), "invalid_request_error"),
        (event_stream.error("InternalFailure", "so it is"), "api_error"),
    ],
    ids=range(7),
)
def test_an_exception_becomes_an_error_event_and_is_the_end(frame: bytes, type: str) -> None:
    events = BedrockEvents("bedrock")
    told = told_by(events, event_stream.chunk(EVENTS[0].encode()) + frame + STREAM[:-7])
    first, error = SseParser().feed(told)
    assert (first.event, error.event) == ("message_start", "error")
    assert json.loads(error.data) == {"type": "error", "error": {"type": type, "message": "so it is"}}
    assert events.ended
    events.finish()  # what comes after it is no event that was cut


def test_the_stand_ins_own_answers_are_the_same_events_in_frames() -> None:
    asked = b'{"model": "m", "stream": true}'
    told = messages_answers.message(asked, "tools", {"output_tokens": 1}).body.decode()
    events = [each.partition("data: ")[2] for each in told.split("\n\n") if each]
    assert fed(*(event_stream.chunk(each.encode()) for each in events)).decode() == told
