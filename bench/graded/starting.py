"""Starts who is asked: the servers by themselves, or one hub over all of them.

Owns their processes, and what they write on stderr, in ROOT/logs.
"""

import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench import servers
from bench.graded.agents import CALL_WAIT, DirectAgent, HubAgent, ModelAgent, read_text
from bench.processes import ROOT, BenchError
from bench.servers import Entry
from bench.tokens import as_sent

LISTED_WAIT = 90.0
"""Seconds until the hub has listed all servers, which start side by side on few cores."""


def parameters(entry: Entry, root: Path) -> StdioServerParameters:
    """How a real server is started, in the world's folder."""
    program, *arguments = (servers.filled(each, root) for each in entry.command)
    env = {name: servers.filled(value, root) for name, value in entry.env.items()}
    return StdioServerParameters(command=program, args=arguments, env=env, cwd=str(root / "work"))


@asynccontextmanager
async def direct(entries: Sequence[Entry], root: Path) -> AsyncIterator[DirectAgent]:
    """The servers, started and connected. Raises the SDK's MCPError for one that doesn't answer."""
    async with AsyncExitStack() as stack:
        clients = {}
        errors = stack.enter_context((root / "logs" / "direct.log").open("w"))
        for entry in entries:
            transport = stdio_client(parameters(entry, root), errors)
            client = Client(transport, mode="legacy", read_timeout_seconds=CALL_WAIT)
            clients[entry.name] = await stack.enter_async_context(client)
        yield DirectAgent(clients)


@dataclass(frozen=True)
class Hub:
    """A hub that has listed all its servers, as its client sees it."""

    agent: HubAgent
    for_model: ModelAgent
    instructions: str
    definitions: list[dict[str, Any]]


@asynccontextmanager
async def hub(entries: Sequence[Entry], root: Path) -> AsyncIterator[Hub]:
    """A hub over the servers, in its first session with shapes unlearned. Raises BenchError if a server isn't listed.

    What it knows when it starts is the servers' lists, kept by a session before: as for everybody but on the first day.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "servers.toml"
        # Unlearned: what one task shows of results would help the next.
        config.write_text(configuration({each.name: parameters(each, root) for each in entries}, learning=False))
        started = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mcp_hub", "serve", "--config", str(config)],
            env={"MCP_HUB_STATE_DIR": f"{folder}/state", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            cwd=folder,
        )
        with (root / "logs" / "hub.log").open("w") as errors:
            async with Client(stdio_client(started, errors)) as first:
                await _all_listed(first, entries)
            async with Client(stdio_client(started, errors)) as client:
                await _all_listed(client, entries)
                names = frozenset(entry.name.replace("-", "_") for entry in entries)
                definitions = as_sent((await client.list_tools()).tools)
                yield Hub(HubAgent(client, names), ModelAgent(client), client.instructions or "", definitions)


def configuration(started: Mapping[str, StdioServerParameters], *, learning: bool) -> str:
    """The servers.toml of a hub over servers, by their names, that learns what results look like, or doesn't."""
    parts = [] if learning else ["[hub]\nlearn_shapes = false"]
    for name, server in started.items():
        lines = [f"[servers.{name}]", f"command = {json.dumps([server.command, *server.args])}"]
        lines.append(f"cwd = {json.dumps(str(server.cwd))}")
        if server.env:
            env = ", ".join(f"{variable} = {json.dumps(text)}" for variable, text in server.env.items())
            lines.append(f"env = {{ {env} }}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


async def _all_listed(client: Client, entries: Sequence[Entry]) -> None:
    wanted = [f"{entry.tools} tool" for entry in entries]
    text = ""
    with anyio.move_on_after(LISTED_WAIT):
        while True:
            text = read_text(await client.call_tool("listToolFiles", {}))
            lines = [line for line in text.splitlines() if line.startswith("servers/") and " tool" in line]
            if len(lines) == len(wanted) and all(count in line for count, line in zip(wanted, lines, strict=True)):
                return
            await anyio.sleep(0.2)
    raise BenchError(f"the hub hasn't listed all servers after {LISTED_WAIT:g} s; it says: {text}")
