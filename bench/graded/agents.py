"""Plays plans: asks servers or a hub for the answers to each turn's calls, and keeps what was said.

Everything that a model would read or write is in the Conversation that comes of a run; what it costs is counted
elsewhere (billing), and who is asked is started elsewhere (starting).
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio
from mcp import Client, MCPError
from mcp_types import CallToolResult, TextContent

from bench.graded.task import Answer, Call, Plan
from bench.graded.worlds import World

CALL_WAIT = 120.0
"""Seconds for one call; a program may take sixty."""

PLACE = "/srv/bench"
"""What stands in texts for the servers' folder, so that no count depends on where it lies."""

_LISTED = re.compile(r"^(\w+): def (\w+)\(", re.MULTILINE)
_FILE = re.compile(r"^# (\w+): \d+ tools?", re.MULTILINE)
_STUB = re.compile(r"^def (\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Turn:
    """What the agent sent in one turn, and the answers to it in the same order."""

    calls: tuple[Call, ...]
    answers: tuple[Answer, ...]


@dataclass
class Conversation:
    """One task played: the turns, the final answer, and the seconds that the calls took."""

    turns: list[Turn] = field(default_factory=list)
    answer: str = ""
    seconds: float = 0.0


class Answering(Protocol):
    """Whoever answers calls."""

    async def answer(self, call: Call) -> Answer:
        """The text that a model reads for that call."""
        ...


class Agent(Answering, Protocol):
    """Whoever answers a plan's calls."""

    def before(self, calls: Sequence[Call]) -> Sequence[Call]:
        """What an agent must ask first, in a turn of its own, to be able to make these calls."""
        ...


class PlanError(Exception):
    """A plan did what no agent could have done; the text says what."""


async def play(plan: Plan, world: World, agent: Agent) -> Conversation:
    """Run a plan to its end. Raises PlanError, and whatever the plan itself raises."""
    conversation = Conversation()
    running = plan(world)
    began = time.perf_counter()
    try:
        calls = tuple(next(running))
        while True:
            if first := tuple(agent.before(calls)):
                conversation.turns.append(Turn(first, _masked(await ask_all(agent, first), world)))
            answers = _masked(await ask_all(agent, calls), world)
            conversation.turns.append(Turn(calls, answers))
            calls = tuple(running.send(answers))
    except StopIteration as end:
        conversation.answer = str(end.value)
    finally:
        running.close()
    conversation.seconds = time.perf_counter() - began
    return conversation


def _masked(answers: Sequence[Answer], world: World) -> tuple[Answer, ...]:
    return tuple(Answer(each.text.replace(str(world.root), PLACE), each.is_error) for each in answers)


async def ask_all(agent: Answering, calls: Sequence[Call]) -> tuple[Answer, ...]:
    """The answers to the calls of one turn, made side by side, in the calls' order."""
    answers: dict[int, Answer] = {}

    async def ask_for(place: int) -> None:
        with anyio.fail_after(CALL_WAIT):
            answers[place] = await agent.answer(calls[place])

    try:
        async with anyio.create_task_group() as tasks:
            for place in range(len(calls)):
                tasks.start_soon(ask_for, place)
    except* Exception as several:  # the first one says enough of what was wrong with the plan
        raise several.exceptions[0] from None
    return tuple(answers[place] for place in range(len(calls)))


class DirectAgent:
    """Calls the servers' tools as a client does that has a session with each."""

    def __init__(self, clients: dict[str, Client]) -> None:
        self._clients = clients

    async def answer(self, call: Call) -> Answer:
        """The tool's answer. Raises PlanError for a server that isn't there."""
        if call.server not in self._clients:
            raise PlanError(f"the plan calls {call.server}.{call.tool}, a server that the task doesn't name")
        return await ask(self._clients[call.server], call)

    def before(self, calls: Sequence[Call]) -> Sequence[Call]:  # noqa: ARG002
        """Nothing: every definition stands upfront."""
        return ()


class HubAgent:
    """Asks a hub's meta-tools, and holds a plan to what an agent can know: it calls only tools that it has read of.

    Where a plan's look-ups didn't show a tool that its program calls, the agent reads the server's file first.
    """

    def __init__(self, client: Client, names: frozenset[str]) -> None:
        self._client = client
        self._names = names
        self._seen = seen_in(client.instructions or "")

    def begin(self) -> "HubAgent":
        """An agent of a new conversation, which has read nothing yet but the instructions."""
        return HubAgent(self._client, self._names)

    async def answer(self, call: Call) -> Answer:
        """The meta-tool's answer. Raises PlanError for a program that calls a tool whose signature wasn't read."""
        if unread := self._unread([call]):
            raise PlanError(f"the program calls {', '.join(unread)}, whose signature no look-up showed before")
        answered = await ask(self._client, call)
        if not answered.is_error and call.tool != "executeToolCode":
            self._seen |= seen_in(answered.text)
            if call.tool == "getToolDocs":
                self._seen.add(f"{call.arguments['server']}.{call.arguments['tool']}")
        return answered

    def before(self, calls: Sequence[Call]) -> Sequence[Call]:
        """The files of the servers whose tools the programs call without having read of them."""
        files = dict.fromkeys(f"servers/{tool.partition('.')[0]}.pyi" for tool in self._unread(calls))
        return [Call("", "readToolFile", {"fileName": ", ".join(files)})] if files else []

    def _unread(self, calls: Sequence[Call]) -> list[str]:
        programs = [call.arguments["code"] for call in calls if call.tool == "executeToolCode"]
        return sorted({tool for code in programs for tool in called_in(code, self._names)} - self._seen)


class ModelAgent:
    """Asks a hub's meta-tools for a model, which decides by itself what it calls."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def answer(self, call: Call) -> Answer:
        """The meta-tool's answer."""
        return await ask(self._client, call)


def seen_in(text: str) -> set[str]:
    """The tools, as SERVER.TOOL, whose signatures stand in a look-up's answer."""
    seen = {f"{server}.{tool}" for server, tool in _LISTED.findall(text)}
    _, *files = _FILE.split(text)  # the texts between headings, each heading's server before its text
    for server, stubs in zip(files[::2], files[1::2], strict=True):
        seen |= {f"{server}.{tool}" for tool in _STUB.findall(stubs)}
    return seen


def called_in(code: str, names: frozenset[str]) -> set[str]:
    """The tools, as SERVER.TOOL, that a program names."""
    return {f"{server}.{tool}" for server, tool in re.findall(r"\b(\w+)\.(\w+)\s*\(", code) if server in names}


async def ask(client: Client, call: Call) -> Answer:
    """Make a call; its answer as a model reads it. A protocol error is an answer too."""
    try:
        result = await client.call_tool(call.tool, call.arguments)
    except MCPError as error:
        return Answer(str(error), is_error=True)
    return Answer(read_text(result), bool(result.is_error))


def read_text(result: CallToolResult) -> str:
    """What a model reads of a result: its texts; of anything else only the kind."""
    return "\n".join(block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in result.content)
