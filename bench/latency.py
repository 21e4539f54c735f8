"""Latency, start and memory of the hub beside bare yardsticks: `make bench-latency`. README.md tells the method."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from bench import calls, memory, report, starts
from bench.processes import ROOT, BenchError
from bench.report import Row

RESULTS = ROOT / "bench" / "results" / "latency.json"

MEASURES = ("one-call", "forty-calls", "start", "memory")

BUSY = 0.5
"""A load average from which on somebody else uses the machine."""

MEMORY_ROUNDS, MEMORY_ROUNDS_QUICK = 3, 1
QUICK_CALLS = calls.Sizes(rounds=3, paced=5, back_to_back=20, forty=3)
QUICK_STARTS = starts.Sizes(rounds=2, servers=(1, 50))


class Progress:
    """Says on stderr what is being done: on one line of a terminal, line by line elsewhere."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """What is being done now."""
        seconds = time.monotonic() - self._began
        start, end = ("\r\x1b[2K", "") if self._live else ("", "\n")
        print(f"{start}[{seconds:4.0f} s] {text}", end=end, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the terminal's line empty."""
        if self._live:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print the table, write the results."""
    options = _options()
    wanted = frozenset(options.only or MEASURES)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    progress = Progress()
    before = _load()
    if before and before[0] > BUSY:
        progress.say(f"load average {before[0]:.2f}: the machine is busy, so the times will be too long")
    call_sizes = QUICK_CALLS if options.quick else calls.Sizes()
    start_sizes = QUICK_STARTS if options.quick else starts.Sizes()
    memory_rounds = MEMORY_ROUNDS_QUICK if options.quick else MEMORY_ROUNDS
    sizes: dict[str, Any] = {
        "calls": asdict(call_sizes),
        "starts": asdict(start_sizes),
        "memory": {"rounds": memory_rounds, "servers": memory.SERVERS},
    }
    rows: list[Row] = []
    try:
        with tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as name:
            folder = Path(name)
            if wanted & {"one-call", "forty-calls"}:
                rows += anyio.run(calls.measure, folder / "calls", call_sizes, wanted, progress.say)
            if "start" in wanted:
                rows += starts.measure(folder / "starts", start_sizes, progress.say)
            if "memory" in wanted:
                rows += memory.measure(folder / "memory", memory_rounds, progress.say)
    except KeyboardInterrupt:
        progress.clear()
        print("Stopped; everything that was started has ended.", file=sys.stderr)
        return 130
    except BenchError as error:
        progress.clear()
        print(f"bench: {error}", file=sys.stderr)
        return 1
    progress.clear()
    document = report.document(rows, arguments=sys.argv[1:], sizes=sizes, loads=(before, _load()))
    print(_heading(document))
    print(report.table(rows))
    print()
    print(report.summary(rows))
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


def _load() -> list[float]:
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else []


def _shown(loads: Sequence[float]) -> str:
    return " ".join(f"{each:.2f}" for each in loads) or "unknown"


if __name__ == "__main__":
    sys.exit(main())
