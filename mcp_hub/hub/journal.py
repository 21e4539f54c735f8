"""Records a program's calls as they are made, and answers those that an earlier run has made already.

Flow: between the sandbox, which asks for a call, and `calls`, which makes it. A call that may change something is in
the journal before it is sent. The store is opened after the hub's first answer; until then, and without one, programs
run unrecorded.
"""

import contextlib
import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from mcp_hub.errors import CallerError, DownstreamError, HubError
from mcp_hub.hub import redaction, resuming
from mcp_hub.hub.arguments import is_large
from mcp_hub.hub.calls import BoundCall, Calls
from mcp_hub.hub.policy import is_read_only
from mcp_hub.hub.redacted_code import redacted_code, secret_literals
from mcp_hub.hub.redaction import CallKey
from mcp_hub.hub.resuming import Recorded, Resume
from mcp_hub.hub.session import Progress
from mcp_hub.hub.spans import Spans
from mcp_hub.names import server_identifier
from mcp_hub.sandbox.conversation import Run
from mcp_hub.settings import SECRET_CHARACTERS, JournalSettings, ServerSettings
from mcp_hub.store.runs import RUNNING, Outcome, RecordedCall, RunStore, new_run_id

if TYPE_CHECKING:  # imported where the hub is served over HTTP
    from mcp_hub.hub.metrics import Metrics

logger = logging.getLogger(__name__)

LOCAL = "local"
"""Who owns the runs of stdio clients, of windows that are attached, and of the command line: the hub's own user."""

CHAIN = 100
"""Runs that resumed each other and are looked through."""


def owner_of(client: str) -> str:
    """Whose state a client's is. A hub that is attached has shown this user's own secret."""
    return LOCAL if client.startswith("attached:") else client


@dataclass(frozen=True)
class Kept:
    """What of earlier runs a new one may use."""

    resume: Resume
    run: str
    """The newest of them: the one named, or one that has resumed it already."""
    calls: Sequence[RecordedCall]


class Journal:
    """The journal of a hub: `store` is None until it is open, and where it is switched off.

    `metrics` and `spans`, where there are any, are told the same, journal or not.
    """

    def __init__(
        self,
        settings: JournalSettings,
        calls: Calls,
        servers: Callable[[], Mapping[str, ServerSettings]],
        metrics: "Metrics | None" = None,
    ) -> None:
        self.store: RunStore | None = None
        self.metrics = metrics
        self.spans: Spans | None = None
        self._settings = settings
        self._calls = calls
        self._servers = servers
        self._key: CallKey | None = None
        self._resuming: set[str] = set()

    def use(self, store: RunStore) -> None:
        """Record from now on."""
        self._key = CallKey(store.secret)
        self.store = store

    async def begin(self, owner: str, code: str, resume: str | None) -> "Recording":
        """A run begins. Raises CallerError when what it wants to resume isn't there, or asks for a decision."""
        kept = await self._kept(owner, resuming.parse(resume)) if resume else None
        recording = Recording(self, self._calls, owner, kept, secret_literals(code))
        if self.store is not None:
            self.store.begin(recording.id, owner, redacted_code(code, self.secrets()), kept.run if kept else None)
        return recording

    async def recall(self, owner: str, handle: str) -> Any:
        """A large result by its handle. Raises CallerError."""
        text = None
        if self.store is not None:
            text = await self._read(self.store.value, handle, owner)
        if text is None:
            raise CallerError(f"There is nothing to recall under {handle!r}; handles stand where an answer was cut.")
        return await anyio.to_thread.run_sync(json.loads, text)

    async def keep(self, owner: str, value: Any) -> str | None:
        """Keep a large result for `recall`: its handle, or None when nothing is kept."""
        if self.store is None:
            return None
        handle = new_run_id()
        text = await anyio.to_thread.run_sync(json.dumps, value)
        self.store.keep_value(handle, owner, text)
        try:
            await self.store.written()
        except sqlite3.Error as error:
            logger.warning("a large result wasn't kept: %s", error)
            return None
        return handle

    def key_of(self, call: BoundCall) -> str:
        """The keyed hash by which a later run knows the call again."""
        if self._key is None:
            return ""
        settings = self._servers().get(call.key)
        server = f"{call.key} {settings.url or settings.command}" if settings else call.key
        return self._key.of(server, call.tool.wire_name, call.arguments)

    def release(self, kept: Kept) -> None:
        """The run that resumed others has ended: they can be resumed again."""
        self._resuming.discard(kept.run)

    def marked(self, key: str, *tool_names: str) -> Sequence[str]:
        """Globs of arguments that a server's settings mark for a tool; `key` is any name of the server."""
        by_name = {server_identifier(each): settings for each, settings in self._servers().items()}
        settings = self._servers().get(key) or by_name.get(key)
        return redaction.marked_for(settings.redact, *tool_names) if settings else ()

    def configured(self, server: str) -> str | None:
        """A server's name in servers.toml, by its name in programs; None for one that isn't there."""
        return next((name for name in self._servers() if server_identifier(name) == server), None)

    def secrets(self) -> Sequence[str]:
        """What must not be repeated of any server's settings, the longest first."""
        return sorted((secret for each in self._servers().values() for secret in each.secrets), key=len, reverse=True)

    @property
    def result_bytes(self) -> int:
        """Size up to which a call's result is kept."""
        return self._settings.result_kib * 1024

    async def _kept(self, owner: str, resume: Resume) -> Kept:
        if self.store is None:
            raise CallerError("Nothing can be resumed: the journal is switched off (hub.journal.enabled).")
        with contextlib.suppress(sqlite3.Error):  # what is missing is seen below
            await self.store.written()  # the run may have ended a moment ago
        if await self._read(self.store.run, resume.run, owner) is None:
            raise CallerError(f"There is no run {resume.run!r} to resume. Send the program without resume.")
        newest = resume.run
        while (later := await self._read(self.store.resumed_by, newest)) is not None:
            newest = later  # what a run that resumed this one has done is done, too
        chain: list[list[RecordedCall]] = []
        wanted: str | None = newest
        while wanted is not None:
            run = await self._read(self.store.run, wanted, owner)
            if run is None or len(chain) == CHAIN:
                raise CallerError(
                    f"Run {resume.run!r} can't be resumed: of what was done before it, run {wanted} is forgotten. Look "
                    "what is done, and send a program for the rest."
                )
            if run.status == RUNNING:
                raise CallerError(f"Run {wanted!r} is still going on; it can be resumed when it has ended.")
            chain.append(await self._read(self.store.calls, wanted))
            wanted = run.resumed
        calls = resuming.still_standing(chain)
        if newest in self._resuming:
            raise CallerError(f"Run {resume.run!r} is being resumed now; wait for that run to end.")
        if resume.decision is None and (open_calls := resuming.undecided(calls)):
            raise CallerError(resuming.told(resume.run, open_calls))
        self._resuming.add(newest)
        return Kept(resume, newest, calls)

    async def _read(self, read: Callable[..., Any], *args: Any) -> Any:
        try:
            return await anyio.to_thread.run_sync(read, *args)
        except sqlite3.Error as error:
            raise CallerError(f"The journal can't be read: {error}.") from None


class Recording:
    """The record of one run; `made` are its calls so far, in the order in which they were asked for."""

    def __init__(self, journal: Journal, calls: Calls, owner: str, kept: Kept | None, secrets: Sequence[str]) -> None:
        self.id = new_run_id()
        self.made: list[RecordedCall] = []
        self._journal = journal
        self._store = journal.store
        self._metrics = journal.metrics
        self._span = journal.spans.begun(self.id) if journal.spans is not None else None
        self.resumable = journal.store is not None
        """Whether a later run can go on from this one."""
        self._calls = calls
        self._owner = owner
        self._kept = kept
        self._recorded = Recorded(kept.calls, kept.resume.decision) if kept else None
        self._secrets = journal.secrets()
        self._hide(secrets)
        self._began = time.monotonic()

    async def call(
        self, server: str, tool: str, args: list[Any], kwargs: dict[str, Any], on_progress: Progress | None
    ) -> Any:
        """Make a call, or answer it from the record. Raises as `Calls.bound` and `Calls.send` do."""
        try:
            bound = await self._calls.bound(server, tool, args, kwargs)
        except HubError as error:
            self._refused(server, tool, args, kwargs, error)
            raise
        key = self._journal.key_of(bound)
        call = RecordedCall(
            number=len(self.made) + 1,
            server=bound.tool.server,
            tool=bound.tool.name,
            arguments=self._told(bound.key, (bound.tool.name, bound.tool.wire_name), bound.arguments),
            key=key,
            read_only=is_read_only(bound.tool.annotations),
            outcome=Outcome.STARTED,
        )
        self.made.append(call)
        try:
            return await self._value(bound, call, on_progress)
        finally:
            if self._metrics is not None:
                ended = self.made[call.number - 1]
                self._metrics.called(bound.key, ended.outcome, ended.seconds)

    def without_secrets(self, text: str) -> str:
        """`text` without the secrets of servers' settings, and without those that the program used."""
        return redaction.without(text, self._secrets)

    def end(self, run: Run, answer: str) -> None:
        """The run has ended with `answer`."""
        self._release()
        seconds = time.monotonic() - self._began
        if self._metrics is not None:
            self._metrics.ended(run, answer, self.made, seconds)
        if self._span is not None:
            self._span.ended(run, len(self.made))
        if self._store is not None:
            kind = getattr(run.error, "kind", None) or getattr(run.error, "limit", None)
            self._store.end(
                self.id,
                status="ok" if run.error is None else "failed",
                error=self.without_secrets(run.error.text) if run.error else None,
                error_kind=kind,
                log=self.without_secrets(run.log),
                answer=self.without_secrets(answer),
                steps=run.steps,
                calls=len(self.made),
                seconds=seconds,
            )

    def cancelled(self) -> None:
        """The run was cancelled."""
        self._release()
        seconds = time.monotonic() - self._began
        if self._metrics is not None:
            self._metrics.cancelled(seconds)
        if self._span is not None:
            self._span.cancelled(len(self.made))
        if self._store is not None:
            self._store.end(
                self.id,
                status="cancelled",
                error=None,
                error_kind=None,
                log="",
                answer=None,
                steps=0,
                calls=len(self.made),
                seconds=seconds,
            )

    def _release(self) -> None:
        if self._kept is not None:
            self._journal.release(self._kept)

    async def _value(self, bound: BoundCall, call: RecordedCall, on_progress: Progress | None) -> Any:
        """A call's value: from the record, or remembered, or from the server."""
        if self._recorded is not None and self._recorded.has(call.key):
            value = self._recorded.take(call.key)
            self._note(await self._with_result(replace(call, outcome=Outcome.REUSED), value))
            return value
        if not call.read_only:
            await self._before(call)
        return await self._send(bound, call, on_progress)

    async def _send(self, bound: BoundCall, call: RecordedCall, on_progress: Progress | None) -> Any:
        began = time.monotonic()

        def ended(outcome: Outcome, error: str | None = None) -> RecordedCall:
            told = self.without_secrets(error) if error else None
            return replace(call, outcome=outcome, error=told, seconds=time.monotonic() - began)

        try:
            known = await self._calls.remembered(bound, self._owner)
            if known is not None:
                value, done = known.value, replace(call, outcome=Outcome.OK)
            else:
                with self._span.call(bound.key, bound.tool.wire_name) if self._span is not None else nullcontext():
                    value = await self._calls.send(bound, on_progress, self._owner)
                done = ended(Outcome.OK)
        except DownstreamError as error:
            outcome = Outcome.UNKNOWN if error.may_have_run else Outcome.FAILED
            self._note(ended(outcome, error.text))
            raise
        except HubError as error:
            self._note(ended(Outcome.FAILED, error.text))
            raise
        except BaseException:
            self._note(ended(Outcome.UNKNOWN, "the run ended while it was under way; it may or may not have been done"))
            raise
        if is_large(value):
            self._note(done)  # before its result is written as JSON, which may take a while and be cut off
        self._note(await self._with_result(done, value))
        return value

    async def _before(self, call: RecordedCall) -> None:
        """Have the call in the journal before it is made."""
        if self._store is None:
            return
        self._store.call(self.id, call)
        try:
            await self._store.written()
        except sqlite3.Error as error:
            text = (
                f"{call.server}.{call.tool} was not called: the journal can't be written ({error}), and what changes "
                "something is written there first. Make room in the state folder, or set hub.journal.enabled = false."
            )
            self._note(replace(call, outcome=Outcome.FAILED, error=text))
            self.resumable = False
            raise HubError(text) from None

    def _told(self, key: str, tool_names: Sequence[str], arguments: Mapping[str, Any]) -> str:
        """A call's arguments for people: in short, without secrets."""
        marked = self._journal.marked(key, *tool_names)
        shown = redaction.redacted(arguments, marked, self._secrets)
        if shown != arguments:
            self._hide(redaction.hidden(arguments, shown))
        return redaction.short(shown)

    def _hide(self, texts: Iterable[str]) -> None:
        """Have these taken out of what is said from now on: an error may repeat an argument, or a line of code."""
        more = {text for text in texts if len(text) >= SECRET_CHARACTERS}.difference(self._secrets)
        if more:
            self._secrets = sorted([*self._secrets, *more], key=len, reverse=True)

    def _note(self, call: RecordedCall) -> None:
        self.made[call.number - 1] = call
        if self._store is not None:
            self._store.call(self.id, call)

    async def _with_result(self, call: RecordedCall, value: Any) -> RecordedCall:
        if self._store is None:
            return call
        encoded = await anyio.to_thread.run_sync(_encoded, value) if is_large(value) else _encoded(value)
        if encoded is None:
            return call
        small = len(encoded) <= self._journal.result_bytes
        return replace(
            call,
            result=value if small else None,
            has_result=small,
            bytes=len(encoded),
            digest=hashlib.sha256(encoded).hexdigest(),
        )

    def _refused(self, server: str, tool: str, args: list[Any], kwargs: dict[str, Any], error: HubError) -> None:
        """Note a call that was not made."""
        told = self._told(server, (tool,), kwargs)
        if args:  # without a signature that fits, their names aren't known, so neither is which are secrets
            told = f"{len(args)} positional, {told}"
        call = RecordedCall(
            number=len(self.made) + 1,
            server=server,
            tool=tool,
            arguments=told,
            key="",
            read_only=True,
            outcome=Outcome.FAILED,
            error=self.without_secrets(error.text),
        )
        self.made.append(call)
        self._note(call)
        # Of a name that no server has, whatever a program made up, nothing is counted: it was a call of no server.
        if self._metrics is not None and (key := self._journal.configured(server)) is not None:
            self._metrics.called(key, call.outcome, call.seconds)


def _encoded(value: Any) -> bytes | None:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return None
