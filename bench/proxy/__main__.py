"""Measures the messages proxy beside LiteLLM's and beside none: `make bench-proxy`. README.md tells the method.

Added time to the first byte and in total at 1, 16 and 64 connections, requests a second, memory after many requests.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench import report
from bench.processes import ROOT
from bench.proxy.contestants import KEY, LITELLM, Contestant, contestants, install_litellm
from bench.proxy.load import BODY_BYTES, Load, measured
from bench.proxy.stand_in import EVENTS
from bench.running import load, measuring

RESULTS = ROOT / "bench" / "results" / "proxy.json"

CONNECTIONS = (1, 16, 64)
MIB = 1024 * 1024


def main() -> int:
    """Measure, print the table, write the results."""
    options = _options()
    rounds, requests, total = (3, 32, 500) if options.quick else (7, 128, 10_000)
    with measuring() as (progress, before), tempfile.TemporaryDirectory(prefix="mcp_hub_bench_") as name:
        program = None
        if not options.alone:
            progress.say(f"LiteLLM ({LITELLM}); installing takes two minutes")
            program = install_litellm()
        with contestants(Path(name), program) as every:
            document = asyncio.run(_measure(every, rounds, requests, total, progress.say))
    document |= {"requests": requests, "rounds": rounds, "body_bytes": BODY_BYTES, "events": EVENTS}
    document |= {"litellm": LITELLM, "load_average": {"before": before, "after": load()}, "machine": report.machine()}
    print(_table(document))
    if options.out or not (options.quick or options.alone):
        path = options.out or RESULTS
        path.write_text(json.dumps(document, indent=1) + "\n")
        print(f"Written to {path}.")
    return 0


async def _measure(every: list[Contestant], rounds: int, requests: int, total: int, say: Any) -> dict[str, Any]:
    for each in every:
        await measured(each.url, KEY, 4, 40)
    told: dict[str, dict[str, Any]] = {each.name: {"connections": {}} for each in every}
    for connections in CONNECTIONS:
        loads: dict[str, list[Load]] = {each.name: [] for each in every}
        for number in range(rounds):
            say(f"{connections} connections, round {number + 1} of {rounds}")
            for each in every:
                loads[each.name].append(await measured(each.url, KEY, connections, requests))
        for each in every:
            told[each.name]["connections"][str(connections)] = _summary(loads[each.name])
    for each in every:
        if each.process is None:
            continue
        memory = {}
        done = 0
        for until in (total // 10, total // 2, total):
            say(f"memory of {each.name} after {until:,} requests")
            await measured(each.url, KEY, 16, until - done)
            done = until
            memory[str(until)] = round(each.memory() / MIB, 1)
        told[each.name]["memory_mib"] = memory
    return {"contestants": told}


def _summary(loads: list[Load]) -> dict[str, float]:
    """Medians over rounds of each round's median, in milliseconds, and of requests a second."""
    first = median(median(each.first for each in load.timings) for load in loads)
    whole = median(median(each.whole for each in load.timings) for load in loads)
    rate = median(len(load.timings) / load.seconds for load in loads)
    return {"first_ms": round(first * 1000, 3), "whole_ms": round(whole * 1000, 3), "requests_a_second": round(rate, 1)}


def _table(document: dict[str, Any]) -> str:
    told = document["contestants"]
    direct = told["direct"]["connections"]
    lines = [f"{'':>12}{'connections':>13}{'first byte':>14}{'added':>10}{'whole':>12}{'added':>10}{'a second':>11}"]
    for name, of in told.items():
        for connections, each in of["connections"].items():
            floor = direct[connections]
            lines.append(
                f"{name:>12}{connections:>13}{each['first_ms']:>11.2f} ms{each['first_ms'] - floor['first_ms']:>10.2f}"
                f"{each['whole_ms']:>9.2f} ms{each['whole_ms'] - floor['whole_ms']:>10.2f}"
                f"{each['requests_a_second']:>11.1f}"
            )
    for name, of in told.items():
        if "memory_mib" in of:
            lines.append(f"{name:>12} memory: " + ", ".join(f"{m} MiB after {n}" for n, m in of["memory_mib"].items()))
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests: about a minute")
    parser.add_argument("--alone", action="store_true", help="without LiteLLM")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write; by default a whole run is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
