"""The proxy over HTTP: reads requests, writes answers piece by piece; what it does with them is the flow's."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mcp_hub.proxy import wire
from mcp_hub.proxy.answer import Outgoing
from mcp_hub.proxy.flow import Incoming
from mcp_hub.table import is_loopback

PREFIX = "/anthropic"
"""In base URLs that other gateways' users have; the same is served below it."""

PATHS = re.compile(r"/v1(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.:~@-]+)+")
"""Paths that are passed on: no empty segment, no dots that an upstream might resolve, nothing encoded."""

GONE = 499
"""The status of an answer that nobody waits for any more; it is not sent."""

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Handle = Callable[[Incoming], Awaitable[Outgoing]]


def application(handle: Handle, max_body: int) -> Starlette:
    """The proxy as an ASGI application; bodies over `max_body` bytes are refused."""

    async def endpoint(request: Request) -> Response:
        path = _path(request)
        if path == "/":
            return Response(status_code=200)
        if not PATHS.fullmatch(path):
            return _refused("not_found_error", "There is nothing at this path; the Messages API is below /v1.")
        if _is_foreign(request):
            return _refused("permission_error", "Web pages and other names than this machine's are refused.")
        body = await _body(request, max_body)
        if body is None:
            return _refused("request_too_large", f"The body has more than {max_body} bytes (proxy.max_body_mib).")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        incoming = Incoming(request.method, path, request.url.query, headers, body)
        answer = await _unless_gone(request, lambda: handle(incoming))
        return Response(status_code=GONE) if answer is None else _Answer(answer)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])


async def _body(request: Request, most: int) -> bytes | None:
    """The body; None for one that is larger."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


async def _unless_gone(request: Request, handle: Callable[[], Awaitable[Outgoing]]) -> Outgoing | None:
    """What `handle` gives; it is cancelled when the client goes away, and then there is nothing to give."""
    answer: Outgoing | None = None

    async def watch(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, tasks.cancel_scope)
        answer = await handle()
        tasks.cancel_scope.cancel()
    return answer


class _Answer(Response):
    """Sends an answer, and closes its body whatever happens."""

    def __init__(self, answer: Outgoing) -> None:
        super().__init__(status_code=answer.status)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._answer.body
        try:
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._answer.headers]
            if isinstance(body, bytes):
                whole = Response(body, self._answer.status)
                whole.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
                await whole(scope, receive, send)
            else:
                streamed = StreamingResponse(body.pieces(), self._answer.status)
                streamed.raw_headers = headers
                await streamed(scope, receive, send)
        finally:
            if not isinstance(body, bytes):
                await body.close()


def _path(request: Request) -> str:
    """The path as it came, without PREFIX."""
    path: str = request.scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or "/"
    return path.removeprefix(PREFIX) or "/" if path == PREFIX or path.startswith(f"{PREFIX}/") else path


def _is_foreign(request: Request) -> bool:
    """Whether a web page asks, or one that reached this machine under a name of its own (DNS rebinding)."""
    origin = request.headers.get("origin")
    if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
        return True
    server = request.scope.get("server")
    listens_here = server is not None and is_loopback(str(server[0]))
    return listens_here and not is_loopback(request.url.hostname or "")


def _refused(type: str, text: str) -> Response:
    return Response(wire.error_body(type, text), wire.STATUS[type], media_type="application/json")
