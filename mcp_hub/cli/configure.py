"""Commands that write and read servers.toml: init, add, remove, enable, disable, trust, config."""

import json
import re
from pathlib import Path

import click

from mcp_hub.cli.files import change, holding, read_bytes, scope_option, target, trust_store, write
from mcp_hub.cli.shared import complete_servers, config_option, says_what_is_wrong
from mcp_hub.errors import ConfigError

server_argument = click.argument("name", metavar="SERVER", shell_complete=complete_servers)


@click.command()
@config_option
@scope_option
@says_what_is_wrong
def init(config_file: Path | None, scope: str | None) -> None:
    """Write a servers.toml to start from: examples to fill in, each explained. An existing file is left alone.

    \b
    Example:  mcp_hub init
              mcp_hub init --scope project
    """
    from mcp_hub.edit import STARTER

    path = target(config_file, scope)
    if path.exists():
        raise ConfigError("is there already; edit it, or use `mcp_hub add`.", file=str(path))
    write(path, STARTER, trusted=True)
    click.echo(f"{path} was written. Add servers in it, or with `mcp_hub add` and `mcp_hub import`.")


@click.command()
@server_argument
@click.argument("what", nargs=-1, required=True, type=click.UNPROCESSED, metavar="URL | -- COMMAND [ARGUMENT]...")
@click.option("--env", "-e", "pairs", multiple=True, metavar="NAME=VALUE", help="A variable for the command.")
@click.option("--header", "-H", "headers", multiple=True, metavar="'NAME: VALUE'", help="An HTTP header for the URL.")
@click.option("--cwd", help="The command's working directory, relative to the folder of servers.toml.")
@click.option("--description", help="What the server is for, in a line, as the agent reads it.")
@click.option("--timeout", type=float, help="Seconds for a connection, and for one tool call.")
@config_option
@scope_option
@says_what_is_wrong
def add(
    name: str,
    what: tuple[str, ...],
    pairs: tuple[str, ...],
    headers: tuple[str, ...],
    cwd: str | None,
    description: str | None,
    timeout: float | None,
    config_file: Path | None,
    scope: str | None,
) -> None:
    """Add a server to servers.toml: the URL of an HTTP server, or after -- the command of a stdio server.

    Write ${NAME} for a secret, in single quotes, and the hub takes it from its environment.

    \b
    Example:  mcp_hub add files -- npx -y @modelcontextprotocol/server-filesystem ~/notes
              mcp_hub add search https://search.example.com/mcp -H 'Authorization: Bearer ${SEARCH_TOKEN}'
    """
    from mcp_hub.edit import add_server

    is_url = len(what) == 1 and bool(re.match(r"[a-z][a-z0-9+.-]*://", what[0], re.IGNORECASE))
    table = {
        "url" if is_url else "command": what[0] if is_url else list(what),
        "env": dict(_split(pair, "=", "--env") for pair in pairs),
        "headers": dict(_split(header, ":", "--header") for header in headers),
        "cwd": cwd,
        "description": description,
        "timeout": timeout,
    }
    path = target(config_file, scope)
    change(
        path,
        lambda text: add_server(text, name, {k: v for k, v in table.items() if v not in (None, {})}, path=path),
        create=True,
    )
    click.echo(f"{name} was added to {path}. `mcp_hub check` connects to it.")


@click.command()
@server_argument
@config_option
@says_what_is_wrong
def remove(name: str, config_file: Path | None) -> None:
    """Take a server out of servers.toml.

    \b
    Example:  mcp_hub remove github
    """
    from mcp_hub.edit import remove_server

    path = holding(name, config_file)
    change(path, lambda text: remove_server(text, name, path=path))
    click.echo(f"{name} was taken out of {path}.")


@click.command()
@server_argument
@config_option
@says_what_is_wrong
def enable(name: str, config_file: Path | None) -> None:
    """Switch a server on.

    \b
    Example:  mcp_hub enable github
    """
    _switch(name, True, config_file)


@click.command()
@server_argument
@config_option
@says_what_is_wrong
def disable(name: str, config_file: Path | None) -> None:
    """Switch a server off; it stays in servers.toml.

    \b
    Example:  mcp_hub disable github
    """
    _switch(name, False, config_file)


def _switch(name: str, on: bool, config_file: Path | None) -> None:
    from mcp_hub.edit import switch_server

    path = holding(name, config_file)
    change(path, lambda text: switch_server(text, name, on, path=path))
    click.echo(f"{name} is switched {'on' if on else 'off'} in {path}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("servers.toml"))
@says_what_is_wrong
def trust(file: Path) -> None:
    """Trust a servers.toml as it is now, so that it is used when it is found in the working directory.

    It starts commands on this machine: read it first. A changed file must be trusted again.

    \b
    Example:  mcp_hub trust ./servers.toml
    """
    from mcp_hub.config import started_by

    content = read_bytes(file)
    servers = started_by(content, file)
    trust_store().trust(file, content)
    click.echo(f"{file.resolve()} is trusted as it is now. It starts or connects to{':' if servers else ' nothing.'}")
    width = max((len(name) for name in servers), default=0)
    for name, what in servers.items():
        click.echo(f"  {name:<{width}}  {what}")


@click.group()
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


def _split(text: str, at: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(at)
    if not found or not name.strip():
        raise click.BadParameter(f"{option} {text!r} must be NAME{at}VALUE.")
    return name.strip(), value.strip() if at == ":" else value


COMMANDS = (init, add, remove, enable, disable, trust, config)
