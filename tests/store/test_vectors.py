"""The nearest of a family are found, whoever has added them; what has gone, is another's or too much isn't."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_hub.proxy.responses import VectorIndex
from mcp_hub.store import vectors as module
from mcp_hub.store.responses import Responses
from mcp_hub.store.vectors import Vectors
from tests.store.answers import HOUR, NOON, ROOM, answer, tables_agree


def towards(degrees: float) -> list[float]:
    """A vector in the plane, so that cosines are those of angles."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


@pytest.fixture
def vectors(path: Path) -> Iterator[Vectors]:
    opened = Vectors(path, "a model")
    yield opened
    opened.close()


def add(store: Responses, vectors: Vectors, family: str, *angles: int) -> None:
    """Keep an answer for each angle, called by it."""
    for angle in angles:
        store.keep(answer(f"{family}{angle}", family=family))
        vectors.add(family, f"{family}{angle}", towards(angle))


def near(vectors: Vectors, family: str = "f", angle: int = 0, most: int = 100, at_least: float = -1.0) -> list[str]:
    return [each.id for each in vectors.nearest(family, towards(angle), most, at_least)]


def test_it_is_what_the_cache_asks_for(vectors: Vectors) -> None:
    asked: VectorIndex = vectors
    assert asked.nearest("nobody's", towards(0), 5, 0.0) == []


def test_the_nearest_come_first_and_no_more_than_asked_for(store: Responses, vectors: Vectors) -> None:
    add(store, vectors, "f", 80, 10, 50, 0, 20, 170)
    assert near(vectors, most=3) == ["f0", "f10", "f20"]
    assert near(vectors, most=1) == ["f0"]
    assert near(vectors, most=0) == []
    assert near(vectors, angle=55) == ["f50", "f80", "f20", "f10", "f0", "f170"]
    assert near(vectors, at_least=0.6) == ["f0", "f10", "f20", "f50"]


def test_a_cosine_is_told_and_is_1_at_most(store: Responses, vectors: Vectors) -> None:
    add(store, vectors, "f", 60)
    (found,) = vectors.nearest("f", towards(0), 1, 0.0)
    assert found.id == "f60"
    assert found.similarity == pytest.approx(0.5)
    assert vectors.nearest("f", [2 * each for each in towards(60)], 1, 0.0)[0].similarity == 1.0


def test_families_and_models_are_never_mixed(store: Responses, path: Path, vectors: Vectors) -> None:
    add(store, vectors, "f", 0)
    add(store, vectors, "g", 10)
    with closing(Vectors(path, "another model")) as other:
        assert near(other) == []
        other.add("f", "f0", towards(90))
        assert near(other, angle=90, at_least=0.9) == ["f0"]
        assert near(vectors) == ["f0"]
        assert near(vectors, at_least=0.9) == ["f0"]
        assert near(vectors, "g") == ["g10"]


def test_a_new_vector_takes_the_place_of_the_one_before(store: Responses, vectors: Vectors) -> None:
    add(store, vectors, "f", 0, 90)
    assert near(vectors) == ["f0", "f90"]
    vectors.add("f", "f0", towards(180))
    assert near(vectors) == ["f90", "f0"]


def test_an_answer_that_isnt_kept_has_no_vector(store: Responses, path: Path, vectors: Vectors) -> None:
    vectors.add("f", "gone", towards(0))
    assert near(vectors) == []
    assert store.stats().bytes == 0


def test_a_vector_goes_with_its_answer_however_that_goes(store: Responses, path: Path, vectors: Vectors) -> None:
    add(store, vectors, "f", 0, 10, 20, 30, 40)
    assert len(near(vectors)) == 5
    store.wrong("f0", NOON)
    store.keep(answer("f11", digest="digest of f10"))
    assert near(vectors) == ["f20", "f30", "f40"]
    store.clear()
    assert near(vectors) == []
    add(store, vectors, "f", 5)
    assert near(vectors) == ["f5"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from response_vectors").fetchone() == (1,)


def test_what_others_add_and_drop_is_seen(store: Responses, path: Path, vectors: Vectors) -> None:
    with closing(Vectors(path, "a model")) as other:
        add(store, other, "f", 0, 10)
        assert near(vectors) == ["f0", "f10"]
        add(store, other, "f", 20)
        store.wrong("f0", NOON)
        assert near(vectors) == near(other) == ["f10", "f20"]


def test_who_lags_far_behind_reads_a_family_anew(store: Responses, path: Path, vectors: Vectors) -> None:
    add(store, vectors, "f", 0, 10, 20)
    assert len(near(vectors)) == 3
    store.wrong("f0", NOON)
    store.wrong("f20", NOON)
    with closing(sqlite3.connect(path)) as connection, connection:  # as when thousands more had gone
        connection.execute("delete from response_vectors_gone where number = 1")
    assert near(vectors) == ["f10"]


def test_so_many_numbers_of_what_has_gone_are_kept(store: Responses, path: Path, vectors: Vectors) -> None:
    add(store, vectors, "f", 0, 1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("insert into response_vectors_gone (number, vector) values (1, 900), (20000, 901)")
    store.wrong("f0", NOON)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select number from response_vectors_gone").fetchall() == [(20000,), (20001,)]
    assert near(vectors) == ["f1"]


def test_of_a_family_beyond_the_bound_the_newest_are_searched(store: Responses, path: Path) -> None:
    with closing(Vectors(path, "a model", most_bytes=16 * 8)) as small:  # 16 rows of two numbers
        add(store, small, "f", *range(40))
        assert near(small) == [f"f{angle}" for angle in range(24, 40)]
        add(store, small, "f", 40)
        assert near(small) == [f"f{angle}" for angle in range(27, 41)]  # a part of the room is free again
        add(store, small, "f", 41, 42)
        assert near(small) == [f"f{angle}" for angle in range(27, 43)]
        add(store, small, "f", *range(43, 83))
        assert near(small) == [f"f{angle}" for angle in range(67, 83)]


def test_families_beyond_the_bound_are_forgotten_and_read_again(store: Responses, path: Path) -> None:
    with closing(Vectors(path, "a model", most_bytes=40 * 8)) as small:
        for family in "fgh":
            add(store, small, family, 0, 1)
            near(small, family)
        assert list(small._families) == ["g", "h"]
        near(small, "g")
        assert near(small, "f") == ["f0", "f1"]
        assert list(small._families) == ["g", "f"]
        assert sum(each.held for each in small._families.values()) <= 40 * 8


def test_what_has_another_length_or_is_no_number_is_left_out(store: Responses, path: Path, vectors: Vectors) -> None:
    add(store, vectors, "f", 0, 10, 20, 30)
    vectors.add("f", "f0", [1.0, 0.0, 0.0])
    vectors.add("f", "f10", [math.nan, 0.0])
    vectors.add("f", "f20", [math.inf, -math.inf])
    assert near(vectors) == ["f30"]
    assert [each.id for each in vectors.nearest("f", [1.0, 0.0, 0.0], 5, 0.5)] == ["f0"]
    assert near(vectors, at_least=math.nan) == []
    assert vectors.nearest("f", [math.nan, 1.0], 5, -1.0) == []


def test_hostile_names_are_names(store: Responses, path: Path) -> None:
    name = 'it\'s "so" \x00 \ud800'
    store.keep(answer("a'; --", family=name))
    with closing(Vectors(path, name)) as vectors:
        vectors.add(name, "a'; --", towards(0))
        assert near(vectors, name) == ["a'; --"]


def test_after_an_error_it_goes_on(store: Responses, path: Path, vectors: Vectors) -> None:
    add(store, vectors, "f", 0)
    assert near(vectors) == ["f0"]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("alter table response_vectors_gone rename to elsewhere")
        with pytest.raises(sqlite3.OperationalError):
            near(vectors)
        connection.execute("alter table elsewhere rename to response_vectors_gone")
    assert near(vectors) == ["f0"]
    vectors.close()
    assert near(vectors) == ["f0"]


@settings(max_examples=20)
@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.booleans()), max_size=60),
    rows=st.sampled_from([7, 1000]),
)
def test_it_finds_what_a_plain_comparison_finds(fresh: Path, steps: list[tuple[bool, int, bool]], rows: int) -> None:
    store = Responses(fresh, ROOM, HOUR)
    store.clear()
    vectors = Vectors(fresh, "a model", most_bytes=rows * 8)
    there: list[int] = []
    for adds, angle, looks in steps:
        if adds:
            add(store, vectors, "f", angle)
            there = [*(each for each in there if each != angle), angle]
        elif angle in there:
            store.wrong(f"f{angle}", NOON)
            there.remove(angle)
        if looks:
            found = near(vectors)
            assert found == sorted(found, key=lambda id: int(id[1:]))
            assert set(found) <= {f"f{each}" for each in there}
            assert set(found) >= {f"f{each}" for each in (there if rows == 1000 else there[-1:])}
    store.close()
    vectors.close()
    tables_agree(fresh)


def test_the_best_of_many_are_found(store: Responses, vectors: Vectors, path: Path) -> None:
    random = np.random.default_rng(1)
    many = random.standard_normal((2_500, 32)).astype(np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "insert into response_vectors (id, embedder, family, size, vector) values (?, 'a model', 'f', 0, ?)",
            [(f"{row}", vector.tobytes()) for row, vector in enumerate(many)],
        )
    sought = many[7]
    expected = sorted(((float(cosine), f"{row}") for row, cosine in enumerate(many @ sought)), reverse=True)[:10]
    assert [each.id for each in vectors.nearest("f", sought.tolist(), 10, 0.1)] == [id for _, id in expected]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from response_vectors")
    assert module.READ_AT_ONCE < 2_500
