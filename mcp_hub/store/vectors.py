"""The vectors of kept answers in SQLite, and the search for the nearest of a family in memory.

Above it is the proxy's cache, which knows it as a VectorIndex; below it the table `response_vectors`, whose rows go
with their entries, and `response_vectors_gone`, which tells which have gone. A family that is looked up is read once
and then held as one matrix; each look-up reads only what has come and gone since, whichever process did it.

numpy comes with an extra, which whoever opens an embedder asks for, so it is imported when there are vectors.
"""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_hub.proxy.responses import Neighbour
from mcp_hub.store.connection import BUSY_TIMEOUT, connect
from mcp_hub.store.response_rows import storable, taken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

HELD_BYTES = 256 * 1024 * 1024
"""Of vectors in memory, together: 262,144 with 256 dimensions. The family looked up longest ago goes first; of one that
is larger by itself, the vectors that were kept last are searched, and no others."""

READ_AT_ONCE = 1_000
"""Rows of a family that are read from the database before they are put into its matrix."""

FIRST_ROWS = 16
"""Rows that a new matrix has room for at least."""

GONE_SHARE = 4
"""A matrix is made anew without the vectors that have gone when they are more than this part of it."""

SPARE_SHARE = 8
"""The part by which a matrix is larger than it need be, or of it that is freed when it may not grow: it isn't made anew
for each vector that comes."""

VECTOR_BYTES = 350
"""What a vector takes beside its numbers, index entries included."""


class Vectors:
    """The VectorIndex of this machine, for any thread; several processes may use the same database.

    Methods raise sqlite3.Error, and nothing was written, when the database is locked for long, full or damaged.
    """

    def __init__(self, path: Path, embedder: str, most_bytes: int = HELD_BYTES) -> None:
        """`path` is the database's file, as `open_database` has made it; `most_bytes` may be held in memory.

        `embedder` is the name of the model that makes the vectors. Those of another are never compared with them.
        """
        self._path = path
        self._embedder = storable(embedder)
        self._most_bytes = most_bytes
        self._turn = threading.Lock()
        self._reading: sqlite3.Connection | None = None
        self._families: OrderedDict[str, _Family] = OrderedDict()

    def close(self) -> None:
        """Close the connection and forget what is held; both come back when they are needed."""
        with self._turn:
            self._families.clear()
            if self._reading is not None:
                self._reading.close()
                self._reading = None

    def add(self, family: str, id: str, vector: Sequence[float]) -> None:
        """Keep the vector of the answer `id`, in place of another one; nothing, if that answer isn't kept any more."""
        import numpy as np

        data = np.asarray(vector, dtype="<f4").tobytes()
        with closing(connect(self._path)) as connection:  # closing it undoes what isn't committed
            connection.execute("begin immediate")
            connection.execute(
                "delete from response_vectors where id = ? and embedder = ?", [storable(id), self._embedder]
            )
            connection.execute(
                "insert into response_vectors (id, embedder, family, size, vector) "
                "select id, ?, ?, ?, ? from responses where id = ?",
                [self._embedder, storable(family), VECTOR_BYTES + taken(len(data)), data, storable(id)],
            )
            connection.execute("commit")

    def nearest(self, family: str, vector: Sequence[float], most: int, at_least: float) -> list[Neighbour]:
        """The nearest of a family, the nearest first, `most` of them, none below the cosine `at_least`.

        Vectors that have another length than this one are left out. The first look-up of a family reads all of it.
        """
        import numpy as np

        sought = np.asarray(vector, dtype=np.float32)
        with self._turn:  # memory is what a product waits for, so that two at a time take twice as long
            matrix, ids, there = self._brought_up_to_date(storable(family), len(sought)).seen()
            with np.errstate(invalid="ignore"):  # what is no number is near nothing
                cosines = np.einsum("ij,j->i", matrix, sought)  # the threads of `@` wait for each other
        (near,) = np.nonzero((cosines >= at_least) & there)
        if len(near) > most:
            near = near[np.argpartition(cosines[near], len(near) - most)[len(near) - most :]] if most > 0 else near[:0]
        near = near[np.argsort(-cosines[near], kind="stable")]
        return [Neighbour(ids[row], min(1.0, float(cosines[row]))) for row in near]

    def _brought_up_to_date(self, name: str, dimensions: int) -> "_Family":
        family = self._families.pop(name, None)
        if family is None or family.dimensions != dimensions:
            family = _Family(dimensions, max(1, self._most_bytes // (4 * dimensions)))
        connection = self._reading = self._reading or connect(self._path, timeout=BUSY_TIMEOUT, any_thread=True)
        try:
            connection.execute("begin")
            self._read_changes(connection, name, family)
            connection.execute("commit")
        except BaseException:
            connection.close()
            self._reading = None
            raise
        self._families[name] = family
        while len(self._families) > 1 and sum(each.held for each in self._families.values()) > self._most_bytes:
            self._families.popitem(last=False)
        return family

    def _read_changes(self, connection: sqlite3.Connection, name: str, family: "_Family") -> None:
        """Read what has come to a family and gone from it since the last time; all of it where that can't be told."""
        first, last = connection.execute(_GONE_RANGE).fetchone()
        if family.gone_until + 1 < first:
            family.clear()
        if family.newest:
            family.drop([number for (number,) in connection.execute(_GONE, [family.gone_until])])
        family.gone_until = last
        if not family.newest:
            count, family.newest = connection.execute(_FIRST, [self._embedder, name, family.most_rows]).fetchone()
            family.make_room(count)
        rows = connection.execute(_NEWER, [self._embedder, name, family.newest, 4 * family.dimensions])
        while some := rows.fetchmany(READ_AT_ONCE):
            family.extend(some)


_GONE_RANGE = "select coalesce(min(number), 0), coalesce(max(number), 0) from response_vectors_gone"
_GONE = "select vector from response_vectors_gone where number > ?"
_NEWER = (
    "select number, id, vector from response_vectors "
    "where embedder = ? and family = ? and number > ? and length(vector) = ? order by number"
)
_FIRST = (
    "select (select count(*) from response_vectors where embedder = ?1 and family = ?2), "
    "coalesce((select number from response_vectors where embedder = ?1 and family = ?2 "
    "order by number desc limit 1 offset ?3), 0)"
)


class _Family:
    """The vectors of a family in memory, in the order in which they were kept.

    Numbers ascend, so one that goes is found by bisection.
    """

    def __init__(self, dimensions: int, most_rows: int) -> None:
        self.dimensions = dimensions
        self.most_rows = most_rows
        self.newest = 0
        """The number of the last row of `response_vectors` that was read."""
        self.gone_until = 0
        """The number of the last row of `response_vectors_gone` that was heeded."""
        self.clear()

    @property
    def held(self) -> int:
        """Bytes of its matrix."""
        return self._matrix.nbytes

    def clear(self) -> None:
        import numpy as np

        self.newest = 0
        self._ids: list[str] = []
        self._matrix: Floats = np.empty((0, self.dimensions), np.float32)
        self._numbers = np.empty(0, np.int64)
        self._there = np.empty(0, np.bool_)

    def seen(self) -> "tuple[Floats, list[str], NDArray[np.bool_]]":
        """The vectors, a row each; whose they are; and whether they are still there."""
        rows = len(self._ids)
        return self._matrix[:rows], self._ids, self._there[:rows]

    def extend(self, rows: Sequence[tuple[int, str, bytes]]) -> None:
        """Add vectors that are newer than all others; the oldest go where there are too many."""
        import numpy as np

        self.newest = rows[-1][0]
        rows = rows[-self.most_rows :]
        self.make_room(len(rows))
        new = slice(len(self._ids), len(self._ids) + len(rows))
        numbers, ids, vectors = zip(*rows, strict=True)
        self._matrix[new] = np.frombuffer(b"".join(vectors), "<f4").reshape(len(rows), self.dimensions)
        self._numbers[new] = numbers
        self._there[new] = True
        self._ids += ids

    def make_room(self, more: int) -> None:
        """Have room for so many more, without those that have gone, and without the oldest where there are too many."""
        if len(self._ids) + more > len(self._matrix):
            self._copy(min(more, self.most_rows))

    def drop(self, numbers: Sequence[int]) -> None:
        """Mark those that have gone, of the numbers that are this family's."""
        import numpy as np

        rows = np.searchsorted(self._numbers[: len(self._ids)], numbers)
        self._there[rows[np.append(self._numbers, -1)[rows] == numbers]] = False
        if np.count_nonzero(self._there[: len(self._ids)]) < len(self._ids) * (1 - 1 / GONE_SHARE):
            self._copy(0)

    def _copy(self, more: int) -> None:
        import numpy as np

        rows = np.flatnonzero(self._there[: len(self._ids)])
        if (over := len(rows) + more - self.most_rows) > 0:
            rows = rows[over + self.most_rows // SPARE_SHARE :]
        room = min(self.most_rows, max(FIRST_ROWS, len(rows) + more + (len(rows) + more) // SPARE_SHARE))
        matrix, numbers = np.empty((room, self.dimensions), np.float32), np.empty(room, np.int64)
        np.take(self._matrix, rows, axis=0, out=matrix[: len(rows)], mode="clip")
        numbers[: len(rows)] = self._numbers[rows]
        self._matrix, self._numbers, self._there = matrix, numbers, np.ones(room, np.bool_)
        self._ids = [self._ids[row] for row in rows]
