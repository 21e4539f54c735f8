"""The command that clients start, or connect to: serve."""

import logging
import os
from pathlib import Path

import click

from mcp_hub.cli.shared import OK, config_option, run_to_end, says_what_is_wrong
from mcp_hub.folders import folders


@click.command()
@config_option
@click.option("--http", "address", metavar="HOST:PORT", help="Serve streamable HTTP there instead of stdio.")
@click.option(
    "--attach", is_flag=True, help="Use a running `serve --http` hub of the same configuration, if there is one."
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
    default="WARNING",
    show_default=True,
    help="What is told on stderr; the log file has INFO too.",
)
@says_what_is_wrong
def serve(config_file: Path | None, address: str | None, attach: bool, log_level: str) -> None:
    """Serve MCP: on stdin and stdout for a client that starts this command, or over HTTP.

    Over HTTP, clients send `Authorization: Bearer TOKEN`: set $MCP_HUB_TOKEN, or hub.http.tokens in servers.toml for
    several clients. Beyond loopback a token must be set.

    \b
    Example:  claude mcp add mcp_hub -- mcp_hub serve
              MCP_HUB_TOKEN=$(openssl rand -hex 32) mcp_hub serve --http 127.0.0.1:8400
              claude mcp add mcp_hub -- mcp_hub serve --attach
    """
    from mcp_hub.configuration import Configuration
    from mcp_hub.logs import log_to
    from mcp_hub.reload import stamps

    if address and attach:
        raise click.UsageError("--http and --attach exclude each other: one serves HTTP, the other uses it.")
    where = folders(os.environ)
    configuration = Configuration(config_file, where, os.environ, Path.cwd())
    seen = stamps(configuration.files)
    loaded = configuration.load()
    log_to(where, log_level)
    if loaded.untrusted:
        click.echo(f"mcp_hub: {loaded.untrusted.text}", err=True)

    async def serve_until_done() -> int:
        from mcp_hub import serving

        if address:
            from mcp_hub.hub.http import parse_address

            host, port = parse_address(address)
            await serving.serve_over_http(configuration, loaded, seen, host, port, _say_where)
        elif attach:
            await serving.serve_attached(configuration, loaded, seen)
        else:
            await serving.serve_on_stdio(configuration, loaded, seen)
        return OK

    run_to_end(serve_until_done)
    logging.shutdown()
    # Claude Code kills a server half a second after it asked it to end, and the interpreter would spend most of
    # that on freeing what it has imported.
    os._exit(OK)


def _say_where(url: str, token_needed: bool) -> None:
    click.echo(f"mcp_hub: serving at {url}", err=True)
    if not token_needed:
        click.secho(
            "mcp_hub: no token is needed: every program on this machine can call your tools. Set MCP_HUB_TOKEN.",
            fg="yellow",
            err=True,
        )


COMMANDS = (serve,)
