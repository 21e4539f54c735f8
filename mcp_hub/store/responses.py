"""Kept answers in SQLite: found by the digest of a request, shared by parts, and dropped when they are old or too many.

Above it are the proxy's cache, which knows it as a ResponseStore, and the commands that look into it. Below it are the
tables `response*` and their triggers: what belongs to an entry goes with it, in the same transaction. Successive
requests of an agent are nearly the same, so each part of a request is kept once, for as long as an entry has it.

A commit outlives the process, killed or not. What is read is compared with checksums: an entry that isn't what was kept
is dropped and not served.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from mcp_hub.errors import CallerError
from mcp_hub.proxy.responses import KeptAnswer
from mcp_hub.store.connection import Turns
from mcp_hub.store.response_parts import Part, Parts, size_of
from mcp_hub.store.response_rows import (
    COLUMNS,
    CONTENTS,
    answer_in,
    checksum_of,
    exact_bytes,
    exact_text,
    pack,
    pair_digest,
    readable,
    row_of,
    storable,
    taken,
)

logger = logging.getLogger(__name__)

LARGEST_SHARE = 8
"""An answer that alone takes more than this part of the room isn't kept: it would drive out too many others."""

NOTED_EVERY = 60.0
"""Seconds between two writes that an entry was used: who goes is decided to the minute, and a hit seldom writes."""

DROPPED_AT_ONCE = 100
"""Entries dropped in one transaction, some milliseconds: every request's reservation waits for the same database."""

MOST_PAIRS = 20
"""Texts kept for an entry, of the similar requests that were last given it."""

MOST_WRONG = 10_000
"""Pairs kept of those that somebody found wrong."""

ENTRY_BYTES, PAIR_BYTES = 700, 150
"""What their rows take beside the long values, index entries included."""

SHOWN_CHARACTERS = 80
"""Of a text in a list."""

NEAR_IDS = 1_000
"""The ids, used last, among which one that is like a mistyped one is looked for."""


class Listed(NamedTuple):
    """An entry as a list shows it. Times are Unix seconds; `size` is bytes, with all of its parts, shared or not."""

    id: str
    key: str
    model: str
    kept_at: float
    used_at: float
    size: int
    text: str
    """The beginning of what may differ in a similar request, or else of the user's last text; "" where none is."""
    similar: int
    """How often it was given to a similar request."""


@dataclass(frozen=True)
class Stats:
    """All entries together. `unshared_bytes` is what they would take if each had its parts for itself."""

    entries: int
    bytes: int
    unshared_bytes: int
    oldest: float | None
    newest: float | None
    """When the first and the last of them was kept, Unix seconds; None where there is no entry."""
    keys: Mapping[str, int]
    models: Mapping[str, int]
    """Entries of each, the most first."""


class WrongPair(NamedTuple):
    """Two texts of a family, of which one was given the answer to the other, and somebody found it wrong.

    `text` is what was answered, `other` what was given that answer; `at` is when it was found wrong, Unix seconds.
    """

    family: str
    text: str
    other: str
    similarity: float
    at: float


class Responses:
    """The ResponseStore of this machine, for any thread; several processes may use the same database.

    Threads take turns at two connections, one to read and one to write. Methods raise sqlite3.Error, and nothing was
    written, when the database is locked for long, full, read-only or damaged.
    """

    def __init__(self, path: Path, most_bytes: int, most_age: float) -> None:
        """`path` is the database's file, as `open_database` has made it.

        `most_bytes` is about what the entries may take together, `most_age` the seconds after which each is dropped.
        """
        self._most_bytes = most_bytes
        self._most_age = most_age
        self._parts = Parts()
        # a damaged text is for the checksum to find
        self._reading = Turns(path, "begin", readable)
        self._writing = Turns(path, "begin immediate", readable)

    def close(self) -> None:
        """Close the connections; they are opened again when they are needed."""
        self._reading.close()
        self._writing.close()

    def find(self, digest: str, since: float, at: float) -> KeptAnswer | None:
        """The answer to the request with this digest, if it was kept at `since` or later and isn't too old at `at`.

        It counts as used at `at`, to the minute.
        """
        return self._served(_BY_DIGEST, digest, since, at)

    def get(self, id: str, since: float, at: float) -> KeptAnswer | None:
        """The answer of this id, under the same conditions. At 0, one may look without its counting as used."""
        return self._served(_BY_ID, id, since, at)

    def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer, in place of another one with its digest or id, unless it is too large.

        Then drop what is too old at the time at which it was kept, and the least recently used of what is too much.
        """
        digests = [sha256(part).digest() for part in answer.parts]
        bodies = dict(zip(digests, answer.parts, strict=True))
        with self._reading.transaction() as connection:
            known = self._parts.sizes(connection, bodies)
        packed = {digest: pack(body) for digest, body in bodies.items() if digest not in known}
        row = row_of(answer)
        length = sum(len(row[name]) for name in CONTENTS)
        alone = ENTRY_BYTES + taken(length) + sum(known.values()) + sum(size_of(body) for body in packed.values())
        if alone > self._most_bytes // LARGEST_SHARE:
            return
        with self._writing.transaction() as connection:
            numbers, parts_size = self._parts.use(connection, bodies, packed)
            parts = json.dumps([numbers[digest] for digest in digests], separators=(",", ":"))
            size = ENTRY_BYTES + taken(length + len(parts))
            row |= {"checksum": checksum_of(row, digests), "size": size, "parts_size": parts_size}
            connection.execute("delete from responses where digest = :digest or id = :id", row)
            number = connection.execute(_KEEP, row).lastrowid
            connection.execute(_KEEP_CONTENTS, row | {"number": number, "parts": parts})
            has_more = self._drop(connection, answer.kept_at)
        while has_more:
            with self._writing.transaction() as connection:
                has_more = self._drop(connection, answer.kept_at)

    def texts(self, ids: Sequence[str], since: float) -> dict[str, str]:
        """The texts of these answers, without those that are gone or were kept before `since`."""
        sql = "select text from responses join response_contents using (number) where id = ? and kept_at >= ?"
        with self._reading.transaction() as connection:
            rows = {id: connection.execute(sql, [storable(id), since]).fetchone() for id in ids}
        return {id: exact_text(row["text"]) for id, row in rows.items() if row is not None}

    def served_similar(self, id: str, text: str, similarity: float, at: float) -> None:
        """Note that the answer `id` has been given to a request with this text: for who finds that wrong."""
        given = exact_bytes(text)
        with self._writing.transaction() as connection:
            found = connection.execute(
                "update responses set similar = similar + 1 where id = ? and family is not null returning number",
                [storable(id)],
            ).fetchone()
            if found is None:
                return
            entry, digest = found["number"], sha256(given).digest()
            connection.execute("delete from response_pairs where response = ? and digest = ?", [entry, digest])
            connection.execute(
                "insert into response_pairs (response, digest, size, text, similarity, at) values (?, ?, ?, ?, ?, ?)",
                [entry, digest, PAIR_BYTES + len(given), given, similarity, at],
            )
            connection.execute(
                "delete from response_pairs where number in "
                "(select number from response_pairs where response = ? order by number desc limit -1 offset ?)",
                [entry, MOST_PAIRS],
            )

    def is_wrong(self, family: str, text: str, other: str) -> bool:
        """Whether somebody has said that one of these texts isn't answered by the answer to the other."""
        digest = pair_digest(family, exact_bytes(text), exact_bytes(other))
        with self._reading.transaction() as connection:
            return connection.execute("select 1 from response_wrong where digest = ?", [digest]).fetchone() is not None

    def wrong(self, id: str, at: float) -> list[WrongPair]:
        """Drop an entry, and never again give its answer to the similar requests that were last given it.

        Returns those pairs, the last first. Raises CallerError for an id that isn't kept.
        """
        with self._writing.transaction() as connection:
            entry = connection.execute(
                "select number, family, text from responses join response_contents using (number) where id = ?",
                [storable(id)],
            ).fetchone()
            if entry is None:
                ids = connection.execute("select id from responses order by used_at desc limit ?", [NEAR_IDS])
                then = "It may have been dropped already; `mcp_hub cache show` lists what is kept."
                raise CallerError.unknown("kept answer", id, [each["id"] for each in ids], then)
            given = connection.execute(
                "select text, similarity from response_pairs where response = ? order by number desc", [entry["number"]]
            ).fetchall()
            for pair in reversed(given):
                _keep_wrong(connection, entry["family"], entry["text"], pair, at)
            connection.execute(
                "delete from response_wrong where number in "
                "(select number from response_wrong order by number desc limit -1 offset ?)",
                [MOST_WRONG],
            )
            connection.execute("delete from responses where number = ?", [entry["number"]])
        text = exact_text(entry["text"])
        return [WrongPair(entry["family"], text, exact_text(pair["text"]), pair["similarity"], at) for pair in given]

    def wrong_pairs(self) -> list[WrongPair]:
        """The pairs that somebody found wrong, the last first."""
        with self._reading.transaction() as connection:
            rows = connection.execute("select * from response_wrong order by number desc").fetchall()
        return [
            WrongPair(row["family"], exact_text(row["text"]), exact_text(row["other"]), row["similarity"], row["at"])
            for row in rows
        ]

    def clear(self, key: str | None = None, model: str | None = None, before: float | None = None) -> int:
        """Drop what is of this key, of a model that this glob matches, and was kept before then: how many there were.

        None is no condition; the key "" is that of requests without one.
        """
        with self._reading.transaction() as connection:
            rows = connection.execute(
                "select id, model from responses where (?1 is null or key = ?1) and (?2 is null or kept_at < ?2)",
                [None if key is None else storable(key), before],
            ).fetchall()
        ids = [row["id"] for row in rows if model is None or fnmatchcase(row["model"], model)]
        dropped = 0
        for first in range(0, len(ids), DROPPED_AT_ONCE):
            with self._writing.transaction() as connection:
                some = [(id,) for id in ids[first : first + DROPPED_AT_ONCE]]
                dropped += connection.executemany("delete from responses where id = ?", some).rowcount
        return dropped

    def stats(self) -> Stats:
        """All entries together, at one moment."""
        with self._reading.transaction() as connection:
            totals = connection.execute(_TOTALS).fetchone()
            keys, models = (
                {row[0]: row[1] for row in connection.execute(_COUNTS.format(column=column))}
                for column in ("key", "model")
            )
        return Stats(**totals, keys=keys, models=models)

    def list(self, most: int) -> "list[Listed]":
        """The entries that were used last, the last first, `most` of them."""
        with self._reading.transaction() as connection:
            rows = connection.execute(_LIST, [4 * SHOWN_CHARACTERS, most]).fetchall()
            return [
                _listed(row, readable(row["text"]) or _said(self._parts.read(connection, row["number"])))
                for row in rows
            ]

    def _served(self, sql: str, name: str, since: float, at: float) -> KeptAnswer | None:
        with self._reading.transaction() as connection:
            row = connection.execute(sql, [storable(name), max(since, at - self._most_age)]).fetchone()
            if row is None:
                return None
            parts = self._parts.read(connection, row["number"])
        bodies = [part.body for part in parts if part.body is not None]
        answer = answer_in(row, [part.digest for part in parts], bodies) if len(bodies) == len(parts) else None
        if answer is None:
            logger.warning("the kept answer %s isn't what was kept, so it is dropped", row["id"])
            with self._writing.transaction() as connection:
                connection.execute("delete from responses where id = ?", [row["id"]])
                self._parts.forget(connection, [part.number for part in parts if part.body is None])
        elif at - row["used_at"] >= NOTED_EVERY:
            with self._writing.transaction() as connection:
                connection.execute("update responses set used_at = max(used_at, ?) where id = ?", [at, row["id"]])
        return answer

    def _drop(self, connection: sqlite3.Connection, at: float) -> bool:
        """Drop what is too old or too much, so many at most; whether there may be more."""
        dropped = connection.execute(_DROP_OLD, [at - self._most_age, DROPPED_AT_ONCE]).rowcount
        while dropped < DROPPED_AT_ONCE:
            if connection.execute(_DROP_UNUSED, [self._most_bytes]).rowcount == 0:
                return False
            dropped += 1
        return True


_KEEP = (
    f"insert into responses ({', '.join(COLUMNS)}, used_at, similar, size, parts_size, checksum) "  # noqa: S608
    f"values ({', '.join(f':{name}' for name in COLUMNS)}, :kept_at, 0, :size, :parts_size, :checksum)"
)
_KEEP_CONTENTS = (
    f"insert into response_contents (number, parts, {', '.join(CONTENTS)}) "  # noqa: S608 - constants
    f"values (:number, :parts, {', '.join(f':{name}' for name in CONTENTS)})"
)

_SERVED = "select * from responses join response_contents using (number) where "
_BY_DIGEST, _BY_ID = (f"{_SERVED}{name} = ? and kept_at >= ?" for name in ("digest", "id"))

_LIST = (
    "select number, id, key, model, kept_at, used_at, size + parts_size as size, similar, "
    "coalesce(substr(text, 1, ?), x'') as text "  # a part of nothing is null
    "from responses join response_contents using (number) order by used_at desc, number desc limit ?"
)

_TOTALS = (
    "select entries, bytes, bytes + (select coalesce(sum(parts_size), 0) from responses) "
    "- (select coalesce(sum(size), 0) from response_parts) as unshared_bytes, "
    "(select min(kept_at) from responses) as oldest, (select max(kept_at) from responses) as newest "
    "from response_totals"
)
_COUNTS = "select {column}, count(*) from responses group by {column} order by count(*) desc, {column}"

_DROP_OLD = (
    "delete from responses where number in (select number from responses where kept_at < ? order by kept_at limit ?)"
)
_DROP_UNUSED = (
    "delete from responses where number = (select number from responses order by used_at, number limit 1) "
    "and (select bytes from response_totals) > ?"
)


def _keep_wrong(connection: sqlite3.Connection, family: str, text: bytes, pair: sqlite3.Row, at: float) -> None:
    digest = pair_digest(family, text, pair["text"])
    connection.execute("delete from response_wrong where digest = ?", [digest])  # it becomes the newest
    connection.execute(
        "insert into response_wrong (digest, family, text, other, similarity, at) values (?, ?, ?, ?, ?, ?)",
        [digest, family, text, pair["text"], pair["similarity"], at],
    )


def _listed(row: sqlite3.Row, text: str) -> Listed:
    columns = ("id", "key", "model", "kept_at", "used_at", "size", "similar")
    return Listed(**{name: row[name] for name in columns}, text=text[:SHOWN_CHARACTERS])


def _said(parts: Iterable[Part]) -> str:
    """The user's last text in a request; "" where its parts tell none."""
    for part in reversed(list(parts)):
        try:
            message = json.loads(part.body or b"null")
        except (ValueError, RecursionError):
            continue
        content = message.get("content") if isinstance(message, dict) and message.get("role") == "user" else None
        for block in reversed(content) if isinstance(content, list) else ():
            text = block.get("text") if isinstance(block, dict) else None
            if isinstance(text, str) and text:
                return storable(text)
    return ""
