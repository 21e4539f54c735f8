"""A FastMCP server over others, with the CodeMode transform: `python codemode_server.py SERVERS.json`.

Run by the Python of build/peers; nothing of this repository can be imported here. SERVERS.json is a list of objects
with name, command, env and cwd.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from fastmcp import Client, FastMCP  # type: ignore[import-not-found]
from fastmcp.client.transports import StdioTransport  # type: ignore[import-not-found]
from fastmcp.experimental.transforms.code_mode import CodeMode  # type: ignore[import-not-found]
from fastmcp.server import create_proxy  # type: ignore[import-not-found]


async def serve(config: Path) -> None:
    """Connect with every server, then serve them over stdio."""
    front = FastMCP("code-mode", transforms=[CodeMode()])
    async with AsyncExitStack() as stack:
        for server in json.loads(config.read_text()):
            program, *arguments = server["command"]
            transport = StdioTransport(program, arguments, env=server["env"], cwd=server["cwd"])
            client = await stack.enter_async_context(Client(transport, mode="legacy"))
            front.mount(create_proxy(client, name=server["name"]), namespace=server["name"])
        await front.run_stdio_async(show_banner=False)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
