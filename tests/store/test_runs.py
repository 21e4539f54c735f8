"""The journal tells what every run did, also after the hub was killed; it stays within its age and its size."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from mcp_hub.settings import JournalSettings
from mcp_hub.store import runs as module
from mcp_hub.store import writer as writer_module
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.runs import Outcome, RecordedCall, Run, RunReader, RunStore, new_run_id

pytestmark = pytest.mark.anyio

CALL = RecordedCall(
    number=1,
    server="github",
    tool="create_issue",
    arguments='{"title": "größe-大"}',
    key="ab" * 32,
    read_only=False,
    outcome=Outcome.STARTED,
)
DONE = replace(
    CALL, outcome=Outcome.OK, result={"number": 7}, has_result=True, seconds=0.25, bytes=12, digest="cd" * 32
)


@pytest.fixture
def store(db: Database) -> Iterator[RunStore]:
    made = RunStore(db, JournalSettings())
    yield made
    made.close()


def end(store: RunStore, run_id: str, **changes: Any) -> None:
    whole: dict[str, Any] = {
        **{"status": "ok", "error": None, "error_kind": None, "log": "", "answer": "1"},
        **{"steps": 10, "calls": 1, "seconds": 0.5},
    }
    store.end(run_id, **{**whole, **changes})


def age(db: Database, run_id: str, seconds: float) -> None:
    """Let a run have started so long ago."""
    with db.conn:
        db.execute("update runs set started_at = ? where id = ?", (time.time() - seconds, run_id))


def pid_of_a_process_that_has_gone() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def ids(store: RunReader) -> list[str]:
    return [run.id for run in store.runs(100)]


async def test_a_run_is_read_as_it_was_written(store: RunStore) -> None:
    store.begin("r1", "stdio", "result = 1\n", "r0")
    end(store, "r1", status="failed", error="it broke", error_kind="tool", log="printed\n", answer=None, calls=3)
    await store.written()
    run = store.run("r1")
    assert run is not None
    assert abs((datetime.now(UTC) - run.started).total_seconds()) < 60
    assert run == Run(
        id="r1",
        owner="stdio",
        started=run.started,
        status="failed",
        calls=3,
        seconds=0.5,
        code="result = 1\n",
        resumed="r0",
        error="it broke",
        error_kind="tool",
        log="printed\n",
        answer=None,
        steps=10,
    )


async def test_the_tools_used_most_are_those_that_runs_in_a_folder_called(db: Database, store: RunStore) -> None:
    here = RunStore(db, JournalSettings(), "/here")
    for run_id, tools in (("r1", ["b", "a", "c", "c"]), ("r2", ["a", "c"])):
        here.begin(run_id, "stdio", "")
        for number, tool in enumerate(tools):
            here.call(run_id, replace(DONE, number=number, tool=tool))
    here.call("r2", replace(DONE, number=9, tool="b", outcome=Outcome.FAILED))
    await here.written()
    store.begin("r3", "http", "")
    store.call("r3", replace(DONE, tool="d"))
    await store.written()
    assert here.most_used("/here", 2) == [("github", "c"), ("github", "a")]
    assert here.most_used("/here", 9) == [("github", "c"), ("github", "a"), ("github", "b")]
    assert here.most_used("/there", 9) == []
    here.close()


async def test_a_call_is_read_as_it_was_written_before_and_after_it_was_made(store: RunStore) -> None:
    store.begin("r1", "stdio", "")
    store.call("r1", CALL)
    await store.written()
    assert store.calls("r1") == [CALL]
    store.call("r1", DONE)
    await store.written()
    assert store.calls("r1") == [DONE]


async def test_calls_are_read_in_their_order_and_by_their_run(store: RunStore) -> None:
    for number in (2, 10, 1):
        store.call("r1", replace(CALL, number=number))
    store.call("r2", CALL)
    await store.written()
    assert [call.number for call in store.calls("r1")] == [1, 2, 10]
    assert store.calls("r3") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(result=JSON, arguments=st.text(), error=st.none() | st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_result_is_read_as_it_was_given(store: RunStore, result: Any, arguments: str, error: str | None) -> None:
    run_id = new_run_id()
    call = replace(DONE, result=result, arguments=arguments, error=error)

    async def write() -> None:
        store.call(run_id, call)
        await store.written()

    anyio.run(write)
    assert store.calls(run_id) == [call]


async def test_a_text_that_isnt_unicode_is_written_all_the_same(store: RunStore) -> None:
    broken = "a\ud800b"
    store.begin("r1", broken, broken)
    store.call("r1", replace(DONE, arguments=broken, error=broken, result=broken))
    store.keep_value("h", "me", broken)
    end(store, "r1", log=broken, answer=broken, error=broken)
    await store.written()
    run = store.run("r1")
    assert run is not None
    assert (run.code, run.log, run.answer) == ("a?b", "a?b", "a?b")
    assert store.calls("r1")[0].result == broken


@pytest.mark.parametrize("result", [10**5000, {1, 2}, object()], ids=["huge number", "set", "object"])
async def test_a_result_that_is_no_json_isnt_kept_and_the_call_is(store: RunStore, result: Any) -> None:
    store.call("r1", replace(DONE, result=result))
    await store.written()
    assert store.calls("r1") == [replace(DONE, result=None, has_result=False)]


async def test_a_large_result_is_read_by_its_owner_only(store: RunStore) -> None:
    store.keep_value("h1", "laptop", "[1, 2]")
    await store.written()
    assert store.value("h1", "laptop") == "[1, 2]"
    assert store.value("h1", "ci") is None
    assert store.value("h2", "laptop") is None


async def test_runs_are_listed_newest_first_and_by_their_owner(store: RunStore) -> None:
    for run_id, owner in (("r1", "a"), ("r2", "b"), ("r3", "a")):
        store.begin(run_id, owner, "")
    await store.written()
    assert ids(store) == ["r3", "r2", "r1"]
    assert [run.id for run in store.runs(2)] == ["r3", "r2"]
    assert [run.id for run in store.runs(5, "a")] == ["r3", "r1"]
    assert store.run("r2", "a") is None
    found = store.run("r2", "b")
    assert found is not None
    assert found.id == "r2"
    assert store.run("r4") is None


async def test_the_calls_of_a_run_without_an_end_are_counted(store: RunStore) -> None:
    store.begin("r1", "a", "")
    for number in (1, 2):
        store.call("r1", replace(CALL, number=number))
    await store.written()
    assert [run.calls for run in store.runs(1)] == [2]


async def test_a_run_is_found_by_the_first_characters_of_its_id(store: RunStore) -> None:
    for run_id in ("abc1", "abc2", "b_c3"):
        store.begin(run_id, "a", "")
    await store.written()
    assert store.matching("abc") == ["abc2", "abc1"]
    assert store.matching("abc1") == ["abc1"]
    assert store.matching("") == ["b_c3", "abc2", "abc1"]
    assert store.matching("_") == store.matching("%") == store.matching("x") == []


async def test_a_run_without_an_end_is_running_while_its_hub_is_there(store: RunStore, db: Database) -> None:
    store.begin("r1", "a", "")
    await store.written()
    assert [run.status for run in store.runs(1)] == ["running"]
    with db.conn:
        db.execute("update runs set hub = ?", (pid_of_a_process_that_has_gone(),))
    assert [run.status for run in store.runs(1)] == ["interrupted"]
    with db.conn:
        db.execute("update runs set hub = ?", (os.getpid(),))
    age(db, "r1", module.LONGEST_RUN + 1)
    assert [run.status for run in store.runs(1)] == ["interrupted"]


def test_what_was_written_outlives_a_hub_that_is_killed(tmp_path: Path) -> None:
    hub = textwrap.dedent("""
        import asyncio, os, signal, sys
        from pathlib import Path
        from mcp_hub.settings import JournalSettings
        from mcp_hub.store.database import open_database
        from mcp_hub.store.runs import Outcome, RecordedCall, RunStore

        async def main():
            store = RunStore(open_database(Path(sys.argv[1])), JournalSettings())
            store.begin("r1", "stdio", "x = 1")
            store.call("r1", RecordedCall(1, "github", "create_issue", "{}", "ab", False, Outcome.STARTED))
            await store.written()
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """)
    killed = subprocess.run([sys.executable, "-c", hub, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with closing(open_database(tmp_path)) as db:
        store = RunReader(db)
        assert [run.status for run in store.runs(1)] == ["interrupted"]
        assert [call.outcome for call in store.calls("r1")] == [Outcome.STARTED]


async def test_what_is_older_than_its_days_is_forgotten(store: RunStore, db: Database) -> None:
    for run_id in ("old", "new"):
        store.begin(run_id, "a", "")
        store.call(run_id, CALL)
        end(store, run_id)
        store.keep_value(run_id, "a", "1")
    await store.written()
    age(db, "old", 15 * 86_400)
    with db.conn:
        db.execute("update kept_values set kept_at = 0 where handle = 'old'")
    store.prune()
    await store.written()
    assert ids(store) == ["new"]
    assert (store.calls("old"), len(store.calls("new"))) == ([], 1)
    assert (store.value("old", "a"), store.value("new", "a")) == (None, "1")


async def test_what_is_too_much_is_forgotten_the_oldest_first(db: Database) -> None:
    store = RunStore(db, JournalSettings(max_mib=1))
    large = replace(DONE, result="x" * 300_000, bytes=300_000)
    for number in range(6):
        store.begin(f"r{number}", "a", "")
        store.call(f"r{number}", large)
        end(store, f"r{number}")
        await store.written()
    store.prune()
    await store.written()
    assert ids(store) == ["r5", "r4", "r3"]
    assert db.execute("select distinct run from calls order by run").fetchall() == [("r3",), ("r4",), ("r5",)]
    store.keep_value("h", "a", "x" * 600_000)
    store.prune()
    await store.written()
    assert ids(store) == ["r5"]
    assert store.value("h", "a") is not None
    store.close()


async def test_the_calls_of_a_run_that_was_interrupted_count_for_its_size(db: Database) -> None:
    store = RunStore(db, JournalSettings(max_mib=1))
    for run_id in ("old", "interrupted"):
        store.begin(run_id, "a", "")
    store.call("interrupted", replace(DONE, result="x" * 1_100_000, bytes=1_100_000))
    end(store, "old")
    await store.written()
    age(db, "interrupted", module.LONGEST_RUN + 1)
    age(db, "old", module.LONGEST_RUN + 2)
    store.prune()
    await store.written()
    assert ids(store) == []
    store.close()


async def test_a_run_that_is_going_on_is_never_forgotten(db: Database) -> None:
    store = RunStore(db, JournalSettings(max_mib=1))
    store.begin("r1", "a", "")
    store.call("r1", replace(DONE, result="x" * 2_000_000, bytes=2_000_000))
    store.prune()
    await store.written()
    assert ids(store) == ["r1"]
    end(store, "r1")
    store.prune()
    await store.written()
    assert ids(store) == []
    store.close()


async def test_the_journal_forgets_by_itself_after_some_runs_and_after_much_was_written(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PRUNE_AFTER_RUNS", 3)
    store = RunStore(db, JournalSettings(max_mib=1))
    for number in range(3):
        store.begin(f"r{number}", "a", "")
        end(store, f"r{number}")
        await store.written()
        age(db, f"r{number}", 15 * 86_400)
    store.begin("new", "a", "")
    await store.written()
    assert ids(store) == ["new", "r2"]  # r2 had not been aged when it was the third
    for number in range(15):
        store.keep_value(f"h{number}", "a", "x" * 100_000)
    await store.written()
    assert store.value("h0", "a") is None
    store.close()


async def test_old_runs_are_forgotten_when_a_hub_starts(store: RunStore, db: Database) -> None:
    store.begin("old", "a", "")
    end(store, "old")
    await store.written()
    age(db, "old", 15 * 86_400)
    again = RunStore(db, JournalSettings())
    await again.written()
    assert ids(again) == []
    again.close()


async def test_a_run_of_which_something_was_lost_is_written_no_further_and_tells(
    store: RunStore, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.begin("r1", "a", "")
    await store.written()
    with monkeypatch.context() as full:
        full.setattr(writer_module, "MOST_WAITING", 0)
        store.call("r1", CALL)
        with pytest.raises(sqlite3.OperationalError):
            await store.written()
    store.call("r1", replace(CALL, number=2))
    with pytest.raises(sqlite3.OperationalError, match="gap"):
        await store.written()
    store.begin("r2", "a", "")
    store.call("r2", CALL)
    end(store, "r1")
    await store.written()
    assert (store.calls("r1"), store.calls("r2")) == ([], [CALL])
    assert [run.status for run in store.runs(2)] == ["running", "ok"]


async def test_forgetting_just_before_an_entry_doesnt_hide_that_it_was_lost(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PRUNE_AFTER_RUNS", 0)
    monkeypatch.setattr(writer_module, "MOST_WAITING", 1)
    await store.written()
    store.call("r1", CALL)
    with pytest.raises(sqlite3.OperationalError, match="gap"):
        await store.written()


async def test_the_secret_is_made_with_the_database_and_stays(db: Database, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with closing(open_database(tmp_path)) as again, closing(open_database(other)) as another:
        secrets = [RunReader(each).secret for each in (db, again, another)]
    assert secrets[0] == secrets[1] != secrets[2]
    assert len(secrets[0]) == 32


async def test_reading_waits_for_no_writer(store: RunStore, tmp_path: Path) -> None:
    store.begin("r1", "a", "")
    await store.written()
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as held:
        held.execute("begin immediate")
        assert ids(store) == ["r1"]


def test_ids_are_short_and_never_the_same() -> None:
    made = {new_run_id() for _ in range(1_000)}
    assert len(made) == 1_000
    assert {len(run_id) for run_id in made} == {10}
    assert set("".join(made)) <= set("abcdefghijklmnopqrstuvwxyz234567")
