"""Binds the four meta-tools to MCP, in both protocol eras; and serves them on stdio.

Above is an MCP client, here or over `http`; below are the SDK's server and whoever answers the meta-tools. Errors
become answers here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from mcp_hub import __version__
from mcp_hub.errors import CallerError
from mcp_hub.hub.journal import LOCAL
from mcp_hub.hub.meta_tools import META_TOOLS, Answer, MetaTool
from mcp_hub.hub.programs import Report
from mcp_hub.hub.stdio import own_streams

RESULT_CHARACTERS = 200_000
"""How much of an answer a client may show whole; the hub's own limits keep answers far below."""

META = {"anthropic/alwaysLoad": True, "anthropic/maxResultSizeChars": RESULT_CHARACTERS}
"""For Claude Code: list these four upfront instead of behind its tool search, and show their answers whole."""


class Answering(Protocol):
    """Who answers the meta-tools: this process's own, or another hub's."""

    async def answer(
        self, name: str, arguments: Mapping[str, Any], client: str = LOCAL, report: Report | None = None
    ) -> Answer:
        """Call a meta-tool by name, for a client. Raises CallerError for a name that is none."""


def build_server(
    meta_tools: Answering, instructions: str, on_call: Callable[[], None], client: Callable[[], str] = lambda: LOCAL
) -> Server[Any]:
    """An SDK server with the four meta-tools; `on_call` is called as each call arrives, `client` tells whose it is.

    In the protocol without a handshake, a call may be the first thing that a client ever sends.
    """
    listed = types.ListToolsResult(tools=[_definition(tool) for tool in META_TOOLS])

    async def on_list_tools(
        _context: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listed

    async def on_call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        async def report(progress: float, message: str) -> None:
            await context.session.report_progress(progress, message=message)

        on_call()
        watched = context.meta is not None and "progress_token" in context.meta
        try:
            answer = await meta_tools.answer(params.name, params.arguments or {}, client(), report if watched else None)
        except CallerError as error:
            raise MCPError(types.INVALID_PARAMS, error.text) from None
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=part) for part in answer.parts]
        return types.CallToolResult(content=content, is_error=answer.is_error)

    return Server(
        "mcp_hub",
        version=__version__,
        instructions=instructions,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
    )


async def serve_stdio(server: Server[Any], on_sent: Callable[[], None]) -> None:
    """Serve this process's stdin and stdout until stdin ends; `on_sent` is called after each message written."""
    async with own_streams(on_sent) as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _definition(tool: MetaTool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=None if tool.read_only else True,
            open_world_hint=None if tool.read_only else True,
        ),
        _meta=META,
    )
