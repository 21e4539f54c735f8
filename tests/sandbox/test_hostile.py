"""Hostile programs: each ends with the error that it must, in time, and leaves nothing behind."""

import os
import time
from collections.abc import AsyncIterator
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

GRACE = 1.0
"""Seconds over its time limit within which a program has ended."""

LIMITS = Limits(
    wall_seconds=1,
    steps=2_000_000,
    memory_mib=64,
    calls=50,
    log_bytes=10_000 + os.getpid() % 50_000,
    programs=AT_ONCE,
    programs_client=AT_ONCE,
)
"""A run's `log_bytes` tells its processes from all others: it stands in the zygote's command line, which forks keep."""

USED_UP = {"steps", "memory_mib", "calls", "log_bytes"}
"""Limits that take time to reach: on a busy machine the time limit may be reached first."""

MARK = f'"log_bytes":{LIMITS.log_bytes},'

TOOLS = {"api": ["get", "fail", "refuse", "wait", "large"]}


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


def wrong_with(program: Program, run: Run, seconds: float) -> str:
    """What came otherwise than it must; "" when nothing did."""
    if seconds > LIMITS.wall_seconds + GRACE:
        return f"{program.name} took {seconds:.2f} s"
    if run.error is None:
        fits = not program.kinds and run.value == program.result
        return "" if fits else f"{program.name} answered {str(run.value)[:200]}"
    kind = kind_of(run.error)
    if kind in program.kinds or (kind == "wall_seconds" and program.kinds & USED_UP):
        return ""
    return f"{program.name} failed with {kind}: {run.error.text[:400]}"


async def wrong_in(pool: Pool, group: str) -> AsyncIterator[str]:
    """What came otherwise than it must in a file of programs, several of which run at once."""
    slots = anyio.Semaphore(AT_ONCE)
    wrong: list[str] = []

    async def check(program: Program) -> None:
        async with slots:
            started = time.perf_counter()
            done = await run(pool, program.code)
            wrong.append(wrong_with(program, done, time.perf_counter() - started))

    async with anyio.create_task_group() as tasks:
        for program in programs.read(group):
            tasks.start_soon(check, program)
    for each in filter(None, wrong):
        yield each
    done = await run(pool, "result = 1")
    if done.value != 1:
        yield f"after {group}, a plain program was answered with {done.value}, {done.error}"
    if (left := await settled(WARM_WORKERS + 1) - WARM_WORKERS - 1) > 0:  # beside the zygote and those kept ready
        yield f"{group} left {left} processes"


@pytest.mark.parametrize("group", programs.groups())
async def test_hostile_programs_end_as_they_must_in_time_and_leave_nothing(group: str) -> None:
    async with Pool(LIMITS) as pool:
        await pool.warm()
        wrong = [each async for each in wrong_in(pool, group)]
    assert not wrong
    assert not await settled(0)


def test_there_are_enough_hostile_programs() -> None:
    names = [program.name for group in programs.groups() for program in programs.read(group)]
    assert len(set(names)) == len(names) >= 60
