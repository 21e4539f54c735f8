"""Errors of upstreams: read in bounds, also where they don't end; and those that are made here."""

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from mcp_hub.proxy.upstreams import answers as module
from mcp_hub.proxy.upstreams.answers import ERROR_BYTES, made_here, read_error
from mcp_hub.proxy.upstreams.upstream import BrokenError, Reply
from mcp_hub.proxy.wire import AnswerError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Erring:
    """An upstream's error."""

    def __init__(self, *pieces: bytes, hangs: bool = False, breaks: bool = False) -> None:
        self.closed = 0
        self.reply = Reply(503, [], self._body(pieces, hangs, breaks), self._close)

    async def _body(self, pieces: tuple[bytes, ...], hangs: bool, breaks: bool) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if hangs:
            await anyio.sleep_forever()
        if breaks:
            raise BrokenError("it broke off")

    def _close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    "erring",
    [
        Erring(b"what ", b"it says"),
        Erring(b"what it says", hangs=True),
        Erring(b"what it says", breaks=True),
    ],
)
async def test_what_comes_in_time_is_read_and_the_connection_is_let_go(
    erring: Erring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ERROR_WITHIN", 0.05)
    assert await read_error(erring.reply) == b"what it says"
    assert erring.closed == 1


async def test_an_error_without_end_is_read_up_to_a_bound() -> None:
    piece = b"x" * 65536
    erring = Erring(*[piece] * 1000)
    assert len(await read_error(erring.reply)) <= ERROR_BYTES + len(piece)


async def test_an_error_that_is_made_here_is_as_the_api_would_answer_it() -> None:
    reply = made_here(AnswerError("not_found_error", "It isn't there."))
    body = b"".join([piece async for piece in reply.body])
    assert (reply.status, reply.header("content-length")) == (404, str(len(body)))
    assert json.loads(body)["error"] == {"type": "not_found_error", "message": "It isn't there."}
