"""Reading a socket with one registration: what arrives, the end, and that nobody reading holds the peer back."""

import socket
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest

from mcp_hub.sockets import SocketReader
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


async def test_what_is_there_is_read_at_once_and_the_rest_when_it_comes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    reader = SocketReader(ours)
    theirs.sendall(b"one")
    assert await reader.receive() == b"one"
    received: list[bytes] = []

    async def read() -> None:
        received.append(await reader.receive())

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            assert received == []
            theirs.sendall(b"two")
    assert received == [b"two"]
    reader.close()


async def test_a_closed_peer_is_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = SocketReader(ours)
    theirs.close()
    assert await reader.receive() == b""
    assert await reader.receive() == b""


async def test_a_cancelled_read_loses_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = SocketReader(ours)
    with anyio.move_on_after(0.01):
        await reader.receive()
    theirs.sendall(b"kept")
    assert await reader.receive() == b"kept"
    reader.close()


async def test_data_that_nobody_reads_does_not_keep_the_loop_busy(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    reader = SocketReader(ours)
    with anyio.move_on_after(0.01):
        await reader.receive()
    theirs.sendall(b"unread")
    with anyio.fail_after(PATIENCE):
        while reader.registered:
            await anyio.lowlevel.checkpoint()
    assert await reader.receive() == b"unread"
    reader.close()
