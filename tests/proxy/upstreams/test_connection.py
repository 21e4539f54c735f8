"""Connections: foreign errors in our words, what came before a break, and nothing that isn't this request's."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest

from mcp_hub.proxy.upstreams import connection as module
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.upstream import BrokenError, Reply, UnreachedError

pytestmark = pytest.mark.anyio

TRUST = ssl.create_default_context()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[str]:
    """A server that answers every connection with these pieces, and closes it."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            for piece in pieces:
                await stream.send(piece)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    opened = Connection("anthropic", url, TRUST)
    try:
        yield opened
    finally:
        await opened.close()


async def asked(url: str) -> Reply:
    async with connected(url) as connection:
        return await connection.send("POST", f"{url}/v1/messages", [], b"{}")


async def test_one_that_cannot_be_reached_is_told_by_its_name() -> None:
    with pytest.raises(UnreachedError, match="The upstream 'anthropic' can't be reached: "):
        await asked("http://127.0.0.1:9")


async def test_what_cannot_be_sent_is_told_without_its_value() -> None:
    async with connected("http://127.0.0.1:9") as connection:
        with pytest.raises(UnreachedError) as failed:
            await connection.send("POST", "http://127.0.0.1:9/v1", [("x-api-key", "secret\r\nx: y")], b"{}")
    assert "secret" not in failed.value.text


async def test_one_that_closes_before_it_answers_may_have_been_at_work() -> None:
    async with answering() as url:
        with pytest.raises(BrokenError, match="The upstream 'anthropic' didn't answer: "):
            await asked(url)


@pytest.mark.parametrize(
    "nonsense", [b"SMTP ready\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * (module.HEADER_BYTES + 1) + b"\r\n\r\n"]
)
async def test_one_that_talks_nonsense_is_told(nonsense: bytes) -> None:
    async with answering(nonsense) as url:
        with pytest.raises(BrokenError, match="The upstream 'anthropic' didn't answer: "):
            await asked(url)


async def test_a_silent_one_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_WITHIN", 0.05)
    async with answering(HEAD + b"content-length: 9\r\n\r\n") as url, connected(url) as connection:
        reply = await connection.send("POST", f"{url}/v1/messages", [], b"{}")
        with pytest.raises(BrokenError, match="The upstream 'anthropic' broke off: "):
            await _into([], reply)


@pytest.mark.parametrize(
    "body",
    [
        (HEAD + b"content-length: 99\r\n\r\n", b"data: 1\n\n"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"9\r\ndata: 1\n\n\r\n"),
    ],
    ids=["by its length", "in the middle of its chunks"],
)
async def test_what_came_before_a_break_comes_out_before_the_error(body: tuple[bytes, bytes]) -> None:
    async with answering(b"".join(body)) as url, connected(url) as connection:
        reply = await connection.send("POST", f"{url}/v1/messages", [], b"{}")
        received: list[bytes] = []
        with pytest.raises(BrokenError, match="broke off"):
            await _into(received, reply)
    assert b"".join(received) == b"data: 1\n\n"


async def _into(received: list[bytes], reply: Reply) -> None:
    try:
        async for piece in reply.body:
            received.append(piece)
    finally:
        reply.close()


async def test_cookies_of_one_answer_do_not_go_with_the_next_request() -> None:
    seen: list[bytes] = []

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            seen.append(await stream.receive())
            await stream.send(b"HTTP/1.1 200 OK\r\nset-cookie: who=ada; path=/\r\ncontent-length: 0\r\n\r\n")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        async with connected(url) as connection:
            for _ in range(2):
                reply = await connection.send("GET", f"{url}/v1/models", [], b"")
                await _into([], reply)
        tasks.cancel_scope.cancel()
    assert len(seen) == 2
    assert b"ada" not in seen[1]


@pytest.mark.parametrize(
    ("environ", "used"),
    [
        ({"http_proxy": "http://proxy.example:8080"}, "http://proxy.example:8080"),
        ({"http_proxy": "http://proxy.example:8080", "no_proxy": "api.example"}, None),
        ({"https_proxy": "http://proxy.example:8080"}, None),
        ({}, None),
    ],
)
async def test_the_environments_proxy_is_used_unless_it_is_not_for_that_host(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], used: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found: Callable[[str], str | None] = module._environments_proxy
    assert found("http://api.example") == used


SECRET = "S3CRET"
REFUSING = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "received",
    [
        REFUSING,
        b"HTTP/1.1 200 OK\r\nbad header S3CRET\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nZZ S3CRET\r\n",
        HEAD + b"content-length: 99\r\n\r\nS3CRET",
        b"",
    ],
)
async def test_no_error_has_the_url_an_http_proxys_password_or_what_was_received(
    monkeypatch: pytest.MonkeyPatch, received: bytes
) -> None:
    async with answering(received) as url:
        monkeypatch.setenv("https_proxy", url.replace("://", f"://user:{SECRET}@"))
        monkeypatch.delenv("no_proxy", raising=False)
        target = "https://api.example" if received == REFUSING else url
        async with connected(target) as connection:
            with pytest.raises((UnreachedError, BrokenError)) as failed:
                await _into([], await connection.send("POST", f"{target}/v1/messages?token={SECRET}", [], b"{}"))
    assert SECRET not in failed.value.text
    assert "http://" not in failed.value.text
    assert "error" not in failed.value.text.lower(), "it is told in words"


@pytest.mark.parametrize(("status", "kept"), [(200, "5"), (204, ""), (304, "")])
async def test_an_answer_that_can_have_no_body_has_no_length(status: int, kept: str) -> None:
    body = b"" if status in (204, 304) else b"hello"
    async with answering(b"HTTP/1.1 %d X\r\ncontent-length: 5\r\n\r\n%s" % (status, body)) as url:
        async with connected(url) as connection:
            reply = await connection.send("GET", f"{url}/v1/models", [], b"")
            assert reply.header("content-length") == kept
            await _into([], reply)
