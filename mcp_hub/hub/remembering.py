"""Remembers what read-only tools answered, for as long as servers.toml says; identical calls under way share one.

Flow, without I/O of its own: `calls` asks it before it asks a server, and tells it of each call that is sent; `app`
tells it of servers that started again or said that something changed. What is remembered is dropped as soon as it may
no longer hold: a call that may change something begins, a session opens or ends, the server says so, the
configuration changes. What was read while any of that happened is answered and not remembered.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc
import anyio.to_thread

from mcp_hub.errors import HubError
from mcp_hub.hub.arguments import is_large
from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.policy import exactness, is_read_only, literal_characters
from mcp_hub.hub.session import Progress
from mcp_hub.settings import CacheRule, ServerSettings

RESULT_BYTES = 256 * 1024
"""Of one result as JSON, up to which it is remembered: a larger one would push out hundreds of others."""

ALL_BYTES = 32 * 1024 * 1024
"""Of all results together; over that, those that were used least recently are dropped."""

ENTRY_BYTES = 500
"""What an entry takes beside its result, so that tiny results are bounded too."""

DECODED_AT_ONCE = 64 * 1024
"""Bytes of JSON that are read on the event loop: about half a millisecond. More is read in a thread."""

UNSETTLED_SECONDS = 300.0
"""After a call that may change something ended unheard (cancelled, out of time, its server lost), it may go on in the
server. For so long nothing of that server is remembered: few calls take longer."""

Ask = Callable[[Progress | None, Callable[[], None]], Awaitable[Any]]
"""Asks the server: (told of the progress, called just before the call is sent) -> the value. Raises HubError."""


@dataclass(frozen=True)
class Question:
    """A call whose answer may be remembered."""

    server: str
    """Its name in servers.toml."""
    key: bytes
    """The same for the same call of the same client, and for no other."""
    seconds: float


@dataclass(frozen=True)
class Answer:
    """A value that was remembered, the receiver's own."""

    value: Any


@dataclass(frozen=True)
class _Told:
    progress: float
    total: float | None
    message: str | None


@dataclass(frozen=True)
class _Outcome:
    value: Any
    text: bytes | None
    """The value as JSON; None for one that has none, and that no program can be given either."""


_Heard = asyncio.Queue[_Told | _Outcome | Exception]
"""What came for one who waits: how far the call is, then how it ended."""


@dataclass(frozen=True)
class _Kept:
    server: str
    text: bytes
    until: float

    @property
    def size(self) -> int:
        return ENTRY_BYTES + len(self.text)


@dataclass(eq=False)
class _Flight:
    """A call under way, and who waits for it."""

    question: Question
    waiting: list[_Heard] = field(default_factory=list)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    sent: bool = False
    age: int | None = None
    """The server's age as the call was sent; None until then, and when it was no time to remember anything."""

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self._tell(_Told(progress, total, message))

    def end(self, outcome: _Outcome | Exception) -> None:
        self._tell(outcome)

    def _tell(self, what: _Told | _Outcome | Exception) -> None:
        for heard in self.waiting:
            heard.put_nowait(what)


@dataclass
class _Server:
    """What is known of one server."""

    age: int = 0
    """How often what was remembered has been dropped."""
    changing: int = 0
    """Calls under way that may change something."""
    unsettled_until: float = 0.0
    kept: set[bytes] = field(default_factory=set)
    flights: dict[bytes, _Flight] = field(default_factory=dict)
    """Those that a further identical call may join."""


class Remembering:
    """The memory of a hub. An async context manager: inside, calls that are shared have a task each.

    For the event loop's thread only. `servers` answers the settings as they are now; `clock` counts seconds, and never
    back; `on_answered` is told the server of each call that it wasn't asked for, and must not raise.
    """

    def __init__(
        self,
        servers: Callable[[], Mapping[str, ServerSettings]],
        clock: Callable[[], float],
        on_answered: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = servers
        self._clock = clock
        self._on_answered = on_answered
        self._servers: dict[str, _Server] = {}
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = 0
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, trace)

    def question(self, server: str, tool: Tool, arguments: Mapping[str, Any], client: str) -> Question | None:
        """A call, if its answer may be remembered; `server` is the name in servers.toml.

        What one `client` was answered is never told another.
        """
        settings = self._settings().get(server)
        if settings is None or not settings.cache or not is_read_only(tool.annotations):
            return None
        seconds = seconds_for(settings.cache, tool.wire_name, tool.name)
        if not seconds:
            return None
        key = key_of(client, server, settings.fingerprint(), tool.wire_name, arguments)
        return None if key is None else Question(server, key, seconds)

    async def recall(self, question: Question) -> Answer | None:
        """The answer, if it is remembered."""
        kept = self._kept.get(question.key)
        if kept is None:
            return None
        if kept.until <= self._clock():
            self._drop(question.key)
            return None
        self._kept.move_to_end(question.key)
        self._answered(question.server)
        return Answer(await _read(kept.text))

    async def share(self, question: Question, ask: Ask, on_progress: Progress | None) -> Any:
        """Ask the server, or wait for an identical call that is under way; give the value, and remember it.

        Whoever is cancelled leaves the call to the others; with the last of them it is cancelled too. Raises what
        `ask` raises, to all of them.
        """
        assert self._tasks is not None
        server = self._server(question.server)
        flight = server.flights.get(question.key)
        if flight is None:
            flight = server.flights[question.key] = _Flight(question)
            self._tasks.start_soon(self._fly, flight, ask, on_progress is not None)
        else:
            self._answered(question.server)
        heard: _Heard = _Heard()
        flight.waiting.append(heard)
        first = len(flight.waiting) == 1
        try:
            while isinstance(came := await heard.get(), _Told):
                if on_progress is not None:
                    await on_progress(came.progress, came.total, came.message)
        finally:
            flight.waiting.remove(heard)
            if not flight.waiting:
                self._close(flight)
                flight.scope.cancel()
        if isinstance(came, Exception):
            raise came
        return came.value if first or came.text is None else await _read(came.text)

    @contextmanager
    def changing(self, server: str) -> Iterator[None]:
        """A call that may change something, from just before it is sent until it has ended."""
        self.forget(server)
        known = self._server(server)
        known.changing += 1
        ended = False
        try:
            yield
            ended = True
        except HubError as error:
            ended = not getattr(error, "may_have_run", False)
            raise
        finally:
            known.changing -= 1
            if not ended:
                known.unsettled_until = self._clock() + UNSETTLED_SECONDS

    def forget(self, server: str) -> None:
        """What is known of a server may no longer hold, nor what it is being asked now."""
        known = self._server(server)
        known.age += 1
        for key in list(known.kept):
            self._drop(key)
        known.flights = {key: flight for key, flight in known.flights.items() if not flight.sent}

    def forget_all(self) -> None:
        """Nothing that is known may hold any longer."""
        for server in self._servers:
            self.forget(server)

    async def _fly(self, flight: _Flight, ask: Ask, tells_progress: bool) -> None:
        """One call, for all who wait for it."""
        outcome: _Outcome | Exception
        with flight.scope:
            try:
                value = await ask(flight.on_progress if tells_progress else None, partial(self._sent, flight))
                text = await _written(value)
                self._keep(flight, text)
                outcome = _Outcome(value, text)
            except Exception as error:  # whatever it is, it is for those who wait
                outcome = error
            self._close(flight)
            flight.end(outcome)

    def _sent(self, flight: _Flight) -> None:
        server = self._server(flight.question.server)
        flight.sent = True
        if self._is_quiet(server):
            flight.age = server.age
        else:
            self._close(flight)

    def _close(self, flight: _Flight) -> None:
        """Nobody joins it any more."""
        flights = self._server(flight.question.server).flights
        if flights.get(flight.question.key) is flight:
            del flights[flight.question.key]

    def _keep(self, flight: _Flight, text: bytes | None) -> None:
        question = flight.question
        server = self._server(question.server)
        if text is None or len(text) > RESULT_BYTES or flight.age != server.age:
            return
        self._drop(question.key)
        kept = self._kept[question.key] = _Kept(question.server, text, self._clock() + question.seconds)
        server.kept.add(question.key)
        self._bytes += kept.size
        while self._bytes > ALL_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= kept.size
            self._servers[kept.server].kept.discard(key)

    def _is_quiet(self, server: _Server) -> bool:
        """Whether what is read now is of a known state."""
        return not server.changing and server.unsettled_until <= self._clock()

    def _server(self, name: str) -> _Server:
        return self._servers.setdefault(name, _Server())

    def _answered(self, server: str) -> None:
        if self._on_answered is not None:
            self._on_answered(server)


def key_of(client: str, server: str, fingerprint: str, tool: str, arguments: Mapping[str, Any]) -> bytes | None:
    """The same for the same call, whatever the order of its names; 1, 1.0 and True differ. None: it can't be told."""
    try:
        text = json.dumps([client, server, fingerprint, tool, arguments], sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
    return hashlib.sha256(text.encode()).digest()


def seconds_for(rules: Sequence[CacheRule], *names: str) -> float:
    """For how long results of a tool are remembered, by any of its names: the most specific rule decides; 0: not."""
    fitting = [rule for rule in rules if _fits(rule, names)]
    return (
        max(fitting, key=lambda rule: (exactness(rule.tool), literal_characters(rule.tool))).seconds if fitting else 0
    )


def without_effect(server: str, rules: Sequence[CacheRule], tools: Sequence[Tool]) -> list[str]:
    """What a server's rules ask for in vain, for a person to read: only read-only tools are remembered."""
    told = []
    for rule in rules:
        fitting = [tool for tool in tools if _fits(rule, (tool.wire_name, tool.name))]
        if not rule.seconds or any(is_read_only(tool.annotations) for tool in fitting):
            continue
        which = "" if rule.tool == "*" else f"{rule.tool!r} of "
        why = "no tool that it fits is annotated as read-only" if fitting else "it fits no tool"
        told.append(f"{which}servers.{server}.cache has no effect: {why}.")
    return told


def _fits(rule: CacheRule, names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, rule.tool) for name in names)


async def _written(value: Any) -> bytes | None:
    return await anyio.to_thread.run_sync(_as_json, value) if is_large(value) else _as_json(value)


def _as_json(value: Any) -> bytes | None:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
    return text.encode("utf-8", "surrogatepass")


async def _read(text: bytes) -> Any:
    return json.loads(text) if len(text) <= DECODED_AT_ONCE else await anyio.to_thread.run_sync(json.loads, text)
