"""The language suite: programs as models write them give here what they give in CPython, or an error that helps."""

import json
import re
from collections import Counter

import anyio
import anyio.to_thread
import pytest

from fixtures.scripts.programs import Program, in_cpython, programs
from fixtures.scripts.world import ToolError, World
from mcp_hub.errors import HubError
from mcp_hub.sandbox.conversation import Job
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

ALL = list(programs())
FILES = sorted({program.file for program in ALL})

LEAST_SHARE = 0.9
"""Of the programs, those that run unchanged."""


async def here(pool: Pool, program: Program) -> tuple[object, str, list[tuple[str, str, object]]]:
    """A program's value, its error's text ("" for none) and the calls that it made."""
    world = World()

    async def call(server: str, tool: str, args: list[object], kwargs: dict[str, object]) -> object:
        try:
            return world.call(server, tool, args, kwargs)
        except ToolError as error:
            raise HubError(str(error)) from None

    tools = world.tools()
    with anyio.fail_after(PATIENCE):
        run = await pool.run(Job(program.code, tools, servers=list(tools)), call)
    return run.value, run.error.text if run.error else "", world.calls


async def difference(pool: Pool, program: Program) -> str:
    """What is otherwise here than in CPython; "" for nothing."""
    there = await anyio.to_thread.run_sync(in_cpython, program)  # it may run an event loop of its own
    value, error, calls = await here(pool, program)
    if program.raises is not None:
        if not re.search(program.raises, there.error):
            return f"CPython: {there.error or there.value}"
        if not re.search(program.raises, error):
            return f"no such error: {error or value}"
    else:
        assert program.expect is not None, program.task
        if there.error or there.value != json.loads(program.expect):
            return f"CPython: {there.error or json.dumps(there.value, ensure_ascii=False)}"
        if error or value != there.value:
            return f"{error or json.dumps(value, ensure_ascii=False)}\nexpected: {program.expect}"
    in_any_order = "parallel(" in program.code
    same = sorted(map(repr, calls)) == sorted(map(repr, there.calls)) if in_any_order else calls == there.calls
    return "" if same else f"calls: {calls}\nin CPython: {there.calls}"


def report(told: dict[str, str]) -> str:
    """What went wrong, a paragraph a program; `told` is by task."""
    return "\n\n".join(f"# {task}\n{text}" for task, text in told.items() if text)


def share() -> float:
    """Of the tasks' programs, those that run unchanged; what the constructs' file shows isn't counted."""
    tasks = [program for program in ALL if program.file != "constructs"]
    return sum(program.error is None for program in tasks) / len(tasks)


@pytest.mark.parametrize("file", FILES)
async def test_a_program_gives_what_it_gives_in_cpython_and_makes_the_same_calls(file: str) -> None:
    async with Pool(Limits()) as pool:
        told = {each.task: await difference(pool, each) for each in ALL if each.file == file and each.error is None}
    assert told
    assert not report(told), report(told)


async def test_what_cannot_run_is_told_with_its_line_and_what_to_write() -> None:
    async with Pool(Limits()) as pool:
        for program in ALL:
            if program.error is None:
                continue
            _, error, calls = await here(pool, program)
            assert re.search(program.error, error), f"{program.task}: {error}"
            assert re.search(r"line \d+|program:\d+", error), error
            assert not calls or "program:" in error, f"{program.task}: half of it ran, though its text told"


def test_nine_programs_of_ten_run_unchanged() -> None:
    print(f"{share():.1%} of the tasks' programs run unchanged")
    assert share() >= LEAST_SHARE


def test_each_program_says_what_it_is_for_and_what_comes_of_it() -> None:
    assert len(ALL) >= 110
    for program in ALL:
        ends = (program.expect, program.error, program.raises)
        assert sum(end is not None for end in ends) == 1, program.task
    assert not [task for task, count in Counter(program.task for program in ALL).items() if count > 1]
