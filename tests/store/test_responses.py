"""Kept answers come back as they were or not at all; they share their parts, keep within their room, and tell."""

import json
import os
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.proxy.responses import KeptAnswer, ResponseStore
from mcp_hub.store import connection as connections
from mcp_hub.store import responses as module
from mcp_hub.store.database import database_file
from mcp_hub.store.responses import Responses, Stats, WrongPair
from mcp_hub.store.vectors import Vectors
from tests.store.answers import HOUR, NOON, ROOM, answer, keepers, numbered, tables_agree

HOSTILE = 'it\'s "so"; drop table responses; -- \x00 \ud800 \U0001f600 %s'


def change(path: Path, sql: str, *values: object) -> None:
    """Change the database behind the store's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


def read(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def ids(store: Responses) -> list[str]:
    return [each.id for each in store.list(1000)]


def size_of(path: Path, kept: KeptAnswer) -> int:
    """What an answer takes when it is alone."""
    store = Responses(path, ROOM, HOUR)
    store.keep(kept)
    size = store.stats().bytes
    store.clear()
    store.close()
    return size


def test_it_is_what_the_cache_asks_for(store: Responses) -> None:
    asked: ResponseStore = store
    assert asked.find("digest of a", 0, NOON) is None


@pytest.mark.parametrize(
    "kept",
    [
        answer("a", b"head" * 5_000, b"first", b"again", b"again"),
        answer("a", family="f" * 64, text=HOSTILE),
        answer("a", b"", stream=b"", pace=(), message=bytes(range(256)) * 9),
        answer("a", dollars=10**30),
        answer("a", key="", team="", model="o'neill \x00 \u00e9", upstream="x"),
    ],
    ids=["long and repeated parts", "hostile text", "empty and incompressible", "absurd count", "odd names"],
)
def test_an_answer_is_found_as_it_was_kept_by_its_request_and_by_its_id(store: Responses, kept: KeptAnswer) -> None:
    store.keep(kept)
    assert store.find(kept.digest, NOON, NOON) == kept
    assert store.get("a", NOON, NOON) == kept
    assert store.find("a", 0, NOON) is None
    assert store.get(kept.digest, 0, NOON) is None


def test_names_that_are_no_text_are_kept_with_marks_in_place_of_what_isnt(store: Responses) -> None:
    store.keep(answer("a", model="m\ud800", key="k\udfff"))
    found = store.find("digest of a", 0, NOON)
    assert found is not None
    assert (found.model, found.key) == ("m?", "k?")
    assert store.clear(key="k\udfff") == 1


def test_an_answer_that_was_kept_too_early_isnt_served(store: Responses) -> None:
    store.keep(answer("a"))
    assert store.find("digest of a", NOON + 0.001, NOON + 1) is None
    assert store.get("a", NOON + 0.001, NOON + 1) is None
    assert store.texts(["a"], NOON + 0.001) == {}
    assert store.find("digest of a", NOON, NOON + 1) is not None


def test_an_answer_past_its_age_isnt_served_though_it_is_still_there(store: Responses) -> None:
    store.keep(answer("a"))
    assert store.find("digest of a", 0, NOON + HOUR) is not None
    assert store.find("digest of a", 0, NOON + HOUR + 1) is None
    assert ids(store) == ["a"]


def test_old_answers_are_dropped_when_another_is_kept(store: Responses) -> None:
    store.keep(answer("old"))
    store.keep(answer("young", kept_at=NOON + 10))
    store.keep(answer("new", kept_at=NOON + HOUR + 5))
    assert set(ids(store)) == {"young", "new"}


def test_a_newer_answer_takes_the_place_of_one_to_the_same_request(store: Responses) -> None:
    store.keep(answer("a", digest="same"))
    store.keep(answer("b", digest="same", message=b"another"))
    assert store.get("a", 0, NOON) is None
    found = store.find("same", 0, NOON)
    assert found is not None
    assert found.message == b"another"
    store.keep(answer("b", digest="other"))
    assert store.find("same", 0, NOON) is None
    assert store.stats().entries == 1


def test_a_part_that_requests_share_is_kept_once(store: Responses, path: Path) -> None:
    head = Random(1).randbytes(90_000)  # which can't be compressed
    for number in range(10):
        store.keep(answer(f"a{number}", head, *(b"turn %d" % turn for turn in range(number + 1))))
    stats = store.stats()
    assert 90_000 < stats.bytes < 120_000
    assert stats.unshared_bytes > 900_000
    ((stored, count),) = read(path, "select sum(length(body)), count(*) from response_part_bodies")
    assert isinstance(stored, int)
    assert stored < 91_000
    assert count == 11


def test_what_can_be_is_kept_compressed(store: Responses) -> None:
    store.keep(answer("a", b"the same words " * 10_000, message=b"and again " * 10_000, stream=b"more " * 10_000))
    assert store.stats().bytes < 10_000


def test_a_part_goes_with_its_last_user(store: Responses, path: Path) -> None:
    store.keep(answer("a", b"shared", b"only a's"))
    store.keep(answer("b", b"shared", b"only b's"))
    store.wrong("a", NOON)
    assert read(path, "select users from response_parts") == [(1,), (1,)]
    assert store.get("b", 0, NOON) == answer("b", b"shared", b"only b's")
    store.wrong("b", NOON)
    assert read(path, "select * from response_part_bodies") == []
    assert store.stats().bytes == 0


def test_the_least_recently_used_goes_when_room_is_short(path: Path) -> None:
    kept = [numbered(number) for number in range(12)]
    with closing(Responses(path, ROOM, HOUR)) as store:
        for each in kept[:10]:
            store.keep(each)
        room = store.stats().bytes
        assert store.find(kept[0].digest, 0, NOON + 100) is not None
        assert store.get(kept[1].id, 0, NOON + 101) is not None
    with closing(Responses(path, room, HOUR)) as store:
        for each in kept[10:]:
            store.keep(each)
        assert ids(store) == ["n1", "n0", *(f"n{number}" for number in range(11, 3, -1))]
        assert store.stats().bytes <= room
    tables_agree(path)


def test_a_use_is_written_once_a_minute(store: Responses, path: Path) -> None:
    store.keep(answer("a"))
    with closing(sqlite3.connect(path)) as watching:

        def version() -> int:
            return int(watching.execute("pragma data_version").fetchone()[0])

        before = version()
        assert store.find("digest of a", 0, NOON + 59) is not None
        assert version() == before
        assert store.find("digest of a", 0, NOON + 60) is not None
        assert version() != before
        before = version()
        assert store.get("a", 0, NOON + 119) is not None
        assert version() == before
    assert [each.used_at for each in store.list(1)] == [NOON + 60]


def test_looking_at_an_answer_is_no_use(store: Responses) -> None:
    store.keep(answer("a"))
    assert store.get("a", 0, 0) == answer("a")
    assert [each.used_at for each in store.list(1)] == [NOON]


def test_an_answer_that_would_take_too_much_of_the_room_isnt_kept(path: Path) -> None:
    small, large = answer("a", digest="same"), answer("b", Random(1).randbytes(9_000), digest="same")
    store = Responses(path, 8 * size_of(path, large) - 1, HOUR)
    store.keep(small)
    store.keep(large)
    assert store.find("same", 0, NOON) == small
    store.close()
    store = Responses(path, 8 * size_of(path, large), HOUR)
    store.keep(large)
    assert store.find("same", 0, NOON) == large
    store.close()


def test_however_much_is_to_be_dropped_other_writers_have_their_turn(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DROPPED_AT_ONCE", 3)
    store = Responses(path, ROOM, HOUR)
    for number in range(20):
        store.keep(numbered(number))
    store.close()
    statements: list[str] = []
    store = Responses(path, 12 * size_of_one(path), HOUR)
    with store._writing.transaction() as connection:
        connection.set_trace_callback(statements.append)
    store.keep(numbered(20))
    assert statements.count("COMMIT") + statements.count("commit") > 2
    assert store.stats().bytes <= 12 * size_of_one(path)
    assert "n20" in ids(store)
    store.keep(numbered(20 + int(HOUR)))
    assert ids(store) == [f"n{20 + int(HOUR)}", "n20"]
    store.close()
    tables_agree(path)


def size_of_one(path: Path) -> int:
    ((size,),) = read(path, "select max(size + parts_size) from responses")
    assert isinstance(size, int)
    return size


DAMAGE = {
    "message": "update response_contents set message = x'3d00'",
    "message that isn't there": "update response_contents set message = x''",
    "stream": "update response_contents set stream = substr(stream, 1, length(stream) - 1)",
    "pace": "update response_contents set pace = x'3d'",
    "text": "update response_contents set text = x'ff'",
    "usage": "update response_contents set usage = '{}'",
    "list of parts": "update response_contents set parts = '[1]'",
    "list that is none": "update response_contents set parts = '[1,'",
    "type": "update response_contents set message = 5",
    "family": "update responses set family = 'other'",
    "key": "update responses set key = 'other'",
    "model that is no text": "update responses set model = cast(x'ff' as text)",
    "time": "update responses set kept_at = kept_at + 1",
    "digest": "update responses set digest = 'other'",
    "checksum": "update responses set checksum = x'00'",
    "part": "update response_part_bodies set body = x'3d00' where number = 2",
    "compressed part": "update response_part_bodies set body = x'7a00' where number = 1",
    "part's digest": "update response_parts set digest = x'00' where number = 1",
    "part that isn't there": "delete from response_parts where number = 2",
    "body that isn't there": "delete from response_part_bodies where number = 2",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_answer_that_isnt_what_was_kept_is_dropped_and_not_served(path: Path, damage: str) -> None:
    kept = answer("a", b"long " * 100, b"short", family="f", text="who?")
    with closing(Responses(path, ROOM, HOUR)) as store:
        store.keep(kept)
    change(path, damage)
    with closing(Responses(path, ROOM, HOUR)) as store:
        assert store.get("a", 0, NOON) is None
        assert read(path, "select * from responses") == []
        assert store.find(kept.digest, 0, NOON) is None
        store.keep(kept)
        assert store.find(kept.digest, 0, NOON) == kept


def test_no_entry_is_served_a_part_that_was_found_damaged(path: Path) -> None:
    with closing(Responses(path, ROOM, HOUR)) as store:
        for name in "ab":
            store.keep(answer(name, b"shared", name.encode()))
    change(path, "update response_part_bodies set body = x'3d00' where number = 1")
    with closing(Responses(path, ROOM, HOUR)) as store:
        assert store.get("a", 0, NOON) is None
        store.keep(answer("c", b"shared", b"c"))
        assert store.get("b", 0, NOON) is None
        assert store.get("c", 0, NOON) == answer("c", b"shared", b"c")
    tables_agree(path)


def test_texts_of_answers_are_told_by_their_ids(store: Responses) -> None:
    store.keep(answer("a", family="f", text=HOSTILE))
    store.keep(answer("b", family="f", text="b's"))
    assert store.texts(["b", "gone", "a"], 0) == {"b": "b's", "a": HOSTILE}
    assert store.texts([], 0) == {}


def test_a_wrong_answer_is_dropped_and_its_pairs_are_wrong_both_ways(store: Responses) -> None:
    store.keep(answer("a", family="f", text=HOSTILE))
    store.served_similar("a", "one", 0.9, NOON)
    store.served_similar("a", "two\x00\ud800", 0.8, NOON + 1)
    assert not store.is_wrong("f", HOSTILE, "one")
    pairs = [WrongPair("f", HOSTILE, "two\x00\ud800", 0.8, NOON + 2), WrongPair("f", HOSTILE, "one", 0.9, NOON + 2)]
    assert store.wrong("a", NOON + 2) == pairs
    assert store.wrong_pairs() == pairs
    assert store.get("a", 0, NOON) is None
    assert store.is_wrong("f", HOSTILE, "one")
    assert store.is_wrong("f", "one", HOSTILE)
    assert store.is_wrong("f", "two\x00\ud800", HOSTILE)
    assert not store.is_wrong("g", HOSTILE, "one")
    assert not store.is_wrong("f", "one", "two\x00\ud800")
    assert not store.is_wrong("f", HOSTILE, "two")


def test_texts_are_compared_whole_and_not_run_together(store: Responses) -> None:
    store.keep(answer("a", family="f", text="ab"))
    store.served_similar("a", "c", 0.9, NOON)
    store.wrong("a", NOON)
    assert not store.is_wrong("f", "a", "bc")
    assert not store.is_wrong("fa", "b", "c")
    assert store.is_wrong("f", "ab", "c")


def test_an_id_that_isnt_kept_cant_be_wrong(store: Responses) -> None:
    store.keep(answer("mhc_0123"))
    with pytest.raises(CallerError) as caught:
        store.wrong("mhc_0124", NOON)
    assert str(caught.value) == snapshot(
        "There is no kept answer 'mhc_0124'. Did you mean 'mhc_0123'? It may have been dropped already; "
        "`mcp_hub cache show` lists what is kept."
    )
    with pytest.raises(CallerError, match="There is no kept answer"):
        store.wrong(HOSTILE, NOON)
    assert store.get("mhc_0123", 0, NOON) is not None


def test_the_last_texts_that_an_answer_was_given_to_are_kept(store: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAIRS", 3)
    store.keep(answer("a", family="f", text="asked"))
    for text in ("1", "2", "3", "4", "2", "5"):
        store.served_similar("a", text, 0.9, NOON)
    assert [each.similar for each in store.list(1)] == [6]
    assert [pair.other for pair in store.wrong("a", NOON)] == ["5", "2", "4"]


def test_what_has_gone_or_stands_alone_is_given_to_no_similar_request(store: Responses, path: Path) -> None:
    store.keep(answer("alone"))
    store.served_similar("alone", "x", 0.9, NOON)
    store.served_similar("gone", "x", 0.9, NOON)
    assert read(path, "select * from response_pairs") == []
    assert store.wrong("alone", NOON) == []


def test_wrong_pairs_are_bounded_and_the_oldest_go(store: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WRONG", 2)
    for text in ("1", "2", "1", "3"):
        store.keep(answer("a", family="f", text="asked"))
        store.served_similar("a", text, 0.9, NOON)
        store.wrong("a", NOON)
    assert [pair.other for pair in store.wrong_pairs()] == ["3", "1"]
    assert not store.is_wrong("f", "asked", "2")


@pytest.mark.parametrize(
    ("conditions", "left"),
    [
        ({}, ""),
        ({"key": "one"}, "cd"),
        ({"key": ""}, "abc"),
        ({"model": "claude-opus-*"}, "ad"),
        ({"model": "claude-[!o]*"}, "bc"),
        ({"model": "claude"}, "abcd"),
        ({"before": NOON + 2}, "cd"),
        ({"key": "one", "model": "*opus*", "before": NOON + 9}, "acd"),
        ({"key": "one' or 1 --"}, "abcd"),
    ],
    ids=str,
)
def test_what_fits_all_conditions_is_cleared(
    store: Responses, conditions: dict[str, object], left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DROPPED_AT_ONCE", 1)
    for number, (name, key, model) in enumerate(
        [("a", "one", "sonnet"), ("b", "one", "opus-4"), ("c", "two", "opus-4"), ("d", "", "sonnet")]
    ):
        store.keep(answer(name, key=key, model=f"claude-{model}", kept_at=NOON + number))
    assert store.clear(**conditions) == 4 - len(left)  # type: ignore[arg-type]
    assert "".join(sorted(ids(store))) == left


def test_entries_are_listed_by_their_last_use_with_the_beginning_of_what_was_asked(store: Responses) -> None:
    def message(role: str, *texts: str) -> bytes:
        return json.dumps({"role": role, "content": [{"type": "text", "text": text} for text in texts]}).encode()

    store.keep(answer("text", family="f", text="\ud800" + "x" * 100))
    tool = b'{"role":"user","content":[{"type":"tool_result","content":"no"}]}'
    store.keep(answer("said", b"{}", message("user", "a", "b" * 81), message("assistant", "c"), tool))
    store.keep(answer("none", b"head", b"[" * 100_000, b'{"role":"user","content":null}', message("system", "s")))
    assert store.get("text", 0, NOON + 60)
    rows = store.list(2)
    assert [(each.id, each.text, each.used_at) for each in rows] == [
        ("text", "\ufffd" * 3 + "x" * 77, NOON + 60),
        ("none", "", NOON),
    ]
    said = store.list(9)[2]
    assert (said.id, said.key, said.model, said.kept_at, said.similar) == ("said", "ci", "claude-sonnet-4-6", NOON, 0)
    assert said.text == "b" * 80
    assert 500 < said.size < 3_000


def test_all_entries_are_counted_together(store: Responses) -> None:
    assert store.stats() == Stats(0, 0, 0, None, None, {}, {})
    store.keep(answer("a", b"x", b"y", key="", kept_at=NOON - 5))
    alone = store.stats()
    assert alone.bytes == alone.unshared_bytes == store.list(1)[0].size
    store.keep(answer("b", b"x", b"z"))
    store.keep(answer("c", b"x", b"z"))
    stats = store.stats()
    assert stats.unshared_bytes == 3 * alone.bytes > stats.bytes
    assert stats == Stats(
        3, stats.bytes, stats.unshared_bytes, NOON - 5, NOON, {"ci": 2, "": 1}, {"claude-sonnet-4-6": 3}
    )


def test_while_another_process_writes_answers_are_found_and_keeping_one_fails_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.05)
    store = Responses(path, ROOM, HOUR)
    store.keep(answer("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        assert store.find("digest of a", 0, NOON) == answer("a")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.keep(answer("b"))
        other.execute("rollback")
    assert store.find("digest of b", 0, NOON) is None
    store.keep(answer("b"))
    assert store.find("digest of b", 0, NOON) == answer("b")
    store.close()
    tables_agree(path)


def test_a_store_that_was_closed_opens_again(store: Responses) -> None:
    store.keep(answer("a"))
    store.close()
    assert store.get("a", 0, NOON) == answer("a")


def test_threads_keep_and_find_at_once(path: Path) -> None:
    store = Responses(path, ROOM, HOUR)

    def use(start: int) -> list[KeptAnswer | None]:
        for number in range(start, start + 20):
            store.keep(numbered(number))
        return [store.find(numbered(number).digest, 0, NOON + 100) for number in range(start, start + 20)]

    with ThreadPoolExecutor(4) as threads:
        found = [each for some in threads.map(use, (0, 10, 20, 30)) for each in some]
    assert found == [numbered(number) for start in (0, 10, 20, 30) for number in range(start, start + 20)]
    store.close()
    tables_agree(path)


def test_processes_keep_in_one_database_and_find_each_others(path: Path) -> None:
    store = Responses(path, ROOM, HOUR)
    with keepers(path, count=40) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("100\n")
        process.stdout.readline()  # it is at it
        for number in range(40):
            store.keep(numbered(number))
        while process.stdout.readline() != "ended\n":
            pass
    for number in (*range(40), *range(100, 140)):
        assert store.find(numbered(number).digest, 0, NOON) == numbered(number)
    store.close()
    tables_agree(path)


def test_a_killed_process_leaves_whole_entries_only(path: Path) -> None:
    store = Responses(path, ROOM, HOUR)
    store.keep(numbered(0))
    room = 10 * store.stats().bytes
    with keepers(path, room) as process:
        assert process.stdin
        assert process.stdout
        for kill in range(1, 9):
            process.stdin.write(f"{1000 * kill}\n")
            for _ in range(3 * kill):
                pid, last = process.stdout.readline().split()
            for _ in range(kill * kill):  # so much later
                store.find("nobody's", 0, NOON)
            os.kill(int(pid), signal.SIGKILL)
            while (line := process.stdout.readline()) != "ended\n":
                last = line.split()[1]
            tables_agree(path)
            kept = ids(store)
            assert kept
            assert f"n{last}" in kept  # it was told, so it is committed
            assert [store.get(id, 0, NOON) for id in kept] == [numbered(int(id[1:])) for id in kept]
            assert store.stats().bytes <= room
    store.close()


@pytest.fixture(scope="module")
def shared_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield database_file(Path(folder))


NUMBERS = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("keep"), NUMBERS, st.lists(st.sampled_from([b"a", b"b" * 300, b"c"]), max_size=4)),
    st.tuples(st.just("clear"), st.sampled_from(["k0", "k1", None]), st.none()),
    st.tuples(st.just("wrong"), NUMBERS, st.none()),
    st.tuples(st.just("similar"), NUMBERS, st.sampled_from(["x", "y", "z" * 500])),
    st.tuples(st.just("vector"), NUMBERS, st.none()),
    st.tuples(st.just("find"), NUMBERS, st.none()),
)


@settings(max_examples=30)
@given(steps=st.lists(STEPS, max_size=12), room=st.sampled_from([ROOM, 16_000]))
def test_after_any_sequence_users_and_sums_are_what_is_really_there(
    shared_path: Path, steps: list[tuple[str, int | str | None, list[bytes] | str | None]], room: int
) -> None:
    store, vectors = Responses(shared_path, room, HOUR), Vectors(shared_path, "e")
    store.clear()
    assert store.stats().bytes == 0
    expected: dict[str, KeptAnswer] = {}
    for at, (step, which, what) in enumerate(steps):
        if step == "keep" and isinstance(which, int) and isinstance(what, list):
            kept = answer(f"{which}", *what, key=f"k{which % 2}", family="f", text=f"{which}", kept_at=NOON + at)
            store.keep(kept)
            expected[f"{which}"] = kept
        elif step == "clear" and not isinstance(which, int):
            store.clear(key=which)
            expected = {id: kept for id, kept in expected.items() if which not in (None, kept.key)}
        elif step == "wrong" and store.get(f"{which}", 0, NOON) is not None:
            store.wrong(f"{which}", NOON)
            expected.pop(f"{which}")
        elif step == "similar":
            store.served_similar(f"{which}", str(what), 0.9, NOON)
        elif step == "vector":
            vectors.add("f", f"{which}", [0.6, 0.8])
        else:
            store.find(f"digest of {which}", 0, NOON + 60 * at)
    found = {id: store.get(id, 0, 0) for id in ids(store)}
    assert found == (expected if room == ROOM else {id: expected[id] for id in found})
    store.close()
    vectors.close()
    tables_agree(shared_path)
