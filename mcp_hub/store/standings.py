"""How caps stand: what was spent in a cap's window, and what open reservations may still cost.

Spent amounts are kept as sums by minute and by day, of each tier's names: a window of a year reads some hundreds of
sums instead of all rows. Only a rolling window begins inside a minute; of that minute, the rows themselves are read.
All of it counts at the time of admission, so it never moves from one window to another.
"""

import math
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, get_args

from mcp_hub.proxy.budgets import Cap, Kind, Standing, Tier

TIERS: tuple[Tier, ...] = get_args(Tier)

TERMS = 100
"""Of a statement; SQLite takes 500 at most."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order of Amounts."""

MINUTE, DAY = 60, 86_400
"""Seconds. Days begin at midnight UTC."""

MOST_CHARACTERS = 200
"""Of a name that is kept: a client chooses its session's."""

_SUMS = (
    "select sum(dollars), sum(tokens), sum(requests) from ledger_sums "
    "where tier = ? and name = ? and granularity = ? and start >= ? and start < ?"
)

_ROWS = {
    tier: "select sum(dollars), sum(tokens), sum(requests) from ledger "  # noqa: S608 - a tier is a column
    f"where {tier} = ? and admitted_at >= ? and admitted_at < ? and status is not null"
    for tier in TIERS
}

_OPEN = {
    tier: "select sum(reserved_dollars), sum(reserved_tokens), sum(requests) from ledger "  # noqa: S608 - as above
    f"indexed by ledger_open where {tier} = ? and admitted_at >= ? and admitted_at < ? and status is null"
    for tier in TIERS
}

_ADD = (
    "insert into ledger_sums (tier, name, granularity, start, dollars, tokens, requests) values (?, ?, ?, ?, ?, ?, ?) "
    "on conflict do update set dollars = dollars + excluded.dollars, tokens = tokens + excluded.tokens, "
    "requests = requests + excluded.requests"
)


class Amounts(NamedTuple):
    """Of each kind that a cap may limit. Dollars are nano-dollars."""

    dollars: int = 0
    tokens: int = 0
    requests: int = 0


def kept_name(name: str) -> str:
    """A name as it is kept: shortened, and without what is no text (JSON may have half a surrogate pair)."""
    return name[:MOST_CHARACTERS].encode(errors="replace").decode()


def standings(connection: sqlite3.Connection, caps: Sequence[Cap], at: float) -> list[Standing]:
    """How caps stand in their windows at `at`, Unix seconds. Call it inside a transaction: it may read more than once.

    A rolling window has no end here, so what other requests were admitted for since counts too, whichever of them comes
    to the database first. Raises sqlite3.Error.
    """
    parts = [(cap, _spent(cap, at), _reserved(cap, at)) for cap in caps]
    every = [part for _, spent, reserved in parts for part in (*spent, reserved)]
    rows = chain.from_iterable(_rows(connection, every[first : first + TERMS]) for first in range(0, len(every), TERMS))
    return [
        Standing(
            cap,
            spent=sum(next(rows)[KINDS.index(cap.kind)] or 0 for _ in spent),
            reserved=next(rows)[KINDS.index(cap.kind)] or 0,
        )
        for cap, spent, _ in parts
    ]


def add_spent(connection: sqlite3.Connection, names: Mapping[Tier, str], at: float, spent: Amounts) -> None:
    """Add what a request admitted at `at` has cost to the sums of its customer, team and so on.

    `names` are as they are kept; a tier without a name has no sums. Call it inside a transaction. Raises sqlite3.Error.
    """
    connection.executemany(
        _ADD,
        [
            (tier, name, granularity, int(at // granularity) * granularity, *spent)
            for tier, name in names.items()
            if name
            for granularity in (MINUTE, DAY)
        ],
    )


class _Part(NamedTuple):
    """A statement that gives one row of Amounts."""

    sql: str
    parameters: tuple[Any, ...]


def _rows(connection: sqlite3.Connection, parts: Sequence[_Part]) -> list[Any]:
    """The row of each, read by one statement."""
    sql = " union all ".join(part.sql for part in parts)
    return connection.execute(sql, [value for part in parts for value in part.parameters]).fetchall()


def _spent(cap: Cap, at: float) -> list[_Part]:
    """The sums, and of a minute in which a window begins the rows, that add up to what was spent."""
    name, start, end = _window(cap, at)
    minutes = min(_up(start, MINUTE), end)
    days = min(_up(start, DAY), end)
    whole = end if math.isinf(end) else max(days, end // DAY * DAY)  # a window of an hour has no whole day
    parts = [
        _Part(_SUMS, (cap.tier, name, granularity, begin, until))
        for granularity, begin, until in ((MINUTE, minutes, days), (DAY, days, whole), (MINUTE, whole, end))
        if begin < until
    ]
    return [*parts, _Part(_ROWS[cap.tier], (name, start, minutes))] if start < minutes else parts


def _reserved(cap: Cap, at: float) -> _Part:
    return _Part(_OPEN[cap.tier], _window(cap, at))


def _window(cap: Cap, at: float) -> tuple[str, float, float]:
    end = math.inf if cap.period.rolling else cap.period.end(at)
    return kept_name(cap.name), cap.period.start(at), end


def _up(at: float, granularity: int) -> float:
    """The first minute or day that begins at `at` or later."""
    return -(-at // granularity) * granularity
