"""What holds of every text and of every pair that is served: nothing that asks for more or else may slip in."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.proxy.guard import LONGEST, reading, refusal
from mcp_hub.proxy.guard.words import Lexicon
from tests.proxy.guard.near_misses import NEAR_MISSES, pairs_of
from tests.proxy.guard.paraphrases import PARAPHRASES

SERVED = pairs_of(PARAPHRASES)
TEXTS = sorted({text for pair in SERVED for text in pair})
WORDS = sorted({word for text in TEXTS for word in text.split()} | Lexicon.shipped().known)

NEGATABLE = re.compile(r"\b(does|do|is|are|did|can|should)\b")

texts = st.one_of(
    st.text(max_size=LONGEST),
    st.lists(st.sampled_from([*WORDS, ",", "?", ".", "`", '"', "'", "(", "\n", "\u2019"]), max_size=25).map(" ".join),
)


@given(texts)
def test_a_text_asks_the_same_as_itself(text: str) -> None:
    assert refusal(text, text) is None


@given(texts, texts)
def test_the_order_of_two_texts_changes_nothing(one: str, other: str) -> None:
    assert refusal(one, other) == refusal(other, one)


@given(st.sampled_from(SERVED), st.sampled_from(SERVED))
def test_what_asks_the_same_as_a_third_asks_the_same(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (refusal(one[0], other[0]) is None) == (refusal(one[1], other[1]) is None)


@pytest.mark.parametrize("stranger", ["zebra", "yesterday", "database", "schema"])
def test_a_word_from_elsewhere_in_any_place_is_refused(stranger: str) -> None:
    served = []
    for one, other in SERVED[len(stranger) % 5 :: 5]:
        words = other.split()
        for place, word in enumerate(words):
            changed = " ".join([*words[:place], stranger, *words[place + 1 :]])
            if stranger not in word and refusal(one, changed) is None:
                served.append((one, changed))
    assert served == []


@pytest.mark.parametrize("negation", ["not", "never", "no"])
def test_a_negation_in_any_place_is_refused(negation: str) -> None:
    served = []
    for one, other in SERVED[len(negation) % 5 :: 5]:
        words = other.split()
        for place in range(len(words) + 1):
            changed = " ".join([*words[:place], negation, *words[place:]])
            if refusal(one, changed) is None:
                served.append((one, changed))
    assert served == []


def test_a_negated_verb_is_refused() -> None:
    changed = [(one, NEGATABLE.sub(r"\1 not", other, count=1)) for one, other in SERVED if NEGATABLE.search(other)]
    changed += [(one, NEGATABLE.sub(r"\1n't", other, count=1)) for one, other in SERVED if NEGATABLE.search(other)]
    assert len(changed) > 50
    assert [pair for pair in changed if refusal(*pair) is None] == []


@pytest.mark.parametrize("limit", ["only", "some", "first", "without", "if", "unless", "except", "almost"])
def test_a_limit_before_any_word_changes_what_is_asked(limit: str) -> None:
    served = []
    for one, other in SERVED[len(limit) % 7 :: 7]:
        words = other.split()
        for place in range(1, len(words)):
            changed = " ".join([*words[:place], limit, *words[place:]])
            if refusal(one, changed) is None:
                served.append((one, changed))
    assert served == []


def test_a_change_to_any_literal_is_refused() -> None:
    served = []
    for one, other in SERVED[::2]:
        for literal in {token.text for token in reading(other) or () if token.is_literal}:
            for instead in (literal + "x", "x" + literal, literal.swapcase(), literal[:-1] + "7"):
                changed = other.replace(literal, instead)
                if changed != other and instead != literal and refusal(one, changed) is None:
                    served.append((one, changed))
    assert served == []


def test_two_literals_that_change_places_are_refused() -> None:
    swapped = []
    for one, other in SERVED:
        found = list(dict.fromkeys(token.text for token in reading(other) or () if token.is_literal))
        for first, second in pairwise(found):
            changed = other.replace(first, "\0").replace(second, first).replace("\0", second)
            swapped.append((one, changed))
    assert len(swapped) > 20
    assert [pair for pair in swapped if refusal(*pair) is None] == []


@given(st.sampled_from(sorted(NEAR_MISSES)), st.sampled_from(["please {}", "could you {}?", "Hey, {}, thanks!"]))
def test_politeness_makes_no_near_miss_the_same(family: str, frame: str) -> None:
    for one, other in pairs_of(NEAR_MISSES[family]):
        assert refusal(one, frame.format(other)) is not None
