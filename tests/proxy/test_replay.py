"""An answer given again: Anthropic's client makes of the stream what it makes of the message, and nothing is lost."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from fixtures.messages_content import BLOCKS
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.replay import LONGEST_PAUSE, message_in, paced, stream_of
from mcp_hub.proxy.responses import KeptAnswer
from tests.proxy.readers import is_legal
from tests.proxy.streams import COMPLETE, STREAMS

Message = dict[str, Any]
Read = Callable[[bytes], Message]


@pytest.fixture(scope="module")
def as_the_sdk_reads() -> Iterator[Read]:
    """What Anthropic's client makes of an answer, a stream or not."""
    answers: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        kind = "text/event-stream" if json.loads(request.content).get("stream") else "application/json"
        return httpx2.Response(200, headers={"content-type": kind}, content=answers[-1])

    def read(body: bytes) -> Message:
        answers.append(body)
        asked: Message = {"model": "m", "max_tokens": 1, "messages": []}
        if body.startswith(b"{"):
            found: Any = client.beta.messages.create(**asked)
        else:
            with client.beta.messages.stream(**asked) as events:
                found = events.get_final_message()
        return dict(found.to_dict(mode="json", exclude_unset=False, warnings=False))

    transport = httpx2.MockTransport(answer)
    with httpx2.Client(transport=transport) as http, Anthropic(api_key="none", http_client=http) as client:
        yield read


def message(*content: Any, **fields: Any) -> Message:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": [*content]}
    ends = {"stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 9}}
    return {**told, **ends, **fields}


def stream_of_all(told: Message) -> bytes:
    stream = stream_of(told)
    assert stream is not None, told
    return stream


# Messages as the API, and others like it, answer them

TEXT = st.sampled_from(["", "caf\u00e9 \u2014 \U0001f600", "a\n\ndata: b\r\n", "\u2028\u0000", '"\\']) | st.text(
    max_size=5
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)


def block(kind: str, optional: dict[str, Any] | None = None, **fields: st.SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries({"type": st.just(kind), **fields}, optional=optional or {})


CITATIONS = st.lists(block("char_location", cited_text=TEXT, document_index=st.integers(0, 3)), max_size=2)
CONTENT = st.lists(
    st.one_of(
        block("text", text=TEXT),
        block("text", {"mood": JSON}, text=TEXT, citations=st.none() | CITATIONS),
        block("thinking", {"signature": TEXT}, thinking=TEXT),
        block("redacted_thinking", data=TEXT),
        block("tool_use", {"caller": st.just({"type": "direct"})}, id=TEXT, name=TEXT, input=OBJECT),
        block("hologram", parts=JSON),
        block("compaction", content=TEXT),
    ),
    max_size=4,
)
USAGE = st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 9), "output_tokens": st.integers(0, 9)},
    optional={
        "cache_read_input_tokens": st.none() | st.integers(0, 9),
        "server_tool_use": st.none() | st.just({"web_search_requests": 1}),
        "unknown": JSON,
    },
)
ENDS = st.one_of(
    st.just({"stop_reason": "end_turn", "stop_sequence": None}),
    st.just({"stop_reason": "stop_sequence", "stop_sequence": "\n\nHuman:", "stop_details": None}),
    st.just({"stop_reason": "refusal", "stop_sequence": None, "stop_details": {"type": "refusal", "category": "bio"}}),
    st.just({"stop_reason": "a_new_one"}),
)
MORE: st.SearchStrategy[Message] = st.fixed_dictionaries(
    {},
    optional={
        "context_management": st.none() | st.just({"applied_edits": []}),
        "unknown": JSON,
        "delta": JSON,
    },
)
ANSWERS = st.builds(lambda content, **each: message(*content, **each), CONTENT, usage=USAGE) | st.builds(
    lambda content, usage, ends, more: message(*content, usage=usage, **ends, **more), CONTENT, USAGE, ENDS, MORE
)


@settings(max_examples=20, phases=[Phase.explicit, Phase.generate])  # to make it shorter would take minutes
@given(told=ANSWERS)
def test_a_message_told_as_a_stream_is_the_same_message_to_the_sdk(as_the_sdk_reads: Read, told: Message) -> None:
    stream = stream_of_all(told)
    assert message_in(stream) == told
    assert as_the_sdk_reads(stream) == as_the_sdk_reads(json.dumps(told).encode())
    assert is_legal(stream)
    assert stream.isascii()


@pytest.mark.parametrize("asked", [*BLOCKS, "search"])
def test_what_a_model_answers_is_the_same_as_a_stream(as_the_sdk_reads: Read, asked: str) -> None:
    told = message(*BLOCKS[asked])
    assert as_the_sdk_reads(stream_of_all(told)) == as_the_sdk_reads(json.dumps(told).encode())


def test_why_a_model_refused_is_told_at_the_end_as_the_sdk_takes_it_from_there(as_the_sdk_reads: Read) -> None:
    why = {"type": "refusal", "category": "cyber", "explanation": "no"}
    told = message(stop_reason="refusal", stop_details=why)
    assert why.items() <= as_the_sdk_reads(stream_of_all(told))["stop_details"].items()


def test_a_stream_is_told_as_the_api_tells_it() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"q": "caf\u00e9"}}
    cited = {"type": "text", "text": "gr\u00fcn", "citations": [{"cited_text": "x"}]}
    thought = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
    stream = stream_of_all(message(thought, cited, call, {**call, "input": {}}, stop_reason="tool_use"))
    assert stream.decode() == snapshot("""\
event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":9}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[]}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"gr\\u00fcn"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\\"q\\":\\"caf\\\\u00e9\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

""")  # noqa: E501


EMPTY: list[Any] = [None, [], "", 0, False]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"content": []},
        message(content=None),
        message(content="hello"),
        message(content={"type": "text"}),
        message("hello"),
        message(None),
        message([]),
        message({}),
        message({"text": "of no type"}),
        message({"type": "text"}),
        message({"type": "text", "text": None}),
        message({"type": "text", "text": 3}),
        message({"type": "text", "text": "a", "citations": "b"}),
        message({"type": "text", "text": "a", "citations": 3}),
        message({"type": "thinking", "signature": "s"}),
        message({"type": "tool_use", "name": "n"}),
        *(message({"type": "tool_use", "input": empty}) for empty in EMPTY),
        message(usage=None),
        message(usage=[]),
        message(usage={}),
        message(usage={"input_tokens": 3}),
    ],
    ids=str,
)
def test_a_message_that_a_stream_would_tell_otherwise_isnt_told(told: Message) -> None:
    assert stream_of(told) is None


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_json_has_no_name_for_isnt_told(number: str) -> None:
    call = message({"type": "tool_use", "id": "t", "name": "n", "input": {"x": json.loads(number)}})
    assert stream_of(call) is None
    assert stream_of(message(usage={"input_tokens": 1, "output_tokens": 1, "cost": json.loads(number)})) is None


def test_a_message_that_is_nested_too_deep_to_be_written_isnt_told() -> None:
    deep: Any = {}
    for _ in range(2_000):
        deep = {"a": deep}
    assert stream_of(message({"type": "tool_use", "id": "t", "name": "n", "input": deep})) is None


def test_a_fallback_is_told_only_where_the_message_names_the_model_that_went_on() -> None:
    block = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    assert stream_of(message(block, model="a")) is None
    assert message_in(stream_of_all(message(block, model="b"))) == message(block, model="b")


# Recorded streams


@pytest.mark.parametrize("name", COMPLETE)
def test_the_message_in_a_recorded_stream_is_the_sdks(as_the_sdk_reads: Read, name: str) -> None:
    told = message_in(STREAMS[name])
    assert told is not None
    assert as_the_sdk_reads(STREAMS[name]) == as_the_sdk_reads(json.dumps(told).encode())


@pytest.mark.parametrize("name", COMPLETE)
def test_a_recorded_stream_can_be_told_anew_from_its_message(as_the_sdk_reads: Read, name: str) -> None:
    told = message_in(STREAMS[name])
    assert told is not None
    assert as_the_sdk_reads(stream_of_all(told)) == as_the_sdk_reads(STREAMS[name])


@pytest.mark.parametrize(
    "stream", [STREAMS["overloaded"], b"", b"\n\n", b"data: {}\n\n", b"{}", b"event: message_stop\n\n"]
)
def test_what_is_no_whole_stream_has_no_message(stream: bytes) -> None:
    assert message_in(stream) is None


# Its pace


def kept(stream: bytes, *pace: tuple[float, int]) -> KeptAnswer:
    return KeptAnswer("mhc_1", "d", (), None, "", "", "", "m", "u", 0.0, b"{}", stream, pace, Usage(), 0)


PIECES = st.lists(st.tuples(st.floats(-1, 100), st.binary(min_size=1, max_size=5)), max_size=6)


@settings(max_examples=40)
@given(PIECES)
def test_a_stream_at_its_pace_is_the_same_stream_in_the_same_pieces(pieces: list[tuple[float, bytes]]) -> None:
    stream = b"".join(data for _, data in pieces)
    told = list(paced(kept(stream, *((at, len(data)) for at, data in pieces))))
    assert [data for _, data in told] == [data for _, data in pieces]
    assert all(0 <= pause <= LONGEST_PAUSE for pause, _ in told)


@settings(max_examples=40)
@given(st.binary(max_size=20), st.lists(st.tuples(st.floats(0, 100), st.integers(0, 9)), max_size=4))
def test_no_byte_is_lost_or_told_twice_whatever_the_pace_says(stream: bytes, pace: list[tuple[float, int]]) -> None:
    assert b"".join(data for _, data in paced(kept(stream, *pace))) == stream


def test_pauses_are_those_between_the_pieces_up_to_the_longest() -> None:
    told = paced(kept(b"abcde", (0.0, 1), (0.5, 1), (0.5, 1), (90.5, 1), (90.0, 1)))
    assert list(told) == [(0.0, b"a"), (0.5, b"b"), (0.0, b"c"), (LONGEST_PAUSE, b"d"), (0.0, b"e")]


def test_an_answer_that_was_no_stream_comes_at_once() -> None:
    assert list(paced(kept(b"abc"))) == [(0.0, b"abc")]
    assert list(paced(kept(b""))) == []
