"""A kept answer survives the way into rows and back; what differs in anything has another checksum."""

import zlib
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_hub.proxy.pricing import Usage
from mcp_hub.store.response_rows import (
    PAGE,
    checksum_of,
    exact_bytes,
    exact_text,
    pack,
    pair_digest,
    row_of,
    storable,
    taken,
    unpack,
)
from tests.store.answers import answer

TEXTS = st.text(st.characters(exclude_categories=()))


@settings(max_examples=40)
@given(st.binary(max_size=300), st.integers(1, 100))
def test_what_is_packed_is_unpacked_the_same_and_never_much_larger(data: bytes, times: int) -> None:
    assert unpack(pack(data * times)) == data * times
    assert len(pack(data * times)) <= len(data * times) + 1


def test_what_repeats_is_packed_small_and_damage_to_it_is_found() -> None:
    packed = pack(b"the same " * 1_000)
    assert len(packed) < 200
    with pytest.raises(zlib.error):
        unpack(packed[:-1])
    with pytest.raises(zlib.error):
        unpack(packed[:20] + b"\x00" + packed[21:])


@settings(max_examples=40)
@given(TEXTS)
def test_texts_are_kept_to_the_letter_and_damaged_ones_are_still_texts(text: str) -> None:
    assert exact_text(exact_bytes(text)) == text
    assert exact_text(exact_bytes(text) + b"\xff") == exact_bytes(text).decode(errors="replace") + "\ufffd"
    storable(text).encode()


def test_names_that_are_texts_stay_as_they_are() -> None:
    assert storable("o'neill \x00 é \U0001f600") == "o'neill \x00 é \U0001f600"
    assert storable("half \ud83d pair") == "half ? pair"


@settings(max_examples=40)
@given(st.text(max_size=3), st.binary(max_size=3), st.binary(max_size=3), st.binary(max_size=3))
def test_a_pair_is_the_same_both_ways_and_no_other_is(family: str, text: bytes, other: bytes, third: bytes) -> None:
    digest = pair_digest(family, text, other)
    assert digest == pair_digest(family, other, text)
    assert (digest == pair_digest(family, text, third)) == (other == third)
    assert digest != pair_digest(family + "x", text, other)
    assert digest != pair_digest(family, text + b"x", other + b"y")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "b"},
        {"digest": "b"},
        {"family": None},
        {"family": "None"},
        {"text": "b"},
        {"key": "b"},
        {"team": "b"},
        {"model": "b"},
        {"upstream": "b"},
        {"kept_at": 1.5},
        {"message": b"b"},
        {"stream": b"b"},
        {"pace": ()},
        {"usage": Usage(output=1)},
        {"dollars": 5},
    ],
    ids=str,
)
def test_whatever_of_an_answer_changes_its_checksum_does(change: dict[str, object]) -> None:
    kept = answer("a", family="f", text="t")
    digests = [sha256(b"one").digest(), sha256(b"two").digest()]
    checksum = checksum_of(row_of(kept), digests)
    assert checksum_of(row_of(replace(kept)), digests) == checksum
    assert checksum_of(row_of(replace(kept, **change)), digests) != checksum  # type: ignore[arg-type]
    assert checksum_of(row_of(kept), digests[::-1]) != checksum
    assert checksum_of(row_of(kept), digests[:1]) != checksum


@settings(max_examples=40)
@given(st.integers(0, 10 * PAGE))
def test_a_row_takes_at_least_its_length_and_at_most_a_page_more(length: int) -> None:
    assert length <= max(taken(length), 1) < length + PAGE
