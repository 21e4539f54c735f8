"""Plays plans against real servers: with their tools given directly, or through one hub; keeps what was said.

Owns the servers' processes, or the hub's. Everything that a model would read or write is in the Conversation that
comes of a run; what it costs is counted elsewhere (billing).
"""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from bench import servers
from bench.graded.task import Answer, Call, Plan
from bench.graded.worlds import World
from bench.processes import ROOT, BenchError
from bench.servers import Entry
from bench.tokens import as_sent

CALL_WAIT = 120.0
"""Seconds for one call; a program may take sixty."""
LISTED_WAIT = 90.0
"""Seconds until the hub has listed all servers, which start side by side on few cores."""

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


class Agent(Protocol):
    """Whoever answers a plan's calls."""

    async def answer(self, call: Call) -> Answer:
        """The text that a model reads for that call."""
        ...

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
                conversation.turns.append(Turn(first, await ask_all(agent, first)))
            answers = await ask_all(agent, calls)
            conversation.turns.append(Turn(calls, answers))
            calls = tuple(running.send(answers))
    except StopIteration as end:
        conversation.answer = str(end.value)
    finally:
        running.close()
    conversation.seconds = time.perf_counter() - began
    return conversation


async def ask_all(agent: Agent, calls: Sequence[Call]) -> tuple[Answer, ...]:
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

    def __init__(self, clients: dict[str, Client], root: Path) -> None:
        self._clients = clients
        self._root = root

    async def answer(self, call: Call) -> Answer:
        """The tool's answer. Raises PlanError for a server that isn't there."""
        if call.server not in self._clients:
            raise PlanError(f"the plan calls {call.server}.{call.tool}, a server that the task doesn't name")
        return await ask(self._clients[call.server], call, self._root)

    def before(self, calls: Sequence[Call]) -> Sequence[Call]:  # noqa: ARG002
        """Nothing: every definition stands upfront."""
        return ()


class HubAgent:
    """Asks a hub's meta-tools, and holds a plan to what an agent can know: it calls only tools that it has read of.

    Where a plan's look-ups didn't show a tool that its program calls, the agent reads the server's file first.
    """

    def __init__(self, client: Client, names: frozenset[str], root: Path) -> None:
        self._client = client
        self._names = names
        self._root = root
        self._seen = seen_in(client.instructions or "")

    def begin(self) -> "HubAgent":
        """An agent of a new conversation, which has read nothing yet but the instructions."""
        return HubAgent(self._client, self._names, self._root)

    async def answer(self, call: Call) -> Answer:
        """The meta-tool's answer. Raises PlanError for a program that calls a tool whose signature wasn't read."""
        if unread := self._unread([call]):
            raise PlanError(f"the program calls {', '.join(unread)}, whose signature no look-up showed before")
        answered = await ask(self._client, call, self._root)
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


async def ask(client: Client, call: Call, root: Path) -> Answer:
    """Make a call; its answer as a model reads it. A protocol error is an answer too."""
    try:
        result = await client.call_tool(call.tool, call.arguments)
    except MCPError as error:
        return Answer(str(error), is_error=True)
    return Answer(read_text(result).replace(str(root), PLACE), bool(result.is_error))


def read_text(result: CallToolResult) -> str:
    """What a model reads of a result: its texts; of anything else only the kind."""
    return "\n".join(block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in result.content)


def parameters(entry: Entry, root: Path) -> StdioServerParameters:
    """How a real server is started, in the world's folder."""
    program, *arguments = (servers.filled(each, root) for each in entry.command)
    env = {name: servers.filled(value, root) for name, value in entry.env.items()}
    return StdioServerParameters(command=program, args=arguments, env=env, cwd=str(root / "work"))


@asynccontextmanager
async def direct(entries: Sequence[Entry], root: Path) -> AsyncIterator[DirectAgent]:
    """The servers, started and connected. Raises the SDK's MCPError for one that doesn't answer."""
    async with AsyncExitStack() as stack:
        clients = {}
        errors = stack.enter_context((root / "logs" / "direct.log").open("w"))
        for entry in entries:
            transport = stdio_client(parameters(entry, root), errors)
            client = Client(transport, mode="legacy", read_timeout_seconds=CALL_WAIT)
            clients[entry.name] = await stack.enter_async_context(client)
        yield DirectAgent(clients, root / "work")


@dataclass(frozen=True)
class Hub:
    """A hub that has listed all its servers, as its client sees it."""

    agent: HubAgent
    instructions: str
    definitions: list[dict[str, Any]]


@asynccontextmanager
async def hub(entries: Sequence[Entry], root: Path) -> AsyncIterator[Hub]:
    """A hub over the servers, in its first session with shapes unlearned. Raises BenchError if a server isn't listed.

    What it knows when it starts is the servers' lists, kept by a session before: as for everybody but on the first day.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "servers.toml"
        config.write_text(configuration(entries, root))
        started = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mcp_hub", "serve", "--config", str(config)],
            env={"MCP_HUB_STATE_DIR": f"{folder}/state", "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            cwd=folder,
        )
        with (root / "logs" / "hub.log").open("w") as errors:
            async with Client(stdio_client(started, errors)) as first:
                await _all_listed(first, entries)
            async with Client(stdio_client(started, errors)) as client:
                await _all_listed(client, entries)
                names = frozenset(entry.name.replace("-", "_") for entry in entries)
                definitions = as_sent((await client.list_tools()).tools)
                yield Hub(HubAgent(client, names, root / "work"), client.instructions or "", definitions)


def configuration(entries: Sequence[Entry], root: Path) -> str:
    """The servers.toml of a hub over the servers."""
    parts = ["[hub]\nlearn_shapes = false"]  # else what one task shows of results would help the next
    for entry in entries:
        started = parameters(entry, root)
        lines = [f"[servers.{entry.name}]", f"command = {json.dumps([started.command, *started.args])}"]
        lines.append(f"cwd = {json.dumps(started.cwd)}")
        if started.env:
            lines.append(
                f"env = {{ {', '.join(f'{name} = {json.dumps(text)}' for name, text in started.env.items())} }}"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


async def _all_listed(client: Client, entries: Sequence[Entry]) -> None:
    wanted = [f"{entry.tools} tool" for entry in entries]
    text = ""
    with anyio.move_on_after(LISTED_WAIT):
        while True:
            text = read_text(await client.call_tool("listToolFiles", {}))
            lines = [line for line in text.splitlines() if line.startswith("servers/") and " tool" in line]
            if len(lines) == len(wanted) and all(count in line for count, line in zip(wanted, lines, strict=True)):
                return
            await anyio.sleep(0.2)
    raise BenchError(f"the hub hasn't listed all servers after {LISTED_WAIT:g} s; it says: {text}")
