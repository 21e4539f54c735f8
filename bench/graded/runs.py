"""Plays the tasks, round by round and mode by mode, and keeps each conversation: a run that broke off goes on.

Owns the kept file. What was played is kept under a digest of all that could change it, so that an edited task, server
list or hub is played anew and the rest isn't.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anthropic import AsyncAnthropic

from bench import servers
from bench.graded import agents, live, starting
from bench.graded.agents import Agent, Answering, Conversation, Turn
from bench.graded.grading import graded
from bench.graded.live import Tried
from bench.graded.modes import Definitions, Mode
from bench.graded.task import Answer, Call, Task
from bench.graded.worlds import World
from bench.processes import ROOT
from bench.servers import Entry

PLAYED = (
    *("bench/graded/tasks", "bench/graded/task.py", "bench/graded/worlds.py", "bench/graded/grading.py"),
    *("bench/graded/agents.py", "bench/graded/starting.py", "bench/servers.py", "bench/catalogs.toml"),
    "requirements.lock",
)
SERVING = ("mcp_hub",)
SUFFIXES = frozenset({".py", ".star", ".txt", ".toml", ".sql"})


@dataclass(frozen=True)
class Place:
    """One cell of the benchmark: a task, in a round, in a mode that is played (direct or hub)."""

    size: int
    mode: Mode
    task: str


@dataclass(frozen=True)
class Round:
    """The servers that are there in a round; `size` is the number of their tools."""

    size: int
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Played:
    """A conversation that was played, whether its end was right, and why not."""

    place: Place
    talk: Conversation
    right: bool
    why: str = ""


@dataclass(frozen=True)
class HubFacts:
    """What a hub puts upfront in a round."""

    instructions: str
    definitions: list[dict[str, Any]]

    @property
    def upfront(self) -> tuple[list[dict[str, Any]], str]:
        """The definitions and the instructions."""
        return self.definitions, self.instructions


class Kept:
    """The conversations of earlier runs, in one file, a line each."""

    def __init__(self, path: Path, digests: dict[Mode, str]) -> None:
        self._path = path
        self._digests = digests
        self._played: dict[Place, Played] = {}
        self.facts: dict[int, HubFacts] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            self._take(json.loads(line))

    def get(self, place: Place) -> Played | None:
        """What was played there, by the sources as they are now; None if nothing was."""
        return self._played.get(place)

    def add(self, played: Played) -> None:
        """Keep a conversation."""
        self._played[played.place] = played
        self._append({"digest": self._digests[played.place.mode], "played": asdict(played)})

    def add_facts(self, size: int, facts: HubFacts) -> None:
        """Keep what the hub of a round puts upfront."""
        self.facts[size] = facts
        self._append({"digest": self._digests[Mode.HUB], "size": size, "facts": asdict(facts)})

    def _append(self, line: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _take(self, line: dict[str, Any]) -> None:
        if "facts" in line:
            if line["digest"] == self._digests[Mode.HUB]:
                self.facts[line["size"]] = HubFacts(**line["facts"])
            return
        played = line["played"]
        place = Place(played["place"]["size"], Mode(played["place"]["mode"]), played["place"]["task"])
        if line["digest"] == self._digests[place.mode]:
            talk = played["talk"]
            turns = [
                Turn(tuple(Call(**made) for made in turn["calls"]), tuple(Answer(**each) for each in turn["answers"]))
                for turn in talk["turns"]
            ]
            kept = Conversation(turns, talk["answer"], talk["seconds"])
            self._played[place] = Played(place, kept, played["right"], played["why"])


def digests() -> dict[Mode, str]:
    """Of all that decides what is played, by mode."""
    common = hashlib.sha256()
    for path in _sources(PLAYED):
        common.update(path.read_bytes())
    hub = common.copy()
    for path in _sources(SERVING):
        hub.update(path.read_bytes())
    return {Mode.DIRECT: common.hexdigest(), Mode.HUB: hub.hexdigest()}


def rounds(sizes: Sequence[int]) -> list[Round]:
    """The rounds over the real servers."""
    return [Round(size, servers.in_catalog(servers.entries(), size)) for size in sizes]


async def play(held: Round, tasks: Sequence[Task], root: Path, kept: Kept, done: Callable[[Place], None]) -> None:
    """Play, in one round, what isn't kept yet; `done` hears of each cell."""
    size, entries = held.size, held.entries
    for mode in (Mode.DIRECT, Mode.HUB):
        places = {task.name: Place(size, mode, task.name) for task in tasks}
        missing = [task for task in tasks if kept.get(places[task.name]) is None]
        for task in tasks:
            if task not in missing:
                done(places[task.name])
        if not missing and (mode is Mode.DIRECT or size in kept.facts):
            continue
        async with _agents(mode, entries, missing, root) as (facts, agent_of, _):
            if facts is not None:
                kept.add_facts(size, facts)
            for task in missing:
                kept.add(await _played(places[task.name], task, root, agent_of()))
                done(places[task.name])


async def play_live(
    held: Round,
    tasks: Sequence[Task],
    root: Path,
    model: str,
    modes: Sequence[Mode],
    repeats: int,
    definitions: Definitions,
    done: Callable[[Tried], None],
) -> None:
    """Let a model do the tasks of one round, each `repeats` times in each mode. Raises what the API's client raises."""
    async with AsyncAnthropic() as client:
        for mode in modes:
            async with _agents(mode, held.entries, tasks, root) as (facts, _, agent):
                box = live.direct_toolbox(definitions) if facts is None else live.hub_toolbox(*facts.upfront)
                for task in (task for task in tasks for _ in range(repeats)):
                    world = task.world_in(root)
                    done(await live.attempt(client, model, task, world, agent, box, (held.size, mode)))


@asynccontextmanager
async def _agents(
    mode: Mode, entries: Sequence[Entry], tasks: Sequence[Task], root: Path
) -> AsyncIterator[tuple[HubFacts | None, Callable[[], Agent], Answering]]:
    """What a hub puts upfront, who answers a plan's conversation, and who answers a model's."""
    World(root / "work").reset()  # some servers look at theirs when they start
    if mode is Mode.DIRECT:
        used = frozenset().union(*(task.servers for task in tasks))
        async with starting.direct([entry for entry in entries if entry.name in used], root) as agent:
            yield None, lambda: agent, agent
        return
    async with starting.hub(entries, root) as hub:
        yield HubFacts(hub.instructions, hub.definitions), hub.agent.begin, hub.for_model


async def _played(place: Place, task: Task, root: Path, agent: Agent) -> Played:
    world = task.world_in(root)
    try:
        talk = await agents.play(task.direct if place.mode is Mode.DIRECT else task.hub, world, agent)
    except Exception as error:  # a plan that breaks has failed its task; the others are played
        return Played(place, Conversation(), False, f"{type(error).__name__}: {error}")
    why = graded(task, world, talk.answer)
    return Played(place, talk, not why, why)


def _sources(places: Sequence[str]) -> Iterator[Path]:
    for place in places:
        path = ROOT / place
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES)
        else:
            yield path
