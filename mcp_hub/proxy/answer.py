"""An answer on its way to the client: heard as it passes, and settled once when it is over, however that comes about.

Its body must be closed by whoever has it, also when not one piece was taken: what was reserved would stay reserved.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from mcp_hub.proxy import wire
from mcp_hub.proxy.admission import Admission, Admitted, End
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.recording import Recorder, answered
from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.upstream import BrokenError, Headers, Reply
from mcp_hub.store.ledger import Status


class Body(Protocol):
    """An answer's body, piece by piece."""

    def pieces(self) -> AsyncIterator[bytes]:
        """The pieces, once."""
        ...

    async def close(self) -> None:
        """Let go of it; a second time, nothing happens."""
        ...


@dataclass(frozen=True)
class Outgoing:
    """An answer: its body whole, or piece by piece."""

    status: int
    headers: Headers
    body: bytes | Body = field(repr=False)


class Passed:
    """A body that nothing is to be known of."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def pieces(self) -> AsyncIterator[bytes]:
        """The upstream's own."""
        return self._reply.body

    async def close(self) -> None:
        """Let the connection go."""
        with anyio.CancelScope(shield=True):
            await self._reply.close()


class Heard:
    """The body of an answer to /v1/messages."""

    def __init__(self, reply: Reply, admitted: Admitted, admission: Admission, began: float) -> None:
        """`began`: when the request was sent, by `time.monotonic`."""
        self._reply = reply
        self._admitted = admitted
        self._admission = admission
        self._began = began
        self._streams = reply.header("content-type").startswith("text/event-stream")
        self._recorder = Recorder(content=False)
        self._whole = bytearray()
        self._first: float | None = None
        self._status = Status.LEFT
        self._closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The pieces as they come; of a stream whole events, since one that is cut would garble what follows."""
        parser, noted = SseParser(), False
        try:
            async for piece in self._reply.body:
                self._first = time.monotonic() - self._began if self._first is None else self._first
                if not self._streams:
                    self._whole += piece
                    yield piece
                    continue
                for event in parser.feed(piece):
                    self._recorder.hear(event)
                    yield event.raw
                if not noted and self._recorder.usage != Usage():
                    noted = True
                    await self._admission.note(self._admitted, self._recorder.usage)
            if self._recorder.complete and (rest := parser.rest):
                yield rest
            self._status = Status.FAILED if self._reply.status >= 400 or self._recorder.error else Status.OK
            if self._streams and not self._recorder.complete and not self._recorder.error:
                self._status = Status.BROKEN
                yield wire.error_event("api_error", "The upstream ended its answer in the middle.")
        except BrokenError as error:
            self._status = Status.BROKEN
            if not self._streams:
                raise
            yield wire.error_event("api_error", error.text)
        finally:
            await self.close()  # before the client has the end: what it asks next finds this settled

    async def close(self) -> None:
        """Let the connection go and settle what was used."""
        if self._closed:
            return
        self._closed = True
        with anyio.CancelScope(shield=True):
            await self._reply.close()
            seconds = time.monotonic() - self._began
            end = End(self._used(), self._status, self._reply.status, self._first, seconds)
            await self._admission.settle(self._admitted, end)

    def _used(self) -> Usage:
        """As the answer says; what it doesn't say to its end is its worst case."""
        worst, heard = self._admitted.worst, self._recorder
        if self._reply.status >= 400:
            return Usage()
        if not self._streams:
            told = answered(bytes(self._whole)) if self._status is Status.OK else None
            return told.usage if told is not None and told.counted else worst
        if heard.error and heard.usage == Usage():
            return Usage()  # it failed before it began
        if not heard.counts_input:
            return worst.most(heard.usage)
        ended = heard.complete and heard.counts_output
        return heard.usage if ended else heard.usage.most(Usage(output=worst.output))
