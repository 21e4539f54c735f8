"""Opens connections to the hub's database, which `database` has made: how long they wait, what a commit is worth."""

import sqlite3
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
