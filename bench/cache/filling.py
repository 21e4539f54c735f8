"""Fills a database with kept answers: the last ones as the proxy keeps them, the others as copies of such rows.

Keeping takes a few milliseconds, most of it compressing, and a hundred thousand take minutes. A copy has the sizes of
its original, and an id, a digest, parts, a text and a vector of its own, so all that a look-up goes through is as if it
had been kept; but it isn't served, since its checksum isn't its own. Only what was really kept is asked for.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.cache import entries
from mcp_hub.proxy.cache_key import CacheKey
from mcp_hub.proxy.responses import Embedder
from mcp_hub.proxy.similar import Similar
from mcp_hub.store.connection import connect
from mcp_hub.store.database import database_file
from mcp_hub.store.response_rows import taken
from mcp_hub.store.responses import Responses, Stats
from mcp_hub.store.vectors import VECTOR_BYTES, Vectors

REAL = 200
"""Entries of each size that are really kept, the last ones, and asked for."""

ORIGINALS = 10
"""Entries that are kept before any is copied: those that are."""

ROOM = 100_000 << 20
"""Bytes that may be kept: nothing is dropped."""

TTL = 86_400

AGE = 120.0
"""Seconds since which all has been kept: over a minute, after which a hit is noted, which is a commit."""

AT_ONCE = 5_000
"""Copies in one transaction."""


@dataclass(frozen=True)
class Kind:
    """Entries of one kind: the requests by number, how many leading parts they share, and whether they have vectors."""

    name: str
    request: Callable[[int], bytes]
    shared: int
    is_similar: bool


CONVERSATIONS = Kind("exact", entries.conversation, 1, is_similar=False)
FAMILY = Kind("similar", lambda number: entries.asking(entries.question(number)), 3, is_similar=True)


class Filling:
    """A database of one kind in a folder, which grows."""

    def __init__(
        self, folder: Path, kind: Kind, embedder: Embedder | None, upstream: str = "http://127.0.0.1:1"
    ) -> None:
        """`embedder` is heeded where the kind has vectors; `upstream` is the URL of what has answered."""
        self.path = database_file(folder)
        self.embedder = embedder if kind.is_similar else None
        self._kind = kind
        self._upstream = upstream
        self._size = 0

    def grow(self, size: int) -> list[float]:
        """Fill it until it has `size` entries; the seconds that each took of those that were really kept."""
        seconds = self._keep(range(self._size, min(size, ORIGINALS)))
        begins = self._size + len(seconds)
        first = max(begins, size - REAL)
        with closing(connect(self.path)) as connection:
            for at in range(begins, first, AT_ONCE):
                self._copy(connection, range(at, min(at + AT_ONCE, first)))
        seconds += self._keep(range(first, size))
        self._size = size
        return seconds

    @property
    def kept(self) -> range:
        """The numbers of those that may be asked for."""
        return range(max(0, self._size - REAL), self._size)

    def key(self, number: int) -> CacheKey:
        """Of the request of this number."""
        return entries.key(self._kind.request(number), self._upstream)

    def stats(self) -> Stats:
        """As the store counts."""
        with closing(Responses(self.path, ROOM, TTL)) as store:
            return store.stats()

    def _keep(self, numbers: Sequence[int]) -> list[float]:
        seconds = []
        embedder = self.embedder
        with ExitStack() as stack:
            store = stack.enter_context(closing(Responses(self.path, ROOM, TTL)))
            similar = None
            if embedder is not None:
                vectors = stack.enter_context(closing(Vectors(self.path, embedder.name)))
                similar = Similar(store, vectors, embedder, threshold=0)
            for number in numbers:
                key = self.key(number)
                answer = entries.answer(number, key, time.time() - AGE)
                began = time.perf_counter()
                store.keep(answer)
                if similar is not None:
                    similar.add(key, answer.id)
                seconds.append(time.perf_counter() - began)
        return seconds

    def _copy(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
        connection.execute("begin immediate")
        originals = connection.execute(_ORIGINALS, [ORIGINALS]).fetchall()
        after, after_part, parts = connection.execute(_LAST).fetchone()
        own = parts - self._kind.shared
        copies = [
            (
                after + 1 + at,
                entries.id_of(number),
                hashlib.sha256(b"%d" % number).hexdigest(),
                entries.question(number) if self.embedder is not None else "",
                originals[at % len(originals)]["number"],
                after_part + 1 + at * own,
            )
            for at, number in enumerate(numbers)
        ]
        connection.execute("create temp table copies (number integer primary key, id, digest, text, original, part)")
        connection.executemany("insert into copies values (?, ?, ?, ?, ?, ?)", copies)
        for statement in _COPY:
            connection.execute(statement, {"shared": self._kind.shared})
        connection.execute("drop table copies")
        if self.embedder is not None:
            rows = (_vector_row(self.embedder, number, text) for number, _, _, text, _, _ in copies)
            connection.executemany(_COPY_VECTOR, rows)
        connection.execute("commit")


def _vector_row(embedder: Embedder, number: int, text: str) -> tuple[Any, ...]:
    vector = np.asarray(embedder.embed(text), "<f4").tobytes()
    return embedder.name, VECTOR_BYTES + taken(len(vector)), vector, number


_ORIGINALS = "select number from responses order by number limit ?"
_LAST = (
    "select (select max(number) from responses), (select max(number) from response_parts), "
    "(select json_array_length(parts) from response_contents limit 1)"
)
_OWN_PARTS = (
    "from copies join response_contents as original on original.number = copies.original "
    "join json_each(original.parts) as listed join response_parts as part on part.number = listed.value "
)
_COPY = (
    "insert into responses (number, id, digest, family, key, team, model, upstream, kept_at, used_at, similar, size, "
    "parts_size, checksum) select copies.number, copies.id, copies.digest, family, key, team, model, upstream, "
    "kept_at, used_at, 0, size, parts_size, checksum "
    "from copies join responses as original on original.number = copies.original",
    "insert into response_contents (number, parts, usage, text, message, stream, pace) "
    "select copies.number, (select json_group_array(iif(listed.key < :shared, listed.value, "
    "copies.part + listed.key - :shared)) from json_each(original.parts) as listed), "
    "usage, cast(copies.text as blob), message, stream, pace "
    "from copies join response_contents as original on original.number = copies.original",
    "insert into response_part_bodies (number, body) select copies.part + listed.key - :shared, body "
    f"{_OWN_PARTS} join response_part_bodies as body on body.number = part.number where listed.key >= :shared",
    "insert into response_parts (number, digest, size, users) "
    "select copies.part + listed.key - :shared, randomblob(32), part.size, 1 "
    f"{_OWN_PARTS} where listed.key >= :shared",
    "update response_parts set users = users + (select count(*) from copies) where number in (select listed.value "
    f"{_OWN_PARTS} where copies.number = (select min(number) from copies) and listed.key < :shared)",
)
_COPY_VECTOR = (
    "insert into response_vectors (id, embedder, family, size, vector) "
    "select id, ?, family, ?, ? from responses where number = ?"
)
