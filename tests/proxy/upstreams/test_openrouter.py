"""OpenRouter: what is sent there, streams as clients get them, and a count that isn't to be had."""

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anthropic import APIStatusError, AsyncAnthropic

from fixtures.broken_streams import CALL, DEFECTS, NOW, SPELT, USAGE
from fixtures.openrouter_server import STREAMS, OpenRouterServer
from mcp_hub.proxy.upstreams import openrouter as module
from mcp_hub.proxy.upstreams.compatible import Compatible
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.openrouter import OpenRouter
from mcp_hub.proxy.upstreams.upstream import BrokenError, Reply, Upstream
from tests.proxy.conftest import KEY, Serving
from tests.proxy.readers import as_claude_code_reads, is_legal
from tests.support import served

pytestmark = pytest.mark.anyio

SECRET = "sk-or-v1-of-the-tests"
MODEL = "anthropic/claude-sonnet-4.6"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenRouterServer]:
    with served(OpenRouterServer(SECRET)) as server:
        yield server


@asynccontextmanager
async def upstream(
    server: OpenRouterServer, kind: type[OpenRouter | Compatible] = OpenRouter
) -> AsyncIterator[Upstream]:
    connection = Connection("openrouter", server.url, ssl.create_default_context())
    opened = kind(server.url, ("authorization", f"Bearer {SECRET}"), connection)
    try:
        yield opened
    finally:
        await opened.close()


def asked(word: str, **fields: Any) -> bytes:
    return json.dumps(
        {"model": MODEL, "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": word}], **fields}
    ).encode()


async def whole(reply: Reply) -> bytes:
    return b"".join([piece async for piece in reply.body])


async def streamed(url: str, word: str, token: str = KEY) -> tuple[str, list[dict[str, Any]]]:
    """What the SDK's helper tells of a tool's arguments as they come, and the message's blocks at its end."""
    async with AsyncAnthropic(base_url=url, auth_token=token, max_retries=0) as client:
        said: list[Any] = [{"role": "user", "content": word}]
        async with client.messages.stream(model=MODEL, max_tokens=99, messages=said) as stream:
            told = "".join([event.partial_json async for event in stream if event.type == "input_json"])
            return told, (await stream.get_final_message()).to_dict(warnings=False)["content"]  # type: ignore[return-value]


def routed(server: OpenRouterServer) -> dict[str, Any]:
    """Settings of a proxy in front of it."""
    return {"upstreams": [{"name": "or", "kind": "openrouter", "url": server.url, "credential": SECRET}]}


async def test_the_sdk_hears_arguments_through_the_proxy_that_it_does_not_hear_without(
    server: OpenRouterServer, proxied: Serving
) -> None:
    async with proxied(**routed(server)) as running:
        told, content = await streamed(running.url, "arguments at the start")
    assert told == SPELT
    assert content == [CALL, NOW]
    assert (await streamed(server.url, "arguments at the start", SECRET))[0] == ""


@pytest.mark.parametrize(
    "word",
    ["an object for a piece", "two blocks of one number", "numbers with a gap", "text and ends of what never began"],
)
async def test_the_sdk_reads_streams_that_it_fails_on_without_the_proxy(
    server: OpenRouterServer, proxied: Serving, word: str
) -> None:
    async with proxied(**routed(server)) as running:
        assert (await streamed(running.url, word))[1] == list(DEFECTS[word].content)
    content: object = None
    try:
        content = (await streamed(server.url, word, SECRET))[1]
    except Exception as error:
        content = type(error).__name__
    assert content != list(DEFECTS[word].content)


@pytest.mark.parametrize("word", DEFECTS)
async def test_every_defect_is_repaired_on_its_way(server: OpenRouterServer, word: str) -> None:
    async with upstream(server) as opened:
        got = await whole(await opened.send("POST", "/v1/messages?beta=true", [], asked(word)))
    assert is_legal(got)
    assert as_claude_code_reads(got) == list(DEFECTS[word].content)


@pytest.mark.parametrize("word", ["legal", *(word for word in STREAMS if word not in DEFECTS)])
async def test_all_other_streams_pass_byte_for_byte(server: OpenRouterServer, word: str) -> None:
    got = []
    for kind in (OpenRouter, Compatible):
        async with upstream(server, kind) as opened:
            got.append(await whole(await opened.send("POST", "/v1/messages", [], asked(word))))
    assert got[0] == got[1]


async def test_a_stream_that_may_change_has_no_length(server: OpenRouterServer) -> None:
    async with upstream(server) as opened:
        reply = await opened.send("POST", "/v1/messages", [], asked("arguments at the start | length"))
        assert reply.header("content-length") == ""
        assert is_legal(await whole(reply))


async def test_what_it_had_when_it_broke_off_goes_out_before_that_is_told() -> None:
    begun = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    held = begun + b'{"type":"tool_use","id":"a","name":"b","input":{"c":1}}}\n\n'

    async def breaking() -> AsyncIterator[bytes]:
        yield held + b"event: content"
        raise BrokenError("It broke.")

    pieces = module._repaired(breaking())
    assert await anext(pieces) == held + b"event: content"
    with pytest.raises(BrokenError):
        await anext(pieces)


async def test_its_key_goes_as_a_bearer_and_headers_of_its_own_pass_both_ways(
    server: OpenRouterServer, proxied: Serving
) -> None:
    own = {"HTTP-Referer": "https://example.com", "X-Title": "tests", "X-OpenRouter-Metadata": "enabled"}
    async with proxied(**routed(server)) as running, running.client() as client:
        answer = await client.with_options(default_headers=own).messages.with_raw_response.create(
            model=MODEL, max_tokens=99, messages=[{"role": "user", "content": "legal"}]
        )
    sent = server.requests[-1][1]
    assert {name: sent[name.lower()] for name in own} == own
    assert sent["authorization"] == f"Bearer {SECRET}"
    assert "x-api-key" not in sent
    assert (answer.headers["x-openrouter-provider"], answer.headers["x-generation-id"]) == ("Google", "gen-1")
    told: Any = await answer.json()
    assert told["usage"] == USAGE


async def test_fields_of_its_own_pass_with_the_request(server: OpenRouterServer) -> None:
    routing = {"provider": {"order": ["Anthropic"]}, "models": [MODEL], "session_id": "s"}
    async with upstream(server) as opened:
        assert opened.changes(json.loads(asked("legal", **routing))) == {}
        (await opened.send("POST", "/v1/messages", [], asked("legal", **routing))).close()
    assert routing.items() <= server.requests[-1][2].items()


async def test_tokens_are_not_counted_there_and_that_is_told_as_the_api_would(server: OpenRouterServer) -> None:
    before = len(server.requests)
    async with upstream(server) as opened:
        reply = await opened.send("POST", "/v1/messages/count_tokens?beta=true", [], asked("legal"))
        body = json.loads(await whole(reply))
        reply.close()
    assert (reply.status, body["error"]["type"]) == (404, "not_found_error")
    assert len(server.requests) == before


async def test_input_that_is_told_at_the_end_alone_is_what_is_charged(
    server: OpenRouterServer, proxied: Serving
) -> None:
    async with proxied(**routed(server)) as running:
        await streamed(running.url, "legal")
        (row,) = running.spent("model")
    assert (row.usage.input, row.usage.output) == (USAGE["input_tokens"], USAGE["output_tokens"])
    assert row.dollars == 31 * 3_000 + 12 * 15_000  # the list's prices for claude-sonnet-4-6


async def test_an_error_of_its_own_shape_passes_as_it_came(server: OpenRouterServer) -> None:
    connection = Connection("openrouter", server.url, ssl.create_default_context())
    opened = OpenRouter(server.url, ("x-api-key", "another"), connection)
    reply = await opened.send("POST", "/v1/messages", [], asked("legal"))
    assert (reply.status, json.loads(await whole(reply))["error"]["code"]) == (401, 401)
    await opened.close()


async def test_a_budget_without_room_for_the_bound_refuses_though_nobody_can_count(
    server: OpenRouterServer, proxied: Serving
) -> None:
    limit = {"token_limit": 60, "token_limit_duration": "1d"}
    budgets = {"budgets": {"key": {"ci": limit}}, "when_too_large": "refuse"}
    async with proxied(**routed(server), **budgets) as running, running.client() as client:
        with pytest.raises(APIStatusError) as refused:
            await client.messages.create(model=MODEL, max_tokens=50, messages=[{"role": "user", "content": "legal"}])
    assert refused.value.status_code == 402
