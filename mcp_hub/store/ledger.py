"""The ledger: what each request to a model may cost, reserved before it goes out, and what it did cost.

Above it is the proxy's flow, below it the table `ledger` and the sums in `standings`. A request has one row: a
reservation of its worst case until it is settled. Caps are read, the decision is made and the reservation written in
one transaction that no other writer, in this process or another, can come between; so spent and reserved amounts
together never pass a cap. A killed process leaves its reservations behind, which `recover` settles.

A commit outlives the process, killed or not; after a power failure, the last ones may be missing.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mcp_hub.proxy.budgets import Allowed, Cap, Refused, Standing, Waits, Want, decide
from mcp_hub.proxy.pricing import Usage
from mcp_hub.store.connection import Turns, connect
from mcp_hub.store.standings import TIERS, Amounts, add_spent, kept_name, standings

MOST = 10**15
"""Of dollars (a million of them, in nano-dollars) or tokens in one row: no request takes more, whatever was said of
it, and a sum of thousands of such rows still fits into SQLite's integers."""

GROUPS = {
    "customer": "customer",
    "team": "team",
    "key": "key",
    "upstream": "upstream",
    "session": "session",
    "model": "model",
    "day": "strftime('%Y-%m-%d', admitted_at, 'unixepoch')",
}
"""What usage can be grouped by, as SQL."""


class Status(StrEnum):
    """How a request ended. A row without one is a reservation."""

    OK = "ok"
    FAILED = "failed"
    """The upstream answered with an error, or couldn't be reached."""
    BROKEN = "broken"
    """The upstream broke off in the middle of its answer."""
    LEFT = "left"
    """The client went away before the end."""
    LOST = "lost"
    """The proxy was killed meanwhile."""


_ERRORS = (Status.FAILED, Status.BROKEN, Status.LOST)


@dataclass(frozen=True)
class Entry:
    """A request, as the ledger keeps it; "" where there is none of something. `at` is when it came, Unix seconds."""

    id: str
    at: float
    key: str
    team: str
    customer: str
    upstream: str
    session: str
    model_asked: str
    model: str


class ServedBy(StrEnum):
    """How the cache came to an answer."""

    EXACT = "exact"
    SIMILAR = "similar"
    SHARED = "shared"
    """Another client's request was under way."""


@dataclass(frozen=True)
class Served:
    """An answer that was paid for before: what it cost then, in nano-dollars and tokens."""

    by: ServedBy
    dollars: int
    tokens: int


@dataclass(frozen=True)
class Row:
    """Settled requests added up. `group` has a value for each name that was asked for, in that order."""

    group: tuple[str, ...]
    requests: int
    errors: int
    usage: Usage
    tokens: int
    """More than `usage` has by the worst cases of requests of which nothing else is known."""
    dollars: int
    """Nano-dollars."""
    first_byte: float | None = None
    """Mean seconds to an answer's first byte; None where there was no answer."""
    seconds: float | None = None
    """Mean seconds to an answer's end."""
    served: int = 0
    """Of the requests, those that the cache has answered, at no cost."""
    saved_dollars: int = 0
    """Nano-dollars that those would have cost."""
    saved_tokens: int = 0


_RESERVE = (
    "insert into ledger (id, came_at, admitted_at, process, customer, team, key, upstream, session, model_asked, "
    "model, requests, reserved_dollars, reserved_tokens) values (:id, :at, :admitted_at, :process, :customer, :team, "
    ":key, :upstream, :session, :model_asked, :model, :requests, :reserved_dollars, :reserved_tokens)"
)

_SERVED = (
    "insert into ledger (id, came_at, admitted_at, process, customer, team, key, upstream, session, model_asked, "
    "model, requests, reserved_dollars, reserved_tokens, tokens, dollars, status, http_status, seconds, cache, "
    "saved_dollars, saved_tokens) values (:id, :at, :admitted_at, :process, :customer, :team, :key, :upstream, "
    ":session, :model_asked, :model, 0, 0, 0, 0, 0, :status, 200, :seconds, :cache, :saved_dollars, :saved_tokens)"
)
"""Without requests, dollars and tokens: caps add up these, and an answer of the cache is under none."""

_NOTE = (
    "update ledger set input = :input, output = :output, cache_write_5m = :cache_write_5m, "
    "cache_write_1h = :cache_write_1h, cache_read = :cache_read, web_searches = :web_searches, tokens = :tokens, "
    "dollars = :dollars where id = :id and status is null"
)

_END = (
    "update ledger set tokens = ?, dollars = ?, status = ?, http_status = ?, first_byte = ?, seconds = ? where id = ?"
)


class Ledger:
    """The `ledger` table, for any thread; several processes may use the same database.

    Threads take turns at one connection to write.
    Methods raise sqlite3.Error, and nothing was written, when the database is locked for long, full or read-only.
    """

    def __init__(self, path: Path, process: str) -> None:
        """`path` is the database's file, as `open_database` has made it.

        `process` names this life of the proxy, unlike any other's: a number of a process comes again, so its time of
        start belongs to it.
        """
        self._path = path
        self._process = process
        self._writing = Turns(path, "begin immediate")

    def close(self) -> None:
        """Close the connection. Open reservations stay, for `recover`."""
        self._writing.close()

    def reserve(self, entry: Entry, caps: Sequence[Cap], want: Want, at: float) -> Allowed | Waits | Refused:
        """Reserve what a request may need at most, if every cap has room for it at `at`, Unix seconds.

        Only Allowed has written anything. A request that waits is asked for again, with the same entry and a new
        `at`: it counts in the windows of the time at which it was admitted. Raises ValueError for a cap that isn't
        on the entry's own customer, team, key, upstream or session, since nothing would ever count against it.
        """
        names = {tier: str(getattr(entry, tier)) for tier in TIERS}
        for cap in caps:
            if names[cap.tier] != cap.name:
                raise ValueError(f"a cap on {cap.tier} {cap.name!r} doesn't apply to {names[cap.tier]!r}")
        with self._writing.transaction() as connection:
            decision = decide(standings(connection, caps, at), want, at)
            if isinstance(decision, Allowed):
                row = {
                    "id": entry.id,
                    "at": entry.at,
                    "admitted_at": at,
                    "process": self._process,
                    "requests": want.requests,
                    "reserved_dollars": _bounded(want.dollars),
                    "reserved_tokens": _bounded(want.tokens),
                }
                connection.execute(_RESERVE, _names(entry) | row)
        return decision

    def served(self, entry: Entry, served: Served, at: float, seconds: float) -> None:
        """Record a request that the cache has answered at `at`, Unix seconds, in so many seconds."""
        row = {
            "id": entry.id,
            "at": entry.at,
            "admitted_at": at,
            "process": self._process,
            "status": Status.OK,
            "seconds": seconds,
            "cache": served.by,
            "saved_dollars": _bounded(served.dollars),
            "saved_tokens": _bounded(served.tokens),
        }
        with self._writing.transaction() as connection:
            connection.execute(_SERVED, _names(entry) | row)

    def noted(self, id: str, usage: Usage, dollars: int) -> None:
        """Keep what a request has used so far, in tokens and nano-dollars, in case this process is killed.

        The reservation stays as it is. `recover` charges what was noted last in place of the worst case, so note
        nothing that the upstream's bill could still pass. Of a settled request, nothing changes.
        """
        with self._writing.transaction() as connection:
            _note(connection, id, usage, dollars)

    def settle(
        self,
        id: str,
        usage: Usage,
        dollars: int,
        status: Status,
        first_byte: float | None,
        seconds: float,
        http_status: int,
    ) -> bool:
        """Replace a reservation by what was used, in tokens and nano-dollars.

        `first_byte` and `seconds` are the seconds to the answer's first byte and to its end. False, and nothing
        changes, when the request isn't open: it was settled before, or never reserved.
        """
        with self._writing.transaction() as connection:
            _note(connection, id, usage, dollars)
            row = connection.execute("select * from ledger where id = ? and status is null", [id]).fetchone()
            if row is not None:
                _end(connection, row, status, http_status, first_byte, seconds)
        return row is not None

    def recover(self, alive: Callable[[str], bool]) -> int:
        """Settle the reservations of processes that are gone, as LOST; how many there were.

        Each is charged what was noted of it, else its worst case. `alive` is asked for each other process that has
        reservations, by the name it gave itself.
        """
        with closing(connect(self._path)) as connection:
            found = connection.execute(
                "select distinct process from ledger indexed by ledger_open where status is null"
            )
            others = {process for (process,) in found.fetchall()} - {self._process}
        gone = [process for process in sorted(others) if not alive(process)]
        settled = 0
        for process in gone:
            with self._writing.transaction() as connection:
                sql = "select * from ledger indexed by ledger_open where process = ? and status is null"
                for row in connection.execute(sql, [process]).fetchall():
                    _end(connection, row, Status.LOST)
                    settled += 1
        return settled

    def standing(self, caps: Sequence[Cap], at: float) -> list[Standing]:
        """How caps stand in their windows at `at`, Unix seconds, all at the same moment of the ledger."""
        with closing(connect(self._path)) as connection:
            connection.execute("begin")
            return standings(connection, caps, at)

    def usage(self, since: float, by: Sequence[str]) -> list[Row]:
        """What requests admitted since then, Unix seconds, have used: a row for each group, in the groups' order.

        Reservations don't count. Raises ValueError for a name in `by` that isn't in GROUPS.
        """
        if unknown := [name for name in by if name not in GROUPS]:
            raise ValueError(f"usage can't be grouped by {', '.join(unknown)}, only by {', '.join(GROUPS)}")
        groups = ", ".join(GROUPS[name] for name in by)
        statuses = ", ".join(f"'{status}'" for status in _ERRORS)
        sql = (
            "select sum(requests) + count(cache), "  # noqa: S608 - constants
            f"sum(status in ({statuses})), sum(tokens), sum(dollars), "
            "avg(first_byte), avg(case when first_byte is not null then seconds end), "
            "count(cache), coalesce(sum(saved_dollars), 0), coalesce(sum(saved_tokens), 0), "
            "sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(web_searches)"
            f"{groups and ', '}{groups} from ledger where admitted_at >= ? and status is not null "
            f"group by {groups or 'null'} order by {groups or 'null'}"
        )
        with closing(connect(self._path)) as connection:
            return [
                Row(tuple(group), requests, errors, Usage(*(count or 0 for count in kinds)), tokens, dollars, *more)
                for (requests, errors, tokens, dollars), more, kinds, group in (
                    (row[:4], row[4:9], row[9:15], row[15:]) for row in connection.execute(sql, [since])
                )
            ]


def _names(entry: Entry) -> dict[str, str]:
    """What an entry has beside its id and its time, as it is kept."""
    return {name: kept_name(value) for name, value in vars(entry).items() if name not in ("id", "at")}


def _note(connection: sqlite3.Connection, id: str, usage: Usage, dollars: int) -> None:
    counts = {**vars(usage), "tokens": usage.tokens, "dollars": dollars}
    connection.execute(_NOTE, {"id": id, **{name: _bounded(count) for name, count in counts.items()}})


def _end(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    status: Status,
    http_status: int | None = None,
    first_byte: float | None = None,
    seconds: float | None = None,
) -> None:
    """Settle an open row at what is noted in it, else at its worst case."""
    noted = row["dollars"] is not None
    dollars, tokens = (row["dollars"], row["tokens"]) if noted else (row["reserved_dollars"], row["reserved_tokens"])
    connection.execute(_END, [tokens, dollars, status, http_status, first_byte, seconds, row["id"]])
    names = {tier: row[tier] for tier in TIERS}
    add_spent(connection, names, row["admitted_at"], Amounts(dollars, tokens, row["requests"]))


def _bounded(count: int) -> int:
    return min(max(count, 0), MOST)
