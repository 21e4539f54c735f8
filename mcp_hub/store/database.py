"""Opens the hub's SQLite database and brings it to the newest version."""

import sqlite3
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

FILE_NAME = "hub.db"

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another hub's write; each write takes well under a millisecond."""

migrations = Migrations("mcp_hub")


@migrations(name="0001_catalogs")
def _catalogs(db: Database) -> None:
    """The tools that each server listed last, keyed by what the server's configuration is."""
    db.table("catalogs").create(
        {
            "fingerprint": str,
            "server": str,
            "protocol": str,
            "instructions": str,
            "tools": str,
            "seen_at": str,
        },
        pk="fingerprint",
        not_null={"fingerprint", "server", "protocol", "tools", "seen_at"},
    )


def open_database(folder: Path) -> Database:
    """The database in `folder`, made readable by this user only and migrated.

    Raises sqlite3.Error when the file can't be opened, is damaged, or belongs to a newer version.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / FILE_NAME
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False)
    db = Database(connection)
    db.enable_wal()
    connection.execute("pragma synchronous = normal")
    migrations.apply(db)
    return db
