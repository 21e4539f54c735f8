"""Answers to what was asked in other words: only one that the guard and everything before the text allow is given."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import cos, sin
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.proxy import guard
from mcp_hub.proxy.cache_key import CacheKey, Scope, key_of
from mcp_hub.proxy.embedding import WordLlamaEmbedder
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.responses import KeptAnswer, Neighbour, VectorIndex
from mcp_hub.proxy.similar import CANDIDATES, Match, NoMatch, Similar
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.responses import Responses
from mcp_hub.store.vectors import Vectors

ROUTE = Route("claude-sonnet-4-6", "anthropic")
ASKED = "What is the capital of France?"
SAME = "Can you tell me what the capital of France is?"
POLITELY = "Please, what is the capital of France?"
OTHER = "What is the capital of Italy?"
NOW = 1_000_000.0
THRESHOLD = 0.7


class Angles:
    """A model whose vectors are where the test puts them: the cosine of two is that of the angle between them."""

    name = "angles"

    def __init__(self, angles: Mapping[str, float]) -> None:
        self._angles = angles

    def embed(self, text: str) -> Sequence[float]:
        angle = self._angles[text]
        return [cos(angle), sin(angle)]


class Found:
    """Vectors that find what the test says, whatever is sought."""

    def __init__(self, *found: Neighbour) -> None:
        self._found = list(found)

    def add(self, family: str, id: str, vector: Sequence[float]) -> None:
        """Nothing is kept."""

    def nearest(self, family: str, vector: Sequence[float], most: int, at_least: float) -> list[Neighbour]:
        return self._found


def asks(text: str, before: str = "be brief") -> CacheKey:
    request = {"max_tokens": 9, "system": before, "messages": [{"role": "user", "content": text}]}
    return key_of(request, ROUTE, "/v1/messages", [], Scope("key ci", ""))


def answer(id: str, key: CacheKey, kept_at: float = NOW) -> KeptAnswer:
    return KeptAnswer(
        id=id,
        digest=key.digest,
        parts=key.parts,
        family=key.family,
        text=key.text,
        key="ci",
        team="",
        model=ROUTE.model,
        upstream=ROUTE.upstream,
        kept_at=kept_at,
        message=b'{"content": []}',
        stream=b"data: {}\n\n",
        pace=(),
        usage=Usage(input=3, output=9),
        dollars=5,
    )


class Kept:
    """The real store and vectors, with a model of the test's own."""

    def __init__(self, folder: Path) -> None:
        open_database(folder).close()
        self._path = folder / FILE_NAME
        self.store = Responses(self._path, 8 * 1024 * 1024, 3600)
        self.vectors = Vectors(self._path, Angles.name)

    def similar(self, angles: Mapping[str, float], vectors: VectorIndex | None = None) -> Similar:
        return Similar(self.store, vectors or self.vectors, Angles(angles), THRESHOLD)

    def keep(self, similar: Similar, *answers: KeptAnswer) -> None:
        for each in answers:
            self.store.keep(each)
            similar.add(CacheKey(each.digest, each.parts, each.family, each.text, len(each.parts) - 1), each.id)

    def close(self) -> None:
        self.store.close()
        self.vectors.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    opened = Kept(tmp_path)
    yield opened
    opened.close()


def found(similar: Similar, key: CacheKey, since: float = NOW - 60) -> Any:
    return similar.find(key, since, NOW, notes=True)


def test_what_asks_the_same_is_given_the_answer_with_the_cosine_of_the_two(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.3})
    kept.keep(similar, answer("mhc_1", asks(ASKED)))
    told = found(similar, asks(SAME))
    assert isinstance(told, Match)
    assert told.answer == answer("mhc_1", asks(ASKED))
    assert told.similarity == pytest.approx(cos(0.3), abs=1e-6)


def test_what_was_given_is_noted_with_the_text_that_it_was_given_to(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.3})
    kept.keep(similar, answer("mhc_1", asks(ASKED)))
    found(similar, asks(SAME))
    (pair,) = kept.store.wrong("mhc_1", NOW)
    assert (pair.text, pair.other) == (ASKED, SAME)
    assert pair.similarity == pytest.approx(cos(0.3), abs=1e-6)


def test_what_is_refused_is_noted_nowhere(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, OTHER: 0.1})
    kept.keep(similar, answer("mhc_1", asks(ASKED)))
    found(similar, asks(OTHER))
    assert kept.store.wrong("mhc_1", NOW) == []


def test_the_nearest_that_is_refused_is_told_with_what_the_guard_has_against_it(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, OTHER: 0.4, "What is the capital of Peru?": 0.2})
    kept.keep(similar, answer("mhc_1", asks(OTHER)), answer("mhc_2", asks("What is the capital of Peru?")))
    told = found(similar, asks(ASKED))
    assert told == NoMatch("mhc_2", told.similarity, guard.refusal(ASKED, "What is the capital of Peru?") or "")
    assert told.reason == snapshot("the names differ")
    assert told.similarity == pytest.approx(cos(0.2), abs=1e-6)


def test_the_nearest_that_fits_is_given_though_a_nearer_one_is_refused(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, OTHER: 0.1, SAME: 0.2, POLITELY: 0.3})
    kept.keep(similar, answer("mhc_1", asks(OTHER)), answer("mhc_2", asks(SAME)), answer("mhc_3", asks(POLITELY)))
    told = found(similar, asks(ASKED))
    assert isinstance(told, Match)
    assert told.answer.id == "mhc_2"


def test_where_there_is_nothing_near_nothing_is_told(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.9})
    assert found(similar, asks(ASKED)) == NoMatch()
    kept.keep(similar, answer("mhc_1", asks(SAME)))
    assert cos(0.9) < THRESHOLD
    assert found(similar, asks(ASKED)) == NoMatch("", None, "")


def test_only_so_many_are_looked_at(kept: Kept) -> None:
    others = [f"What is the capital of country {number}?" for number in range(CANDIDATES)]
    angles = {other: 0.1 + number / 100 for number, other in enumerate(others)}
    similar = kept.similar({ASKED: 0.0, SAME: 0.3, **angles})
    kept.keep(similar, answer("mhc_same", asks(SAME)))
    kept.keep(similar, *(answer(f"mhc_{number}", asks(other)) for number, other in enumerate(others[1:])))
    assert isinstance(found(similar, asks(ASKED)), Match)
    kept.keep(similar, answer("mhc_last", asks(others[0])))
    assert found(similar, asks(ASKED)).id == "mhc_last"


def test_what_is_too_old_or_gone_is_passed_over_and_not_told(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, OTHER: 0.1, "What is the capital of Peru?": 0.2, SAME: 0.3})
    old = answer("mhc_old", asks(OTHER), NOW - 61)
    kept.keep(similar, old, answer("mhc_gone", asks("What is the capital of Peru?"), NOW - 30))
    kept.store.clear(before=NOW - 60)
    near = Found(Neighbour("mhc_old", 0.99), Neighbour("mhc_never", 0.98), Neighbour("mhc_same", 0.97))
    assert found(kept.similar({ASKED: 0.0}, near), asks(ASKED)) == NoMatch()
    kept.keep(similar, answer("mhc_same", asks(SAME)))
    told = found(kept.similar({ASKED: 0.0}, near), asks(ASKED))
    assert isinstance(told, Match)
    assert (told.answer.id, told.similarity) == ("mhc_same", 0.97)
    assert found(similar, asks(ASKED), since=NOW - 10).answer.id == "mhc_same"
    assert found(similar, asks(ASKED), since=NOW + 1) == NoMatch()


def test_one_that_goes_while_it_is_looked_at_is_passed_over_and_not_told(kept: Kept) -> None:
    class Going(Responses):
        def get(self, id: str, since: float, at: float) -> KeptAnswer | None:
            if id == "mhc_1":
                self.clear()
            return super().get(id, since, at)

    going = Going(kept._path, 8 * 1024 * 1024, 3600)
    similar = Similar(going, kept.vectors, Angles({ASKED: 0.0, SAME: 0.1, OTHER: 0.2}), THRESHOLD)
    kept.keep(similar, answer("mhc_1", asks(SAME)), answer("mhc_2", asks(OTHER)))
    told = found(similar, asks(ASKED))
    assert (told.id, told.reason) == ("mhc_2", guard.refusal(ASKED, OTHER))
    going.close()


def test_the_answer_of_another_family_is_never_found(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.1})
    kept.keep(similar, answer("mhc_1", asks(SAME, "be long")))
    assert found(similar, asks(ASKED)) == NoMatch()


@pytest.mark.parametrize(
    "change",
    [{"family": "another"}, {"family": None}, {"parts": (b"another", b"x")}, {"parts": (b"x",)}, {"parts": ()}],
)
def test_what_the_vectors_found_by_mistake_is_refused(kept: Kept, change: dict[str, Any]) -> None:
    key = asks(SAME)
    vectors = Found(Neighbour("mhc_1", 0.9))
    kept.store.keep(replace(answer("mhc_1", key), **change))
    similar = kept.similar({ASKED: 0.0}, vectors)
    assert found(similar, asks(ASKED)) == NoMatch("mhc_1", 0.9, snapshot("something else differs"))
    kept.store.keep(answer("mhc_1", key))
    assert isinstance(found(similar, asks(ASKED)), Match)


def test_the_parts_before_are_compared_byte_for_byte(kept: Kept) -> None:
    key = asks(SAME)
    similar = kept.similar({ASKED: 0.0}, Found(Neighbour("mhc_1", 0.9)))
    kept.store.keep(replace(answer("mhc_1", key), parts=(key.parts[0].replace(b"brief", b"Brief"), key.parts[1])))
    assert found(similar, asks(ASKED)).reason == "something else differs"


def test_a_pair_that_somebody_has_found_wrong_is_never_given_again(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.1, POLITELY: 0.2})
    kept.keep(similar, answer("mhc_1", asks(ASKED)))
    assert isinstance(found(similar, asks(SAME)), Match)
    kept.store.wrong("mhc_1", NOW)
    kept.keep(similar, answer("mhc_2", asks(ASKED)))
    told = found(similar, asks(SAME))
    assert (told.id, told.reason) == ("mhc_2", snapshot("somebody has said that the two aren't the same"))
    assert isinstance(found(similar, asks(POLITELY)), Match)
    kept.store.clear()
    kept.keep(similar, answer("mhc_3", asks(SAME)))
    assert found(similar, asks(ASKED)).id == "mhc_3"


def test_what_was_never_embedded_is_not_found(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.1})
    kept.store.keep(answer("mhc_1", asks(ASKED)))
    assert found(similar, asks(SAME)) == NoMatch()


def test_what_the_database_cant_do_is_raised(kept: Kept) -> None:
    similar = kept.similar({ASKED: 0.0, SAME: 0.1})
    kept.keep(similar, answer("mhc_1", asks(ASKED)))
    kept.close()
    kept._path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(sqlite3.Error):
        similar.find(asks(SAME), 0, NOW, notes=True)


def test_with_the_real_model_the_same_question_in_other_words_is_found_and_another_one_is_not(kept: Kept) -> None:
    similar = Similar(kept.store, kept.vectors, WordLlamaEmbedder.load(), THRESHOLD)
    kept.keep(similar, answer("mhc_1", asks(ASKED)))
    assert isinstance(found(similar, asks(SAME)), Match)
    assert isinstance(found(similar, asks(OTHER)), NoMatch)
