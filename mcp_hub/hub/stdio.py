"""Newline-delimited JSON-RPC over descriptors: the hub's own stdin and stdout, and those of its children.

Owns the bytes, up to the SDK's message streams. It takes the place of the SDK's two stdio transports because
they read stdin in a thread that a signal can't stop, inherit more of the environment than a child may have,
hold a message of any size, and say nothing of how a child ended.
"""

import asyncio
import json
import logging
import os
import re
import select
import socket
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from mcp_hub.hub.direct import DirectCalls
from mcp_hub.sockets import READ_BYTES, SocketReader

logger = logging.getLogger(__name__)

PIPE_BYTES = 4096
"""What a pipe that polls as writable takes without blocking (POSIX: PIPE_BUF; 4096 on Linux, 512 on macOS)."""

EDGE_BYTES = 512
"""What is kept of either end of a message that is too large, to find out which request it answers."""

CLIENT_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest message taken from the client; a program is bounded far below."""

FLUSH = 0.5
"""Seconds for what is already answered to be written when a session ends; a peer that doesn't read gets no more."""

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


class Lines:
    """Bytes in, lines out; a line over `most` bytes comes out as an `Oversized`. Pure."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._scanned = 0
        self._dropping: Oversized | None = None

    def feed(self, chunk: bytes) -> list["bytes | Oversized"]:
        """The lines that `chunk` completes, without their ends; blank ones are left out."""
        out: list[bytes | Oversized] = []
        self._buffer += chunk
        while (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._scanned = 0
            if self._dropping is not None:
                out.append(self._dropping.grown(line))
                self._dropping = None
            elif len(line) > self._most:
                out.append(Oversized().grown(line))
            elif line.strip():
                out.append(line)
        if len(self._buffer) > self._most:
            self._dropping = (self._dropping or Oversized()).grown(self._buffer)
            self._buffer.clear()
        self._scanned = len(self._buffer)
        return out


class Oversized:
    """A message that was too large to keep: its size, and its two ends."""

    def __init__(self) -> None:
        self.size = 0
        self._head = b""
        self._tail = b""

    def grown(self, more: bytes | bytearray) -> "Oversized":
        """Itself, longer by `more`."""
        self.size += len(more)
        self._head += more[: EDGE_BYTES - len(self._head)]
        self._tail = (self._tail + more[-EDGE_BYTES:])[-EDGE_BYTES:]
        return self

    @property
    def answers(self) -> int | str | None:
        """The id of the request that it answers; None for what isn't an answer, or doesn't say so at either end.

        The SDK for Python writes the id before the result, the one for TypeScript after it.
        """
        return _id(_ANSWER_TO.match(self._head) or (_ANSWER.match(self._head) and _ID_LAST.search(self._tail)))

    @property
    def asks(self) -> int | str | None:
        """The id of the request that it is; None for what isn't one, or doesn't say so at either end."""
        if _ANSWER.match(self._head):
            return None
        return _id(_ID_FIRST.match(self._head) or _ID_LAST.search(self._tail))


def _id(found: "re.Match[bytes] | None") -> int | str | None:
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None


_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*(\d+|"[^"\\]*")'
_OUTCOME = rb'"(?:result|error)"'
_ANSWER = re.compile(rb"\s*\{\s*(?:%b\s*,\s*)?%b" % (_VERSION, _OUTCOME))
_ANSWER_TO = re.compile(rb"\s*\{\s*(?:%b\s*,\s*)?%b\s*,\s*(?:%b\s*,\s*)?%b" % (_VERSION, _ID, _VERSION, _OUTCOME))
_ID_FIRST = re.compile(rb"\s*\{\s*(?:%b\s*,\s*)?%b\s*," % (_VERSION, _ID))
_ID_LAST = re.compile(rb"%b\s*(?:,\s*%b\s*)?\}\s*$" % (_ID, _VERSION))


@asynccontextmanager
async def own_streams(on_sent: Callable[[], None]) -> AsyncIterator[Streams]:
    """Serve on this process's stdin and stdout; `on_sent` is called after each message that was written.

    Meanwhile fd 1 is stderr, so that a stray print harms nothing, and fd 0 is empty.
    """
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    receive = _whole(read_fd) if stat.S_ISREG(os.fstat(read_fd).st_mode) else _polled(read_fd)

    async def send(data: bytes) -> None:
        await _write_polled(write_fd, data)
        on_sent()

    try:
        async with _bridged(receive, send, CLIENT_MESSAGE_BYTES) as streams:
            yield streams
    finally:
        os.close(read_fd)
        os.close(write_fd)


@asynccontextmanager
async def child_streams(
    stdin: socket.socket,
    stdout: socket.socket,
    most: int,
    on_noise: Callable[[bytes], None],
    on_end: Callable[[], None],
    direct: DirectCalls,
) -> AsyncIterator[Streams]:
    """Speak to a child over the parent's ends of two socket pairs; messages have at most `most` bytes.

    `direct` calls tools beside the session, on the same descriptors. A line that is no JSON-RPC goes to `on_noise`. An
    answer that is too large becomes an error answer. `on_end` is called when the child has closed its stdout.
    """
    loop = asyncio.get_running_loop()
    reader = SocketReader(stdout)
    writing = asyncio.Lock()

    async def receive() -> bytes:
        chunk = await reader.receive()
        if not chunk:
            direct.close()
            on_end()
        return chunk

    async def send(data: bytes) -> None:
        async with writing:
            await loop.sock_sendall(stdin, data)

    direct.open(send)
    try:
        async with _bridged(receive, send, most, on_noise, direct) as streams:
            yield streams
    finally:
        direct.close()
        reader.close()


@asynccontextmanager
async def _bridged(
    receive: Callable[[], Awaitable[bytes]],
    send: Callable[[bytes], Awaitable[None]],
    most: int,
    on_noise: Callable[[bytes], None] | None = None,
    direct: DirectCalls | None = None,
) -> AsyncIterator[Streams]:
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)

    written = anyio.Event()

    async def reader() -> None:
        lines = Lines(most)
        async with incoming:
            try:
                while chunk := await receive():
                    for line in lines.feed(chunk):
                        if direct is not None and _is_taken(direct, line, most):
                            continue
                        if on_noise is None and isinstance(line, Oversized) and line.asks is not None:
                            await write_stream.send(_refusal(line.asks, line.size, most))
                        elif (message := _message(line, most, on_noise)) is not None:
                            await incoming.send(message)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # the session has ended

    async def writer() -> None:
        async with outgoing:
            async for message in outgoing:
                if direct is not None:
                    direct.learn(message.message)
                try:
                    text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                except ValueError:  # half a surrogate pair, as in a path that isn't UTF-8: escapes can say it
                    text = json.dumps(message.message.model_dump(by_alias=True, exclude_unset=True))
                try:
                    await send(text.encode() + b"\n")
                except OSError:
                    incoming.close()  # nobody reads: the session ends as if the peer had closed
                    break
        written.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        tasks.start_soon(writer)
        try:
            yield read_stream, write_stream
        finally:
            read_stream.close()
            write_stream.close()
            with anyio.move_on_after(FLUSH, shield=True):
                await written.wait()
            tasks.cancel_scope.cancel()


def _is_taken(direct: DirectCalls, line: bytes | Oversized, most: int) -> bool:
    if isinstance(line, Oversized):
        return direct.fails(line.answers, f"{_too_large(line, most)}; it may still have done it")
    return direct.takes(line)


def _too_large(line: Oversized, most: int) -> str:
    return f"a message of {line.size:,} bytes; the limit is {most:,} (hub.max_message_mib)"


def _message(
    line: bytes | Oversized, most: int, on_noise: Callable[[bytes], None] | None
) -> SessionMessage | Exception | None:
    if isinstance(line, Oversized):
        problem = _too_large(line, most)
        if line.answers is None:
            return ValueError(problem)
        data = types.ErrorData(code=types.INTERNAL_ERROR, message=f"answered with {problem}")
        return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=line.answers, error=data))
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        if on_noise is None:
            return error
        on_noise(line)
        return None


def _refusal(request_id: int | str, size: int, most: int) -> SessionMessage:
    problem = f"The request has {size:,} bytes and was not read; at most {most:,} are. Send less at a time."
    data = types.ErrorData(code=types.INVALID_REQUEST, message=problem)
    return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=request_id, error=data))


def _polled(fd: int) -> Callable[[], Awaitable[bytes]]:
    async def receive() -> bytes:
        try:
            await anyio.wait_readable(fd)
        except PermissionError:  # a device that can't be polled, such as /dev/null, is read to its end
            return await _whole(fd)()
        return os.read(fd, READ_BYTES)

    return receive


def _whole(fd: int) -> Callable[[], Awaitable[bytes]]:
    async def receive() -> bytes:
        return await anyio.to_thread.run_sync(os.read, fd, READ_BYTES)

    return receive


async def _write_polled(fd: int, data: bytes) -> None:
    """Write without ever blocking the loop and without making the descriptor non-blocking for its other owners."""
    size = PIPE_BYTES if sys.platform == "linux" else select.PIPE_BUF
    view = memoryview(data)
    while view:
        if not select.select([], [fd], [], 0)[1]:
            await anyio.wait_writable(fd)
        view = view[os.write(fd, view[:size]) :]
