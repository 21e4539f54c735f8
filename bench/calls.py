"""Latency of warm programs and calls: the hub, the bare hop and the fixture itself, side by side."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from bench import processes
from bench.processes import BenchError
from bench.report import Row

PAUSE = 0.1
"""Seconds before each run of the paced measure: what an agent takes between calls, at the very least."""

FORTY = 40

ONE_CALL = 'result = bare.tool_000(text="a")'
FORTY_CALLS = f"for i in range({FORTY}): bare.tool_000(text=str(i))"
NO_CALL = "result = 1"

ONE_CALL_TARGET = 1.6
FORTY_CALLS_TARGET = 1.5

Mode = Literal["auto", "legacy"]
MODES: tuple[Mode, ...] = ("auto", "legacy")

Say = Callable[[str], None]
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Sizes:
    """How much is run: `rounds`, and the runs of which a round takes the median."""

    rounds: int = 7
    paced: int = 10
    back_to_back: int = 50
    forty: int = 5
    warm_up: int = 10


async def measure(folder: Path, sizes: Sizes, wanted: frozenset[str], say: Say) -> list[Row]:
    """The measures among "one-call" and "forty-calls" that are wanted, in both modes of the client."""
    rows: list[Row] = []
    for mode in MODES:
        say(f"starting the hub, the hop and the fixture (client mode {mode})")
        rows += await _in_mode(folder / mode, mode, sizes, wanted, say)
    return sorted(rows, key=lambda row: [each.group for each in rows].index(row.group))


async def _in_mode(folder: Path, mode: Mode, sizes: Sizes, wanted: frozenset[str], say: Say) -> list[Row]:
    rows: list[Row] = []
    async with _three(folder, mode) as (hub, hop, direct):
        one = {"hub": program(hub, ONE_CALL), "hop": _calls(hop, 1), "direct": _calls(direct, 1)}
        one["empty"] = program(hub, NO_CALL)
        forty = {"hub": program(hub, FORTY_CALLS), "direct": _calls(direct, FORTY)}
        for work in (*one.values(), *forty.values()):
            await timed(work, sizes.warm_up, 0)
        if "one-call" in wanted:
            for pace, runs, pause in (("100 ms apart", sizes.paced, PAUSE), ("back to back", sizes.back_to_back, 0)):
                found = await side_by_side(one, sizes.rounds, runs, pause, f"one call, {pace}, {mode}", say)
                rows += _one_call_rows(found, pace, mode)
        if "forty-calls" in wanted:
            found = await side_by_side(forty, sizes.rounds, sizes.forty, 0, f"{FORTY} calls, {mode}", say)
            group = f"{FORTY} calls in one program, against {FORTY} calls straight to the server"
            beside = f"{FORTY} direct calls"
            rows.append(
                Row(group, f"client mode {mode}", found["hub"], beside, found["direct"], "ms", FORTY_CALLS_TARGET)
            )
    return rows


def _one_call_rows(found: Mapping[str, list[float]], pace: str, mode: Mode) -> list[Row]:
    group = f"one call in one program, {pace}"
    return [
        Row(group, f"client mode {mode}", found["hub"], "bare hop", found["hop"], "ms", ONE_CALL_TARGET),
        Row(group, f"  against no hop at all, {mode}", found["hub"], "direct call", found["direct"]),
        Row(group, f"  an empty program, {mode}", found["empty"], "bare hop", found["hop"]),
    ]


async def side_by_side(
    works: Mapping[str, Work], rounds: int, runs: int, pause: float, what: str, say: Say
) -> dict[str, list[float]]:
    """For each work the median in ms of `runs` runs, in each of `rounds` rounds.

    In a round each has its turn; who begins changes from round to round.
    """
    medians: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    for number in range(rounds):
        say(f"{what}: round {number + 1} of {rounds}")
        first = number % len(names)
        for name in names[first:] + names[:first]:
            medians[name].append(median(await timed(works[name], runs, pause)) * 1000)
    return medians


async def timed(work: Work, runs: int, pause: float) -> list[float]:
    """The seconds that each of `runs` runs takes, `pause` seconds apart."""
    times = []
    for _ in range(runs):
        if pause:
            await anyio.sleep(pause)
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
    return times


def program(hub: Client, code: str) -> Work:
    """Runs a program through the hub."""

    async def run() -> None:
        succeeded(await hub.call_tool("executeToolCode", {"code": code}))

    return run


def _calls(client: Client, count: int) -> Work:
    async def run() -> None:
        for number in range(count):
            succeeded(await client.call_tool("tool_000", {"text": str(number)}))

    return run


def succeeded(result: CallToolResult) -> None:
    """Raise BenchError for a call that failed."""
    if result.is_error:
        first = result.content[0]
        raise BenchError(f"a call failed: {first.text if isinstance(first, TextContent) else first}")


@asynccontextmanager
async def _three(folder: Path, mode: Mode) -> AsyncIterator[tuple[Client, Client, Client]]:
    """Clients of the hub, of the hop and of the fixture."""
    folder.mkdir(parents=True)
    config = processes.write_config(folder / "servers.toml", ["bare"])
    commands = (processes.hub_command(config), processes.hop_command(), processes.fixture_command())
    env = processes.environment(folder / "state")
    log = folder / "stderr.log"
    async with told(log), AsyncExitStack() as stack:
        errors = stack.enter_context(log.open("w"))

        async def client(program: str, *arguments: str) -> Client:
            parameters = StdioServerParameters(command=program, args=list(arguments), env=env, cwd=str(processes.ROOT))
            return await stack.enter_async_context(Client(stdio_client(parameters, errors), mode=mode))

        hub, hop, direct = [await client(*command) for command in commands]
        yield hub, hop, direct


@asynccontextmanager
async def told(log: Path) -> AsyncIterator[None]:
    """Turn what the SDK raises when a server fails, in groups or not, into one BenchError."""
    try:
        yield
    except (MCPError, BaseExceptionGroup) as raised:
        error: BaseException = raised
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, BenchError):
            raise error from None
        if not isinstance(error, MCPError):
            raise
        raise BenchError(f"{error}; stderr of the servers: {processes.tail(log)}") from None
