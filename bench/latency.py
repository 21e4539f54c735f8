"""Latency, start and memory of the hub beside bare yardsticks: `make bench-latency`. README.md tells the method."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from bench import calls, memory, report, starts
from bench.processes import ROOT
from bench.report import Row
from bench.running import load, measuring

RESULTS = ROOT / "bench" / "results" / "latency.json"

MEASURES = ("one-call", "forty-calls", "start", "memory")

MEMORY_ROUNDS, MEMORY_ROUNDS_QUICK = 3, 1
QUICK_CALLS = calls.Sizes(rounds=3, paced=5, back_to_back=20, forty=3)
QUICK_STARTS = starts.Sizes(rounds=2, servers=(1, 50))


def main() -> int:
    """Measure, print the table, write the results."""
    options = _options()
    wanted = frozenset(options.only or MEASURES)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    call_sizes = QUICK_CALLS if options.quick else calls.Sizes()
    start_sizes = QUICK_STARTS if options.quick else starts.Sizes()
    memory_rounds = MEMORY_ROUNDS_QUICK if options.quick else MEMORY_ROUNDS
    sizes: dict[str, Any] = {
        "calls": asdict(call_sizes),
        "starts": asdict(start_sizes),
        "memory": {"rounds": memory_rounds, "servers": memory.SERVERS},
    }
    rows: list[Row] = []
    with (
        measuring() as (progress, before),
        tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as name,
    ):
        folder = Path(name)
        if wanted & {"one-call", "forty-calls"}:
            rows += anyio.run(calls.measure, folder / "calls", call_sizes, wanted, progress.say)
        if "start" in wanted:
            rows += starts.measure(folder / "starts", start_sizes, progress.say)
        if "memory" in wanted:
            rows += memory.measure(folder / "memory", memory_rounds, progress.say)
    document = report.document(rows, command="latency", arguments=sys.argv[1:], sizes=sizes, loads=(before, load()))
    document["for_scale"] = report.FOR_SCALE
    print(_heading(document))
    print(report.table(rows))
    print()
    print(report.summary(rows))
    print(report.scale())
    whole = not options.quick and wanted == set(MEASURES)
    _keep(document, options.out or (RESULTS if whole else None))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, only 1 and 50 servers: about a minute")
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write; by default only a whole run is kept, in bench/results"
    )
    return parser.parse_args()


def _heading(document: dict[str, Any]) -> str:
    of, versions, loads = document["machine"], document["versions"], document["load_average"]
    return (
        f"{of['processor']}, {of['cores']} cores, {of['platform']}, Python {of['python']}; "
        f"mcp {versions['mcp']}, mcp_hub {versions['mcp_hub']}\n"
        f"load average {_shown(loads['before'])} before, {_shown(loads['after'])} after; "
        f"medians over {document['sizes']['calls']['rounds']} rounds for calls, "
        f"{document['sizes']['starts']['rounds']} for starts, {document['sizes']['memory']['rounds']} for memory\n"
    )


def _keep(document: dict[str, Any], path: Path | None) -> None:
    if path is None:
        print("Not written: a partial run is kept only with --out FILE.")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"Written to {shown}.")


def _shown(loads: Sequence[float]) -> str:
    return " ".join(f"{each:.2f}" for each in loads) or "unknown"


if __name__ == "__main__":
    sys.exit(main())
