"""Reads a non-blocking socket with one registration in the event loop.

`loop.sock_recv` registers and withdraws the descriptor for each read: two system calls for each message of a
conversation that has thousands. The hub's children and the sandbox's workers are both read through this.
"""

import asyncio
import socket

READ_BYTES = 262_144


class SocketReader:
    """The receiving side of one socket, for one reader at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[bytes] | None = None
        self._kept: bytes | None = None
        self.registered = False

    async def receive(self) -> bytes:
        """The next bytes, waiting for them; b"" when the peer has closed. Raises OSError as `recv` does."""
        if self._kept is not None:
            received, self._kept = self._kept, None
            return received
        if not self.registered:
            # By number: asyncio would put the socket object into the text of an exception that it catches, and
            # that asks the kernel for both of its addresses.
            self._loop.add_reader(self._connection.fileno(), self._readable)
            self.registered = True
        waiter: asyncio.Future[bytes] = self._loop.create_future()
        self._waiter = waiter
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._kept = waiter.result()  # it came as its reader was cancelled; the next one takes it
            raise
        finally:
            self._waiter = None

    def close(self) -> None:
        """Withdraw from the loop; the socket itself stays the caller's."""
        if self.registered:
            self.registered = False
            self._loop.remove_reader(self._connection.fileno())

    def _readable(self) -> None:
        if self._waiter is None or self._waiter.done():
            self.registered = False  # nobody reads now: the socket's buffer holds the peer back
            self._loop.remove_reader(self._connection.fileno())
            return
        try:
            self._waiter.set_result(self._connection.recv(READ_BYTES))
        except BlockingIOError:
            return
        except ConnectionResetError:
            self._waiter.set_result(b"")
        except OSError as error:
            self._waiter.set_exception(error)
