"""What results looked like outlives the hub, by what the server's configuration is, whoever else writes."""

import sqlite3
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.shapes import KEEP_DAYS, ShapeStore

TEXT = {"type": "string"}
NUMBER = {"type": "number"}


def both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Stands in for the union of two shapes: all keys of both."""
    return {**one, **other}


@pytest.fixture
def store(db: Database, tmp_path: Path) -> ShapeStore:
    return ShapeStore(tmp_path / FILE_NAME, both)


def test_shapes_are_read_as_they_were_written(tmp_path: Path, store: ShapeStore) -> None:
    store.write("f1", "github", "größe-groß", TEXT)
    store.write("f1", "github", "count", NUMBER)
    assert ShapeStore(tmp_path / FILE_NAME, both).read({"f1"}) == {"f1": {"größe-groß": TEXT, "count": NUMBER}}


def test_shapes_outlive_the_hub(tmp_path: Path) -> None:
    first = open_database(tmp_path)
    ShapeStore(tmp_path / FILE_NAME, both).write("f1", "github", "count", NUMBER)
    first.close()
    second = open_database(tmp_path)
    assert ShapeStore(tmp_path / FILE_NAME, both).read({"f1"}) == {"f1": {"count": NUMBER}}
    second.close()


def test_a_server_whose_configuration_changed_has_none(store: ShapeStore) -> None:
    store.write("old", "github", "count", NUMBER)
    assert store.read({"new"}) == {}
    assert store.read(set()) == {}


def test_what_another_hub_has_written_meanwhile_is_merged(tmp_path: Path, store: ShapeStore) -> None:
    other = open_database(tmp_path)
    ShapeStore(tmp_path / FILE_NAME, both).write("f1", "github", "count", {"a": 1})
    store.write("f1", "github", "count", {"b": 1})
    assert ShapeStore(tmp_path / FILE_NAME, both).read({"f1"}) == {"f1": {"count": {"a": 1, "b": 1}}}
    other.close()


def test_hubs_that_write_at_the_same_moment_lose_nothing(tmp_path: Path) -> None:
    hubs, shapes = 4, 20
    opened = [open_database(tmp_path) for _ in range(hubs)]
    together = threading.Barrier(hubs)

    def write(hub: int) -> None:
        store = ShapeStore(tmp_path / FILE_NAME, both)
        together.wait()
        for number in range(shapes):
            store.write("f1", "github", "count", {f"{hub}-{number}": 1})

    with ThreadPoolExecutor(hubs) as threads:
        list(threads.map(write, range(hubs)))
    everything = {f"{hub}-{number}": 1 for hub in range(hubs) for number in range(shapes)}
    assert ShapeStore(tmp_path / FILE_NAME, both).read({"f1"}) == {"f1": {"count": everything}}
    for each in opened:
        each.close()


@pytest.mark.parametrize("text", ["", "{", "null", "[3]", b"\xff\xfe"])
def test_a_row_that_cant_be_read_is_as_if_never_learned(db: Database, store: ShapeStore, text: str | bytes) -> None:
    store.write("f1", "github", "count", NUMBER)
    store.write("f1", "github", "name", TEXT)
    db.table("shapes").update(("f1", "count"), {"shape": text})
    assert store.read({"f1"}) == {"f1": {"name": TEXT}}
    store.write("f1", "github", "count", TEXT)
    assert store.read({"f1"}) == {"f1": {"name": TEXT, "count": TEXT}}


def seen(db: Database, fingerprint: str, days_ago: int) -> None:
    when = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(timespec="seconds")
    db.execute("update shapes set seen_at = ? where fingerprint = ?", [when, fingerprint])
    db.conn.commit()


def test_shapes_that_no_hub_has_read_for_long_are_forgotten(db: Database, store: ShapeStore) -> None:
    for fingerprint in ("recent", "gone"):
        store.write(fingerprint, "github", "count", NUMBER)
    seen(db, "recent", KEEP_DAYS - 1)
    seen(db, "gone", KEEP_DAYS + 1)
    store.read(set())
    assert [row["fingerprint"] for row in db.table("shapes").rows] == ["recent"]


def test_shapes_that_are_read_are_not_forgotten(db: Database, store: ShapeStore) -> None:
    for fingerprint in ("read", "unread"):
        store.write(fingerprint, "github", "count", NUMBER)
        seen(db, fingerprint, KEEP_DAYS - 1)
    store.read({"read"})
    age = {row["fingerprint"]: datetime.now(UTC) - datetime.fromisoformat(row["seen_at"]) for row in db["shapes"].rows}
    assert age["read"] < timedelta(days=1)
    assert age["unread"] > timedelta(days=KEEP_DAYS - 2)


def test_a_table_that_is_not_there_is_an_error_that_says_so(db: Database, store: ShapeStore) -> None:
    db.table("shapes").drop()
    with pytest.raises(sqlite3.Error, match="no such table: shapes"):
        store.read({"f1"})
    with pytest.raises(sqlite3.Error, match="no such table: shapes"):
        store.write("f1", "github", "count", NUMBER)


def test_shapes_are_read_while_another_hub_writes(tmp_path: Path, store: ShapeStore) -> None:
    store.write("f1", "s", "t", {"type": "string"})
    with closing(sqlite3.connect(tmp_path / "hub.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        assert store.read({"f1"}) == {"f1": {"t": {"type": "string"}}}
        other.execute("rollback")
