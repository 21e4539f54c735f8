"""What each server listed last outlives the hub, by what the server's configuration is."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from mcp_hub.store.catalogs import CatalogStore, KeptCatalog
from mcp_hub.store.database import migrations, open_database

TOOLS: list[dict[str, Any]] = [
    {"name": "größe-大", "inputSchema": {"properties": {"a": {"default": None}}}},
    {"name": "b"},
]
KEPT = KeptCatalog("2025-06-18", "Use it well.", TOOLS)


def test_a_catalog_is_read_as_it_was_written(db: Database) -> None:
    CatalogStore(db).write("f1", "github", KEPT)
    assert CatalogStore(db).read({"f1"}) == {"f1": KEPT}


def test_a_catalog_outlives_the_hub(tmp_path: Path) -> None:
    first = open_database(tmp_path)
    CatalogStore(first).write("f1", "github", KEPT)
    first.close()
    second = open_database(tmp_path)
    assert CatalogStore(second).read({"f1"}) == {"f1": KEPT}
    second.close()


def test_those_never_seen_are_absent(db: Database) -> None:
    store = CatalogStore(db)
    store.write("f1", "github", KEPT)
    assert store.read({"f1", "f2"}) == {"f1": KEPT}
    assert store.read({"f2"}) == {}
    assert store.read(set()) == {}


def test_a_later_list_replaces_the_one_before(db: Database) -> None:
    store = CatalogStore(db)
    store.write("f1", "github", KEPT)
    later = KeptCatalog("2026-07-28", None, [])
    store.write("f1", "github", later)
    assert store.read({"f1"}) == {"f1": later}
    assert db.table("catalogs").count == 1


def test_a_server_whose_configuration_changed_keeps_both_lists_apart(db: Database) -> None:
    store = CatalogStore(db)
    store.write("old", "github", KEPT)
    store.write("new", "github", KeptCatalog("2025-06-18", None, []))
    assert store.read({"old"})["old"] == KEPT
    assert store.read({"new"})["new"].tools == []


def test_two_servers_that_are_configured_alike_share_what_was_kept(db: Database) -> None:
    store = CatalogStore(db)
    store.write("same", "a", KEPT)
    store.write("same", "b", KEPT)
    assert store.read({"same"}) == {"same": KEPT}
    assert [row["server"] for row in db.table("catalogs").rows] == ["b"]


def test_when_a_server_was_seen_is_kept_with_its_time_zone(db: Database) -> None:
    CatalogStore(db).write("f1", "github", KEPT)
    (row,) = db.table("catalogs").rows
    seen = datetime.fromisoformat(row["seen_at"])
    assert seen.tzinfo == UTC
    assert seen <= datetime.now(UTC)


def test_many_servers_that_list_at_the_same_moment_are_all_kept(db: Database) -> None:
    store, servers, lists = CatalogStore(db), 8, 20
    together = threading.Barrier(servers)

    def write(server: int) -> None:
        together.wait()
        for number in range(lists):
            store.write(f"{server}-{number}", str(server), KEPT)

    with ThreadPoolExecutor(servers) as threads:
        list(threads.map(write, range(servers)))
    everything = {f"{server}-{number}" for server in range(servers) for number in range(lists)}
    assert set(store.read(everything)) == everything


def test_a_thousand_fingerprints_can_be_asked_for_at_once(db: Database) -> None:
    store = CatalogStore(db)
    store.write("f500", "github", KEPT)
    assert store.read({f"f{i}" for i in range(1_000)}) == {"f500": KEPT}


@pytest.mark.parametrize("tools", ["", "[{", "null", '{"name": "a"}', "[3]"])
def test_a_row_that_cant_be_read_is_as_if_never_seen(db: Database, tools: str) -> None:
    store = CatalogStore(db)
    store.write("f1", "github", KEPT)
    store.write("f2", "slack", KEPT)
    db.table("catalogs").update("f1", {"tools": tools})
    assert store.read({"f1", "f2"}) == {"f2": KEPT}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


LISTED = st.builds(lambda more, name: {**more, "name": name}, st.dictionaries(st.text(), JSON, max_size=3), st.text())


@given(st.lists(LISTED, max_size=3))
def test_any_list_is_read_as_it_was_written(tools: list[dict[str, Any]]) -> None:
    kept = KeptCatalog("p", None, tools)
    SHARED.write("f1", "s", kept)
    assert SHARED.read({"f1"}) == {"f1": kept}


def in_memory() -> CatalogStore:
    db = Database(memory=True)
    migrations.apply(db)
    return CatalogStore(db)


SHARED = in_memory()
