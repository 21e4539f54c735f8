"""Hostile programs: each ends with the error that it must, in time, and leaves nothing behind."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import psutil
import pytest

from mcp_hub.errors import DeniedError, HubError, LimitError, ScriptError
from mcp_hub.sandbox.conversation import Job, Run
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import WARM_WORKERS, Pool
from tests.sandbox.hostile import programs
from tests.sandbox.hostile.programs import Program
from tests.support import PATIENCE, command_of

pytestmark = pytest.mark.anyio

AT_ONCE = 4

SHORT, LONG = 0.5, 15.0
"""Seconds for a program that time may end, and for any other: a busy machine needs none of the latter's half."""

GRACE = 10.0
"""Seconds over its time limit within which a program has ended, on a busy machine; without one some take hours."""

LOG_BYTES = 10_000 + os.getpid() % 50_000
"""It tells a run's processes from all others: it stands in the zygotes' command lines, which forks keep."""

MARK = f'"log_bytes":{LOG_BYTES},'

KEPT = 2 * (WARM_WORKERS + 1)
"""The processes that two pools keep: each its zygote and those that are ready."""

TOOLS = {"api": ["get", "fail", "refuse", "wait", "large"]}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pools() -> AsyncIterator[dict[float, Pool]]:
    """The pools by their time limit."""
    async with AsyncExitStack() as stack:
        opened = {seconds: await stack.enter_async_context(Pool(limits(seconds))) for seconds in (SHORT, LONG)}
        for pool in opened.values():
            await pool.warm()
        yield opened
    assert not await settled(0)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """The pools are the module's; each test looks for what it left in them."""


def limits(wall_seconds: float) -> Limits:
    return Limits(
        wall_seconds=wall_seconds,
        steps=2_000_000,
        memory_mib=64,
        calls=50,
        log_bytes=LOG_BYTES,
        programs=AT_ONCE,
        programs_client=AT_ONCE,
    )


async def call_tool(server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    match tool:
        case "fail":
            raise HubError("api.fail failed: the disk is full")
        case "refuse":
            raise DeniedError("api", "refuse", "it may not be called.")
        case "wait":
            await anyio.sleep_forever()
        case "large":
            return "x" * 1_000_000
    return {"args": args, "kwargs": kwargs}


def processes() -> list[int]:
    """Every process of the pool's, whoever its parent is now."""
    return [pid for pid in psutil.pids() if MARK in command_of(pid)]


async def settled(count: int) -> int:
    """How many of the pool's processes there are, once there are no more than `count`, or after PATIENCE."""
    there = len(processes())
    with anyio.move_on_after(PATIENCE):
        while there > count:
            await anyio.sleep(0.02)
            there = len(processes())
    return there


async def run(pool: Pool, code: str) -> Run:
    with anyio.fail_after(PATIENCE):
        return await pool.run(Job(code, TOOLS, servers=["api"]), call_tool)


def kind_of(error: HubError) -> str:
    """A limit's name, a script error's kind."""
    match error:
        case LimitError(limit=limit):
            return limit
        case ScriptError(kind=kind):
            return kind
        case _:
            return type(error).__name__


def time_for(program: Program) -> float:
    """Its time limit: a program that time doesn't end must come to its own end, however busy the machine is."""
    return SHORT if "wall_seconds" in program.kinds else LONG


def wrong_with(program: Program, run: Run, seconds: float) -> str:
    """What came otherwise than it must; "" when nothing did."""
    if seconds > time_for(program) + GRACE:
        return f"{program.name} took {seconds:.2f} s"
    if run.error is None:
        fits = not program.kinds and run.value == program.result
        return "" if fits else f"{program.name} answered {str(run.value)[:200]}"
    kind = kind_of(run.error)
    if kind in program.kinds:
        return ""
    return f"{program.name} failed with {kind}: {run.error.text[:400]}"


async def wrong_in(pools: dict[float, Pool], group: str) -> AsyncIterator[str]:
    """What came otherwise than it must in a file of programs, several of which run at once."""
    slots = anyio.Semaphore(AT_ONCE)
    wrong: list[str] = []

    async def check(program: Program) -> None:
        async with slots:
            started = time.perf_counter()
            done = await run(pools[time_for(program)], program.code)
            wrong.append(wrong_with(program, done, time.perf_counter() - started))

    async with anyio.create_task_group() as tasks:
        for program in programs.read(group):
            tasks.start_soon(check, program)
    for each in filter(None, wrong):
        yield each
    for pool in pools.values():
        done = await run(pool, "result = 1")
        if done.value != 1:
            yield f"after {group}, a plain program was answered with {done.value}, {done.error}"
    if (left := await settled(KEPT) - KEPT) > 0:
        yield f"{group} left {left} processes"


@pytest.mark.parametrize("group", programs.groups())
async def test_hostile_programs_end_as_they_must_in_time_and_leave_nothing(
    pools: dict[float, Pool], group: str
) -> None:
    assert not [each async for each in wrong_in(pools, group)]


def test_there_are_enough_hostile_programs() -> None:
    names = [program.name for group in programs.groups() for program in programs.read(group)]
    assert len(set(names)) == len(names) >= 60
