"""The one writer of the journal: a thread that commits everything that waits in one transaction.

Who must know that something is committed would wait for two wake-ups, 0.17 ms on an idle machine, for a commit of
0.05 ms. So what is small is committed on the spot while the thread has nothing to do: into the page cache, without
waiting for a lock and without a checkpoint, which is the thread's. What can't be committed now, because the disk is
full or another hub holds the database for long, waits and is tried again; when too much waits, what is new is lost,
and `written` tells.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from mcp_hub.store.connection import BUSY_TIMEOUT, connect

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""Entries that may wait to be committed."""

MOST_WAITING_BYTES = 64 * 1024 * 1024
"""About how large the entries that wait may be together."""

GATHER_SECONDS = 0.01
"""How long an entry waits for others, and for someone who commits on the spot, until the thread is woken for it."""

ON_THE_SPOT_BYTES = 64 * 1024
"""What may be committed on the spot; more is the thread's."""

RETRY_SECONDS = 0.5
"""Between two tries to commit, while that fails; whoever waits is told at once."""

CLOSE_SECONDS = 5.0
"""How long closing waits for what is still to be committed."""

_TO_TRY_AGAIN = (sqlite3.OperationalError, sqlite3.InternalError)
"""Locked, full, not readable: the entries aren't at fault. So is a bare DatabaseError: a damaged file."""


@dataclass(frozen=True)
class Entry:
    """Something to commit: `apply` is called in the writer's thread, inside a transaction, again if that fails.

    `size` is about how many bytes it keeps while it waits. `one_statement` is a transaction by itself.
    """

    apply: Callable[[sqlite3.Connection], object]
    size: int = 0
    one_statement: bool = True


@dataclass(frozen=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"
    after: int
    """The number of the entry put last before it."""

    def tell(self, error: sqlite3.Error | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
            self.loop.call_soon_threadsafe(self._resolve, error)

    def _resolve(self, error: sqlite3.Error | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


_Item = Entry | _Waiter | None
"""None is the end."""


class Writer:
    """Commits entries in the order in which they are put, through a connection of its own.

    `put`, `written` and `end` are for one thread, the event loop's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[list[_Item]] = SimpleQueue()
        self._next: list[_Item] = []
        self._put = self._put_bytes = 0  # counted by whoever puts
        self._done = self._done_bytes = 0  # counted by the thread
        self._losing = False
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._here: sqlite3.Connection | None = None
        self._waking: asyncio.TimerHandle | None = None
        self._failing: sqlite3.Error | None = None
        self._refused: deque[int] = deque(maxlen=1000)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> bool:
        """Queue an entry, at once; False when it is lost, because too much waits or the writer was closed."""
        full = self._put - self._done >= MOST_WAITING or self._put_bytes - self._done_bytes > MOST_WAITING_BYTES
        if full and not self._losing:
            logger.warning("too much waits to be written to %s, so the journal has gaps from now on", self._path)
        elif self._losing and not full:
            logger.warning("the journal in %s is written without gaps again", self._path)
        self._losing = full
        if full or self._closed:
            return False
        self._put += 1
        self._put_bytes += entry.size
        self._next.append(entry)
        if self._waking is None:
            try:
                self._waking = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._wake)
            except RuntimeError:
                self._wake()
        return True

    async def written(self) -> None:
        """Wait until everything put so far is committed.

        Raises sqlite3.Error when that can't be done now, or when the last entry was lost or refused. To be sure of
        an entry, put it and call this with no other await between.
        """
        if self._losing or self._closed:
            raise sqlite3.OperationalError("the journal was closed" if self._closed else "too many entries wait")
        if self._commit_on_the_spot():
            return
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop, loop.create_future(), self._put)
        self._next.append(waiter)
        self._wake()
        await waiter.future

    def end(self) -> None:
        """Have the thread commit what waits and end. What is put afterwards is lost."""
        if not self._closed:
            self._closed = True
            self._next.append(None)
            self._wake()
            if self._here is not None:
                self._here.close()

    def close(self) -> None:
        """`end`, and wait for it within a bounded time; after an `end`, any thread may."""
        self.end()
        self._thread.join(CLOSE_SECONDS)

    def _commit_on_the_spot(self) -> bool:
        """Commit what was put here and now, unless something of it would have to wait; then nothing was done."""
        entries = [item for item in self._next if isinstance(item, Entry)]
        size = sum(entry.size for entry in entries)
        threads = self._put - self._done > len(entries) or len(entries) < len(self._next)
        if not entries or threads or size > ON_THE_SPOT_BYTES:
            return False
        try:
            if self._here is None:
                self._here = sqlite3.connect(self._path, timeout=0, isolation_level=None)
                self._here.execute("pragma synchronous = normal")
                self._here.execute("pragma wal_autocheckpoint = 0")
            self._here.execute("begin immediate")
            for entry in entries:
                entry.apply(self._here)
            self._here.execute("commit")
        except Exception:  # the thread tries again, waits if need be, and tells what is wrong
            if self._here is not None and self._here.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._here.rollback()
            return False
        self._next = []
        self._put -= len(entries)
        self._put_bytes -= size
        return True

    def _wake(self) -> None:
        """Hand what was put to the thread."""
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        if self._next:
            self._queue.put(self._next)
            self._next = []

    def _run(self) -> None:
        waiting: list[Entry] = []
        retry_at = 0.0
        while True:
            taken = self._take(max(0.0, retry_at - time.monotonic()) if waiting else None)
            waiting += [item for item in taken if isinstance(item, Entry)]
            ending = None in taken
            if self._failing is None or ending or time.monotonic() >= retry_at:
                self._commit(waiting)
                retry_at = time.monotonic() + RETRY_SECONDS
            for item in taken:
                if isinstance(item, _Waiter):
                    item.tell(self._failing or self._refusal(item.after))
            if ending:
                break
        if self._connection is not None:
            self._connection.close()

    def _take(self, timeout: float | None) -> Sequence[_Item]:
        """Everything that waits in the queue; nothing when nothing came within `timeout` seconds."""
        taken: list[_Item] = []
        with contextlib.suppress(Empty):
            taken += self._queue.get(timeout=timeout)
            while True:
                taken += self._queue.get_nowait()
        return taken

    def _commit(self, waiting: list[Entry]) -> None:
        """Commit the entries and empty the list; or leave all of them in it."""
        if not waiting:
            return
        try:
            refused = self._apply(waiting)
        except sqlite3.Error as error:
            if self._failing is None:
                logger.warning("the journal can't be written to %s (%s); it is tried again", self._path, error)
            self._failing = error
            if self._connection is not None and self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.rollback()
            return
        if self._failing is not None:
            logger.warning("the journal in %s is written again", self._path)
        self._failing = None
        self._refused.extend(refused)
        self._done_bytes += sum(entry.size for entry in waiting)
        self._done += len(waiting)
        waiting.clear()

    def _apply(self, waiting: Sequence[Entry]) -> list[int]:
        """One transaction of all entries; the numbers of those that are no data. Raises sqlite3.Error."""
        if self._connection is None:
            self._connection = connect(self._path, timeout=BUSY_TIMEOUT)
        refused = []
        alone = len(waiting) == 1 and waiting[0].one_statement
        if not alone:
            self._connection.execute("begin immediate")
        for number, entry in enumerate(waiting, start=self._done + 1):
            try:
                entry.apply(self._connection)
            except Exception as error:
                if isinstance(error, _TO_TRY_AGAIN) or type(error) is sqlite3.DatabaseError:
                    raise
                logger.exception("an entry of the journal can't be written")  # a fault of ours; the others go on
                refused.append(number)
        if not alone:
            self._connection.execute("commit")
        return refused

    def _refusal(self, number: int) -> sqlite3.Error | None:
        return sqlite3.DataError("it can't be written to the journal") if number in self._refused else None
