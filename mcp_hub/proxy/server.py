"""The proxy over HTTP: reads requests, writes answers piece by piece; what it does with them is the flow's."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from mcp_hub.proxy import wire
from mcp_hub.proxy.answer import Outgoing
from mcp_hub.proxy.flow import METRICS, Incoming
from mcp_hub.proxy.upstreams.upstream import BrokenError
from mcp_hub.proxy.wire import AnswerError
from mcp_hub.table import is_loopback

PREFIX = "/anthropic"
"""In base URLs that other gateways' users have; the same is served below it."""

PATHS = re.compile(r"/v1(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.:~@-]+)+")
"""Paths that are passed on: no empty segment, no dots that an upstream might resolve, nothing encoded."""

PIECE_WITHIN = 60.0
"""Seconds between two pieces of a body; a client that needs longer has gone, or means ill."""

Handle = Callable[[Incoming], Awaitable[Outgoing]]


class Application:
    """The proxy as an ASGI application.

    A body is read when `handle` asks for it: whoever may not be served sends it for nothing. From then on, a client
    that goes away cancels all that is done for it.
    """

    def __init__(self, handle: Handle, max_body: int, hosts: Sequence[str] = ()) -> None:
        """Bodies over `max_body` bytes are refused, and on loopback names that aren't in `hosts`."""
        self._handle = handle
        self._max_body = max_body
        self._hosts = hosts
        self._under_way: set[anyio.CancelScope] = set()
        self._is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return  # a server asks for a lifespan, too, and there is nothing to do in it
        headers, path = Headers(scope=scope), _path(scope)
        sending = _Sending(send)
        if path == "/":
            await sending.answer(Outgoing(200, [], b""))
        elif (problem := _problem(scope, headers, path, self._hosts)) is not None:
            await sending.answer(Outgoing.of_error(problem))
        else:
            async with anyio.create_task_group() as tasks:
                self._under_way.add(tasks.cancel_scope)
                try:
                    read = partial(_body, receive, headers, self._max_body, tasks)
                    await sending.answer(await self._handle(_incoming(scope, headers, path, read)))
                finally:
                    self._under_way.discard(tasks.cancel_scope)
                tasks.cancel_scope.cancel()
            if self._is_ending and not sending.is_complete:
                await sending.last_words()

    def end(self) -> None:
        """Cancel all requests under way, and tell their clients that they were."""
        self._is_ending = True
        for scope in list(self._under_way):
            scope.cancel()


class _Sending:
    """An answer on its way out, and how far it got."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self._streams = False
        self.is_complete = False

    async def answer(self, answer: Outgoing) -> None:
        """Send an answer, and close its body whatever happens."""
        body = answer.body
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if isinstance(body, bytes):
            headers.append((b"content-length", str(len(body)).encode()))
            await self._begin(answer.status, headers)
            await self._piece(body, more=False)
            return
        try:
            await self._begin(answer.status, headers)
            async with aclosing(body.pieces()) as pieces:
                async for piece in pieces:
                    await self._piece(piece)
            await self._piece(b"", more=False)
        except BrokenError:  # logged by who has the answer; the connection is closed, from which the client knows
            self.is_complete = True
        finally:
            await body.close()

    async def last_words(self) -> None:
        """Tell a client whose answer was cancelled that it was, as far as there is a place for that."""
        error = AnswerError(
            "overloaded_error", "The proxy was stopped before this was answered; ask again.", retry_after=1
        )
        if not self._has_begun:
            await self.answer(Outgoing.of_error(error))
        elif self._streams:
            await self._piece(wire.error_event(error.type, error.text))
            await self._piece(b"", more=False)

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._has_begun = True
        self._streams = any(
            name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers
        )
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _piece(self, piece: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        self.is_complete = not more


def _incoming(scope: Scope, headers: Headers, path: str, read: Callable[[], Awaitable[bytes]]) -> Incoming:
    """A request without the headers of one connection, those that `Connection` names among them."""
    of_one_hop = {each.strip().lower() for each in headers.get("connection", "").split(",")}
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw]
    kept = [(name, value) for name, value in pairs if name not in of_one_hop]
    client = scope.get("client")
    is_local = client is not None and is_loopback(str(client[0]))
    return Incoming(scope["method"], path, scope["query_string"].decode("latin-1"), kept, is_local, read)


def _problem(scope: Scope, headers: Headers, path: str, hosts: Sequence[str]) -> AnswerError | None:
    """Why a request isn't looked at."""
    if path != METRICS and not PATHS.fullmatch(path):
        return AnswerError("not_found_error", "There is nothing at this path; the Messages API is below /v1.")
    if _is_foreign(scope, headers, hosts):
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
        try:
            with anyio.fail_after(PIECE_WITHIN):
                message = await receive()
        except TimeoutError:
            text = f"Nothing of the body came for {PIECE_WITHIN:g} seconds."
            raise AnswerError("timeout_error", text, status=408) from None
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


def _path(scope: Scope) -> str:
    """The path as it came, without PREFIX."""
    path: str = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or "/"
    return path.removeprefix(PREFIX) or "/" if path == PREFIX or path.startswith(f"{PREFIX}/") else path


def _is_foreign(scope: Scope, headers: Headers, hosts: Sequence[str]) -> bool:
    """Whether a web page asks, or one that reached this machine under a name of its own (DNS rebinding)."""
    server, host, origin = scope.get("server"), headers.get("host"), headers.get("origin")
    if origin is not None and not is_loopback(_hostname(origin)):
        return True
    listens_here = server is not None and is_loopback(str(server[0]))
    name = _hostname(f"//{host}") if host is not None else None
    return listens_here and name is not None and not is_loopback(name) and name not in hosts


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that hold no address
        return ""
