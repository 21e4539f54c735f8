"""Listening: an address that can't be had is told with what to do, and serving ends with what it began."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from mcp_hub import listening as module
from mcp_hub.errors import ConfigError
from mcp_hub.listening import HEAD_BYTES, bound, listen, serve
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_an_address_that_is_taken_is_told_with_what_to_do() -> None:
    with closing(listen("127.0.0.1", 0, "")) as listener:
        port = listener.getsockname()[1]
        text = rf"can't listen on 127\.0\.0\.1:{port}: Address already in use\. Take another\."
        with pytest.raises(ConfigError, match=text):
            listen("127.0.0.1", port, "Take another.")


def test_a_host_that_does_not_exist_is_told() -> None:
    with pytest.raises(ConfigError, match=r"can't listen on nowhere\.invalid:1: "):
        listen("nowhere.invalid", 1, "")


async def test_it_serves_until_it_is_cancelled() -> None:
    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    with closing(listen("127.0.0.1", 0, "")) as listener:
        host, port = bound(listener)
        async with anyio.create_task_group() as tasks, httpx2.AsyncClient() as client:
            app = Starlette(routes=[Route("/", hello)])
            tasks.start_soon(lambda: serve(app, listener, end_within=1, date_header=False))
            answer = await client.get(f"http://{host}:{port}/")
            tasks.cancel_scope.cancel()
    assert answer.text == "hello"
    assert "date" not in answer.headers
    assert "server" not in answer.headers


@asynccontextmanager
async def serving(app: ASGIApp, last_words: Callable[[], None] | None = None) -> AsyncIterator[tuple[str, int]]:
    with closing(listen("127.0.0.1", 0, "")) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: serve(app, listener, end_within=2, last_words=last_words))
            yield bound(listener)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "what", [b"GET / HTTP/1.1\r\nx: ", b"GET /", b"GET / HTTP/1.1\r\nhost: a\r\n" + b"y: 1\r\n" * 9]
)
async def test_a_head_that_does_not_end_is_refused(what: bytes) -> None:
    async with serving(Starlette()) as (host, port), await anyio.connect_tcp(host, port) as connection:
        await connection.send(what)
        received = b""
        with anyio.fail_after(PATIENCE), contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            for _ in range(100):
                await connection.send(b"z" * HEAD_BYTES)
            while True:
                received += await connection.receive()
    assert received[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 400")  # a reset may take the words with it


async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_WITHIN", 0.05)
    async with serving(Starlette()) as (host, port), await anyio.connect_tcp(host, port) as connection:
        await connection.send(b"GET / HTTP/1.1\r\nhost: ")
        with anyio.fail_after(PATIENCE), pytest.raises(anyio.EndOfStream):
            await connection.receive()


async def test_a_request_whose_head_came_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_WITHIN", 0.05)
    late = anyio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        asyncio.get_running_loop().call_later(0.2, late.set)
        await late.wait()
        return PlainTextResponse("late")

    async with serving(Starlette(routes=[Route("/", slow)])) as (host, port), httpx2.AsyncClient() as client:
        assert (await client.get(f"http://{host}:{port}/")).text == "late"


async def test_what_is_under_way_at_the_end_has_its_last_words() -> None:
    begun, told = anyio.Event(), anyio.Event()

    async def waits(_: Request) -> PlainTextResponse:
        begun.set()
        await told.wait()
        return PlainTextResponse("last words")

    answers: list[str] = []
    async with anyio.create_task_group() as clients, httpx2.AsyncClient() as client:

        async def ask(url: str) -> None:
            answers.append((await client.get(url)).text)

        async with serving(Starlette(routes=[Route("/", waits)]), told.set) as (host, port):
            clients.start_soon(ask, f"http://{host}:{port}/")
            await begun.wait()
    assert answers == ["last words"]
