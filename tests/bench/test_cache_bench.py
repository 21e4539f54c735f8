"""The cache's bench counts pairs rightly, fills databases with what looks as if it had been kept, and measures hits."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bench.cache import entries, filling, latency, pairs
from bench.cache.filling import CONVERSATIONS, FAMILY, ROOM, TTL, Filling, Kind
from bench.cache.labelled import PARAPHRASE, Pair
from bench.cache.latency import Sizes
from mcp_hub.store.responses import Responses
from mcp_hub.store.vectors import Vectors
from tests.store.answers import tables_agree

THRESHOLD = 0.7


def pair(name: str, family: str, template: str, cosine: float, *, refused: bool) -> Pair:
    """A pair whose texts tell what `embed` and `refuses` are to say of them."""
    told = {"cosine": cosine, "refused": refused}
    return Pair(name, family == PARAPHRASE, family, template, "dev", json.dumps({"cosine": 1}), json.dumps(told))


def embed(text: str) -> Sequence[float]:
    cosine = json.loads(text)["cosine"]
    return (cosine, (1 - cosine**2) ** 0.5)


def refuses(text: str, other: str) -> str | None:
    return "the paths differ" if json.loads(other)["refused"] else None


HANDMADE = [
    pair("near-1", "path", "t1", 0.95, refused=True),  # only the field's threshold takes it
    pair("near-2", "path", "t1", 0.95, refused=False),  # everything takes it
    pair("near-3", "number", "t2", 0.5, refused=False),  # the guard takes it, but the vectors are far apart
    pair("near-4", "number", "t2", 0.5, refused=True),
    pair("same-1", PARAPHRASE, "p01", 0.8, refused=False),
    pair("same-2", PARAPHRASE, "p01", 0.95, refused=True),
    pair("same-3", PARAPHRASE, "p02", 0.7, refused=False),  # just near enough
    pair("same-4", PARAPHRASE, "p02", 0.92, refused=False),
    pair("same-5", PARAPHRASE, "p03", 0.69, refused=False),  # just not
]
JUDGED = pairs.judged(HANDMADE, embed, refuses, THRESHOLD)
DOCUMENT = {"threshold": THRESHOLD, "field_threshold": 0.92, "halves": {"dev": pairs.counted(JUDGED)}}


def test_pairs_are_counted_by_label_family_template_and_way() -> None:
    assert pairs.counted(JUDGED) == snapshot(
        {
            "near_misses": {"pairs": 4, "false_hits": {"path": 1, "guard": 2, "threshold": 2}},
            "by_family": {
                "path": {"pairs": 2, "false_hits": {"path": 1, "guard": 1, "threshold": 2}},
                "number": {"pairs": 2, "false_hits": {"path": 0, "guard": 1, "threshold": 0}},
            },
            "paraphrases": {"pairs": 5, "served": {"path": 3, "guard": 4, "threshold": 2}},
            "templates": {
                "templates": 3,
                "served_at_least_once": {"path": 2, "guard": 3, "threshold": 2},
                "served_always": {"path": 1, "guard": 2, "threshold": 0},
            },
        }
    )


def test_the_table_lines_up_and_says_what_was_reached() -> None:
    assert pairs.text(DOCUMENT) == snapshot("""\
                            pairs  real path  guard alone  cosine >= 0.92 alone

dev: near misses taken for the same
  path                          2    1   50%      1   50%               2  100%
  number                        2    0    0%      1   50%               0    0%
  all                           4    1   25%      2   50%               2   50%

dev: paraphrases served
  all                           5    3   60%      4   80%               2   40%
  templates, at least once      3    2   67%      3  100%               2   67%
  templates, always             3    1   33%      2   67%               0    0%

dev: 1 false hits (to reach: 0): MISSED; 60% of the paraphrases served (to reach: 60%): met.\
""")


def test_one_false_hit_of_the_real_path_is_told() -> None:
    assert pairs.false_hits(DOCUMENT) == 1
    without = [each for each in JUDGED if each.pair.id != "near-2"]
    assert pairs.false_hits({"halves": {"dev": pairs.counted(without)}}) == 0


def test_failures_are_listed_with_their_reasons_and_the_false_hits_first() -> None:
    assert [line for line in pairs.failures(JUDGED).splitlines() if not line.startswith(" ")] == snapshot(
        [
            "FALSE HIT  near-2  path  0.950  the guard has nothing against it",
            "missed  same-2  paraphrase  0.950  the paths differ",
            "missed  same-5  paraphrase  0.690  the vectors are too far apart",
        ]
    )


def test_failures_of_the_held_out_half_are_listed_only_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"dev": JUDGED[:1], "test": JUDGED}
    monkeypatch.setattr(pairs, "measured", lambda halves: ({**DOCUMENT, "halves": {}}, {h: both[h] for h in halves}))
    for arguments, listed in (([], False), (["--half", "test"], True)):
        monkeypatch.setattr(sys, "argv", ["pairs", "--failures", *arguments])
        pairs.main()
        assert ("near-2" in capsys.readouterr().out) == listed


class Lengths:
    """An Embedder whose vectors tell a text's length."""

    name = "lengths"

    def embed(self, text: str) -> Sequence[float]:
        """Two numbers."""
        return (len(text) / 1000, (1 - (len(text) / 1000) ** 2) ** 0.5)


@pytest.mark.parametrize("kind", [CONVERSATIONS, FAMILY])
def test_copies_are_in_the_database_as_if_they_had_been_kept(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "REAL", 3)
    monkeypatch.setattr(filling, "ORIGINALS", 2)
    monkeypatch.setattr(filling, "AT_ONCE", 4)
    copied = Filling(tmp_path / "copied", kind, Lengths())
    assert len(copied.grow(2)) == 2
    assert len(copied.grow(12)) == 3
    tables_agree(copied.path)
    monkeypatch.setattr(filling, "REAL", 12)
    kept = Filling(tmp_path / "kept", kind, Lengths())
    kept.grow(12)
    assert copied.stats().entries == kept.stats().entries == 12
    assert copied.stats().bytes == pytest.approx(kept.stats().bytes, rel=0.05)
    assert copied.stats().unshared_bytes == pytest.approx(kept.stats().unshared_bytes, rel=0.05)


def test_what_may_be_asked_for_is_found_among_the_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "REAL", 3)
    filled = Filling(tmp_path, FAMILY, Lengths())
    filled.grow(16)
    assert filled.kept == range(13, 16)
    store, vectors = Responses(filled.path, ROOM, TTL), Vectors(filled.path, Lengths.name)
    keys = [filled.key(number) for number in filled.kept]
    for number, key in zip(filled.kept, keys, strict=True):
        found = store.find(key.digest, 0, 0)
        assert found is not None
        assert (found.id, found.parts) == (entries.id_of(number), key.parts)
    near = vectors.nearest(str(keys[0].family), Lengths().embed(""), 20, -1)
    assert {each.id for each in near} == {entries.id_of(number) for number in range(16)}
    store.close()
    vectors.close()


def test_no_two_questions_are_the_same_and_a_request_has_100_kb() -> None:
    assert len({entries.question(number) for number in range(2_000)}) == 2_000
    for body in (entries.conversation(7), entries.asking(entries.question(7))):
        assert len(body) == pytest.approx(100_000, rel=0.01)


def test_hits_are_measured_through_a_real_proxy(tmp_path: Path) -> None:
    sizes = Sizes(entries=(10,), rounds=2, requests=2, files=(5,), proofs=2)
    found = latency.measured(tmp_path, sizes, lambda _: None, [CONVERSATIONS])
    of = found["exact"]["10"]
    assert of["not_found"] == 0
    assert len(of["ratios"]) == 2
    assert min(of[name]["median"] for name in ("hit_ms", "looked_up_ms", "unlooked_ms", "keep_ms")) > 0
    assert list(tmp_path.glob("*/")) == []
    assert "exact hits: " in latency.text(found)
