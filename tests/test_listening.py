"""Listening: an address that can't be had is told with what to do, and serving ends with what it began."""

from contextlib import closing

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mcp_hub.errors import ConfigError
from mcp_hub.listening import bound, listen, serve

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
