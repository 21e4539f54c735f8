"""Supervises the downstream servers: opens a session with each, opens it again when it is lost, routes calls.

Owns one task a server. Above are `calls`, which sends calls through, and `meta_tools`, which asks how a server
stands; below is `session`. Each server is by itself: a slow, broken or missing one neither delays nor hides
the others.

    not started -> connecting -> ready -- idle --> not started
                       |           | lost
                       v           v
                     failed -- after a back-off --> connecting

A changed configuration is taken over by `Downstreams.configure`: what is gone or altered ends, the rest goes on.
"""

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc
from mcp_types import CallToolResult

from mcp_hub.errors import DownstreamError
from mcp_hub.hub.children import KILL_GRACE, STDIN_GRACE, TERMINATE_GRACE, Children, NotStartableError
from mcp_hub.hub.session import Listed, Progress, Session
from mcp_hub.settings import ServerSettings

logger = logging.getLogger(__name__)

STARTS_AT_ONCE = 4
"""Servers that start at the same time; fifty children importing an SDK take two cores twenty seconds."""

BACKOFF_FIRST = 0.5
BACKOFF_MOST = 60.0
"""Seconds until the first new try, doubled with each failure up to the most; each is jittered by half."""

ENDING = STDIN_GRACE + TERMINATE_GRACE + KILL_GRACE
"""Seconds beyond its timeout until a server that hangs is known to have failed: its process is ended first."""

IDLE_LOOK = 30.0
"""Seconds within which a changed idle_stop counts."""

STABLE_AFTER = 30.0
"""Seconds a session must have held for the next failure to count as the first again."""


class State(StrEnum):
    """Where a server stands."""

    IDLE = "not started"
    CONNECTING = "connecting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    """How a server stands, for people and agents to read."""

    name: str
    state: State
    protocol: str | None = None
    tools: int | None = None
    seconds: float | None = None
    """From its start until its tools were listed."""
    error: str | None = None


@dataclass(frozen=True)
class Changes:
    """What a changed configuration did to the servers, by name."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    def __str__(self) -> str:
        parts = (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)


OnListed = Callable[[str, Listed], Awaitable[None]]
"""Told of each list that a server gives: (name, what it listed)."""

OnChanged = Callable[[str], None]
"""Told, by a server's name, that what it answered before may no longer hold: its session is lost, or it says so."""


class Downstream:
    """One server: its session, or why it has none."""

    def __init__(
        self,
        name: str,
        settings: ServerSettings,
        *,
        children: Children,
        starts: anyio.Semaphore,
        on_listed: OnListed,
        max_message_bytes: int,
        jitter: Callable[[], float],
        on_changed: OnChanged,
        successor_of: "Downstream | None" = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.legacy = False
        """Skip the probe for the newer protocols: the server was last seen without them."""
        self._children = children
        self._starts = starts
        self._on_listed = on_listed
        self._max_message_bytes = max_message_bytes
        self._jitter = jitter
        self._on_changed = partial(on_changed, name)
        self._state = State.IDLE
        self._wanted = anyio.Event()
        self._urgent = anyio.Event()
        self._changed = anyio.Event()
        self._session: Session | None = None
        self._listed: Listed | None = None
        self._seconds: float | None = None
        self._failures = 0
        self._error: DownstreamError | None = None
        self._next_try = 0.0
        self._calls = 0
        self._last_used = 0.0
        self._predecessor = successor_of
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._dismissed: str | None = None

    @property
    def status(self) -> Status:
        """How it stands now."""
        return Status(
            self.name,
            self._state,
            self._listed.protocol if self._listed else None,
            len(self._listed.tools) if self._listed else None,
            self._seconds,
            self._error.text if self._error and self._session is None else None,
        )

    @property
    def why_not_ready(self) -> str:
        """What is wrong with it, or that it is still connecting, and when it is tried again."""
        if self._error is None:
            verb = "is still connecting" if self._state is State.CONNECTING else "isn't connected yet"
            return f"Server '{self.name}' {verb}; ask again in a moment."
        if self._state is not State.FAILED or isinstance(self._error, NotStartableError):
            return self._error.text
        return self._error.again_in(max(0.0, self._next_try - anyio.current_time())).text

    def want(self) -> None:
        """Connect when its turn comes."""
        self._wanted.set()

    async def settle(self, timeout: float) -> None:
        """Connect now; wait until it has succeeded or failed once, at most `timeout` seconds."""
        self._urge()
        with anyio.move_on_after(timeout):
            while self._listed is None and self._error is None:
                await self._changed.wait()

    async def ready(self, timeout: float) -> bool:
        """Connect now if it isn't connected; whether it is, once it has or has failed to, at most `timeout` seconds."""
        self._urge()
        with anyio.move_on_after(timeout):
            while self._state is not State.FAILED and self._open_session is None:
                await self._changed.wait()
        return self._open_session is not None

    @property
    def _open_session(self) -> Session | None:
        return None if self._session is None or self._session.lost.is_set() else self._session

    async def call(
        self, tool: str, arguments: dict[str, Any], on_progress: Progress | None, check: Callable[[], None] | None
    ) -> CallToolResult:
        """Call a tool by its wire name; waiting for the session and for the answer each take at most the timeout.

        `check` is called when the session is there, just before the call is sent: what it raises keeps it from being
        sent. A call that may have reached the server is never sent a second time. Raises DownstreamError.
        """
        self._calls += 1
        sent = False
        try:
            session = self._open_session
            if session is None:
                session = await self._next_session()
            if check is not None:
                check()
            sent = True
            return await session.call(tool, arguments, on_progress)
        except DownstreamError:
            if self._dismissed is not None:
                when = "it answered {}; it may or may not have done it" if sent else "{} was called"
                problem = f"{self._dismissed} before {when.format(tool)}."
                raise DownstreamError(self.name, problem, may_have_run=sent) from None
            raise
        finally:
            self._calls -= 1
            self._last_used = anyio.current_time()

    async def run(self) -> None:
        """Keep a session open while it is wanted and used, until cancelled or dismissed."""
        try:
            with self._scope:
                await self._predecessor_ended()
                await self._supervise()
        finally:
            with anyio.CancelScope(shield=True):
                await self._predecessor_ended()
            self._ended.set()

    def dismiss(self, why: str) -> None:
        """End it for good; calls under way fail and tell `why`, which follows the server's name."""
        self._dismissed = why
        self._error = DownstreamError(self.name, f"{why}.")
        self._scope.cancel()
        self._become(State.FAILED)

    async def _predecessor_ended(self) -> None:
        """Two of one server might fight over what it works on, so one ends, within ENDING, before the next starts."""
        if self._predecessor is not None:
            await self._predecessor._ended.wait()
            self._predecessor = None

    async def _supervise(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                async with self._turn() as started_up:
                    await self._hold_session(started_up)
                self._become(State.IDLE)
                continue
            except DownstreamError as error:
                self._error = error
            except Exception as error:  # a fault of ours, or one that nobody foresaw, costs this server only
                logger.exception("server '%s'", self.name)
                problem = f"can't be used: {type(error).__name__} (see hub.log)."
                self._error = DownstreamError(self.name, problem, log=self._log)
            self._failures += 1
            delay = min(BACKOFF_FIRST * 2 ** (self._failures - 1), BACKOFF_MOST) * (0.5 + self._jitter() / 2)
            self._next_try = anyio.current_time() + delay
            logger.warning("%s The next try is in %.1f s.", self._error.text, delay)
            self._become(State.FAILED)
            await anyio.sleep(delay)

    async def _hold_session(self, started_up: Callable[[], None]) -> None:
        """Open a session and hold it until nobody uses it any more; raise DownstreamError if it is lost before."""
        self._become(State.CONNECTING)
        started = anyio.current_time()
        session = Session(self.name, self.settings, self._log, self._on_changed)
        opened: float | None = None
        try:
            async with session.opened(
                self._children,
                legacy=self.legacy,
                max_message_bytes=self._max_message_bytes,
                on_listed=self._took_list,
            ):
                opened = anyio.current_time()
                self._seconds = opened - started
                self._session, self._error = session, None
                self._urgent = anyio.Event()
                self._become(State.READY)
                started_up()
                self._last_used = opened
                if not await self._lost(session):
                    logger.info("server '%s' is stopped: it wasn't used for %g s", self.name, self.settings.idle_stop)
                    return
                how = await session.how_it_ended()
        finally:
            self._session = None
            if opened is None:
                self.legacy = not self.legacy  # some servers end at a first message of the other protocol era
            elif anyio.current_time() - opened > STABLE_AFTER:
                self._failures = 0
        held = anyio.current_time() - opened
        raise DownstreamError(self.name, f"{how} {held:.1f} s after its session was opened.", log=self._log)

    async def _lost(self, session: Session) -> bool:
        """Wait until the session is lost (True), or for its idle_stop without a call (False)."""
        while not session.lost.is_set():
            idle_stop = self.settings.idle_stop
            left = IDLE_LOOK
            if idle_stop:
                left = idle_stop if self._calls else self._last_used + idle_stop - anyio.current_time()
            if left <= 0:
                self._session = None  # in the same turn as the look at the calls: none gets in between
                self._wanted = anyio.Event()
                return False
            with anyio.move_on_after(min(left, IDLE_LOOK)):
                await session.lost.wait()
        return True

    async def _took_list(self, listed: Listed) -> None:
        if self._dismissed is not None:
            return
        self._listed = listed
        self.legacy = listed.legacy
        await self._on_listed(self.name, listed)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[Callable[[], None]]:
        """A place among the few that start at once, given back by the callable. Who is urgent needs none."""
        held = False

        async def take_place() -> None:
            nonlocal held
            await self._starts.acquire()
            held = True
            race.cancel_scope.cancel()

        async def skip() -> None:
            await self._urgent.wait()
            race.cancel_scope.cancel()

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._starts.release()

        try:
            async with anyio.create_task_group() as race:
                race.start_soon(take_place)
                race.start_soon(skip)
            yield give_back
        finally:
            give_back()

    async def _next_session(self) -> Session:
        self._urge()
        timeout = self.settings.timeout
        deadline = anyio.current_time() + timeout
        with anyio.move_on_after(timeout):
            while self._open_session is None:
                if self._error is not None and (self._dismissed or isinstance(self._error, NotStartableError)):
                    raise self._error
                if self._state is State.FAILED and self._next_try > deadline:
                    break
                await self._changed.wait()
        if (session := self._open_session) is not None:
            return session
        if self._error is None:
            problem = f"isn't connected after {timeout:g} s (servers.{self.name}.timeout)."
            raise DownstreamError(self.name, problem, log=self._log)
        wait = max(0.0, self._next_try - anyio.current_time()) if self._state is State.FAILED else None
        raise self._error.again_in(wait)

    def _urge(self) -> None:
        self._wanted.set()
        self._urgent.set()

    def _become(self, state: State) -> None:
        self._state = state
        self._changed.set()
        self._changed = anyio.Event()

    @property
    def _log(self) -> str | None:
        return str(self._children.log_of(self.name)) if self.settings.command is not None else None


class Downstreams:
    """All servers. An async context manager: inside, each server's task runs; on the way out all are closed."""

    def __init__(
        self,
        servers: Mapping[str, ServerSettings],
        *,
        children: Children,
        on_listed: OnListed,
        max_message_bytes: int,
        jitter: Callable[[], float] = random.random,
        on_changed: OnChanged = lambda _: None,
    ) -> None:
        self._children = children
        self._tasks: anyio.abc.TaskGroup | None = None
        self._all_wanted = False
        self._dismissed: dict[str, Downstream] = {}
        self._new = partial(
            Downstream,
            children=children,
            starts=anyio.Semaphore(STARTS_AT_ONCE),
            on_listed=on_listed,
            max_message_bytes=max_message_bytes,
            jitter=jitter,
            on_changed=on_changed,
        )
        self._servers = {name: self._new(name, settings) for name, settings in servers.items()}

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        for server in self:
            self._tasks.start_soon(server.run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        try:
            return await self._tasks.__aexit__(kind, error, trace)
        finally:
            with anyio.CancelScope(shield=True):
                await self._children.aclose()

    def __getitem__(self, name: str) -> Downstream:
        return self._servers[name]

    def __iter__(self) -> Iterator[Downstream]:
        return iter(self._servers.values())

    def configure(self, servers: Mapping[str, ServerSettings]) -> Changes:
        """Take over a changed configuration: end, start again and add what differs, leave the others alone."""
        assert self._tasks is not None
        before, self._servers = self._servers, {}
        changes = Changes([], [name for name in before if name not in servers], [])
        for name in changes.removed:
            before[name].dismiss("was taken out of servers.toml")
            self._dismissed[name] = before[name]
        for name, settings in servers.items():
            old = before.get(name)
            if old is not None and old.settings.same_connection(settings):
                old.settings = settings
                self._servers[name] = old
                continue
            (changes.added if old is None else changes.changed).append(name)
            if old is not None:
                old.dismiss("was changed in servers.toml")
            self._servers[name] = self._new(name, settings, successor_of=old or self._dismissed.pop(name, None))
            self._tasks.start_soon(self._servers[name].run)
            if self._all_wanted:
                self._servers[name].want()
        return changes

    def want_all(self) -> None:
        """Connect to every server, a few at a time."""
        self._all_wanted = True
        for server in self:
            server.want()

    async def settle(self, names: Iterable[str], timeout: float) -> None:
        """Wait until each of these has connected or failed once, at most `timeout` seconds."""
        async with anyio.create_task_group() as tasks:
            for name in names:
                if name in self._servers:  # it may have been taken out meanwhile
                    tasks.start_soon(self._servers[name].settle, timeout)

    async def call(
        self,
        server: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Progress | None,
        check: Callable[[], None] | None = None,
    ) -> CallToolResult:
        """Call a tool of a server, both by their own names; `check` as in Downstream.call. Raises DownstreamError."""
        if server not in self._servers:
            raise DownstreamError(server, f"was taken out of servers.toml before {tool} was called.")
        return await self._servers[server].call(tool, arguments, on_progress, check)
