"""Budgets: windows by the calendar or rolling, what fits under every cap, and what a refusal says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import ConfigError
from mcp_hub.proxy.budgets import (
    LENGTHS,
    Allowed,
    Cap,
    Kind,
    Period,
    Refused,
    Standing,
    Waits,
    Want,
    decide,
    lowered_output,
    refusal_text,
)
from mcp_hub.proxy.pricing import NANO, Price, Usage

TIMES = st.datetimes(datetime(1970, 1, 5), datetime(2200, 1, 1), timezones=st.just(UTC)).map(datetime.timestamp)
DURATIONS = st.sampled_from(sorted(LENGTHS))
DAILY = Period("1d")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
PRICE = Price.per_million(3, 15)


def time(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("duration", "at", "start", "end"),
    [
        ("1m", "2026-12-31T23:59:59.999999", "2026-12-31T23:59", "2027-01-01T00:00"),
        ("1h", "2026-12-31T23:59:59.999999", "2026-12-31T23:00", "2027-01-01T00:00"),
        ("1d", "2024-02-29T00:00", "2024-02-29T00:00", "2024-03-01T00:00"),
        ("1d", "2024-02-28T23:59:59", "2024-02-28T00:00", "2024-02-29T00:00"),
        ("1w", "2026-01-01T00:00", "2025-12-29T00:00", "2026-01-05T00:00"),
        ("1w", "2026-01-05T00:00", "2026-01-05T00:00", "2026-01-12T00:00"),
        ("1w", "2026-01-04T23:59:59", "2025-12-29T00:00", "2026-01-05T00:00"),
        ("1M", "2024-02-29T12:00", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("1M", "2100-02-28T12:00", "2100-02-01T00:00", "2100-03-01T00:00"),
        ("1M", "2026-12-31T23:59:59.999999", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("1Y", "2024-12-31T23:59:59.999999", "2024-01-01T00:00", "2025-01-01T00:00"),
        ("1Y", "2025-01-01T00:00", "2025-01-01T00:00", "2026-01-01T00:00"),
    ],
)
def test_a_window_goes_by_the_calendar_in_utc(duration: str, at: str, start: str, end: str) -> None:
    period = Period.parse(duration)
    assert (period.start(time(at)), period.end(time(at))) == (time(start), time(end))


@pytest.mark.parametrize("duration", ["1M", "1Y"])
def test_the_last_instant_of_a_year_is_in_that_year(duration: str) -> None:
    new_year = time("2024-01-01T00:00")
    at = new_year - 2**-22  # the last float before it, which datetime would round up
    assert Period(duration).start(at) < at < Period(duration).end(at) == new_year


@given(DURATIONS, TIMES, st.booleans())
def test_a_window_holds_its_time(duration: str, at: float, rolling: bool) -> None:
    period = Period(duration, rolling)
    assert period.start(at) <= at < period.end(at)


@given(DURATIONS, TIMES)
def test_windows_of_the_calendar_follow_each_other_without_a_gap(duration: str, at: float) -> None:
    period = Period(duration)
    start, end = period.start(at), period.end(at)
    assert period.start(start) == start
    assert period.start(end) == end
    assert period.end(start - 0.5) == start


@given(TIMES)
def test_a_calendar_window_begins_where_its_name_says(at: float) -> None:
    begins = {duration: datetime.fromtimestamp(Period(duration).start(at), UTC) for duration in LENGTHS}
    assert begins["1m"].second == 0
    assert (begins["1h"].minute, begins["1d"].hour, begins["1d"].minute) == (0, 0, 0)
    assert begins["1w"].weekday() == 0
    assert begins["1w"].time() == begins["1M"].time() == begins["1Y"].time() == datetime.min.time()
    assert (begins["1M"].day, begins["1Y"].day, begins["1Y"].month) == (1, 1, 1)
    assert timedelta(28) <= datetime.fromtimestamp(Period("1M").end(at), UTC) - begins["1M"] <= timedelta(31)


@given(DURATIONS, TIMES)
def test_a_rolling_window_is_as_long_as_its_duration(duration: str, at: float) -> None:
    period = Period(duration, rolling=True)
    assert at - period.start(at) == pytest.approx(LENGTHS[duration])
    assert period.end(at) - at == pytest.approx(LENGTHS[duration])


@pytest.mark.parametrize("duration", ["", "1", "d", "2h", "30d", "1D", "1H", "1y", " 1d", "1d ", "1s"])
def test_another_duration_is_refused_with_those_that_there_are(duration: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Period.parse(duration)
    assert raised.value.text == f"{duration!r} is no duration; it must be one of 1m, 1h, 1d, 1w, 1M, 1Y."


def standing(limit: int, spent: int = 0, reserved: int = 0, kind: Kind = "tokens", name: str = "ci") -> Standing:
    return Standing(Cap("key", name, kind, limit, DAILY), spent, reserved)


@pytest.mark.parametrize("kind", ["dollars", "tokens", "requests"])
def test_each_kind_is_counted_by_its_own_amount(kind: Kind) -> None:
    want = Want(dollars=7, tokens=5, requests=1)
    amount = {"dollars": 7, "tokens": 5, "requests": 1}[kind]
    assert decide([standing(10 + amount, 10, kind=kind)], want, NOON) == Allowed()
    assert decide([standing(10 + amount - 1, 10, kind=kind)], want, NOON) == Refused(
        standing(10 + amount - 1, kind=kind).cap, 10, amount, DAILY.end(NOON)
    )


def test_no_cap_allows_everything() -> None:
    assert decide([], Want(10**18, 10**12), NOON) == Allowed()


def test_of_several_refusals_the_one_that_resets_last_is_told() -> None:
    caps = [Cap("team", "web", "requests", 1, Period(duration)) for duration in ("1m", "1M", "1d")]
    decision = decide([Standing(cap, 1, 0) for cap in caps], Want(0, 0), NOON)
    assert isinstance(decision, Refused)
    assert (decision.cap, decision.resets_at) == (caps[1], time("2026-04-01T00:00"))


def test_what_waits_names_only_the_caps_without_room() -> None:
    full, free = standing(10, 5, 5, name="full"), standing(100, 5, 5, name="free")
    assert decide([full, free], Want(0, 3), NOON) == Waits((full.cap,))


AMOUNTS = st.integers(0, 50)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), max_size=4), AMOUNTS)
def test_a_request_is_admitted_exactly_when_no_cap_can_be_passed(rows: list[tuple[int, int, int]], want: int) -> None:
    decision = decide([standing(*row) for row in rows], Want(0, want), NOON)
    fits_now = all(spent + reserved + want <= limit for limit, spent, reserved in rows)
    can_fit = all(spent + want <= limit for limit, spent, _ in rows)
    assert isinstance(decision, Allowed if fits_now else Waits if can_fit else Refused)
    if isinstance(decision, Refused):
        assert decision.spent + decision.needs > decision.cap.limit


@given(
    st.lists(st.tuples(st.sampled_from(["dollars", "tokens"]), st.integers(0, 10**8), AMOUNTS), max_size=3),
    st.integers(0, 1_000),
    st.integers(1, 2_000),
    st.integers(1, 500),
)
def test_lowered_output_is_the_largest_that_fits(
    rows: list[tuple[Kind, int, int]], prompt: int, output: int, floor: int
) -> None:
    standings = [
        standing(limit if kind == "dollars" else limit // 50_000, spent, kind=kind) for kind, limit, spent in rows
    ]
    worst = Usage(input=prompt, output=output)
    lowered = lowered_output(standings, worst, PRICE, floor)

    def fits(tokens: int) -> bool:
        return isinstance(decide(standings, Want.of(Usage(input=prompt, output=tokens), PRICE), NOON), Allowed)

    if lowered is None:
        assert floor > output or not fits(floor)
    else:
        assert floor <= lowered <= output
        assert fits(lowered)
        assert lowered == output or not fits(lowered + 1)


def test_lowering_takes_reservations_into_account() -> None:
    assert lowered_output([standing(1_000, 100, 200)], Usage(input=50, output=9_999), PRICE, 10) == 650


@pytest.mark.parametrize(
    ("cap", "spent", "needs"),
    [
        (Cap("key", "ci", "dollars", 50 * NANO, DAILY), 49_203_400_000, 1_550_000_000),
        (Cap("team", "web", "tokens", 2_000_000, Period("1h")), 1_999_999, 128_000),
        (Cap("customer", "acme", "requests", 1, Period("1m")), 1, 1),
        (Cap("upstream", "anthropic", "dollars", 10**12, Period("1M", rolling=True)), 10**12, 1),
        (Cap("key", "whole", "tokens", 1_000, DAILY), 1, 1_000),
        (Cap("session", "f00d", "dollars", NANO // 2, Period("1w")), 0, 640_000_000),
    ],
)
def test_a_refusal_says_which_cap_how_much_and_when_it_resets(cap: Cap, spent: int, needs: int) -> None:
    text = refusal_text(Refused(cap, spent, needs, cap.period.end(NOON)))
    expected = snapshot(
        {
            "ci": (
                "The budget of key 'ci' (50.00 dollars a day) is used up: 49.2034 dollars spent, up to 1.55 "
                "dollars needed by this request. It resets at 2026-03-05T00:00:00Z."
            ),
            "web": (
                "The budget of team 'web' (2,000,000 tokens an hour) is used up: 1,999,999 tokens spent, up to "
                "128,000 tokens needed by this request. It resets at 2026-03-04T13:00:00Z."
            ),
            "acme": (
                "The budget of customer 'acme' (1 request a minute) is used up. It resets at 2026-03-04T12:01:00Z."
            ),
            "anthropic": (
                "The budget of upstream 'anthropic' (1,000.00 dollars in any 30 days) is used up: 1,000.00 "
                "dollars spent, up to 0.000000001 dollars needed by this request. There is room again at "
                "2026-04-03T12:00:00Z at the latest."
            ),
            "whole": (
                "The budget of key 'whole' (1,000 tokens a day) is used up: 1 token spent, up to 1,000 tokens "
                "needed by this request. It resets at 2026-03-05T00:00:00Z."
            ),
            "f00d": (
                "The budget of session 'f00d' (0.50 dollars a week) is less than this request may need: 0.64 "
                "dollars. It needs a smaller max_tokens, a shorter prompt, or a larger budget."
            ),
        }
    )
    assert text == expected[cap.name]
