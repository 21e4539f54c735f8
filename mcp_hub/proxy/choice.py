"""Which of a request's upstreams is asked first: one that works, and for a session the one with its prompt cache.

Pure, but that it remembers; the clock is the caller's, in seconds that only go forward. An upstream that fails again
and again is left alone for a while (a circuit breaker): it is asked only where no other is left, and then by one
request at a time until it answers. A 429 that says when to come again is believed at once.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mcp_hub.proxy.pins import Route

FAILURES = 5
"""In a row, after which an upstream is left alone."""
LEFT_ALONE = 30.0
"""Seconds, the first time; twice as long each time that it fails again, up to LEFT_ALONE_MOST."""
LEFT_ALONE_MOST = 300.0
TRIAL_WITHIN = 60.0
"""Seconds after which a trial that nobody has told the end of doesn't keep others from one."""

REMEMBERED_FOR = 3600.0
"""Seconds since its last request that a session's upstream is known: the longest that a prompt cache lives."""
REMEMBERED_SESSIONS = 10_000


class State(StrEnum):
    """Of an upstream."""

    CLOSED = "closed"
    """It works, as far as is known."""
    OPEN = "open"
    """It failed, and is left alone."""
    TRIED = "tried"
    """It was left alone long enough: a request tries it."""


@dataclass(frozen=True)
class Standing:
    """How an upstream stands, and what failed last, "" while it works."""

    upstream: str
    state: State
    reason: str


@dataclass
class _Breaker:
    state: State = State.CLOSED
    failures: int = 0
    times: int = 0
    until: float = 0.0
    reason: str = ""


class Choice:
    """Remembers how upstreams did and where sessions are. `on_change` is told of each new standing."""

    def __init__(self, upstreams: Sequence[str], on_change: Callable[[Standing], None]) -> None:
        self._breakers = {name: _Breaker() for name in upstreams}
        self._on_change = on_change
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def order(self, routes: Sequence[Route], session: str | None, now: float) -> list[Route]:
        """The routes in the order in which to try them; none is left out.

        `session` is None for a request that tells none.
        """
        if len(routes) == 1:
            return list(routes)
        home = self._home(session, now)
        usual = sorted(routes, key=lambda route: route.upstream != home)
        return sorted(usual, key=lambda route: not self._is_asked(route.upstream, now))

    def asked(self, upstream: str, now: float) -> None:
        """An upstream is asked: after it was left alone, by one request until it is known how that went."""
        breaker = self._breakers[upstream]
        if breaker.state is State.CLOSED or now < breaker.until:
            return
        breaker.until = now + TRIAL_WITHIN
        if breaker.state is State.OPEN:
            self._change(upstream, State.TRIED)

    def answered(self, upstream: str, session: str | None, now: float) -> None:
        """An upstream has begun an answer that is no failure."""
        breaker = self._breakers[upstream]
        breaker.failures = breaker.times = 0
        if breaker.state is not State.CLOSED:
            breaker.reason = ""
            self._change(upstream, State.CLOSED)
        if session is not None:
            self._sessions[session] = (upstream, now)
            self._sessions.move_to_end(session)
            if len(self._sessions) > REMEMBERED_SESSIONS:
                self._sessions.popitem(last=False)

    def failed(self, upstream: str, reason: str, now: float, *, again_after: float | None = None) -> None:
        """An upstream failed before its answer's first byte; `again_after` are the seconds of its retry-after."""
        breaker = self._breakers[upstream]
        breaker.failures += 1
        breaker.reason = reason
        told = now + min(again_after or 0.0, LEFT_ALONE_MOST)
        if breaker.state is State.OPEN and now < breaker.until:
            breaker.until = max(breaker.until, told)  # asked before it was left alone, so it didn't fail once more
            return
        if not again_after and breaker.failures < FAILURES and breaker.state is State.CLOSED:
            return
        seconds = min(LEFT_ALONE * 2**breaker.times, LEFT_ALONE_MOST)
        breaker.times += not again_after
        breaker.until = told if again_after else now + seconds
        self._change(upstream, State.OPEN)

    def _is_asked(self, upstream: str, now: float) -> bool:
        breaker = self._breakers[upstream]
        return breaker.state is State.CLOSED or now >= breaker.until

    def _home(self, session: str | None, now: float) -> str | None:
        if session is None or session not in self._sessions:
            return None
        upstream, at = self._sessions[session]
        return upstream if now - at <= REMEMBERED_FOR else None

    def _change(self, upstream: str, state: State) -> None:
        breaker = self._breakers[upstream]
        breaker.state = state
        self._on_change(Standing(upstream, state, breaker.reason))
