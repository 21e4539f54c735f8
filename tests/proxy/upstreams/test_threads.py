"""Threads for what may hang: bounded in time and number, and left by who leaves."""

import threading
from collections.abc import Iterator

import anyio
import pytest

from mcp_hub.proxy.upstreams.threads import Threads
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def hangs() -> Iterator[threading.Event]:
    """What hangs until it is set."""
    event = threading.Event()
    yield event
    event.set()


async def test_what_is_done_in_time_gives_its_value_or_its_error() -> None:
    threads = Threads(1)
    assert await threads.run(lambda: 7, PATIENCE) == 7
    with pytest.raises(ValueError, match="no"):
        await threads.run(lambda: int("no"), PATIENCE)


async def test_what_hangs_is_given_up_and_its_thread_counts_until_it_has_ended(hangs: threading.Event) -> None:
    threads = Threads(1)
    with pytest.raises(TimeoutError):
        await threads.run(hangs.wait, 0.05)
    with pytest.raises(TimeoutError):
        await threads.run(lambda: 7, PATIENCE)
    hangs.set()
    with anyio.fail_after(PATIENCE):
        while True:
            try:
                assert await threads.run(lambda: 7, PATIENCE) == 7
                return
            except TimeoutError:
                await anyio.sleep(0.01)


async def test_who_leaves_is_let_go(hangs: threading.Event) -> None:
    with anyio.move_on_after(0.05) as left:
        await Threads(1).run(hangs.wait, PATIENCE)
    assert left.cancelled_caught


async def test_many_take_turns(hangs: threading.Event) -> None:
    threads, done = Threads(2), []

    async def one(number: int) -> None:
        done.append(await threads.run(lambda: number, PATIENCE))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(one, number)
    assert sorted(done) == list(range(50))
