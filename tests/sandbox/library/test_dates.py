"""Dates of programs: what Python's datetime gives, the operators' functions, and no clock anywhere."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import starlark
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox import environment
from mcp_hub.sandbox.library import dates

HERE = environment.fresh()

MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)) | st.datetimes(
    datetime(1, 1, 3),
    datetime(9999, 12, 28),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))]),
)
DAYS = st.dates(date(1, 1, 3), date(9999, 12, 28))
DURATIONS = st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000))


def here(code: str, **given: Any) -> Any:
    for name, value in given.items():
        HERE.module[name] = value
    return starlark.eval(HERE.module, starlark.parse("program", code, environment.dialect()), HERE.globals)


@given(MOMENTS)
def test_a_datetime_has_the_fields_and_texts_of_pythons(moment: datetime) -> None:
    code = """
d = datetime.datetime.fromisoformat(text)
[
    d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, d.isoformat(), d._value, d.weekday(),
    list(d.isocalendar()), d.date().isoformat(), d.time().isoformat(), d.strftime("%Y-%m-%d %H:%M:%S.%f %A"),
    d.tzinfo == None,
]
"""
    assert here(code, text=moment.isoformat()) == [
        moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond,
        moment.isoformat(), str(moment), moment.weekday(), list(moment.isocalendar()), moment.date().isoformat(),
        moment.time().isoformat(), moment.strftime("%Y-%m-%d %H:%M:%S.%f %A"), moment.tzinfo is None,
    ]  # fmt: skip


@given(MOMENTS, DURATIONS)
def test_adding_and_subtracting_a_duration_is_what_python_does(moment: datetime, duration: timedelta) -> None:
    code = """
d, t = datetime.datetime.fromisoformat(text), datetime.timedelta(days=parts[0], seconds=parts[1], microseconds=parts[2])
[_date_add(d, t)._value, _date_add(t, d)._value, _date_sub(d, t)._value, t._value, t.total_seconds(), t.days, t.seconds]
"""
    parts = [duration.days, duration.seconds, duration.microseconds]
    try:
        expected = [
            str(moment + duration), str(duration + moment), str(moment - duration), str(duration),
            duration.total_seconds(), duration.days, duration.seconds,
        ]  # fmt: skip
    except OverflowError:
        with pytest.raises(starlark.StarlarkError, match="OverflowError: date value out of range"):
            here(code, text=str(moment), parts=parts)
        return
    assert here(code, text=str(moment), parts=parts) == expected


@given(st.one_of(st.tuples(MOMENTS, MOMENTS), st.tuples(DAYS, DAYS)))
def test_the_difference_and_the_order_of_two_are_what_python_gives(pair: tuple[Any, Any]) -> None:
    kind = type(pair[0]).__name__
    code = f"""
a, b = [datetime.{kind}.fromisoformat(text) for text in texts]
[_date_sub(a, b)._value, _date_compare(a, b), _date_equal(a, b)]
"""
    texts = [each.isoformat() for each in pair]
    first, second = pair
    try:
        expected = [str(first - second), (first > second) - (first < second), first == second]
    except TypeError:
        with pytest.raises(starlark.StarlarkError, match="a datetime with an offset and one without"):
            here(code, texts=texts)
        return
    assert here(code, texts=texts) == expected


@given(st.lists(DAYS, min_size=1, max_size=8))
def test_dates_are_sorted_compared_and_used_as_keys(days: list[date]) -> None:
    code = """
values = [datetime.date.fromisoformat(text) for text in texts]
counted = {}
for value in values:
    counted[value] = counted.get(value, 0) + 1
[
    [value.isoformat() for value in sorted(values)],
    [pair[1] for pair in sorted([(value, i) for i, value in enumerate(values)])],
    [value.isoformat() for value in sorted(values, key=lambda value: (value, 1), reverse=True)],
    max(values).isoformat(), min(values, key=lambda value: value).isoformat(), len(counted), values[0] in values[1:],
]
"""
    texts = [day.isoformat() for day in days]
    assert here(code, texts=texts) == [
        sorted(texts),
        [i for _, i in sorted((day, i) for i, day in enumerate(days))],
        sorted(texts, reverse=True),
        max(texts), min(texts), len(set(days)), days[0] in days[1:],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("datetime.datetime._new(2024, 2, 29, 12).isoformat()", "2024-02-29T12:00:00"),
        ("datetime.datetime._new(2024, 1, 1, tzinfo=datetime.timezone.utc).timestamp()", 1704067200.0),
        ("datetime.datetime._new(2024, 1, 1).timestamp()", 1704067200.0),
        ("datetime.datetime.fromtimestamp(0).isoformat()", "1970-01-01T00:00:00"),
        ("datetime.datetime.fromtimestamp(0, tz=datetime.timezone.utc).isoformat()", "1970-01-01T00:00:00+00:00"),
        ("datetime.datetime.strptime('31/12/2024 23:59', '%d/%m/%Y %H:%M')._value", "2024-12-31 23:59:00"),
        ("datetime.datetime.strptime('2024-01-01 10+0200', '%Y-%m-%d %H%z')._value", "2024-01-01 10:00:00+02:00"),
        ("datetime.datetime.fromisoformat('2024-01-01T10:00:00+02:00').astimezone(datetime.timezone.utc)._value",
         "2024-01-01 08:00:00+00:00"),
        ("datetime.datetime._new(2024, 1, 1).replace(tzinfo=datetime.UTC, hour=5)._value", "2024-01-01 05:00:00+00:00"),
        ("datetime.datetime.combine(datetime.date._new(2024, 1, 2), datetime.time._new(3, 4))._value",
         "2024-01-02 03:04:00"),
        ("datetime.datetime.combine(datetime.date._new(2024, 1, 2), datetime.datetime.min.time())._value",
         "2024-01-02 00:00:00"),
        ("datetime.timezone._new(datetime.timedelta(hours=2))._value", "UTC+02:00"),
        ("_date_mul(datetime.timedelta(hours=1), 2.5)._value", "2:30:00"),
        ("_date_mul(3, datetime.timedelta(days=1)).days", 3),
        ("_date_div(datetime.timedelta(days=1), datetime.timedelta(hours=1))", 24.0),
        ("_date_div(datetime.timedelta(days=1), 2)._value", "12:00:00"),
        ("_date_floordiv(datetime.timedelta(days=7), datetime.timedelta(days=2))", 3),
        ("_date_mod(datetime.timedelta(days=7), datetime.timedelta(days=2)).days", 1),
        ("_date_negate(datetime.timedelta(days=1)).days", -1),
        ("abs(datetime.timedelta(days=-2)).days", 2),
        ("sum([datetime.timedelta(hours=1), datetime.timedelta(hours=2)], datetime.timedelta())._value", "3:00:00"),
        ("sum([datetime.timedelta(hours=1)]).total_seconds()", 3600.0),
        ("_date_format(datetime.date._new(2024, 1, 2), '%d %b')", "02 Jan"),
        ("_date_format(datetime.timedelta(1), '>20')", "      1 day, 0:00:00"),
        ("datetime.fromisoformat('2024-01-02T00:00:00Z')._value", "2024-01-02 00:00:00+00:00"),
        ("json.dumps({'at': datetime.date._new(2024, 1, 2)}, default=str)", '{"at": "2024-01-02"}'),
        ("datetime.date._new(2024, 1, 2) == datetime.date.fromisoformat('2024-01-02')", True),
    ],
)  # fmt: skip
def test_what_programs_do_with_dates(code: str, expected: Any) -> None:
    assert here(code) == expected


@pytest.mark.parametrize(
    "code",
    ["datetime.datetime.now()", "datetime.now(datetime.UTC)", "datetime.datetime.utcnow()", "datetime.date.today()",
     "time.time()", "time.strftime('%Y')"],
)  # fmt: skip
def test_there_is_no_clock(code: str) -> None:
    with pytest.raises(starlark.StarlarkError, match="programs have no clock: write today's date into the program"):
        here(code)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("datetime.date._new(2024, 2, 30)", "ValueError: day is out of range for month"),
        ("datetime.datetime.fromisoformat('soon')", "ValueError: Invalid isoformat string: 'soon'"),
        ("datetime.datetime.strptime('1', '%Y')", "ValueError: time data '1' does not match format '%Y'"),
        ("_date_add(datetime.date._new(2024, 1, 1), 1)", r"TypeError: unsupported operand types for \+: date and int"),
        ("_date_sub(datetime.date._new(2024, 1, 1), datetime.datetime._new(2024, 1, 1))",
         "TypeError: unsupported operand types for -: date and datetime"),
        ("_date_compare(datetime.date._new(2024, 1, 1), None)", "TypeError: can't compare date and NoneType"),
        ("datetime.timedelta(days=1000000000)", "OverflowError: days=1000000000; must have magnitude"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_as_python_tells_it(code: str, told: str) -> None:
    with pytest.raises(starlark.StarlarkError, match=told):
        here(code)


def test_only_methods_of_dates_can_be_reached() -> None:
    for kind, text, name in (
        ("datetime", "2024-01-01", "__class__"),
        ("datetime", None, "now"),
        ("timedelta", None, "max"),
    ):
        with pytest.raises(AttributeError):
            dates.date_call(kind, text, name, [], {})


def test_a_format_has_a_bound() -> None:
    with pytest.raises(ValueError, match="at most 10000 characters"):
        dates.date_call("date", "2024-01-01", "strftime", ["%A" * 10_000], {})


def test_sleep_refuses_a_negative_time_and_takes_a_short_one() -> None:
    dates.sleep(0)
    with pytest.raises(ValueError, match="non-negative"):
        dates.sleep(-1)


def test_what_is_no_date_goes_back_as_it_is() -> None:
    assert json.loads(dates.date_call("date", "2024-01-01", "weekday", [], {})) == ["", 0]
