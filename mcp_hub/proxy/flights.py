"""Answers on their way, for all who asked the same: one is asked for, and heard by everybody from its beginning.

An answer is taken by a task of its own, which goes on while anybody listens: who asked first may leave like any other.
When the last one leaves before its end, it is cancelled, as the request of a single client is. What a listener hasn't
taken yet is held; how much the fastest may leave behind is bounded, so that a client that is slow to read slows down
the upstream as it would without this.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from mcp_hub.proxy.answer import Outgoing
from mcp_hub.proxy.upstreams.upstream import BrokenError

logger = logging.getLogger(__name__)

AHEAD = 256 * 1024
"""Bytes by which an answer may be ahead of its fastest listener: some thousand events of a stream."""

SHARED_BYTES = 32 * 1024 * 1024
"""Of an answer that is held for those who come late: more than any message has. What is longer takes no more listeners,
and what all have heard of it is let go."""


@dataclass(frozen=True)
class Saved:
    """What everybody but the first saves by listening: nano-dollars and tokens, as far as they are known."""

    dollars: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Piece:
    """A piece of an answer, and when it came, by `anyio.current_time`."""

    at: float
    data: bytes = field(repr=False)


class Flight:
    """One answer on its way. For one event loop."""

    def __init__(self) -> None:
        self.outgoing: Outgoing | None = None
        """Its status and headers, once they are known; of its body, only `pieces` may be used."""
        self.error: Exception | None = None
        """Why there is no answer, or why it broke off."""
        self.is_whole = False
        self.landed = anyio.Event()
        """Set when it has ended and all that is done with it is done."""
        self.saved = Saved()
        self._pieces: list[Piece] = []
        self._first = 0
        self._size = 0
        self._held = 0
        self._has_ended = False
        self._more = anyio.Event()
        """Set, and made anew, when there is something new to hear; for those who listen."""
        self._room_made = anyio.Event()
        """The same when something was taken or somebody has left; for the one who takes the answer in."""
        self._taken: dict[object, tuple[int, int]] = {}
        """Of each listener, how many pieces and bytes it has taken."""
        self._scope = anyio.CancelScope()

    @property
    def takes_listeners(self) -> bool:
        """Whether somebody else may still hear it from its beginning."""
        is_held = self._first == 0 and self._size <= SHARED_BYTES
        return is_held and not self._scope.cancel_called and (self.is_whole or not self._has_ended)

    @property
    def recorded(self) -> list[Piece] | None:
        """All of it, once it is whole; None where a part was let go."""
        return self._pieces if self.is_whole and self._first == 0 else None

    def join(self) -> object:
        """A listener's place, from the beginning; it must be given to `leave`."""
        place = object()
        self._taken[place] = (0, 0)
        return place

    def leave(self, place: object) -> None:
        """A listener goes; the last one to do so before the end cancels the answer."""
        self._taken.pop(place, None)
        self._room_made.set()
        if not self._taken and not self._has_ended:
            self._scope.cancel()

    async def begun(self) -> None:
        """Wait until status and headers are known, or that there are none: see `outgoing` and `error`."""
        while self.outgoing is None and not self._has_ended:
            await self._more.wait()

    async def pieces(self, place: object) -> AsyncGenerator[bytes]:
        """What comes, for one listener. Raises what broke it off."""
        number = size = 0
        while True:
            while number < self._first + len(self._pieces):
                data = self._pieces[number - self._first].data
                number, size = number + 1, size + len(data)
                self._taken[place] = (number, size)
                yield data
                self._room_made.set()
            if self._has_ended:
                break
            await self._more.wait()
        if self.error is not None:
            raise self.error

    async def fly(self, ask: Callable[[], Awaitable[Outgoing]]) -> None:
        """Ask for the answer, and take it to its end. Its errors are told to those who listen."""
        try:
            with self._scope:
                await self._take(await ask())
        except Exception as error:  # for those who listen: each of them raises it where it can be answered
            self.error = error
        finally:
            self._has_ended = True
            if self.error is None and not self.is_whole:
                self.error = BrokenError("The request was given up before it was answered.")
            self._wake()

    async def _take(self, outgoing: Outgoing) -> None:
        body = outgoing.body
        self.outgoing = outgoing
        self._wake()
        if isinstance(body, bytes):
            self._add(body)
        else:
            try:
                async with aclosing(body.pieces()) as pieces:
                    async for piece in pieces:
                        self._add(piece)
                        await self._room()
            finally:
                await body.close()
        self.is_whole = True

    def _add(self, data: bytes) -> None:
        self._pieces.append(Piece(anyio.current_time(), data))
        self._size += len(data)
        self._held += len(data)
        self._wake()

    async def _room(self) -> None:
        """Wait while the fastest listener is far behind, or too much is held for the slowest."""
        while self._taken:
            if self._size > SHARED_BYTES:
                self._let_go()
            taken = max(size for _, size in self._taken.values())
            if self._size - taken <= AHEAD and (self._size <= SHARED_BYTES or self._held <= SHARED_BYTES):
                break
            self._room_made = anyio.Event()
            await self._room_made.wait()

    def _let_go(self) -> None:
        heard = min(number for number, _ in self._taken.values()) - self._first
        self._held -= sum(len(piece.data) for piece in self._pieces[:heard])
        del self._pieces[:heard]
        self._first += heard

    def _wake(self) -> None:
        self._more.set()
        self._more = anyio.Event()


class Listening:
    """The body of an answer that others may listen to as well; `at_end` is called when it is closed."""

    def __init__(self, flight: Flight, place: object, at_end: Callable[[], Awaitable[None]] | None = None) -> None:
        self._flight = flight
        self._place = place
        self._at_end = at_end
        self._closed = False

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The pieces from the beginning."""
        async with aclosing(self._flight.pieces(self._place)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """Stop listening."""
        if self._closed:
            return
        self._closed = True
        self._flight.leave(self._place)
        if self._at_end is not None:
            with anyio.CancelScope(shield=True):
                await self._at_end()


class Flights:
    """The answers on their way, by what was asked, and in which form."""

    def __init__(self, tasks: TaskGroup) -> None:
        """`tasks` takes the answers' own tasks; cancelled, it ends them all."""
        self._tasks = tasks
        self._under_way: dict[str, Flight] = {}

    def find(self, asked: str) -> Flight | None:
        """The answer to the same, if it can still be heard from its beginning."""
        flight = self._under_way.get(asked)
        return flight if flight is not None and flight.takes_listeners else None

    def begin(
        self,
        asked: str,
        ask: Callable[[], Awaitable[Outgoing]],
        then: Callable[[Flight], Awaitable[None]],
    ) -> Flight:
        """Ask for an answer. `then` is called with it when it has ended, and until it is done, others find it.

        What goes wrong in `then` is logged: whoever asked has the answer.
        """
        flight = Flight()
        self._tasks.start_soon(self._fly, asked, flight, ask, then)
        self._under_way[asked] = flight  # not before: a group that has ended takes none
        return flight

    async def _fly(
        self,
        asked: str,
        flight: Flight,
        ask: Callable[[], Awaitable[Outgoing]],
        then: Callable[[Flight], Awaitable[None]],
    ) -> None:
        try:
            await flight.fly(ask)
            with anyio.CancelScope(shield=True):  # it was paid for
                await then(flight)
        except Exception:
            logger.exception("what was to be done with an answer failed")
        finally:
            flight.landed.set()
            if self._under_way.get(asked) is flight:
                del self._under_way[asked]
