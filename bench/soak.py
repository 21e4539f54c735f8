"""Hostile programs from many clients at once, for minutes: does the hub answer, keep its size and leave nothing?

    python -m bench.soak                                    32 clients, two minutes: `make soak`
    python -m bench.soak --hostile-only 16 --seconds 10     16 hostile programs at every moment: how fast are look-ups?

Exit status 1: an answer was missing, a process was left, memory grew, or (with --hostile-only) look-ups were slow.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import anyio
import httpx2
import psutil
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from bench import report
from bench.processes import ROOT
from bench.running import Progress
from tests.sandbox.hostile import programs
from tests.sandbox.hostile.programs import Program
from tests.support import HttpHub, command_of, text_of

RESULTS = ROOT / "bench" / "results" / "soak.json"

LIMITS = {"wall_seconds": 2, "steps": 2_000_000, "memory_mib": 64, "calls": 50}
"""Those that the hostile programs were written for."""

ANSWER_WAIT = 120.0
"""Seconds for one answer: a program waits for its turn behind those of the other clients."""

LOOK_UP_EVERY = 0.1

WARM_UP_SHARE = 0.25
"""Of the time, what goes by before memory counts: pools, caches and the allocator's arenas have their size then."""

SETTLE = 15.0
"""Seconds in which what the last programs left must have ended."""

GROWTH_SHARE, GROWTH_MB = 0.20, 10.0
"""Growth of the hub's memory that is still called flat."""

LOOK_UP_MS = 50.0
"""Median within which a look-up answers while hostile programs run."""

MEGABYTE = 1_000_000


@dataclass
class Soaked:
    """What was seen during a run."""

    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    """How programs ended -> how often."""
    missing: list[str] = field(default_factory=list)
    """Requests that weren't answered, or that the hub failed at: the program's name and the error."""
    look_ups: list[float] = field(default_factory=list)
    """Milliseconds of each listToolFiles."""
    longest: float = 0.0
    """Seconds of the slowest answer, with its wait in line."""
    resident: list[float] = field(default_factory=list)
    """MB of the hub's own process, once a second."""
    processes: tuple[int, int] = (0, 0)
    """Those of the hub, zombies included, before the first hostile program and after the last."""
    afterwards: str = ""
    """What a program that is no trouble was answered with at the end, if that was an error."""
    left: list[str] = field(default_factory=list)
    """Command lines of processes that outlived the hub."""

    @property
    def grown(self) -> tuple[float, float]:
        """MB of the hub after the warm-up and at the end, each the median over a quarter of the time."""
        quarter = max(1, int(len(self.resident) * WARM_UP_SHARE))
        return median(self.resident[quarter : 2 * quarter] or self.resident), median(self.resident[-quarter:])

    def faults(self, look_up_ms: float | None) -> list[str]:
        """What wasn't as it must be."""
        warm, end = self.grown
        before, after = self.processes
        found = [f"no answer: {each}" for each in self.missing[:10]]
        if not self.answers:
            found.append("no program was answered")
        if self.afterwards:
            found.append(f"a plain program failed: {self.afterwards}")
        if end > warm * (1 + GROWTH_SHARE) + GROWTH_MB:
            found.append(f"the hub grew from {warm:.0f} to {end:.0f} MB")
        if after > before:
            found.append(f"{after - before} processes were left behind")
        if self.left:
            found.append(f"{len(self.left)} processes outlived the hub")
        if look_up_ms is not None and median(self.look_ups) > look_up_ms:
            found.append(f"look-ups took {median(self.look_ups):.1f} ms, not {look_up_ms:g}")
        return found

    def as_json(self) -> dict[str, Any]:
        """The numbers that are kept."""
        warm, end = self.grown
        return {
            "seconds": round(self.seconds, 1),
            "programs": dict(self.answers.most_common()),
            "missing": len(self.missing),
            "slowest_answer_s": round(self.longest, 2),
            "look_ups": len(self.look_ups),
            "look_up_ms": {
                "median": round(median(self.look_ups), 2),
                "p95": round(quantiles(self.look_ups, n=20)[-1], 2),
            },
            "hub_mb": {"warm": round(warm, 1), "end": round(end, 1), "peak": round(max(self.resident), 1)},
            "processes": {"before": self.processes[0], "after": self.processes[1], "outlived_the_hub": len(self.left)},
        }


def main() -> int:
    """Soak, print what was seen, write the results."""
    options = _options()
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="mcp_hub_soak_") as name:
        soaked = anyio.run(_soak, Path(name), options, progress)
    progress.clear()
    if not soaked.look_ups:
        print(f"soak: nothing was measured; a plain program fails already: {soaked.afterwards}", file=sys.stderr)
        return 1
    faults = soaked.faults(LOOK_UP_MS if options.hostile_only else None)
    document = {
        "command": " ".join(["python -m bench.soak", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": report.machine(),
        "clients": options.hostile_only or options.clients,
        "limits": LIMITS,
        **soaked.as_json(),
        "faults": faults,
    }
    text = json.dumps(document, indent=1)
    print(text)
    path = options.out or (None if options.hostile_only else RESULTS)
    if path is not None:
        path.write_text(text + "\n")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120, help="how long (%(default)s)")
    parser.add_argument("--clients", type=int, default=32, help="clients at once (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the programs (%(default)s)")
    parser.add_argument("--hostile-only", type=int, metavar="N", help="N programs at a time, each with its own slot")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"where to write ({RESULTS.relative_to(ROOT)})")
    return parser.parse_args()


async def _soak(folder: Path, options: argparse.Namespace, progress: Progress) -> Soaked:
    clients = options.hostile_only or options.clients
    mark = 60_000 + random.SystemRandom().randrange(5_000)
    config = _write_config(folder / "servers.toml", clients, mark, options.hostile_only)
    all_programs = [program for group in programs.groups() for program in programs.read(group)]
    soaked = Soaked()
    hub = await anyio.to_thread.run_sync(lambda: HttpHub(config, folder / "state", folder))
    try:
        async with _client(hub.url, "look-ups") as watcher:
            process = psutil.Process(hub.process.pid)
            if failed := await _failure(watcher):
                soaked.afterwards = failed
                return soaked
            await anyio.sleep(1)  # the workers that are kept ready are forked a moment after the first program
            before = len(_processes(process, mark))
            started = time.monotonic()
            with anyio.move_on_after(options.seconds):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_look_up, watcher, soaked)
                    tasks.start_soon(_watch, process, soaked, progress)
                    for number in range(clients):
                        dice = random.Random(options.seed * 1000 + number)
                        tasks.start_soon(_send, hub.url, f"client-{number}", all_programs, dice, soaked)
            soaked.seconds = time.monotonic() - started
            progress.say("waiting for what is left to end")
            with anyio.move_on_after(SETTLE):
                while len(_processes(process, mark)) > before:
                    await anyio.sleep(0.1)
            soaked.afterwards = await _failure(watcher)
            await anyio.sleep(1)
            soaked.processes = (before, len(_processes(process, mark)))
    finally:
        await anyio.to_thread.run_sync(hub.close)
    soaked.left = [command_of(pid) for pid in _marked(mark)]
    return soaked


def _write_config(path: Path, clients: int, mark: int, hostile_only: int | None) -> Path:
    """One server, a token for each client; `mark` is a limit that tells this run's processes from all others."""
    limits = {**LIMITS, "log_bytes": mark, **({"programs": hostile_only} if hostile_only else {})}
    names = ["look-ups", *(f"client-{n}" for n in range(clients))]
    lines = ["[hub.limits]", *(f"{key} = {value}" for key, value in limits.items())]
    lines += ["[hub.http.tokens]", *(f'{name} = "{_token(name)}"' for name in names)]
    command = json.dumps([sys.executable, str(ROOT / "bench" / "soak_server.py")])
    lines += ["[servers.api]", f"command = {command}", ""]
    path.write_text("\n".join(lines))
    return path


def _token(name: str) -> str:
    return f"{name}-0123456789abcdefghijklmnop"


@asynccontextmanager
async def _client(url: str, name: str) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {_token(name)}"}, timeout=ANSWER_WAIT) as http:
        async with Client(streamable_http_client(url, http_client=http), mode="auto") as client:
            yield client


async def _failure(client: Client) -> str:
    """Why a program that is no trouble fails; "" when it is answered."""
    answer = await client.call_tool("executeToolCode", {"code": "result = api.get(x=1)"})
    return text_of(answer) if answer.is_error else ""


async def _send(url: str, name: str, all_programs: Sequence[Program], dice: random.Random, soaked: Soaked) -> None:
    async with _client(url, name) as client:
        while True:
            for program in dice.sample(all_programs, len(all_programs)):
                started = time.monotonic()
                try:
                    answer = await client.call_tool("executeToolCode", {"code": program.code})
                except Exception as error:
                    soaked.missing.append(f"{program.name}: {type(error).__name__}: {error}"[:300])
                    continue
                soaked.longest = max(soaked.longest, time.monotonic() - started)
                text = text_of(answer)
                if answer.is_error and text.startswith("The hub failed"):
                    soaked.missing.append(f"{program.name}: {text}"[:300])
                soaked.answers[_ended(text) if answer.is_error else "answered"] += 1


def _ended(text: str) -> str:
    """How a program that failed ended: a limit's name, or the error's kind."""
    found = re.search(r"The program failed \((?:limit )?(\w+)\)", text)
    return found[1] if found else "otherwise"


async def _look_up(client: Client, soaked: Soaked) -> None:
    while True:
        started = time.perf_counter()
        await client.call_tool("listToolFiles", {})
        soaked.look_ups.append((time.perf_counter() - started) * 1000)
        await anyio.sleep(LOOK_UP_EVERY)


async def _watch(hub: psutil.Process, soaked: Soaked, progress: Progress) -> None:
    while True:
        soaked.resident.append(hub.memory_info().rss / MEGABYTE)
        shown = median(soaked.look_ups) if soaked.look_ups else 0.0
        progress.say(
            f"{sum(soaked.answers.values())} programs ended, {len(soaked.missing)} not answered, "
            f"look-ups {shown:.1f} ms, hub {soaked.resident[-1]:.0f} MB, {len(hub.children(recursive=True))} processes"
        )
        await anyio.sleep(1)


def _processes(hub: psutil.Process, mark: int) -> set[int]:
    """Those below the hub, zombies included, and those of its workers' that somebody else has inherited."""
    return {child.pid for child in hub.children(recursive=True)} | set(_marked(mark))


def _marked(mark: int) -> list[int]:
    """Every process that a hub with this limit has forked."""
    return [pid for pid in psutil.pids() if f'"log_bytes":{mark},' in command_of(pid)]


if __name__ == "__main__":
    sys.exit(main())
