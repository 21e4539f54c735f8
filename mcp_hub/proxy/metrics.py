"""What the proxy counts for Prometheus, since it started: requests, tokens, dollars, times, refusals, budgets.

The names of keys and teams are the configuration's. A client chooses the model that it asks for, so that models are
told by their entry in the price list; its sessions are told in `mcp_hub usage` alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Literal

import anyio.to_thread
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mcp_hub.prometheus import Registry
from mcp_hub.proxy.budgets import Kind, Standing
from mcp_hub.proxy.choice import State
from mcp_hub.proxy.pricing import NANO, Usage
from mcp_hub.store.ledger import Entry, Served, Status

OTHER = "other"
"""Models that have no price."""

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Of an answer: the first byte of a short one, the last of a long one."""


class Metrics:
    """Counts what is told to it. For one thread."""

    def __init__(self, entry_of: Callable[[str], str | None]) -> None:
        """`entry_of` gives the entry of the price list that a model has, None if it has none."""
        self._entry_of = entry_of
        registry = self._registry = Registry()
        who = ("key", "team", "upstream", "model")
        self._requests = Counter(
            "mcp_hub_proxy_requests", "Requests to /v1/messages that ended.", (*who, "status"), registry=registry
        )
        self._tokens = Counter(
            "mcp_hub_proxy_tokens", "Tokens that were charged, by kind.", (*who, "kind"), registry=registry
        )
        self._dollars = Counter("mcp_hub_proxy_dollars", "Dollars that were charged.", who, registry=registry)
        self._first = _seconds("first_byte", "Seconds to an answer's first byte.", registry)
        self._whole = _seconds("answer", "Seconds to an answer's end.", registry)
        self._refused = Counter(
            "mcp_hub_proxy_refused", "Requests answered with an error of the proxy's own.", ("type",), registry=registry
        )
        self._uncounted = Counter(
            "mcp_hub_proxy_uncounted",
            "Requests to other paths that passed and aren't in the ledger: batches, files.",
            ("key",),
            registry=registry,
        )
        self._fallbacks = Counter(
            "mcp_hub_proxy_fallbacks",
            "Tries that failed at this upstream where others were left.",
            ("upstream",),
            registry=registry,
        )
        self._cache = Counter(
            "mcp_hub_proxy_cache",
            "Requests by what the cache made of them: exact, similar, shared, miss, bypass.",
            ("key", "team", "result"),
            registry=registry,
        )
        self._saved = Counter(
            "mcp_hub_proxy_cache_saved_dollars",
            "Dollars that the answers given by the cache had cost.",
            ("key", "team", "model"),
            registry=registry,
        )
        self._states = Gauge(
            "mcp_hub_proxy_upstream_state",
            "1 for the state that an upstream is in.",
            ("upstream", "state"),
            registry=registry,
        )
        self._under_way = Gauge("mcp_hub_proxy_under_way", "Requests admitted that haven't ended.", registry=registry)

    def admitted(self) -> None:
        """A request goes out."""
        self._under_way.inc()

    def ended(
        self, entry: Entry, status: Status, used: Usage, dollars: int, first: float | None, seconds: float
    ) -> None:
        """A request that was admitted has ended: `dollars` in nano-dollars, times in seconds."""
        self._under_way.dec()
        model = self._entry_of(entry.model) or OTHER
        who = (entry.key, entry.team, entry.upstream, model)
        self._requests.labels(*who, status).inc()
        for kind, count in asdict(used).items():
            if count:
                self._tokens.labels(*who, kind).inc(count)
        self._dollars.labels(*who).inc(dollars / NANO)
        if first is not None:
            self._first.labels(entry.upstream).observe(first)
            self._whole.labels(entry.upstream).observe(seconds)

    def served(self, entry: Entry, served: Served) -> None:
        """The cache has answered a request."""
        self._cache.labels(entry.key, entry.team, served.by).inc()
        model = self._entry_of(entry.model) or OTHER
        self._saved.labels(entry.key, entry.team, model).inc(served.dollars / NANO)

    def not_served(self, entry: Entry, result: Literal["miss", "bypass"]) -> None:
        """The cache had no answer to a request, or was not to have one."""
        self._cache.labels(entry.key, entry.team, result).inc()

    def uncounted(self, key: str) -> None:
        """A request passed that isn't in the ledger, and may cost something."""
        self._uncounted.labels(key).inc()

    def refused(self, type: str) -> None:
        """A request was answered with an error of the proxy's own; `type` as the Messages API names it."""
        self._refused.labels(type).inc()

    def fell_back(self, upstream: str) -> None:
        """A try failed before its first byte, and other upstreams are left."""
        self._fallbacks.labels(upstream).inc()

    def stands(self, upstream: str, state: State) -> None:
        """An upstream's state has changed, or is told at the start."""
        for each in State:
            self._states.labels(upstream, each).set(each is state)

    async def exposition(self, standings: Sequence[Standing]) -> bytes:
        """All of it as Prometheus reads it, with how the caps stand now. Written in a thread: it takes milliseconds."""
        caps = _caps(standings)
        return await anyio.to_thread.run_sync(lambda: generate_latest(self._registry) + generate_latest(caps))


def _caps(standings: Sequence[Standing]) -> CollectorRegistry:
    """How caps stand, in a registry of this moment: another scrape may be going on, of other caps."""
    registry = Registry()
    limit = _of_caps("limit", "A cap, in dollars, tokens or requests.", registry)
    spent = _of_caps("spent", "Spent in a cap's present window.", registry)
    reserved = _of_caps("reserved", "Reserved there by requests under way.", registry)
    for each in standings:
        cap = each.cap
        duration = f"{cap.period.duration} rolling" if cap.period.rolling else cap.period.duration
        labels = (cap.tier, cap.name, cap.kind, duration)
        limit.labels(*labels).set(_amount(cap.limit, cap.kind))
        spent.labels(*labels).set(_amount(each.spent, cap.kind))
        reserved.labels(*labels).set(_amount(each.reserved, cap.kind))
    return registry


def _seconds(what: str, text: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(f"mcp_hub_proxy_{what}_seconds", text, ("upstream",), buckets=SECONDS, registry=registry)


def _of_caps(what: str, text: str, registry: CollectorRegistry) -> Gauge:
    labels = ("tier", "name", "kind", "duration")
    return Gauge(f"mcp_hub_proxy_budget_{what}", text, labels, registry=registry)


def _amount(amount: int, kind: Kind) -> float:
    return amount / NANO if kind == "dollars" else amount
