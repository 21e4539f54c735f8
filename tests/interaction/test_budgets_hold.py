"""Money: whatever clients, the upstream and `kill -9` do, the ledger has what was billed, and no cap is ever passed.

Rounds of 200 clients at once, over one database, against an upstream that keeps what it bills. MCP_HUB_ROUNDS=20 runs
all of them, the suite the first ones; MCP_HUB_SEED=N draws others. With -s, figures are shown.
"""

import asyncio
import os
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.billing_server import Bill
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.ledger import Status
from tests.spending import LIMITS, Ask, Limit
from tests.spending_rounds import World, world
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("MCP_HUB_ROUNDS", "4"))
SEED = int(os.environ.get("MCP_HUB_SEED", "1"))

TIERS = ("customer", "team", "key", "upstream", "session")

AMOUNTS = ("dollars", "tokens", "requests")

Sums = dict[tuple[object, ...], tuple[int, ...]]


class Kept(NamedTuple):
    """The ledger at one moment: rows by the session that each request was asked in, and the sums for caps."""

    rows: dict[str, sqlite3.Row]
    sums: Sums


@pytest.mark.timeout(60 + 30 * ROUNDS)
async def test_the_ledger_has_what_was_billed_and_no_cap_is_passed(tmp_path: Path) -> None:
    served = 0
    async with world(tmp_path) as made:
        for number in range(ROUNDS):
            before = set(made.outcomes)
            await made.round(SEED, number)
            await check(made)
            new = Counter(outcome.status for session, outcome in made.outcomes.items() if session not in before)
            served += new[200] > 0
            print(f"round {number}: {dict(sorted(new.items()))}")
        await made.end()
        rows = await check(made)
    told(made, rows)
    texts = [outcome.text for outcome in made.outcomes.values() if outcome.status == 402]
    assert any("is used up" in text for text in texts)
    assert any(row["status"] == Status.LOST for row in rows.values())
    assert served > ROUNDS // 2


async def check(made: World) -> dict[str, sqlite3.Row]:
    """Hold the ledger against the upstream's bills; its rows, by session."""
    billed = dict(made.upstream.billed)  # before the ledger is read: what was reserved comes to the upstream later
    rows, sums = await settled(made.state / FILE_NAME)
    assert (made.upstream.faults, made.upstream.twice) == ([], [])
    assert set(rows) <= set(made.asks)
    assert sums == sums_of(rows.values())
    for session, outcome in made.outcomes.items():
        ask, bill, row = made.asks[session], billed.get(session), rows.get(session)
        case = f"{ask}\n{outcome}\n{bill}\n{row and dict(row)}"
        assert outcome.kind != "fault", case
        if outcome.kind == "refused":
            assert (bill, row) == (None, None), case
        elif outcome.kind in ("whole", "error"):
            assert bill is not None, case
            assert row is not None, case
            if ask.plan.tells_input:  # else it is charged as one whose bill isn't known
                assert {kind: row[kind] for kind in bill.used._fields} == bill.used._asdict(), case
                assert (row["dollars"], row["tokens"]) == (ask.price(bill), bill.used.tokens), case
            assert row["status"] == (Status.OK if outcome.kind == "whole" else Status.FAILED), case
        if bill is not None:
            assert row is not None, case
            assert ask.price(bill) <= row["dollars"] <= row["reserved_dollars"], case
            assert bill.used.tokens <= row["tokens"] <= row["reserved_tokens"], case
    for limit in LIMITS:
        check_limit(limit, made.asks, billed, rows)
    return rows


async def settled(path: Path) -> Kept:
    """The ledger, as soon as no request in it is open: those of clients that went away may be so for a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("begin")
            rows = connection.execute("select * from ledger").fetchall()
            sums = connection.execute("select * from ledger_sums").fetchall()
        if all(row["status"] is not None for row in rows):
            break
        assert time.monotonic() < deadline, [dict(row) for row in rows if row["status"] is None]
        await asyncio.sleep(0.05)
    by_session = {row["session"].partition("/")[2]: row for row in rows}
    assert len(by_session) == len(rows), "a request has two rows"
    return Kept(by_session, {tuple(row)[:4]: tuple(row[amount] for amount in AMOUNTS) for row in sums})


def sums_of(rows: Iterable[sqlite3.Row]) -> Sums:
    """What the sums must be: of each tier's names, by minute and by day."""
    found: Sums = {}
    for row in rows:
        for tier in TIERS:
            for granularity in (60, 86_400):
                place = (tier, row[tier], granularity, int(row["admitted_at"] // granularity) * granularity)
                before = found.get(place, (0, 0, 0))
                found[place] = tuple(sum(pair) for pair in zip(before, (row[each] for each in AMOUNTS), strict=True))
    return found


def check_limit(limit: Limit, asks: dict[str, Ask], billed: dict[str, Bill], rows: dict[str, sqlite3.Row]) -> None:
    """Neither what was billed nor what the ledger has is over a cap. Bills only grow, so they never were before."""
    scopes: dict[str, list[str]] = defaultdict(list)
    for session, ask in asks.items():
        if limit.tier == "session" or ask.counts_for(limit):
            scopes[limit.name or session].append(session)
    for name, sessions in scopes.items():
        bills = total(limit, asks, billed, sessions)
        spent = sum(rows[each][limit.kind] for each in sessions if each in rows)
        assert bills <= spent <= limit.most, f"{limit} of {name!r}: {bills} billed, {spent} spent"


def total(limit: Limit, asks: dict[str, Ask], billed: dict[str, Bill], sessions: Iterable[str]) -> int:
    """What the bills of these sessions come to, in what a cap counts."""
    bills = [(asks[session], billed[session]) for session in sessions if session in billed]
    if limit.kind == "dollars":
        return sum(ask.price(bill) for ask, bill in bills)
    return sum(bill.used.tokens if limit.kind == "tokens" else 1 for _, bill in bills)


def told(made: World, rows: dict[str, sqlite3.Row]) -> None:
    """Figures for a person."""
    kinds = Counter(f"{outcome.kind} {outcome.status}" for outcome in made.outcomes.values())
    print(f"seed {SEED}: {len(made.asks)} requests, {len(made.upstream.billed)} billed, {made.killed} proxies killed")
    print(f"outcomes {dict(kinds)}, statuses {dict(Counter(row['status'] for row in rows.values()))}")
    print(f"most under way at once: {made.upstream.most_answering}")
    for limit in LIMITS:
        within = [session for session, ask in made.asks.items() if ask.counts_for(limit)]
        bills = total(limit, made.asks, made.upstream.billed, within)
        spent = sum(rows[session][limit.kind] for session in within if session in rows)
        if within:
            print(f"{limit.tier} {limit.name}: {bills:,} billed, {spent:,} spent of {limit.most:,} {limit.kind}")
