"""Upstreams: what is sent on, what comes back, and what is told when nothing does."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from threading import Thread

import pytest

from fixtures.messages_server import MessagesServer
from mcp_hub.errors import HubError
from mcp_hub.proxy.upstream import Compatible, UnreachedError

pytestmark = pytest.mark.anyio

MINE = ("x-api-key", "the-upstreams-own-credential")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    server = MessagesServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def upstream(url: str, credential: tuple[str, str] | None = None) -> AsyncIterator[Compatible]:
    opened = Compatible("anthropic", url, credential, ssl.create_default_context())
    try:
        yield opened
    finally:
        await opened.close()


async def sent(
    server: MessagesServer, headers: list[tuple[str, str]], credential: tuple[str, str] | None
) -> dict[str, str]:
    async with upstream(f"{server.url}/", credential) as asked:
        reply = await asked.send("POST", "/v1/messages", headers, b'{"model": 1}')
        assert reply.status == 400
        reply.close()
    return {name.lower(): value for name, value in server.requests[-1]["headers"].items()}


async def test_headers_pass_but_for_those_of_one_connection(server: MessagesServer) -> None:
    given = [
        ("anthropic-beta", "a"),
        ("x-odd", "1"),
        ("Connection", "close"),
        ("Accept-Encoding", "br"),
        ("Host", "me"),
    ]
    headers = await sent(server, given, None)
    assert (headers["anthropic-beta"], headers["x-odd"]) == ("a", "1")
    assert headers["accept-encoding"] == "identity"
    assert headers["host"] == f"127.0.0.1:{server.server_port}"
    assert headers.get("connection") != "close"


async def test_a_credential_of_its_own_takes_the_place_of_the_clients(server: MessagesServer) -> None:
    headers = await sent(server, [("x-api-key", "theirs"), ("Authorization", "Bearer theirs")], MINE)
    assert headers["x-api-key"] == MINE[1]
    assert "authorization" not in headers


async def test_without_one_the_clients_passes(server: MessagesServer) -> None:
    assert (await sent(server, [("Authorization", "Bearer theirs")], None))["authorization"] == "Bearer theirs"


async def test_one_that_cannot_be_reached_is_told_by_its_name() -> None:
    async with upstream("http://127.0.0.1:9") as asked:
        with pytest.raises(UnreachedError, match="The upstream 'anthropic' can't be reached: "):
            await asked.send("POST", "/v1/messages", [], b"{}")


async def test_what_cannot_be_sent_is_told_without_its_value() -> None:
    async with upstream("http://127.0.0.1:9", ("x-api-key", "secret\r\nx: y")) as asked:
        with pytest.raises(HubError) as failed:
            await asked.send("POST", "/v1/messages", [], b"{}")
    assert "secret" not in failed.value.text
