"""The parts of the requests that kept answers answer: each kept once, for as long as an entry has it on its list.

Nothing here begins or ends a transaction. What was read last is held in memory: the requests of an agent have the same
large head, which takes longer to decompress than the rest of a hit.
"""

import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from mcp_hub.store.response_rows import pack, taken, unpack

PART_BYTES = 200
"""What a part takes beside its body, index entries included."""

HELD_BYTES = 32 * 1024 * 1024
"""Of parts in memory, together: the heads of a few hundred agents."""

_LISTED = (
    "from response_contents as entry, json_each(case when json_valid(parts) then parts else '[]' end) as listed "
    "join response_parts as part on part.number = listed.value where entry.number = ? order by listed.key"
)


class Part(NamedTuple):
    """A part on an entry's list; its body is None when it isn't what was kept."""

    number: int
    digest: bytes
    body: bytes | None


class Parts:
    """The tables `response_parts` and `response_part_bodies`, for any thread. Methods raise sqlite3.Error."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._held: OrderedDict[bytes, bytes] = OrderedDict()
        self._held_bytes = 0

    def sizes(self, connection: sqlite3.Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
        """What each of these takes, of those that are kept."""
        sql = "select size from response_parts where digest = ?"
        found = {digest: connection.execute(sql, [digest]).fetchone() for digest in digests}
        return {digest: row["size"] for digest, row in found.items() if row is not None}

    def use(
        self, connection: sqlite3.Connection, bodies: Mapping[bytes, bytes], packed: Mapping[bytes, bytes]
    ) -> tuple[dict[bytes, int], int]:
        """Count one more user of each part, by its digest, and keep those that aren't: their numbers, and their size.

        `packed` has those that weren't kept when that was looked up; another process may have dropped others since.
        """
        numbers, size = {}, 0
        for digest, body in bodies.items():
            row = connection.execute(
                "update response_parts set users = users + 1 where digest = ? returning number, size", [digest]
            ).fetchone()
            number, part_size = row or _keep(connection, digest, packed.get(digest) or pack(body))
            numbers[digest] = number
            size += part_size
        return numbers, size

    def read(self, connection: sqlite3.Connection, entry: int) -> list[Part]:
        """The parts on an entry's list, in order. One that isn't there is left out."""
        rows = connection.execute(f"select part.number, part.digest {_LISTED}", [entry]).fetchall()
        parts: dict[int, Part] = {}
        for number, digest in rows:
            if number not in parts:
                body = self._body(digest) or self._read_body(connection, number, digest)
                parts[number] = Part(number, digest, body)
        return [parts[number] for number, _ in rows]

    def forget(self, connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
        """Drop parts that are damaged, whoever uses them."""
        connection.executemany("delete from response_parts where number = ?", [(number,) for number in numbers])

    def _body(self, digest: bytes) -> bytes | None:
        with self._turn:
            if digest in self._held:
                self._held.move_to_end(digest)
            return self._held.get(digest)

    def _read_body(self, connection: sqlite3.Connection, number: int, digest: bytes) -> bytes | None:
        row = connection.execute("select body from response_part_bodies where number = ?", [number]).fetchone()
        body = row and checked(row["body"], digest)
        if body is not None and len(body) <= HELD_BYTES:
            with self._turn:
                self._held_bytes += len(body) - len(self._held.pop(digest, b""))
                self._held[digest] = body
                while self._held_bytes > HELD_BYTES:
                    self._held_bytes -= len(self._held.popitem(last=False)[1])
        return body


def size_of(packed: bytes) -> int:
    """About what a part takes of the database, by its compressed body."""
    return PART_BYTES + taken(len(packed))


def checked(packed: bytes, digest: bytes) -> bytes | None:
    """The body of a part; None if it isn't the one with this digest."""
    try:
        body = unpack(packed)
    except zlib.error:
        return None
    return body if sha256(body).digest() == digest else None


def _keep(connection: sqlite3.Connection, digest: bytes, packed: bytes) -> tuple[int, int]:
    size = size_of(packed)
    number = connection.execute(
        "insert into response_parts (digest, size, users) values (?, ?, 1)", [digest, size]
    ).lastrowid
    assert number is not None
    connection.execute("insert into response_part_bodies (number, body) values (?, ?)", [number, packed])
    return number, size
