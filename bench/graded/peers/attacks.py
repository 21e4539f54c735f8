"""Runs hostile programs, each on a fresh process of a peer, and judges how it stood that."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from bench.graded.peers.peer import DISK_FULL, Downstream, Hostile, Peer, Started
from bench.graded.peers.wire import GIB, EndedError, Wire, opened
from bench.graded.task import Answer

BOUND = 40.0
"""Seconds for a program: two of the three servers end one after 30 by their defaults, and may."""
PAUSE = 1.0
"""Seconds from the program to the other request on the same connection."""
MEANWHILE = 5.0
"""Seconds in which that must be answered."""
AFTER = 10.0
"""Seconds in which an empty program must be answered afterwards."""
MOST_MEMORY = 1 * GIB
MOST_TEXT = 100_000
SHOWN = 300

NAMED: Mapping[Hostile, tuple[str, str]] = {
    Hostile.WRONG_TYPE: ("tool_000", "count"),
    Hostile.UNKNOWN: ("tool_900", "(?i:unknown|no tool|not found|has no|no such)[^.]*"),
    Hostile.FAILING: ("fail", DISK_FULL),
}
"""For what a model should be told: the tool and, as a pattern, the problem, as they must stand in the text."""


@dataclass(frozen=True)
class Stood:
    """What a hostile program came to."""

    seconds: float | None
    """Until it was answered; None if it wasn't within BOUND or the process ended."""
    alive: bool
    answers_after: bool
    peak: int
    killed: bool
    """Whether the bench had to end the process because of its memory."""
    length: int
    """Characters of the answer."""
    is_error: bool
    meanwhile: float | None
    """Seconds until another request was answered that was sent while the program ran; None if it wasn't."""
    was_running: bool
    """Whether the program still ran when the other request was sent."""
    text: str

    @property
    def faults(self) -> list[str]:
        """Why it wasn't contained; none if it was."""
        found = []
        if self.killed:
            found.append("ended by the bench")
        elif not self.alive:
            found.append("its process ended")
        elif self.seconds is None:
            found.append(f"not ended after {BOUND:g} s")
        elif not self.answers_after:
            found.append("doesn't answer afterwards")
        if self.peak > MOST_MEMORY:
            found.append(f"{self.peak / GIB:.1f} GiB")
        if self.length > MOST_TEXT:
            found.append(f"an answer of {self.length:,} characters")
        return found


def told(kind: Hostile, text: str) -> dict[str, bool]:
    """Whether an answer names the tool and the problem, for the kinds of which a model should learn that."""
    if kind not in NAMED:
        return {}
    tool, problem = NAMED[kind]
    names_tool = re.search(rf"(?<![A-Za-z0-9]){tool}(?![A-Za-z0-9_])", text)  # a prefix may be the server's
    return {
        "tool": bool(names_tool),
        "problem": bool(re.search(rf"(?<![A-Za-z0-9_])({problem})(?![A-Za-z0-9_])", text)),
    }


async def attack(peer: Peer, started: Started, kind: Hostile, log: Path) -> Stood:
    """Run one hostile program on a fresh process. Raises EndedError or TimeoutError if it doesn't even start."""
    answer: Answer | None = None
    seconds: float | None = None
    meanwhile: float | None = None
    was_running = False
    async with opened(started.command, started.env, log, watched=True) as wire:
        await wire.call(peer.run(peer.calls(1)))  # what it starts only when it is needed is there
        wire.peak = 0
        began = anyio.current_time()

        async def run() -> None:
            nonlocal answer, seconds
            with anyio.move_on_after(BOUND):
                try:
                    answer = await wire.call(peer.run(peer.hostile(kind)))
                    seconds = anyio.current_time() - began
                except EndedError:
                    pass

        async def ask() -> None:
            nonlocal meanwhile, was_running
            await anyio.sleep(PAUSE)
            was_running = seconds is None
            meanwhile = await _seconds_of(wire, MEANWHILE)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(ask)
        alive = wire.alive
        after = False
        if alive and seconds is not None:
            after = await _runs_a_program(wire, peer)
        text = answer.text if answer else ""
        is_error = bool(answer and answer.is_error)
        shown = " ".join(text.split())[:SHOWN]
        return Stood(seconds, alive, after, wire.peak, wire.killed, len(text), is_error, meanwhile, was_running, shown)


async def _seconds_of(wire: Wire, bound: float) -> float | None:
    began = anyio.current_time()
    with anyio.move_on_after(bound):
        try:
            await wire.request("tools/list", {})
            return anyio.current_time() - began
        except EndedError:
            pass
    return None


async def _runs_a_program(wire: Wire, peer: Peer) -> bool:
    with anyio.move_on_after(AFTER):
        try:
            return not (await wire.call(peer.run(peer.calls(0)))).is_error
        except EndedError:
            pass
    return False


def as_json(kind: Hostile, stood: Stood) -> dict[str, Any]:
    """A row of the results."""
    return {
        "program": kind.value,
        "contained": not stood.faults,
        "faults": stood.faults,
        "seconds": None if stood.seconds is None else round(stood.seconds, 2),
        "peak_mb": round(stood.peak / 1e6),
        "answer_characters": stood.length,
        "is_error": stood.is_error,
        "other_request_seconds": None if stood.meanwhile is None else round(stood.meanwhile, 3),
        "ran_meanwhile": stood.was_running,
        "named": told(kind, stood.text),
        "text": stood.text,
    }


def downstreams(folder: Path, commands: Mapping[str, Sequence[str]]) -> list[Downstream]:
    """The fixtures."""
    return [Downstream(name, command, folder) for name, command in commands.items()]
