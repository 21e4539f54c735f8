"""Plays the translated tasks with each peer's tools: the same worlds, graders and bills as the hub's."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from bench import servers
from bench.graded import agents, billing
from bench.graded.agents import CALL_WAIT, Agent, HubAgent, PlanError, ask
from bench.graded.billing import Cache
from bench.graded.grading import graded
from bench.graded.peers.hub import Hub
from bench.graded.peers.measure import Upfront
from bench.graded.peers.peer import Downstream, Peer, Started
from bench.graded.starting import parameters
from bench.graded.task import Answer, Call, Task
from bench.graded.tasks import TASKS
from bench.processes import ROOT
from bench.servers import Entry, Say

_CALLED = re.compile(r"\bcall_tool\(\"(\w+)\"|\b(?:[A-Z]\w+|filesystem|sqlite|memory|git|duckdb)\.(\w+)\(")
"""A tool's name in a program of any of the dialects."""


@dataclass(frozen=True)
class Outcome:
    """One task with one peer: what it cost and whether it ended right, or why it can't be done."""

    task: str
    level: str
    right: bool
    why: str
    requests: int = 0
    input: int = 0
    output: int = 0
    dollars: float = 0.0
    """Without caching."""
    seconds: float = 0.0
    """Of all calls together."""


class PeerAgent:
    """Asks a peer's tools, and holds a plan to what an agent can know: programs call tools whose names it has read."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._read = client.instructions or ""

    async def answer(self, call: Call) -> Answer:
        """The answer. Raises PlanError for a program with a tool that no look-up showed."""
        for name in called(call.arguments.get("code", "")):
            if not re.search(rf"\b{name}\b", self._read):
                raise PlanError(f"the program calls {name}, which no look-up showed before")
        answered = await ask(self._client, call)
        self._read += answered.text
        return answered

    def before(self, calls: Sequence[Call]) -> Sequence[Call]:  # noqa: ARG002
        """Nothing: its plans look up all that they use."""
        return ()


def called(code: str) -> set[str]:
    """The tools that a program calls."""
    return {one or other for one, other in _CALLED.findall(code)}


def translated(peers: Sequence[Peer]) -> list[Task]:
    """The tasks that every peer has a plan for, or a reason why not, in the order of the first that lists them."""
    every = [set(peer.plans) for peer in peers]
    return [task for task in TASKS if all(task.name in plans for plans in every)]


def behind(entries: Sequence[Entry], root: Path) -> list[Downstream]:
    """The real servers, as peers start them."""
    found = []
    for entry in entries:
        started = parameters(entry, root)
        found.append(Downstream(entry.name, [started.command, *started.args], root / "work", started.env or {}))
    return found


async def play(
    peer: Peer, started: Started, tasks: Sequence[Task], upfront: Upfront, root: Path, log: Path, say: Say
) -> list[Outcome]:
    """Play each task; the servers stand in `root`."""
    price = billing.prices()
    stands = billing.Upfront(upfront.definitions_tokens, upfront.instructions_tokens)
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **started.env}
    process = StdioServerParameters(command=started.command[0], args=[*started.command[1:]], env=env, cwd=str(ROOT))
    names = frozenset(entry.name.replace("-", "_") for entry in servers.entries())
    found = []
    with log.open("w") as errors:
        transport = stdio_client(process, errors)
        async with Client(transport, mode="legacy", read_timeout_seconds=CALL_WAIT) as client:
            for task in tasks:
                say(f"{peer.name}: {task.name}")
                plan = peer.plans[task.name]
                if isinstance(plan, str):
                    found.append(Outcome(task.name, task.level, False, plan))
                    continue
                world = task.world_in(root)
                try:
                    talk = await agents.play(plan, world, _agent(peer, client, names))
                except Exception as error:  # a plan that breaks has failed its task; the others are played
                    found.append(Outcome(task.name, task.level, False, f"{type(error).__name__}: {error}"[:500]))
                    continue
                bill = billing.bill(stands, task.request, talk, price)
                why = graded(task, world, talk.answer)
                cost = (bill.requests, bill.input, bill.output, round(bill.dollars[Cache.NONE], 6))
                found.append(Outcome(task.name, task.level, not why, why, *cost, round(talk.seconds, 3)))
    return found


def _agent(peer: Peer, client: Client, names: frozenset[str]) -> Agent:
    """The hub's plans are those of `python -m bench`, and so is their agent."""
    return HubAgent(client, names) if isinstance(peer, Hub) else PeerAgent(client)


def right_everywhere(outcomes: Mapping[str, Sequence[Outcome]]) -> frozenset[str]:
    """The tasks that ended right with every peer that played them."""
    every = [{each.task for each in its if each.right} for its in outcomes.values()]
    return frozenset(set.intersection(*every)) if every else frozenset()


def as_json(outcomes: Sequence[Outcome], compared: frozenset[str]) -> dict[str, Any]:
    """All outcomes, and the means of those that are compared."""
    right = [each for each in outcomes if each.right]
    means = [each for each in outcomes if each.task in compared]

    def mean(values: Sequence[float]) -> float | None:
        return round(sum(values) / len(values), 2) if values else None

    return {
        "right": len(right),
        "tasks": len(outcomes),
        "compared": len(means),
        "input_mean": mean([each.input for each in means]),
        "output_mean": mean([each.output for each in means]),
        "requests_mean": mean([each.requests for each in means]),
        "outcomes": [asdict(each) for each in outcomes],
    }


def entries_of(size: int) -> list[Entry]:
    """The servers of a round."""
    return servers.in_catalog(servers.entries(), size)
