"""The journal: every run, every call in it and the large results, written as it happens and read for resuming.

`RunReader` reads, in any thread; `RunStore` writes too, in the writer's thread, and lets wait in `written` only.
"""

import base64
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from mcp_hub.settings import JournalSettings
from mcp_hub.store.writer import Entry, Writer

if TYPE_CHECKING:  # the hub answers before it opens its database
    from sqlite_utils import Database

ID_CHARACTERS = 10
"""Of a run's name: 50 random bits."""

BUSY_TIMEOUT = 5.0
"""Seconds that reading waits; in WAL mode a writer doesn't keep readers out."""

ROW_BYTES = 200
"""What a row takes beside its texts, its index entries included."""

PRUNE_AFTER_RUNS = 100
PRUNE_AFTER_SHARE = 10
"""Old runs are forgotten again after so many runs, or when this part of the journal's limit was written."""

LONGEST_RUN = 2 * 3600
"""Seconds after which a run without an end can't be going on: a program may take an hour, and wait for its turn."""


class Outcome(StrEnum):
    """How a call ended. STARTED, in a run that is no longer going on, means that nobody knows."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REUSED = "reused"


@dataclass(frozen=True)
class RecordedCall:
    """One call of a run. `arguments` is for people: redacted JSON, shortened."""

    number: int
    server: str
    tool: str
    arguments: str
    key: str
    """Keyed hash of server, tool and the unredacted arguments."""
    read_only: bool
    outcome: Outcome
    error: str | None = None
    result: Any = None
    has_result: bool = False
    """Whether `result` is what the call gave; a result may be too large to be kept."""
    seconds: float | None = None
    bytes: int | None = None
    digest: str | None = None
    """Size and SHA-256 of the result as JSON."""


RUNNING, INTERRUPTED = "running", "interrupted"
"""The status of a run without an end: its hub is there, or has gone."""


@dataclass(frozen=True)
class RunSummary:
    """A run as a list shows it."""

    id: str
    owner: str
    started: datetime
    status: str
    """What `end` was told; until then RUNNING, or INTERRUPTED when the hub has gone."""
    calls: int
    seconds: float | None
    code: str
    resumed: str | None
    """The run that it resumed."""


@dataclass(frozen=True)
class Run(RunSummary):
    """A run as a whole, without its calls."""

    error: str | None
    error_kind: str | None
    log: str
    answer: str | None
    steps: int | None


def new_run_id() -> str:
    """A name for a run that nobody can guess: letters and digits, easy to copy."""
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:ID_CHARACTERS]


class RunReader:
    """Reads the journal; each read has a connection of its own, so any thread may."""

    def __init__(self, db: "Database") -> None:
        (_, _, path) = next(iter(db.execute("pragma database_list")))
        self._path = Path(path)

    def runs(self, limit: int, owner: str | None = None) -> list[RunSummary]:
        """The newest runs, newest first, of one owner or of all. Raises sqlite3.Error."""
        sql = (
            "select *, (select count(*) from calls where run = id) as recorded from runs "
            "where ?1 is null or owner = ?1 order by started_at desc, rowid desc limit ?2"
        )
        return [RunSummary(**_summary(row)) for row in self._read(sql, owner, limit)]

    def most_used(self, folder: str, limit: int) -> list[tuple[str, str]]:
        """The (server, tool) names that runs in a folder called most, the most used first. Raises sqlite3.Error."""
        sql = (
            "select server, tool from calls join runs on runs.id = calls.run where folder = ? and outcome = ? "
            "group by server, tool order by count(*) desc, server, tool limit ?"
        )
        return [(row["server"], row["tool"]) for row in self._read(sql, folder, Outcome.OK, limit)]

    def run(self, run_id: str, owner: str | None = None) -> Run | None:
        """A run by its whole id; None when there is none, or it is another's. Raises sqlite3.Error."""
        sql = (
            "select *, (select count(*) from calls where run = id) as recorded from runs "
            "where id = ?1 and (?2 is null or owner = ?2)"
        )
        return next((Run(**_summary(row), **_rest(row)) for row in self._read(sql, run_id, owner)), None)

    def resumed_by(self, run_id: str) -> str | None:
        """The newest run that resumed a run; None when none has. Raises sqlite3.Error."""
        sql = "select id from runs where resumed = ? order by started_at desc, rowid desc limit 1"
        return next((row["id"] for row in self._read(sql, run_id)), None)

    def calls(self, run_id: str) -> list[RecordedCall]:
        """A run's calls in their order. Raises sqlite3.Error."""
        return [_recorded(row) for row in self._read("select * from calls where run = ? order by number", run_id)]

    def matching(self, prefix: str) -> list[str]:
        """The ids that begin with `prefix`, newest first. Raises sqlite3.Error."""
        rows = self._read(
            "select id from runs where substr(id, 1, length(?1)) = ?1 order by started_at desc, rowid desc", prefix
        )
        return [row["id"] for row in rows]

    def value(self, handle: str, owner: str) -> str | None:
        """A large result as JSON; None when there is none, or it is another's. Raises sqlite3.Error."""
        rows = self._read("select value from kept_values where handle = ? and owner = ?", handle, owner)
        return rows[0]["value"] if rows else None

    @property
    def secret(self) -> bytes:
        """The key of the calls' hashes, made with the database. Raises sqlite3.Error."""
        (row,) = self._read("select secret from journal_secret")
        return bytes(row["secret"])

    def _read(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, parameters).fetchall()


class RunStore(RunReader):
    """The journal of a hub. `begin`, `call`, `end`, `keep_value` and `prune` are queued and return at once.

    Of a run of which an entry was lost, nothing more is written but its end, and `written` tells: a run never looks
    complete when it isn't.
    """

    def __init__(self, db: "Database", settings: JournalSettings, folder: str | None = None) -> None:
        """`folder` is the working directory of the only client there is, if there is only one."""
        super().__init__(db)
        self._folder = folder
        self._keep_seconds = settings.keep_days * 86_400
        self._most_bytes = settings.max_mib * 1024 * 1024
        self._writer = Writer(self._path)
        self._with_gaps: set[str] = set()
        self._last_lost = False
        self._runs_since = self._bytes_since = 0
        self.prune()

    def end_writing(self) -> None:
        """Begin to close: nothing more is taken. `close` may then be called in another thread."""
        self._writer.end()

    def close(self) -> None:
        """Write what is queued, within a bounded time."""
        self._writer.close()

    async def written(self) -> None:
        """Wait until everything queued is committed. Raises sqlite3.Error when that fails, or the last was lost.

        To be sure of a call, queue it and call this with no other await between.
        """
        if self._last_lost:
            raise sqlite3.OperationalError("the journal has a gap in this run")
        await self._writer.written()

    def begin(self, run_id: str, owner: str, code: str, resumed: str | None = None) -> None:
        """A run starts. `code` is redacted already."""
        self._runs_since += 1
        size = ROW_BYTES + len(code)
        row = (run_id, size, owner, time.time(), os.getpid(), resumed, code, self._folder)
        sql = (
            "insert into runs (id, size, owner, started_at, hub, resumed, code, folder) values (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self._put_of(run_id, _execute(sql, row, size))

    def end(
        self,
        run_id: str,
        *,
        status: str,
        error: str | None,
        error_kind: str | None,
        log: str,
        answer: str | None,
        steps: int,
        calls: int,
        seconds: float,
    ) -> None:
        """A run ended. `status` is a word such as ok, failed or cancelled; the texts are redacted already."""
        size = len(log) + len(error or "") + len(answer or "")
        row = (size, status, error, error_kind, log, answer, steps, calls, seconds, run_id)
        sql = (
            "update runs set size = size + ? + (select coalesce(sum(size), 0) from calls where run = id), "
            "status = ?, error = ?, error_kind = ?, log = ?, answer = ?, steps = ?, calls = ?, seconds = ? where id = ?"
        )
        self._put(_execute(sql, row, size))
        self._with_gaps.discard(run_id)

    def call(self, run_id: str, call: RecordedCall) -> None:
        """Add a call, or replace the one with its number."""
        kept = (call.bytes or 0) if call.has_result else 0
        size = ROW_BYTES + len(call.arguments) + len(call.error or "") + kept
        self._put_of(run_id, Entry(lambda db: _write_call(db, run_id, call, size), size))

    def keep_value(self, handle: str, owner: str, value_json: str) -> None:
        """Keep a large result under a handle, as JSON."""
        size = ROW_BYTES + len(value_json)
        row = (handle, size, owner, time.time(), value_json)
        sql = "insert or replace into kept_values (handle, size, owner, kept_at, value) values (?, ?, ?, ?, ?)"
        self._put(_execute(sql, row, size))

    def prune(self) -> None:
        """Forget what is too old, then the oldest of what is too much. Runs that are going on stay."""
        self._runs_since = self._bytes_since = 0
        now = time.time()
        self._writer.put(
            Entry(lambda db: _prune(db, now, now - self._keep_seconds, self._most_bytes), one_statement=False)
        )

    def _put_of(self, run_id: str, entry: Entry) -> None:
        if run_id in self._with_gaps:
            self._last_lost = True
        elif not self._put(entry):
            self._with_gaps.add(run_id)

    def _put(self, entry: Entry) -> bool:
        self._bytes_since += entry.size
        if self._runs_since >= PRUNE_AFTER_RUNS or self._bytes_since > self._most_bytes // PRUNE_AFTER_SHARE:
            self.prune()  # before the entry, which stays the last
        kept = self._writer.put(entry)
        self._last_lost = not kept
        return kept


def _execute(sql: str, row: Sequence[object], size: int) -> Entry:
    return Entry(lambda db: _run(db, sql, row), size)


def _run(db: sqlite3.Connection, sql: str, row: Iterable[object]) -> None:
    db.execute(sql, [_storable(value) for value in row])


def _storable(value: object) -> object:
    """`value` as SQLite takes it: a text of a server may hold halves of surrogate pairs."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value


def _write_call(db: sqlite3.Connection, run_id: str, call: RecordedCall, size: int) -> None:
    result = _as_json(call.result) if call.has_result else None
    row = (
        *(run_id, call.number, size, call.server, call.tool, call.key, call.read_only, call.outcome.value),
        *(call.seconds, call.bytes, call.digest, call.error, call.arguments, result),
    )
    sql = (
        "insert or replace into calls (run, number, size, server, tool, key, read_only, outcome, seconds, bytes, "
        "digest, error, arguments, result) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    _run(db, sql, row)


def _as_json(value: Any) -> str | None:
    """A result as JSON; None when it can't be: the call stays in the journal without it."""
    try:
        return json.dumps(value, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        return None


def _prune(db: sqlite3.Connection, now: float, oldest: float, most: int) -> None:
    parameters = {"most": most, "oldest": oldest, "going_on_since": now - LONGEST_RUN}
    gone = db.execute(_TO_FORGET, parameters).fetchall()
    runs = [(name,) for name, is_run in gone if is_run]
    db.executemany("delete from calls where run = ?", runs)
    db.executemany("delete from runs where id = ?", runs)
    db.executemany("delete from kept_values where handle = ?", [(name,) for name, is_run in gone if not is_run])


_TO_FORGET = """
with
  everything (name, is_run, at, going_on, size) as (
    select id, 1, started_at, status is null and started_at > :going_on_since,
      size + case when status is null then (select coalesce(sum(size), 0) from calls where run = id) else 0 end
    from runs
    union all select handle, 0, kept_at, 0, size from kept_values),
  summed as (select *, sum(size) over (order by at desc rows unbounded preceding) as upto from everything)
select name, is_run from summed where (upto > :most or at < :oldest) and not going_on
"""
"""What is too old, or stands below the newest that fit into the limit."""


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    """The fields of a RunSummary."""
    fields = {name: row[name] for name in ("id", "owner", "seconds", "code", "resumed")}
    calls = row["recorded"] if row["calls"] is None else row["calls"]
    status = row["status"] or (RUNNING if _going_on(row["hub"], row["started_at"]) else INTERRUPTED)
    return {**fields, "started": datetime.fromtimestamp(row["started_at"], UTC), "status": status, "calls": calls}


def _rest(row: sqlite3.Row) -> dict[str, Any]:
    """The fields that a Run has beside those."""
    return {**{name: row[name] for name in ("error", "error_kind", "answer", "steps")}, "log": row["log"] or ""}


def _going_on(hub: int, started_at: float) -> bool:
    if time.time() - started_at > LONGEST_RUN:
        return False
    try:
        return psutil.Process(hub).create_time() <= started_at  # else another process has its number now
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is there, as another user's
        return True


def _recorded(row: sqlite3.Row) -> RecordedCall:
    same = ("number", "server", "tool", "arguments", "key", "error", "seconds", "bytes", "digest")
    return RecordedCall(
        **{name: row[name] for name in same},
        read_only=bool(row["read_only"]),
        outcome=Outcome(row["outcome"]),
        has_result=row["result"] is not None,
        result=None if row["result"] is None else json.loads(row["result"]),
    )
