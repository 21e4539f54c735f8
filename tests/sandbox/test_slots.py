"""Whose program runs next: never more than may, each client its share, everyone else in order."""

import asyncio

import anyio
import anyio.abc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_hub.sandbox.slots import Slots

pytestmark = pytest.mark.anyio


class Programs:
    """Programs that take a slot and keep it until they are told to end."""

    def __init__(self, slots: Slots, tasks: anyio.abc.TaskGroup) -> None:
        self.running: list[str] = []
        self._slots = slots
        self._tasks = tasks
        self._ends: dict[str, anyio.Event] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}

    async def start(self, *names: str) -> None:
        """Have programs ask for a slot, in this order; a name's first letter is its client."""
        for name in names:
            self._tasks.start_soon(self._run, name)
            await anyio.wait_all_tasks_blocked()

    async def end(self, name: str) -> None:
        """Have a running program end."""
        self._ends[name].set()
        await anyio.wait_all_tasks_blocked()

    def cancel(self, name: str) -> None:
        """Cancel a program, whether it waits or runs."""
        self._scopes[name].cancel()

    async def _run(self, name: str) -> None:
        with anyio.CancelScope() as self._scopes[name]:
            async with self._slots.taken(name[0]):
                self.running.append(name)
                self._ends[name] = anyio.Event()
                try:
                    await self._ends[name].wait()
                finally:
                    self.running.remove(name)


async def test_no_more_run_at_once_than_may_and_the_rest_come_in_order() -> None:
    async with anyio.create_task_group() as tasks:
        programs = Programs(Slots(2, 2), tasks)
        await programs.start("a1", "b1", "c1", "d1")
        assert programs.running == ["a1", "b1"]
        await programs.end("b1")
        assert programs.running == ["a1", "c1"]
        await programs.end("a1")
        assert programs.running == ["c1", "d1"]
        tasks.cancel_scope.cancel()


async def test_a_client_that_has_all_of_its_own_waits_and_doesnt_hold_up_the_others() -> None:
    async with anyio.create_task_group() as tasks:
        programs = Programs(Slots(4, 2), tasks)
        await programs.start("a1", "a2", "a3", "a4", "b1")
        assert programs.running == ["a1", "a2", "b1"]
        await programs.end("b1")
        assert programs.running == ["a1", "a2"]
        await programs.end("a2")
        assert programs.running == ["a1", "a3"]
        tasks.cancel_scope.cancel()


async def test_a_free_slot_goes_to_the_first_who_may_have_it() -> None:
    async with anyio.create_task_group() as tasks:
        programs = Programs(Slots(2, 1), tasks)
        await programs.start("a1", "b1", "a2", "b2", "c1")
        await programs.end("b1")
        assert programs.running == ["a1", "b2"]
        await programs.end("a1")
        assert programs.running == ["b2", "a2"]
        await programs.end("b2")
        assert programs.running == ["a2", "c1"]
        tasks.cancel_scope.cancel()


async def test_who_is_cancelled_while_waiting_takes_no_turn() -> None:
    async with anyio.create_task_group() as tasks:
        programs = Programs(Slots(1, 1), tasks)
        await programs.start("a1", "b1", "c1")
        programs.cancel("b1")
        await anyio.wait_all_tasks_blocked()
        await programs.end("a1")
        assert programs.running == ["c1"]
        await programs.end("c1")
        await programs.start("d1")
        assert programs.running == ["d1"]
        tasks.cancel_scope.cancel()


async def test_a_turn_that_comes_as_its_taker_is_cancelled_goes_to_the_next() -> None:
    slots = Slots(1, 1)
    running: list[str] = []

    async def run(client: str) -> None:
        async with slots.taken(client):
            running.append(client)
            await anyio.sleep_forever()

    first, second, third = (asyncio.create_task(run(client)) for client in "abc")
    await anyio.wait_all_tasks_blocked()
    first.cancel()
    await asyncio.sleep(0)  # a has given its slot to b, which hasn't run since
    second.cancel()
    await anyio.wait_all_tasks_blocked()
    assert running == ["a", "c"]
    third.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)


async def test_a_program_that_fails_gives_its_slot_back() -> None:
    slots = Slots(1, 1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with slots.taken("a"):
                raise ZeroDivisionError


@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["start", "end", "cancel"])), max_size=25),
)
@settings(max_examples=40)
def test_whatever_happens_no_bound_is_passed_and_no_slot_is_lost(
    most: int, most_client: int, events: list[tuple[str, str]]
) -> None:
    async def happen() -> None:
        async with anyio.create_task_group() as tasks:
            programs = Programs(Slots(most, most_client), tasks)
            names: list[str] = []
            for index, (client, event) in enumerate(events):
                if event == "start":
                    names.append(f"{client}{index}")
                    await programs.start(names[-1])
                elif event == "end" and programs.running:
                    await programs.end(programs.running[index % len(programs.running)])
                elif event == "cancel" and names:
                    programs.cancel(names[index % len(names)])
                await anyio.wait_all_tasks_blocked()
                assert len(programs.running) <= most
                assert all(sum(name[0] == each for name in programs.running) <= most_client for each in "abc")
            for name in names:
                programs.cancel(name)
            await anyio.wait_all_tasks_blocked()
            await programs.start(*(f"{client}{i}" for client in "xyzw" for i in range(most_client)))
            assert len(programs.running) == min(most, 4 * most_client)
            tasks.cancel_scope.cancel()

    anyio.run(happen)
