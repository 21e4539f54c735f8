"""Counting a prompt's tokens: the upstream's number, or none where it doesn't say one."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from mcp_hub.proxy.counting import COUNT_BYTES, prompt_tokens
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply, UnreachedError
from mcp_hub.proxy.wire import COUNT_TOKENS, MessagesRequest

pytestmark = pytest.mark.anyio

REQUEST = MessagesRequest.parse(
    b'{"model": "m", "max_tokens": 5, "stream": true, "temperature": 1, "messages": [], "tools": [{"name": "t"}]}'
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting:
    """An upstream that answers a count with `pieces`, or fails."""

    def __init__(self, pieces: Sequence[bytes] = (), *, status: int = 200, fails: Exception | None = None) -> None:
        self.pieces, self.status, self.fails = pieces, status, fails
        self.sent: list[tuple[str, str, bytes]] = []
        self.closed = 0

    def changes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        self.sent.append((method, path, body))
        if self.fails is not None and not self.pieces:
            raise self.fails
        return Reply(self.status, [], self._body(), self._close)

    async def close(self) -> None: ...

    async def _body(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.fails is not None:
            raise self.fails

    def _close(self) -> None:
        self.closed += 1


async def test_it_is_asked_without_what_a_count_doesnt_take() -> None:
    upstream = Counting([b'{"input_', b'tokens": 25}'])
    assert await prompt_tokens(upstream, [], REQUEST) == 25
    ((method, path, body),) = upstream.sent
    assert (method, path) == ("POST", COUNT_TOKENS)
    assert json.loads(body) == {"model": "m", "messages": [], "tools": [{"name": "t"}]}
    assert upstream.closed == 1


@pytest.mark.parametrize(
    "asked",
    [
        Counting([b"<html>"]),
        Counting([b"[]"]),
        Counting([b'{"input_tokens": "25"}']),
        Counting([b'{"input_tokens": -1}']),
        Counting([b'{"tokens": 25}']),
        Counting([b'{"input_tokens": 25}'], status=404),
        Counting([b" " * (COUNT_BYTES + 1), b'{"input_tokens": 25}']),
        Counting([b'{"input_tokens": '], fails=BrokenError("it broke off")),
        Counting(fails=UnreachedError("nobody is there")),
        Counting(fails=BrokenError("it didn't answer")),
    ],
)
async def test_what_says_no_number_counts_nothing_and_lets_go_of_its_connection(asked: Counting) -> None:
    assert await prompt_tokens(asked, [], REQUEST) is None
    assert asked.closed == bool(asked.pieces)
