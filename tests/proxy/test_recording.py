"""What is recorded of an answer: the SDK's own message, the usage by kind, and nothing that isn't known."""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.recording import Answer, Recorder, ToldError, answered, error_type
from mcp_hub.proxy.sse import Event, SseParser
from tests.proxy.streams import COMPLETE, STREAMS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = ["message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "error"]
FIELDS = [
    "type",
    "message",
    "delta",
    "usage",
    "index",
    "content_block",
    "error",
    "model",
    "content",
    "citation",
    "text",
]
TYPES = [
    "text",
    "thinking",
    "tool_use",
    "fallback",
    "text_delta",
    "input_json_delta",
    "citations_delta",
    "signature_delta",
]
SHAPED = st.recursive(
    JSON | st.sampled_from([*KINDS, *TYPES, 0, 1]),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


def heard(events: Iterable[Event], content: bool = True) -> Recorder:
    recorder = Recorder(content)
    for event in events:
        recorder.hear(event)
    return recorder


def parsed(name: str) -> list[Event]:
    return SseParser().feed(STREAMS[name])


def event(kind: str, **data: Any) -> Event:
    return written(kind, json.dumps({"type": kind, **data}))


def written(kind: str, data: str) -> Event:
    raw = f"event: {kind}\ndata: {data}\n\n".encode()
    return Event(raw, raw)


def start(**message: Any) -> Event:
    return event("message_start", message={"id": "msg_1", "model": "m", "content": [], **message})


def block(index: int, **fields: Any) -> Event:
    return event("content_block_start", index=index, content_block=fields)


def delta(index: int, kind: str, **fields: Any) -> Event:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
STOP = event("message_stop")


def as_the_sdk_reads(stream: bytes) -> dict[str, Any]:
    """The final message that Anthropic's own client makes of a stream."""
    reply = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    transport = httpx2.MockTransport(lambda request: reply)
    with httpx2.Client(transport=transport) as http, anthropic.Anthropic(api_key="none", http_client=http) as client:
        with client.beta.messages.stream(model="m", max_tokens=1, messages=[]) as events:
            return events.get_final_message().to_dict(mode="json")


@pytest.mark.parametrize("name", COMPLETE)
def test_the_message_of_a_stream_is_the_one_that_anthropics_client_makes_of_it(name: str) -> None:
    assert heard(parsed(name)).message() == as_the_sdk_reads(STREAMS[name])


def test_usage_is_told_by_kind_and_later_counts_take_the_place_of_earlier_ones() -> None:
    assert {name: heard(parsed(name)).usage for name in STREAMS} == snapshot(
        {
            "citations": Usage(input=610, output=41),
            "overloaded": Usage(input=25, output=4),
            "text": Usage(input=12, output=38),
            "thinking": Usage(input=44, output=96, cache_write_5m=1024, cache_write_1h=1024, cache_read=18000),
            "tool_use": Usage(input=472, output=128),
            "web_search": Usage(input=10682, output=510, web_searches=1),
        }
    )


def test_a_message_says_who_answered_and_why_it_stopped() -> None:
    told = {name: heard(parsed(name)) for name in STREAMS}
    assert {name: (each.model, each.message_id, each.stop_reason) for name, each in told.items()} == snapshot(
        {
            "citations": ("claude-sonnet-4-5-20250929", "msg_01Cite", "stop_sequence"),
            "overloaded": ("claude-sonnet-4-5-20250929", "msg_01Over", ""),
            "text": ("claude-sonnet-4-5-20250929", "msg_01Text", "end_turn"),
            "thinking": ("claude-opus-4-5-20251101", "msg_01Think", "end_turn"),
            "tool_use": ("claude-sonnet-4-5-20250929", "msg_01Tool", "tool_use"),
            "web_search": ("claude-sonnet-4-5-20250929", "msg_01Web", "end_turn"),
        }
    )


def test_arguments_come_whole_from_their_pieces_and_none_are_an_empty_object() -> None:
    message = heard(parsed("tool_use")).message()
    assert message is not None
    assert [block["input"] for block in message["content"][1:]] == snapshot(
        [{"location": "San Francisco, CA", "unit": "fahrenheit", "note": "café 🌧", "days": [1, 2.5, None]}, {}, {}]
    )


@pytest.mark.parametrize("name", STREAMS)
def test_without_content_all_the_rest_is_the_same_and_there_is_no_message(name: str) -> None:
    full, lean = heard(parsed(name)), heard(parsed(name), content=False)
    for told in ("usage", "model", "message_id", "stop_reason", "complete", "error"):
        assert getattr(full, told) == getattr(lean, told)
    assert lean.message() is None


@pytest.mark.parametrize("name", COMPLETE)
def test_a_stream_cut_anywhere_has_no_message_and_the_usage_that_had_been_told(name: str) -> None:
    events = parsed(name)
    usages = [heard(events[:count]).usage for count in range(len(events) + 1)]
    assert all(heard(events[:count]).message() is None for count in range(len(events)))
    assert usages[0] == Usage()
    assert usages[1].input > 0
    assert all(later.most(earlier) == later for earlier, later in pairwise(usages))


def test_an_error_in_mid_stream_is_kept_and_the_message_is_not_whole() -> None:
    recorder = heard([*parsed("overloaded"), END, STOP])
    assert recorder.error == ToldError("overloaded_error", "Overloaded")
    assert recorder.message() is None


def test_an_error_that_is_no_json_is_kept_as_its_text() -> None:
    assert heard([written("error", "bad gateway")]).error == ToldError("api_error", "bad gateway")


def test_the_hour_long_part_of_cache_writes_is_known_from_the_start_and_stays() -> None:
    split = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 30}
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 40, "cache_creation": split}
    end = event("message_delta", delta={}, usage={"cache_creation_input_tokens": 40, "output_tokens": 5})
    assert heard([start(usage=usage), end]).usage == Usage(1, 5, cache_write_5m=10, cache_write_1h=30)


def test_a_count_of_zero_or_null_at_the_end_takes_nothing_back() -> None:
    end = event("message_delta", delta={}, usage={"input_tokens": 0, "cache_read_input_tokens": None})
    assert heard([start(usage={"input_tokens": 7, "cache_read_input_tokens": 3}), end]).usage == Usage(7, cache_read=3)


@pytest.mark.parametrize("told_at_first", [{}, {"usage": {"input_tokens": 0}}, {"usage": {"input_tokens": None}}])
def test_input_that_is_told_at_the_end_alone_counts_from_then_on(told_at_first: dict[str, Any]) -> None:
    recorder = heard([start(**told_at_first)])
    assert not recorder.counts_input
    recorder.hear(event("message_delta", delta={}, usage={"input_tokens": 7, "output_tokens": 9, "cost": 0.1}))
    assert (recorder.counts_input, recorder.usage) == (True, Usage(input=7, output=9))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "x"}}', "overloaded_error"),
        (b'{"error": {"message": "User not found.", "code": 401}}', ""),
        (b"<html>", ""),
        (b'{"error": "x"}', ""),
    ],
)
def test_an_errors_type_is_what_its_body_says(body: bytes, told: str) -> None:
    assert error_type(body) == told


def test_a_prompt_that_the_cache_had_whole_is_counted() -> None:
    assert heard([start(usage={"input_tokens": 0, "cache_read_input_tokens": 5})]).counts_input


def test_an_answer_that_counts_no_prompt_is_not_counted() -> None:
    for prompt, counted in ((0, False), (1, True)):
        told = answered(json.dumps({"usage": {"input_tokens": prompt, "output_tokens": 2}}).encode())
        assert told is not None
        assert told.counted is counted


def test_null_at_the_end_leaves_what_the_message_said_before() -> None:
    end = event("message_delta", delta={"stop_reason": "end_turn", "container": None}, usage={"input_tokens": None})
    message = heard([start(container={"id": "c"}, usage={"input_tokens": 7}), end, STOP]).message()
    assert message is not None
    assert (message["container"], message["usage"], message["stop_reason"]) == (
        {"id": "c"},
        {"input_tokens": 7},
        "end_turn",
    )


def test_a_fallback_in_mid_stream_names_the_model_that_went_on() -> None:
    change = block(0, type="fallback", **{"from": {"model": "m"}, "to": {"model": "m-2"}})
    for content in (True, False):
        assert heard([start(), change], content).model == "m-2"


@pytest.mark.parametrize(
    "unknown",
    [
        delta(0, "hologram_delta", hologram="?"),
        delta(1, "text_delta", text="of no block"),
        delta(0, "text_delta", text=None),
        block(5, type="text", text=""),
        start(),
    ],
    ids=["kind", "block", "text", "gap", "twice"],
)
def test_content_that_is_not_understood_makes_no_message(unknown: Event) -> None:
    known = [start(), block(0, type="text", text=""), delta(0, "text_delta", text="a")]
    assert heard([*known, END, STOP]).message() is not None
    recorder = heard([*known, unknown, END, STOP])
    assert recorder.message() is None
    assert recorder.usage.output == 9


def test_arguments_that_are_no_json_make_no_message() -> None:
    pieces = [block(0, type="tool_use", input={}), delta(0, "input_json_delta", partial_json='{"a": "cut by max_to')]
    assert heard([start(), *pieces, END, STOP]).message() is None


def test_an_unknown_kind_of_event_changes_nothing() -> None:
    events = parsed("text")
    assert heard([events[0], event("news", text="?"), *events[1:]]).message() == heard(events).message()


def test_a_compaction_comes_with_its_text_and_what_goes_back_with_it() -> None:
    summed = delta(0, "compaction_delta", content="In short.", encrypted_content="gA==")
    message = heard([start(), block(0, type="compaction", content=None), summed, END, STOP]).message()
    assert message is not None
    assert message["content"] == [{"type": "compaction", "content": "In short.", "encrypted_content": "gA=="}]


def test_half_a_surrogate_pair_in_a_name_can_be_kept() -> None:
    start_event = written("message_start", r'{"type":"message_start","message":{"model":"m\ud800"}}')
    assert heard([start_event]).model == "m?"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(KINDS), SHAPED), max_size=6), st.booleans())
def test_no_stream_whatever_it_holds_raises(data: list[tuple[str, object]], content: bool) -> None:
    events = [
        written(kind, json.dumps({"type": kind, **value} if isinstance(value, dict) else value)) for kind, value in data
    ]
    recorder = heard(events, content)
    assert recorder.message() is None or recorder.complete


@pytest.mark.parametrize("name", COMPLETE)
def test_an_answer_without_a_stream_tells_what_the_stream_tells(name: str) -> None:
    recorder = heard(parsed(name))
    answer = answered(json.dumps(recorder.message()).encode())
    assert answer == Answer(recorder.usage, recorder.model, recorder.message_id, recorder.stop_reason, counted=True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"usage": 3}', b'{"type": "error"}', b"\xff", b"[" * 5000])
def test_what_is_no_message_with_its_usage_is_no_answer(body: bytes) -> None:
    assert answered(body) is None
