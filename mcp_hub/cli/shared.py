"""What the commands have in common: options, exit statuses, errors as text, signals, a word while one waits."""

import functools
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click

from mcp_hub.errors import ConfigError, HubError
from mcp_hub.folders import Folders, folders

if TYPE_CHECKING:
    from mcp_hub.app import Hub
    from mcp_hub.config import Loaded

OK, FAILED, UNUSABLE = 0, 1, 2
"""Exit statuses: it worked; it ran and something failed; it couldn't run as it was called or configured."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the signal's number."""

WIDTH = 160
"""Characters of a table where there is no terminal."""

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The servers.toml to use. Without it: $MCP_HUB_CONFIG, else ./servers.toml over the user's.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def says_what_is_wrong(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a HubError into its text on stderr and an exit status."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except HubError as error:
            click.secho(f"mcp_hub: {error.text}", fg="red", err=True)
            sys.exit(UNUSABLE if isinstance(error, ConfigError) else FAILED)
        except BrokenPipeError:  # whoever read this has gone, as `| head` does: nobody is left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        except (OSError, UnicodeDecodeError) as error:  # a folder that can't be written, a file that isn't text
            click.secho(f"mcp_hub: {error}", fg="red", err=True)
            sys.exit(UNUSABLE)

    return wrapped


def run_to_end(main: Callable[[], Awaitable[int]]) -> int:
    """Run a command's coroutine; SIGINT and SIGTERM end it in order, so that no child is left behind."""

    status = OK
    failure: Exception | None = None

    async def until_signalled() -> None:
        nonlocal status, failure
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, tasks.cancel_scope)
            try:
                status = await main()
            except* (HubError, OSError) as group:
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


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def prepared(config_file: Path | None) -> "tuple[Folders, Loaded]":
    """The folders and the settings in force; the log is set up, an untrusted file is told. Raises ConfigError."""
    from mcp_hub.configuration import Configuration
    from mcp_hub.logs import log_to

    where = folders(os.environ)
    loaded = Configuration(config_file, where, os.environ, Path.cwd()).load()
    log_to(where, "ERROR")
    if loaded.untrusted:
        click.secho(f"mcp_hub: {loaded.untrusted.text}", fg="yellow", err=True)
    return where, loaded


async def connect_to_all(hub: "Hub") -> None:
    """Set a hub going and wait until each of its servers has connected or failed."""
    from mcp_hub import app

    await hub.begin()
    await hub.downstreams.settle(list(app.enabled(hub.loaded)), app.longest_timeout(hub.loaded))


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say on a terminal what is going on."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what) if console.is_terminal else nullcontext():
        yield


def split_tool(text: str) -> tuple[str, str]:
    """SERVER.TOOL -> both. Raises click.BadParameter."""
    server, _, tool = text.partition(".")
    if not server or not tool:
        raise click.BadParameter(f"{text!r} must be SERVER.TOOL, such as github.list_issues.")
    return server, tool


def complete_servers(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """For shell completion: the names of the servers in the files that count, whether or not they are trusted."""
    from mcp_hub.config import candidate_files, started_by

    where = folders(os.environ)
    names: list[str] = []
    for file in candidate_files(context.params.get("config_file"), os.environ, Path.cwd(), where.config):
        try:
            names += started_by(file.read_bytes(), file)
        except (OSError, HubError):  # a completion that can't be made is none
            continue
    return sorted({name for name in names if name.startswith(incomplete)})


def proxy_database() -> Path:
    """The file of the database that the proxy keeps things in, made if there was none. Raises ConfigError."""
    from mcp_hub.store.database import database_file

    state = folders(os.environ).state
    try:
        return database_file(state)
    except sqlite3.Error as error:
        raise ConfigError(f"The database in {state} can't be used: {error}.") from None


def print_table(heads: Sequence[str], lines: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """Print a table; the columns of the heads in `numbers` are flush right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for head in heads:
        table.add_column(head, justify="right" if head in numbers else "left")
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
