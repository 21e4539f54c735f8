"""No cap is passed, whoever asks at once and whoever is killed; what was used is settled once, and added up right."""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from sqlite_utils import Database

from mcp_hub.proxy.budgets import Allowed, Kind, Refused, Tier, Waits, Want
from mcp_hub.proxy.pricing import Usage
from mcp_hub.store import connection
from mcp_hub.store import ledger as module
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.ledger import MOST, Ledger, Row, Served, ServedBy, Status
from mcp_hub.store.standings import TIERS
from tests.store.spending import LIMIT, NOON, Spent, cap, entry, other_process, spend_together
from tests.support import PATIENCE, alive

DAY = 86_400


@pytest.fixture
def path(db: Database, tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path, "this")
    yield opened
    opened.close()


def settle(ledger: Ledger, id: str, dollars: int, status: Status = Status.OK, **counts: int) -> bool:
    return ledger.settle(id, Usage(**counts), dollars, status, 0.1, 1.0, 200)


def amounts(ledger: Ledger, kind: Kind = "dollars", at: float = NOON, period: str = "1d") -> tuple[int, int]:
    """What is spent and what is reserved of key 'ci'."""
    (found,) = ledger.standing([cap(1, kind, period)], at)
    return found.spent, found.reserved


def test_a_reservation_holds_room_for_the_worst_case_until_it_is_settled(ledger: Ledger) -> None:
    assert isinstance(ledger.reserve(entry("a"), [cap(100)], Want(dollars=70, tokens=9), NOON), Allowed)
    assert amounts(ledger) == (0, 70)
    assert amounts(ledger, "tokens") == (0, 9)
    assert amounts(ledger, "requests") == (0, 1)
    assert settle(ledger, "a", 20, input=3, cache_read=1, output=2)
    assert amounts(ledger) == (20, 0)
    assert amounts(ledger, "tokens") == (6, 0)
    assert amounts(ledger, "requests") == (1, 0)


def test_what_would_fit_but_for_reservations_waits_and_then_fits(ledger: Ledger) -> None:
    ledger.reserve(entry("a"), [cap(100)], Want(dollars=70, tokens=0), NOON)
    waiting = Want(dollars=40, tokens=0)
    assert isinstance(ledger.reserve(entry("b"), [cap(100)], waiting, NOON), Waits)
    assert amounts(ledger) == (0, 70)
    settle(ledger, "a", 60)
    assert isinstance(ledger.reserve(entry("b"), [cap(100)], waiting, NOON), Allowed)
    assert amounts(ledger) == (60, 40)


def test_what_was_spent_already_refuses(ledger: Ledger) -> None:
    ledger.reserve(entry("a"), [cap(100)], Want(dollars=70, tokens=0), NOON)
    settle(ledger, "a", 70)
    refused = ledger.reserve(entry("b"), [cap(100)], Want(dollars=31, tokens=0), NOON)
    assert isinstance(refused, Refused)
    assert (refused.cap, refused.spent) == (cap(100), 70)
    assert amounts(ledger) == (70, 0)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_tier_that_applies_must_have_room(ledger: Ledger, tier: Tier, kind: Kind) -> None:
    want = Want(dollars=10, tokens=10, requests=10)
    roomy = [cap(100, kind, "1h", each, getattr(entry("a"), each)) for each in TIERS]
    tight = cap(15, kind, "1d", tier, getattr(entry("a"), tier))
    assert isinstance(ledger.reserve(entry("a"), [*roomy, tight], want, NOON), Allowed)
    settle(ledger, "a", 10, output=10)
    refused = ledger.reserve(entry("b"), [*roomy, tight], want, NOON)
    assert isinstance(refused, Refused)
    assert refused.cap == tight


def test_other_names_of_a_tier_dont_count(ledger: Ledger) -> None:
    ledger.reserve(entry("a", key="other", session=""), [], Want(dollars=70, tokens=0), NOON)
    settle(ledger, "a", 70)
    ledger.reserve(entry("b", key="other", session=""), [], Want(dollars=70, tokens=0), NOON)
    assert amounts(ledger) == (0, 0)
    (team,) = ledger.standing([cap(1, tier="team", name="web")], NOON)
    assert (team.spent, team.reserved) == (70, 70)


def test_a_cap_that_isnt_the_requests_own_is_a_mistake(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match=r"a cap on key 'other' doesn't apply to 'ci'"):
        ledger.reserve(entry("a"), [cap(100, name="other")], Want(dollars=1, tokens=1), NOON)


def test_a_request_counts_in_the_window_in_which_it_was_admitted(ledger: Ledger) -> None:
    last_second = NOON + DAY / 2 - 1
    ledger.reserve(entry("a", at=NOON), [cap(100)], Want(dollars=70, tokens=0), last_second)
    assert amounts(ledger, at=last_second + 1) == (0, 0)
    settle(ledger, "a", 70)
    assert amounts(ledger, at=last_second + 1) == (0, 0)
    assert amounts(ledger, at=last_second) == (70, 0)
    assert amounts(ledger, at=last_second + 1, period="1Y") == (70, 0)


def test_a_request_is_settled_once(ledger: Ledger, db: Database) -> None:
    ledger.reserve(entry("a"), [], Want(dollars=70, tokens=0), NOON)
    assert settle(ledger, "a", 20, output=2)
    before = list(db.query("select * from ledger"))
    assert not settle(ledger, "a", 70, Status.FAILED, output=9)
    ledger.noted("a", Usage(output=9), 70)
    assert not settle(ledger, "never reserved", 70)
    assert amounts(ledger) == (20, 0)
    assert list(db.query("select * from ledger")) == before


def test_a_row_says_everything_about_a_request(ledger: Ledger, db: Database) -> None:
    ledger.reserve(entry("a", at=NOON - 2), [], Want(dollars=70, tokens=50), NOON)
    used = Usage(input=1, output=2, cache_write_5m=3, cache_write_1h=4, cache_read=5, web_searches=6)
    ledger.settle("a", used, 30, Status.BROKEN, 0.25, 1.5, 200)
    (row,) = db.query("select * from ledger")
    assert row == {
        "id": "a",
        "came_at": NOON - 2,
        "admitted_at": NOON,
        "process": "this",
        "customer": "acme",
        "team": "web",
        "key": "ci",
        "upstream": "anthropic",
        "session": "s1",
        "model_asked": "sonnet",
        "model": "claude-sonnet-4-6",
        "requests": 1,
        "reserved_dollars": 70,
        "reserved_tokens": 50,
        "input": 1,
        "output": 2,
        "cache_write_5m": 3,
        "cache_write_1h": 4,
        "cache_read": 5,
        "web_searches": 6,
        "tokens": 15,
        "dollars": 30,
        "status": "broken",
        "http_status": 200,
        "first_byte": 0.25,
        "seconds": 1.5,
        "cache": None,
        "saved_dollars": None,
        "saved_tokens": None,
    }


def test_threads_of_two_processes_that_spend_at_once_never_pass_a_cap(path: Path, ledger: Ledger) -> None:
    with other_process(path, "spend") as other:
        assert other.stdin
        assert other.stdout
        other.stdin.write("go\n")
        other.stdin.flush()
        here = spend_together(path, "here")
        there = [Spent(**each) for each in json.loads(other.stdout.readline())]
    spent, reserved = amounts(ledger)
    assert max(each.most for each in here + there) <= LIMIT
    assert spent == sum(each.admitted for each in here + there)
    assert (LIMIT - 130 < spent <= LIMIT, reserved) == (True, 0)


def test_reservations_of_a_killed_process_are_settled_at_what_is_known(
    path: Path, ledger: Ledger, db: Database
) -> None:
    ledger.reserve(entry("mine"), [], Want(dollars=1, tokens=1), NOON)
    with other_process(path, "leave") as other:
        assert ledger.recover(lambda process: alive(int(process))) == 0
        assert amounts(ledger) == (20, 201)
        other.kill()
        other.wait(PATIENCE)
        assert ledger.recover(lambda process: alive(int(process))) == 2
    assert amounts(ledger) == (20 + 30 + 100, 1)
    assert amounts(ledger, "tokens") == (6 + 7 + 60, 1)
    assert amounts(ledger, "requests") == (3, 1)
    assert {row["id"]: row["status"] for row in db.table("ledger").rows} == {
        "dark": "lost",
        "noted": "lost",
        "settled": "ok",
        "mine": None,
    }
    assert ledger.recover(lambda process: False) == 0


def test_two_that_recover_at_once_settle_each_reservation_once(path: Path) -> None:
    gone = Ledger(path, "gone")
    for number in range(10):
        gone.reserve(entry(str(number)), [], Want(dollars=7, tokens=0), NOON)
    gone.close()
    together = threading.Barrier(2)

    def recover(process: str) -> int:
        def alive(_: str) -> bool:
            together.wait(PATIENCE)
            return False

        with closing(Ledger(path, process)) as one:
            return one.recover(alive)

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(recover, ["one", "other"])) == 10
    with closing(Ledger(path, "third")) as third:
        assert amounts(third) == (70, 0)


def test_a_locked_database_is_an_error_and_reserves_nothing(
    path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            ledger.reserve(entry("a"), [], Want(dollars=1, tokens=1), NOON)
        assert amounts(ledger) == (0, 0)
    assert isinstance(ledger.reserve(entry("a"), [], Want(dollars=1, tokens=1), NOON), Allowed)


def test_a_thread_doesnt_wait_forever_for_its_turn(ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()

    def decide(*_: object) -> Allowed:
        asked.set()
        answered.wait(PATIENCE)
        return Allowed()

    monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0)
    monkeypatch.setattr(module, "decide", decide)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(ledger.reserve, entry("a"), [], Want(dollars=1, tokens=1), NOON)
        assert asked.wait(PATIENCE)
        with pytest.raises(sqlite3.OperationalError, match="other requests wait for it too"):
            settle(ledger, "a", 1)
        answered.set()
        assert isinstance(first.result(PATIENCE), Allowed)
    assert amounts(ledger) == (0, 1)


def test_an_error_in_a_transaction_undoes_all_of_it(ledger: Ledger, db: Database) -> None:
    ledger.reserve(entry("a"), [], Want(dollars=9, tokens=9), NOON)
    db.execute("alter table ledger_sums rename to elsewhere")
    with pytest.raises(sqlite3.OperationalError, match="ledger_sums"):
        settle(ledger, "a", 5)
    db.execute("alter table elsewhere rename to ledger_sums")
    assert amounts(ledger) == (0, 9)
    assert settle(ledger, "a", 5)
    assert amounts(ledger) == (5, 0)


def test_figures_that_no_request_can_reach_are_cut(ledger: Ledger) -> None:
    ledger.reserve(entry("a"), [], Want(dollars=10**30, tokens=10**30), NOON)
    assert amounts(ledger) == (0, MOST)
    settle(ledger, "a", -5, output=10**30, input=-3)
    assert amounts(ledger) == (0, 0)
    assert amounts(ledger, "tokens") == (MOST, 0)


@pytest.mark.parametrize("session", ["\ud800 half a pair", "s" * 100_000, "a\x00b", "größe"])
def test_any_session_a_client_makes_up_is_counted(ledger: Ledger, session: str) -> None:
    mine = cap(100, tier="session", name=session)
    ledger.reserve(entry("a", session=session), [mine], Want(dollars=70, tokens=0), NOON)
    (found,) = ledger.standing([mine], NOON)
    assert (found.spent, found.reserved) == (0, 70)
    settle(ledger, "a", 60)
    (found,) = ledger.standing([mine], NOON)
    assert (found.spent, found.reserved) == (60, 0)


def test_usage_is_added_up_by_what_is_asked(ledger: Ledger) -> None:
    def request(id: str, key: str, at: float, status: Status, **counts: int) -> None:
        ledger.reserve(entry(id, key=key), [], Want(dollars=100, tokens=100), at)
        settle(ledger, id, 10, status, **counts)

    request("a", "ci", NOON, Status.OK, input=1, output=2)
    request("b", "ci", NOON + 1, Status.FAILED, input=10, cache_read=20)
    request("c", "me", NOON + 2, Status.LEFT, cache_write_5m=3, cache_write_1h=4)
    request("d", "ci", NOON + DAY, Status.OK, web_searches=1)
    ledger.reserve(entry("open"), [], Want(dollars=100, tokens=100), NOON)
    assert ledger.usage(NOON, ["day", "key"]) == [
        Row(("2026-03-01", "ci"), 2, 1, Usage(input=11, output=2, cache_read=20), 33, 20, 0.1, 1.0),
        Row(("2026-03-01", "me"), 1, 0, Usage(cache_write_5m=3, cache_write_1h=4), 7, 10, 0.1, 1.0),
        Row(("2026-03-02", "ci"), 1, 0, Usage(web_searches=1), 0, 10, 0.1, 1.0),
    ]
    assert [(row.group, row.requests) for row in ledger.usage(NOON + 1, [])] == [((), 3)]
    assert [row.group for row in ledger.usage(NOON, ["customer", "team", "upstream", "session", "model"])] == [
        ("acme", "web", "anthropic", "s1", "claude-sonnet-4-6")
    ]
    assert ledger.usage(NOON + 2 * DAY, []) == []


def test_what_the_cache_has_answered_is_counted_apart_and_under_no_cap(ledger: Ledger) -> None:
    ledger.reserve(entry("a"), [], Want(dollars=100, tokens=100), NOON)
    settle(ledger, "a", 10, input=1, output=2)
    before = [amounts(ledger, kind) for kind in get_args(Kind)]
    ledger.served(entry("b"), Served(ServedBy.EXACT, dollars=10, tokens=3), NOON + 1, 0.002)
    ledger.served(entry("c"), Served(ServedBy.SHARED, dollars=10, tokens=3), NOON + 2, 0.5)
    assert [amounts(ledger, kind) for kind in get_args(Kind)] == before
    assert [amounts(ledger, kind, NOON + 30, "1h") for kind in get_args(Kind)] == before
    assert ledger.usage(NOON, ["key"]) == [
        Row(("ci",), 3, 0, Usage(input=1, output=2), 3, 10, 0.1, 1.0, served=2, saved_dollars=20, saved_tokens=6)
    ]


def test_usage_counts_the_worst_case_of_a_request_of_which_nothing_is_known(path: Path, ledger: Ledger) -> None:
    with closing(Ledger(path, "gone")) as gone:
        gone.reserve(entry("a"), [], Want(dollars=100, tokens=60), NOON)
    ledger.recover(lambda process: False)
    assert ledger.usage(NOON, []) == [Row((), 1, 1, Usage(), 60, 100)]


def test_usage_by_an_unknown_name_is_refused_with_the_known_ones(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match=r"by colour, only by customer, team, key, .*, day"):
        ledger.usage(NOON, ["key", "colour"])


def test_the_ledgers_own_process_is_never_recovered(ledger: Ledger) -> None:
    ledger.reserve(entry("a"), [], Want(dollars=1, tokens=1), NOON)
    assert ledger.recover(lambda process: pytest.fail(f"asked for {process} from {os.getpid()}")) == 0
