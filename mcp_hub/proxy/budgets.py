"""Budgets: the windows that a cap counts in, and whether a request fits under every cap that applies to it.

Pure. A request is admitted at its worst case and settled to what it used, so that spent plus reserved never passes
a limit. Times are seconds since 1970 in UTC; amounts are nano-dollars, tokens or requests, as a cap's kind says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from mcp_hub.errors import ConfigError
from mcp_hub.proxy.pricing import Price, Usage, dollars_text, worst_cost

Tier = Literal["customer", "team", "key", "upstream", "session"]
Kind = Literal["dollars", "tokens", "requests"]

DAY = 24 * 60 * 60

LENGTHS = {"1m": 60, "1h": 60 * 60, "1d": DAY, "1w": 7 * DAY, "1M": 30 * DAY, "1Y": 365 * DAY}
"""Seconds of each duration; of a month and a year where they are rolling."""

NAMES = {"1m": "minute", "1h": "hour", "1d": "day", "1w": "week", "1M": "month", "1Y": "year"}

FIRST_MONDAY = 4 * DAY
"""1970 began on a Thursday."""


@dataclass(frozen=True)
class Period:
    """How long a cap counts before it starts anew: `1m 1h 1d 1w 1M 1Y`.

    By the calendar in UTC, a week from Monday; or `rolling`, which looks back by that length from now.
    """

    duration: str
    rolling: bool = False

    @classmethod
    def parse(cls, duration: str, *, rolling: bool = False) -> "Period":
        """A period of `duration`; ConfigError, which tells the six that there are, if it is none of them."""
        if duration not in LENGTHS:
            raise ConfigError(f"{duration!r} is no duration; it must be one of {', '.join(LENGTHS)}.")
        return cls(duration, rolling)

    @property
    def name(self) -> str:
        """As it follows an amount: "a day", "in any hour"."""
        name = NAMES[self.duration]
        if self.rolling:
            return {"1M": "in any 30 days", "1Y": "in any 365 days"}.get(self.duration, f"in any {name}")
        return f"{'an' if name == 'hour' else 'a'} {name}"

    def start(self, at: float) -> float:
        """When the window that holds `at` began; what happened at that very time is in it."""
        if self.rolling:
            return at - LENGTHS[self.duration]
        if self.duration in ("1M", "1Y"):
            return self._month(at).timestamp()
        offset = FIRST_MONDAY if self.duration == "1w" else 0
        length = LENGTHS[self.duration]
        return float((math.floor(at) - offset) // length * length + offset)

    def end(self, at: float) -> float:
        """When the window that holds `at` resets; of a rolling one, when all that counts now has left it."""
        if self.rolling:
            return at + LENGTHS[self.duration]
        if self.duration not in ("1M", "1Y"):
            return self.start(at) + LENGTHS[self.duration]
        begin = self._month(at)
        if self.duration == "1Y" or begin.month == 12:
            return begin.replace(year=begin.year + 1, month=1).timestamp()
        return begin.replace(month=begin.month + 1).timestamp()

    def _month(self, at: float) -> datetime:
        """The beginning of the month, or of the year; the fraction goes first, since datetime rounds it up."""
        begin = datetime.fromtimestamp(math.floor(at), UTC).replace(day=1, hour=0, minute=0, second=0)
        return begin.replace(month=1) if self.duration == "1Y" else begin


@dataclass(frozen=True)
class Cap:
    """A limit of one kind for whoever `tier` and `name` say, in each window of `period`."""

    tier: Tier
    name: str
    kind: Kind
    limit: int
    period: Period


@dataclass(frozen=True)
class Standing:
    """What of a cap is spent, and what is reserved by requests under way, in its present window."""

    cap: Cap
    spent: int
    reserved: int


@dataclass(frozen=True)
class Want:
    """The most that a request may come to."""

    dollars: int
    tokens: int
    requests: int = 1

    @classmethod
    def of(cls, worst: Usage, price: Price) -> "Want":
        """A request within `worst`, at `price`."""
        return cls(worst_cost(worst, price), worst.tokens)

    def of_kind(self, kind: Kind) -> int:
        """The amount that a cap of `kind` counts."""
        return {"dollars": self.dollars, "tokens": self.tokens, "requests": self.requests}[kind]


@dataclass(frozen=True)
class Allowed:
    """Every cap has room."""


@dataclass(frozen=True)
class Waits:
    """There will be room under `caps`, if those that have reserved it use less."""

    caps: tuple[Cap, ...]


@dataclass(frozen=True)
class Refused:
    """There is no room under `cap` until `resets_at`: `spent` of it is used, and the request may need `needs`."""

    cap: Cap
    spent: int
    needs: int
    resets_at: float


def decide(standings: Sequence[Standing], want: Want, at: float) -> Allowed | Waits | Refused:
    """Whether `want` fits under all of `standings` at the time `at`.

    Of several caps that refuse, the one that resets last is told: not before then can the request be admitted.
    """
    full = [each for each in standings if each.spent + want.of_kind(each.cap.kind) > each.cap.limit]
    if full:
        last = max(full, key=lambda each: each.cap.period.end(at))
        return Refused(last.cap, last.spent, want.of_kind(last.cap.kind), last.cap.period.end(at))
    waiting = tuple(each.cap for each in standings if want.of_kind(each.cap.kind) > _room(each))
    return Waits(waiting) if waiting else Allowed()


def lowered_output(standings: Sequence[Standing], worst: Usage, price: Price, floor: int) -> int | None:
    """The largest `max_tokens`, from `floor` to that of `worst`, with which a request fits now; None if none does."""

    def fits(output: int) -> bool:
        want = Want.of(replace(worst, output=output), price)
        return all(want.of_kind(each.cap.kind) <= _room(each) for each in standings)

    if worst.output < floor or not fits(floor):
        return None
    low, high = floor, worst.output
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _room(standing: Standing) -> int:
    return standing.cap.limit - standing.spent - standing.reserved


def is_rate(refused: Refused) -> bool:
    """Whether it is a rate that is passed, and the same request has room before long: a client may well wait for that.

    So it is for requests and tokens a minute. A budget of dollars, or of a longer time, is for a person to see.
    """
    cap = refused.cap
    return cap.period.duration == "1m" and cap.kind != "dollars" and refused.needs <= cap.limit


def refusal_text(refused: Refused) -> str:
    """Which cap is used up, by how much, and when there is room again: sentences for a person."""
    cap = refused.cap
    whose = f"The budget of {cap.tier} {cap.name!r} ({_amount(cap.limit, cap.kind)} {cap.period.name})"
    if refused.needs > cap.limit:
        return (
            f"{whose} is less than this request may need: {_amount(refused.needs, cap.kind)}. It needs a smaller "
            f"max_tokens, a shorter prompt, or a larger budget."
        )
    reset = datetime.fromtimestamp(math.ceil(refused.resets_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    when = f"There is room again at {reset} at the latest." if cap.period.rolling else f"It resets at {reset}."
    if cap.kind == "requests":
        return f"{whose} is used up. {when}"
    return (
        f"{whose} is used up: {_amount(refused.spent, cap.kind)} spent, up to {_amount(refused.needs, cap.kind)} "
        f"needed by this request. {when}"
    )


def _amount(amount: int, kind: Kind) -> str:
    if kind == "dollars":
        return f"{dollars_text(amount)} dollars"
    return f"{amount:,} {kind if amount != 1 else kind.removesuffix('s')}"
