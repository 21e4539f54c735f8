"""Commands that show what there is and how it stands: check, tools, logs, policy."""

import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mcp_hub.cli.shared import (
    FAILED,
    INTERRUPTED,
    OK,
    complete_servers,
    config_option,
    connect_to_all,
    json_option,
    prepared,
    run_to_end,
    says_what_is_wrong,
    split_tool,
    waiting,
)
from mcp_hub.errors import CallerError
from mcp_hub.folders import Folders, folders

if TYPE_CHECKING:
    from rich.table import Table

    from mcp_hub.app import Hub
    from mcp_hub.config import Loaded
    from mcp_hub.hub.catalog import Tool
    from mcp_hub.hub.downstream import Status

PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or a pipe."""

FOLLOW_EVERY = 0.2
"""Seconds between two looks at a log that is followed."""


@click.command()
@config_option
@json_option
@says_what_is_wrong
def check(config_file: Path | None, as_json: bool) -> None:
    """Connect to every server and show how each stands. Exits with 1 when one failed.

    \b
    Example:  mcp_hub check --config servers.toml
    """
    from mcp_hub import app
    from mcp_hub.hub.downstream import State
    from mcp_hub.hub.remembering import without_effect
    from mcp_hub.sandbox import confinement

    where, loaded = prepared(config_file)
    lacking = {name: reason for name, reason in confinement.features().items() if reason}

    async def connect() -> int:
        async with app.open_hub(loaded, where) as hub:
            if not app.enabled(loaded) and not as_json:
                click.echo(_nothing_configured(where, loaded))
                return OK
            async with _shown(hub, quiet=as_json):
                await connect_to_all(hub)
            statuses = _statuses(hub)
            if as_json:
                rows = {"servers": [asdict(status) for status in statuses]}
                click.echo(json.dumps(rows | ({"sandbox": lacking} if lacking else {}), indent=2))
            else:
                for status in statuses:
                    if status.error:
                        click.echo(status.error)  # whole lines: a path that is wrapped can't be copied
                for name, reason in lacking.items():
                    click.secho(f"mcp_hub: Programs run without {name}: {reason}.", fg="yellow", err=True)
            if all(status.state is State.READY for status in statuses):
                servers = hub.live.snapshot.servers.values()
                listed = [
                    ((each.key, each.name), (tool.wire_name, tool.name), tool.annotations)
                    for each in servers
                    for tool in each.tools.values()
                ]
                in_vain = [
                    text
                    for each in servers
                    for text in without_effect(each.key, hub.live.settings[each.key].cache, list(each.tools.values()))
                ]
                for warning in (*hub.live.policy.unused(listed), *in_vain):
                    click.secho(f"mcp_hub: {warning}", fg="yellow", err=True)
                return OK
            return FAILED

    sys.exit(run_to_end(connect))


@click.command()
@click.argument("query", nargs=-1)
@config_option
@json_option
@says_what_is_wrong
def tools(query: tuple[str, ...], config_file: Path | None, as_json: bool) -> None:
    """List every tool's signature; with QUERY, those that fit best.

    \b
    Example:  mcp_hub tools create an issue
    """
    from mcp_hub import app
    from mcp_hub.hub import stubs

    where, loaded = prepared(config_file)

    async def list_all() -> int:
        async with app.open_hub(loaded, where) as hub:
            if not app.enabled(loaded) and not as_json:
                click.echo(_nothing_configured(where, loaded))
                return OK
            await _connect_saying(hub)
            found = await hub.meta_tools.find(" ".join(query)) if query else list(hub.live.snapshot.tools())
            if as_json:
                rows = [
                    {
                        "server": tool.server,
                        "tool": tool.name,
                        "own_name": tool.wire_name,
                        "signature": stubs.signature(tool),
                        "denied": None if tool.decision.allowed else tool.decision.reason,
                    }
                    for tool in found
                ]
                click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
            elif query:
                click.echo("\n".join(f"{tool.server}: {stubs.line(tool)}" for tool in found))
            else:
                click.echo("\n".join(stubs.server_file(each) for each in hub.live.snapshot.servers.values()))
            return FAILED if any(server.status.error for server in hub.downstreams) else OK

    sys.exit(run_to_end(list_all))


@click.command()
@click.argument("server", required=False, shell_complete=complete_servers)
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=40, show_default=True, help="How many of the last lines."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@config_option
@says_what_is_wrong
def logs(server: str | None, lines: int, follow: bool, **_: Path | None) -> None:
    """Show what SERVER wrote on stderr; without SERVER, the hub's own log.

    \b
    Example:  mcp_hub logs github -f
    """
    where = folders(os.environ)
    path = where.server_logs / f"{server}.log" if server else where.logs / "hub.log"
    if not path.exists():
        known = complete_servers(click.get_current_context(), logs.params[0], "")
        if server is not None and server not in known:
            raise CallerError.unknown("server", server, known, f"Servers: {', '.join(known) or 'none'}.")
        click.echo(f"mcp_hub: nothing was written to {path} yet.", err=True)
        sys.exit(OK if not follow else FAILED)
    with path.open(encoding="utf-8", errors="replace") as file:
        read = file.readlines()
        at = file.tell()
    click.echo("".join(read[-lines:] if lines else []), nl=False)
    if follow:
        try:
            _follow(path, at)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _follow(path: Path, at: int) -> NoReturn:
    """Print what is added to a log from `at` on, and to the one that takes its place when it has grown large."""
    while True:
        with path.open(encoding="utf-8", errors="replace") as file:
            file.seek(at)
            while line := file.readline():
                click.echo(line, nl=False)
            at = file.tell()
            number = os.fstat(file.fileno()).st_ino
        time.sleep(FOLLOW_EVERY)
        while not path.exists():  # between the two files
            time.sleep(FOLLOW_EVERY)
        if path.stat().st_ino != number:
            at = 0


@click.group()
def policy() -> None:
    """About [policy]: which tools may be called."""


@policy.command("test")
@click.argument("tool", metavar="SERVER.TOOL")
@config_option
@json_option
@says_what_is_wrong
def policy_test(tool: str, config_file: Path | None, as_json: bool) -> None:
    """Say whether a tool may be called, and which rule decides. SERVER.TOOL may have globs. Exits with 1 when one
    is denied.

    \b
    Example:  mcp_hub policy test github.delete_repo
              mcp_hub policy test '*.delete_*'
    """
    from mcp_hub import app
    from mcp_hub.hub.policy import told_annotations

    wanted = split_tool(tool)
    where, loaded = prepared(config_file)

    async def decide() -> int:
        async with app.open_hub(loaded, where) as hub:
            found = await _tools_of(hub, *wanted)
            rows: list[dict[str, Any]] = [
                {
                    "server": each.server,
                    "tool": each.name,
                    "allowed": each.decision.allowed,
                    "reason": each.decision.reason,
                    "annotations": sorted(told_annotations(each.annotations)),
                }
                for each in found
            ]
            if as_json:
                click.echo(json.dumps(rows, indent=2))
            for row in [] if as_json else rows:
                told = ", ".join(row["annotations"])
                verdict, colour = ("allowed", "green") if row["allowed"] else ("denied", "red")
                click.echo(f"{row['server']}.{row['tool']}{f' ({told})' if told else ''} is ", nl=False)
                click.secho(verdict, fg=colour, nl=False)
                click.echo(f": {row['reason']}")
            return OK if all(row["allowed"] for row in rows) else FAILED

    sys.exit(run_to_end(decide))


async def _tools_of(hub: "Hub", server: str, tool: str) -> "list[Tool]":
    """The tool of that name, or all that globs fit. Raises CallerError when there is none."""
    if not any(c in "*?[" for c in server + tool):
        with waiting("connecting"):
            await hub.begin(connect=False)
            return [await hub.meta_tools.find_tool(server, tool)]
    await _connect_saying(hub)
    found = [
        each
        for each in hub.live.snapshot.tools()
        if fnmatchcase(each.server, server) and (fnmatchcase(each.name, tool) or fnmatchcase(each.wire_name, tool))
    ]
    if not found:
        raise CallerError(f"No tool fits {server}.{tool}. `mcp_hub tools` lists all.")
    return found


async def _connect_saying(hub: "Hub") -> None:
    """Connect to every server, saying so meanwhile, and tell which failed."""
    count = len(hub.live.settings)
    with waiting(f"connecting to {count} server{'s' if count != 1 else ''}"):
        await connect_to_all(hub)
    for server in hub.downstreams:
        if server.status.error:
            click.secho(f"mcp_hub: {server.status.error}", fg="yellow", err=True)


def _nothing_configured(where: "Folders", loaded: "Loaded") -> str:
    if loaded.files:
        return f"No server is switched on in {' or '.join(map(str, loaded.files))}."
    looked = [Path.cwd() / "servers.toml", where.config / "servers.toml"]
    return (
        f"No server is configured. Looked for {' and '.join(map(str, looked))}. `mcp_hub init` writes one, and "
        "`mcp_hub import` takes over the servers of your other MCP clients."
    )


@asynccontextmanager
async def _shown(hub: "Hub", *, quiet: bool) -> AsyncIterator[None]:
    """Show how the servers stand: live on a terminal, once at the end elsewhere."""
    if quiet:
        yield
        return
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not console.is_terminal:
        yield
        console.width = max(console.width, PLAIN_WIDTH)
        console.print(_table(hub))
        return
    with Live(console=console, get_renderable=lambda: _table(hub), refresh_per_second=8):
        yield


def _statuses(hub: "Hub") -> "list[Status]":
    """How each server stands, with the tools that an agent sees of it."""
    return [replace(server.status, tools=hub.live.count(server.name)) for server in hub.downstreams]


def _table(hub: "Hub") -> "Table":
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for title in ("server", "state", "protocol"):
        table.add_column(title, no_wrap=True)
    for title in ("tools", "seconds"):
        table.add_column(title, justify="right")
    colours = {"ready": "green", "failed": "red", "connecting": "yellow"}
    for status in _statuses(hub):
        table.add_row(
            status.name,
            Text(status.state, style=colours.get(status.state, "dim")),
            status.protocol or "",
            "" if status.tools is None else str(status.tools),
            "" if status.seconds is None else f"{status.seconds:.1f}",
        )
    return table


COMMANDS = (check, tools, logs, policy)
