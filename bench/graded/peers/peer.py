"""What a peer is: another server that gives a model few tools in place of many, and how the benchmark deals with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from bench.graded.task import Call, Plan

BARE, ECHO = "bare", "echo"
"""The fixtures behind a peer whose programs are timed or hostile: bare's tool_000, echo's fail."""

DISK_FULL = "the disk is full"
"""What the failing tool is told to fail with."""


class Hostile(StrEnum):
    """What a hostile program does."""

    LOOP = "endless loop"
    DOUBLING = "doubling list"
    RECURSION = "endless recursion"
    LARGE = "3 MB result"
    CALLS = "1,000 calls"
    WRONG_TYPE = "wrong argument type"
    UNKNOWN = "unknown tool"
    FAILING = "failing tool"


@dataclass(frozen=True)
class Downstream:
    """A stdio server that stands behind a peer."""

    name: str
    command: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """How a peer is started over its servers, and those that it couldn't take, each with the reason."""

    command: Sequence[str]
    env: Mapping[str, str]
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """What a peer is prepared for."""

    servers: Sequence[Downstream]
    folder: Path
    """An empty one for what the peer keeps."""
    venv: Path
    """The peer's environment."""
    learning: bool = True
    """Whether it may keep what one conversation showed of results for the next, if it does such a thing."""


class NotMeasuredError(Exception):
    """A peer can't be installed or started; the text tells why."""


class Peer(Protocol):
    """One server that is compared; a peer without requirements is in this environment already."""

    name: str
    requirements: Sequence[str]
    """What pip installs into the peer's own environment."""
    python: tuple[int, int]
    """The least Python that it runs on."""
    plans: Mapping[str, Plan | str]
    """By a task's name: how an agent solves it with this peer's tools, or why none can."""

    def prepare(self, setting: Setting) -> Started:
        """Make ready to be started, so that it knows the servers' tools then. Raises NotMeasuredError."""
        ...

    def run(self, code: str) -> Call:
        """The call that runs a program."""
        ...

    def calls(self, count: int) -> str:
        """A program with so many calls of bare's tool_000 in a row."""
        ...

    def hostile(self, kind: Hostile) -> str:
        """The hostile program, in the peer's dialect."""
        ...


def meta(tool: str, **arguments: Any) -> Call:
    """A call of one of a peer's own tools."""
    return Call("", tool, arguments)
