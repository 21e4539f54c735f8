"""What is put is committed in order; while that can't be done nothing waits for long, nothing is lost unsaid."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from mcp_hub.store import writer as module
from mcp_hub.store.writer import Entry, Writer
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

THREADS = module.ON_THE_SPOT_BYTES + 1
"""A size that only the thread commits."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "journal.db"
    with closing(sqlite3.connect(found)) as db:
        db.execute("pragma journal_mode = wal")
        db.execute("create table written (text)")
    return found


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer doesn't wait for a locked database, and soon tries again."""
    monkeypatch.setattr(module, "BUSY_TIMEOUT", 0)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


@pytest.fixture
def writer(path: Path, impatience: None) -> Iterator[Writer]:
    made = Writer(path)
    yield made
    made.close()


@pytest.fixture
def other_hub(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of another hub; `begin immediate` keeps the writer out."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def text(value: str, size: int = 0) -> Entry:
    return Entry(lambda db: insert(db, value), size)


def insert(db: sqlite3.Connection, value: str) -> None:
    db.execute("insert into written values (?)", (value,))


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [found for (found,) in db.execute("select text from written order by rowid")]


async def until_written(writer: Writer) -> None:
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                return await writer.written()
            except sqlite3.Error:
                await anyio.lowlevel.checkpoint()


async def test_what_was_put_is_there_for_others_once_it_is_written(writer: Writer, path: Path) -> None:
    for number in range(100):
        assert writer.put(text(str(number)))
    await writer.written()
    assert rows(path) == [str(number) for number in range(100)]


async def test_there_is_nothing_to_wait_for_when_nothing_was_put(writer: Writer) -> None:
    await writer.written()


async def test_what_waits_is_one_transaction(writer: Writer, path: Path) -> None:
    statements: list[str] = []
    writer.put(Entry(lambda db: db.set_trace_callback(statements.append), THREADS))
    await writer.written()
    statements.clear()
    writer.put(text("large", THREADS))
    for number in range(20):
        writer.put(text(str(number)))
    await writer.written()
    assert [each for each in statements if not each.startswith("insert")] == ["begin immediate", "commit"]
    assert len(rows(path)) == 21


async def test_what_is_small_is_committed_on_the_spot_with_what_waited(writer: Writer, path: Path) -> None:
    committed_in: list[threading.Thread] = []
    writer.put(text("a"))
    writer.put(Entry(lambda _: committed_in.append(threading.current_thread())))
    await writer.written()
    assert committed_in == [threading.current_thread()]
    assert rows(path) == ["a"]


async def test_what_comes_after_something_large_isnt_committed_before_it(writer: Writer, path: Path) -> None:
    writer.put(text("large", THREADS))
    writer.put(text("small"))
    await writer.written()
    writer.put(text("smaller"))
    await writer.written()
    assert rows(path) == ["large", "small", "smaller"]


async def test_entries_are_committed_although_nobody_waits(writer: Writer, path: Path) -> None:
    committed = asyncio.Event()
    loop = asyncio.get_running_loop()
    writer.put(text("a"))
    await anyio.lowlevel.checkpoint()
    writer.put(Entry(lambda _: loop.call_soon_threadsafe(committed.set)))
    with anyio.fail_after(PATIENCE):
        await committed.wait()
    writer.close()
    assert rows(path) == ["a"]


def test_it_can_be_used_without_an_event_loop(writer: Writer, path: Path) -> None:
    writer.put(text("a"))
    writer.close()
    assert rows(path) == ["a"]


async def test_while_another_hub_holds_the_database_waiting_tells_and_nothing_is_lost(
    writer: Writer, path: Path, other_hub: sqlite3.Connection
) -> None:
    other_hub.execute("begin immediate")
    for value in ("a", "b"):
        writer.put(text(value))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await writer.written()
    other_hub.execute("rollback")
    await until_written(writer)
    assert rows(path) == ["a", "b"]


async def test_what_waits_is_committed_without_anyone_putting_more(
    writer: Writer, path: Path, other_hub: sqlite3.Connection
) -> None:
    other_hub.execute("begin immediate")
    committed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def apply(db: sqlite3.Connection) -> None:
        insert(db, "a")
        loop.call_soon_threadsafe(committed.set)

    writer.put(Entry(apply))
    with pytest.raises(sqlite3.OperationalError):
        await writer.written()
    other_hub.execute("rollback")
    with anyio.fail_after(PATIENCE):
        await committed.wait()


async def test_a_trouble_and_its_end_are_logged_once_each(
    writer: Writer, other_hub: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    other_hub.execute("begin immediate")
    for value in ("a", "b", "c"):
        writer.put(text(value))
        with pytest.raises(sqlite3.OperationalError):
            await writer.written()
    other_hub.execute("rollback")
    await until_written(writer)
    await writer.written()
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.partition("(")[0].split(" to ")[0].split(" in ")[0] for message in messages] == [
        "the journal can't be written",
        "the journal",
    ]


async def test_a_full_disk_is_told_and_the_next_write_works_when_there_is_room(writer: Writer, path: Path) -> None:
    pages = 0

    def fill(db: sqlite3.Connection) -> None:
        nonlocal pages
        (pages,) = db.execute("pragma max_page_count = 1").fetchone()  # as many as it has now

    writer.put(Entry(fill, THREADS))
    await writer.written()
    room = [False]

    def large(db: sqlite3.Connection) -> None:
        if room[0]:
            db.execute("pragma max_page_count = 100000")
        insert(db, "x" * 100_000)

    writer.put(text("a"))
    writer.put(Entry(large, THREADS))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        await writer.written()
    room[0] = True
    await until_written(writer)
    assert rows(path) == ["a", "x" * 100_000]


@pytest.mark.parametrize(("limit", "size"), [("MOST_WAITING", 0), ("MOST_WAITING_BYTES", 10)])
async def test_when_too_much_waits_what_is_new_is_lost_and_told(
    writer: Writer, path: Path, other_hub: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, limit: str, size: int
) -> None:
    monkeypatch.setattr(module, limit, 2 if size == 0 else 15)
    other_hub.execute("begin immediate")
    assert [writer.put(text(value, size)) for value in "abc"] == [True, True, False]
    other_hub.execute("rollback")
    with pytest.raises(sqlite3.OperationalError, match="too many entries wait"):
        await writer.written()
    with anyio.fail_after(PATIENCE):
        while not writer.put(text("d", size)):
            await anyio.lowlevel.checkpoint()
    await until_written(writer)
    assert rows(path) == ["a", "b", "d"]


async def test_an_entry_that_is_no_data_is_told_to_who_waits_for_it_and_the_others_are_written(
    writer: Writer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: sqlite3.Connection) -> None:
        raise ValueError("no data")

    writer.put(text("a"))
    writer.put(Entry(refuse))
    with pytest.raises(sqlite3.DataError):
        await writer.written()
    writer.put(text("b"))
    await writer.written()
    assert rows(path) == ["a", "b"]
    assert "an entry of the journal can't be written" in caplog.text


async def test_a_refused_entry_is_told_although_it_was_done_with_before_anyone_waited(writer: Writer) -> None:
    refused = threading.Event()

    def refuse(_: sqlite3.Connection) -> None:
        refused.set()
        raise ValueError("no data")

    writer.put(Entry(refuse))
    await anyio.lowlevel.checkpoint()
    await anyio.to_thread.run_sync(refused.wait)
    with pytest.raises(sqlite3.DataError):
        await writer.written()


async def test_closing_commits_what_waits_and_what_comes_later_is_lost(writer: Writer, path: Path) -> None:
    writer.put(text("a"))
    writer.close()
    assert rows(path) == ["a"]
    assert not writer.put(text("b"))
    with pytest.raises(sqlite3.OperationalError, match="closed"):
        await writer.written()


@pytest.mark.usefixtures("impatience")
async def test_closing_ends_although_the_database_is_held(path: Path, other_hub: sqlite3.Connection) -> None:
    before = set(threading.enumerate())
    writer = Writer(path)
    assert set(threading.enumerate()) - before
    other_hub.execute("begin immediate")
    writer.put(text("a"))
    writer.close()
    assert not set(threading.enumerate()) - before


async def test_of_a_transaction_that_fails_half_way_nothing_is_written_twice(writer: Writer, path: Path) -> None:
    tries: list[int] = []

    def fail_once(_: sqlite3.Connection) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise sqlite3.OperationalError("not now")

    writer.put(text("a"))
    writer.put(Entry(fail_once, THREADS))
    with pytest.raises(sqlite3.OperationalError, match="not now"):
        await writer.written()
    assert rows(path) == []
    await until_written(writer)
    assert rows(path) == ["a"]


async def test_a_damaged_file_is_told_and_stops_nothing(path: Path, writer: Writer) -> None:
    path.write_bytes(b"this is no database " * 500)
    writer.put(text("a"))
    with pytest.raises(sqlite3.DatabaseError):
        await writer.written()


async def test_who_no_longer_waits_is_no_trouble(writer: Writer, path: Path) -> None:
    with anyio.move_on_after(0):
        writer.put(text("a"))
        await writer.written()
    writer.put(text("b"))
    await writer.written()
    assert rows(path) == ["a", "b"]


def test_a_loop_that_has_gone_is_no_trouble(writer: Writer, path: Path) -> None:
    held = threading.Event()

    async def leave() -> None:
        writer.put(Entry(lambda _: held.wait(), THREADS))
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        await writer.written()

    loop = asyncio.new_event_loop()
    task = loop.create_task(leave())
    with pytest.raises(RuntimeError, match="stopped"):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    held.set()
    writer.put(text("a"))
    writer.close()
    assert rows(path) == ["a"]


def test_several_hubs_write_the_same_file(path: Path) -> None:
    hubs, entries = 4, 50

    async def hub(name: str) -> None:
        own = Writer(path)
        for number in range(entries):
            own.put(text(f"{name}{number}"))
            await own.written()
        own.close()

    run: Callable[[int], None] = lambda number: asyncio.run(hub(f"{number}-"))  # noqa: E731
    with ThreadPoolExecutor(hubs) as threads:
        list(threads.map(run, range(hubs)))
    assert sorted(rows(path)) == sorted(f"{hub}-{number}" for hub in range(hubs) for number in range(entries))
