"""Commands that show what agents' programs did: runs, runs show, runs save."""

import json
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_hub.cli.shared import OK, config_option, json_option, prepared, says_what_is_wrong
from mcp_hub.errors import CallerError, ConfigError, HubError
from mcp_hub.folders import folders

if TYPE_CHECKING:
    from rich.table import Table

    from mcp_hub.store.runs import RecordedCall, Run, RunReader, RunSummary

PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or a pipe."""

NEWEST = "last"
"""In place of a run's ID: the newest."""

TIME = "%Y-%m-%d %H:%M:%S"

COLOURS = {"ok": "green", "reused": "green", "failed": "red", "running": "yellow", "unknown": "red"}

SCRIPT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

NOTHING_YET = "No program was run yet. Agents' programs are listed here, with each call that they made."


@click.group(invoke_without_command=True)
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first."
)
@json_option
@click.pass_context
@says_what_is_wrong
def runs(context: click.Context, limit: int, as_json: bool) -> None:
    """List the programs that agents ran, newest first.

    \b
    Example:  mcp_hub runs --limit 50
              mcp_hub runs show last
    """
    if context.invoked_subcommand is not None:
        return
    with _journal() as journal:
        listed = journal.runs(limit) if journal is not None else []
    if as_json:
        click.echo(json.dumps([_plain(each) for each in listed], indent=2, ensure_ascii=False))
    elif not listed:
        click.echo(NOTHING_YET)
    else:
        _print(_runs_table(listed))
    sys.exit(OK)


@runs.command()
@click.argument("run_id", metavar="ID")
@json_option
@says_what_is_wrong
def show(run_id: str, as_json: bool) -> None:
    """Show a run: its program, each call, what it printed and answered.

    ID may be the first characters of one, if they fit no other run, or "last".

    \b
    Example:  mcp_hub runs show last
    """
    with _journal() as journal:
        run = _found(journal, run_id)
        assert journal is not None
        calls = journal.calls(run.id)
    if as_json:
        record = {**_plain(run), "calls": [_plain_call(call, run) for call in calls]}
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        _tell(run, calls)
    sys.exit(OK)


@runs.command()
@click.argument("run_id", metavar="RUN")
@click.argument("name")
@click.option("--force", is_flag=True, help="Replace a script of that name.")
@config_option
@says_what_is_wrong
def save(run_id: str, name: str, force: bool, config_file: Path | None) -> None:
    """Save a run's program as the shared script NAME, in the folder that [hub] scripts names.

    A shared script runs nothing when it is loaded: the program's functions stay, the rest goes into main().

    \b
    Example:  mcp_hub runs save last triage
    """
    from mcp_hub.cli.sharing import as_shared_script
    from mcp_hub.hub.redaction import REDACTED

    name = name.removesuffix(".star")
    if not SCRIPT_NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r} must be a name such as triage: a letter, then letters, digits, '_', '-'.")
    _, loaded = prepared(config_file)
    if loaded.settings.hub.scripts is None:
        raise ConfigError('No folder of shared scripts is set. Name one in servers.toml: [hub] scripts = "scripts".')
    with _journal() as journal:
        run = _found(journal, run_id)
    header = f"# Saved from run {run.id} of {run.started.astimezone():%Y-%m-%d}. Read it before you share it."
    shared = as_shared_script(run.code, header)
    path = Path(loaded.settings.hub.scripts) / f"{name}.star"
    _write(path, shared.text, force=force)
    click.echo(f"Wrote {path}. A model wrote this program: read it before you share it.")
    if REDACTED in shared.text:
        click.secho(
            f"mcp_hub: it holds {REDACTED} where a secret was; take a parameter instead.", fg="yellow", err=True
        )
    click.echo(f'A program uses it so:  load("scripts/{name}.star", "{shared.function}")')
    sys.exit(OK)


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write a new file; with `force`, in place of one that is there. Raises ConfigError, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if force:
        path.unlink(missing_ok=True)  # a link's target stays as it was
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError("is there already; --force replaces it.", file=str(path)) from None


@contextmanager
def _journal() -> "Iterator[RunReader | None]":
    """The journal; None when no hub has kept anything yet. Raises HubError when it can't be read."""
    from mcp_hub.store.database import FILE_NAME, open_database
    from mcp_hub.store.runs import RunReader

    state = folders(os.environ).state
    if not (state / FILE_NAME).exists():
        yield None
        return
    try:
        db = open_database(state)
        try:
            yield RunReader(db)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise HubError(f"The journal in {state / FILE_NAME} can't be read: {error}.") from None


def _found(journal: "RunReader | None", run_id: str) -> "Run":
    """The run that is meant. Raises CallerError when it is none, or several."""
    if journal is None:
        raise CallerError(NOTHING_YET)
    if run_id == NEWEST:
        matching = [each.id for each in journal.runs(1)]
        if not matching:
            raise CallerError(NOTHING_YET)
    else:
        matching = journal.matching(run_id.lower())
        matching = [run_id] if run_id in matching else matching
    if len(matching) > 1:
        raise CallerError(f"{run_id!r} fits several runs: {', '.join(matching[:5])}. Give more of the ID.")
    run = journal.run(matching[0]) if matching else None
    if run is None:
        raise CallerError(f"There is no run {run_id!r}. `mcp_hub runs` lists them; old ones are forgotten.")
    return run


def _plain(run: "RunSummary") -> dict[str, Any]:
    return {**asdict(run), "started": run.started.isoformat()}


def _plain_call(call: "RecordedCall", run: "Run") -> dict[str, Any]:
    """A call as JSON shows it: what it gave may be large and isn't shown."""
    fields = {name: value for name, value in asdict(call).items() if name not in ("result", "has_result", "key")}
    return {**fields, "outcome": _outcome(call, run), "result_kept": call.has_result}


def _outcome(call: "RecordedCall", run: "Run") -> str:
    """A call without an end in a run that isn't going on: nobody knows."""
    return "unknown" if call.outcome == "started" and run.status != "running" else str(call.outcome)


def _tell(run: "Run", calls: "list[RecordedCall]") -> None:
    click.echo(f"run {run.id}, started {run.started.astimezone():{TIME}} by {_shown(run.owner)}: ", nl=False)
    click.secho(run.status, fg=COLOURS.get(run.status), nl=False)
    facts = [f"{run.calls} call{'s' if run.calls != 1 else ''}"]
    facts += [f"{run.seconds:.2f} s"] if run.seconds is not None else []
    facts += [f"{run.steps:,} steps"] if run.steps is not None else []
    facts += [f"resumed {run.resumed}"] if run.resumed else []
    click.echo(f" ({', '.join(facts)})\n")
    lines = run.code.splitlines()
    width = len(str(len(lines)))
    for number, line in enumerate(lines, start=1):
        click.echo(f"{number:>{width}}  {_shown(line)}".rstrip())
    if calls:
        _print(_calls_table(run, calls))
    for call in calls:
        if call.error:
            click.echo(f"call {call.number}, {_shown(f'{call.server}.{call.tool}')}: {_shown(call.error)}")
    for title, text in (("printed", run.log), ("error", run.error), ("answer", run.answer)):
        if text:
            kind = f" ({run.error_kind})" if title == "error" and run.error_kind else ""
            click.echo(f"\n{title}{kind}:\n{_shown(text.rstrip())}")
    for call in calls:
        if _outcome(call, run) == "unknown" and not call.read_only:
            click.echo(f"\n{_what_to_do(run, call)}")


def _what_to_do(run: "Run", call: "RecordedCall") -> str:
    return (
        f"Nobody knows whether call {call.number}, {_shown(f'{call.server}.{call.tool}')}, was done: its answer never "
        f'came. Look there first. Then resume the run: executeToolCode(code, resume="{run.id} skip") takes it as done, '
        f'resume="{run.id} retry" calls it again.'
    )


def _shown(text: str) -> str:
    """A text of one or several lines, with what a terminal would act on escaped."""
    from mcp_hub.config import visible

    return "\n".join(visible(line.expandtabs(4)) for line in text.splitlines())


def _runs_table(listed: "list[RunSummary]") -> "Table":
    from rich.text import Text

    table = _table("id", "started", "client", "status", right=("calls", "seconds"), wide="program")
    for run in listed:
        first = next((line.strip() for line in run.code.splitlines() if line.strip()), "")
        table.add_row(
            run.id,
            f"{run.started.astimezone():{TIME}}",
            Text(_shown(run.owner)),
            Text(run.status, style=COLOURS.get(run.status, "")),
            str(run.calls),
            "" if run.seconds is None else f"{run.seconds:.2f}",
            Text(_shown(first)),
        )
    return table


def _calls_table(run: "Run", calls: "list[RecordedCall]") -> "Table":
    from rich.text import Text

    table = _table("call", "tool", "outcome", right=("seconds", "bytes"), wide="arguments")
    for call in calls:
        outcome = _outcome(call, run)
        table.add_row(
            str(call.number),
            Text(_shown(f"{call.server}.{call.tool}")),
            Text(outcome, style=COLOURS.get(outcome, "")),
            "" if call.seconds is None else f"{call.seconds:.3f}",
            "" if call.bytes is None else f"{call.bytes:,}",
            Text(_shown(call.arguments)),
        )
    return table


def _table(*titles: str, right: tuple[str, ...], wide: str) -> "Table":
    """A table; what is wide stands last and is cut rather than wrapped."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, pad_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    for title in right:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(wide, no_wrap=True, overflow="ellipsis")
    return table


def _print(table: "Table") -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(table)


COMMANDS = (runs,)
