"""Keys are kept by their digest, found again as they were made, and revoked for good."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlite_utils import Database

from mcp_hub.errors import CallerError
from mcp_hub.proxy.budgets import Cap, Period
from mcp_hub.proxy.keys import KeyRecord, Keyring, new_key
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.keys import KeyStore

FULL = KeyRecord(
    name="ci",
    digest="digest-of-ci",
    team="wëb",
    customer="acme",
    allowed_models=("claude-*", "a,b"),
    caps=(
        Cap("key", "ci", "dollars", 50_000_000_000, Period("1d")),
        Cap("key", "ci", "tokens", 10**15, Period("1M", rolling=True)),
    ),
    upstream="gateway",
)
PLAIN = KeyRecord("ada", "digest-of-ada")


@pytest.fixture
def store(db: Database, tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / FILE_NAME)


def test_keys_are_read_as_they_were_made_by_name(tmp_path: Path, store: KeyStore) -> None:
    store.create(FULL)
    store.create(PLAIN)
    assert KeyStore(tmp_path / FILE_NAME).read() == (PLAIN, FULL)


def test_without_keys_there_are_none(store: KeyStore) -> None:
    assert store.read() == ()


def test_a_key_itself_is_nowhere_in_the_database(db: Database, tmp_path: Path, store: KeyStore) -> None:
    secret, digest = new_key()
    store.create(KeyRecord("ci", digest))
    db.execute("pragma wal_checkpoint")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert digest.encode() in kept
    assert secret.encode() not in kept
    assert Keyring(store.read()).who(secret) == KeyRecord("ci", digest)


def test_a_revoked_key_stays_known_and_is_refused(store: KeyStore) -> None:
    secret, digest = new_key()
    store.create(KeyRecord("ci", digest))
    store.revoke("ci")
    (kept,) = store.list()
    assert kept.record.disabled
    assert kept.revoked_at is not None
    assert kept.revoked_at >= kept.made_at
    assert Keyring(store.read()).who(secret) is None


def test_revoking_a_second_time_changes_nothing(db: Database, store: KeyStore) -> None:
    store.create(PLAIN)
    db.table("proxy_keys").update("ada", {"revoked_at": "2026-01-01T00:00:00+00:00"})
    store.revoke("ada")
    assert store.list()[0].revoked_at == "2026-01-01T00:00:00+00:00"


def test_only_the_named_key_is_revoked(store: KeyStore) -> None:
    store.create(PLAIN)
    store.create(FULL)
    store.revoke("ci")
    assert [(key.record.name, key.record.disabled) for key in store.list()] == [("ada", False), ("ci", True)]


def test_an_unknown_key_cant_be_revoked_and_the_nearest_is_told(store: KeyStore) -> None:
    store.create(KeyRecord("staging", "digest"))
    with pytest.raises(CallerError, match=r"There is no key 'stagin'\. Did you mean 'staging'\?"):
        store.revoke("stagin")


def test_a_name_is_never_given_twice(store: KeyStore) -> None:
    store.create(PLAIN)
    store.revoke("ada")
    with pytest.raises(CallerError, match="There is a key 'ada' already; give the new one another name"):
        store.create(KeyRecord("ada", "another"))
    assert len(store.read()) == 1


def test_of_many_that_make_a_key_of_one_name_one_does(tmp_path: Path, store: KeyStore) -> None:
    together = threading.Barrier(4)

    def make(number: int) -> bool:
        together.wait()
        try:
            KeyStore(tmp_path / FILE_NAME).create(KeyRecord("ci", f"digest-{number}"))
        except CallerError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(make, range(4))) == [False, False, False, True]


def test_a_table_that_is_not_there_is_an_error_that_says_so(db: Database, store: KeyStore) -> None:
    db.table("proxy_keys").drop()
    for use in (store.read, lambda: store.create(PLAIN), lambda: store.revoke("ci")):
        with pytest.raises(sqlite3.Error, match="no such table: proxy_keys"):
            use()
