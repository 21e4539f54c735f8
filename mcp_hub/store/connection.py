"""Opens connections to the hub's database, which `database` has made: how long they wait, what a commit is worth."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

BUSY_TIMEOUT = 2.0
"""Seconds to wait for another process's write: a call, or a request to a model, waits with it."""


def connect(
    path: Path,
    *,
    timeout: float = BUSY_TIMEOUT,
    synchronous: Literal["normal", "full"] = "normal",
    any_thread: bool = False,
) -> sqlite3.Connection:
    """A connection whose transactions are begun by hand and whose rows have names. Raises sqlite3.Error.

    `synchronous`: a commit outlives the process at "normal", and a power failure too at "full".
    `any_thread`: threads may use it in turns, which is then their own affair.
    """
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=not any_thread)
    connection.row_factory = sqlite3.Row
    connection.execute(f"pragma synchronous = {synchronous}")
    return connection


class Turns:
    """A connection at which threads take turns, opened when it is first needed, and anew after an error.

    They wait in this process's own lock: SQLite's would have them sleep between tries.
    """

    def __init__(
        self, path: Path, begin: Literal["begin", "begin immediate"], text: Callable[[bytes], str] | None = None
    ) -> None:
        """`begin` is how a transaction begins; `text` reads the texts, in place of SQLite's own way."""
        self._path = path
        self._begin = begin
        self._text = text
        self._turn = threading.Lock()
        self._kept: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction: committed at the end, undone by an error. Raises sqlite3.Error."""
        if not self._turn.acquire(timeout=BUSY_TIMEOUT):
            raise sqlite3.OperationalError("database is locked: other requests wait for it too")
        try:
            connection = self._kept = self._kept or self._connect()
            try:
                connection.execute(self._begin)
                yield connection
                connection.execute("commit")
            except BaseException:
                connection.close()  # which undoes it, whatever state it is in
                self._kept = None
                raise
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close the connection; it is opened again when it is needed."""
        with self._turn:
            if self._kept is not None:
                self._kept.close()
                self._kept = None

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, timeout=BUSY_TIMEOUT, any_thread=True)
        if self._text is not None:
            connection.text_factory = self._text
        return connection
