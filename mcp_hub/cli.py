"""Every command: parses its arguments, calls the rest, prints."""

import functools
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import anyio
import click

from mcp_hub import __version__
from mcp_hub.errors import ConfigError, HubError

if TYPE_CHECKING:  # a command imports what it needs: `serve` must answer first and the others read faster
    from rich.table import Table

    from mcp_hub.app import Folders, Hub
    from mcp_hub.config import Loaded
    from mcp_hub.hub.downstream import Status

PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or a pipe."""

OK, FAILED, UNUSABLE = 0, 1, 2
"""Exit statuses: it worked; it ran and something failed; it couldn't run as it was called or configured."""

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The servers.toml to use. Without it: $MCP_HUB_CONFIG, else ./servers.toml over the user's.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def _says_what_is_wrong(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a HubError into its text on stderr and an exit status."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except HubError as error:
            click.secho(f"mcp_hub: {error.text}", fg="red", err=True)
            sys.exit(UNUSABLE if isinstance(error, ConfigError) else FAILED)
        except (OSError, UnicodeDecodeError) as error:  # a folder that can't be written, a file that isn't text
            click.secho(f"mcp_hub: {error}", fg="red", err=True)
            sys.exit(UNUSABLE)

    return wrapped


def _run(main: Callable[[], Awaitable[int]]) -> int:
    """Run a command's coroutine; SIGINT and SIGTERM end it in order, so that no child is left behind."""

    status = OK
    failure: HubError | None = None

    async def until_signalled() -> None:
        nonlocal status, failure
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, tasks.cancel_scope)
            try:
                status = await main()
            except* HubError as group:
                failure = _first(group)
            tasks.cancel_scope.cancel()

    async def listen(work: anyio.CancelScope) -> None:
        nonlocal status
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                status = 128 + number
                work.cancel()

    anyio.run(until_signalled)
    if failure is not None:
        raise failure
    return status


def _first(group: ExceptionGroup[HubError]) -> HubError:
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HubError)
    return error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mcp_hub")
def main() -> None:
    """One MCP server in front of all the others.

    \b
    claude mcp add mcp_hub -- mcp_hub serve
    """


@main.command()
@config_option
@click.option("--log-level", type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]), default="WARNING")
@_says_what_is_wrong
def serve(config_file: Path | None, log_level: str) -> None:
    """Serve MCP on stdin and stdout, for a client that starts this command.

    \b
    Example:  claude mcp add mcp_hub -- mcp_hub serve
    """
    from mcp_hub import app

    where = app.folders(os.environ)
    loaded = app.load_settings(config_file, where, os.environ)
    app.log_to(where, log_level)
    if loaded.untrusted:
        click.echo(f"mcp_hub: {loaded.untrusted.text}", err=True)

    async def serve_until_done() -> int:
        await app.serve_stdio(loaded, where)
        return OK

    _run(serve_until_done)
    logging.shutdown()
    # Claude Code kills a server half a second after it asked it to end, and the interpreter would spend most of
    # that on freeing what it has imported.
    os._exit(OK)


@main.command()
@config_option
@json_option
@_says_what_is_wrong
def check(config_file: Path | None, as_json: bool) -> None:
    """Connect to every server and show how each stands. Exits with 1 when one failed.

    \b
    Example:  mcp_hub check --config servers.toml
    """
    from mcp_hub import app
    from mcp_hub.hub.downstream import State

    where, loaded = _prepared(config_file)

    async def connect_to_all() -> int:
        async with app.open_hub(loaded, where) as hub:
            names = list(app.enabled(loaded))
            if not names and not as_json:
                click.echo(_nothing_configured(where, loaded))
                return OK
            async with _shown(hub, quiet=as_json):
                await hub.begin()
                await hub.downstreams.settle(names, app.longest_timeout(loaded))
            statuses = _statuses(hub)
            if as_json:
                click.echo(json.dumps([asdict(status) for status in statuses], indent=2))
            else:
                for status in statuses:
                    if status.error:
                        click.echo(status.error)  # whole lines: a path that is wrapped can't be copied
            return OK if all(status.state is State.READY for status in statuses) else FAILED

    sys.exit(_run(connect_to_all))


@main.command()
@click.argument("query", nargs=-1)
@config_option
@json_option
@_says_what_is_wrong
def tools(query: tuple[str, ...], config_file: Path | None, as_json: bool) -> None:
    """List every tool's signature; with QUERY, those that fit best.

    \b
    Example:  mcp_hub tools create an issue
    """
    from mcp_hub import app
    from mcp_hub.hub import stubs

    where, loaded = _prepared(config_file)

    async def list_all() -> int:
        async with app.open_hub(loaded, where) as hub:
            names = list(app.enabled(loaded))
            with _waiting(f"connecting to {len(names)} server{'s' if len(names) != 1 else ''}"):
                await hub.begin()
                await hub.downstreams.settle(names, app.longest_timeout(loaded))
            for server in hub.downstreams:
                if server.status.error:
                    click.secho(f"mcp_hub: {server.status.error}", fg="yellow", err=True)
            found = await hub.meta_tools.find(" ".join(query)) if query else list(hub.live.snapshot.tools())
            if as_json:
                rows = [
                    {
                        "server": tool.server,
                        "tool": tool.name,
                        "own_name": tool.wire_name,
                        "signature": stubs.signature(tool),
                    }
                    for tool in found
                ]
                click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
            elif query:
                click.echo("\n".join(f"{tool.server}: {stubs.line(tool)}" for tool in found))
            else:
                click.echo("\n".join(stubs.server_file(each) for each in hub.live.snapshot.servers.values()))
            return FAILED if any(server.status.error for server in hub.downstreams) else OK

    sys.exit(_run(list_all))


@main.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@config_option
@json_option
@_says_what_is_wrong
def run(file: TextIO, config_file: Path | None, as_json: bool) -> None:
    """Run a program, from FILE or - for stdin, as an agent's executeToolCode would.

    The result goes to stdout, what the program printed to stderr.

    \b
    Example:  echo 'result = orders.late_orders()' | mcp_hub run -
    """
    from mcp_hub import app

    where, loaded = _prepared(config_file)
    try:
        code = file.read()
    except UnicodeDecodeError:
        raise ConfigError("isn't UTF-8; save the file as UTF-8.", file=file.name) from None

    async def run_it() -> int:
        async with app.open_hub(loaded, where) as hub:
            with _waiting("running"):
                await hub.begin(connect=False)
                done = await hub.meta_tools.execute(code)
        if as_json:
            error = {"kind": type(done.error).__name__, "text": done.error.text} if done.error else None
            record = {"result": done.value, "error": error, "printed": done.log, "calls": done.calls}
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo(done.log, nl=False, err=True)
            if done.error:
                click.secho(done.error.text.rstrip(), fg="red", err=True)
                return FAILED
            text = done.value if isinstance(done.value, str) else json.dumps(done.value, indent=2, ensure_ascii=False)
            click.echo(text)
        return FAILED if done.error else OK

    sys.exit(_run(run_it))


@main.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("servers.toml"))
@_says_what_is_wrong
def trust(file: Path) -> None:
    """Trust a servers.toml as it is now, so that it is used when it is found in the working directory.

    It starts commands on this machine: read it first. A changed file must be trusted again.

    \b
    Example:  mcp_hub trust ./servers.toml
    """
    from mcp_hub import app
    from mcp_hub.config import started_by
    from mcp_hub.store.trust import TrustStore

    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't be read: {os.strerror(error.errno or 0)}.", file=str(file)) from None
    servers = started_by(content, file)
    TrustStore(app.folders(os.environ).state).trust(file, content)
    click.echo(f"{file.resolve()} is trusted as it is now. It starts or connects to{':' if servers else ' nothing.'}")
    width = max((len(name) for name in servers), default=0)
    for name, what in servers.items():
        click.echo(f"  {name:<{width}}  {what}")


@main.group()
def config() -> None:
    """About servers.toml."""


@config.command()
def schema() -> None:
    """Print the JSON Schema of servers.toml, for an editor that completes it.

    \b
    Example:  mcp_hub config schema > servers.schema.json
    """
    from mcp_hub.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def _prepared(config_file: Path | None) -> "tuple[Folders, Loaded]":
    from mcp_hub import app

    where = app.folders(os.environ)
    loaded = app.load_settings(config_file, where, os.environ)
    app.log_to(where, "ERROR")
    if loaded.untrusted:
        click.secho(f"mcp_hub: {loaded.untrusted.text}", fg="yellow", err=True)
    return where, loaded


def _nothing_configured(where: "Folders", loaded: "Loaded") -> str:
    if loaded.files:
        return f"No server is switched on in {' or '.join(map(str, loaded.files))}."
    looked = [Path.cwd() / "servers.toml", where.config / "servers.toml"]
    return f"No server is configured. Looked for {' and '.join(map(str, looked))}."


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Say on a terminal what is going on."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what) if console.is_terminal else nullcontext():
        yield


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
