"""What tests of running programs share: a host that answers and records calls, and a look at the processes."""

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import anyio
import psutil

from mcp_hub.errors import CallerError, DeniedError, HubError
from mcp_hub.sandbox.conversation import Check, Job, Recall, Run
from mcp_hub.sandbox.pool import WARM_WORKERS, Pool
from tests.support import PATIENCE, alive, command_of

TOOLS = {"api": ["get", "fail", "refuse", "deny", "wait", "meet", "look"]}


class Host:
    """The host's side of programs: records the calls, answers them.

    `wait` is answered once `released` is set, `meet` once `party` calls of it are under way, `look` with what the
    function of that name gives, which a test sets.
    """

    def __init__(self, party: int = 0) -> None:
        self.calls: list[tuple[str, str, list[Any], dict[str, Any]]] = []
        self.waiting = anyio.Event()
        self.released = anyio.Event()
        self.cancelled = False
        self.under_way = 0
        self.most_under_way = 0
        self._party = party
        self._met = anyio.Event()
        self.look: Callable[[], Awaitable[Any]] | None = None

    @property
    def called(self) -> list[str]:
        """The tools that were called, in order."""
        return [tool for _, tool, _, _ in self.calls]

    async def call(self, server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        self.calls.append((server, tool, args, kwargs))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answer(tool, args, kwargs)
        finally:
            self.under_way -= 1

    async def _answer(self, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        match tool:
            case "fail":
                raise HubError("api.fail failed: the disk is full")
            case "refuse":
                raise CallerError("api.refuse was not called: no parameter 'x'")
            case "deny":
                raise DeniedError("api", "deny", "it may not be called.")
            case "wait":
                self.waiting.set()
                try:
                    await self.released.wait()
                except BaseException:
                    self.cancelled = True
                    raise
            case "meet":
                met = self._met
                if self.under_way == self._party:
                    self._met = anyio.Event()
                    met.set()
                await met.wait()
            case "look":
                assert self.look is not None
                return await self.look()
        return {"args": args, "kwargs": kwargs}


async def run(
    pool: Pool,
    code: str,
    host: Host | None = None,
    *,
    check: Check | None = None,
    recall: Recall | None = None,
    tools: Mapping[str, list[str]] = TOOLS,
) -> Run:
    """Run a program; what came of it."""
    job = Job(code, tools, servers=["api", "github"], check=check, recall=recall)
    with anyio.fail_after(PATIENCE):
        return await pool.run(job, (host or Host()).call)


async def value(pool: Pool, code: str, host: Host | None = None) -> Any:
    """The value of a program that must not fail."""
    done = await run(pool, code, host)
    assert done.error is None, done.error.text
    return done.value


async def error(pool: Pool, code: str, host: Host | None = None) -> HubError:
    """The error of a program that must fail."""
    done = await run(pool, code, host)
    assert done.error is not None, done.value
    return done.error


def zygotes() -> list[psutil.Process]:
    """The zygotes of this process's pools."""
    return [child for child in psutil.Process().children() if "zygote" in command_of(child.pid)]


def groups() -> dict[int, list[int]]:
    """The workers' process groups: of each, the processes that are alive."""
    found: dict[int, list[int]] = {}
    for group, pid in _members():
        if alive(pid):
            found.setdefault(group, []).append(pid)
    return found


def several() -> list[int]:
    """The processes of the one program that has several; [] if none has."""
    return next((sorted(pids) for pids in groups().values() if len(pids) > 1), [])


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, while the pool goes on."""
    with anyio.fail_after(PATIENCE):
        while not holds():
            await anyio.sleep(0.01)


async def gone(pids: list[int]) -> None:
    """Wait until none of the processes is left, not even as a zombie."""
    await until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


async def ended(pids: list[int]) -> None:
    """Wait until all of the processes have ended; without their zygote they are init's to take away."""
    await until(lambda: not any(alive(pid) for pid in pids))


async def settled() -> None:
    """Wait until nothing is there but zygotes and the workers that they keep ready, not even a zombie."""
    await until(lambda: all(len(each.children(recursive=True)) <= WARM_WORKERS for each in zygotes()))


def _members() -> Iterator[tuple[int, int]]:
    for zygote in zygotes():
        for process in zygote.children(recursive=True):
            try:
                group = os.getpgid(process.pid)
            except ProcessLookupError:
                continue
            if group != zygote.pid:  # a worker that was just forked has no group of its own yet
                yield group, process.pid
