"""Runs an agent's program: finds the servers that it names, has its calls recorded, and words what came of it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from mcp_hub.hub import answers, failures
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import LiveCatalog
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.journal import Journal, Recording, owner_of
from mcp_hub.hub.scripts import SharedScripts
from mcp_hub.hub.unseen import Unseen
from mcp_hub.sandbox.conversation import Job, Run
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool

NO_ANSWER = "null: the program gave no answer. Set result, return it from main(), or end with an expression."

Report = Callable[[float, str], Awaitable[None]]
"""Called with (calls done so far, what is going on) while a program runs."""


@dataclass(frozen=True)
class Executed:
    """What came of a program: the run, and what the agent is told of it."""

    run: Run
    run_id: str
    text: str


class _Progress:
    """Tells an agent's client how far a program is."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._done = 0
        self._told = 0.0

    async def during(self, name: str, progress: float, total: float | None, message: str | None) -> None:
        """A tool itself tells how far it is."""
        share = progress / total if total else progress / (progress + 1)
        await self._tell(self._done + min(share, 0.99), f"{name}{f': {message}' if message else ''}")

    async def after(self, name: str) -> None:
        """A call has ended."""
        self._done += 1
        await self._tell(self._done, name)

    async def _tell(self, progress: float, message: str) -> None:
        if progress > self._told:  # progress MUST increase (MCP, progress)
            self._told = progress
            await self._report(progress, message)


class Programs:
    """Runs programs over the servers that there are."""

    def __init__(
        self,
        *,
        live: LiveCatalog,
        downstreams: Downstreams,
        calls: Calls,
        journal: Journal,
        pool: Pool,
        scripts: Callable[[], SharedScripts],
        limits: Limits,
        unseen: Unseen,
    ) -> None:
        self._live = live
        self._downstreams = downstreams
        self._calls = calls
        self._journal = journal
        self._pool = pool
        self._scripts = scripts
        self._limits = limits
        self._unseen = unseen

    async def execute(
        self, code: str, client: str, resume: str | None = None, report: Report | None = None
    ) -> Executed:
        """Run a program. Raises CallerError when it loads or resumes what isn't there."""
        scripts: dict[str, str] = {}
        if "load(" in code:
            scripts = await anyio.to_thread.run_sync(self._scripts().needed, code)
        text = "\n".join([code, *scripts.values()])[: self._limits.source_bytes * 2]
        words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text))
        named = [name for name in self._live.keys if name in words]
        await self._unseen.wait([self._live.keys[name] for name in named])
        owner = owner_of(client)
        recording = await self._journal.begin(owner, code, resume)
        try:
            run = await self._pool.run(self._job(code, client, owner, named, scripts), self._tool(recording, report))
            text = await self._told(run, recording, owner)
        except BaseException:
            recording.cancelled()
            raise
        recording.end(run, text)
        return Executed(run, recording.id, text)

    def _job(self, code: str, client: str, owner: str, named: list[str], scripts: dict[str, str]) -> Job:
        catalog, keys = self._live.snapshot, self._live.keys
        seen = {name: list(catalog.servers[name].tools) for name in named if name in catalog.servers}
        unavailable = {
            name: self._downstreams[keys[name]].why_not_ready for name in named if name in keys and name not in seen
        }

        async def recall(handle: str) -> Any:
            return await self._journal.recall(owner, handle)

        return Job(
            code,
            seen,
            unavailable,
            servers=list(keys),
            scripts=scripts,
            check=self._calls.problems,
            recall=recall,
            client=client,
        )

    def _tool(
        self, recording: Recording, report: Report | None
    ) -> Callable[[str, str, list[Any], dict[str, Any]], Awaitable[Any]]:
        if report is None:

            async def call(server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
                return await recording.call(server, tool, args, kwargs, None)

            return call
        told = _Progress(report)

        async def call_and_tell(server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
            name = f"{server}.{tool}"

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                await told.during(name, progress, total, message)

            value = await recording.call(server, tool, args, kwargs, on_progress)
            await told.after(name)
            return value

        return call_and_tell

    async def _told(self, run: Run, recording: Recording, owner: str) -> str:
        if run.error is not None:
            told = failures.told(run, recording.made, recording.id if recording.resumable else None)
            return recording.without_secrets(told)
        if not run.answered:
            count = len(recording.made)
            if not count or not recording.resumable:
                return NO_ANSWER
            made = "Its call was made" if count == 1 else f"Its {count} calls were made"
            return f'{NO_ANSWER} {made}: send it with resume="{recording.id}", and they aren\'t made again.'
        most = self._limits.result_characters
        rendered = answers.render(run.value, most)
        if not rendered.cut:
            return rendered.text
        handle = await self._journal.keep(owner, run.value)
        return answers.render(run.value, most, handle).text if handle else rendered.text
