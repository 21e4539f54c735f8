"""Sends requests over a number of connections at once and times their answers, with as little work as it can."""

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.processes import BenchError
from bench.proxy.stand_in import MODEL, PACED

BODY_BYTES = 100_000
"""Of a request's body."""

ANSWER_WAIT = 60.0
"""Seconds for one answer; what takes longer has failed."""

END = b"0\r\n\r\n"
STOP = b"event: message_stop"


@dataclass(frozen=True)
class Timing:
    """One answer: seconds from the first byte sent to the first of its body, and to its end."""

    first: float
    whole: float


@dataclass(frozen=True)
class Load:
    """What a number of connections have measured together, in `seconds`."""

    timings: tuple[Timing, ...]
    seconds: float


def request(url: str, key: str, *, paced: bool) -> bytes:
    """A streaming request of BODY_BYTES to POST /v1/messages below `url`, as it goes over the wire."""
    said = "A line of source code, or of what a tool has answered. "
    text = (PACED.decode() if paced else "") + (said * (BODY_BYTES // len(said)))[: BODY_BYTES - 200]
    body = {"model": MODEL, "max_tokens": 1024, "stream": True, "messages": [{"role": "user", "content": text}]}
    sent = json.dumps(body).encode().ljust(BODY_BYTES)
    where = urlsplit(url)
    head = (
        f"POST {where.path}/v1/messages HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-type: application/json\r\n"
        f"x-api-key: {key}\r\nanthropic-version: 2023-06-01\r\ncontent-length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent


class _Connection(asyncio.Protocol):
    """One connection, which has one request under way at a time."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[Timing] | None = None
        self._received = bytearray()
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchError("the connection was closed in the middle of an answer"))

    async def ask(self, sent: bytes) -> Timing:
        """Send a request and read its answer to its end."""
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._first = 0.0
        self._began = time.perf_counter()
        self.transport.write(sent)
        async with asyncio.timeout(ANSWER_WAIT):
            return await self._answer

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._first and (end := received.find(b"\r\n\r\n")) >= 0 and len(received) > end + 4:
            self._first = time.perf_counter()
        if self._answer is None or self._answer.done():
            return
        if received.endswith(END) and received.startswith(b"HTTP/1.1 200") and STOP in received[-400:]:
            now = time.perf_counter()
            self._answer.set_result(Timing(self._first - self._began, now - self._began))
        elif self._first and not received.startswith(b"HTTP/1.1 200"):
            self._answer.set_exception(BenchError(f"answered with {bytes(received[:600])!r}"))


async def measured(url: str, key: str, connections: int, requests: int, *, paced: bool = False) -> Load:
    """Send `requests` over `connections`, each with one under way at a time. Raises BenchError for any that fails."""
    loop, where, sent = asyncio.get_running_loop(), urlsplit(url), request(url, key, paced=paced)
    left = iter(range(requests))
    timings: list[Timing] = []

    async def client() -> None:
        _, connection = await loop.create_connection(_Connection, where.hostname or "", where.port or 0)
        try:
            for _ in left:
                timings.append(await connection.ask(sent))
        finally:
            connection.transport.close()

    began = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(connections):
                tasks.create_task(client())
    except* (OSError, BenchError) as failed:
        first = failed.exceptions[0]
        told = str(first) or type(first).__name__
        raise BenchError(f"{url} failed under {connections} connections: {told}") from None
    return Load(tuple(timings), time.perf_counter() - began)
