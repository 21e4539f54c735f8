"""Peak memory of the hub's own process with fifty servers connected, and what its helpers hold."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import processes, starts
from bench.processes import Era, RawServer
from bench.report import Row

SERVERS = 50
TARGET = 120.0
MEGABYTE = 1_000_000

PROGRAMS = (
    "\n".join(f'{name}.tool_000(text="a")' for name in starts.servers(SERVERS)),
    'for i in range(200): bare_00.tool_000(text="x" * 1000)',
    "result = sum([i * i for i in range(200000)])",
    'result = [bare_01.tool_001(text="b") for _ in range(100)]',
    'print("z" * 50000)\nresult = "y" * 100000',
)
"""All servers called; many calls; arithmetic; a list of answers; as much output as is let through."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Held:
    """In MB: the peak of the hub's process, what it holds at the end, and what its helpers hold by themselves."""

    peak: float
    resident: float
    helpers: float
    helper_count: int


def measure(folder: Path, rounds: int, say: Say) -> list[Row]:
    """Cold and second starts, with the peak of a bare SDK server beside."""
    folder.mkdir(parents=True)
    config = processes.write_config(folder / "servers.toml", starts.servers(SERVERS))
    cold, second, bare = [], [], []
    for number in range(rounds):
        say(f"memory with {SERVERS} servers: round {number + 1} of {rounds}")
        state = folder / f"state-{number}"
        cold.append(_of_hub(config, state))
        second.append(_of_hub(config, state))
        bare.append(_of_bare_server(folder))
    group = f"memory, {SERVERS} servers connected, {len(PROGRAMS)} programs run"
    helpers = f"helpers ({cold[-1].helper_count} processes), unshared"
    return [
        _row(group, "peak of the hub, cold start", [each.peak for each in cold], bare, target=TARGET),
        _row(group, "peak of the hub, second start", [each.peak for each in second], bare, target=TARGET),
        _row(group, "  the hub at the end, second start", [each.resident for each in second]),
        _row(group, f"  {helpers}", [each.helpers for each in second]),
    ]


def _row(group: str, name: str, hub: list[float], bare: list[float] | None = None, target: float | None = None) -> Row:
    beside = "bare SDK server" if bare else ""
    return Row(group, name, hub, beside, bare or (), "MB", value_under=target)


def _of_hub(config: Path, state: Path) -> Held:
    with RawServer(
        processes.hub_command(config), processes.environment(state), state.with_suffix(".log"), Era.DISCOVER
    ) as server:
        process = psutil.Process(server.process.pid)
        server.open()
        starts.list_all(server, SERVERS)
        peak = _resident(process)
        for program in PROGRAMS:
            server.call("executeToolCode", {"code": program})
            peak = max(peak, _resident(process))
        own = [child for child in process.children(recursive=True) if not _is_fixture(child)]
        helpers = sum(_unshared(child) for child in own)
        return Held(max(peak, _high_water(process)), _resident(process), helpers, len(own))


def _of_bare_server(folder: Path) -> float:
    env = processes.environment(folder)
    with RawServer(processes.sdk_server_command(), env, folder / "bare.log", Era.DISCOVER) as server:
        server.open()
        process = psutil.Process(server.process.pid)
        return max(_resident(process), _high_water(process))


def _is_fixture(process: psutil.Process) -> bool:
    try:
        return any(part.endswith("bare_server.py") for part in process.cmdline())
    except psutil.NoSuchProcess:
        return True


def _resident(process: psutil.Process) -> float:
    return process.memory_info().rss / MEGABYTE


def _unshared(process: psutil.Process) -> float:
    """What would be free if the process ended; forked workers share the rest with the process they came from."""
    try:
        return process.memory_full_info().uss / MEGABYTE
    except psutil.NoSuchProcess:
        return 0.0


def _high_water(process: psutil.Process) -> float:
    """The kernel's own record of the peak; 0 where it keeps none that can be read."""
    if sys.platform != "linux":
        return 0.0
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / MEGABYTE
    return 0.0
