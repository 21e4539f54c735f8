"""The learned shapes: what the results of each server's tools were seen to look like, as schemas without values."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mcp_hub.store.connection import connect

Schema = Mapping[str, Any]

KEEP_DAYS = 90
"""Days until a shape is forgotten of a server that no hub had in its configuration."""


class ShapeStore:
    """The `shapes` table. Each use has a connection of its own, so any thread may.

    `merged` is the union of two shapes: what another hub has written meanwhile isn't lost.
    """

    def __init__(self, path: Path, merged: Callable[[Schema, Schema], Schema]) -> None:
        """`path` is the database's file, as `open_database` has made it."""
        self._path = path
        self._merged = merged

    def read(self, fingerprints: set[str]) -> dict[str, dict[str, Schema]]:
        """The shapes by fingerprint and by the tool's own name; what was never learned or can't be read is absent.

        Reading them counts as seeing them; what was not seen for KEEP_DAYS is forgotten. Raises sqlite3.Error.
        """
        now, wanted = datetime.now(UTC), json.dumps(sorted(fingerprints))
        found: dict[str, dict[str, Schema]] = {}
        with closing(connect(self._path)) as connection:
            sql = "select fingerprint, tool, shape from shapes where fingerprint in (select value from json_each(?))"
            for fingerprint, tool, text in connection.execute(sql, [wanted]):
                if (shape := _parsed(text)) is not None:
                    found.setdefault(fingerprint, {})[tool] = shape
            with contextlib.suppress(sqlite3.OperationalError):  # another hub is writing: the next start does it
                self._keep_up(connection, now, wanted)
        return found

    def write(self, fingerprint: str, server: str, wire_name: str, shape: Schema) -> None:
        """Merge a shape into what is kept of the tool. Raises sqlite3.Error."""
        with closing(connect(self._path)) as connection:
            connection.execute("begin immediate")
            sql = "select shape from shapes where fingerprint = ? and tool = ?"
            row = connection.execute(sql, [fingerprint, wire_name]).fetchone()
            kept = _parsed(row[0]) if row else None
            text = json.dumps(shape if kept is None else self._merged(kept, shape), separators=(",", ":"))
            connection.execute(
                "insert or replace into shapes (fingerprint, tool, server, shape, seen_at) values (?, ?, ?, ?, ?)",
                [fingerprint, wire_name, server, text, _stamp(datetime.now(UTC))],
            )
            connection.execute("commit")

    def _keep_up(self, connection: sqlite3.Connection, now: datetime, wanted: str) -> None:
        connection.execute("pragma busy_timeout = 0")
        connection.execute(
            "update shapes set seen_at = ? where seen_at < ? and fingerprint in (select value from json_each(?))",
            [_stamp(now), _stamp(now - timedelta(days=1)), wanted],
        )
        connection.execute("delete from shapes where seen_at < ?", [_stamp(now - timedelta(days=KEEP_DAYS))])


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="seconds")


def _parsed(text: Any) -> Schema | None:
    try:
        shape = json.loads(text)
    except (TypeError, ValueError):
        return None
    return shape if isinstance(shape, dict) else None
