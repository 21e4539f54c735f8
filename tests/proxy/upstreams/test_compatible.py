"""A compatible upstream: what of a request goes on to it, and with whose credential."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from fixtures.messages_server import MessagesServer
from mcp_hub.proxy.upstreams.compatible import Compatible
from mcp_hub.proxy.upstreams.connection import Connection
from tests.support import served

pytestmark = pytest.mark.anyio

MINE = ("x-api-key", "the-upstreams-own-credential")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with served(MessagesServer()) as server:
        yield server


@asynccontextmanager
async def upstream(url: str, credential: tuple[str, str] | None = None) -> AsyncIterator[Compatible]:
    opened = Compatible(url, credential, Connection("anthropic", url, ssl.create_default_context()))
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
