"""The program that the conformance suite starts as the client under test: a hub with the suite's server, in-process.

The suite hands over its server's URL as the last argument. The hub connects to it, lists its tools and calls each
that it took into its catalog once, as programs do.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from mcp_hub import app
from mcp_hub.configuration import Configuration
from mcp_hub.errors import HubError
from mcp_hub.folders import Folders
from mcp_hub.hub.catalog import Tool

SERVER = "suite"

CONTEXT_VARIABLE = "MCP_CONFORMANCE_CONTEXT"
"""The suite's name for a JSON object with what a scenario needs: here, the calls that it wants with their arguments."""

TIMEOUT = 10
"""Seconds for the session and for a call; the suite itself ends a client after half a minute."""

SAMPLES = {"number": 1, "integer": 1, "boolean": True, "string": "text", "object": {}, "array": []}


def main() -> int:
    """The exit status: 0 when the server was reached and every call was answered."""
    with tempfile.TemporaryDirectory(prefix="mcp_hub_conformance_") as folder:
        return anyio.run(_use, sys.argv[-1], Path(folder))


async def _use(url: str, folder: Path) -> int:
    file = folder / "servers.toml"
    file.write_text(f"[servers.{SERVER}]\nurl = {json.dumps(url)}\ntimeout = {TIMEOUT}\n")
    where = Folders(folder, folder / "state")
    loaded = Configuration(file, where, os.environ, folder).load()
    failed = 0
    async with app.open_hub(loaded, where) as hub:
        await hub.downstreams.settle([SERVER], app.longest_timeout(loaded))
        print(hub.downstreams[SERVER].status)
        if hub.downstreams[SERVER].status.error is not None:
            return 1
        tools = hub.live.snapshot.servers[SERVER].tools
        for tool in tools.values():
            try:
                print(tool.name, await hub.calls.call(SERVER, tool.name, [], _arguments(tool, tools)))
            except HubError as error:
                print(tool.name, error.text)
                failed += 1
    return 1 if failed else 0


def _arguments(tool: Tool, tools: Mapping[str, Tool]) -> dict[str, Any]:
    """What to call a tool with: what the scenario says, else a sample of what is required."""
    context = json.loads(os.environ.get(CONTEXT_VARIABLE, "{}"))
    for call in context.get("toolCalls", []):
        if call["name"] == tool.wire_name:
            return dict(call["arguments"])
    if tool.wire_name == "json_schema_echo":  # it wants the schema of the other tool back, as the client received it
        return {"schema": next(other.input_schema for other in tools.values() if other is not tool)}
    properties = tool.input_schema.get("properties", {})
    return {name: SAMPLES.get(properties[name].get("type")) for name in tool.input_schema.get("required", [])}


if __name__ == "__main__":
    sys.exit(main())
