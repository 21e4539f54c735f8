"""The command that takes over the servers of other MCP clients: import."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_hub.cli.files import candidates, change, read, scope_option, target
from mcp_hub.cli.shared import config_option, json_option, says_what_is_wrong
from mcp_hub.errors import ConfigError
from mcp_hub.folders import at_home

if TYPE_CHECKING:
    from mcp_hub.clients import Source
    from mcp_hub.importing import Imported, Skipped


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--client", help="Whose format FILE has, such as vscode. Default: told by its name.")
@click.option("--only", multiple=True, metavar="SERVER", help="Take over this server only; may be given again.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken over, and write nothing.")
@config_option
@scope_option
@json_option
@says_what_is_wrong
def import_servers(
    files: tuple[Path, ...],
    client: str | None,
    only: tuple[str, ...],
    dry_run: bool,
    config_file: Path | None,
    scope: str | None,
    as_json: bool,
) -> None:
    """Take over the servers that other MCP clients are configured with; their own files aren't changed.

    Without FILE, the files of your user account are read: Claude Code's, Claude Desktop's, Cursor's, VS Code's, Codex
    CLI's, Gemini CLI's, Zed's. A project's file, such as .mcp.json, starts commands that somebody else chose, so it is
    read when you name it.

    \b
    Example:  mcp_hub import --dry-run
              mcp_hub import .mcp.json --scope project
    """
    from mcp_hub import edit
    from mcp_hub.importing import Skipped, read_source

    home, cwd = Path.home(), Path.cwd()
    path = target(config_file, scope or "user")
    taken = {
        name for file in candidates(config_file) if file.exists() for name in edit.server_names(read(file), path=file)
    }
    chosen: list[tuple[Imported, Source]] = []
    left: list[tuple[Skipped, Source]] = []
    for source in _sources(files, client, home, cwd):
        try:
            found, skipped = read_source(read(source.path), source, cwd=cwd, home=home)
        except ConfigError as error:
            if files:
                raise
            click.secho(f"mcp_hub: {error.text}", fg="yellow", err=True)  # the other clients' files count all the same
            continue
        left += [(each, source) for each in skipped]
        for each in found:
            reason = _reason_to_leave(each, taken, chosen, only)
            if reason is None:
                chosen.append((each, source))
            else:
                left.append((Skipped(each.name, reason), source))

    def add_all(text: str) -> str:
        for each, _ in chosen:
            text = edit.add_server(text, each.name, each.table, path=path)
        return text

    if chosen and not dry_run:
        change(path, add_all, create=True)
    if as_json:
        click.echo(json.dumps(_record(chosen, left), indent=2, ensure_ascii=False))
    else:
        _tell(chosen, left, path, dry_run=dry_run)
        if not files:
            _tell_of_projects(home, cwd)


def _sources(files: Iterable[Path], client: str | None, home: Path, cwd: Path) -> "list[Source]":
    from mcp_hub.clients import CLIENTS, Source, known_sources

    if client is not None and client not in CLIENTS:
        raise click.BadParameter(f"there is no client {client!r}; known are {', '.join(CLIENTS)}.")
    known = known_sources(home, cwd, sys.platform)
    if not files:
        return [
            each for each in known if each.scope != "project" and each.path.exists() and client in (None, each.client)
        ]
    named = []
    for file in files:
        whole = cwd / at_home(file)
        same = next((each for each in known if each.path == whole), None)
        alike = next((each for each in known if each.path.parts[-2:] == whole.parts[-2:]), None)
        kind = client or (same or alike or known[0]).client
        if client is None and not (same or alike) and whole.suffix == ".toml":
            kind = "codex"
        named.append(Source(kind, whole, same.scope if same else "project"))
    return named


def _reason_to_leave(
    server: "Imported", taken: set[str], chosen: "list[tuple[Imported, Source]]", only: tuple[str, ...]
) -> str | None:
    from mcp_hub.names import server_identifier

    if only and server.name not in only:
        return "it wasn't asked for (--only)"
    spelled = server_identifier(server.name).lower()
    if spelled in {server_identifier(name).lower() for name in taken}:
        return "servers.toml has a server of this name already"
    for other, source in chosen:
        if server_identifier(other.name).lower() == spelled:
            same = "the same server" if other.table == server.table else "another server of this name"
            return f"{same} was taken from {source.path}"
    return None


def _record(
    chosen: "list[tuple[Imported, Source]]", left: "list[tuple[Skipped, Source]]"
) -> dict[str, list[dict[str, Any]]]:
    """What a program reads: names, notes and reasons, and no value that may be a secret."""
    return {
        "imported": [
            {"name": each.name, "notes": list(each.notes), "client": source.client, "file": str(source.path)}
            for each, source in chosen
        ],
        "left": [
            {"name": each.name, "reason": each.reason, "client": source.client, "file": str(source.path)}
            for each, source in left
        ],
    }


def _tell(
    chosen: "list[tuple[Imported, Source]]", left: "list[tuple[Skipped, Source]]", path: Path, *, dry_run: bool
) -> None:
    from mcp_hub.config import visible

    if not chosen and not left:
        click.echo("No other client has a server that could be taken over.")
        return
    for source in dict.fromkeys(source for _, source in (*chosen, *left)):
        click.echo(f"{source.label}, {source.path}:")
        for each in (each for each, its in chosen if its == source):
            click.secho(f"  {each.name}", fg="green", nl=False)
            click.echo(f"  {visible(each.table.get('url') or ' '.join(each.table['command']))}")
            for note in each.notes:
                click.echo(f"    {note}")
        for out in (each for each, its in left if its == source):
            click.secho(f"  {out.name}", fg="yellow", nl=False)
            click.echo(f"  left out: {out.reason}")
    count = f"{len(chosen)} server{'s' if len(chosen) != 1 else ''}"
    if dry_run or not chosen:
        click.echo(f"{count} would be added to {path}." if dry_run else "Nothing was added.")
    else:
        click.echo(f"{count} added to {path}. `mcp_hub check` connects to all; take them out of the clients yourself.")


def _tell_of_projects(home: Path, cwd: Path) -> None:
    from mcp_hub.clients import known_sources

    for source in known_sources(home, cwd, sys.platform):
        if source.scope == "project" and source.path.exists():
            click.echo(f"Not read, because the project brings it along: mcp_hub import {source.path.relative_to(cwd)}")


COMMANDS = (import_servers,)
