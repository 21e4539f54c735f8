"""Whose program runs next: a bounded number at once, fewer of any one client, everyone else in order."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio


@dataclass
class _Waiting:
    client: str
    turn: anyio.Event = field(default_factory=anyio.Event)


class Slots:
    """`most` at once, `most_client` of one client; a client that has all of its own doesn't hold up the others."""

    def __init__(self, most: int, most_client: int) -> None:
        self._most = most
        self._most_client = most_client
        self._running: Counter[str] = Counter()
        self._queue: list[_Waiting] = []

    @asynccontextmanager
    async def taken(self, client: str) -> AsyncIterator[None]:
        """Wait for a slot, and give it back at the end."""
        if self._is_free(client):
            self._running[client] += 1
        else:
            await self._wait(_Waiting(client))
        try:
            yield
        finally:
            self._give_back(client)

    async def _wait(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        try:
            await waiting.turn.wait()
        except BaseException:
            if waiting in self._queue:
                self._queue.remove(waiting)
            else:
                self._give_back(waiting.client)  # its turn came as it was cancelled
            raise

    def _is_free(self, client: str) -> bool:
        return self._running.total() < self._most and self._running[client] < self._most_client

    def _give_back(self, client: str) -> None:
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        for waiting in list(self._queue):
            if self._is_free(waiting.client):
                self._queue.remove(waiting)
                self._running[waiting.client] += 1
                waiting.turn.set()
