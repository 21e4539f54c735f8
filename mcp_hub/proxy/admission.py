"""Admits requests: reserves what each may cost at most, waits for others, counts or lowers where that makes it fit.

Above it is the flow, below it the ledger, which decides. Order, when there is no room: the upstream is asked to count
the prompt, since the bound by bytes is far above it; max_tokens is lowered; then it is waited for others to settle. Who
waits is woken by what settles under a cap of its own, a few in the order in which they came, and looks before it
writes: many that wait for one budget don't keep others from theirs.
"""

import logging
import math
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

from mcp_hub.proxy import bounds
from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.budgets import (
    Allowed,
    Cap,
    Refused,
    Standing,
    Tier,
    Waits,
    Want,
    decide,
    is_rate,
    lowered_output,
    refusal_text,
)
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pricing import Price, PriceList, Usage, cost, worst_cost
from mcp_hub.proxy.spans import SAID_NOTHING, RequestSpan, Said, Spans
from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.wire import AnswerError, MessagesRequest
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.store.ledger import Entry, Ledger, Served, Status
from mcp_hub.store.standings import TIERS

logger = logging.getLogger(__name__)

ASK_AGAIN = 1.0
"""Seconds until a request that waits looks again by itself: another proxy on the same database may have settled."""

THREADS = 4
"""For the ledger: writes take turns anyhow, and reads take a fraction of a millisecond."""
WOKEN = 4
"""Requests that one settlement wakes; others look again within ASK_AGAIN seconds."""

COUNT_PERCENT = 110
COUNT_MORE = 200
"""The upstream's count is an estimate, by its documentation: what is reserved is so much of it, and so many more."""

NO_PRICE = Price(0, 0, 0, 0, 0, 0)
"""Of a model that nobody gave a price, where no dollar cap holds: its tokens count, its dollars don't."""

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

Count = Callable[[MessagesRequest], Awaitable[int | None]]
"""The prompt's tokens as the upstream counts them; None where it can't."""


@dataclass(frozen=True)
class Admitted:
    """A request that may go out: the most that it may use, and the price of that."""

    entry: Entry
    worst: Usage
    price: Price
    grows: bool
    """Whether the API runs tools in it, each of which brings more input than an answer tells at its beginning."""
    lowered: int | None
    """Its max_tokens, where that isn't the client's."""
    span: RequestSpan | None = None

    def onward(self, headers: Headers) -> Headers:
        """A client's headers as they are sent: with spans, what the request leads to is a part of its own."""
        return headers if self.span is None else self.span.onward(headers)


@dataclass(frozen=True)
class End:
    """How a request ended, as the ledger keeps it; times in seconds, `first` to the answer's first byte."""

    used: Usage | None
    """None: nothing is known of it, so that all is charged that was reserved."""
    status: Status
    http_status: int
    first: float | None
    seconds: float
    said: Said = SAID_NOTHING


class Admission:
    """Reserves and settles, over one ledger."""

    def __init__(
        self,
        settings: ProxySettings,
        prices: PriceList,
        ledger: Ledger,
        metrics: Metrics,
        clock: Callable[[], float],
        spans: Spans | None = None,
    ) -> None:
        self._settings = settings
        self._prices = prices
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock
        self._spans = spans
        self._waiting: dict[anyio.Event, frozenset[tuple[Tier, str]]] = {}
        self._limiter = anyio.CapacityLimiter(THREADS)
        self._unrecorded: set[str] = set()
        """Requests without a cap that the ledger couldn't reserve: there is nothing to settle."""
        self._unsettled: dict[str, tuple[Admitted, End]] = {}

    async def admit(
        self, entry: Entry, request: MessagesRequest, caps: Sequence[Cap], count: Count, headers: Headers = ()
    ) -> tuple[Admitted, bytes]:
        """Reserve the most that `request`, as it would be sent, may use; `headers` are its client's.

        Gives the body that may go out, too: nobody keeps it while the answer comes. Raises AnswerError if none may.
        """
        size = len(request.body)
        price = await apart(size, lambda: self._price(entry, request, caps))
        worst = await apart(size, lambda: bounds.worst_case(request.json, size))
        grows = _grows(request, worst)
        lowered: int | None = None
        counted = False
        until = anyio.current_time() + self._settings.wait_seconds
        waited = False
        while True:
            late = anyio.current_time() >= until
            want = Want.of(worst, price)
            decision = await self._foreseen(caps, want) if waited else Allowed()
            if isinstance(decision, Allowed):
                decision = await self._reserve(entry, caps, want)
            if isinstance(decision, Allowed):
                self._metrics.admitted()
                span = self._spans.begun(entry, request, headers) if self._spans is not None else None
                return Admitted(entry, worst, price, grows, lowered, span), request.body
            if not counted and not grows:
                counted = True
                if (less := await self._counted(request, worst, count)) is not None:
                    worst = less
                    continue
            now, later = None, None
            if late or isinstance(decision, Refused):
                now, later = await self._outputs(request, worst, price, caps)
            if now is not None:
                request = await apart(size, partial(_with_output, request, now))
                lowered, worst = now, replace(worst, output=now)
                continue
            if isinstance(decision, Refused) and later is None:
                raise self._refusal(decision)
            if late:
                raise AnswerError("rate_limit_error", _waited(decision, caps), retry_after=ASK_AGAIN)
            waited = True
            await self._wait(caps, min(ASK_AGAIN, until - anyio.current_time()))

    async def note(self, admitted: Admitted, told: Usage) -> None:
        """Keep what an answer under way may have used at most, now that it has told its input: for a crash."""
        if admitted.grows or admitted.entry.id in self._unrecorded:
            return
        most = told.most(Usage(output=admitted.worst.output))
        try:
            await self._in_thread(self._ledger.noted, admitted.entry.id, most, cost(most, admitted.price))
        except sqlite3.Error as error:
            logger.info("%s: what it has used isn't noted: %s", admitted.entry.id, error)

    async def settle(self, admitted: Admitted, end: End) -> None:
        """Replace a reservation by what was used. Where the ledger can't be written now, `settle_late` does it."""
        await self._settle(admitted, end)
        used, spent = _charged(admitted, end)
        self._metrics.ended(admitted.entry, end.status, used, spent, end.first, end.seconds)
        if admitted.span is not None:
            admitted.span.ended(end.status, end.http_status, end.used, spent, end.first, end.said)

    async def served(self, entry: Entry, served: Served, seconds: float) -> None:
        """Record a request that the cache has answered: it costs nothing, and no cap has to do with it."""
        try:
            with anyio.CancelScope(shield=True):
                await self._in_thread(self._ledger.served, entry, served, self._clock(), seconds)
        except sqlite3.Error as error:
            logger.warning("%s: that the cache has answered isn't recorded: %s", entry.id, error)
        self._metrics.served(entry, served)

    async def settle_late(self) -> None:
        """Settle what couldn't be settled before."""
        for admitted, end in list(self._unsettled.values()):
            del self._unsettled[admitted.entry.id]
            await self._settle(admitted, end)

    async def standings(self, caps: Sequence[Cap]) -> list[Standing]:
        """How caps stand now. Raises sqlite3.Error."""
        return await self._in_thread(self._ledger.standing, caps, self._clock())

    async def _settle(self, admitted: Admitted, end: End) -> None:
        if admitted.entry.id in self._unrecorded:
            self._unrecorded.discard(admitted.entry.id)
            return
        with anyio.CancelScope(shield=True):
            try:
                await self._in_thread(self._write, admitted, end)
            except sqlite3.Error as error:
                self._unsettled[admitted.entry.id] = (admitted, end)
                logger.warning("%s: it stays reserved until it can be settled: %s", admitted.entry.id, error)
        self._wake(admitted.entry)

    async def _in_thread(self, work: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """In one of a few threads of its own: what else is done in threads doesn't wait for the ledger."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._limiter)

    def _write(self, admitted: Admitted, end: End) -> None:
        used, spent = _charged(admitted, end)
        self._ledger.settle(admitted.entry.id, used, spent, end.status, end.first, end.seconds, end.http_status)

    def _price(self, entry: Entry, request: MessagesRequest, caps: Sequence[Cap]) -> Price:
        upstream = next((each for each in self._settings.upstreams if each.name == entry.upstream), None)
        is_regional = upstream is not None and upstream.is_regional(entry.model)
        price = self._prices.of(entry.model, request.json, is_regional=is_regional)
        dollars = [cap for cap in caps if cap.kind == "dollars"]
        if price is None and dollars:
            text = f"The model {entry.model!r} has no price, and {whose(dollars[0])} counts dollars. Give it one in "
            raise AnswerError("billing_error", f"{text}[proxy.prices].")
        if caps and (why := bounds.uncountable(request.json)):
            raise AnswerError("billing_error", f"The request can't be counted: {why}. {whose(caps[0])} needs that.")
        return price or NO_PRICE

    def _refusal(self, refused: Refused) -> AnswerError:
        if not is_rate(refused):
            return AnswerError("billing_error", refusal_text(refused))
        seconds = math.ceil(refused.resets_at - self._clock())
        return AnswerError("rate_limit_error", refusal_text(refused), retry_after=max(seconds, 1))

    async def _wait(self, caps: Sequence[Cap], seconds: float) -> None:
        """Wait until something settles under one of these caps, or another proxy may have settled something."""
        mine = anyio.Event()
        self._waiting[mine] = frozenset((cap.tier, cap.name) for cap in caps)
        try:
            with anyio.move_on_after(seconds):
                await mine.wait()
        finally:
            del self._waiting[mine]

    def _wake(self, settled: Entry) -> None:
        under = {(tier, getattr(settled, tier)) for tier in TIERS}
        woken = (event for event, caps in self._waiting.items() if not event.is_set() and caps & under)
        for event in list(islice(woken, WOKEN)):
            event.set()

    async def _foreseen(self, caps: Sequence[Cap], want: Want) -> Allowed | Waits | Refused:
        """What the ledger would decide now, found without writing."""
        try:
            return decide(await self.standings(caps), want, self._clock())
        except sqlite3.Error as error:
            raise _unwritten(error, caps[0]) from None

    async def _reserve(self, entry: Entry, caps: Sequence[Cap], want: Want) -> Allowed | Waits | Refused:
        try:
            # Shielded, or a client that goes away meanwhile would leave a reservation that nobody settles.
            with anyio.CancelScope(shield=True):
                decision = await self._in_thread(self._ledger.reserve, entry, caps, want, self._clock())
        except sqlite3.Error as error:
            if caps:
                raise _unwritten(error, caps[0]) from None
            logger.warning("%s: this request isn't recorded: %s", entry.id, error)
            self._unrecorded.add(entry.id)
            decision = Allowed()
        return decision

    async def _counted(self, request: MessagesRequest, worst: Usage, count: Count) -> Usage | None:
        """`worst` with the prompt as the upstream counts it; None where that isn't less, or isn't all of it."""
        told = await count(request)
        most = None if told is None else told * COUNT_PERCENT // 100 + COUNT_MORE
        if most is None or most >= worst.prompt:
            return None
        kinds = {"input": worst.input, "cache_write_5m": worst.cache_write_5m, "cache_write_1h": worst.cache_write_1h}
        return replace(worst, **{kind: min(tokens, most) for kind, tokens in kinds.items()})

    async def _outputs(
        self, request: MessagesRequest, worst: Usage, price: Price, caps: Sequence[Cap]
    ) -> tuple[int | None, int | None]:
        """A lower max_tokens with which the request fits now, and one with which it fits when all others have settled
        at nothing; None where there is none, or none is wanted.
        """
        if self._settings.when_too_large == "refuse":
            return None, None
        floor = max(self._settings.output_floor, (request.thinking_budget or 0) + 1)
        try:
            standings = await self.standings(caps)
        except sqlite3.Error as error:
            raise _unwritten(error, caps[0]) from None
        free = [replace(each, reserved=0) for each in standings]
        fits = (lowered_output(each, worst, price, floor) for each in (standings, free))
        now, later = (None if output is None or output >= worst.output else output for output in fits)
        return now, later


def whose(cap: Cap) -> str:
    """A cap as it stands in a sentence."""
    return f"the cap of {cap.tier} {cap.name!r}"


def _charged(admitted: Admitted, end: End) -> tuple[Usage, int]:
    """What is charged: usage, and nano-dollars."""
    if end.used is None:
        return admitted.worst, worst_cost(admitted.worst, admitted.price)
    return end.used, cost(end.used, admitted.price)


def _grows(request: MessagesRequest, worst: Usage) -> bool:
    """Whether the API runs tools in it: they bring more than the request has."""
    served = any(tool.get("type", "custom") != "custom" for tool in _tools(request))
    return served or worst.web_searches > 0 or bool(request.json.get("mcp_servers"))


def _with_output(request: MessagesRequest, max_tokens: int) -> MessagesRequest:
    return MessagesRequest.parse(request.changed(max_tokens=max_tokens))


def _tools(request: MessagesRequest) -> list[dict[str, object]]:
    tools = request.json.get("tools")
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def _unwritten(error: sqlite3.Error, cap: Cap) -> AnswerError:
    text = f"The ledger can't be used ({error}), so nothing can be spent under {whose(cap)}."
    return AnswerError("api_error", text, status=503)


def _waited(decision: Waits | Refused, caps: Sequence[Cap]) -> str:
    waited = decision.caps if isinstance(decision, Waits) else caps
    names = ", ".join(dict.fromkeys(f"{cap.tier} {cap.name!r}" for cap in waited))
    return f"Other requests have reserved what is left of the budget of {names}. Try again when they have ended."
