"""Tool calls past the SDK's session: answers found by their number, progress, ends and refusals."""

import json
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import MCPError

from mcp_hub.hub.direct import FIRST_ID, DirectCalls
from mcp_hub.tracing import ALONG
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


class Child:
    """What a child reads, line by line, and what it answers."""

    def __init__(self) -> None:
        self.direct = DirectCalls()
        self.read: list[dict[str, Any]] = []
        self.asked = anyio.Event()
        self.gone = False
        self.direct.open(self._send)

    async def _send(self, line: bytes) -> None:
        if self.gone:
            raise BrokenPipeError
        self.read.append(json.loads(line))
        self.asked.set()

    async def request(self) -> dict[str, Any]:
        with anyio.fail_after(PATIENCE):
            await self.asked.wait()
        return self.read[-1]

    def says(self, **message: Any) -> bool:
        return self.direct.takes(json.dumps({"jsonrpc": "2.0", **message}).encode())


async def outcome(child: Child, **answer: Any) -> Any:
    """What a call gives for an answer."""
    given: list[Any] = []

    async def call() -> None:
        try:
            given.append(await child.direct.call("add", {"a": 1}, None))
        except MCPError as error:
            given.append((error.code, error.message))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        request = await child.request()
        assert child.says(**{"id": request["id"], **answer})
    return given[0]


async def test_a_call_is_a_request_whose_result_is_given_as_it_came() -> None:
    child = Child()
    result = {"content": [], "structuredContent": {"n": 1}}
    assert await outcome(child, result=result) == result
    (request,) = child.read
    assert request == {
        "jsonrpc": "2.0",
        "id": FIRST_ID + 1,
        "method": "tools/call",
        "params": {"name": "add", "arguments": {"a": 1}},
    }


async def test_an_error_answer_is_raised() -> None:
    assert await outcome(Child(), error={"code": -32602, "message": "no"}) == (-32602, "no")
    assert await outcome(Child(), error={}) == (types.INTERNAL_ERROR, "no reason was given")


async def test_an_answer_whose_number_came_back_as_text_is_found() -> None:
    assert await outcome(Child(), id=str(FIRST_ID + 1), result={"ok": 1}) == {"ok": 1}


async def test_what_isnt_an_answer_to_a_call_here_is_left_to_the_session() -> None:
    child = Child()
    assert not child.says(id=1, result={})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child.direct.call, "add", {}, None)
        number = (await child.request())["id"]
        assert not child.says(id=1, result={})
        assert not child.says(id=number, method="roots/list")
        assert not child.says(method="notifications/message", params={})
        assert not child.says(method="notifications/progress", params={"progressToken": 1, "progress": 1})
        assert not child.direct.takes(b"no JSON")
        assert not child.direct.takes(b"[1]")
        assert child.says(id=number, result={})


async def test_progress_comes_before_the_result_and_in_order() -> None:
    child = Child()
    told: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child.direct.call, "add", {}, on_progress)
        number = (await child.request())["id"]
        assert child.read[-1]["params"]["_meta"] == {"progressToken": number}
        for n in (1, 2):
            params = {"progressToken": number, "progress": n, "message": "on it" if n == 2 else 7}
            assert child.says(method="notifications/progress", params=params)
        assert child.says(id=number, result={})
    assert told == [(1, None, None), (2, None, "on it")]


async def test_each_request_carries_what_the_session_says_of_itself() -> None:
    child = Child()
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 3}
    request = types.JSONRPCRequest(jsonrpc="2.0", id=1, method="tools/list", params={"_meta": meta})
    child.direct.learn(request)
    await outcome(child, result={})
    assert child.read[-1]["params"]["_meta"] == {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


async def test_a_call_names_its_own_span_and_never_that_of_another_request() -> None:
    child = Child()
    of_the_list = {"traceparent": "00-of-the-list", "tracestate": "a=b", "baggage": "c=d"}
    request = types.JSONRPCRequest(jsonrpc="2.0", id=1, method="tools/list", params={"_meta": of_the_list})
    child.direct.learn(request)
    await outcome(child, result={})
    assert "_meta" not in child.read[-1]["params"]
    mine = {"traceparent": "00-of-the-call"}
    before = ALONG.set(mine)
    try:
        await outcome(child, result={})
    finally:
        ALONG.reset(before)
    assert child.read[-1]["params"]["_meta"] == mine


async def test_a_cancelled_call_is_told_to_the_server() -> None:
    child = Child()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child.direct.call, "add", {}, None)
        number = (await child.request())["id"]
        tasks.cancel_scope.cancel()
    assert child.read[-1]["method"] == "notifications/cancelled"
    assert child.read[-1]["params"]["requestId"] == number


async def test_a_cancelled_calls_late_answer_is_left_to_the_session_which_drops_it() -> None:
    child = Child()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(child.direct.call, "add", {}, None)
        number = (await child.request())["id"]
        tasks.cancel_scope.cancel()
    assert not child.says(id=number, result={})


async def test_a_child_that_ends_fails_what_is_under_way_and_what_comes_after() -> None:
    child = Child()
    async with anyio.create_task_group() as tasks:

        async def call() -> None:
            with pytest.raises(MCPError) as raised:
                await child.direct.call("add", {}, None)
            assert raised.value.code == types.CONNECTION_CLOSED

        tasks.start_soon(call)
        await child.request()
        child.direct.close()
    await call()


async def test_a_child_that_reads_no_more_is_a_closed_connection() -> None:
    child = Child()
    child.gone = True
    with pytest.raises(MCPError) as raised:
        await child.direct.call("add", {}, None)
    assert raised.value.code == types.CONNECTION_CLOSED


async def test_an_answer_that_is_too_large_fails_its_call_only() -> None:
    child = Child()
    assert not child.direct.fails(5, "too large")
    async with anyio.create_task_group() as tasks:

        async def call() -> None:
            with pytest.raises(MCPError, match="too large"):
                await child.direct.call("add", {}, None)

        tasks.start_soon(call)
        assert child.direct.fails((await child.request())["id"], "too large")
