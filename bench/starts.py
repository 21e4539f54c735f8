"""From the start of a process until it answers, for growing numbers of servers; beside a bare SDK server."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.processes import BenchError, Era, RawServer
from bench.report import Row

TARGET = 1.5

LISTED = re.compile(r"^servers/\S+\.pyi +\d+ tools?\b", re.MULTILINE)

LIST_TRIES = 20
"""Each waits up to five seconds in the hub for servers that nobody has seen."""

BARE, COLD, SECOND = "bare", "cold", "second"

ERA_NAMES = {Era.DISCOVER: "server/discover", Era.INITIALIZE: "initialize"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How many starts of each kind, and for how many servers."""

    rounds: int = 5
    servers: tuple[int, ...] = (1, 5, 20, 50)


@dataclass(frozen=True)
class Started:
    """One start, in ms: until the first answer, and until every server's tools were listed."""

    answered: float
    listed: float = 0.0


def measure(folder: Path, sizes: Sizes, say: Say) -> list[Row]:
    """First answer and full list, cold and with kept catalogs, in both eras."""
    folder.mkdir(parents=True)
    rows: list[Row] = []
    for era in Era:
        say(f"start, {ERA_NAMES[era]}: a start of each, not counted")
        _start_bare(folder, era)
        for count in sizes.servers:
            found = _rounds(folder / f"{era}-{count}", era, count, sizes.rounds, say)
            rows += _rows(found, era, count)
    groups = sorted({row.group for row in rows}, key=lambda group: (group.count("all"), "second" not in group, group))
    return sorted(rows, key=lambda row: groups.index(row.group))


def servers(count: int) -> list[str]:
    """Names for so many servers."""
    return [f"bare_{number:02}" for number in range(count)]


def list_all(server: RawServer, count: int) -> None:
    """Ask for the list until it names every server with its tools."""
    for _ in range(LIST_TRIES):
        if len(LISTED.findall(server.call("listToolFiles", {}))) == count:
            return
    raise BenchError(f"the hub never listed the tools of all {count} servers")


def _rounds(folder: Path, era: Era, count: int, rounds: int, say: Say) -> dict[str, list[Started]]:
    folder.mkdir()
    config = processes.write_config(folder / "servers.toml", servers(count))
    what = f"start, {ERA_NAMES[era]}, {count} server{'s' if count > 1 else ''}"
    say(f"{what}: two starts to keep the catalogs, not counted")
    kept = folder / "kept"
    for _ in range(2):  # the first may be stopped before the last list is on disk
        _start_hub(config, kept, era, count)
    found: dict[str, list[Started]] = {BARE: [], COLD: [], SECOND: []}
    kinds = list(found)
    for number in range(rounds):
        say(f"{what}: round {number + 1} of {rounds}")
        first = number % len(kinds)
        for kind in kinds[first:] + kinds[:first]:
            if kind == BARE:
                found[kind].append(_start_bare(folder, era))
            else:
                state = kept if kind == SECOND else folder / f"cold-{number}"
                found[kind].append(_start_hub(config, state, era, count))
    return found


def _start_bare(folder: Path, era: Era) -> Started:
    env = processes.environment(folder)
    with RawServer(processes.sdk_server_command(), env, folder / "bare.log", era) as server:
        return Started(server.open() * 1000)


def _start_hub(config: Path, state: Path, era: Era, count: int) -> Started:
    env = processes.environment(state)
    with RawServer(processes.hub_command(config), env, config.with_suffix(".log"), era) as server:
        answered = server.open()
        list_all(server, count)
        return Started(answered * 1000, (time.perf_counter() - server.started) * 1000)


def _rows(found: dict[str, list[Started]], era: Era, count: int) -> Sequence[Row]:
    bare = [each.answered for each in found[BARE]]
    name = f"{count:2} server{'s' if count > 1 else ''}, {ERA_NAMES[era]}"
    beside = "bare SDK server"
    rows = []
    for kind, words, target in ((SECOND, "second start", TARGET), (COLD, "cold start", None)):
        answered = [each.answered for each in found[kind]]
        rows.append(Row(f"first answer, {words}", name, answered, beside, bare, ratio_at_most=target))
        rows.append(Row(f"all servers listed with their tools, {words}", name, [each.listed for each in found[kind]]))
    return rows
