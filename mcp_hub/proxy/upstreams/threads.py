"""Threads for what may hang, such as looking for credentials: bounded in number and in time, and left by who leaves."""

import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Threads:
    """So many at once at most, those included that nobody waits for any more."""

    def __init__(self, most: int) -> None:
        self._turns = anyio.CapacityLimiter(most)
        self._free = threading.BoundedSemaphore(most)

    async def run(self, work: Callable[[], T], within: float) -> T:
        """What `work` gives.

        Raises TimeoutError where it takes longer than `within` seconds, its turn included, or where all threads hang.
        """

        def alone() -> T:
            if not self._free.acquire(blocking=False):
                raise TimeoutError
            try:
                return work()
            finally:
                self._free.release()

        with anyio.fail_after(within):
            return await anyio.to_thread.run_sync(alone, limiter=self._turns, abandon_on_cancel=True)
