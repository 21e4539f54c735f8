"""The real servers by the SDK's own client: through the hub in both protocol eras, and directly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TextIO

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent, Tool

from tests.clients.processes import ProcessWatch
from tests.clients.report import Report, carries
from tests.clients.workspace import NEAREST_TOOL, SERVER_NAMES, Hub, Workspace

Mode = Literal["auto", "legacy"]

SESSION_SECONDS = 60.0
"""One whole session; it takes about three seconds."""

ERAS: dict[Mode, str] = {"auto": "2026-07-28", "legacy": "2025-11-25"}
META_TOOLS = ("listToolFiles", "readToolFile", "getToolDocs", "executeToolCode")


async def direct_definitions(workspace: Workspace, log: TextIO) -> list[Tool]:
    """Every tool that the three servers offer, asked for without the hub."""
    tools: list[Tool] = []
    for command, env in workspace.commands.values():
        async with _session(command, env, "auto", log) as client:
            tools += (await client.list_tools()).tools
    return tools


async def check_era(
    report: Report,
    workspace: Workspace,
    hub: Hub,
    mode: Mode,
    watch: ProcessWatch,
) -> None:
    """One session: list, read, look up, run, and fail on purpose."""
    workspace.forget()
    with (workspace.folder / f"hub-{mode}.log").open("w") as log:
        async with _session(hub.command, hub.env, mode, log) as client:
            report.check(
                f"mode={mode!r} negotiates {ERAS[mode]}",
                client.protocol_version == ERAS[mode],
                client.protocol_version,
            )
            names = [tool.name for tool in (await client.list_tools()).tools]
            report.check("it lists the four meta-tools and nothing else", sorted(names) == sorted(META_TOOLS), names)
            await _check_reading(report, client)
            await _check_programs(report, client, workspace)
            watch.snapshot_own()
    left = watch.survivors()
    report.check("after it ended, none of its processes is left", not left, left or f"{watch.count} seen")


async def _check_reading(report: Report, client: Client) -> None:
    listing = text_of(await client.call_tool("listToolFiles", {}))
    files = {name: file_of(name, listing) for name in SERVER_NAMES}
    report.check("listToolFiles names a file for each server", all(files.values()), files)
    for name, tool in (("filesystem", "read_text_file"), ("git", "git_log"), ("memory", "create_entities")):
        stub = text_of(await client.call_tool("readToolFile", {"fileName": files[name] or name}))
        report.check(f"readToolFile of {name} has {tool}", tool in stub, f"{len(stub)} characters")
    docs = text_of(await client.call_tool("getToolDocs", {"server": "git", "tool": "git_log"}))
    report.check("getToolDocs of git_log explains max_count", "max_count" in docs, f"{len(docs)} characters")
    missing = await client.call_tool("getToolDocs", {"server": "git", "tool": "git_lgo"})
    report.check(
        "getToolDocs of an unknown tool is an error that names the nearest",
        missing.is_error and NEAREST_TOOL in text_of(missing),
        text_of(missing),
    )


async def _check_programs(report: Report, client: Client, workspace: Workspace) -> None:
    joined = text_of(await client.call_tool("executeToolCode", {"code": workspace.join_program}))
    report.check(
        "a program over the three servers answers what was computed here",
        carries(joined, workspace.expected),
        f"expected {workspace.expected}, answered {joined}",
    )
    report.check(
        "its call to the memory server took effect",
        workspace.remembered == workspace.expected,
        f"{len(workspace.remembered)} entities",
    )
    unknown = await client.call_tool("executeToolCode", {"code": workspace.unknown_tool_program})
    report.check(
        "a program with an unknown tool is an error that names the nearest",
        unknown.is_error and NEAREST_TOOL in text_of(unknown),
        line_with(NEAREST_TOOL, text_of(unknown)),
    )


@asynccontextmanager
async def _session(command: list[str], env: dict[str, str], mode: Mode, log: TextIO) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=env)
    with anyio.fail_after(SESSION_SECONDS):
        async with Client(stdio_client(parameters, errlog=log), mode=mode) as client:
            yield client


def file_of(server: str, listing: str) -> str | None:
    """The file that a listing names for a server."""
    words = listing.replace('"', " ").replace(",", " ").replace(":", " ").split()
    return next((word for word in words if Path(word).stem == server and Path(word).suffix == ".pyi"), None)


def text_of(result: CallToolResult) -> str:
    """All the text of a result."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def line_with(word: str, text: str) -> str:
    """The line that a report shows of a text: the first with `word`, else everything."""
    return next((line for line in text.splitlines() if word in line), text)
