"""Vertex AI: the anthropic SDK and the proxy are answered alike, and as Anthropic would answer; what fails is told."""

import json
import logging
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import anyio
import pytest
from anthropic import AnthropicVertex, AsyncAnthropic, AsyncAnthropicVertex
from blockbuster import blockbuster_ctx

from fixtures.messages_content import BLOCKS
from fixtures.messages_server import INPUT_TOKENS, MessagesServer
from fixtures.vertex_server import ERRORS, MODEL, PROJECT, REGION, VertexServer
from mcp_hub.errors import ConfigError
from mcp_hub.proxy import wire
from mcp_hub.proxy.apart import LARGE
from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.upstreams.answers import ERROR_BYTES
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, UnreachedError
from mcp_hub.proxy.upstreams.vertex import Vertex, open_vertex, url_of
from mcp_hub.proxy.upstreams.vertex_wire import ERRORS as TYPES
from mcp_hub.proxy.wire import BadRequestError
from mcp_hub.proxy_settings import UpstreamSettings
from tests.proxy.conftest import CREDENTIAL, Serving

pytestmark = pytest.mark.anyio

TOKEN = "ya29.the-token-of-the-configuration"
TEXTS = ("say caf\u00e9 \U0001f600", *sorted(BLOCKS))

AccountFile = Callable[..., str]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def settings(url: str | None, **more: Any) -> UpstreamSettings:
    given = {"name": "google", "kind": "vertex", "url": url, "project": PROJECT, "region": REGION, **more}
    return UpstreamSettings.model_validate(given)


@asynccontextmanager
async def opened(server: VertexServer, *, file: str | None = None, **more: Any) -> AsyncIterator[Vertex]:
    """The upstream, with a file's credentials or with a token that the stand-in takes."""
    given = settings(server.url, credential_file=file, **more)
    if file is None:
        server.tokens.add(TOKEN)
    trust = ssl.create_default_context()
    connection = Connection(given.name, url_of(given), trust)
    try:
        yield open_vertex(given, None if file else TOKEN, connection, trust)
    finally:
        await connection.close()


def asking(text: str, **more: Any) -> bytes:
    request = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}
    return json.dumps(request).encode()


async def answered(
    upstream: Vertex, body: bytes, headers: Headers = (), path: str = "/v1/messages", method: str = "POST"
) -> tuple[int, dict[str, str], bytes]:
    reply = await upstream.send(method, path, headers, body)
    try:
        told = b"".join([piece async for piece in reply.body])
    finally:
        reply.close()
    return reply.status, {name.lower(): value for name, value in reply.headers}, told


async def refused(upstream: Vertex, text: str, **more: Any) -> tuple[int, str, str]:
    """The status, the type and the message of an error, which must be as Anthropic has them."""
    status, headers, body = await answered(upstream, asking(text, **more))
    value = json.loads(body)
    assert value["type"] == "error"
    assert headers["content-type"] == "application/json"
    return status, value["error"]["type"], value["error"]["message"]


def events(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in SseParser().feed(stream)]


async def of_the_sdk(client: AsyncAnthropic | AsyncAnthropicVertex, text: str) -> tuple[list[Any], dict[str, Any]]:
    """A stream's events and a whole message, as the SDK understands them; without what is made of the body's bytes."""
    ask: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    told = [event.to_dict(warnings=False) async for event in await client.messages.create(**ask, stream=True)]
    whole = (await client.messages.create(**ask)).to_dict(warnings=False)
    for message in (told[0]["message"], whole):
        del message["id"]
    return told, whole


@pytest.fixture
def through_vertex(vertex: VertexServer) -> list[dict[str, Any]]:
    """The settings of a proxy whose upstream is the stand-in."""
    vertex.tokens.add(TOKEN)

    given = {"name": "google", "kind": "vertex", "url": vertex.url, "project": PROJECT, "region": REGION}
    return [{**given, "credential": TOKEN}]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_client_of_the_proxy_has_the_same_from_vertex_as_from_anthropic(
    proxied: Serving, upstream: MessagesServer, vertex: VertexServer, through_vertex: list[dict[str, Any]], text: str
) -> None:
    async with AsyncAnthropic(base_url=upstream.url, api_key=CREDENTIAL, max_retries=0) as direct:
        expected = await of_the_sdk(direct, text)
    async with proxied(upstreams=through_vertex) as running, running.client() as through:
        assert await of_the_sdk(through, text) == expected
    place = f"{vertex.url}/v1"
    async with AsyncAnthropicVertex(region=REGION, project_id=PROJECT, base_url=place, access_token=TOKEN) as sdks:
        assert await of_the_sdk(sdks, text) == expected


async def test_a_client_of_the_proxy_has_its_errors_as_from_anthropic_and_pays_nothing(
    proxied: Serving, through_vertex: list[dict[str, Any]]
) -> None:
    ask: dict[str, Any] = {"model": MODEL, "max_tokens": 100}
    async with proxied(upstreams=through_vertex) as running, running.client() as client:
        with pytest.raises(anthropic.RateLimitError, match="as you asked"):
            await client.messages.create(**ask, messages=[{"role": "user", "content": "google RESOURCE_EXHAUSTED"}])
        with pytest.raises(anthropic.NotFoundError, match="not found"):
            await client.messages.create(
                **{**ask, "model": "claude-of-tomorrow"}, messages=[{"role": "user", "content": "x"}]
            )
        with pytest.raises(anthropic.NotFoundError, match="Vertex AI has no GET /v1/models"):
            await client.models.list()
        assert (await client.messages.count_tokens(model=MODEL, messages=[])).input_tokens == INPUT_TOKENS
        assert not any(row.usage.tokens for row in running.spent())


def test_the_sdks_own_client_and_this_one_ask_for_the_same(
    vertex: VertexServer, through_vertex: list[dict[str, Any]]
) -> None:
    client = AnthropicVertex(region=REGION, project_id=PROJECT, base_url=f"{vertex.url}/v1", access_token=TOKEN)
    ask: dict[str, Any] = {"model": "claude-sonnet-4-5@20250929", "max_tokens": 9}
    with client:
        client.messages.create(**ask, messages=[{"role": "user", "content": "x"}])
        beta: Any = client.beta.messages
        betas = ["context-1m-2025-08-07"]
        beta.create(**ask, messages=[{"role": "user", "content": "x"}], betas=betas, stream=True).close()
        client.messages.count_tokens(model=ask["model"], messages=[])
    theirs = [(each["path"], json.loads(each["body"])) for each in vertex.requests]
    assert vertex.requests[1]["headers"]["anthropic-beta"] == "context-1m-2025-08-07"
    vertex.requests.clear()

    async def mine() -> None:
        version = ("anthropic-version", theirs[0][1]["anthropic_version"])
        async with opened(vertex) as upstream:
            message = json.dumps({**ask, "messages": [{"role": "user", "content": "x"}]}).encode()
            await answered(upstream, message, [version])
            streamed = {**json.loads(message), "stream": True}
            beta = ("anthropic-beta", "context-1m-2025-08-07")
            await answered(upstream, json.dumps(streamed).encode(), [version, beta], "/v1/messages?beta=true")
            counted = json.dumps({"model": ask["model"], "messages": []}).encode()
            await answered(upstream, counted, [version], "/v1/messages/count_tokens")

    anyio.run(mine)
    assert [(each["path"], json.loads(each["body"])) for each in vertex.requests] == theirs
    assert vertex.requests[1]["headers"]["anthropic-beta"] == "context-1m-2025-08-07"


async def test_a_stream_is_the_same_wherever_it_is_cut(vertex: VertexServer) -> None:
    async with opened(vertex) as upstream:
        _, _, whole = await answered(upstream, asking("tools | whole", stream=True))
        for how in ("bytewise", "drip"):
            status, headers, pieces = await answered(upstream, asking(f"tools | {how}", stream=True))
            assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert events(pieces)[1:] == events(whole)[1:]


@pytest.mark.parametrize("name", sorted(ERRORS))
@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_of_googles_comes_in_anthropics_shape(vertex: VertexServer, name: str, stream: bool) -> None:
    async with opened(vertex) as upstream:
        for word in ("google", "list"):
            expected = (wire.STATUS[TYPES[name]], TYPES[name], "as you asked")
            assert await refused(upstream, f"{word} {name} | bytewise chunked", stream=stream) == expected


async def test_an_error_of_anthropics_passes_with_its_headers(vertex: VertexServer) -> None:
    async with opened(vertex) as upstream:
        for status in (400, 429, 500, 529):
            told, headers, body = await answered(upstream, asking(f"error {status}", stream=True))
            assert told == status
            assert json.loads(body)["request_id"] == "req_stand_in"
            assert ("retry-after" in headers) == (status == 429)
        assert await refused(upstream, "x", of_tomorrow=1) == (
            400,
            "invalid_request_error",
            "of_tomorrow: Extra inputs are not permitted",
        )


async def test_a_page_and_nothing_at_all_are_errors_too(vertex: VertexServer) -> None:
    async with opened(vertex) as upstream:
        assert (await refused(upstream, "page 502"))[:2] == (502, "api_error")
        assert (await refused(upstream, "empty 503"))[:2] == (529, "overloaded_error")
        assert (await refused(upstream, "redirect 302"))[:2] == (502, "api_error")
        assert (await answered(upstream, asking("later RESOURCE_EXHAUSTED")))[1]["retry-after"] == "12"


@pytest.mark.parametrize(
    ("more", "type"),
    [
        ({"project": "another"}, "permission_error"),
        ({"region": "us-east5"}, "not_found_error"),
    ],
)
async def test_another_place_than_the_accounts_is_refused(
    vertex: VertexServer, more: dict[str, str], type: str
) -> None:
    async with opened(vertex, **more) as upstream:
        assert (await refused(upstream, "x"))[1] == type


async def test_an_error_that_does_not_end_is_read_to_a_bound(
    vertex: VertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            taken.append(1)

    taken: list[int] = []
    async with opened(vertex) as upstream:
        reply = await upstream._connection.send("GET", vertex.url, [], b"")
        reply.close()
        endless_reply = type(reply)(500, [], endless(), reply.close)

        async def send(*_: object) -> Any:
            return endless_reply

        monkeypatch.setattr(upstream._connection, "send", send)
        assert (await refused(upstream, "x"))[:2] == (500, "api_error")
    assert len(taken) <= ERROR_BYTES // 65536 + 1


async def test_an_error_that_breaks_off_still_is_one(vertex: VertexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield b'{"error": {"status": "UNAVAIL'
        raise BrokenError("broke off")

    async with opened(vertex) as upstream:
        reply = await upstream._connection.send("GET", vertex.url, [], b"")
        reply.close()
        broken = type(reply)(503, [], torn(), reply.close)

        async def send(*_: object) -> Any:
            return broken

        monkeypatch.setattr(upstream._connection, "send", send)
        assert (await refused(upstream, "x"))[:2] == (529, "overloaded_error")


@pytest.mark.parametrize("what", ["cut", "torn"])
async def test_a_stream_that_breaks_off_does_so_here(vertex: VertexServer, what: str) -> None:
    async with opened(vertex) as upstream:
        with pytest.raises(BrokenError, match="'google' broke off"):
            await answered(upstream, asking(what, stream=True))


async def test_a_stream_can_have_an_error_in_its_middle(vertex: VertexServer) -> None:
    async with opened(vertex) as upstream:
        _, _, body = await answered(upstream, asking("overload", stream=True))
    assert events(body)[-1]["error"]["type"] == "overloaded_error"


async def test_the_clients_credentials_and_cookies_stay_here(vertex: VertexServer) -> None:
    given = [("x-api-key", "theirs"), ("Authorization", "Bearer theirs"), ("cookie", "a=1"), ("x-goog-api-key", "k")]
    async with opened(vertex) as upstream:
        assert (await answered(upstream, asking("x"), given))[0] == 200
    pairs = [(name.lower(), value) for name, value in vertex.requests[-1]["pairs"]]
    assert [value for name, value in pairs if name == "authorization"] == [f"Bearer {TOKEN}"]
    assert not {name for name, _ in pairs} & {"x-api-key", "cookie", "x-goog-api-key"}


async def test_fields_that_vertex_has_not_are_left_out_and_what_needs_them_is_refused(vertex: VertexServer) -> None:
    system = [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "scope": "global"}}]
    body = asking("x", service_tier="auto", speed="fast", diagnostics={"previous_message_id": None}, system=system)
    async with opened(vertex) as upstream:
        request = wire.MessagesRequest.parse(body)
        assert (await refused(upstream, "x", service_tier="auto"))[0] == 400
        changed = request.changed(**upstream.changes(request.json))
        beta = [("anthropic-beta", "prompt-caching-scope-2026-01-05,effort-2025-11-24,claude-code-20250219")]
        assert (await answered(upstream, changed, beta))[0] == 200
        with pytest.raises(BadRequestError, match="mcp_servers: Vertex AI doesn't have this"):
            upstream.changes({"mcp_servers": [{"type": "url"}]})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/models/claude-opus-4-7"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/files"),
        ("GET", "/v1/messages"),
        ("DELETE", "/v1/messages/count_tokens"),
        ("HEAD", "/v1/../x?y"),
    ],
)
async def test_what_vertex_has_not_is_a_404_that_is_never_sent(vertex: VertexServer, method: str, path: str) -> None:
    async with opened(vertex) as upstream:
        status, headers, body = await answered(upstream, b"not JSON", path=path, method=method)
    assert (status, json.loads(body)["error"]["type"]) == (404, "not_found_error")
    assert headers["content-length"] == str(len(body))
    assert not vertex.requests


async def test_a_body_or_a_model_that_cannot_be_is_refused_before_it_is_sent(vertex: VertexServer) -> None:
    async with opened(vertex) as upstream:
        assert (await answered(upstream, b"{"))[0] == 400
        assert (await answered(upstream, asking("x", model="../../google/models/gemini")))[0] == 404
    assert not vertex.requests


async def test_a_large_body_is_read_off_the_loop_and_passes(vertex: VertexServer) -> None:
    async with opened(vertex) as upstream:
        status, _, body = await answered(upstream, asking("say " + "x" * LARGE))
    assert (status, json.loads(body)["content"][0]["text"]) == (200, "x" * LARGE)


async def test_many_requests_with_an_expired_token_have_one_new_one(
    vertex: VertexServer, account_file: AccountFile
) -> None:
    async with opened(vertex, file=account_file()) as upstream:
        assert (await answered(upstream, asking("x")))[0] == 200
        vertex.tokens.clear()  # as after a clock's jump, or a night asleep
        statuses: list[int] = []

        async def ask() -> None:
            statuses.append((await answered(upstream, asking("x", stream=True)))[0])

        with blockbuster_ctx(scanned_modules=["mcp_hub"]) as watched:
            for name in ("socket.socket.recv", "socket.socket.send", "socket.socket.sendmsg"):
                if name in watched.functions:
                    watched.functions[name].deactivate()
            async with anyio.create_task_group() as tasks:
                for _ in range(30):
                    tasks.start_soon(ask)
    assert statuses == [200] * 30
    assert len(vertex.grants) == 2


async def test_a_token_that_stays_refused_is_told_as_googles_error(
    vertex: VertexServer, account_file: AccountFile
) -> None:
    async with opened(vertex) as upstream:
        vertex.tokens.clear()
        assert (await refused(upstream, "x"))[:2] == (401, "authentication_error")
        assert len(vertex.requests) == 1
    async with opened(vertex, file=account_file()) as upstream:
        assert (await refused(upstream, "google UNAUTHENTICATED"))[:2] == (401, "authentication_error")
        assert len(vertex.requests) == 3


async def test_without_a_token_nothing_is_sent_and_no_secret_is_told(
    vertex: VertexServer, account_file: AccountFile, google_key: tuple[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(vertex, file=account_file(client_email="nobody@example.com")) as upstream:
        with caplog.at_level(logging.DEBUG), pytest.raises(UnreachedError, match="Invalid JWT") as failed:
            await upstream.send("POST", "/v1/messages", [], asking("x"))
    for text in (failed.value.text, caplog.text, repr(upstream), repr(upstream._tokens)):
        assert google_key[0].splitlines()[3] not in text
        assert vertex.grants[0]["assertion"] not in text
    assert not vertex.requests


async def test_the_token_of_the_configuration_is_in_no_error_and_no_log(
    vertex: VertexServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with opened(vertex) as upstream:
            told = [await refused(upstream, "google INTERNAL"), repr(upstream), repr(upstream._tokens)]
            await vertex_down(upstream)
    assert TOKEN not in f"{told} {caplog.text}"


async def vertex_down(upstream: Vertex) -> None:
    upstream._url = "http://127.0.0.1:9"
    with pytest.raises(UnreachedError) as failed:
        await upstream.send("POST", "/v1/messages", [], asking("x"))
    assert TOKEN not in failed.value.text


async def test_what_cannot_be_opened_is_a_fault_of_the_configuration(
    vertex: VertexServer, account_file: AccountFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"\[proxy.upstreams.google\] the credential_file /none can't be used"):
        async with opened(vertex, file="/none"):
            pass
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(ConfigError, match=r"pip install 'mcp_hub\[vertex\]'"):
        async with opened(vertex, file=account_file()):
            pass


@pytest.mark.parametrize(
    ("method", "more", "told"),
    [
        ("rawPredict", {}, "id"),
        ("streamRawPredict", {}, "stream: None is not for streamRawPredict"),
        ("rawPredict", {"stream": True}, "stream: True is not for rawPredict"),
        ("rawPredict?beta=true", {}, "Unknown name"),
        ("rawPredict", {"model": MODEL}, "model: Extra inputs are not permitted"),
        ("rawPredict", {"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
        ("rawPredict", {"anthropic_version": "2023-06-01"}, "anthropic_version: Field required"),
        ("rawPredict", {"anthropic_version": "2026-10-21", "temperature": 1}, "temperature: Extra inputs"),
        ("rawPredict", {"context_management": {}}, "context_management: Extra inputs are not permitted"),
    ],
)
async def test_the_stand_in_refuses_what_vertex_refuses(
    vertex: VertexServer, method: str, more: dict[str, Any], told: str
) -> None:
    vertex.tokens.add(TOKEN)
    request = {"anthropic_version": "vertex-2023-10-16", **json.loads(asking("x")), **more}
    if "model" not in more:
        del request["model"]
    url = f"{vertex.url}/v1/projects/{PROJECT}/locations/{REGION}/publishers/anthropic/models/{MODEL}:{method}"
    connection = Connection("google", url, ssl.create_default_context())
    try:
        headers = [("authorization", f"Bearer {TOKEN}")]
        reply = await connection.send("POST", url, headers, json.dumps(request).encode())
        body = b"".join([piece async for piece in reply.body]).decode()
    finally:
        await connection.close()
    assert told in body
    assert (reply.status == 200) == (told == "id")


def test_without_a_url_it_is_googles() -> None:
    assert url_of(settings(None)) == f"https://{REGION}-aiplatform.googleapis.com"
    assert url_of(settings("https://proxy.example.com")) == "https://proxy.example.com"
