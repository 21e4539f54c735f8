"""The keys that the proxy has made: whose each is and what it may do, by its digest and never the key itself."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp_hub.errors import CallerError
from mcp_hub.proxy.budgets import Cap, Period
from mcp_hub.proxy.keys import KeyRecord
from mcp_hub.store.connection import connect

_COLUMNS = "name, digest, team, customer, allowed_models, caps, upstream, made_at, revoked_at"


@dataclass(frozen=True)
class StoredKey:
    """A key as it is kept. Times are ISO 8601 in UTC; `revoked_at` is None while it is good."""

    record: KeyRecord
    made_at: str
    revoked_at: str | None


class KeyStore:
    """The `proxy_keys` table. Each use has a connection of its own, so any thread may. Methods raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        """`path` is the database's file, as `open_database` has made it."""
        self._path = path

    def create(self, record: KeyRecord) -> None:
        """Keep a new key. Raises CallerError for a name that is taken, by a revoked key too: records go by it."""
        values = [
            record.name,
            record.digest,
            record.team,
            record.customer,
            json.dumps(record.allowed_models),
            json.dumps([_written(cap) for cap in record.caps]),
            record.upstream,
            _now(),
        ]
        with self._writing() as connection:
            if connection.execute("select 1 from proxy_keys where name = ?", [record.name]).fetchone():
                raise CallerError(f"There is a key {record.name!r} already; give the new one another name.")
            connection.execute(
                f"insert into proxy_keys ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, null)",  # noqa: S608 - constants
                values,
            )

    def read(self) -> tuple[KeyRecord, ...]:
        """The records of all keys, for a Keyring; those that were revoked are disabled."""
        return tuple(stored.record for stored in self.list())

    def list(self) -> list[StoredKey]:
        """All keys by name, revoked ones too."""
        with closing(self._connect()) as connection:
            sql = f"select {_COLUMNS} from proxy_keys order by name"  # noqa: S608 - constants
            return [_stored(row) for row in connection.execute(sql)]

    def revoke(self, name: str) -> None:
        """Refuse a key from now on; of one that is revoked, nothing changes. Raises CallerError for an unknown name."""
        with self._writing() as connection:
            names = [row["name"] for row in connection.execute("select name from proxy_keys")]
            if name not in names:
                raise CallerError.unknown("key", name, names)
            connection.execute(
                "update proxy_keys set revoked_at = ? where name = ? and revoked_at is null", [_now(), name]
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as connection:  # closing it undoes what isn't committed
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, synchronous="full")  # a key that was shown is kept, and a revoked one stays so


def _stored(row: sqlite3.Row) -> StoredKey:
    record = KeyRecord(
        name=row["name"],
        digest=row["digest"],
        team=row["team"],
        customer=row["customer"],
        allowed_models=tuple(json.loads(row["allowed_models"])),
        caps=tuple(
            Cap("key", row["name"], cap["kind"], cap["limit"], Period.parse(cap["duration"], rolling=cap["rolling"]))
            for cap in json.loads(row["caps"])
        ),
        upstream=row["upstream"],
        disabled=row["revoked_at"] is not None,
    )
    return StoredKey(record, row["made_at"], row["revoked_at"])


def _written(cap: Cap) -> dict[str, str | int | bool]:
    return {
        "kind": cap.kind,
        "limit": cap.limit,
        "duration": cap.period.duration,
        "rolling": cap.period.rolling,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
