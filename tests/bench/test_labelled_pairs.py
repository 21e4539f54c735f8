"""The labelled pairs: enough of each kind, none twice, and nothing of one half to be met in the other."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from bench.cache.labelled import PARAPHRASE, REWORDED, Pair, pairs, parsed

DEV = frozenset(
    {"path", "number", "negation", "antonym", "order", "kind", "quantifier", "version", "branch"},
)
TEST = frozenset(
    {"extension", "identifier", "quoted", "url", "code", "plural", "tense", "roles", "condition", "object", "scope"}
    | {"antonym-unseen"},
)

FILLER = re.compile(
    r"\b(please|thanks|hey|hi|can you|could you|would you mind|i'd like you to|go ahead and|quick question|tell me)\b"
)

EVERY = pairs()
SAME = [pair for pair in EVERY if pair.same]
NEAR = [pair for pair in EVERY if not pair.same]


def halves(of: Callable[[Pair], Iterable[str]], among: Iterable[Pair] = EVERY) -> dict[str, set[str]]:
    """The halves in which each of a pair's things is met."""
    met: dict[str, set[str]] = defaultdict(set)
    for pair in among:
        for thing in of(pair):
            met[thing].add(pair.half)
    return met


def plain(text: str) -> str:
    """A request without case and punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))


def literals(text: str) -> set[str]:
    """What fills a request: what is quoted, paths, versions, numbers, names that no plain word looks like."""
    quoted = {second or first for first, second in re.findall(r'"([^"]+)"|`([^`]+)`', text)}
    words = (word.strip("`\"'(),;:?!.") for word in text.split())
    return {
        each.lower() for each in (*quoted, *(word for word in words if re.search(r"\w[./_:@#-]\w|\d|[a-z][A-Z]", word)))
    }


def test_there_are_enough_pairs_of_both_labels_in_both_halves() -> None:
    assert len(EVERY) >= 600
    assert len(SAME) >= 300
    assert len(NEAR) >= 360
    counts = Counter((pair.half, pair.same) for pair in EVERY)
    assert counts[("dev", True)] == counts[("test", True)]
    assert min(counts.values()) >= 180, counts


def test_a_half_is_its_pairs_and_both_are_all() -> None:
    dev, test = pairs("dev"), pairs("test")
    assert {pair.half for pair in dev} == {"dev"}
    assert {pair.half for pair in test} == {"test"}
    assert {*dev, *test} == set(EVERY)
    assert len(dev) + len(test) == len(EVERY)


def test_a_half_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no half 'train'"):
        pairs("train")


def test_near_misses_are_divided_by_family_and_each_family_has_enough() -> None:
    counts = Counter((pair.half, pair.family) for pair in NEAR)
    assert set(counts) == {("dev", family) for family in DEV} | {("test", family) for family in TEST}
    assert min(counts.values()) >= 18, counts


def test_paraphrases_are_divided_by_template_and_each_template_has_enough_fillings() -> None:
    counts = Counter(pair.template for pair in SAME)
    assert len(counts) >= 60
    assert min(counts.values()) >= 5
    assert all(re.fullmatch(r"p\d\d", template) for template in counts)
    divided = halves(lambda pair: [pair.template], SAME)
    assert all(len(half) == 1 for half in divided.values())
    assert Counter(half for each in divided.values() for half in each)["dev"] == len(divided) / 2


def test_only_paraphrases_share_an_answer() -> None:
    assert {pair.family for pair in SAME} == {PARAPHRASE}
    assert PARAPHRASE not in {pair.family for pair in NEAR}


def test_antonyms_are_many_couples_and_the_unseen_ones_are_others() -> None:
    couples = {
        family: {pair.template.removesuffix(REWORDED) for pair in NEAR if pair.family == family}
        for family in ("antonym", "antonym-unseen")
    }
    assert len(couples["antonym"]) >= 30
    assert len(couples["antonym-unseen"]) >= 25
    words = {family: {word for couple in each for word in couple.split("/")} for family, each in couples.items()}
    assert not words["antonym"] & words["antonym-unseen"]


@pytest.mark.parametrize("family", sorted(DEV | TEST))
def test_a_third_of_each_kind_of_near_miss_is_worded_differently_too(family: str) -> None:
    of_family = [pair for pair in NEAR if pair.family == family]
    assert sum(pair.template.endswith(REWORDED) for pair in of_family) >= len(of_family) / 3


def test_at_most_a_fifth_of_the_paraphrases_differ_in_politeness_or_punctuation_only() -> None:
    alike = [pair for pair in SAME if plain(FILLER.sub("", pair.a.lower())) == plain(FILLER.sub("", pair.b.lower()))]
    assert 0 < len(alike) <= len(SAME) / 5


def test_nothing_is_there_twice() -> None:
    assert max(Counter(pair.id for pair in EVERY).values()) == 1
    assert max(Counter(frozenset((pair.a, pair.b)) for pair in EVERY).values()) == 1
    assert not [pair.id for pair in EVERY if pair.a == pair.b]


def test_no_request_of_one_half_is_met_in_the_other() -> None:
    met = halves(lambda pair: [plain(pair.a), plain(pair.b)])
    assert not [request for request, half in met.items() if len(half) > 1]


def test_no_filling_of_one_half_is_met_in_the_other() -> None:
    met = halves(lambda pair: literals(pair.a) | literals(pair.b))
    assert len(met) > 500
    assert not [literal for literal, half in met.items() if len(half) > 1]


def test_both_sides_of_a_paraphrase_have_the_same_fillings() -> None:
    assert not [(pair.a, pair.b) for pair in SAME if literals(pair.a) != literals(pair.b)]


def test_requests_are_one_tidy_line() -> None:
    texts = [text for pair in EVERY for text in (pair.a, pair.b)]
    assert not [text for text in texts if text != " ".join(text.split())]
    assert not [text for text in texts if re.search(r" [.,?!:](\s|$)|(?<!@)\{\d\}|\ba [aeio]\w|[.,?!]{2}$", text)]


LINE = {"id": "x-1", "label": "same", "family": "paraphrase", "template": "p01", "half": "dev", "a": "Go", "b": "go"}


def test_a_line_becomes_a_pair() -> None:
    assert parsed(json.dumps(LINE), 1) == Pair("x-1", True, "paraphrase", "p01", "dev", "Go", "go")
    assert not parsed(json.dumps(LINE | {"label": "different"}), 1).same


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "line 7: not JSON"),
        ("[1]", "line 7: not an object with exactly a, b, family, half, id, label, template"),
        ({key: text for key, text in LINE.items() if key != "b"}, "line 7: not an object with exactly"),
        (LINE | {"c": "?"}, "line 7: not an object with exactly"),
        (LINE | {"a": " "}, "line 7: not a text, or empty: a"),
        (LINE | {"a": 1, "b": None}, "line 7: not a text, or empty: a, b"),
        (LINE | {"label": "Same"}, "line 7: no such label or half: Same, dev"),
        (LINE | {"half": "train"}, "line 7: no such label or half: same, train"),
    ],
)
def test_a_line_that_is_no_pair_is_refused_with_its_number(line: str | dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parsed(line if isinstance(line, str) else json.dumps(line), 7)
