"""Requests on the wire: the fields that matter are read, changes touch nothing else, errors have the API's shape."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.wire import STATUS, BadRequestError, MessagesRequest, error_body, error_event

SESSION = "123e4567-e89b-12d3-a456-426614174000"
CLAUDE_CODE = """{ "model":"claude-sonnet-4-5", "messages" : [
  {"role":"user","content":[{"type":"text","text":"model: \\u00e9 \\"max_tokens\\": 1, é 你好",
   "cache_control":{"type":"ephemeral"}}]},
  {"role":"system","content":"Mind the gap."}],\t"max_tokens":128000,
"thinking":{"type":"enabled","budget_tokens":31999},"temperature":1.0e0,"stream":true,
 "metadata":{"user_id":"{\\"device_id\\":\\"d\\",\\"account_uuid\\":\\"\\",\\"session_id\\":\\"123e4567-e89b-12d3-a456-426614174000\\"}"}
 ,"x_unknown":{"b":1,"a":[]} }
"""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["stream", "thinking", "temperature", 'a"b\\', "é", "x", ""]) | st.text(max_size=4)
OBJECTS = st.builds(
    lambda front, back, tokens: {**front, "model": "m", **back, "max_tokens": tokens},
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.integers(0, 10**6),
)
SOME = settings(max_examples=50)
SPACES = st.text(" \t\n\r", max_size=2)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[list[tuple[str, str, Any]], str]:
    """A body in any spelling: its members as (text of the key, text of the value, the key), and the whole text."""
    members = []
    for name, value in draw(OBJECTS).items():
        ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, 1]))
        key = json.dumps(name, ensure_ascii=ascii_only) + draw(SPACES) + ":" + draw(SPACES)
        members.append((key, json.dumps(value, ensure_ascii=ascii_only, indent=indent), name))
    between = [draw(SPACES) + "," + draw(SPACES) for _ in members[1:]]
    front, back = draw(SPACES) + "{" + draw(SPACES), draw(SPACES) + "}" + draw(SPACES)
    joined = "".join(comma + key + value for comma, (key, value, _) in zip(["", *between], members, strict=True))
    return members, front + joined + back


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 1, **fields}).encode()


def read_or_refused(text: str) -> object:
    """The fields that are read of a JSON text, unless a key stands twice in it or a needed field is spoilt."""
    try:
        return MessagesRequest.parse(text.encode()).json
    except BadRequestError as error:
        return "refused for another reason" if error.field or "stands twice" in error.text else error.text


def problem(sent: bytes) -> str:
    with pytest.raises(BadRequestError) as caught:
        MessagesRequest.parse(sent)
    return caught.value.text


def test_a_request_of_claude_code_is_read() -> None:
    request = MessagesRequest.parse(CLAUDE_CODE.encode())
    assert (request.model, request.max_tokens, request.stream) == ("claude-sonnet-4-5", 128_000, True)
    assert (request.session, request.thinking_budget) == (SESSION, 31_999)
    assert request.body == CLAUDE_CODE.encode()
    assert request.json == json.loads(CLAUDE_CODE)


def test_a_request_shows_nothing_of_what_was_asked_when_it_is_logged() -> None:
    assert repr(MessagesRequest.parse(body(system="secret"))) == snapshot(
        "MessagesRequest(model='m', max_tokens=1, stream=False, session=None, thinking_budget=None)"
    )


def test_what_a_request_leaves_out_is_off() -> None:
    request = MessagesRequest.parse(body())
    assert (request.stream, request.session, request.thinking_budget) == (False, None, None)


@pytest.mark.parametrize("stream", [False, None, 1, "true"])
def test_only_true_asks_for_a_stream(stream: object) -> None:
    assert MessagesRequest.parse(body(stream=stream)).stream is False


@pytest.mark.parametrize(
    "user_id",
    [
        json.dumps({"device_id": "d", "account_uuid": "", "session_id": SESSION, "later": True}),
        f"user_{'a1' * 32}_account__session_{SESSION}",
        f"user_{'a1' * 32}_account_{'0' * 8}-0000-0000-0000-{'0' * 12}_session_{SESSION}",
    ],
)
def test_the_session_is_found_in_each_form_that_claude_code_has_had(user_id: str) -> None:
    assert MessagesRequest.parse(body(metadata={"user_id": user_id})).session == SESSION


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        {},
        {"user_id": 7},
        {"user_id": "ada"},
        {"user_id": "x_session_1"},
        {"user_id": f"_session_{SESSION}\n"},
        {"user_id": "{"},
        {"user_id": "[]"},
        {"user_id": "[" * 5000},
        {"user_id": '{"session_id": 7}'},
        {"user_id": '{"session_id": ""}'},
        {"user_id": r'{"session_id": "a\nb"}'},
        {"user_id": r'{"session_id": "\ud800"}'},
        {"user_id": json.dumps({"session_id": "s" * 201})},
    ],
)
def test_other_metadata_has_no_session(metadata: object) -> None:
    assert MessagesRequest.parse(body(metadata=metadata)).session is None


@pytest.mark.parametrize(
    "thinking", [None, "on", {}, {"type": "adaptive"}, {"budget_tokens": True}, {"budget_tokens": "9"}]
)
def test_thinking_without_a_budget_has_none(thinking: object) -> None:
    assert MessagesRequest.parse(body(thinking=thinking)).thinking_budget is None


def test_no_tokens_may_be_asked_for_since_that_warms_the_prompt_cache() -> None:
    assert MessagesRequest.parse(body(max_tokens=0)).max_tokens == 0


def test_a_request_to_count_tokens_needs_a_model_only() -> None:
    assert MessagesRequest.parse(b'{"model":"m"}', counts_tokens=True).max_tokens == 0
    with pytest.raises(BadRequestError, match="model"):
        MessagesRequest.parse(b"{}", counts_tokens=True)


@pytest.mark.parametrize("model", [None, "", 7, ["m"], "a\r\nset-cookie: b", "\ud800"])
def test_a_model_must_be_text_that_can_stand_in_a_header_and_a_log(model: object) -> None:
    assert problem(body(model=model)) == snapshot("model: must be given: the name of a model.")


@pytest.mark.parametrize("tokens", [None, -1, 1.0, "1", True, 10**9 + 1])
def test_max_tokens_must_be_a_count(tokens: object) -> None:
    assert problem(body(max_tokens=tokens)) == snapshot(
        "max_tokens: must be given: a whole number of tokens, 0 or more."
    )


@pytest.mark.parametrize(
    "sent",
    [b"", b"[]", b'"x"', b"null", b"{", b'{"model"}', b'{"model":}', b'{"model":"m",}', b"{,}", b'{"a":1 "b":2}'],
)
def test_what_is_no_json_object_is_told_as_that(sent: bytes) -> None:
    assert problem(sent).startswith("The request body is not a valid JSON object: ")


def test_a_problem_says_where_it_is() -> None:
    told = [
        problem(b'{"model": "m", "max_tokens": 1,}'),
        problem(body() + b" {}"),
        problem(b'{"model": "m", "max_tokens": NaN}'),
        problem(b'{"model": "\xff"}'),
        problem(b'{"model": ' + b"[" * 100_000),
    ]
    assert told == snapshot(
        [
            "The request body is not a valid JSON object: Expecting '\"': line 1 column 32 (char 31).",
            "The request body is not a valid JSON object: Extra data: line 1 column 33 (char 32).",
            "The request body is not a valid JSON object: NaN is none of its numbers.",
            "The request body is not UTF-8 text: see byte 11.",
            "The request body is nested too deep.",
        ]
    )


@pytest.mark.parametrize(
    "sent",
    [
        b'{"model":"cheap","max_tokens":1,"model":"dear"}',
        rb'{"model":"cheap","max_tokens":1,"mod\u0065l":"dear"}',
        b'{"model":"m","max_tokens":1,"tools":[{"max_uses":1,"max_uses":99}]}',
    ],
)
def test_a_key_that_stands_twice_is_refused_since_the_upstream_might_read_the_other_one(sent: bytes) -> None:
    assert "stands twice in one object" in problem(sent)


@SOME
@given(bodies())
def test_any_spelling_of_an_object_is_read_as_the_json_module_reads_it(drawn: tuple[Any, str]) -> None:
    request = MessagesRequest.parse(drawn[1].encode())
    assert request.json == json.loads(drawn[1])
    assert request.changed() == drawn[1].encode()
    assert request.changed(model="m") == drawn[1].encode()


@SOME
@given(
    bodies(),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(['"', "{", "}", ",", ":", "[", "\\", "0", "x", ""]))),
)
def test_what_the_json_module_refuses_is_refused(drawn: tuple[Any, str], edits: list[tuple[int, str]]) -> None:
    text = drawn[1]
    for place, mark in edits:
        at = place % len(text) if text else 0
        text = text[:at] + mark + text[at + 1 :]
    try:
        fields = json.loads(text)
    except ValueError:
        assert "not a valid JSON object" in problem(text.encode())
    else:
        assert not isinstance(fields, dict) or read_or_refused(text) in (fields, "refused for another reason")


@SOME
@given(bodies(), st.dictionaries(NAMES | st.sampled_from(["model", "max_tokens"]), VALUES, max_size=3))
def test_a_change_sets_its_fields_and_leaves_the_others_as_they_are_written(
    drawn: tuple[list[tuple[str, str, str]], str], changes: dict[str, Any]
) -> None:
    members, text = drawn
    request = MessagesRequest.parse(text.encode())
    changed = request.changed(**changes).decode()
    expected = {
        name: value for name, value in {**request.json, **changes}.items() if changes.get(name, ...) is not None
    }
    assert json.loads(changed) == expected
    assert list(json.loads(changed)) == list(expected)
    at = 0
    for key, value, name in members:
        if name not in changes:
            at = changed.index(key + value, at) + len(key + value)


def test_a_changed_request_differs_in_the_changed_values_only() -> None:
    request = MessagesRequest.parse(CLAUDE_CODE.encode())
    changed = request.changed(model="claude-opus-4-5", max_tokens=64_000)
    assert changed.decode() == CLAUDE_CODE.replace('"claude-sonnet-4-5"', '"claude-opus-4-5"').replace(
        "128000", "64000"
    )


def test_fields_are_taken_out_with_one_comma_wherever_they_stand() -> None:
    request = MessagesRequest.parse(b'{ "a": 1 , "model":"m",\n"b":2,"max_tokens":3 , "c":4 }')
    assert request.changed(a=None) == b'{ "model":"m",\n"b":2,"max_tokens":3 , "c":4 }'
    assert request.changed(b=None) == b'{ "a": 1 , "model":"m","max_tokens":3 , "c":4 }'
    assert request.changed(c=None) == b'{ "a": 1 , "model":"m",\n"b":2,"max_tokens":3 }'
    assert request.changed(d=None) == request.body
    assert request.changed(a=None, b=None, c=None, model=None, max_tokens=None) == b"{  }"
    assert request.changed(a=None, b=None, c=None, model=None, max_tokens=None, d=[True]) == b'{ "d":[true] }'
    assert (
        request.changed(d={"é": 1})
        == rb'{ "a": 1 , "model":"m",' + b'\n"b":2,"max_tokens":3 , "c":4,' + rb'"d":{"\u00e9":1} }'
    )


def test_a_value_that_only_python_takes_for_the_same_is_changed() -> None:
    request = MessagesRequest.parse(body(stream=1, temperature=1.0))
    assert request.changed(stream=True, temperature=1) == body(stream=True, temperature=1)


def test_an_error_has_the_apis_shape() -> None:
    assert error_body("billing_error", 'The budget "é"', "req_1") == snapshot(
        b'{"type":"error","error":{"type":"billing_error","message":"The budget \\"\\u00e9\\""},"request_id":"req_1"}'
    )
    assert error_body("api_error", "x") == snapshot(b'{"type":"error","error":{"type":"api_error","message":"x"}}')


def test_an_error_in_a_stream_is_one_event_of_one_line() -> None:
    sent = error_event("api_error", "The upstream broke off:\n\nevent: x")
    (event,) = SseParser().feed(sent)
    assert (event.event, event.raw) == ("error", sent)
    assert json.loads(event.data) == {
        "type": "error",
        "error": {"type": "api_error", "message": "The upstream broke off:\n\nevent: x"},
    }


def test_a_bad_request_has_its_types_status() -> None:
    assert BadRequestError("is empty.").status == STATUS["invalid_request_error"] == 400
