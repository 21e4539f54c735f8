"""Dates for programs: what the prelude's `datetime` computes in the host, as pure functions of their input.

There is no clock, and no local time: a time without an offset is taken as UTC where that matters. A date crosses as
its kind and the text that `str()` gives it; what is computed goes back as JSON: [kind, key, text, fields...], where
values of one kind are ordered as their keys are, or ["", value] for what is no date.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from datetime import time as time_of_day
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

MOST_FORMAT = 10_000
"""Characters of a format for strftime."""

MOST_SLEEP = 3600
"""Seconds; the program's own deadline is earlier."""

CLASSES: dict[str, Any] = {
    "datetime": datetime,
    "date": date,
    "time": time_of_day,
    "timedelta": timedelta,
    "timezone": timezone,
}

MAKERS = {
    "datetime": frozenset({"fromisoformat", "strptime", "fromtimestamp", "utcfromtimestamp", "combine", "fromordinal",
                           "fromisocalendar"}),
    "date": frozenset({"fromisoformat", "fromtimestamp", "fromordinal", "fromisocalendar"}),
    "time": frozenset({"fromisoformat"}),
}  # fmt: skip
"""Class -> its methods that make a value from what they are given. One that reads a clock isn't among them."""

METHODS = {
    "datetime": frozenset({"isoformat", "strftime", "date", "time", "timetz", "timestamp", "weekday", "isoweekday",
                           "isocalendar", "replace", "astimezone", "utcoffset", "tzname", "toordinal", "ctime"}),
    "date": frozenset({"isoformat", "strftime", "weekday", "isoweekday", "isocalendar", "replace", "toordinal",
                       "ctime"}),
    "time": frozenset({"isoformat", "strftime", "replace", "utcoffset", "tzname"}),
    "timezone": frozenset({"utcoffset", "tzname"}),
}  # fmt: skip
"""Kind of a value -> its methods."""


def date_call(kind: str, text: str | None, name: str, args: list[Any], kwargs: dict[str, Any]) -> str:
    """Call a method of a date, or of its class when there is no text; `new` is the constructor.

    Arguments that are dates come as {"_kind": kind, "_value": text}. Raises what Python's datetime raises, and
    AttributeError for a name that is no method.
    """
    args = [_revived(arg) for arg in args]
    kwargs = {key: _revived(value) for key, value in kwargs.items()}
    if text is not None:
        return _told(_method(_value(kind, text), kind, name, args, kwargs))
    if name == "new":
        return _told(CLASSES[kind](*args, **kwargs))
    if name not in MAKERS.get(kind, ()):
        raise AttributeError(f"{kind} has no method {name!r} here")
    if name in ("fromtimestamp", "utcfromtimestamp"):
        return _told(_from_timestamp(kind, name, *args, **kwargs))
    return _told(getattr(CLASSES[kind], name)(*args, **kwargs))


def date_sum(kind: str, text: str, microseconds: int) -> str:
    """A date or a datetime some microseconds later. Raises OverflowError for one out of range."""
    return _told(_value(kind, text) + microseconds * MICROSECOND)


def duration(kwargs: dict[str, float]) -> int:
    """A timedelta's arguments in microseconds. Raises TypeError and OverflowError as Python does."""
    return timedelta(**kwargs) // MICROSECOND


def duration_text(microseconds: int) -> str:
    """`str()` of a timedelta."""
    return str(microseconds * MICROSECOND)


def sleep(seconds: float) -> None:
    """Wait, as `time.sleep` does. Raises ValueError for a negative number."""
    time.sleep(min(seconds, MOST_SLEEP))


def _method(value: Any, kind: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name not in METHODS[kind]:
        raise AttributeError(f"a {kind} has no method {name!r} here")
    if name == "strftime" and len(str(args[:1])) > MOST_FORMAT:
        raise ValueError(f"a format has at most {MOST_FORMAT} characters")
    if isinstance(value, datetime) and value.tzinfo is None and name in ("timestamp", "astimezone"):
        value = value.replace(tzinfo=UTC)
    if name == "astimezone" and not args and not kwargs:
        args = [UTC]
    return getattr(value, name)(*args, **kwargs)


def _from_timestamp(kind: str, name: str, timestamp: float, tz: tzinfo | None = None) -> date:
    moment = datetime.fromtimestamp(timestamp, tz or UTC)
    if kind == "date":
        return moment.date()
    return moment.replace(tzinfo=tz) if name == "fromtimestamp" else moment.replace(tzinfo=None)


def _revived(value: Any) -> Any:
    if isinstance(value, dict) and "_kind" in value:
        return _value(value["_kind"], value["_value"])
    return value


def _value(kind: str, text: Any) -> Any:
    if kind == "timedelta":
        return text * MICROSECOND
    if kind == "timezone":
        return _zone(text)
    return CLASSES[kind].fromisoformat(text)


def _zone(seconds: int) -> timezone:
    return timezone(timedelta(seconds=seconds)) if seconds else UTC


def _told(value: Any) -> str:
    return json.dumps(_fields(value))


def _fields(value: Any) -> list[Any]:
    if isinstance(value, datetime):
        offset = value.utcoffset()
        moment = value if offset is not None else value.replace(tzinfo=UTC)
        zone = None if offset is None else offset // timedelta(seconds=1)
        fields = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
        return ["datetime", (moment - EPOCH) // MICROSECOND, str(value), zone, *fields]
    if isinstance(value, date):
        return ["date", value.toordinal(), str(value), value.year, value.month, value.day]
    if isinstance(value, time_of_day):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        fields = [value.hour, value.minute, value.second, value.microsecond]
        return ["time", seconds * 1_000_000 + value.microsecond, str(value), *fields]
    if isinstance(value, timedelta):
        return ["timedelta", value // MICROSECOND]
    if isinstance(value, timezone):
        return ["timezone", value.utcoffset(None) // timedelta(seconds=1), str(value)]
    if isinstance(value, tuple):
        return ["tuple", list(value)]
    return ["", value]


datetime.strptime("1", "%d")  # imports a module at its first use, when a worker may open no file any more

CALLABLES: dict[str, Callable[..., Any]] = {
    "_lib_date_call": date_call,
    "_lib_date_sum": date_sum,
    "_lib_duration": duration,
    "_lib_duration_text": duration_text,
    "_lib_sleep": sleep,
}
