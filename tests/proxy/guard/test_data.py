"""The guard's data: frames and groups that can't make two requests one by mistake."""

import tomllib
from collections import Counter

import pytest

from mcp_hub.proxy.guard import frames, words
from mcp_hub.proxy.guard.frames import SLOTS, pattern_tokens, wordings_of
from mcp_hub.proxy.guard.literals import Token
from mcp_hub.proxy.guard.questions import kind_of
from mcp_hub.proxy.guard.words import Lexicon

LEXICON = Lexicon.shipped()
LEXICON_DATA = tomllib.loads(words.TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def all_frames() -> list[list[tuple[Token, ...]]]:
    data = tomllib.loads(frames.TABLE.read_text(encoding="utf-8"))
    return [
        [pattern_tokens(wording, LEXICON) for wording in wordings]
        for frame in data["frames"]
        for wordings in wordings_of(frame)
    ]


def test_every_wording_of_a_frame_has_the_slots_of_the_first(all_frames: list[list[tuple[Token, ...]]]) -> None:
    """A slot that is in one wording only would drop what stands in it, or add what nobody said."""

    def slots_of(tokens: tuple[Token, ...]) -> list[str]:
        return sorted("V" if token.text[0] == "V" else token.text for token in tokens if token.kind == "slot")

    wrong = [
        (wordings[0], each) for wordings in all_frames for each in wordings if slots_of(each) != slots_of(wordings[0])
    ]
    assert wrong == []


def test_every_wording_has_words_of_its_own_and_no_slot_is_taken_for_a_name(
    all_frames: list[list[tuple[Token, ...]]],
) -> None:
    for tokens in (tokens for wordings in all_frames for tokens in wordings):
        assert any(token.kind != "slot" for token in tokens)
        assert not [token for token in tokens if token.kind == "name" and token.text in SLOTS]


VERBS = [group["says"] for group in LEXICON_DATA["verbs"]["groups"]]


@pytest.mark.parametrize("groups", [LEXICON_DATA["same"], VERBS], ids=["same", "verbs"])
def test_no_phrase_is_in_two_groups(groups: list[list[str]]) -> None:
    counts = Counter(phrase for group in groups for phrase in group)
    assert [phrase for phrase, count in counts.items() if count > 1] == []


ANTONYMS = """
enable disable | add remove | open close | start stop | show hide | lock unlock | increase decrease | upgrade downgrade
push pull | import export | include exclude | allow deny | first last | before after | up down | on off | all some
split merge | read write | encode decode | encrypt decrypt | install uninstall | mount unmount | attach detach
expand collapse | ascending descending | sync async | true false | public private | input output | left right
create delete | find fix | review fix | list count | explain fix | build deploy | test deploy | commit push | copy move
rename move | revert undo | run debug | format lint | in on | for with | with without | a all | one all | file directory
test tests | function class | branch tag | error warning | frontend backend | staging production | get set
"""


@pytest.mark.parametrize("pair", [pair.split() for pair in ANTONYMS.replace("\n", "|").split("|") if pair.strip()])
def test_words_with_other_meanings_never_have_one_stand_for_both(pair: list[str]) -> None:
    for group in (*LEXICON_DATA["same"], *VERBS):
        assert not set(pair) <= set(group)


def test_verbs_have_the_forms_that_people_write() -> None:
    found = {form: LEXICON.forms[form] for form in ("ran", "running", "fixes", "retries", "written", "used", "caches")}
    assert found == {
        "ran": ("run", "ed"),
        "running": ("run", "ing"),
        "fixes": ("fix", "s"),
        "retries": ("retry", "s"),
        "written": ("write", "ed"),
        "used": ("use", "ed"),
        "caches": ("cache", "s"),
    }


def test_no_wording_that_asks_whether_stands_for_one_that_asks_otherwise(
    all_frames: list[list[tuple[Token, ...]]],
) -> None:
    """`have x do y` would read as the question whether x does it. Only who is told to find out asks whether."""
    mixed = [
        (wordings[0], each)
        for wordings in all_frames
        for each in wordings
        if (kind_of(each) == "whether") != (kind_of(wordings[0]) == "whether")
        and not (kind_of(wordings[0]) == "whether" and {token.text for token in each} & {"if", "whether", "is", "can"})
    ]
    assert mixed == []


def test_a_phrase_is_the_only_one_that_a_wording_has(all_frames: list[list[tuple[Token, ...]]]) -> None:
    """A place could belong to either of two."""
    for tokens in (tokens for wordings in all_frames for tokens in wordings):
        slots = [token.text for token in tokens if token.kind == "slot"]
        assert len([slot for slot in slots if slot == "X"]) <= 1
        assert len([slot for slot in slots if slot == "O"]) <= 1
