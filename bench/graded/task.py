"""What a task is: a request, the world that it is about, how a competent agent acts on it, and what a right end is.

A plan is a generator: it yields the calls of one turn (several are made side by side) and is sent their answers; what
it returns is the agent's final answer. A plan of `direct` calls the servers' tools, by the names that they list; a plan
of `hub` calls the four meta-tools. Both may compute with answers as an agent that reads them would.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.graded.worlds import World


class Level(StrEnum):
    """How much a task asks for."""

    SIMPLE = "simple"
    """One call."""
    MEDIUM = "medium"
    """Two to five calls, data passed on."""
    HARD = "hard"
    """A loop over twenty things or more, a join across servers, a filter over a large result."""
    EDGE = "edge"
    """A failing tool, something missing, a huge result, an ambiguous name."""


@dataclass(frozen=True)
class Call:
    """One tool call; `server` is empty for a meta-tool of the hub."""

    server: str
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a call came to: the text that a model reads."""

    text: str
    is_error: bool = False


Steps = Generator[Sequence[Call], Sequence[Answer], str]
"""A plan under way."""

Plan = Callable[[World], Steps]


@dataclass(frozen=True)
class Task:
    """A task, whole. Its world, its right end and its grader are made without any server.

    `make` makes the world; `solve` does in it what was asked, and gives the right final answer; `grade` says whether
    an answer, and the world as it stands after it, are right; `wrong` are answers that it must refuse.
    """

    name: str
    level: Level
    servers: frozenset[str]
    request: str
    make: Callable[[World], None]
    solve: Callable[[World], str]
    grade: Callable[[World, str], bool]
    wrong: Sequence[str]
    direct: Plan = field(repr=False)
    hub: Plan = field(repr=False)

    def world_in(self, root: Path) -> World:
        """Its world, made anew in the servers' folder."""
        world = World(root / "work")
        world.reset()
        self.make(world)
        return world


def call(server: str, tool: str, **arguments: Any) -> Call:
    """A call of a server's tool, by the names that it lists."""
    return Call(server, tool, arguments)


def look(query: str, **arguments: Any) -> Call:
    """A look-up of signatures: listToolFiles(query, server, limit)."""
    return Call("", "listToolFiles", {"query": query, **arguments})


def read(file: str) -> Call:
    """A stub file, or several: readToolFile."""
    return Call("", "readToolFile", {"fileName": file})


def docs(tool: str) -> Call:
    """A tool's full documentation: getToolDocs; `tool` is SERVER.TOOL."""
    server, _, name = tool.partition(".")
    return Call("", "getToolDocs", {"server": server, "tool": name})


def program(code: str) -> Call:
    """A program: executeToolCode."""
    return Call("", "executeToolCode", {"code": code.strip("\n")})
