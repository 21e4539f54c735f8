"""Tool calls over a child's stdio, past the queues of the SDK's session: written at once, answered by the reader.

The session owns everything else: handshake, lists, notifications, what a server asks of its client. A call through it
passes six tasks of the event loop, each way counted; here it passes two. The numbers of our requests are far above
those that the session counts up from 1.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.shared.dispatcher import ProgressFnT

from mcp_hub.tracing import ALONG

FIRST_ID = 1_000_000_000
"""The number of the first request here: still a 32-bit integer, which every server can read."""

OF_ONE_REQUEST = ("progressToken", "traceparent", "tracestate", "baggage")
"""Of `_meta`: what another request mustn't repeat."""

CANCEL_WITHIN = 1.0
"""Seconds for the notice that a call was given up to be written; a server that doesn't read gets none."""

CLOSED = "Connection closed"
"""What the SDK says, too, when a connection has ended; its code, -32000, is one that servers use for own errors."""

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True)
class _Progress:
    progress: float
    total: float | None
    message: str | None


_Heard = asyncio.Queue[_Progress | dict[str, Any] | MCPError]
"""What came for a call: how far it is, then its result or its error."""


class DirectCalls:
    """The calls under way with one child. `takes` sees each line that the child writes, before the session does."""

    def __init__(self) -> None:
        self._send: Send | None = None
        self._meta: dict[str, Any] = {}
        self._pending: dict[int, _Heard] = {}
        self._next = FIRST_ID

    def open(self, send: Send) -> None:
        """Write through `send` from now on."""
        self._send = send

    def close(self) -> None:
        """The child has closed its stdout: no call under way will be answered."""
        self._send = None
        for heard in self._pending.values():
            heard.put_nowait(MCPError(types.CONNECTION_CLOSED, CLOSED))

    def learn(self, message: types.JSONRPCMessage) -> None:
        """See what the session sends: since 2026-07-28 each request says in `_meta` who asks, in which version."""
        if isinstance(message, types.JSONRPCRequest) and message.method == "tools/list" and message.params:
            meta = message.params.get("_meta") or {}
            self._meta = {key: value for key, value in meta.items() if key not in OF_ONE_REQUEST}

    def takes(self, line: bytes) -> bool:
        """Whether a line was an answer to a call here, or its progress; then it is dealt with."""
        if not self._pending:
            return False
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(message, dict):
            return False
        if message.get("method") == "notifications/progress":
            return self._progress(message.get("params"))
        heard = self._asked(message.get("id"))
        if heard is None or "method" in message:
            return False
        heard.put_nowait(_outcome(message))
        return True

    def fails(self, request_id: int | str | None, problem: str) -> bool:
        """Whether a call here is the one that can't be answered, for a message that is too large; it fails then."""
        heard = self._asked(request_id)
        if heard is not None:
            heard.put_nowait(MCPError(types.INTERNAL_ERROR, problem))
        return heard is not None

    async def call(self, tool: str, arguments: Mapping[str, Any], on_progress: ProgressFnT | None) -> dict[str, Any]:
        """Call a tool and give the result as the server wrote it. Raises MCPError; cancelling tells the server."""
        if self._send is None:
            raise MCPError(types.CONNECTION_CLOSED, CLOSED)
        self._next += 1
        number = self._next
        meta = {**self._meta, **ALONG.get(), **({} if on_progress is None else {"progressToken": number})}
        params = {"name": tool, "arguments": arguments, **({"_meta": meta} if meta else {})}
        request = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        heard = self._pending[number] = _Heard()
        try:
            await self._written(request)
            while isinstance(came := await heard.get(), _Progress):
                if on_progress is not None:
                    await on_progress(came.progress, came.total, came.message)
        except anyio.get_cancelled_exc_class():
            await self._give_up(number)
            raise
        finally:
            del self._pending[number]
        if isinstance(came, MCPError):
            raise came
        return came

    async def _written(self, message: dict[str, Any]) -> None:
        assert self._send is not None
        try:
            await self._send(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        except OSError:
            raise MCPError(types.CONNECTION_CLOSED, CLOSED) from None

    async def _give_up(self, number: int) -> None:
        if self._send is None:
            return
        params = {"requestId": number, "reason": "the program that asked has ended"}
        with anyio.move_on_after(CANCEL_WITHIN, shield=True):
            try:
                await self._written({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
            except MCPError:
                return  # it has ended meanwhile

    def _asked(self, request_id: object) -> _Heard | None:
        number = int(request_id) if isinstance(request_id, str) and request_id.isdecimal() else request_id
        return self._pending.get(number) if isinstance(number, int) else None

    def _progress(self, params: object) -> bool:
        if not isinstance(params, dict) or (heard := self._asked(params.get("progressToken"))) is None:
            return False
        progress, total, message = params.get("progress"), params.get("total"), params.get("message")
        if isinstance(progress, int | float):
            total = total if isinstance(total, int | float) else None
            heard.put_nowait(_Progress(progress, total, message if isinstance(message, str) else None))
        return True


def _outcome(message: Mapping[str, Any]) -> dict[str, Any] | MCPError:
    error, result = message.get("error"), message.get("result")
    if isinstance(error, dict):
        code = error.get("code")
        told = str(error.get("message") or "no reason was given")
        return MCPError(code if isinstance(code, int) else types.INTERNAL_ERROR, told)
    return result if isinstance(result, dict) else {}
