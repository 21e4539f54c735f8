"""A cap stands as its window's rows say, whatever the window, however much of it is read from sums."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_hub.proxy.budgets import Cap, Kind, Period, Want
from mcp_hub.proxy.pricing import Usage
from mcp_hub.store.database import open_database
from mcp_hub.store.ledger import Ledger, Status
from mcp_hub.store.standings import DAY, MINUTE, MOST_CHARACTERS, kept_name
from tests.store.spending import NOON, entry

PERIODS = ("1m", "1h", "1d", "1w", "1M", "1Y")


@dataclass(frozen=True)
class Request:
    """One to make: `ago` before the moment at which caps are looked at."""

    ago: float
    names: tuple[str, str]
    reserved: tuple[int, int]
    used: tuple[int, int] | None

    def amount(self, kind: Kind, settled: bool) -> int:
        if settled != (self.used is not None):
            return 0
        dollars, tokens = self.used or self.reserved
        return {"dollars": dollars, "tokens": tokens, "requests": 1}[kind]


PAIRS = st.tuples(st.integers(0, 1000), st.integers(0, 1000))

AGO = st.one_of(
    st.floats(-130, 130),
    st.sampled_from([0.0, 60.0, 3600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0, 365 * 86_400.0]),
    st.floats(0, 3 * 86_400),
    st.floats(0, 800 * 86_400),
)

REQUESTS = st.builds(Request, AGO, st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), PAIRS, st.none() | PAIRS)

MOMENTS = st.sampled_from([NOON, NOON + 0.5, NOON - DAY / 2, NOON - DAY / 2 + 61.25]) | st.floats(1.6e9, 1.9e9)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    folder = tmp_path_factory.mktemp("state")
    opened = open_database(folder)
    yield opened.conn
    opened.close()


def filled(database: sqlite3.Connection, requests: list[Request], now: float) -> Ledger:
    """A ledger with these requests, open or settled, and nothing else."""
    with database:
        database.execute("delete from ledger")
        database.execute("delete from ledger_sums")
    ((_, _, path),) = database.execute("pragma database_list").fetchall()
    ledger = Ledger(Path(path), "this")
    for number, request in enumerate(requests):
        id, (key, team) = str(number), request.names
        dollars, tokens = request.reserved
        ledger.reserve(
            entry(id, key=key, team=team, session=""), [], Want(dollars=dollars, tokens=tokens), now - request.ago
        )
        if request.used is not None:
            dollars, tokens = request.used
            ledger.settle(id, Usage(output=tokens), dollars, Status.OK, None, 1.0, 200)
    return ledger


@settings(max_examples=60)
@given(requests=st.lists(REQUESTS, max_size=12), now=MOMENTS, kind=st.sampled_from(get_args(Kind)))
def test_a_cap_stands_as_the_rows_in_its_window_say(
    database: sqlite3.Connection, requests: list[Request], now: float, kind: Kind
) -> None:
    ledger = filled(database, requests, now)
    for text in PERIODS:
        for rolling in (False, True):
            period = Period.parse(text, rolling=rolling)
            caps = [Cap("key", "a", kind, 1, period), Cap("team", "x", kind, 1, period)]
            for position, standing in enumerate(ledger.standing(caps, now)):
                inside = [
                    request
                    for request in requests
                    if request.names[position] == standing.cap.name
                    and period.start(now) <= now - request.ago
                    and (rolling or now - request.ago < period.end(now))
                ]
                assert standing.spent == sum(request.amount(kind, settled=True) for request in inside)
                assert standing.reserved == sum(request.amount(kind, settled=False) for request in inside)
    ledger.close()


def test_a_window_that_begins_at_midnight_has_nothing_of_the_rest_of_its_day(database: sqlite3.Connection) -> None:
    midnight = NOON - DAY / 2
    ledger = filled(database, [Request(-60.0, ("a", "x"), (0, 0), (1, 0))], midnight)
    (standing,) = ledger.standing([Cap("key", "a", "dollars", 1, Period.parse("1m"))], midnight)
    assert standing.spent == 0
    ledger.close()


@settings(max_examples=30)
@given(requests=st.lists(REQUESTS, max_size=12), now=MOMENTS)
def test_the_sums_are_those_of_the_rows(database: sqlite3.Connection, requests: list[Request], now: float) -> None:
    filled(database, requests, now).close()
    expected: Counter[tuple[str, str, int, int, str]] = Counter()
    rows = database.execute(
        "select key, team, customer, upstream, session, admitted_at, dollars, tokens, requests from ledger "
        "where status is not null"
    )
    for *names, at, dollars, tokens, count in rows:
        for tier, name in zip(("key", "team", "customer", "upstream", "session"), names, strict=True):
            if not name:
                continue
            for granularity in (MINUTE, DAY):
                start = int(at // granularity * granularity)
                for kind, amount in (("dollars", dollars), ("tokens", tokens), ("requests", count)):
                    expected[tier, name, granularity, start, kind] += amount
    found: Counter[tuple[str, str, int, int, str]] = Counter()
    for tier, name, granularity, start, *sums in database.execute("select * from ledger_sums"):
        for kind, amount in zip(("dollars", "tokens", "requests"), sums, strict=True):
            found[tier, name, granularity, start, kind] = amount
    assert found == expected


@pytest.mark.parametrize("period", PERIODS)
def test_a_window_of_the_calendar_reads_no_settled_rows(database: sqlite3.Connection, period: str) -> None:
    ledger = filled(database, [Request(0.0, ("a", "x"), (9, 9), (7, 7))], NOON)
    with database:
        database.execute("delete from ledger")
    (found,) = ledger.standing([Cap("key", "a", "dollars", 1, Period.parse(period))], NOON)
    assert found.spent == 7
    ledger.close()


def test_in_a_rolling_window_what_was_admitted_later_but_written_first_counts(database: sqlite3.Connection) -> None:
    ledger = filled(
        database, [Request(-100.0, ("a", "x"), (9, 9), (7, 7)), Request(-100.0, ("a", "x"), (9, 9), None)], NOON
    )
    (found,) = ledger.standing([Cap("key", "a", "dollars", 1, Period.parse("1m", rolling=True))], NOON)
    assert (found.spent, found.reserved) == (7, 9)
    ledger.close()


def test_a_name_is_kept_as_text_of_bounded_length() -> None:
    assert kept_name("größe \ud800") == "größe ?"
    assert kept_name("x" * 10_000) == "x" * MOST_CHARACTERS
