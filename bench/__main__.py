"""The graded benchmark's command: `python -m bench [--round N] [--task NAME] [--fresh] [--json] [--root FOLDER]`.

Installs the real servers, checks that the rounds have the tools that they should, plays every task in every round and
mode, and writes bench/results/graded.json, the report beside it and its pictures. Method and limits: bench/README.md.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import servers
from bench.graded import document, report, runs
from bench.graded.runs import Kept, Place
from bench.graded.tasks import TASKS
from bench.processes import ROOT, BenchError
from bench.running import load

RESULTS = ROOT / "bench" / "results"


@click.command(help=__doc__)
@click.option("--round", "sizes", type=click.Choice([str(size) for size in servers.SIZES]), multiple=True)
@click.option("--task", "names", multiple=True, help="Only this task; a part of the benchmark isn't written.")
@click.option("--fresh", is_flag=True, help="Play everything anew, also what an earlier run has played.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON instead of the report.")
@click.option("--root", type=click.Path(path_type=Path), default=servers.FOLDER, help="Where servers are installed.")
def main(sizes: tuple[str, ...], names: tuple[str, ...], fresh: bool, as_json: bool, root: Path) -> None:
    """Run the benchmark; exits with 1 if a task's end was wrong through the hub, or a server is missing."""
    tasks = [task for task in TASKS if not names or task.name in names]
    if unknown := set(names) - {task.name for task in TASKS}:
        raise click.UsageError(f"there is no task {', '.join(sorted(unknown))}")
    rounds = [int(size) for size in sizes] or list(servers.SIZES)
    try:
        results = _run(rounds, tasks, root.resolve(), fresh)
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
        for size in rounds:
            bar = bars.add_task(f"{size} tools", total=2 * len(tasks))

            def done(place: Place, bar: Any = bar) -> None:
                bars.update(bar, advance=1, description=f"{place.size} tools, {place.mode}, {place.task}")

            anyio.run(runs.play, size, tasks, root, kept, done)
            bars.update(bar, description=f"{size} tools")
    results = document.made(rounds, tasks, kept, listed)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    command = " ".join(["python -m bench", *sys.argv[1:]])
    return {"command": command, "date": at, "load_average": {"before": before, "after": load()}, **results}


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
