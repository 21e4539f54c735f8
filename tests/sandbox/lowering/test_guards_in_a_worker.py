"""try in real workers: what is caught, what is undone, what goes on, as in Python with the same tools."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from mcp_hub.errors import HubError
from mcp_hub.sandbox.conversation import Job, Run
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from tests.sandbox.lowering.interpreter import as_data, programs
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

PROGRAMS = programs("workers")
FAILING = 13


class ToolError(Exception):
    """What the tools raise in CPython."""


class Server:
    """The same tools, in CPython and behind the pool."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def get(self, id: Any) -> dict[str, Any]:
        self.calls.append(id)
        if id == FAILING:
            raise ToolError("no such item")
        return {"id": id, "name": f"item {id}"}


async def run(pool: Pool, code: str, server: Server) -> Run:
    async def call(_: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        try:
            return getattr(server, tool)(*args, **kwargs)
        except ToolError as error:
            raise HubError(str(error)) from None

    with anyio.fail_after(PATIENCE):
        return await pool.run(Job(code, {"server": ["get"]}, servers=["server"]), call)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with Pool(Limits(wall_seconds=10)) as opened:
        yield opened


@pytest.mark.parametrize("title", PROGRAMS)
async def test_a_program_that_catches_errors_means_what_it_means_in_python(pool: Pool, title: str) -> None:
    server, ours = Server(), Server()
    variables: dict[str, Any] = {"__name__": "__main__", "server": server, "ToolError": ToolError}
    exec(compile(PROGRAMS[title], "program", "exec"), variables)
    done = await run(pool, PROGRAMS[title], ours)
    assert done.error is None, done.error.text
    assert done.value == as_data(variables["result"])
    assert ours.calls == server.calls


async def test_an_error_that_nothing_catches_is_told_with_its_line(pool: Pool) -> None:
    code = "x = 0\nwhile x < 2:\n    x += 1\ntry:\n    server.get(id=13)\nexcept KeyError:\n    pass\n"
    done = await run(pool, code, Server())
    assert done.error is not None
    assert "no such item" in done.error.text
    assert "program:5" in done.error.text


async def test_a_change_before_a_failure_is_refused_before_anything_is_called(pool: Pool) -> None:
    code = "n = 0\ntry:\n    n += 1\n    server.get(id=13)\nexcept Exception:\n    pass\nresult = n\n"
    server = Server()
    done = await run(pool, code, server)
    assert done.error is not None
    assert "what was changed before the failure is undone" in done.error.text
    assert server.calls == []
