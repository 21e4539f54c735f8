"""One program's conversation with its worker: its calls are answered and counted, its end is told.

Above is `pool`, which has the worker; below are the worker's frames, which aren't trusted: their size is bounded before
they are read, and what they hold is checked.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc

from mcp_hub.errors import CallerError, DeniedError, HubError, LimitError, ScriptError
from mcp_hub.sandbox import protocol
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.protocol import MAIN_LINE, Frame
from mcp_hub.sockets import SocketReader

MEMORY_REMEDY = (
    "Memory isn't given back while a program runs, so what it makes in a loop adds up: ask the tools for less, or "
    "work in several programs."
)
REMEDIES = {
    "steps": "Ask a tool to do the filtering, or loop over less.",
    "call_depth": "Write the recursion as a loop.",
    "value_nesting": "Hand over flatter data, or text that json.encode made.",
    "memory_mib": MEMORY_REMEDY,
    "wall_seconds": "Do less in one program, or raise the limit.",
    "calls": "Do the work in several programs, or ask for less.",
}
"""What to do about each limit."""

EXIT_WAIT = 2.0
"""Seconds to wait for the word of a worker's end; the zygote answers within milliseconds unless it died."""

PROBLEMS = 20
"""Problems with one program that are told at once."""

FAILURES = ((CallerError, "arguments"), (DeniedError, "denied"))
"""How a failed call is called in the program's error; every other one is the tool's."""

VALUE_FRAME_BYTES = len(protocol.encode({"type": "value", "value": ""})) - len('""')
"""Of a frame with a call's value, what isn't the value."""

CallTool = Callable[[str, str, list[Any], dict[str, Any]], Awaitable[Any]]
"""(server, tool, positional arguments, keyword arguments) -> a JSON value. Raises HubError."""

Problem = tuple[int, str, str]
"""Line, kind (as a ScriptError's), text."""


@dataclass(frozen=True)
class PlannedCall:
    """A call as it stands in a program's text. A constant argument is [value], a computed one []."""

    line: int
    server: str
    tool: str
    args: Sequence[Sequence[Any]]
    kwargs: Mapping[str, Sequence[Any]]
    open: bool
    """Whether it unpacks further arguments, with * or **."""


PLANNED = (("line", int), ("server", str), ("tool", str), ("args", list), ("kwargs", dict), ("open", bool))
"""What a planned call's fields are, in a frame."""

Check = Callable[[Sequence[PlannedCall]], Awaitable[list[Problem]]]
Recall = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class Job:
    """A program, what it may name, and who answers for it."""

    code: str
    namespaces: Mapping[str, Sequence[str]]
    """Server -> the tools to bind, for the servers that the program names."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Servers that exist but can't be used now, with the reason."""
    servers: Sequence[str] = ()
    """Every server there is, for the error about a name that isn't one."""
    scripts: Mapping[str, str] = field(default_factory=dict)
    """The shared scripts that it may load: path -> text."""
    check: Check | None = None
    """Finds what is wrong with the calls in its text, before the first is made."""
    recall: Recall | None = None
    """Answers a value by its handle. Raises CallerError."""
    client: str = ""
    """Whose program it is: each client has its share of the slots."""


@dataclass
class Run:
    """What came of a program: a value, or an error; and what it printed and used."""

    value: Any = None
    answered: bool = True
    """Whether the program said what its answer is, null included."""
    error: HubError | None = None
    log: str = ""
    calls: int = 0
    succeeded: int = 0
    """Of the calls, those that were answered with a value."""
    steps: int = 0
    result_bytes: int = 0
    """What the calls' values have as JSON."""

    def told_calls(self) -> str:
        """How far the program got, in a sentence."""
        if not self.calls:
            return "No tool was called before that."
        of = f"the {self.calls} tool calls" if self.calls > 1 else "the 1 tool call"
        return f"Before that, {self.succeeded} of {of} succeeded."


@dataclass
class Worker:
    """A worker as the hub sees it: a socket, and how its process ended."""

    number: int
    connection: socket.socket
    reader: SocketReader
    exited: anyio.Event = field(default_factory=anyio.Event)
    status: int = 0
    group: int | None = None
    """Its process group, known once it has more than one process."""
    too_large: bool = False
    """Whether its processes were found to use more memory than they may."""
    answered: bool = False
    buffer: bytearray = field(default_factory=bytearray)

    async def receive(self) -> tuple[int, Frame] | None:
        """The next frame and its number; None when the socket ended. Raises LimitError for one that is too large."""
        header = await self._exactly(protocol.HEADER.size)
        if header is None:
            return None
        size, number = protocol.HEADER.unpack(header)
        if size > protocol.MAX_FRAME_BYTES:
            raise _too_large(size)
        body = await self._exactly(size)
        try:
            return None if body is None else (number, protocol.decode(body))
        except ValueError as error:
            raise ScriptError("script", f"The worker sent what is no frame: {error}") from None

    async def send(self, frame: bytes) -> None:
        """Send an encoded frame; one at a time, the next waits."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the next receive tells of the end
            await asyncio.get_running_loop().sock_sendall(self.connection, frame)

    def close(self) -> None:
        """Let go of the socket, which ends a worker that waits for it."""
        self.reader.close()
        self.connection.close()

    async def _exactly(self, size: int) -> bytes | None:
        while len(self.buffer) < size:
            chunk = await self.reader.receive()
            if not chunk:
                return None
            self.buffer += chunk
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken


class Conversation:
    """What is said between one worker and the hub while one program runs."""

    def __init__(self, worker: Worker, job: Job, call_tool: CallTool, limits: Limits) -> None:
        self.run = Run()
        self._worker = worker
        self._job = job
        self._call_tool = call_tool
        self._limits = limits
        self._log_left = limits.log_bytes + 200  # the worker's own note about what it left out
        self._parallel = anyio.Semaphore(limits.calls_parallel)
        self._sending = anyio.Lock()

    async def hold(self) -> None:
        """Send the job and answer the worker until the program has ended; what came of it is in `run`."""
        with anyio.move_on_after(self._limits.wall_seconds) as scope:
            async with anyio.create_task_group() as branches:
                try:
                    await self._worker.send(self._job_frame())
                    await self._answer_all(branches)
                except HubError as error:
                    self.run.error = error
                branches.cancel_scope.cancel()
        if scope.cancelled_caught and self.run.error is None:
            self.run.error = self._limit("wall_seconds")

    def _job_frame(self) -> bytes:
        return protocol.encode(
            {
                "type": "run",
                "code": self._job.code,
                "namespaces": {name: list(tools) for name, tools in self._job.namespaces.items()},
                "unavailable": dict(self._job.unavailable),
                "servers": list(self._job.servers),
                "scripts": dict(self._job.scripts),
            }
        )

    async def _answer_all(self, branches: anyio.abc.TaskGroup) -> None:
        run = self.run
        while True:
            received = await self._worker.receive()
            if received is None:
                raise await self._death()
            number, frame = received
            match frame["type"]:
                case "call" | "recall":
                    if run.calls >= self._limits.calls:
                        raise self._limit("calls")
                    run.calls += frame["type"] == "call"
                    if number == MAIN_LINE:
                        await self._worker.send(await self._answer(number, frame))
                    else:
                        branches.start_soon(self._answer_branch, number, frame)
                case "log":
                    self._keep(str(frame.get("text", "")))
                case "check":
                    if problems := await self._problems(frame):
                        raise _refused(problems)
                case "forked":
                    self._worker.group = _whole(frame, "group")
                case "done":
                    self._worker.answered = True
                    run.value, run.steps = frame.get("value"), _whole(frame, "steps")
                    run.answered = bool(frame.get("answered", True))
                    return
                case "error":
                    self._worker.answered = True
                    run.steps = _whole(frame, "steps")
                    raise self._failure(str(frame.get("kind")), str(frame.get("message")))
                case other:
                    raise ScriptError("script", f"The worker sent a frame of the unknown type {other!r}.")

    def _keep(self, printed: str) -> None:
        """Add to the log; the branches of a program may print more together than each by itself."""
        if len(printed) > self._log_left > 0:
            printed = f"{printed[: self._log_left]}\n[the rest was left out: log_bytes]\n"
            self._log_left = len(printed)
        self.run.log += printed[: self._log_left]
        self._log_left = max(self._log_left - len(printed), 0)

    async def _answer_branch(self, number: int, frame: Frame) -> None:
        async with self._parallel:
            try:
                answer = await self._answer(number, frame)
            except HubError as error:
                answer = _failure(number, error)
        async with self._sending:
            await self._worker.send(answer)

    async def _answer(self, number: int, frame: Frame) -> bytes:
        if frame["type"] == "recall":
            return await self._recalled(number, str(frame.get("handle")))
        server, tool = str(frame.get("server")), str(frame.get("tool"))
        args, kwargs = frame.get("args") or [], frame.get("kwargs") or {}
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ScriptError("script", "The worker sent a call whose arguments are no list and no object.")
        try:
            with anyio.move_on_after(self._limits.call_seconds) as scope:
                value = await self._call_tool(server, tool, args, kwargs)
                answer = protocol.encode({"type": "value", "value": value}, number)
        except HubError as error:
            return _failure(number, error)
        except RecursionError:
            deep = f"{server}.{tool} answered with data that is nested too deep for a program."
            return _failure(number, HubError(deep))
        if scope.cancelled_caught:
            bound = f"call_seconds = {self._limits.call_seconds:g} (hub.limits.call_seconds in servers.toml)"
            return _failure(
                number, HubError(f"{server}.{tool} didn't answer within {bound}; it may still have done it.")
            )
        self.run.succeeded += 1
        self.run.result_bytes += len(answer) - VALUE_FRAME_BYTES
        return answer

    async def _recalled(self, number: int, handle: str) -> bytes:
        try:
            if self._job.recall is None:
                raise CallerError("Nothing is kept here that could be recalled.")
            return protocol.encode({"type": "value", "value": await self._job.recall(handle)}, number)
        except HubError as error:
            return _failure(number, error)

    async def _problems(self, frame: Frame) -> list[Problem]:
        try:
            problems = [(int(line), str(kind), str(text)) for line, kind, text in frame["problems"]]
            calls = [_planned(call) for call in frame["calls"]]
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise ScriptError("script", "The worker sent a check that is none.") from None
        if calls and self._job.check is not None:
            problems += await self._job.check(calls)
        return sorted(problems)

    def _failure(self, kind: str, message: str) -> HubError:
        limit = {"memory": "memory_mib", "cpu": "wall_seconds"}.get(kind, kind)
        if limit not in REMEDIES:
            return ScriptError(kind, message)
        return self._limit(limit, "" if kind in ("memory", "cpu") else message)

    async def _death(self) -> HubError:
        worker = self._worker
        with anyio.move_on_after(EXIT_WAIT):
            await worker.exited.wait()
        number = os.WTERMSIG(worker.status) if os.WIFSIGNALED(worker.status) else 0
        if worker.too_large:
            return self._limit("memory_mib")
        if number == signal.SIGXCPU:
            return self._limit("wall_seconds")
        if number in (signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP):
            return self._limit("memory_mib")
        return ScriptError("script", f"The interpreter ended without an answer (wait status {worker.status}).")

    def _limit(self, limit: str, message: str = "") -> LimitError:
        value = getattr(self._limits, limit)
        remedy = f"{REMEDIES[limit]}\n{message}" if message else REMEDIES[limit]
        told = f"{value:g}" if isinstance(value, float) else str(value)
        return LimitError(limit, told, self.run.told_calls(), remedy)


def _failure(number: int, error: HubError) -> bytes:
    kind = next((kind for known, kind in FAILURES if isinstance(error, known)), "tool")
    return protocol.encode({"type": "failure", "kind": kind, "message": error.text}, number)


def _whole(frame: Frame, key: str) -> int:
    value = frame.get(key, 0)
    if not isinstance(value, int):
        raise ScriptError("script", f"The worker sent a frame whose {key} is no whole number.")
    return value


def _planned(call: Any) -> PlannedCall:
    """A planned call of a check. Raises KeyError or TypeError for what is none."""
    given = [*call["args"], *call["kwargs"].values()]
    if not all(isinstance(call[name], kind) for name, kind in PLANNED) or not all(isinstance(x, list) for x in given):
        raise TypeError("what is no call")
    return PlannedCall(**call)


def _refused(problems: Sequence[Problem]) -> ScriptError:
    """All that is wrong with a program before it runs, in the order of its lines."""
    kinds = [kind for _, kind, _ in problems]
    lines = [f"line {line}: {text}" for line, _, text in problems[:PROBLEMS]]
    if len(problems) > PROBLEMS:
        lines.append(f"and {len(problems) - PROBLEMS} more")
    return ScriptError("syntax" if "syntax" in kinds else kinds[0], "\n".join(lines))


def _too_large(size: int) -> LimitError:
    most = protocol.MAX_FRAME_BYTES
    return LimitError(
        "result_characters",
        f"{most} bytes at most between a program and the hub",
        f"The program's answer, or the arguments of a call, had {size} bytes.",
        "Filter in the program, and answer with what matters.",
    )
