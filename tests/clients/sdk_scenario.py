"""The real servers by the SDK's own client: through the hub, in both protocol eras, and directly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TextIO

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent, Tool

from tests.clients.processes import ProcessWatch
from tests.clients.reach import Http, Reach, Stdio, word
from tests.clients.report import Report, carries
from tests.clients.workspace import NEAREST_TOOL, SERVER_NAMES, Workspace

Mode = Literal["auto", "legacy"]

SESSION_SECONDS = 60.0
"""One whole session; it takes about three seconds."""

ERAS: dict[Mode, str] = {"auto": "2026-07-28", "legacy": "2025-11-25"}
META_TOOLS = ("listToolFiles", "readToolFile", "getToolDocs", "executeToolCode")


async def direct_definitions(workspace: Workspace, log: TextIO) -> list[Tool]:
    """Every tool that the three servers offer, asked for without the hub."""
    tools: list[Tool] = []
    for command, env in workspace.commands.values():
        async with _session(Stdio(command, env), "auto", log) as client:
            tools += (await client.list_tools()).tools
    return tools


async def check_era(
    report: Report,
    workspace: Workspace,
    reach: Reach,
    mode: Mode,
    watch: ProcessWatch,
) -> None:
    """One session: list, read, look up, run, and fail on purpose."""
    workspace.forget()
    with (workspace.folder / f"hub-{word(reach)}-{mode}.log").open("w") as log:
        async with _session(reach, mode, log) as client:
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


def check_token(report: Report, reach: Http) -> None:
    """Nobody without the token is answered."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for name, headers in (("no token", {}), ("another token", {"Authorization": f"Bearer {reach.token}s"})):
        response = httpx2.post(reach.url, json=request, headers=headers, timeout=SESSION_SECONDS)
        report.check(f"with {name}, the hub answers HTTP 401", response.status_code == 401, response.status_code)


@asynccontextmanager
async def _session(reach: Reach, mode: Mode, log: TextIO) -> AsyncIterator[Client]:
    with anyio.fail_after(SESSION_SECONDS):
        if isinstance(reach, Http):
            async with httpx2.AsyncClient(headers=reach.headers, timeout=SESSION_SECONDS) as http:
                async with Client(streamable_http_client(reach.url, http_client=http), mode=mode) as client:
                    yield client
        else:
            parameters = StdioServerParameters(command=reach.command[0], args=reach.command[1:], env=reach.env)
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
