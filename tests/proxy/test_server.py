"""The proxy over HTTP: paths and sizes that are answered here, and a client that goes away."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import anyio.abc
import httpx2
import pytest

from fixtures.messages_server import MessagesServer
from mcp_hub.proxy import server as module
from tests.proxy.conftest import KEY, MODEL, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

BODY = json.dumps({"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "say hello"}]}).encode()
HEADERS = {"x-api-key": KEY, "content-type": "application/json"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Broken:
    """An upstream whose answers end before the length that they say."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async def answer(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
            tasks.cancel_scope.cancel()


async def test_the_same_is_served_below_the_prefix_of_other_gateways(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        answer = await client.post("/anthropic/v1/messages", content=BODY, headers=HEADERS)
        assert answer.json()["content"][0]["text"] == "hello"
        assert (await client.get("/anthropic/v1/models", headers=HEADERS)).status_code == 200


async def test_clients_that_ask_whether_anyone_is_there_are_told_so(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        assert (await client.head("/")).status_code == 200
        missing = await client.get("/elsewhere")
    assert missing.status_code == 404
    assert missing.json()["error"]["type"] == "not_found_error"


async def test_a_body_over_the_limit_is_refused(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=b"x" * (1024 * 1024 + 1), headers=HEADERS)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"
    assert upstream.requests == []


async def test_a_query_and_unknown_paths_pass_on(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        await client.post("/v1/messages?beta=true", content=BODY, headers=HEADERS)
        await client.post("/v1/messages/batches", content=b"{}", headers=HEADERS)
    assert [each["path"] for each in upstream.requests] == ["/v1/messages?beta=true", "/v1/messages/batches"]


async def test_a_client_that_goes_away_is_charged_all_that_the_answer_may_have_used(proxied: Serving) -> None:
    body = json.dumps({**json.loads(BODY), "stream": True, "messages": [{"role": "user", "content": "wait"}]}).encode()
    async with proxied() as running:
        async with (
            httpx2.AsyncClient(verify=False, base_url=running.url) as client,
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
            async with (
                httpx2.AsyncClient(verify=False, base_url=running.url) as client,
                anyio.create_task_group() as tasks,
            ):
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
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=body, headers=HEADERS)
        assert answer.headers["x-mcp-hub-model"] == "claude-?"
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
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=BODY, headers={**HEADERS, **header})
    assert answer.status_code == 403
    assert upstream.requests == []


async def test_who_has_no_key_is_refused_before_a_byte_of_the_body_is_read(proxied: Serving) -> None:
    async with proxied() as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        async with await anyio.connect_tcp(host, int(port)) as connection:
            head = f"POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nx-api-key: wrong\r\ncontent-length: 1000\r\n\r\n"
            await connection.send(head.encode())
            with anyio.fail_after(PATIENCE):
                assert (await connection.receive()).startswith(b"HTTP/1.1 401 ")


async def test_a_body_that_says_that_it_is_too_large_is_not_read(proxied: Serving) -> None:
    async with proxied() as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        async with await anyio.connect_tcp(host, int(port)) as connection:
            size = 1024 * 1024 + 1
            head = f"POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\ncontent-length: {size}\r\n\r\n"
            await connection.send(head.encode())
            with anyio.fail_after(PATIENCE):
                assert (await connection.receive()).startswith(b"HTTP/1.1 413 ")


async def test_an_answers_length_stays_and_a_stream_has_none(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        whole = await client.post("/v1/messages", content=BODY, headers=HEADERS)
        stream = await client.post("/v1/messages", json={**json.loads(BODY), "stream": True}, headers=HEADERS)
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert "content-length" not in stream.headers


async def test_a_header_that_is_no_text_is_the_clients_fault(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        async with await anyio.connect_tcp(host, int(port)) as connection:
            head = f"GET /v1/models HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\nx-l: caf\xe9\r\n\r\n"
            await connection.send(head.encode("latin-1"))
            answer = await connection.receive()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The header 'x-l' has bytes that aren't UTF-8" in answer
    assert upstream.requests == []


async def test_an_error_of_the_proxys_own_has_an_id_as_the_apis_have(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        answer = await client.post("/v1/messages", content=b"{", headers=HEADERS)
    assert answer.headers["request-id"].startswith("mhreq_")
    assert answer.json()["request_id"] == answer.headers["request-id"]


async def test_a_connection_goes_on_after_a_refusal_that_left_its_body_unread(proxied: Serving) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        for key, status in (("wrong", 401), (KEY, 200)):
            headers = {**HEADERS, "x-api-key": key}
            answer = await client.post("/v1/messages", content=BODY + b" " * 500_000, headers=headers)
            assert answer.status_code == status


async def test_an_answer_that_breaks_off_closes_the_connection(proxied: Serving) -> None:
    """So a client knows: there is no place for an error in what has begun and is no stream."""
    body = json.dumps({**json.loads(BODY), "messages": [{"role": "user", "content": "say hello|length"}]})
    broken = Broken()
    async with broken.serving() as url, proxied(upstreams=[{"name": "a", "url": url, "credential": "c"}]) as running:
        async with httpx2.AsyncClient(verify=False, base_url=running.url) as client:
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.post("/v1/messages", content=body, headers=HEADERS)
        assert running.spent("key")[0].errors == 1


async def test_a_client_that_goes_away_is_no_failure_of_the_upstream(
    proxied: Serving, upstream: MessagesServer
) -> None:
    body = json.dumps({**json.loads(BODY), "messages": [{"role": "user", "content": "stall"}]}).encode()
    async with proxied() as running:
        async with httpx2.AsyncClient(verify=False, base_url=running.url) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(partial(client.post, "/v1/messages", content=body, headers=HEADERS))
            with anyio.fail_after(PATIENCE):
                while not upstream.requests:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        with anyio.fail_after(PATIENCE):
            while not (rows := running.spent("key")):
                await anyio.sleep(0.01)
    assert (rows[0].requests, rows[0].errors) == (1, 0)


async def test_a_body_that_stops_coming_is_not_waited_for(proxied: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_WITHIN", 0.05)
    async with proxied() as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        async with await anyio.connect_tcp(host, int(port)) as connection:
            head = f"POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\ncontent-length: 1000\r\n\r\n{{"
            await connection.send(head.encode())
            with anyio.fail_after(PATIENCE):
                assert (await connection.receive()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_has_no_answer_yet_when_the_proxy_stops_is_told_so_as_the_api_would(
    proxied: Serving, upstream: MessagesServer, stream: bool
) -> None:
    told = {**json.loads(BODY), "stream": stream, "messages": [{"role": "user", "content": "stall"}]}
    answers: list[httpx2.Response] = []
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url, timeout=PATIENCE) as client:

        async def ask() -> None:
            answers.append(await client.post("/v1/messages", json=told, headers=HEADERS))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            with anyio.fail_after(PATIENCE):
                while not upstream.requests:
                    await anyio.sleep(0.01)
            running.app.end()
    assert answers[0].status_code == 529
    assert answers[0].json()["error"]["type"] == "overloaded_error"
    assert answers[0].headers["retry-after"] == "1"


async def test_a_stream_under_way_when_the_proxy_stops_ends_in_an_error_event(proxied: Serving) -> None:
    told = {**json.loads(BODY), "stream": True, "messages": [{"role": "user", "content": "wait"}]}
    received = ""
    async with (
        proxied() as running,
        httpx2.AsyncClient(verify=False, base_url=running.url, timeout=PATIENCE) as client,
        client.stream("POST", "/v1/messages", json=told, headers=HEADERS) as answer,
    ):
        async for piece in answer.aiter_text():
            received += piece
            running.app.end()
    assert received.startswith("event: message_start\n")
    assert received.rstrip().rpartition("\n\n")[2].startswith("event: error\n")


async def test_headers_that_connection_names_are_of_one_hop(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
        await client.get(
            "/v1/models", headers={**HEADERS, "connection": "keep-alive, X-Hop", "x-hop": "1", "x-end": "2"}
        )
    sent = {name.lower() for name in upstream.requests[0]["headers"]}
    assert "x-hop" not in sent
    assert "x-end" in sent


async def test_a_name_that_a_tls_proxy_passes_on_is_served_when_it_is_said_and_metrics_need_a_token_then(
    proxied: Serving,
) -> None:
    for hosts, statuses in ((["proxy.example"], (200, 404)), ([], (403, 403))):
        async with proxied(hosts=hosts) as running, httpx2.AsyncClient(verify=False, base_url=running.url) as client:
            headers = {**HEADERS, "host": "proxy.example"}
            assert (await client.get("/v1/models", headers=headers)).status_code == statuses[0]
            assert (await client.get("/metrics", headers=headers)).status_code == statuses[1]
