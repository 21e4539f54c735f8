"""The proxy over HTTP: paths and sizes that are answered here, and a client that goes away."""

import json
from functools import partial

import anyio
import httpx2
import pytest

from fixtures.messages_server import MessagesServer
from tests.proxy.conftest import KEY, MODEL, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

BODY = json.dumps({"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "say hello"}]}).encode()
HEADERS = {"x-api-key": KEY, "content-type": "application/json"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_same_is_served_below_the_prefix_of_other_gateways(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(base_url=running.url) as client:
        answer = await client.post("/anthropic/v1/messages", content=BODY, headers=HEADERS)
        assert answer.json()["content"][0]["text"] == "hello"
        assert (await client.get("/anthropic/v1/models", headers=HEADERS)).status_code == 200


async def test_clients_that_ask_whether_anyone_is_there_are_told_so(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(base_url=running.url) as client:
        assert (await client.head("/")).status_code == 200
        missing = await client.get("/elsewhere")
    assert missing.status_code == 404
    assert missing.json()["error"]["type"] == "not_found_error"


async def test_a_body_over_the_limit_is_refused(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, httpx2.AsyncClient(base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=b"x" * (1024 * 1024 + 1), headers=HEADERS)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"
    assert upstream.requests == []


async def test_a_query_and_unknown_paths_pass_on(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, httpx2.AsyncClient(base_url=running.url) as client:
        await client.post("/v1/messages?beta=true", content=BODY, headers=HEADERS)
        await client.post("/v1/messages/batches", content=b"{}", headers=HEADERS)
    assert [each["path"] for each in upstream.requests] == ["/v1/messages?beta=true", "/v1/messages/batches"]


async def test_a_client_that_goes_away_is_charged_all_that_the_answer_may_have_used(proxied: Serving) -> None:
    body = json.dumps({**json.loads(BODY), "stream": True, "messages": [{"role": "user", "content": "wait"}]}).encode()
    async with proxied() as running:
        async with (
            httpx2.AsyncClient(base_url=running.url) as client,
            client.stream("POST", "/v1/messages", content=body, headers=HEADERS) as answer,
        ):
            async for _ in answer.aiter_bytes():
                break
        with anyio.fail_after(PATIENCE):
            while not (rows := running.spent("key")):
                await anyio.sleep(0.01)
    assert rows[0].usage.output == 100


async def test_a_client_that_goes_away_before_the_answer_begins_frees_what_it_reserved(
    proxied: Serving, upstream: MessagesServer
) -> None:
    body = json.dumps({**json.loads(BODY), "messages": [{"role": "user", "content": "stall"}]}).encode()
    async with proxied() as running:
        with anyio.move_on_after(PATIENCE) as scope:
            async with httpx2.AsyncClient(base_url=running.url) as client, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(client.post, "/v1/messages", content=body, headers=HEADERS))
                while not upstream.requests:
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
        assert not scope.cancelled_caught
        with anyio.fail_after(PATIENCE):
            while not running.spent("key"):
                await anyio.sleep(0.01)


async def test_a_model_that_no_header_can_have_is_answered_and_settled(proxied: Serving) -> None:
    body = json.dumps({**json.loads(BODY), "model": "claude-\u6a21"}).encode()
    async with proxied() as running, httpx2.AsyncClient(base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=body, headers=HEADERS)
        assert answer.headers["x-mcp-hub-model"] == "claude-\\u6a21"
        assert len(running.spent("key")) == 1


@pytest.mark.parametrize(
    "path", ["/v1//messages", "/v1/messages/", "/v1/x/../messages", "/v1/x/%2e%2e/messages", "/v1/messages%2F", "/v1"]
)
async def test_a_path_that_could_mean_another_is_not_passed_on(
    proxied: Serving, upstream: MessagesServer, path: str
) -> None:
    async with proxied() as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        async with await anyio.connect_tcp(host, int(port)) as connection:
            await connection.send(
                f"POST {path} HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\ncontent-length: 0\r\n\r\n".encode()
            )
            assert (await connection.receive()).startswith(b"HTTP/1.1 404 ")
    assert upstream.requests == []


@pytest.mark.parametrize("header", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
async def test_web_pages_and_other_names_of_this_machine_are_refused(
    proxied: Serving, upstream: MessagesServer, header: dict[str, str]
) -> None:
    async with proxied() as running, httpx2.AsyncClient(base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=BODY, headers={**HEADERS, **header})
    assert answer.status_code == 403
    assert upstream.requests == []
