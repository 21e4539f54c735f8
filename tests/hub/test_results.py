"""What a program gets for a tool's result."""

import base64
import json
from typing import Any

import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.hub.results import error_text, from_text, to_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def text(content: str) -> types.TextContent:
    return types.TextContent(text=content)


def result(*content: types.ContentBlock, structured: Any = None) -> types.CallToolResult:
    return types.CallToolResult(content=list(content), structured_content=structured)


# Structured results


@pytest.mark.parametrize("structured", [{"total": 3}, {}, {"a": None}, [1, 2], 0, False, "", {"result": 1, "next": 2}])
def test_structured_content_is_the_value_whatever_the_text_says(structured: Any) -> None:
    assert to_value(result(text("something else"), structured=structured)) == structured


@pytest.mark.parametrize("inner", [[1, 2], {"a": 1}, None, 3, "plain", "42", {"result": 1}])
def test_a_one_field_wrapper_is_opened_once(inner: Any) -> None:
    assert to_value(result(text("x"), structured={"result": inner})) == inner


@pytest.mark.parametrize(
    ("inner", "value"), [('{"a": 1}', {"a": 1}), ("[1]", [1]), ("42", "42"), ("{'a': 1}", "{'a': 1}")]
)
def test_a_json_text_inside_the_wrapper_is_what_it_stands_for(inner: str, value: Any) -> None:
    assert to_value(result(structured={"result": inner})) == value


def test_a_json_text_in_any_other_field_stays_text() -> None:
    assert to_value(result(structured={"body": "[1]"})) == {"body": "[1]"}


# Texts


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("[1, 2]", [1, 2]),
        ("  \n[]\n ", []),
        ("{}", {}),
        ('{"n": 12345678901234567890123}', {"n": 12345678901234567890123}),
    ],
)
def test_a_text_that_is_a_json_object_or_array_is_what_it_stands_for(content: str, value: Any) -> None:
    assert to_value(result(text(content))) == value


@pytest.mark.parametrize(
    "content",
    [
        *("42", "007", "1e5", "true", "null", '"quoted"', "", "  padded  ", "plain words"),
        *("{'a': 1}", "[1, 2", "{not json}", "[see below]", "{} {}", '{"a": 1}\n{"a": 2}'),
        pytest.param("[" * 100_000 + "]" * 100_000, id="nested too deep"),
        pytest.param(f"[{'9' * 5_000}]", id="a number too long"),
    ],
)
def test_any_other_text_stays_as_it_is_digits_included(content: str) -> None:
    assert to_value(result(text(content))) == content


@given(st.text())
def test_a_text_becomes_an_object_an_array_or_stays(content: str) -> None:
    value = from_text(content)
    assert value == content or isinstance(value, dict | list)


@given(st.lists(JSON, max_size=4) | st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_a_json_text_comes_back_as_the_value_that_was_written(value: Any) -> None:
    assert from_text(json.dumps(value)) == value
    assert from_text(json.dumps(value, indent=2, ensure_ascii=False)) == value


# What isn't text


def test_an_image_becomes_a_small_description() -> None:
    data = base64.b64encode(b"x" * 30_000).decode()
    value = to_value(result(types.ImageContent(data=data, mime_type="image/png")))
    assert value == {"type": "image", "mimeType": "image/png", "bytes": 30_000}


def test_a_sound_becomes_a_small_description() -> None:
    value = to_value(result(types.AudioContent(data="AAAA", mime_type="audio/wav")))
    assert value == {"type": "audio", "mimeType": "audio/wav", "bytes": 3}


def test_data_that_isnt_base64_is_counted_as_it_is() -> None:
    value = to_value(result(types.ImageContent(data="A", mime_type="image/png")))
    assert value == {"type": "image", "mimeType": "image/png", "bytes": 1}


def test_a_blob_becomes_a_small_description() -> None:
    blob = types.BlobResourceContents(uri="file:///a.zip", mime_type="application/zip", blob="AAAA")
    assert to_value(result(types.EmbeddedResource(resource=blob))) == {
        "type": "blob",
        "uri": "file:///a.zip",
        "mimeType": "application/zip",
        "bytes": 3,
    }


@pytest.mark.parametrize(("content", "value"), [("plain", "plain"), ('{"a": 1}', {"a": 1}), ("42", "42")])
def test_an_embedded_text_is_read_as_any_text(content: str, value: Any) -> None:
    resource = types.TextResourceContents(uri="file:///a", text=content)
    assert to_value(result(types.EmbeddedResource(resource=resource))) == value


def test_a_link_is_told_by_its_address_and_name() -> None:
    link = types.ResourceLink(uri="file:///a", name="a", description="long " * 50)
    assert to_value(result(link)) == {"type": "resource_link", "uri": "file:///a", "name": "a"}


# None, or several


def test_no_content_is_none() -> None:
    assert to_value(result()) is None


def test_several_blocks_become_a_list_in_their_order() -> None:
    blocks = (text("a"), text("[1]"), types.ImageContent(data="AAAA", mime_type="image/png"))
    assert to_value(result(*blocks)) == ["a", [1], {"type": "image", "mimeType": "image/png", "bytes": 3}]


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_no_base64_enters_a_program(parts: list[bytes]) -> None:
    blocks = [
        types.ImageContent(data=base64.b64encode(b"secret" + part).decode(), mime_type="image/png") for part in parts
    ]
    assert base64.b64encode(b"secret").decode() not in json.dumps(to_value(result(*blocks)))


# Failures


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (result(text("it is locked")), "it is locked"),
        (result(text("first"), text("second\n")), "first\nsecond"),
        (result(text("it is locked"), structured={"code": 7}), "it is locked"),
        (result(structured={"code": 7, "reason": "größer"}), '{"code": 7, "reason": "größer"}'),
        (result(text("  ")), "no reason was given"),
        (result(), "no reason was given"),
        (result(types.ImageContent(data="AAAA", mime_type="image/png")), "no reason was given"),
    ],
)
def test_a_failure_says_what_the_tool_said(failed: types.CallToolResult, said: str) -> None:
    assert error_text(failed) == said
