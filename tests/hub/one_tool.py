"""Calls over one server with one tool, which a test gives a schema; what reaches the server is recorded."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import mcp_types as types
import pytest
from hypothesis import strategies as st

from mcp_hub.errors import CallerError, DownstreamError
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog, Tool, build_server
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.session import Progress
from mcp_hub.settings import ServerSettings

TEXT = {"type": "string"}
ISSUES = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "enum": ["open", "closed"]},
        "repo": TEXT,
        "start-time": TEXT,
        "from": {"anyOf": [TEXT, {"type": "null"}]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
        "labels": {"type": "array", "items": TEXT},
        "where": {"type": "object", "properties": {"by": TEXT}, "required": ["by"], "additionalProperties": False},
    },
    "required": ["repo"],
}

ARGUMENTS = st.dictionaries(
    st.sampled_from(["repo", "state", "start_time", "from_", "from", "limit", "labels", "where", "other"]),
    st.none()
    | st.booleans()
    | st.integers(-1, 101)
    | st.sampled_from(["open", "text", [], ["a"], ["a", 1], {}, {"by": "x"}, {"by": None}]),
)
"""Arguments of a call of ISSUES, good and bad."""


class Recorder:
    """Stands in for the downstream servers: keeps what was called and gives one answer to all."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str, dict[str, Any]]] = []
        self.progress: list[Progress | None] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.answer: types.CallToolResult | DownstreamError = types.CallToolResult(content=[])

    async def call(
        self,
        server: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Progress | None,
        check: Callable[[], None],
    ) -> types.CallToolResult:
        self.meanwhile()
        check()
        self.called.append((server, tool, arguments))
        self.progress.append(on_progress)
        if isinstance(self.answer, DownstreamError):
            raise self.answer
        return self.answer


class Hub:
    """Calls over one server, `my-hub`, with one tool, `list-issues`, that takes what `schema` says."""

    def __init__(self, schema: Mapping[str, Any] = ISSUES) -> None:
        self.live = LiveCatalog({"my-hub": ServerSettings(url="http://h")}, UNRESTRICTED)
        self.downstreams = Recorder()
        self.calls = Calls(lambda: self.live.snapshot, cast(Downstreams, self.downstreams))
        self.takes(schema)

    def takes(self, schema: Mapping[str, Any]) -> None:
        self.live.put("my-hub", [{"name": "list-issues", "inputSchema": schema}])

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        return await self.calls.call("my_hub", "list_issues", list(args), kwargs)

    async def sent(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments that the server gets for a call."""
        await self.call(*args, **kwargs)
        return self.downstreams.called[-1][2]

    async def refused(self, *args: Any, **kwargs: Any) -> str:
        """What a program is told whose call doesn't leave."""
        with pytest.raises(CallerError) as caught:
            await self.call(*args, **kwargs)
        assert self.downstreams.called == []
        return caught.value.text

    async def problems(self, *args: Any, **kwargs: Any) -> str:
        """Of that, what is wrong: without the tool's name before and its signature after."""
        return problems_in(await self.refused(*args, **kwargs))


def problems_in(said: str) -> str:
    return said.partition(" was not called: ")[2].partition(". It is: ")[0]


def tool(schema: Mapping[str, Any]) -> Tool:
    return build_server("s", "", [{"name": "t", "inputSchema": schema}]).tools["t"]


def takes(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}
