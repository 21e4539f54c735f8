"""Commands that use the servers without a client: run a program, call one tool."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from mcp_hub.cli.shared import (
    FAILED,
    OK,
    complete_servers,
    config_option,
    json_option,
    prepared,
    run_to_end,
    says_what_is_wrong,
    split_tool,
    waiting,
)
from mcp_hub.errors import ConfigError

if TYPE_CHECKING:
    from mcp_hub.hub.catalog import Tool


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--resume", metavar="RUN", help="Go on from a run: what succeeded in it isn't called again.")
@config_option
@json_option
@says_what_is_wrong
def run(file: TextIO, resume: str | None, config_file: Path | None, as_json: bool) -> None:
    """Run a program, from FILE or - for stdin, as an agent's executeToolCode would.

    The result goes to stdout, what the program printed to stderr. RUN is the id of a run, as `mcp_hub runs` lists
    them, or "RUN retry" or "RUN skip" when it has calls of which nobody knows the outcome.

    \b
    Example:  echo 'result = orders.late_orders()' | mcp_hub run -
    """
    from mcp_hub import app
    from mcp_hub.hub.journal import LOCAL

    where, loaded = prepared(config_file)
    try:
        code = file.read()
    except UnicodeDecodeError:
        raise ConfigError("isn't UTF-8; save the file as UTF-8.", file=file.name) from None

    async def run_it() -> int:
        async with app.open_hub(loaded, where) as hub:
            with waiting("running"):
                await hub.begin(connect=False)
                executed = await hub.programs.execute(code, LOCAL, resume)
        done = executed.run
        if as_json:
            error = {"kind": type(done.error).__name__, "text": done.error.text} if done.error else None
            record = {"run": executed.run_id, "result": done.value, "error": error, "printed": done.log}
            click.echo(json.dumps({**record, "calls": done.calls}, ensure_ascii=False))
        else:
            click.echo(done.log, nl=False, err=True)
            if done.error:
                click.secho(executed.text, fg="red", err=True)
                return FAILED
            click.echo(_readable(done.value))
        return FAILED if done.error else OK

    sys.exit(run_to_end(run_it))


@click.command()
@click.argument("tool", metavar="SERVER.TOOL", shell_complete=complete_servers)
@click.option(
    "--arg",
    "-a",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument: text, or JSON where the tool takes no text.",
)
@click.option("--args", "whole", metavar="JSON", help="All arguments as a JSON object; - reads it from stdin.")
@config_option
@json_option
@says_what_is_wrong
def call(tool: str, pairs: tuple[str, ...], whole: str | None, config_file: Path | None, as_json: bool) -> None:
    """Call one tool and print its answer. Policy and validation are those of a program's calls.

    \b
    Example:  mcp_hub call github.list_issues --arg owner=a --arg repo=b
              mcp_hub call github.list_issues --args '{"owner": "a", "repo": "b"}' --json
    """
    from mcp_hub import app

    server, name = split_tool(tool)
    given = _whole(whole)
    texts = dict(_pair(pair) for pair in pairs)
    where, loaded = prepared(config_file)

    async def call_it() -> int:
        async with app.open_hub(loaded, where) as hub:
            with waiting(f"calling {tool}"):
                await hub.begin(connect=False)
                if (settings := loaded.settings.servers.get(server)) and not settings.enabled:
                    raise ConfigError(
                        f"The server {server!r} is switched off; `mcp_hub enable {server}` switches it on."
                    )
                found = await hub.meta_tools.find_tool(server, name)
                arguments = {**given, **{key: typed(found, key, text) for key, text in texts.items()}}
                value = await hub.calls.call(found.server, found.name, [], arguments)
        click.echo(json.dumps(value, ensure_ascii=False) if as_json else _readable(value))
        return OK

    sys.exit(run_to_end(call_it))


def _whole(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"--args isn't JSON: {error}.") from None
    if not isinstance(value, dict):
        raise click.BadParameter('--args must be a JSON object, such as {"owner": "a"}.')
    return value


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"--arg {text!r} must be NAME=VALUE.")
    return name, value


def typed(tool: "Tool", name: str, text: str) -> Any:
    """A value as its parameter takes it: text as it is where text is taken, else the JSON that it is, if it is."""
    from mcp_hub.hub.types import type_of

    parameter = next((each for each in tool.parameters if name in (each.name, each.wire_name)), None)
    kinds = type_of(parameter.schema, tool.input_schema).split(" | ") if parameter else ["Any"]
    takes_text = any(kind == "str" or kind.startswith('Literal["') for kind in kinds)
    if takes_text and not (text == "null" and "None" in kinds):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _readable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


COMMANDS = (run, call)
