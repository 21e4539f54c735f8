"""Measures the messages proxy beside LiteLLM's and beside none: `make bench-proxy`. README.md tells the method.

Added time to the first byte and in total, at 1, 16 and 64 connections, of streams whose events come in time; requests a
second, of streams that come at once; memory after many requests.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import report
from bench.processes import ROOT
from bench.proxy.contestants import KEY, LITELLM, Contestant, contestants, install_litellm
from bench.proxy.load import BODY_BYTES, Load, measured
from bench.proxy.stand_in import EVENTS, PAUSE
from bench.running import load, measuring

RESULTS = ROOT / "bench" / "results" / "proxy.json"

CONNECTIONS = (1, 16, 64)
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sizes:
    """How much is measured: rounds, requests in each at each number of connections, and in all for the memory."""

    rounds: int = 7
    requests: int = 128
    total: int = 10_000


def main() -> int:
    """Measure, print the table, write the results."""
    options = _options()
    sizes = Sizes(rounds=3, requests=32, total=500) if options.quick else Sizes()
    with measuring() as (progress, before), tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as name:
        program = None
        if not options.alone:
            progress.say(f"LiteLLM ({LITELLM}); installing takes two minutes")
            program = install_litellm()
        with contestants(Path(name), program) as every:
            document = asyncio.run(_measure(every, sizes, progress.say))
    document |= {"sizes": asdict(sizes), "body_bytes": BODY_BYTES, "events": EVENTS, "pause_seconds": PAUSE}
    document |= {"litellm": LITELLM, "load_average": {"before": before, "after": load()}, "machine": report.machine()}
    print(_table(document))
    if options.out or not (options.quick or options.alone):
        path = options.out or RESULTS
        path.write_text(json.dumps(document, indent=1) + "\n")
        print(f"Written to {path}.")
    return 0


async def _measure(every: list[Contestant], sizes: Sizes, say: Callable[[str], None]) -> dict[str, Any]:
    for each in every:
        await measured(each.url, KEY, 4, 40)
    told: dict[str, dict[str, Any]] = {each.name: {"connections": {}} for each in every}
    for connections in CONNECTIONS:
        paced: dict[str, list[Load]] = {each.name: [] for each in every}
        at_once: dict[str, list[Load]] = {each.name: [] for each in every}
        for number in range(sizes.rounds):
            say(f"{connections} connections, round {number + 1} of {sizes.rounds}")
            for each in every:
                paced[each.name].append(await measured(each.url, KEY, connections, sizes.requests, paced=True))
                at_once[each.name].append(await measured(each.url, KEY, connections, sizes.requests))
        for each in every:
            told[each.name]["connections"][str(connections)] = {
                "first_ms": _milliseconds([[one.first for one in load.timings] for load in paced[each.name]]),
                "whole_ms": _milliseconds([[one.whole for one in load.timings] for load in paced[each.name]]),
                "first_at_once_ms": _milliseconds([[one.first for one in load.timings] for load in at_once[each.name]]),
                "a_second": round(median(len(load.timings) / load.seconds for load in at_once[each.name]), 1),
            }
    for each in every:
        if each.process is not None:
            told[each.name]["memory_mib"] = await _memory(each, sizes.total, say)
    return {"contestants": told}


async def _memory(of: Contestant, total: int, say: Callable[[str], None]) -> dict[str, float]:
    """Resident MiB after a tenth of `total` requests, a half, and all."""
    found: dict[str, float] = {}
    done = 0
    for until in (total // 10, total // 2, total):
        say(f"memory of {of.name} after {until:,} requests")
        await measured(of.url, KEY, 16, until - done)
        done = until
        found[str(until)] = round(of.memory() / MIB, 1)
    return found


def _milliseconds(rounds: list[list[float]]) -> float:
    """The median over rounds of each round's median; seconds in."""
    return round(median(median(each) for each in rounds) * 1000, 3)


def _table(document: dict[str, Any]) -> str:
    told = document["contestants"]
    direct = told["direct"]["connections"]
    heads = ("connections", "first byte", "added", "whole", "added", "at once: first byte", "a second")
    lines = [f"{'':<10}" + "".join(f"{head:>{max(len(head), 9) + 2}}" for head in heads)]
    for name, of in told.items():
        for connections, each in of["connections"].items():
            floor = direct[connections]
            added = [each[what] - floor[what] for what in ("first_ms", "whole_ms")]
            cells = (
                connections,
                f"{each['first_ms']:.2f} ms",
                f"{added[0]:.2f}",
                f"{each['whole_ms']:.2f} ms",
                f"{added[1]:.2f}",
                f"{each['first_at_once_ms']:.2f} ms",
                f"{each['a_second']:.1f}",
            )
            lines.append(
                f"{name:<10}" + "".join(f"{c:>{max(len(h), 9) + 2}}" for c, h in zip(cells, heads, strict=True))
            )
    for name, of in told.items():
        for requests, mib in of.get("memory_mib", {}).items():
            lines.append(f"{name:<10} {mib:.0f} MiB after {int(requests):,} requests")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests: about a minute")
    parser.add_argument("--alone", action="store_true", help="without LiteLLM")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write; by default a whole run is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
