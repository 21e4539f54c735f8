"""An answer on its way to the client: heard as it passes, and settled once when it is over, however that comes about.

Its body must be closed by whoever has it, also when not one piece was taken: what was reserved would stay reserved.
"""

import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import anyio

from mcp_hub.proxy import wire
from mcp_hub.proxy.admission import Admission, Admitted, End
from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.recording import Answer, Recorder, answered, error_type
from mcp_hub.proxy.spans import SAID_NOTHING, Said
from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply
from mcp_hub.proxy.wire import AnswerError
from mcp_hub.store.ledger import Status

logger = logging.getLogger(__name__)

WHOLE_BYTES = 32 * 1024 * 1024
"""Of an answer that is no stream, which are kept to read its usage: more than any message has. What is longer passes
on, and is charged its worst case."""


class Body(Protocol):
    """An answer's body, piece by piece."""

    def pieces(self) -> AsyncGenerator[bytes]:
        """The pieces, once."""
        ...

    async def close(self) -> None:
        """Let go of it; a second time, nothing happens."""
        ...


@dataclass(frozen=True)
class Outgoing:
    """An answer: its body whole, or piece by piece; `admitted` where it is an upstream's to /v1/messages."""

    status: int
    headers: Headers
    body: bytes | Body = field(repr=False)
    admitted: Admitted | None = field(default=None, repr=False)

    @classmethod
    def of_error(cls, error: AnswerError, request_id: str | None = None) -> "Outgoing":
        """An error of the proxy's own, as the Messages API would answer it."""
        headers = [("content-type", "application/json")]
        if request_id is not None:
            headers.append(("request-id", request_id))
        if error.retry_after is not None:
            headers.append(("retry-after", f"{error.retry_after:g}"))
        return cls(error.status, headers, wire.error_body(error.type, error.text, request_id))


class Passed:
    """A body that nothing is to be known of."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The upstream's own."""
        async for piece in self._reply.body:
            yield piece

    async def close(self) -> None:
        """Let the connection go."""
        self._reply.close()


class Heard:
    """The body of an answer to /v1/messages."""

    def __init__(self, reply: Reply, admitted: Admitted, admission: Admission, began: float) -> None:
        """`began`: when the request was sent, by `time.monotonic`."""
        self._reply = reply
        self._admitted = admitted
        self._admission = admission
        self._began = began
        failed = reply.status >= 400  # then it is no stream, whatever it is called
        self.streams = not failed and reply.header("content-type").lower().startswith("text/event-stream")
        self._recorder = Recorder(content=False)
        self._whole = bytearray()
        self._first: float | None = None
        self._status = Status.FAILED if failed else Status.LEFT
        self._closed = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The pieces as they come; of a stream whole events, since one that is cut would garble what follows.

        It is settled before the client has the end, so that what it asks next finds it settled. Raises BrokenError for
        an answer that breaks off and is no stream.
        """
        try:
            async for piece in self._events() if self.streams else self._parts():
                yield piece
        finally:
            await self.close()

    async def _events(self) -> AsyncGenerator[bytes]:
        parser, noted = SseParser(), False
        try:
            async for piece in self._received():
                events = parser.feed(piece)
                for event in events:
                    self._recorder.hear(event)
                if events:
                    yield b"".join(event.raw for event in events)
                if not noted and self._recorder.counts_input:
                    noted = True
                    await self._admission.note(self._admitted, self._recorder.usage)
            ended = self._recorder.complete or self._recorder.error is not None
            if ended and (rest := parser.rest):
                yield rest
            self._status = Status.FAILED if self._recorder.error else Status.OK
            if not ended:
                text = f"The upstream {self._admitted.entry.upstream!r} ended its answer in the middle."
                self._broken(text)
                yield wire.error_event("api_error", text)
        except BrokenError as error:
            self._broken(error.text)
            yield wire.error_event("api_error", error.text)

    async def _parts(self) -> AsyncGenerator[bytes]:
        """One part late: the client knows by its length that the last one is the last."""
        held = b""
        try:
            async for piece in self._received():
                if len(self._whole) <= WHOLE_BYTES:
                    self._whole += piece
                if held:
                    yield held
                held = piece
        except BrokenError as error:
            self._broken(error.text)
            yield held
            raise
        if self._status is Status.LEFT:
            self._status = Status.OK
        await self.close()
        yield held

    async def _received(self) -> AsyncGenerator[bytes]:
        async for piece in self._reply.body:
            self._first = time.monotonic() - self._began if self._first is None else self._first
            yield piece

    def _broken(self, text: str) -> None:
        self._status = Status.BROKEN
        logger.warning("%s: %s", self._admitted.entry.id, text)

    async def close(self) -> None:
        """Let the connection go and settle what was used."""
        if self._closed:
            return
        self._closed = True
        with anyio.CancelScope(shield=True):
            self._reply.close()
            seconds = time.monotonic() - self._began
            used, said = await apart(len(self._whole), lambda: (self._used(), self._said()))
            end = End(used, self._status, self._reply.status, self._first, seconds, said)
            await self._admission.settle(self._admitted, end)

    @cached_property
    def _answer(self) -> Answer | None:
        """A whole answer that is no stream."""
        is_whole = self._status is Status.OK and not self.streams and len(self._whole) <= WHOLE_BYTES
        return answered(bytes(self._whole)) if is_whole else None

    def _said(self) -> Said:
        """What the answer says of itself, for its span."""
        heard = self._recorder
        if self._admitted.span is None:
            return SAID_NOTHING
        if self._reply.status >= 400:
            return Said(error=error_type(bytes(self._whole)))
        told = heard if self.streams else self._answer
        if told is None:
            return SAID_NOTHING
        return Said(told.model, told.message_id, told.stop_reason, heard.error.type if heard.error else "")

    def _used(self) -> Usage | None:
        """What the answer says to its end; None where it doesn't say its input, or what that has grown to."""
        heard = self._recorder
        if self._reply.status >= 400 or (heard.error and heard.usage == Usage()):
            return Usage()  # it failed before it began
        if not self.streams:
            told = self._answer
            return told.usage if told is not None and told.counted else None
        if heard.complete and heard.counts_input and heard.counts_output:
            return heard.usage
        if not heard.counts_input or self._admitted.grows:
            return None
        return heard.usage.most(Usage(output=self._admitted.worst.output))
