"""The proxy over HTTP: reads requests, writes answers piece by piece; what it does with them is the flow's."""

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mcp_hub.errors import ConfigError
from mcp_hub.proxy import wire
from mcp_hub.proxy.flow import Incoming, Outgoing

PREFIX = "/anthropic"
"""In base URLs that other gateways' users have; the same is served below it."""

BACKLOG = 1024
"""Connections that may wait to be taken."""
END_WITHIN = 5
"""Seconds that answers under way get when the proxy is stopped."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Handle = Callable[[Incoming], Awaitable[Outgoing]]


def application(handle: Handle, max_body: int) -> Starlette:
    """The proxy as an ASGI application; bodies over `max_body` bytes are refused."""

    async def endpoint(request: Request) -> Response:
        path = request.url.path
        path = path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else path
        if path == "/":
            return Response(status_code=200)
        if not path.startswith("/v1/"):
            return _refused("not_found_error", f"There is nothing at {path}; the Messages API is below /v1.")
        body = await _body(request, max_body)
        if body is None:
            return _refused("request_too_large", f"The body has more than {max_body} bytes (proxy.max_body_mib).")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        answer = await handle(Incoming(request.method, path, request.url.query, headers, body))
        return _response(answer)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError when the address can't be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number > 0 else str(error)
        raise ConfigError(f"can't listen on {host}:{port}: {reason}. Choose another address.", key="proxy") from None


async def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until cancelled, and END_WITHIN seconds more for answers under way."""
    server = _Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=END_WITHIN, server_header=False
        )
    )

    async def stop() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop)
        with anyio.CancelScope(shield=True):
            await server.serve([listener])
        tasks.cancel_scope.cancel()


class _Server(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _body(request: Request, most: int) -> bytes | None:
    """The body; None for one that is larger."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def _response(answer: Outgoing) -> Response:
    if isinstance(answer.body, bytes):
        response = Response(answer.body, answer.status)
    else:
        response = StreamingResponse(_closing(answer.body), answer.status)
    kept = [] if not isinstance(answer.body, bytes) else [(b"content-length", str(len(answer.body)).encode())]
    response.raw_headers = [*((n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers), *kept]
    return response


async def _closing(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces; what makes them is closed also when the client goes away in the middle."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        if hasattr(pieces, "aclose"):
            with anyio.CancelScope(shield=True):
                await pieces.aclose()


def _refused(type: str, text: str) -> Response:
    return Response(wire.error_body(type, text), wire.STATUS[type], media_type="application/json")
