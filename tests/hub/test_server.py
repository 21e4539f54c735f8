"""The binding to MCP, in process: definitions as they are sent, answers and errors as they arrive."""

from collections.abc import Mapping
from typing import Any

import pytest
from inline_snapshot import snapshot
from mcp import Client, MCPError
from mcp_types import TextContent

from mcp_hub.errors import CallerError
from mcp_hub.hub.journal import LOCAL
from mcp_hub.hub.meta_tools import Answer
from mcp_hub.hub.programs import Report
from mcp_hub.hub.server import build_server

pytestmark = pytest.mark.anyio


class Canned:
    """Answers every meta-tool alike; keeps who asked, and whether a way to report progress was given."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.reported = False
        self.clients: list[str] = []

    async def answer(
        self, name: str, arguments: Mapping[str, Any], client: str = LOCAL, report: Report | None = None
    ) -> Answer:
        self.clients.append(client)
        if name == "nothing":
            raise CallerError("There is no tool 'nothing'.")
        if report is not None:
            self.reported = True
            await report(1, "half way")
        return self._answer


def client(canned: Canned, era: str) -> Client:
    return Client(build_server(canned, "Use me well.", lambda: None), mode=era)


async def test_instructions_and_annotations_are_sent(era: str) -> None:
    async with client(Canned(Answer(("x",))), era) as connected:
        assert connected.instructions == "Use me well."
        last = (await connected.list_tools()).tools[-1]
    assert last.model_dump(by_alias=True, exclude_none=True, include={"annotations", "meta"}) == snapshot(
        {
            "annotations": {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": True},
            "_meta": {"anthropic/alwaysLoad": True, "anthropic/maxResultSizeChars": 200000},
        }
    )


async def test_each_part_of_an_answer_is_a_text(era: str) -> None:
    async with client(Canned(Answer(("a", "b"), is_error=True)), era) as connected:
        result = await connected.call_tool("listToolFiles", {})
    assert [block.text for block in result.content if isinstance(block, TextContent)] == ["a", "b"]
    assert result.is_error
    assert result.structured_content is None, "it would take the place of the texts in what a model sees"


async def test_progress_is_reported_only_to_a_client_that_asked() -> None:
    canned = Canned(Answer(("x",)))
    told: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with client(canned, "legacy") as connected:
        await connected.call_tool("executeToolCode", {"code": ""})
        assert not canned.reported
        await connected.call_tool("executeToolCode", {"code": ""}, progress_callback=on_progress)
    assert told == [(1, "half way")]


async def test_a_tool_that_does_not_exist_is_a_protocol_error(era: str) -> None:
    async with client(Canned(Answer(("x",))), era) as connected:
        with pytest.raises(MCPError, match=r"There is no tool 'nothing'\."):
            await connected.call_tool("nothing", {})


async def test_each_call_says_whose_it_is(era: str) -> None:
    canned = Canned(Answer(("x",)))
    asking = iter(["client:ada", "client:bob"])
    server = build_server(canned, "", lambda: None, lambda: next(asking))
    async with Client(server, mode=era) as connected:
        await connected.call_tool("listToolFiles", {})
        await connected.call_tool("listToolFiles", {})
    assert canned.clients == ["client:ada", "client:bob"]


async def test_on_stdio_the_one_client_is_the_hubs_own_user(era: str) -> None:
    canned = Canned(Answer(("x",)))
    async with client(canned, era) as connected:
        await connected.call_tool("listToolFiles", {})
    assert canned.clients == [LOCAL]
