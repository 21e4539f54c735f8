"""Listens on an address and serves an ASGI application there until cancelled: the hub over HTTP, and the proxy."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mcp_hub.errors import ConfigError

BACKLOG = 1024
"""Connections that wait to be accepted; the kernel allows fewer where it is set so."""


HEAD_BYTES = 64 * 1024
"""Of a request's line and headers together: agents send some 2 KB."""
HEAD_WITHIN = 30.0
"""Seconds for them, from the connection or the request's first byte."""
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

LAST_WORDS = 1.0
"""Seconds before the end of a server at which what isn't answered yet is told so."""


def listen(host: str, port: int, instead: str) -> socket.socket:
    """A listening socket. Raises ConfigError when the address can't be had; `instead` says what to do then."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that can't be one, such as a..b
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number > 0 else str(error)
        raise ConfigError(f"can't listen on {host}:{port}: {reason}. {instead}") from None
    # What is accepted inherits it. asyncio leaves it out where a socket doesn't name TCP itself, and then an answer
    # that is written in two parts waits 40 ms for the client to acknowledge the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def bound(listener: socket.socket) -> tuple[str, int]:
    """The address listened on; the host as a URL has it."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]" if ":" in host else host, port


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    end_within: int,
    date_header: bool = True,
    last_words: Callable[[], None] | None = None,
) -> None:
    """Serve until cancelled, and `end_within` seconds more for requests under way.

    `last_words` is called a second before these are over: then what isn't answered yet can still be told so.
    """
    config = uvicorn.Config(
        app,
        http=_Http,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=end_within,
        server_header=False,
        date_header=date_header,
    )
    server = _Server(config)

    async def stop() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True
            if last_words is not None:
                asyncio.get_running_loop().call_later(end_within - LAST_WORDS, last_words)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        with anyio.CancelScope(shield=True):  # it ends by `should_exit`, so that nothing is left half open
            await server.serve([listener])
        tasks.cancel_scope.cancel()


class _Http(HttpToolsProtocol):
    """Bounds a request's head, which uvicorn leaves to others: its size, and the time in which it must come."""

    _head_bytes = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._late is not None and self._head_bytes > HEAD_BYTES:
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _begin_head(self) -> None:
        self._end_head()
        self._head_bytes = 0
        self._late = self.loop.call_later(HEAD_WITHIN, self.transport.close)

    def _end_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Server(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
