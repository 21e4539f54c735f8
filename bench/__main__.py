"""The graded benchmark's command: `python -m bench [--round N] [--task NAME] [--fresh] [--live MODEL] [--json]`.

Installs the real servers, checks that the rounds have the tools that they should, plays every task in every round and
mode, and writes bench/results/graded.json, the report beside it and its pictures. With --live, a real model does the
tasks instead of the plans, by the Messages API and the key in ANTHROPIC_API_KEY. Method and limits: bench/README.md.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import click
from anthropic import AnthropicError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import servers
from bench.graded import document, live, report, runs
from bench.graded.live import Tried
from bench.graded.modes import Mode
from bench.graded.runs import Kept, Place
from bench.graded.tasks import TASKS
from bench.processes import ROOT, BenchError
from bench.running import load

RESULTS = ROOT / "bench" / "results"


@click.command(help=__doc__)
@click.option("--round", "sizes", type=click.Choice([str(size) for size in servers.SIZES]), multiple=True)
@click.option("--task", "names", multiple=True, help="Only this task; a part of the benchmark isn't written.")
@click.option("--fresh", is_flag=True, help="Play everything anew, also what an earlier run has played.")
@click.option("--live", "model", metavar="MODEL", help="Let this model do the tasks.")
@click.option(
    "--mode", "modes", type=click.Choice([Mode.DIRECT, Mode.HUB]), multiple=True, help="Of --live: only this."
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="--live: tries of a task.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON instead of the report.")
@click.option("--root", type=click.Path(path_type=Path), default=servers.FOLDER, help="Where servers are installed.")
def main(
    sizes: tuple[str, ...],
    names: tuple[str, ...],
    fresh: bool,
    model: str | None,
    modes: tuple[Mode, ...],
    repeats: int,
    as_json: bool,
    root: Path,
) -> None:
    """Run the benchmark; exits with 1 if a task's end was wrong through the hub, or a server is missing."""
    tasks = [task for task in TASKS if not names or task.name in names]
    if unknown := set(names) - {task.name for task in TASKS}:
        raise click.UsageError(f"there is no task {', '.join(sorted(unknown))}")
    rounds = [int(size) for size in sizes] or list(servers.SIZES)
    try:
        if model is not None:
            found = _live(rounds, tasks, root.resolve(), model, modes or (Mode.DIRECT, Mode.HUB), repeats)
            print(json.dumps(found, indent=1) if as_json else live.text(found))
            return
        results = _run(rounds, tasks, root.resolve(), fresh)
    except AnthropicError as error:
        raise click.ClickException(f"the Messages API: {error}") from None
    except BenchError as error:
        raise click.ClickException(str(error)) from None
    whole = not names and not sizes
    if whole:
        for path in document.write(results, RESULTS):
            click.echo(f"Written: {path.relative_to(ROOT)}", err=True)
    print(json.dumps(results, indent=1) if as_json else report.markdown(results))
    if not whole:
        click.echo("Not written: only a whole run is kept.", err=True)
    sys.exit(0 if document.hub_passed(results) else 1)


def _run(rounds: list[int], tasks: list[Any], root: Path, fresh: bool) -> dict[str, Any]:
    before = load()
    kept_file = root / "played.jsonl"
    if fresh:
        kept_file.unlink(missing_ok=True)
    with _progress() as bars:
        listed = _listed(root, bars)
        kept = Kept(kept_file, runs.digests())
        for held in runs.rounds(rounds):
            size = held.size
            bar = bars.add_task(f"{size} tools", total=2 * len(tasks))

            def done(place: Place, bar: Any = bar) -> None:
                bars.update(bar, advance=1, description=f"{place.size} tools, {place.mode}, {place.task}")

            anyio.run(runs.play, held, tasks, root, kept, done)
            bars.update(bar, description=f"{size} tools")
    results = document.made(rounds, tasks, kept, listed)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    command = " ".join(["python -m bench", *sys.argv[1:]])
    return {"command": command, "date": at, "load_average": {"before": before, "after": load()}, **results}


def _live(
    sizes: list[int], tasks: list[Any], root: Path, model: str, modes: Sequence[Mode], repeats: int
) -> dict[str, Any]:
    if not (os.environ.get("ANTHROPIC_API_KEY") or os.environ.get("ANTHROPIC_AUTH_TOKEN")):
        raise click.UsageError("--live asks a real model; set ANTHROPIC_API_KEY to a key of the Messages API.")
    path = RESULTS / f"live-{re.sub(r'[^a-zA-Z0-9.-]', '_', model)}.json"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"date": at, "command": " ".join(["python -m bench", *sys.argv[1:]])}
    with _progress() as bars:
        listed = _listed(root, bars)
        tried: list[Tried] = []
        for held in runs.rounds(sizes):
            bar = bars.add_task(f"{held.size} tools", total=len(modes) * len(tasks) * repeats)

            def done(each: Tried, bar: Any = bar) -> None:
                tried.append(each)
                _keep(path, live.document(model, tried, about))  # what was paid for isn't lost to what comes after
                verdict = "right" if each.right else "wrong"
                bars.update(bar, advance=1, description=f"{each.size} tools, {each.mode}, {each.task}: {verdict}")

            definitions = document.definitions_of({entry.name: listed[entry.name] for entry in held.entries})
            anyio.run(runs.play_live, held, tasks, root, model, modes, repeats, definitions, done)
    click.echo(f"Written: {path.relative_to(ROOT)}", err=True)
    return live.document(model, tried, about)


def _keep(path: Path, found: dict[str, Any]) -> None:
    path.write_text(json.dumps(found, indent=1) + "\n")


def _listed(root: Path, bars: Progress) -> dict[str, list[dict[str, Any]]]:
    """Every server's tools. Raises BenchError if one is missing, or has another number of tools."""
    every = servers.entries()
    bar = bars.add_task("installing servers", total=None)

    def say(text: str) -> None:
        bars.update(bar, description=text)

    failures = servers.install(every, root, say)
    listed, unlisted = anyio.run(servers.listed, every, root, say) if not failures else ({}, [])
    bars.remove_task(bar)
    if failed := [*failures, *unlisted]:
        raise BenchError("; ".join(f"{each.server}: {each.why}" for each in failed))
    for size in servers.SIZES:
        count = sum(len(listed[entry.name]) for entry in servers.in_catalog(every, size))
        if count != size:
            raise BenchError(f"the round of {size} has {count} tools; correct bench/catalogs.toml.")
    return listed


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    main()
