"""A real hub over stdio in front of servers that have the real ones' lists of tools and echo what a call brings them.

Owns the hub's process and a folder with its configuration and state while it is open. Goes in: lists of MCP tools by
server. Comes out: an SDK client of the hub, and the texts of its answers.
"""

import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import TextContent

from bench import processes
from bench.calls import succeeded, told
from bench.discovery_measures import RawLists
from bench.processes import ANSWER_WAIT, ROOT, BenchError

ECHOING = ROOT / "fixtures" / "echoing_server.py"

HUB = """\
[hub]
learn_shapes = false

[hub.limits]
source_bytes = 1_048_576
result_characters = 1_000_000
"""
"""Signatures stay as the lists have them, and a program's answer is never cut."""


@asynccontextmanager
async def hub(listed: RawLists) -> AsyncIterator[Client]:
    """A client of a hub with an echoing server for each list, under the same name; the hub has seen all of them.

    Raises BenchError when the hub or a server doesn't answer.
    """
    with tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as name:
        folder = Path(name)
        program, *arguments = processes.hub_command(_configured(folder, listed))
        env = processes.environment(folder / "state")
        parameters = StdioServerParameters(command=program, args=arguments, env=env, cwd=str(ROOT))
        log = folder / "stderr.log"
        async with told(log):
            with log.open("w") as errors:
                async with Client(stdio_client(parameters, errors)) as client:
                    for server in listed:  # a file's text waits for its server, however long that takes to start
                        await answer(client, "readToolFile", {"fileName": f"servers/{server}.pyi"})
                    yield client


async def answer(client: Client, meta_tool: str, arguments: dict[str, Any], *, may_fail: bool = False) -> str:
    """The text of a meta-tool's answer. Raises BenchError for none within ANSWER_WAIT, and for a failed call unless it
    may fail.
    """
    try:
        with anyio.fail_after(ANSWER_WAIT):
            result = await client.call_tool(meta_tool, arguments)
    except TimeoutError:
        raise BenchError(f"{meta_tool} wasn't answered within {ANSWER_WAIT:g} s") from None
    if not may_fail:
        succeeded(result)
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def _configured(folder: Path, listed: RawLists) -> Path:
    """A servers.toml in `folder`, with a file beside it for each list."""
    config = folder / "servers.toml"
    lists = folder / "listed"
    lists.mkdir()
    parts = [HUB]
    for server, tools in listed.items():
        path = lists / f"{server}.json"
        path.write_text(json.dumps({"tools": tools}))
        parts.append(f"[servers.{server}]\ncommand = {json.dumps([sys.executable, str(ECHOING), str(path)])}\n")
    config.write_text("\n".join(parts))
    return config
