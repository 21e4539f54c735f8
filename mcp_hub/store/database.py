"""Opens the hub's SQLite database and brings it to the newest version."""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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


@migrations(name="0002_runs")
def _runs(db: Database) -> None:
    """The journal: runs, the calls in them, large results, and the secret of the calls' keyed hashes.

    `size` is what a row takes of the journal's limit, in bytes; it stands before the long texts, so that adding it
    up doesn't read them.
    """
    db.table("runs").create(
        {
            "id": str,
            "size": int,
            "owner": str,
            "started_at": float,
            "hub": int,
            "resumed": str,
            "status": str,
            "error_kind": str,
            "steps": int,
            "calls": int,
            "seconds": float,
            "code": str,
            "error": str,
            "log": str,
            "answer": str,
        },
        pk="id",
        not_null={"id", "size", "owner", "started_at", "hub", "code"},
    )
    db.table("runs").create_index(["started_at"])
    db.table("calls").create(
        {
            "run": str,
            "number": int,
            "size": int,
            "server": str,
            "tool": str,
            "key": str,
            "read_only": int,
            "outcome": str,
            "seconds": float,
            "bytes": int,
            "digest": str,
            "error": str,
            "arguments": str,
            "result": str,
        },
        pk=("run", "number"),
        not_null={"run", "number", "size", "server", "tool", "key", "read_only", "outcome", "arguments"},
    )
    db.table("kept_values").create(
        {"handle": str, "size": int, "owner": str, "kept_at": float, "value": str},
        pk="handle",
        not_null={"handle", "size", "owner", "kept_at", "value"},
    )
    db.table("journal_secret").insert({"id": 1, "secret": secrets.token_bytes(32)}, pk="id")


@migrations(name="0003_shapes")
def _shapes(db: Database) -> None:
    """What the results of each tool were seen to look like, keyed by what the server's configuration is."""
    db.table("shapes").create(
        {"fingerprint": str, "tool": str, "server": str, "shape": str, "seen_at": str},
        pk=("fingerprint", "tool"),
        not_null={"fingerprint", "tool", "server", "shape", "seen_at"},
    )


@migrations(name="0004_folder")
def _folder(db: Database) -> None:
    """The working directory that a run belongs to: what is used most there is told to the next session."""
    db.table("runs").add_column("folder", str)
    db.table("runs").create_index(["folder"])


@migrations(name="0005_ledger")
def _ledger(db: Database) -> None:
    """What requests to a model may cost and did cost: a row each, and sums by minute and by day for the caps.

    Money is in nano-dollars. A row without a status is a reservation; in it, `tokens` and `dollars` are null until
    something is known of what was used.
    """
    db.table("ledger").create(
        {
            "id": str,
            "came_at": float,
            "admitted_at": float,
            "process": str,
            "customer": str,
            "team": str,
            "key": str,
            "upstream": str,
            "session": str,
            "model_asked": str,
            "model": str,
            "requests": int,
            "reserved_dollars": int,
            "reserved_tokens": int,
            "input": int,
            "output": int,
            "cache_write_5m": int,
            "cache_write_1h": int,
            "cache_read": int,
            "web_searches": int,
            "tokens": int,
            "dollars": int,
            "status": str,
            "http_status": int,
            "first_byte": float,
            "seconds": float,
        },
        pk="id",
        not_null={"id", "admitted_at", "process", "requests", "reserved_dollars", "reserved_tokens"},
    )
    db.table("ledger").create_index(["admitted_at"])
    for tier in ("customer", "team", "key", "upstream", "session"):
        db.table("ledger").create_index([tier, "admitted_at"])
    db.execute("create index ledger_open on ledger (process) where status is null")
    db.table("ledger_sums").create(
        {
            "tier": str,
            "name": str,
            "granularity": int,
            "start": int,
            "dollars": int,
            "tokens": int,
            "requests": int,
        },
        pk=("tier", "name", "granularity", "start"),
        not_null={"dollars", "tokens", "requests"},
    )


@migrations(name="0006_keys")
def _keys(db: Database) -> None:
    """The proxy's own keys by name: a digest of each, whose it is, what it may do; lists are JSON."""
    db.table("proxy_keys").create(
        {
            "name": str,
            "digest": str,
            "team": str,
            "customer": str,
            "allowed_models": str,
            "caps": str,
            "upstream": str,
            "made_at": str,
            "revoked_at": str,
        },
        pk="name",
        not_null={"name", "digest", "team", "customer", "allowed_models", "caps", "made_at"},
    )
    db.table("proxy_keys").create_index(["digest"], unique=True)


@migrations(name="0007_upstreams")
def _upstreams(db: Database) -> None:
    """How the proxy's upstreams stand, by name."""
    db.table("proxy_upstreams").create(
        {"upstream": str, "state": str, "since": float, "reason": str},
        pk="upstream",
        not_null={"state", "since", "reason"},
    )


@migrations(name="0008_cached_requests")
def _cached_requests(db: Database) -> None:
    """Requests that the proxy answered from its cache, and what each would have cost: nano-dollars and tokens.

    `cache` is null or "" for one that went out, else how it was found: exact, similar, or shared with one on its way.
    """
    db.table("ledger").add_column("cache", str)
    db.table("ledger").add_column("saved_dollars", int)
    db.table("ledger").add_column("saved_tokens", int)


@migrations(name="0009_responses")
def _responses(db: Database) -> None:
    """Kept answers, the parts of the requests that they answer, and what similar requests they were given to.

    Long values have tables of their own, so that counting and choosing whom to drop reads none of them. Whatever goes
    with an entry goes by triggers, and so do the sums in `response_totals`: each `size` is about what a row takes of
    the cache's limit, with what hangs on it. `users` counts the entries whose list has a part.
    """
    db.table("responses").create(
        {
            "number": int,
            "id": str,
            "digest": str,
            "family": str,
            "key": str,
            "team": str,
            "model": str,
            "upstream": str,
            "kept_at": float,
            "used_at": float,
            "similar": int,
            "size": int,
            "parts_size": int,
            "checksum": bytes,
        },
        pk="number",
        not_null={"id", "digest", "kept_at", "used_at", "similar", "size", "parts_size", "checksum"},
    )
    db.table("responses").create_index(["id"], unique=True)
    db.table("responses").create_index(["digest"], unique=True)
    db.table("responses").create_index(["used_at"])
    db.table("responses").create_index(["kept_at"])
    db.table("response_contents").create(
        {
            "number": int,
            "parts": str,
            "usage": str,
            "text": bytes,
            "message": bytes,
            "stream": bytes,
            "pace": bytes,
        },
        pk="number",
        not_null={"parts", "usage", "text", "message", "stream", "pace"},
    )
    db.execute(
        "create table response_parts (number integer primary key autoincrement, digest blob not null, "
        "size integer not null, users integer not null)"
    )
    db.table("response_parts").create_index(["digest"], unique=True)
    db.table("response_part_bodies").create({"number": int, "body": bytes}, pk="number", not_null={"body"})
    db.table("response_pairs").create(
        {
            "number": int,
            "response": int,
            "digest": bytes,
            "size": int,
            "text": bytes,
            "similarity": float,
            "at": float,
        },
        pk="number",
        not_null={"response", "digest", "size", "text", "similarity", "at"},
    )
    db.table("response_pairs").create_index(["response", "digest"], unique=True)
    db.table("response_wrong").create(
        {
            "number": int,
            "digest": bytes,
            "family": str,
            "text": bytes,
            "other": bytes,
            "similarity": float,
            "at": float,
        },
        pk="number",
        not_null={"digest", "family", "text", "other", "similarity", "at"},
    )
    db.table("response_wrong").create_index(["digest"], unique=True)
    db.execute(
        "create table response_vectors (number integer primary key autoincrement, id text not null, "
        "embedder text not null, family text not null, size integer not null, vector blob not null)"
    )
    db.table("response_vectors").create_index(["id", "embedder"], unique=True)
    db.table("response_vectors").create_index(["embedder", "family", "number"])
    db.execute("create table response_vectors_gone (number integer primary key autoincrement, vector integer not null)")
    db.table("response_totals").insert({"id": 1, "entries": 0, "bytes": 0}, pk="id")
    for trigger in _RESPONSE_TRIGGERS:
        db.execute(trigger)


_VECTORS_GONE = 10_000
"""Vectors that are gone of which the numbers are kept, for who has them in memory; who lags more reads all anew."""

_RESPONSE_TRIGGERS = (
    "create trigger responses_came after insert on responses begin "
    "update response_totals set entries = entries + 1, bytes = bytes + new.size; end",
    "create trigger responses_went before delete on responses begin "
    "update response_totals set entries = entries - 1, bytes = bytes - old.size; "
    "update response_parts set users = users - 1 where number in (select value from json_each("
    "(select case when json_valid(parts) then parts else '[]' end from response_contents where number = old.number))); "
    "delete from response_contents where number = old.number; "
    "delete from response_pairs where response = old.number; "
    "delete from response_vectors where id = old.id; end",
    "create trigger response_parts_came after insert on response_parts begin "
    "update response_totals set bytes = bytes + new.size; end",
    "create trigger response_parts_unused after update of users on response_parts when new.users <= 0 begin "
    "delete from response_parts where number = new.number; end",
    "create trigger response_parts_went after delete on response_parts begin "
    "update response_totals set bytes = bytes - old.size; "
    "delete from response_part_bodies where number = old.number; end",
    "create trigger response_pairs_came after insert on response_pairs begin "
    "update response_totals set bytes = bytes + new.size; end",
    "create trigger response_pairs_went after delete on response_pairs begin "
    "update response_totals set bytes = bytes - old.size; end",
    "create trigger response_vectors_came after insert on response_vectors begin "
    "update response_totals set bytes = bytes + new.size; end",
    "create trigger response_vectors_went after delete on response_vectors begin "  # noqa: S608 - constants
    "update response_totals set bytes = bytes - old.size; "
    "insert into response_vectors_gone (vector) values (old.number); "
    f"delete from response_vectors_gone where number <= last_insert_rowid() - {_VECTORS_GONE}; end",
)


def open_database(folder: Path) -> Database:
    """The database in `folder`, made readable by this user only and migrated.

    Raises sqlite3.Error when the file is damaged or belongs to a newer version, OSError when it can't be made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / FILE_NAME
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False)
    try:
        with _alone(folder):
            return _migrated(connection)
    except BaseException:
        connection.close()
        raise


def database_file(folder: Path) -> Path:
    """The file of the database in `folder`, made and migrated, for those who connect by themselves.

    Raises as `open_database` does.
    """
    open_database(folder).conn.close()
    return folder / FILE_NAME


def _migrated(connection: sqlite3.Connection) -> Database:
    db = Database(connection)
    db.enable_wal()
    connection.execute("pragma synchronous = normal")
    with Database(memory=True) as empty:
        known = {migration.name for migration in migrations.pending(empty)}
    newer = sorted({migration.name for migration in migrations.applied(db)} - known)
    if newer:
        raise sqlite3.DatabaseError(f"a newer mcp_hub has changed it ({', '.join(newer)})")
    migrations.apply(db)
    return db


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other hubs from opening it meanwhile: SQLite's own wait covers neither WAL nor a second migration."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
