"""Answers to what was asked in other words: a model proposes, the guard decides, and whoever doubts has a miss.

Above it is the cache's flow, below it the vectors, the store and the model. Only the user's last text may
differ; that all else is the same is compared here, byte for byte.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_hub.proxy import guard
from mcp_hub.proxy.cache_key import CacheKey
from mcp_hub.proxy.responses import Embedder, KeptAnswer, ResponseStore, VectorIndex

CANDIDATES = 8
"""Texts that the guard looks at: what asks the same is among the nearest, or isn't found."""


@dataclass(frozen=True)
class Match:
    """A kept answer that may be given, and the cosine of the two texts."""

    answer: KeptAnswer
    similarity: float


@dataclass(frozen=True)
class NoMatch:
    """Why there is none: the nearest candidate, its cosine, and what the guard has against it; "" if there was none."""

    id: str = ""
    similarity: float | None = None
    reason: str = ""


class Similar:
    """Finds such answers. For any thread; raises what the store and the vectors raise."""

    def __init__(self, store: ResponseStore, vectors: VectorIndex, embedder: Embedder, threshold: float) -> None:
        self._store = store
        self._vectors = vectors
        self._embedder = embedder
        self._threshold = threshold

    def find(self, key: CacheKey, since: float, at: float, notes: bool) -> Match | NoMatch:
        """An answer that was kept at `since` or later, to a text that asks the same; it counts as used at `at`.

        `notes`: whether it may be kept that this text was given that answer, for who finds it wrong.
        """
        vector = self._embedder.embed(key.text)
        near = self._vectors.nearest(str(key.family), vector, CANDIDATES, self._threshold)
        texts = self._store.texts([each.id for each in near], since)
        kept = [each for each in near if each.id in texts]
        refusals = guard.refusals(key.text, (texts[each.id] for each in kept))
        refused = NoMatch()
        for (id, similarity), reason in zip(kept, refusals, strict=True):
            if reason is None and self._store.is_wrong(str(key.family), key.text, texts[id]):
                reason = "somebody has said that the two aren't the same"
            if reason is None:
                answer = self._store.get(id, since, at)
                if answer is None:  # it has gone meanwhile
                    continue
                if answer.family == key.family and _others(answer.parts, key) == _others(key.parts, key):
                    if notes:
                        self._store.served_similar(id, key.text, similarity, at)
                    return Match(answer, similarity)
                reason = "something else differs"
            if not refused.id:
                refused = NoMatch(id, similarity, reason)
        return refused

    def add(self, key: CacheKey, id: str) -> None:
        """Let the answer `id`, which was kept, be found by its text."""
        self._vectors.add(str(key.family), id, self._embedder.embed(key.text))


def _others(parts: Sequence[bytes], key: CacheKey) -> Sequence[bytes]:
    """The parts of a request but for the one in which the key's text is."""
    return [*parts[: key.at], *parts[key.at + 1 :]]
