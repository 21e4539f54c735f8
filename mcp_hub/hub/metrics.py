"""Counts what the hub does, and tells it in Prometheus's text format to whoever asks for /metrics.

`journal` tells it of programs and their calls, `meta_tools` of look-ups; `http` asks. It is made only where the hub is
served over HTTP: nobody could ask elsewhere, and prometheus_client takes a start 12 ms to import. Telling takes a few
microseconds and raises nothing. So that there are never more series than a scraper can hold, labels are names from
servers.toml and words of the hub's own, never what an agent or a program chose.
"""

from collections.abc import Callable, Iterable, Sequence

import anyio.to_thread
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from mcp_hub.errors import KINDS, HubError, LimitError, ScriptError
from mcp_hub.hub.downstream import State
from mcp_hub.prometheus import Registry
from mcp_hub.sandbox.conversation import Run
from mcp_hub.store.runs import Outcome, RecordedCall

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms' buckets, up to what a program may take by default."""

TOKEN_BYTES = 4
"""Bytes that are taken for a token: about what English and JSON have."""

OK, CANCELLED, HUB, OTHER = "ok", "cancelled", "hub", "other"
"""How a program ended, beside the kinds of failures: HUB is a failure without a kind, OTHER one whose kind is none."""


class Metrics:
    """The metrics of one hub, in a registry of their own. `states` answers each server's state as it is now."""

    def __init__(self, states: Callable[[], Iterable[State]]) -> None:
        self._states = states
        self._registry = registry = Registry()
        self._runs = Counter(
            "mcp_hub_runs",
            "Programs that ended, by how: ok, cancelled, or the kind of failure as the journal names it.",
            ["status"],
            registry=registry,
        )
        self._run_seconds = Histogram(
            "mcp_hub_run_seconds",
            "Seconds that programs took, with their calls and the wait for their turn.",
            buckets=SECONDS,
            registry=registry,
        )
        self._limits_hit = Counter(
            "mcp_hub_limits_hit",
            "Programs that a limit of [hub.limits] ended, by the limit.",
            ["limit"],
            registry=registry,
        )
        self._calls = Counter(
            "mcp_hub_calls",
            "Calls of tools, by the journal's outcome. For a reused one, the server wasn't asked.",
            ["server", "outcome"],
            registry=registry,
        )
        self._call_seconds = Histogram(
            "mcp_hub_call_seconds",
            "Seconds that calls took, with the wait for a server that had to connect first.",
            ["server"],
            buckets=SECONDS,
            registry=registry,
        )
        self._calls_remembered = Counter(
            "mcp_hub_calls_remembered",
            "Of the calls, those for which the server wasn't asked: its answer was remembered, or an identical call "
            "was under way.",
            ["server"],
            registry=registry,
        )
        self._lookups = Counter("mcp_hub_lookups", "Look-ups of agents, by meta-tool.", ["tool"], registry=registry)
        self._result_bytes = Counter(
            "mcp_hub_result_bytes",
            "Bytes of results that programs received, as JSON; reused ones aren't counted again.",
            registry=registry,
        )
        self._answer_bytes = Counter(
            "mcp_hub_answer_bytes",
            "Bytes of the answers that agents got to programs, with what the programs printed.",
            registry=registry,
        )
        self._tokens_saved = Counter(
            "mcp_hub_tokens_saved",
            f"An estimate: each program's result bytes less its answer's, if positive, at {TOKEN_BYTES} bytes a token. "
            "Tool definitions that weren't sent aren't in it.",
            registry=registry,
        )
        self._servers = Gauge("mcp_hub_servers", "Configured servers, by state.", ["state"], registry=registry)

    def ended(self, run: Run, answer: str, made: Sequence[RecordedCall], seconds: float) -> None:
        """A program that made these calls ended, and its agent gets `answer`."""
        self._counted(_status(run.error), seconds)
        if isinstance(run.error, LimitError):
            self._limits_hit.labels(run.error.limit).inc()
        reused = sum(call.bytes or 0 for call in made if call.outcome is Outcome.REUSED)
        received = max(0, run.result_bytes - reused)
        told = sum(len(text.encode(errors="replace")) for text in (answer, run.log))
        self._result_bytes.inc(received)
        self._answer_bytes.inc(told)
        self._tokens_saved.inc(max(0, received - told) // TOKEN_BYTES)

    def cancelled(self, seconds: float) -> None:
        """A program was cancelled, so that nobody gets an answer."""
        self._counted(CANCELLED, seconds)

    def called(self, server: str, outcome: Outcome, seconds: float | None) -> None:
        """A program's call ended; `server` is its name in servers.toml, `seconds` None for what wasn't sent."""
        self._calls.labels(server, outcome).inc()
        if seconds is not None:
            self._call_seconds.labels(server).observe(seconds)

    def remembered(self, server: str) -> None:
        """A program's call of this server, by its name in servers.toml, needed no call of the server."""
        self._calls_remembered.labels(server).inc()

    def looked_up(self, tool: str) -> None:
        """An agent called this meta-tool to look something up."""
        self._lookups.labels(tool).inc()

    async def exposition(self) -> bytes:
        """Everything, as a scraper reads it. Written in a thread: with many servers it takes milliseconds."""
        states = list(self._states())
        for state in State:
            self._servers.labels(state).set(states.count(state))
        return await anyio.to_thread.run_sync(generate_latest, self._registry)

    def _counted(self, status: str, seconds: float) -> None:
        self._runs.labels(status).inc()
        self._run_seconds.observe(seconds)


def _status(error: HubError | None) -> str:
    match error:
        case None:
            return OK
        case ScriptError(kind=kind):
            return kind if kind in KINDS else OTHER
        case LimitError(limit=limit):
            return limit
        case _:
            return HUB
