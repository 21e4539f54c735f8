"""A forwarding hop with nothing of its own: an SDK server on stdio that hands each call to an SDK client.

Usage:  python -m bench.bare_hop COMMAND [ARGUMENT...]
"""

import sys
from typing import Any

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

Context = ServerRequestContext[Any, Any]


async def forward(*command: str) -> None:
    """Serve stdin and stdout with the tools of the server that this command starts."""
    async with Client(StdioServerParameters(command=command[0], args=list(command[1:]))) as downstream:

        async def on_list_tools(_: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
            return await downstream.list_tools(cursor=params.cursor if params else None)

        async def on_call_tool(_: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
            return await downstream.call_tool(params.name, params.arguments)

        server = Server("bare_hop", on_list_tools=on_list_tools, on_call_tool=on_call_tool)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(forward, *sys.argv[1:])
