"""Every command: `shared` has what they have in common, each other module a few commands that belong together.

    serve       serve: for clients
    inspect     check, tools, logs, policy: what there is, how it stands
    execute     run, call: use it without a client
    runs        runs, runs show, runs save: what agents' programs did
    sharing     a run's program as a shared script
    configure   init, add, remove, enable, disable, trust, config: write and read servers.toml
    importing   import: take over other clients' servers
    proxy       proxy, proxy env, keys, usage: the messages proxy
    cache       cache: the answers that the proxy keeps
    files       which servers.toml is read and written, and how

A command parses its arguments, calls the rest, prints. It imports what it needs when it runs: `serve` must answer
first, and the others read faster.
"""

import click

from mcp_hub import __version__
from mcp_hub.cli import cache, configure, execute, importing, inspect, proxy, runs, serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mcp_hub")
def main() -> None:
    """One MCP server in front of all the others.

    \b
    claude mcp add mcp_hub -- mcp_hub serve
    """


for _module in (serve, inspect, execute, runs, proxy, cache, configure, importing):
    for _command in _module.COMMANDS:
        main.add_command(_command)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes mcp_hub's commands, options and server names in a shell.

    \b
    Example:  mcp_hub completion bash >> ~/.bashrc
              mcp_hub completion fish > ~/.config/fish/completions/mcp_hub.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(main, {}, "mcp_hub", "_MCP_HUB_COMPLETE").source())
