"""What a peer puts upfront, how long its programs take and what memory it holds, with the fixture behind it.

Times are taken in rounds: in each, every peer has its turn, a block of runs in a row, and the block's median is kept.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.graded import billing
from bench.graded.peers.peer import Downstream, Peer, Started
from bench.graded.peers.wire import Wire, opened, tree
from bench.processes import BenchError
from bench.servers import Say
from bench.tokens import tokens

COUNTS = (0, 1, 40)
ROUNDS = 5
RUNS: Mapping[int, int] = {0: 20, 1: 10, 40: 3}
"""Runs of a block, by the calls of the program."""
WARM_UP = 2


@dataclass(frozen=True)
class Upfront:
    """What a peer puts before the first message."""

    tools: int
    bytes: int
    """Of the whole answer to tools/list."""
    definitions_tokens: int
    """Of name, description and input schema, as a model is sent them."""
    instructions_tokens: int


async def upfront(wire: Wire) -> Upfront:
    """Asks for tools/list."""
    listed, length = await wire.request("tools/list", {})
    definitions = [
        {"name": each["name"], "description": each.get("description", ""), "input_schema": each["inputSchema"]}
        for each in listed["tools"]
    ]
    instructions = wire.opened.get("instructions") or ""
    return Upfront(len(definitions), length, billing.definitions_tokens(definitions), tokens(instructions))


@dataclass(frozen=True)
class Cost:
    """A peer's times, and what its processes hold after the longest program, those of the servers not counted."""

    milliseconds: Mapping[int, Sequence[float]]
    """By the program's calls: each round's median."""
    resident: int
    """Bytes; pages that processes share are counted for each."""
    proportional: int
    """Bytes; shared pages are divided among those that share them."""


async def costs(
    ready: Mapping[str, tuple[Peer, Started]], servers: Sequence[Downstream], folder: Path, say: Say
) -> dict[str, Cost]:
    """Of each peer, by its name. Raises BenchError when one fails a plain program."""
    async with AsyncExitStack() as stack:
        wires = {
            name: await stack.enter_async_context(
                opened(started.command, started.env, folder / f"{name}.log", watched=False)
            )
            for name, (_, started) in ready.items()
        }
        for count in COUNTS:
            for name, (peer, _) in ready.items():
                await _block(wires[name], peer, count, WARM_UP)
        found: dict[str, dict[int, list[float]]] = {name: {count: [] for count in COUNTS} for name in ready}
        names = list(ready)
        for number in range(ROUNDS):
            say(f"programs of {', '.join(map(str, COUNTS))} calls: round {number + 1} of {ROUNDS}")
            turns = names[number % len(names) :] + names[: number % len(names)]
            for count in COUNTS:
                for name in turns:
                    found[name][count].append(await _block(wires[name], ready[name][0], count, RUNS[count]))
        held = {name: _held(wires[name].process.pid, servers) for name in names}
        return {name: Cost(found[name], *held[name]) for name in names}


async def _block(wire: Wire, peer: Peer, count: int, runs: int) -> float:
    made = peer.run(peer.calls(count))
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        answer = await wire.call(made)
        taken.append((time.perf_counter() - began) * 1000)
        if answer.is_error:
            raise BenchError(f"{peer.name} failed a program of {count} calls: {answer.text[:300]}")
    return median(taken)


def _held(pid: int, servers: Sequence[Downstream]) -> tuple[int, int]:
    """Resident and proportional bytes of a process and all below it that is no server, nor below one."""
    scripts = {each for server in servers for each in server.command if each.endswith(".py")}
    resident = proportional = 0
    for each in tree(pid):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if scripts.isdisjoint(each.cmdline()):
                memory = each.memory_full_info()
                resident += memory.rss
                proportional += getattr(memory, "pss", memory.rss)
    return resident, proportional


def as_json(cost: Cost, hub: Cost) -> dict[str, Any]:
    """A peer's times and memory, beside the hub's."""
    times = {}
    for count, rounds in cost.milliseconds.items():
        ours = median(hub.milliseconds[count])
        times[str(count)] = {
            "ms": round(median(rounds), 3),
            "times_the_hub": round(median(rounds) / ours, 2),
            "rounds_ms": [round(each, 3) for each in rounds],
        }
    return {
        "calls": times,
        "resident_mb": round(cost.resident / 1e6, 1),
        "proportional_mb": round(cost.proportional / 1e6, 1),
    }
