"""Listens on an address and serves an ASGI application there until cancelled: the hub over HTTP, and the proxy."""

import contextlib
import os
import socket
from collections.abc import Iterator

import anyio
import uvicorn
from starlette.types import ASGIApp

from mcp_hub.errors import ConfigError

BACKLOG = 1024
"""Connections that wait to be accepted; the kernel allows fewer where it is set so."""


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


async def serve(app: ASGIApp, listener: socket.socket, *, end_within: int, date_header: bool = True) -> None:
    """Serve until cancelled, and `end_within` seconds more for requests under way."""
    config = uvicorn.Config(
        app,
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

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        with anyio.CancelScope(shield=True):  # it ends by `should_exit`, so that nothing is left half open
            await server.serve([listener])
        tasks.cancel_scope.cancel()


class _Server(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
