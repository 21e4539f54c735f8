"""The most that a request can be billed: what isn't text has its allowance, and no bound is below what is billed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.bounds import (
    CONTEXT_WINDOW,
    IMAGE_TOKENS,
    REQUEST_TOKENS,
    SEARCH_TOKENS,
    SERVER_ROUNDS,
    TOOL_PROMPT_TOKENS,
    TYPED_TOOL_TOKENS,
    uncountable,
    worst_case,
)
from mcp_hub.proxy.pricing import Usage

MODEL = {"model": "claude-opus-5", "max_tokens": 1_000}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" * 1_000}
IMAGE = {"type": "image", "source": PNG}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x" * 100}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def user(*content: Any) -> dict[str, Any]:
    return {**MODEL, "messages": [{"role": "user", "content": list(content)}]}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def size_of(request: dict[str, Any]) -> int:
    return len(json.dumps(request, ensure_ascii=False).encode())


def bound(request: dict[str, Any]) -> Usage:
    return worst_case(request, size_of(request))


def test_plain_text_is_at_most_a_token_a_byte() -> None:
    request = user(text("how are you?"))
    assert bound(request) == Usage(input=size_of(request) + REQUEST_TOKENS, output=1_000)


@given(st.text(min_size=1), st.booleans())
def test_text_is_never_bounded_below_its_bytes_however_it_is_escaped_or_normalized(words: str, ascii_: bool) -> None:
    request = user(text(words))
    size = len(json.dumps(request, ensure_ascii=ascii_).encode("utf-8", "surrogatepass"))
    assert worst_case(request, size).input >= len(words.encode("utf-8", "surrogatepass"))


def test_text_that_grows_under_nfkc_counts_as_grown() -> None:
    request = user(text("\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 1_000))
    assert bound(request).input == size_of(request) + REQUEST_TOKENS + 30_000


@pytest.mark.parametrize(
    ("where", "ttl", "kind"),
    [
        ("block", None, "cache_write_5m"),
        ("block", "5m", "cache_write_5m"),
        ("block", "1h", "cache_write_1h"),
        ("system", "1h", "cache_write_1h"),
        ("tool", "1h", "cache_write_1h"),
        ("top", None, "cache_write_5m"),
    ],
)
def test_the_whole_prompt_may_be_written_to_the_cache_once_a_part_is(where: str, ttl: str | None, kind: str) -> None:
    control = {"cache_control": {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}}
    places: dict[str, dict[str, Any]] = {
        "block": user(text("hello", **control)),
        "system": {**user(text("hello")), "system": [text("be kind", **control)]},
        "tool": {**user(text("hello")), "tools": [{"name": "f", "input_schema": {}, **control}]},
        "top": {**user(text("hello")), **control},
    }
    request = places[where]
    counts = vars(bound(request))
    assert counts[kind] >= size_of(request)
    assert counts["input"] == 0


def test_one_block_of_an_hour_makes_all_of_it_an_hours() -> None:
    request = user(
        text("a", cache_control={"type": "ephemeral", "ttl": "1h"}), text("b", cache_control={"type": "ephemeral"})
    )
    assert bound(request) == Usage(cache_write_1h=size_of(request) + REQUEST_TOKENS, output=1_000)


@pytest.mark.parametrize(
    "content",
    [IMAGE, {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}],
    ids=["block", "tool_result"],
)
def test_an_image_counts_by_the_table_and_not_by_its_bytes(content: dict[str, Any]) -> None:
    request = user(content)
    assert bound(request).input == size_of(request) - len(str(PNG["data"])) + REQUEST_TOKENS + IMAGE_TOKENS


@pytest.mark.parametrize(
    "source", [{"type": "url", "url": "https://example.com/a.png"}, {"type": "file", "file_id": "f"}]
)
def test_an_image_elsewhere_counts_by_the_table(source: dict[str, str]) -> None:
    request = user({"type": "image", "source": source})
    assert bound(request).input == size_of(request) + REQUEST_TOKENS + IMAGE_TOKENS


def test_what_only_looks_like_an_image_in_a_tools_input_counts_as_text_too() -> None:
    request = user({"type": "tool_use", "id": "t", "name": "f", "input": IMAGE})
    assert bound(request).input >= size_of(request)


@pytest.mark.parametrize(
    "source",
    [
        PDF["source"],
        {"type": "url", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "f"},
    ],
)
def test_a_document_of_unknown_length_may_fill_the_window(source: dict[str, str]) -> None:
    request = user({"type": "document", "source": source})
    assert bound(request).input == CONTEXT_WINDOW
    assert worst_case(request, size_of(request), window=200_000).input == 200_000


def test_a_document_of_text_counts_by_its_bytes() -> None:
    plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "word " * 100}}
    blocks = {"type": "document", "source": {"type": "content", "content": [text("word"), IMAGE]}}
    request, other = user(plain), user(blocks)
    assert bound(request).input == size_of(request) + REQUEST_TOKENS
    assert bound(other).input == size_of(other) - len(str(PNG["data"])) + REQUEST_TOKENS + IMAGE_TOKENS


def test_no_prompt_is_longer_than_the_window() -> None:
    assert worst_case(user(text("x")), 30_000_000) == Usage(input=CONTEXT_WINDOW, output=1_000)


def test_tools_bring_the_prompt_that_enables_them_and_typed_ones_their_definition() -> None:
    request = user(text("hello")) | {
        "tools": [
            {"name": "f", "input_schema": {"type": "object"}},
            {"type": "custom", "name": "g", "input_schema": {}},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
        ]
    }
    assert bound(request) == Usage(
        input=size_of(request) + REQUEST_TOKENS + TOOL_PROMPT_TOKENS + 2 * TYPED_TOOL_TOKENS, output=1_000
    )


@pytest.mark.parametrize("uses", [1, 3, 8, 10, 25])
def test_searches_are_read_again_in_each_round_and_bounded_by_max_uses(uses: int) -> None:
    request = user(text("news?")) | {"tools": [{**SEARCH, "max_uses": uses}]}
    prompt = size_of(request) + REQUEST_TOKENS + TOOL_PROMPT_TOKENS + TYPED_TOOL_TOKENS
    rounds = min(uses, SERVER_ROUNDS)
    brought = [uses - rounds + number for number in range(1, rounds + 1)]  # searches seen in each round after the first
    expected = prompt + sum(prompt + 1_000 + SEARCH_TOKENS * searches for searches in brought)
    assert bound(request) == Usage(cache_write_5m=expected, output=1_000, web_searches=uses)


def test_searches_without_max_uses_are_as_many_as_there_are_rounds() -> None:
    assert bound(user(text("news?")) | {"tools": [SEARCH]}).web_searches == SERVER_ROUNDS


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
        {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        {"tools": [{"type": "something_20300101", "name": "new"}]},
        {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]},
    ],
)
def test_what_a_server_tool_may_bring_is_bounded_by_the_window_in_each_round(fields: dict[str, Any]) -> None:
    request = user(text("hello")) | fields
    prompt = bound(request).prompt
    assert SERVER_ROUNDS * CONTEXT_WINDOW < prompt <= (1 + SERVER_ROUNDS) * CONTEXT_WINDOW


def test_a_fetch_with_a_limit_is_bounded_by_it() -> None:
    fetch = {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 1, "max_content_tokens": 5_000}
    request = user(text("read it")) | {"tools": [fetch]}
    prompt = size_of(request) + REQUEST_TOKENS + TOOL_PROMPT_TOKENS + TYPED_TOOL_TOKENS
    assert bound(request) == Usage(cache_write_5m=2 * prompt + 1_000 + 10_000, output=1_000)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}]},
        {"fallbacks": [{"model": "claude-opus-5"}]},
        {"context_management": {"edits": [{"type": "compact_20260112"}]}},
    ],
)
def test_what_another_model_or_answer_is_billed_for_cant_be_counted(fields: dict[str, Any]) -> None:
    expected = snapshot(
        {
            "tools": "its advisor tool asks another model, at that model's price",
            "fallbacks": "its fallbacks may have it answered by another model, at that model's price",
            "context_management": "its compaction is an answer of its own, which max_tokens doesn't bound",
        }
    )
    assert uncountable(user(text("hello")) | fields) == expected[next(iter(fields))]


def test_claude_codes_context_editing_can_be_counted() -> None:
    edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    assert uncountable(user(text("hello")) | {"context_management": edits, "tools": [SEARCH]}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "source", "content", "data", "cache_control", "ttl", "max_uses", "x"])
            | st.text(max_size=2),
            inner | st.sampled_from(["image", "document", "base64", "tool_result", "content", "1h", "web_search_1"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "tools", "system", "context_management", "mcp_servers", "max_tokens"]), JSON
    )
)
def test_no_body_is_too_odd_to_bound(request_: dict[str, Any]) -> None:
    assert worst_case(request_, size_of(request_)).prompt >= REQUEST_TOKENS
    assert uncountable(request_) is None or isinstance(uncountable(request_), str)


def test_a_body_nested_as_deep_as_json_is_read_is_bounded() -> None:
    nested: Any = text("deep")
    for _ in range(50_000):
        nested = {"type": "tool_result", "content": [nested]}
    assert worst_case(user(nested), 1_000_000).input == CONTEXT_WINDOW
