"""Runs: what was played is kept, and played anew when its sources have changed."""

from pathlib import Path

from bench.graded.agents import Conversation, Turn
from bench.graded.modes import Mode
from bench.graded.runs import HubFacts, Kept, Place, Played, digests
from bench.graded.task import Answer, Call

PLACE = Place(96, Mode.HUB, "letter-amount")
TALK = Conversation(
    [Turn((Call("", "listToolFiles", {"query": "x"}),), (Answer("none", is_error=True),))], "412.50", 0.25
)
DIGESTS = {Mode.DIRECT: "one", Mode.HUB: "two"}


def test_a_run_that_broke_off_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "played.jsonl", DIGESTS)
    kept.add(Played(PLACE, TALK, True))
    kept.add_facts(96, HubFacts("Servers: files", [{"name": "listToolFiles"}]))
    again = Kept(tmp_path / "played.jsonl", DIGESTS)
    assert again.get(PLACE) == Played(PLACE, TALK, True)
    assert again.facts == {96: HubFacts("Servers: files", [{"name": "listToolFiles"}])}
    assert again.get(Place(251, Mode.HUB, "letter-amount")) is None


def test_what_was_played_by_other_sources_is_played_anew(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "played.jsonl", DIGESTS)
    kept.add(Played(PLACE, TALK, True))
    kept.add_facts(96, HubFacts("", []))
    changed = Kept(tmp_path / "played.jsonl", {Mode.DIRECT: "one", Mode.HUB: "three"})
    assert changed.get(PLACE) is None
    assert changed.facts == {}


def test_a_direct_run_doesnt_depend_on_the_hubs_sources() -> None:
    of = digests()
    assert of[Mode.DIRECT] != of[Mode.HUB]
    assert digests() == of
