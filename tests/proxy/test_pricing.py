"""Usage to money: what the API reports is counted once, and costs exactly what the prices say."""

import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.pricing import (
    NANO,
    PRICES,
    LongPrompt,
    Price,
    PriceList,
    Usage,
    cost,
    dollars_text,
    nano_dollars,
    worst_cost,
)

COUNTS = st.integers(0, 10**7)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
PRICE = Price(3_000, 15_000, 3_750, 6_000, 300, 10_000_000)
AMOUNTS = st.integers(0, 100_000)
PLAIN = st.builds(Price, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from([100, 110, 220]))
PRICED = st.one_of(PLAIN, st.builds(lambda p, a, q: replace(p, long_prompt=LongPrompt(a, q)), PLAIN, COUNTS, PLAIN))
SHIPPED = tomllib.loads(PRICES.read_text(), parse_float=Decimal)
LIST = PriceList.shipped()


def test_the_apis_usage_is_read_kind_by_kind() -> None:
    usage = {
        "input_tokens": 12,
        "output_tokens": 345,
        "cache_creation_input_tokens": 1_100,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 1_000},
        "cache_read_input_tokens": 20_000,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        "service_tier": "standard",
    }
    assert Usage.from_api(usage) == Usage(12, 345, 100, 1_000, 20_000, 2)
    assert Usage.from_api(usage).tokens == 12 + 345 + 1_100 + 20_000


def test_cache_writes_that_are_not_split_are_five_minute_ones() -> None:
    assert Usage.from_api({"cache_creation_input_tokens": 7}) == Usage(cache_write_5m=7)
    assert Usage.from_api(
        {"cache_creation_input_tokens": 7, "cache_creation": {"ephemeral_1h_input_tokens": 5}}
    ) == Usage(cache_write_5m=2, cache_write_1h=5)


def test_a_later_report_without_the_split_counts_no_write_twice() -> None:
    start = Usage.from_api(
        {"cache_creation_input_tokens": 900, "cache_creation": {"ephemeral_1h_input_tokens": 900}, "output_tokens": 1}
    )
    delta = Usage.from_api({"cache_creation_input_tokens": 900, "output_tokens": 50})
    assert start.most(delta) == delta.most(start) == Usage(cache_write_1h=900, output=50)


def test_a_compaction_is_added_to_the_counts_that_leave_it_out() -> None:
    message = {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000}
    usage = {
        "input_tokens": 23_000,
        "output_tokens": 1_000,
        "iterations": [{"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500}, message],
    }
    assert Usage.from_api(usage) == Usage(input=203_000, output=4_500)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "iterations",
)


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_usage_object_is_too_odd_to_read(usage: dict[str, Any]) -> None:
    read = Usage.from_api(usage)
    assert min(vars(read).values()) >= 0
    assert all(type(count) is int for count in vars(read).values())


@pytest.mark.parametrize("odd", ["7", 7.0, True, None, [7], -7])
def test_what_is_no_count_is_zero(odd: object) -> None:
    assert Usage.from_api({"input_tokens": odd, "server_tool_use": {"web_search_requests": odd}}) == Usage()


@given(USAGES, USAGES)
def test_most_is_the_same_either_way_and_loses_nothing(one: Usage, other: Usage) -> None:
    most = one.most(other)
    assert most == other.most(one)
    assert most.most(one) == most
    assert most.output == max(one.output, other.output)
    assert most.cache_write_1h == max(one.cache_write_1h, other.cache_write_1h)
    assert most.prompt >= max(one.prompt, other.prompt)


def test_every_kind_costs_its_own_price() -> None:
    usage = Usage(1, 10, 100, 1_000, 10_000, 2)
    assert cost(usage, PRICE) == 3_000 + 150_000 + 375_000 + 6_000_000 + 3_000_000 + 20_000_000


@given(USAGES, USAGES, PLAIN)
def test_the_cost_of_two_answers_is_that_of_both_to_the_nano_dollar(one: Usage, other: Usage, price: Price) -> None:
    whole = replace(price, percent=100)
    assert cost(one, whole) + cost(other, whole) == cost(one.plus(other), whole)


def test_a_percentage_is_on_tokens_only_and_rounds_up() -> None:
    price = replace(PRICE, output=5, percent=110)
    assert cost(Usage(output=1, web_searches=1), price) == 6 + 10_000_000
    assert cost(Usage(output=2), price) == 11


def test_a_long_prompt_is_dearer_from_its_first_token_on_cache_included() -> None:
    price = LIST.of("claude-haiku-5-5")
    assert price is not None
    assert cost(Usage(input=60_000, cache_read=40_000, output=10), price) == 6_000_000 + 400_000 + 5_000
    assert cost(Usage(input=60_001, cache_read=40_000, output=10), price) == 30_000_500 + 2_000_000 + 25_000
    assert cost(Usage(input=100_001), replace(price, percent=110)) == 55_000_550


@given(PRICED, COUNTS, st.sampled_from(["input", "cache_write_5m", "cache_write_1h"]), st.data())
def test_no_answer_within_the_worst_case_costs_more(price: Price, prompt: int, kind: str, data: st.DataObject) -> None:
    worst = replace(Usage(output=data.draw(COUNTS), web_searches=3), **{kind: prompt})
    kinds = ["input", "cache_read", "cache_write_5m", "cache_write_1h"]
    possible = kinds[: {"input": 2, "cache_write_5m": 3, "cache_write_1h": 4}[kind]]

    def up_to(most: int) -> int:
        return data.draw(st.sampled_from([0, most]) | st.integers(0, most))

    left, split = prompt, {}
    for each in possible:
        split[each] = up_to(left)
        left -= split[each]
    real = Usage(output=up_to(worst.output), web_searches=up_to(3), **split)
    assert cost(real, price) <= worst_cost(worst, price)


def test_a_long_prompt_that_is_cheaper_may_turn_out_to_be_short() -> None:
    price = replace(PRICE, long_prompt=LongPrompt(100, replace(PRICE, output=1)))
    assert worst_cost(Usage(input=101, output=1_000), price) >= cost(Usage(input=100, output=1_000), price)


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-sonnet-4-5-20250929", 3),
        ("claude-sonnet-4-5@20250929", 3),
        ("claude-sonnet-4-20250514", 3),
        ("claude-sonnet-4-0", 3),
        ("claude-3-5-haiku-latest", Decimal("0.8")),
        ("claude-opus-4-1-20250805", 15),
        ("claude-opus-4-5", 5),
    ],
)
def test_a_model_is_found_by_its_id_its_dated_id_and_its_alias(model: str, dollars: int | Decimal) -> None:
    price = LIST.of(model)
    assert price is not None
    assert price.input == dollars * 1_000


@pytest.mark.parametrize(
    "model",
    ["anthropic/claude-sonnet-4.6", "openrouter/anthropic/claude-sonnet-4.5-20250929", "vertex_ai/claude-sonnet-4-5"],
)
def test_a_model_is_found_as_a_gateway_spells_it(model: str) -> None:
    assert LIST.of(model) == LIST.of("claude-sonnet-4-6")


def test_a_persons_price_for_a_gateways_spelling_goes_before_that_for_the_usual_one() -> None:
    dear, cheap = replace(PRICE, input=9), replace(PRICE, input=1)
    prices = LIST.with_overrides({"claude-sonnet-*": cheap, "anthropic/*": dear})
    assert prices.of("anthropic/claude-sonnet-4.6") == dear
    assert LIST.with_overrides({"claude-sonnet-*": cheap}).of("anthropic/claude-sonnet-4.6") == cheap


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt-5",
        "claude-opus-4-9",
        "claude-opus-4-5-2025",
        "claude-opus-4-5-fast",
        "anthropic/claude-opus-4.5-fast",
        "anthropic/claude-opus-4.5:online",
        "someones-claude-sonnet-4-6",
    ],
)
def test_a_model_that_nobody_priced_has_no_price(model: str) -> None:
    assert LIST.of(model) is None


def test_a_persons_prices_come_first_and_the_last_word_is_the_newest() -> None:
    dear, cheap = replace(PRICE, input=9), replace(PRICE, input=1)
    prices = LIST.with_overrides({"claude-opus-*": dear, "my-model": cheap}).with_overrides({"my-model": dear})
    assert prices.of("claude-opus-4-8") == dear
    assert prices.of("my-model") == dear
    assert prices.of("claude-sonnet-5") == LIST.of("claude-sonnet-5")
    assert LIST.of("my-model") is None


@pytest.mark.parametrize(
    ("request_fields", "percent"),
    [
        ({}, 100),
        ({"speed": "standard", "inference_geo": "global"}, 100),
        ({"speed": "fast"}, 200),
        ({"inference_geo": "us"}, 110),
        ({"speed": "fast", "inference_geo": "us"}, 220),
    ],
)
def test_speed_and_place_that_a_request_asks_for_are_in_the_price(request_fields: dict[str, str], percent: int) -> None:
    price = LIST.of("claude-opus-5", request_fields)
    assert price is not None
    assert cost(Usage(input=1_000_000), price) == 5 * NANO * percent // 100


@pytest.mark.parametrize("name", SHIPPED["models"])
def test_every_shipped_price_has_a_date_and_a_source_and_keeps_the_lists_proportions(name: str) -> None:
    model, price = SHIPPED["models"][name], LIST.of(name)
    assert isinstance(model["date"], date)
    assert model["source"]
    assert price is not None
    for each in [price, *([price.long_prompt.price] if price.long_prompt else [])]:
        assert each.output == 5 * each.input
        assert each.cache_write_1h == 2 * each.input
        assert each.cache_read < each.input < each.cache_write_5m <= 1.25 * each.input
        assert each.web_search * 1_000 == 10 * NANO


def test_cache_prices_left_out_follow_the_lists_proportions() -> None:
    assert Price.per_million(3, "15") == PRICE
    assert Price.per_million(0.8, 4, cache_read=0) == Price(800, 4_000, 1_000, 1_600, 0, 10_000_000)


@pytest.mark.parametrize("amount", ["x", "", -1, "-0.1", "NaN", "inf", float("nan"), True, None])
def test_what_is_no_amount_of_dollars_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match="no amount of dollars"):
        nano_dollars(amount)
    with pytest.raises(ValueError, match="no amount of dollars"):
        Price.per_million(amount, 1)


def test_a_price_finer_than_a_nano_dollar_is_refused() -> None:
    errors = []
    for call in (lambda: Price.per_million("0.0005", 1), lambda: nano_dollars("0.0000000001")):
        with pytest.raises(ValueError, match="no whole number") as raised:
            call()
        errors.append(str(raised.value))
    assert errors == snapshot(
        [
            "0.0005 dollars for a million tokens are no whole number of nano-dollars for one.",
            "0.0000000001 dollars are no whole number of nano-dollars.",
        ]
    )


@given(st.integers(0, 10**18))
def test_dollars_are_written_to_the_last_digit(nano: int) -> None:
    assert nano_dollars(dollars_text(nano).replace(",", "")) == nano


def test_dollars_are_written_as_a_person_reads_them() -> None:
    assert [dollars_text(nano) for nano in (0, 50 * NANO, 37_500_000, 1, 1_234_567_800_000_000)] == snapshot(
        ["0.00", "50.00", "0.0375", "0.000000001", "1,234,567.80"]
    )


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("global.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("eu.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("anthropic/claude-sonnet-4.6", "claude-sonnet-4-6"),
        ("openrouter/anthropic/claude-opus-4.7", "claude-opus-4-7"),
        ("claude-opus-4-6[1m]", "claude-opus-4-6"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/global.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc", None),
        ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/claude-sonnet-4-6", None),
        ("my-claude-sonnet-4-6x", None),
        ("deepseek.claude-sonnet-4-6 and more", None),
    ],
)
def test_a_model_has_its_price_by_whatever_spelling_a_cloud_or_a_gateway_has_for_it(
    model: str, name: str | None
) -> None:
    prices = PriceList.shipped()
    assert prices.entry(model) == name
    assert prices.of(model) == (None if name is None else prices.of(name))


@pytest.mark.parametrize(("model", "percent"), [("claude-sonnet-4-6", 110), ("claude-sonnet-4", 100)])
def test_a_clouds_regional_endpoint_costs_a_tenth_more_from_sonnet_4_5_on(model: str, percent: int) -> None:
    prices = PriceList.shipped()
    price = prices.of(model, is_regional=True)
    assert price is not None
    assert price.percent == percent


def test_a_price_that_a_person_gives_is_the_price_everywhere() -> None:
    mine = Price.per_million(input=1, output=2)
    prices = PriceList.shipped().with_overrides({"claude-*": mine, "eu.anthropic.*": mine})
    for model in ("claude-sonnet-4-6", "eu.anthropic.claude-opus-4-7"):
        assert prices.of(model, is_regional=True) == mine
