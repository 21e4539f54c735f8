"""What running programs use together: measured by group, shared pages left out, and ended when it is too much."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psutil
import pytest

from mcp_hub.errors import LimitError
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.memory import used_by_groups
from mcp_hub.sandbox.pool import Pool
from tests.sandbox.running import Host, run, settled
from tests.support import alive, until

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024

FAMILY = """
import os, signal, sys

def said(text):
    os.write(1, text + b"\\n")

if os.fork() == 0:
    os.setsid()
    shared = bytearray(os.urandom(1)) * (40 << 20)
    if os.fork() == 0:
        own = bytearray(os.urandom(1)) * (10 << 20)
        said(str(os.getpgrp()).encode())
    while True:
        signal.pause()
while True:
    signal.pause()
"""
"""A process with a child that leads a group, has 40 MiB and a child that shares them and has 10 MiB of its own."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with Pool(Limits(wall_seconds=15, memory_mib=64, calls_parallel=4)) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def nothing_left_behind(pool: Pool) -> AsyncIterator[None]:
    """What each program forked has ended after it; the pool itself is the module's."""
    yield
    await settled()


@contextmanager
def family() -> Iterator[tuple[int, int]]:
    """The pid of a zygote's stand-in, and the group of its child's."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        try:
            yield process.pid, group
        finally:
            for each in psutil.Process(process.pid).children(recursive=True):
                each.kill()
            process.kill()


async def test_a_groups_memory_is_that_of_its_processes_without_what_they_share() -> None:
    with family() as (zygote, group):
        assert 10 * MIB <= used_by_groups(zygote, {group})[group] < 40 * MIB
        (child,) = psutil.Process(group).children()
        child.kill()
        until(lambda: not alive(child.pid))
        assert 40 * MIB <= used_by_groups(zygote, {group})[group] < 60 * MIB  # it shares them with nobody any more


async def test_a_group_of_somebody_else_is_not_measured() -> None:
    with family() as (zygote, group):
        own = os.getpgrp()
        assert used_by_groups(zygote, {own}) == {own: 0}
        assert used_by_groups(group, {own, 7}) == {own: 0, 7: 0}


async def test_a_zygote_that_has_gone_uses_nothing() -> None:
    with family() as (zygote, group):
        pass
    assert used_by_groups(zygote, {group}) == {group: 0}


HOLD = "def hold(i):\n    x = 'a' * 30_000_000\n    api.wait(len(x))\n    return len(x)\n"
"""A branch that keeps 30 MB while it waits."""


@pytest.mark.parametrize("program", ["parallel(hold, range(4))", "attempt(lambda: parallel(hold, range(4)))"])
async def test_branches_that_are_small_enough_each_are_ended_when_they_are_too_large_together(
    pool: Pool, program: str
) -> None:
    host = Host()
    done = await run(pool, f"{HOLD}{program}\napi.get()", host)
    assert isinstance(done.error, LimitError), done.error
    assert done.error.limit == "memory_mib"
    assert "get" not in host.called


async def test_one_of_these_branches_is_left_alone(pool: Pool) -> None:
    host = Host()
    host.released.set()
    done = await run(pool, f"{HOLD}result = [parallel(hold, [0]), attempt(lambda: hold(1)).value]", host)
    assert done.value == [[30_000_000], 30_000_000]
