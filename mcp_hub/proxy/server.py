"""The proxy over HTTP: reads requests, writes answers piece by piece; what it does with them is the flow's."""

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_hub.proxy.answer import Outgoing
from mcp_hub.proxy.flow import METRICS, Incoming
from mcp_hub.proxy.upstreams.upstream import BrokenError
from mcp_hub.proxy.wire import AnswerError
from mcp_hub.table import is_loopback

logger = logging.getLogger(__name__)

PREFIX = "/anthropic"
"""In base URLs that other gateways' users have; the same is served below it."""

PATHS = re.compile(r"/v1(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.:~@-]+)+")
"""Paths that are passed on: no empty segment, no dots that an upstream might resolve, nothing encoded."""

Handle = Callable[[Incoming], Awaitable[Outgoing]]


def application(handle: Handle, max_body: int) -> ASGIApp:
    """The proxy as an ASGI application; bodies over `max_body` bytes are refused.

    A body is read when `handle` asks for it: whoever may not be served sends it for nothing. From then on, a client
    that goes away cancels all that is done for it.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # a server asks for a lifespan, too, and there is nothing to do in it
        headers, path = Headers(scope=scope), _path(scope)
        if path == "/":
            await _send(Outgoing(200, [], b""), send)
        elif (problem := _problem(scope, headers, path)) is not None:
            await _send(Outgoing.of_error(problem), send)
        else:
            async with anyio.create_task_group() as tasks:
                pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw]
                query = scope["query_string"].decode("latin-1")
                read = partial(_body, receive, headers, max_body, tasks)
                await _send(await handle(Incoming(scope["method"], path, query, pairs, read)), send)
                tasks.cancel_scope.cancel()

    return app


def _problem(scope: Scope, headers: Headers, path: str) -> AnswerError | None:
    """Why a request isn't looked at."""
    if path != METRICS and not PATHS.fullmatch(path):
        return AnswerError("not_found_error", "There is nothing at this path; the Messages API is below /v1.")
    if _is_foreign(scope, headers):
        return AnswerError("permission_error", "Web pages and other names than this machine's are refused.")
    for name, value in headers.raw:
        if not _is_text(value):
            text = f"The header {name.decode('latin-1')!r} has bytes that aren't UTF-8 and can't be passed on."
            return AnswerError("invalid_request_error", text)
    return None


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _body(receive: Receive, headers: Headers, most: int, tasks: TaskGroup) -> bytes:
    """The body; from its end on, the client is watched. Raises AnswerError for one that is too large."""
    too_large = AnswerError("request_too_large", f"The body has more than {most} bytes (proxy.max_body_mib).")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise too_large
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            tasks.cancel_scope.cancel()
            await anyio.lowlevel.checkpoint()
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large
        more = message.get("more_body", False)
    tasks.start_soon(_watch, receive, tasks.cancel_scope)
    return bytes(body)


async def _watch(receive: Receive, work: anyio.CancelScope) -> None:
    """Cancel what is done for a client when it goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    work.cancel()


async def _send(answer: Outgoing, send: Send) -> None:
    """Send an answer, and close its body whatever happens."""
    body = answer.body
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if isinstance(body, bytes):
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        async with aclosing(body.pieces()) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except BrokenError as error:  # the server closes the connection, from which the client knows
        logger.warning("%s", error.text)
    finally:
        await body.close()


def _path(scope: Scope) -> str:
    """The path as it came, without PREFIX."""
    path: str = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or "/"
    return path.removeprefix(PREFIX) or "/" if path == PREFIX or path.startswith(f"{PREFIX}/") else path


def _is_foreign(scope: Scope, headers: Headers) -> bool:
    """Whether a web page asks, or one that reached this machine under a name of its own (DNS rebinding)."""
    server, host, origin = scope.get("server"), headers.get("host"), headers.get("origin")
    if origin is not None and not is_loopback(_hostname(origin)):
        return True
    listens_here = server is not None and is_loopback(str(server[0]))
    return listens_here and host is not None and not is_loopback(_hostname(f"//{host}"))


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no address
        return ""
