"""The quick benchmark: the shop's tasks over the fixtures' servers, held against the committed figures.

`make bench-quick`, or `python -m bench.graded.quick [--update] [--json]`. It fails when a task ends wrong, or when its
tokens through the hub have grown by more than GROWTH; `--update` writes the figures anew, for a change that is meant.
"""

import json
import sys
import tempfile
from pathlib import Path

import anyio
import click

from bench import servers
from bench.graded import billing, document, runs
from bench.graded.modes import Mode
from bench.graded.runs import Kept, Round
from bench.graded.summary import Result
from bench.graded.tasks.shop import TASKS
from bench.processes import ROOT, BenchError
from bench.running import Progress
from bench.servers import Entry

FIGURES = ROOT / "bench" / "results" / "quick.json"

GROWTH = 1.05
"""How many times a task's committed tokens it may cost."""

TOOLS = {"orders": 6, "customers": 5, "stock": 5}


@click.command(help=__doc__)
@click.option("--update", is_flag=True, help="Write the figures instead of holding against them.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def main(update: bool, as_json: bool) -> None:
    """Play the tasks; exits with 1 if one is wrong or has grown."""
    progress = Progress()
    try:
        results = anyio.run(_results, progress)
    except BenchError as error:
        raise click.ClickException(str(error)) from None
    progress.clear()
    figures = {f"{each.task}, {each.mode}": each.bill.input for each in results}
    if update:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    faults = [f"{each.task}, {each.mode}: {each.why}" for each in results if not each.right]
    faults += grown(figures, json.loads(FIGURES.read_text()))
    print(json.dumps(figures) if as_json else _text(figures, results))
    for fault in faults:
        print(f"bench: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


def grown(figures: dict[str, int], committed: dict[str, int]) -> list[str]:
    """What is to be said of the hub's tasks whose tokens grew by more than GROWTH, or that have no committed figure."""
    faults = []
    for name, count in figures.items():
        if not name.endswith(f", {Mode.HUB}"):
            continue
        before = committed.get(name)
        if before is None:
            faults.append(f"{name}: no committed figure; `python -m bench.graded.quick --update` writes it.")
        elif count > before * GROWTH:
            faults.append(f"{name}: {count:,} input tokens, and {before:,} are committed; mend it, or --update.")
    return faults


async def _results(progress: Progress) -> list[Result]:
    size = sum(TOOLS.values())
    commands = {name: [sys.executable, str(ROOT / f"fixtures/{name}_server.py")] for name in TOOLS}
    entries = [Entry(name, size, TOOLS[name], "", "", "", commands[name]) for name in TOOLS]
    held = Round(size, entries)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("work", "logs"):
            (root / name).mkdir()
        listed, failures = await servers.listed(entries, root, progress.say)
        if failures:
            raise BenchError("; ".join(f"{each.server}: {each.why}" for each in failures))
        kept = Kept(root / "played.jsonl", runs.digests())
        await runs.play(held, TASKS, root, kept, lambda place: progress.say(f"{place.mode}: {place.task}"))
        definitions = document.definitions_of(listed)
        return document.results(held.size, TASKS, kept, definitions, kept.facts[held.size], billing.prices())


def _text(figures: dict[str, int], results: list[Result]) -> str:
    lines = [f"{sum(TOOLS.values())} tools; input tokens over the whole conversation"]
    width = max(len(each.task) for each in results)
    for task in dict.fromkeys(each.task for each in results):
        counts = "   ".join(f"{mode} {figures[f'{task}, {mode}']:>6,}" for mode in Mode)
        lines.append(f"  {task:<{width}}   {counts}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
