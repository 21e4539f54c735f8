"""One call's way: names looked up, arguments bound, the server called, the answer converted."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import mcp_types as types
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError, DeniedError, DownstreamError, ToolError
from mcp_hub.hub.calls import CHECKED, Calls
from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.policy import Policy
from mcp_hub.sandbox.conversation import PlannedCall
from mcp_hub.settings import PolicySettings
from tests.hub.one_tool import ISSUES, Hub, takes

pytestmark = pytest.mark.anyio


async def test_what_the_policy_denies_by_the_time_of_sending_is_not_sent() -> None:
    hub = Hub()
    rules = PolicySettings(mode="read-only")
    hub.live.configure(hub.live.settings, Policy([(Path("/servers.toml"), rules)]))
    tool = {"name": "list-issues", "inputSchema": ISSUES}
    hub.live.put("my-hub", [{**tool, "annotations": {"readOnlyHint": True}}])

    def another_list_arrives() -> None:
        hub.live.put("my-hub", [{**tool, "annotations": {"readOnlyHint": False}}])

    hub.downstreams.meanwhile = another_list_arrives
    with pytest.raises(DeniedError, match=r"my_hub\.list_issues was not called, because the policy denies it"):
        await hub.call(repo="a")
    assert hub.downstreams.called == []


@pytest.mark.parametrize("names", [[], ["list_issues", "list-issues"]])
async def test_a_tool_that_has_gone_or_become_another_by_the_time_of_sending_is_not_called(names: list[str]) -> None:
    hub = Hub()

    def another_list_arrives() -> None:
        hub.live.put("my-hub", [{"name": name, "inputSchema": ISSUES} for name in names])

    hub.downstreams.meanwhile = another_list_arrives
    with pytest.raises(CallerError):
        await hub.call(repo="a")
    assert hub.downstreams.called == []


async def test_a_call_reaches_the_server_under_its_own_names() -> None:
    hub = Hub()
    await hub.call(repo="a", start_time="now", from_="b")
    assert hub.downstreams.called == [("my-hub", "list-issues", {"repo": "a", "start-time": "now", "from": "b"})]


async def test_progress_is_passed_along() -> None:
    async def on_progress(progress: float, total: float | None, message: str | None) -> None: ...

    hub = Hub()
    await hub.calls.call("my_hub", "list_issues", [], {"repo": "a"}, on_progress)
    assert hub.downstreams.progress == [on_progress]


async def test_the_answer_comes_as_a_value() -> None:
    hub = Hub()
    hub.downstreams.answer = types.CallToolResult(content=[types.TextContent(text='[{"id": 1}]')])
    assert await hub.call(repo="a") == [{"id": 1}]
    hub.downstreams.answer = types.CallToolResult(content=[], structured_content={"result": "42"})
    assert await hub.call(repo="a") == "42"


async def test_a_tool_that_says_it_failed_is_an_error_in_its_own_words() -> None:
    hub = Hub()
    hub.downstreams.answer = types.CallToolResult(content=[types.TextContent(text="no such repo")], is_error=True)
    with pytest.raises(ToolError) as caught:
        await hub.call(repo="a")
    assert caught.value.text == "my_hub.list_issues failed: no such repo"


async def test_a_server_that_fails_is_an_error_as_it_is() -> None:
    hub = Hub()
    hub.downstreams.answer = DownstreamError("my-hub", "exited with status 1.")
    with pytest.raises(DownstreamError) as caught:
        await hub.call(repo="a")
    assert caught.value is hub.downstreams.answer


async def test_an_unknown_server_or_tool_is_told_with_the_nearest() -> None:
    hub = Hub()
    with pytest.raises(CallerError, match="Did you mean 'my_hub'"):
        await hub.calls.call("my_hubb", "list_issues", [], {})
    with pytest.raises(CallerError, match="Did you mean 'list_issues'"):
        await hub.calls.call("my_hub", "list_isues", [], {})
    assert hub.downstreams.called == []


async def test_a_changed_schema_is_checked_from_the_next_call_on() -> None:
    hub = Hub(takes(a={"type": "integer"}))
    await hub.call(a=1)
    hub.takes(takes(a={"type": "string"}))
    await hub.call(a="x")
    with pytest.raises(CallerError, match="expected str, got int 1"):
        await hub.call(a=1)


# Who learns from results


def learning(hub: Hub) -> list[tuple[str, str, object]]:
    """What is told of the results of a hub's calls."""
    told: list[tuple[str, str, object]] = []
    hub.calls = Calls(
        lambda: hub.live.snapshot,
        cast(Downstreams, hub.downstreams),
        lambda key, tool: lambda value: told.append((key, tool.wire_name, value)),
    )
    return told


async def test_each_result_is_told_as_the_program_gets_it() -> None:
    hub = Hub()
    told = learning(hub)
    hub.downstreams.answer = types.CallToolResult(content=[types.TextContent(text='[{"id": 1}]')])
    await hub.call(repo="a")
    assert told == [("my-hub", "list-issues", [{"id": 1}])]


async def test_no_result_is_told_of_a_tool_whose_server_says_what_it_gives() -> None:
    hub = Hub()
    told = learning(hub)
    hub.live.put("my-hub", [{"name": "list-issues", "inputSchema": ISSUES, "outputSchema": {"type": "object"}}])
    await hub.call(repo="a")
    assert told == []


async def test_who_is_told_is_asked_as_the_call_is_sent_and_told_when_its_result_has_come() -> None:
    hub = Hub()
    happened: list[str] = []

    def on_sent(key: str, tool: Tool) -> Callable[[object], None]:
        happened.append(f"sent, {tool.description}")
        return lambda value: happened.append(f"told {value}")

    def another_list_arrives() -> None:
        happened.append("before")
        hub.live.put("my-hub", [{"name": "list-issues", "inputSchema": ISSUES, "description": "new"}])

    hub.downstreams.meanwhile = another_list_arrives
    hub.calls = Calls(lambda: hub.live.snapshot, cast(Downstreams, hub.downstreams), on_sent)
    await hub.call(repo="a")
    assert happened == ["before", "sent, new", "told None"]


async def test_a_failure_is_no_result() -> None:
    hub = Hub()
    told = learning(hub)
    hub.downstreams.answer = types.CallToolResult(content=[types.TextContent(text="no such repo")], is_error=True)
    with pytest.raises(ToolError):
        await hub.call(repo="a")
    hub.downstreams.answer = DownstreamError("my-hub", "exited with status 1.")
    with pytest.raises(DownstreamError):
        await hub.call(repo="a")
    assert told == []


# Before a program runs


def planned(line: int, tool: str = "list_issues", **kwargs: list[object]) -> PlannedCall:
    return PlannedCall(line, "my_hub", tool, [], kwargs, open=False)


async def test_every_planned_call_that_is_wrong_is_told_with_its_line_and_none_is_made() -> None:
    hub = Hub(takes(repo={"type": "string"}, limit={"type": "integer"}))
    found = await hub.calls.problems([planned(3, limit=["x"]), planned(4, repo=["a"]), planned(5, rep=[])])
    assert found == snapshot(
        [
            (
                3,
                "arguments",
                'my_hub.list_issues: argument limit: expected int, got text "x". It is: '
                "def list_issues(*, repo: str = None, limit: int = None) -> Any",
            ),
            (
                5,
                "arguments",
                "my_hub.list_issues: no parameter 'rep' (did you mean 'repo'?). It is: "
                "def list_issues(*, repo: str = None, limit: int = None) -> Any",
            ),
        ]
    )
    assert hub.downstreams.called == []


async def test_a_planned_call_that_the_policy_denies_is_told_whatever_its_arguments() -> None:
    hub = Hub()
    rules = PolicySettings(mode="read-only")
    hub.live.configure(hub.live.settings, Policy([(Path("/servers.toml"), rules)]))
    ((line, kind, text),) = await hub.calls.problems([planned(2, nonsense=[])])
    assert (line, kind) == (2, "denied")
    assert text.startswith("my_hub.list_issues was not called, because the policy denies it")


async def test_names_that_are_not_there_are_left_to_who_read_the_program() -> None:
    assert (
        await Hub().calls.problems([planned(1, "list_isues"), PlannedCall(1, "nobody", "x", [], {}, open=False)]) == []
    )


async def test_a_great_many_calls_are_checked_up_to_a_number() -> None:
    found = await Hub().calls.problems([planned(line) for line in range(1, CHECKED + 50)])
    assert [line for line, _, _ in found] == list(range(1, CHECKED + 1))
