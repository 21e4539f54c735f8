"""A kept answer of the Messages API, and what the cache asks of whatever keeps them: the store, the vectors, the model.

Pure. The cache's flow knows these Protocols alone: SQLite is behind them here, and another database may take its place.
Times are Unix seconds, money is nano-dollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mcp_hub.proxy.pricing import Usage


@dataclass(frozen=True)
class KeptAnswer:
    """A complete answer, with what is to be known of the request that it answers.

    id: names it in headers and commands. digest: of the canonical request, which `parts` are, in order.
    family: of all that must be the same for a similar hit, `text` being what may differ; None where none may be.
    key, team: "" where there is none.
    message: the answer as JSON, as without `stream`. stream: its events as they came, or could have come.
    pace: for each piece of a stream as it came, seconds since the first one and bytes; none where it was no stream.
    dollars: what it cost when it was asked for.
    """

    id: str
    digest: str
    parts: tuple[bytes, ...] = field(repr=False)
    family: str | None
    text: str = field(repr=False)
    key: str
    team: str
    model: str
    upstream: str
    kept_at: float
    message: bytes = field(repr=False)
    stream: bytes = field(repr=False)
    pace: tuple[tuple[float, int], ...] = field(repr=False)
    usage: Usage
    dollars: int


class Neighbour(NamedTuple):
    """A kept answer whose text is near another: its id, and the cosine of the two, 1 at most."""

    id: str
    similarity: float


class ResponseStore(Protocol):
    """Where answers are kept. For any thread; methods raise sqlite3.Error, or the like of another database."""

    def find(self, digest: str, since: float, at: float) -> KeptAnswer | None:
        """The answer to the request with this digest, if it was kept at `since` or later; it counts as used at `at`."""
        ...

    def get(self, id: str, since: float, at: float) -> KeptAnswer | None:
        """The answer of this id, under the same conditions."""
        ...

    def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer, in place of another one with its digest; the least recently used go where room is short."""
        ...

    def texts(self, ids: Sequence[str], since: float) -> Mapping[str, str]:
        """The texts of these answers, without those that are gone or were kept before `since`."""
        ...

    def served_similar(self, id: str, text: str, similarity: float, at: float) -> None:
        """Note that the answer `id` has been given to a request with this text: for who finds that wrong."""
        ...

    def is_wrong(self, family: str, text: str, other: str) -> bool:
        """Whether somebody has said that one of these texts isn't answered by the answer to the other."""
        ...


class VectorIndex(Protocol):
    """Where the vectors of texts are, for any thread. Vectors of one index have one length, and the length 1."""

    def add(self, family: str, id: str, vector: Sequence[float]) -> None:
        """Keep the vector of the answer `id`."""
        ...

    def nearest(self, family: str, vector: Sequence[float], most: int, at_least: float) -> list[Neighbour]:
        """The nearest of a family, the nearest first, `most` of them, none below the cosine `at_least`."""
        ...


class Embedder(Protocol):
    """A model that makes vectors of texts, for any thread."""

    @property
    def name(self) -> str:
        """The model and what makes its vectors what they are: those of another name aren't comparable."""
        ...

    def embed(self, text: str) -> Sequence[float]:
        """The vector of a text, of the length 1."""
        ...
