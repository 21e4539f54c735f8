"""The database is there after opening it, for this user only, at the newest version, whoever else opens it."""

import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from mcp_hub.store.database import FILE_NAME, migrations, open_database


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_fresh_database_has_every_table_and_nothing_pending(db: Database) -> None:
    assert "catalogs" in db.table_names()
    assert migrations.pending(db) == []


def test_migrations_are_numbered_in_their_order(db: Database) -> None:
    names = [migration.name for migration in migrations.applied(db)]
    assert names[0] == "0001_catalogs"
    assert [int(name.partition("_")[0]) for name in names] == list(range(1, len(names) + 1))


def test_folders_are_made_and_only_their_user_may_look_in(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    open_database(folder).close()
    assert mode(folder) == 0o700
    assert mode(folder / FILE_NAME) == 0o600


def test_the_files_beside_the_database_are_for_its_user_only_too(db: Database, tmp_path: Path) -> None:
    db.table("catalogs").insert(row("a"))
    files = list(tmp_path.iterdir())
    assert len(files) > 1
    assert {mode(path) for path in files} == {0o600}


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    first = open_database(tmp_path)
    first.table("catalogs").insert(row("a"))
    first.close()
    second = open_database(tmp_path)
    assert second.table("catalogs").count == 1
    second.close()


def test_readers_and_a_writer_dont_wait_for_each_other(db: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / FILE_NAME, timeout=0)
    db.execute("begin immediate")
    assert other.execute("select count(*) from catalogs").fetchone() == (0,)
    other.close()


def test_two_hubs_see_what_the_other_wrote(db: Database, tmp_path: Path) -> None:
    other = open_database(tmp_path)
    other.table("catalogs").insert(row("a"))
    assert db.table("catalogs").count == 1
    other.close()


@pytest.mark.parametrize("attempt", range(5))
def test_hubs_that_start_at_the_same_moment_all_get_the_database(tmp_path: Path, attempt: int) -> None:
    hubs = 4
    together = threading.Barrier(hubs)

    def start(_: int) -> int:
        together.wait()
        opened = open_database(tmp_path)
        pending = len(migrations.pending(opened))
        opened.close()
        return pending

    with ThreadPoolExecutor(hubs) as threads:
        assert list(threads.map(start, range(hubs))) == [0] * hubs


@pytest.mark.parametrize("content", [b"this is no database " * 100, b"SQLite format 3\x00" + b"\xff" * 2_000])
def test_a_damaged_file_is_an_error_and_is_left_as_it_was(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError):
        open_database(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    newer = open_database(tmp_path)
    newer.table("_sqlite_migrations").insert({"migration_set": "mcp_hub", "name": "9999_future", "applied_at": "later"})
    newer.close()
    with pytest.raises(sqlite3.DatabaseError, match=r"a newer mcp_hub has changed it \(9999_future\)"):
        open_database(tmp_path)


def test_requests_of_before_the_cache_stay_in_the_ledger_as_what_didnt_come_from_it(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        before = Database(connection)
        migrations.apply(before, stop_before="0008_cached_requests")
        before.table("ledger").insert(
            {"id": "a", "admitted_at": 1.0, "process": "p", "requests": 1, "reserved_dollars": 5, "reserved_tokens": 5}
        )
    now = open_database(tmp_path)
    (kept,) = now.query("select id, cache, saved_dollars, saved_tokens from ledger")
    assert kept == {"id": "a", "cache": None, "saved_dollars": None, "saved_tokens": None}
    assert list(now.query("select entries, bytes from response_totals")) == [{"entries": 0, "bytes": 0}]
    now.close()


def test_after_an_error_the_next_to_open_doesnt_wait_for_the_first(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        open_database(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    open_database(tmp_path).close()


def test_a_folder_that_cant_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        open_database(tmp_path / "file" / "state")


def row(fingerprint: str) -> dict[str, str]:
    return {"fingerprint": fingerprint, "server": "s", "protocol": "p", "tools": "[]", "seen_at": "now"}
