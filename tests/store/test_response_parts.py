"""Parts are kept once, counted by who uses them, read back in order, and held in memory within bounds."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from mcp_hub.store import response_parts as module
from mcp_hub.store.connection import connect
from mcp_hub.store.database import database_file
from mcp_hub.store.response_parts import Part, Parts, checked, size_of
from mcp_hub.store.response_rows import pack
from mcp_hub.store.responses import Responses
from tests.store.answers import HOUR, ROOM, answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = database_file(tmp_path)
    with closing(Responses(path, ROOM, HOUR)) as store:
        store.keep(answer("a", b"one", b"two" * 90, b"one"))
        store.keep(answer("b", b"two" * 90, b"three"))
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path)) as opened:
        yield opened


def digest(body: bytes) -> bytes:
    return sha256(body).digest()


def bodies(parts: list[Part]) -> list[bytes | None]:
    return [part.body for part in parts]


def test_parts_are_read_in_the_order_of_the_request(connection: sqlite3.Connection) -> None:
    parts = Parts()
    assert bodies(parts.read(connection, 1)) == [b"one", b"two" * 90, b"one"]
    assert bodies(parts.read(connection, 2)) == [b"two" * 90, b"three"]
    assert parts.read(connection, 3) == []


def test_sizes_are_told_of_those_that_are_kept(connection: sqlite3.Connection) -> None:
    asked = [digest(b"two" * 90), digest(b"four")]
    assert Parts().sizes(connection, asked) == {asked[0]: size_of(pack(b"two" * 90))}


def test_a_known_part_has_one_user_more_and_an_unknown_one_is_kept(connection: sqlite3.Connection) -> None:
    four = Random(1).randbytes(1_000)
    wanted = {digest(b"one"): b"one", digest(four): four}
    numbers, size = Parts().use(connection, wanted, {})
    assert size == size_of(pack(b"one")) + size_of(pack(four))
    users = dict(connection.execute("select digest, users from response_parts").fetchall())
    assert [users[each] for each in wanted] == [2, 1]
    stored = "select body from response_part_bodies where number = ?"
    assert connection.execute(stored, [numbers[digest(four)]]).fetchone()["body"] == pack(four)


def test_what_was_read_is_held_so_that_it_need_not_be_read_again(connection: sqlite3.Connection) -> None:
    parts = Parts()
    parts.read(connection, 1)
    connection.execute("update response_part_bodies set body = x'00'")
    assert bodies(parts.read(connection, 1)) == [b"one", b"two" * 90, b"one"]
    assert bodies(parts.read(connection, 2)) == [b"two" * 90, None]
    assert bodies(Parts().read(connection, 1)) == [None, None, None]


def test_what_is_held_is_bounded_and_what_was_used_longest_ago_goes(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_BYTES", 275)
    parts = Parts()
    parts.read(connection, 2)  # 270 bytes, then 5
    parts.read(connection, 1)  # 3 more, then the 270 again
    assert list(parts._held.values()) == [b"one", b"two" * 90]
    assert parts._held_bytes == 273
    monkeypatch.setattr(module, "HELD_BYTES", 2)
    assert bodies(Parts().read(connection, 1)) == [b"one", b"two" * 90, b"one"]


def test_a_part_that_is_forgotten_is_gone_with_its_body(connection: sqlite3.Connection) -> None:
    parts = Parts()
    (first, _, _) = parts.read(connection, 1)
    parts.forget(connection, [first.number])
    assert bodies(parts.read(connection, 1)) == [b"two" * 90]
    assert parts.sizes(connection, [first.digest]) == {}


def test_a_body_that_has_another_digest_or_cant_be_decompressed_is_none() -> None:
    packed = pack(b"two" * 90)
    assert checked(packed, digest(b"two" * 90)) == b"two" * 90
    assert checked(packed, digest(b"two")) is None
    assert checked(packed[:-5], digest(b"two" * 90)) is None
    assert checked(b"", digest(b"one")) is None
