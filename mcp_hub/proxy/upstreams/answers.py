"""Answers that upstreams read or make themselves: errors that have to be understood, or that nobody was asked for."""

from collections.abc import AsyncIterator

import anyio

from mcp_hub.proxy import wire
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply
from mcp_hub.proxy.wire import AnswerError

ERROR_BYTES = 256 * 1024
"""Of an upstream's error that are read: more than any has."""
ERROR_WITHIN = 10.0
"""Seconds for it to come whole; another upstream may be waiting to be asked."""


async def read_error(reply: Reply) -> bytes:
    """What comes of an error's body within these bounds; the connection is let go."""
    body = bytearray()
    try:
        with anyio.move_on_after(ERROR_WITHIN):
            async for piece in reply.body:
                body += piece
                if len(body) > ERROR_BYTES:
                    break
    except BrokenError:
        pass  # its status says enough
    finally:
        reply.close()
    return bytes(body)


def whole(status: int, headers: Headers, body: bytes) -> Reply:
    """An answer whose body is there already."""

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    kept = [each for each in headers if each[0].lower() != "content-length"]
    return Reply(status, [*kept, ("content-length", str(len(body)))], pieces(), lambda: None)


def made_here(error: AnswerError) -> Reply:
    """An error that no upstream was asked for, as the Messages API would answer it."""
    return whole(error.status, [("content-type", "application/json")], wire.error_body(error.type, error.text))
