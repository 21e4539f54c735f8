"""However a program ends, or its processes are ended: the error is clear, nothing is left, the next program runs."""

import os
import signal
from collections.abc import AsyncIterator

import anyio
import psutil
import pytest

from mcp_hub.errors import LimitError
from mcp_hub.sandbox.conversation import Run
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from tests.sandbox.running import Host, ended, gone, groups, run, settled, several, until, value, zygotes
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

SPIN = "def spin():\n    for i in range(10**9):\n        pass\n"

WAITING = {
    "a call": "api.wait()",
    "branches": "parallel(lambda i: api.wait(), range(5))",
    "branches of a branch": "parallel(lambda i: parallel(lambda j: api.wait(), [1, 2]), [1, 2])",
    "a branch beside a busy one": f"{SPIN}parallel(lambda i: api.wait() if i == 1 else spin(), [0, 1])",
    "an attempt": "attempt(lambda: api.wait())",
    "an attempt in a branch": "parallel(lambda i: attempt(lambda: api.wait()), [1, 2])",
    "branches in an attempt": "attempt(lambda: parallel(lambda i: api.wait(), [1, 2]))",
    "after attempts": "for i in range(4):\n    attempt(lambda: i)\napi.wait()",
    "a try": "try:\n    api.wait()\nexcept Exception:\n    pass",
}
"""Programs that wait for a call that isn't answered, by where they wait."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with Pool(Limits(wall_seconds=PATIENCE, calls_parallel=4, steps=10**12)) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def nothing_left_behind(pool: Pool) -> AsyncIterator[None]:
    """What each program forked has ended after it; the pool itself is the module's."""
    yield
    await settled()


def killing(number: signal.Signals, *, first: bool, processes: int) -> Host:
    """A host whose `look` waits for that many processes, then signals the first of them, or the last.

    With the first the others end, and it is answered after that.
    """

    async def look() -> None:
        await until(lambda: len(several()) == processes)
        (begun,) = {os.getpgid(pid) for pid in several()}
        os.kill(begun if first else max(set(several()) - {begun}), number)
        if first:
            await until(lambda: begun not in groups())
        host.released.set()

    host = Host()
    host.look = look
    return host


def limit_of(done: Run) -> str:
    """The limit that ended a program."""
    assert isinstance(done.error, LimitError), done.error.text if done.error else done.value
    return done.error.limit


@pytest.mark.parametrize("where", WAITING)
async def test_cancelling_a_program_cancels_its_calls_and_ends_its_processes(pool: Pool, where: str) -> None:
    host = Host()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, pool, WAITING[where], host)
        await host.waiting.wait()
        busy = several() or [min(groups())]  # the worker that was forked first serves first
        tasks.cancel_scope.cancel()
    assert host.cancelled
    assert host.under_way == 0
    await gone(busy)
    assert await value(pool, "1") == 1


async def test_time_over_ends_a_program_wherever_it_waits() -> None:
    async with Pool(Limits(wall_seconds=0.4, calls_parallel=4, steps=10**12)) as hasty:
        for where, code in WAITING.items():
            host = Host()
            done = await run(hasty, code, host)
            assert limit_of(done) == "wall_seconds", where
            assert host.under_way == 0
            await settled()


@pytest.mark.parametrize("where", ["branches", "an attempt", "after attempts"])
async def test_nothing_is_left_of_a_program_when_the_pool_closes(where: str) -> None:
    host = Host()
    async with anyio.create_task_group() as tasks:
        async with Pool(Limits()) as pool:
            tasks.start_soon(run, pool, WAITING[where], host)
            await host.waiting.wait()
            busy = several()
            tasks.cancel_scope.cancel()
    await ended(busy)


@pytest.mark.parametrize("end", ["result = 1", "fail('x')", "api.fail()"])
@pytest.mark.parametrize(
    "begin",
    ["parallel(lambda i: api.look(), [1, 2])", "attempt(lambda: api.look())", "attempt(lambda: [api.look(), 1 // 0])"],
)
async def test_nothing_is_left_of_a_program_that_has_ended_by_itself(pool: Pool, begin: str, end: str) -> None:
    seen: set[int] = set()

    async def look() -> None:
        seen.update(several())

    host = Host()
    host.look = look
    await run(pool, f"{begin}\n{end}", host)
    assert len(seen) >= 2
    await gone(list(seen))


async def test_a_killed_worker_is_an_error_and_the_next_program_runs(pool: Pool) -> None:
    host = Host()

    async def look() -> None:
        os.kill(min(groups()), signal.SIGKILL)  # the worker that was forked first serves first

    host.look = look
    assert limit_of(await run(pool, "api.look()", host)) == "memory_mib"
    assert await value(pool, "1") == 1


FORKED = [
    pytest.param("parallel(lambda i: api.look() if i == 0 else api.wait(), range(3))", 4, id="branches"),
    pytest.param("attempt(lambda: api.look())", 2, id="an open attempt"),
    pytest.param("attempt(lambda: attempt(lambda: api.look()))", 3, id="attempts in each other"),
    pytest.param("attempt(lambda: 1)\napi.look()", 2, id="after an attempt"),
    pytest.param("for i in range(4):\n    attempt(lambda: 1)\napi.look()", 2, id="after attempts"),
    pytest.param("parallel(lambda i: [attempt(lambda: 1), api.look()], [0])", 2, id="a branch after an attempt"),
    pytest.param("attempt(lambda: parallel(lambda i: api.look(), [0]))", 3, id="a branch in an attempt"),
]
"""Programs, and how many processes they have when they make their call."""


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("code", "processes"), FORKED)
async def test_a_killed_process_ends_its_program(pool: Pool, first: bool, code: str, processes: int) -> None:
    host = killing(signal.SIGKILL, first=first, processes=processes)
    assert limit_of(await run(pool, f"{code}\napi.get()", host)) == "memory_mib"
    assert "get" not in host.called


async def test_a_killed_process_between_others_ends_its_program(pool: Pool) -> None:
    async def look() -> None:
        await until(lambda: len(several()) == 3)
        begun = psutil.Process(os.getpgid(several()[0]))
        (between,) = begun.children()
        between.kill()
        await ended([between.pid])

    host = Host()
    host.look = look
    done = await run(pool, "attempt(lambda: attempt(lambda: api.look()))\napi.get()", host)
    assert limit_of(done) == "memory_mib"
    assert "get" not in host.called


@pytest.mark.parametrize(("code", "processes"), [each for each in FORKED if each.id != "a branch after an attempt"])
async def test_a_process_whose_time_the_os_found_over_ends_its_program(pool: Pool, code: str, processes: int) -> None:
    host = killing(signal.SIGXCPU, first=False, processes=processes)
    assert limit_of(await run(pool, f"{code}\napi.get()", host)) == "wall_seconds"
    assert "get" not in host.called


async def test_a_dead_zygote_is_started_again(pool: Pool) -> None:
    assert await value(pool, "1") == 1
    zygote = min(zygotes(), key=lambda each: each.create_time())
    before = [each.pid for each in zygote.children(recursive=True)]
    zygote.kill()
    zygote.wait(PATIENCE)
    with anyio.fail_after(PATIENCE):
        while (await run(pool, "2")).value != 2:
            pass
    await ended(before)
