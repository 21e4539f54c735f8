"""Billing: every request is billed whole, and the cache is priced as the provider's pages say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.graded.agents import Conversation, Turn
from bench.graded.billing import BLOCK, MESSAGE, Cache, Prices, Upfront, answered, bill, prices, used
from bench.graded.task import Answer, Call
from bench.tokens import tokens

PRICE = Prices("2026-01-01", "m", 1.0, 10.0, 1.25, 0.1, least_cached=100, context=1_000)


def turn(text: str, answer: str = "done") -> Turn:
    return Turn((Call("s", "t", {"text": text}),), (Answer(answer),))


def cost_of(said: Turn) -> int:
    return sum(map(used, said.calls)) + sum(map(answered, said.answers)) + 2 * MESSAGE


def test_each_request_is_billed_with_everything_before_it() -> None:
    talk = Conversation([turn("one", "first"), turn("two", "second")], "the end")
    counted = bill(Upfront(500, 20), "do it", talk, PRICE)
    first = 520 + tokens("do it") + MESSAGE
    second = first + cost_of(talk.turns[0])
    third = second + cost_of(talk.turns[1])
    assert (counted.requests, counted.input, counted.largest) == (3, first + second + third, third)
    assert counted.output > tokens("the end")
    assert counted.dollars[Cache.NONE] == pytest.approx((counted.input + 10 * counted.output) / 1e6)


def test_a_cold_cache_is_written_by_each_request_and_read_by_the_next() -> None:
    counted = bill(Upfront(500), "do it", Conversation([turn("one")], "end"), PRICE)
    first = 500 + tokens("do it") + MESSAGE
    second = counted.largest
    assert counted.dollars[Cache.COLD] == pytest.approx(
        (first * 1.25 + first * 0.1 + (second - first) * 1.25 + counted.output * 10) / 1e6
    )


def test_a_warm_cache_has_what_stands_upfront() -> None:
    counted = bill(Upfront(500, 100), "do it", Conversation([], "end"), PRICE)
    asked = tokens("do it") + MESSAGE
    assert counted.dollars[Cache.WARM] == pytest.approx((600 * 0.1 + asked * 1.25 + counted.output * 10) / 1e6)


def test_what_is_shorter_than_the_cache_takes_costs_its_full_price() -> None:
    counted = bill(Upfront(10), "do it", Conversation([], "end"), PRICE)
    assert counted.dollars[Cache.COLD] == counted.dollars[Cache.WARM] == counted.dollars[Cache.NONE]


def test_texts_are_counted_as_they_are_and_values_as_json_without_blanks() -> None:
    code = 'print("a")\nresult = {"b": 1}'
    assert used(Call("", "executeToolCode", {"code": code})) == BLOCK + sum(
        map(tokens, ("executeToolCode", "code", code))
    )
    listed = {"paths": ["a", "b"], "name": "x"}
    parts = ("read", "paths", '["a","b"]', "name", "x")
    assert used(Call("files", "read", listed)) == BLOCK + sum(map(tokens, parts))
    assert answered(Answer('{"a": "b\\n"}')) == BLOCK + tokens('{"a": "b\\n"}')


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=200)), max_size=5), st.integers(0, 3_000))
def test_no_cache_costs_more_than_a_write_of_everything_or_less_than_a_read_of_it(
    turns: list[tuple[str, str]], upfront: int
) -> None:
    talk = Conversation([turn(*each) for each in turns], "end")
    counted = bill(Upfront(upfront), "do it", talk, PRICE)
    inputs = {cache: counted.dollars[cache] - counted.output * PRICE.output / 1e6 for cache in Cache}
    assert inputs[Cache.WARM] <= inputs[Cache.COLD] + 1e-12
    assert inputs[Cache.COLD] <= inputs[Cache.NONE] * 1.25 + 1e-12
    assert inputs[Cache.WARM] >= inputs[Cache.NONE] * 0.1 - 1e-12


def test_the_prices_file_has_the_ratios_of_the_five_minute_cache() -> None:
    read = prices()
    assert read.cache_write == pytest.approx(1.25 * read.input)
    assert read.cache_read == pytest.approx(0.1 * read.input)
