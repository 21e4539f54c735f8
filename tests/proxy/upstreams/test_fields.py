"""Fields that clouds don't take: what is left out, what is refused by name, and which betas go on."""

import datetime
import tomllib
from typing import Any, Literal

import pytest

from mcp_hub.proxy.upstreams.fields import TABLE, Fields
from mcp_hub.proxy.wire import BadRequestError

Kind = Literal["bedrock", "vertex"]
BOTH: tuple[Kind, Kind] = ("bedrock", "vertex")

PLAIN = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("kind", BOTH)
def test_a_section_says_when_and_from_where_it_is(kind: Kind) -> None:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))[kind]
    assert isinstance(table["date"], datetime.date)
    assert len(table["source"]) > 50


@pytest.mark.parametrize("kind", BOTH)
def test_no_name_stands_twice_or_in_two_lists(kind: Kind) -> None:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))[kind]
    names = [*table["left_out"], *table["refused"], *table["betas_left_out"], *table["betas_instead"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", BOTH)
def test_an_ordinary_request_stays_as_it_is(kind: Kind) -> None:
    tools = [{"name": "look", "input_schema": {}}, {"type": "custom", "name": "now"}, {"type": "bash_20250124"}]
    request = {**PLAIN, "tools": tools, "thinking": {"type": "adaptive"}, "context_management": {"edits": []}}
    assert Fields.shipped(kind).changes(request) == {}


def test_what_changes_no_answer_is_left_out() -> None:
    request = {**PLAIN, "metadata": {"user_id": "me"}, "service_tier": "auto", "speed": "fast"}
    assert Fields.shipped("bedrock").changes(request) == {"metadata": None, "service_tier": None, "speed": None}
    assert Fields.shipped("vertex").changes(request) == {"service_tier": None, "speed": None}


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "asked",
    [
        {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "one"}]},
        {"container": {"skills": [{"skill_id": "pdf"}]}},
        {"inference_geo": "us"},
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_by_name(kind: Kind, asked: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match=rf"^{next(iter(asked))}: (Amazon Bedrock|Vertex AI) doesn't have this"):
        Fields.shipped(kind).changes({**PLAIN, **asked})


@pytest.mark.parametrize("kind", BOTH)
def test_an_empty_one_asks_for_nothing(kind: Kind) -> None:
    assert Fields.shipped(kind).changes({**PLAIN, "mcp_servers": [], "container": None}) == {
        "mcp_servers": None,
        "container": None,
    }


@pytest.mark.parametrize(
    "type", ["web_search_20250305", "web_fetch_20260209", "code_execution_20250825", "mcp_toolset", "advisor_20260301"]
)
def test_a_tool_that_nobody_runs_there_is_refused_with_its_place(type: str) -> None:
    tools = [{"name": "look", "input_schema": {}}, {"type": type, "name": "it"}]
    with pytest.raises(BadRequestError, match=rf"^tools\.1\.type: Amazon Bedrock doesn't run .*'{type}'"):
        Fields.shipped("bedrock").changes({**PLAIN, "tools": tools})


def test_vertex_searches_the_web() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    assert Fields.shipped("vertex").changes({**PLAIN, "tools": tools}) == {}


@pytest.mark.parametrize("tools", [None, "x", [None, 1, {"type": 1}]])
def test_tools_that_are_none_are_the_endpoints_matter(tools: object) -> None:
    assert Fields.shipped("bedrock").changes({**PLAIN, "tools": tools}) == {}


def test_betas_of_header_and_body_are_one_list() -> None:
    headers = [("Anthropic-Beta", "effort-2025-11-24, context-1m-2025-08-07"), ("anthropic-beta", "a,,b"), ("x", "y")]
    request = {**PLAIN, "anthropic_beta": ["context-1m-2025-08-07", "c"]}
    betas = Fields.shipped("bedrock").betas(headers, request)
    assert betas == ["effort-2025-11-24", "context-1m-2025-08-07", "a", "b", "c"]


def test_betas_that_do_nothing_there_are_left_out_and_others_have_their_name_there() -> None:
    headers = [("anthropic-beta", "oauth-2025-04-20,advanced-tool-use-2025-11-20,claude-code-20250219")]
    request = {**PLAIN, "anthropic_beta": ["fast-mode-2026-02-01", "tool-search-tool-2025-10-19"]}
    assert Fields.shipped("bedrock").betas(headers, request) == ["tool-search-tool-2025-10-19"]


@pytest.mark.parametrize("betas", ["a", {"a": 1}, [1], ["a", None]])
def test_betas_that_are_no_list_of_texts_are_refused(betas: object) -> None:
    with pytest.raises(BadRequestError, match=r"^anthropic_beta: must be a list of texts\.$"):
        Fields.shipped("bedrock").changes({**PLAIN, "anthropic_beta": betas})
