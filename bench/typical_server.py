"""The fixture's stock server with descriptions of the length that real servers have: about 160 tokens a tool, whole."""

from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from fixtures import stock_server

Context = ServerRequestContext[Any, Any]

MORE = {
    "get_product": "Returns its name, its category and its price in euro cents. Use it when you know the product's id; "
    "to look for one by a part of its name, use search_products. What the warehouses hold of it, stock_levels tells.",
    "search_products": "Use it to find the ids that the other tools take. Results come a page at a time, in the order "
    "of the ids; `total` counts all matches, so that you know whether to ask for another page with `offset`.",
    "stock_levels": "For each product: the pieces on hand in the north and the south warehouse, the number below which "
    "it is to be reordered, and the date of the next delivery if one is announced. Ask for several products at once.",
    "shortages": "Counts both warehouses together. Use it to see what has to be ordered, and whether a delivery is "
    "already on its way: `next_delivery` is an ISO 8601 date, or null if none is announced.",
    "restock": "Quantities are pieces. Don't call it twice for one delivery: nothing is checked against what was "
    "announced.",
}
"""What such a server would say beside the first sentence."""


async def on_list_tools(_context: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    tools = await stock_server.server.list_tools()
    told = [tool.model_copy(update={"description": f"{tool.description} {MORE[tool.name]}"}) for tool in tools]
    return types.ListToolsResult(tools=told)


async def on_call_tool(_context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    result = await stock_server.server.call_tool(params.name, params.arguments or {})
    if not isinstance(result, types.CallToolResult):
        raise TypeError(f"{params.name} asks its client for something, which none of these tools does")
    return result


async def serve() -> None:
    server = Server("stock", version="1.0", on_list_tools=on_list_tools, on_call_tool=on_call_tool)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(serve)
