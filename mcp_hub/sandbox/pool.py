"""Runs programs in worker processes: hands them out warm, answers their calls, ends them.

Owns the zygote process and, through it, every worker. Above it is whoever has a program and a `call_tool`;
below it are `zygote` and `worker`, whom it doesn't trust: frames are bounded, time is the pool's own clock,
and a worker is killed after its one program, however that ended.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc
import anyio.to_thread
import starlark

from mcp_hub.errors import CallerError, DeniedError, HubError, LimitError, ScriptError
from mcp_hub.sandbox import protocol, zygote
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.protocol import Frame
from mcp_hub.sockets import SocketReader

logger = logging.getLogger(__name__)

WARM_WORKERS = 4
"""Workers kept ready, about 1.3 MB each: more programs than an agent starts within a moment."""

TIDY_AFTER = 0.01
"""Seconds from a program's end until its worker is killed and another is forked: the answer has gone out by then."""

MEMORY_REMEDY = (
    "Memory isn't given back while a program runs, so what it makes in a loop adds up: ask the tools for less, or "
    "work in several programs."
)

EXIT_WAIT = 2.0
"""Seconds to wait for the word of a worker's end; the zygote answers within milliseconds unless it died."""

ZYGOTE_EXIT_WAIT = 2.0
"""Seconds that the zygote gets to kill its workers and exit, before it is killed itself."""

FAILURES = ((CallerError, "arguments"), (DeniedError, "denied"))
"""How a failed call is called in the program's error; every other one is the tool's."""

CallTool = Callable[[str, str, list[Any], dict[str, Any]], Awaitable[Any]]
"""(server, tool, positional arguments, keyword arguments) -> a JSON value. Raises HubError."""


@dataclass(frozen=True)
class Job:
    """A program and what it may name."""

    code: str
    namespaces: Mapping[str, Sequence[str]]
    """Server -> the tools to bind, for the servers that the program names."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Servers that exist but can't be used now, with the reason."""
    servers: Sequence[str] = ()
    """Every server there is, for the error about a name that isn't one."""


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

    def told_calls(self) -> str:
        """How far the program got, in a sentence."""
        if not self.calls:
            return "No tool was called before that."
        of = f"the {self.calls} tool calls" if self.calls > 1 else "the 1 tool call"
        return f"Before that, {self.succeeded} of {of} succeeded."


@dataclass
class _Worker:
    number: int
    connection: socket.socket
    reader: SocketReader
    exited: anyio.Event = field(default_factory=anyio.Event)
    status: int = 0
    answered: bool = False
    buffer: bytearray = field(default_factory=bytearray)

    async def receive(self) -> Frame | None:
        """The next frame; None when the worker's socket ended. Raises LimitError for one that is too large."""
        header = await self._exactly(protocol.HEADER.size)
        if header is None:
            return None
        (size,) = protocol.HEADER.unpack(header)
        if size > protocol.MAX_FRAME_BYTES:
            raise _too_large(size)
        body = await self._exactly(size)
        try:
            return None if body is None else protocol.decode(body)
        except ValueError as error:
            raise ScriptError("script", f"The worker sent what is no frame: {error}") from None

    async def send(self, frame: bytes) -> None:
        """Send an encoded frame."""
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


class Pool:
    """An async context manager; `run` may be called by any number of tasks.

    The zygote starts with the first program, or with `warm`; it is started again if it should die.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slots = anyio.Semaphore(limits.programs)
        self._starting = anyio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._workers: dict[int, _Worker] = {}
        self._warm: deque[_Worker] = deque()
        self._numbers = 0
        self._used = anyio.Event()
        self._answered: deque[_Worker] = deque()
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._keep_warm)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        try:
            return await self._tasks.__aexit__(kind, error, trace)
        finally:
            with anyio.CancelScope(shield=True):
                await self._stop_zygote()

    async def warm(self) -> None:
        """Start the zygote and fork the workers that are kept ready."""
        await self._ensure_zygote()
        while len(self._warm) < WARM_WORKERS:
            self._warm.append(self._fork())

    async def run(self, job: Job, call_tool: CallTool) -> Run:
        """Run one program. Cancelling ends it, and the call it is waiting for.

        What goes wrong with the program is in the answer's `error`; nothing but cancellation is raised.
        """
        run = Run()
        size = len(job.code.encode(errors="replace"))
        if size > self._limits.source_bytes:
            run.error = LimitError(
                "source_bytes",
                str(self._limits.source_bytes),
                f"The program has {size} bytes and was not started.",
                "Send a shorter one, or several.",
            )
            return run
        try:
            async with self._slots, self._taken() as worker:
                with anyio.move_on_after(self._limits.wall_seconds) as scope:
                    await self._converse(worker, job, call_tool, run)
                if scope.cancelled_caught:
                    run.error = self._limit("wall_seconds", run, "Do less in one program, or raise the limit.")
        except HubError as error:
            run.error = error
        except OSError as error:
            logger.warning("no worker could be started: %s", error)
            run.error = HubError(f"The interpreter couldn't be started ({error}). Run the program again.")
        return run

    async def _converse(self, worker: _Worker, job: Job, call_tool: CallTool, run: Run) -> None:
        namespaces = {name: list(tools) for name, tools in job.namespaces.items()}
        job_frame = protocol.encode(
            {
                "type": "run",
                "code": job.code,
                "namespaces": namespaces,
                "unavailable": dict(job.unavailable),
                "servers": list(job.servers),
            }
        )
        await worker.send(job_frame)
        log_left = self._limits.log_bytes + 200  # the worker's own note about what it left out
        while True:
            frame = await worker.receive()
            if frame is None:
                run.error = await self._death(worker, run)
                return
            match frame["type"]:
                case "call":
                    if run.calls >= self._limits.calls:
                        raise self._limit("calls", run, "Do the work in several programs, or ask for less.")
                    run.calls += 1
                    await worker.send(await self._answer(frame, call_tool, run))
                case "log":
                    text = str(frame.get("text", ""))[:log_left]
                    log_left -= len(text)
                    run.log += text
                case "done":
                    worker.answered = True
                    run.value, run.steps = frame.get("value"), int(frame.get("steps", 0))
                    run.answered = bool(frame.get("answered", True))
                    return
                case "error":
                    worker.answered = True
                    run.steps = int(frame.get("steps", 0))
                    run.error = self._failure(str(frame.get("kind")), str(frame.get("message")), run)
                    return
                case other:
                    raise ScriptError("script", f"The worker sent a frame of the unknown type {other!r}.")

    async def _answer(self, frame: Frame, call_tool: CallTool, run: Run) -> bytes:
        server, tool = str(frame.get("server")), str(frame.get("tool"))
        args, kwargs = frame.get("args") or [], frame.get("kwargs") or {}
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ScriptError("script", "The worker sent a call whose arguments are no list and no object.")
        try:
            value = await call_tool(server, tool, args, kwargs)
            answer = protocol.encode({"type": "value", "value": value})
        except HubError as error:
            kind = next((kind for known, kind in FAILURES if isinstance(error, known)), "tool")
            return protocol.encode({"type": "failure", "kind": kind, "message": error.text})
        except RecursionError:
            deep = f"{server}.{tool} answered with data that is nested too deep for a program."
            return protocol.encode({"type": "failure", "kind": "tool", "message": deep})
        run.succeeded += 1
        return answer

    def _failure(self, kind: str, message: str, run: Run) -> HubError:
        match kind:
            case "steps" | "call_depth" | "memory":
                limit = "memory_mib" if kind == "memory" else kind
                remedy = {
                    "steps": "Ask a tool to do the filtering, or loop over less.",
                    "call_depth": "Write the recursion as a loop.",
                    "memory_mib": MEMORY_REMEDY,
                }[limit]
                return self._limit(limit, run, f"{remedy}\n{message}" if kind != "memory" else remedy)
            case _:
                return ScriptError(kind, message)

    async def _death(self, worker: _Worker, run: Run) -> HubError:
        with anyio.move_on_after(EXIT_WAIT):
            await worker.exited.wait()
        number = os.WTERMSIG(worker.status) if os.WIFSIGNALED(worker.status) else 0
        if number == signal.SIGXCPU:
            return self._limit("wall_seconds", run, "Do less in one program, or raise the limit.")
        if number in (signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS):
            return self._limit("memory_mib", run, MEMORY_REMEDY)
        return ScriptError("script", f"The interpreter ended without an answer (wait status {worker.status}).")

    def _limit(self, limit: str, run: Run, remedy: str) -> LimitError:
        value = getattr(self._limits, limit)
        return LimitError(limit, f"{value:g}" if isinstance(value, float) else str(value), run.told_calls(), remedy)

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[_Worker]:
        await self._ensure_zygote()
        while self._warm and self._warm[0].exited.is_set():
            self._warm.popleft().close()  # it died while it waited
        worker = self._warm.popleft() if self._warm else self._fork()
        try:
            yield worker
        finally:
            if worker.answered:
                self._answered.append(worker)  # it waits to be ended; the program's answer goes out first
            else:
                self._end(worker)
            self._used.set()

    async def _keep_warm(self) -> None:
        """End and replace the workers that were used, a moment after each program has ended."""
        while True:
            await self._used.wait()
            self._used = anyio.Event()
            if self._warm:
                await anyio.sleep(TIDY_AFTER)
            while self._answered:
                self._end(self._answered.popleft())
            with contextlib.suppress(OSError):  # the next program tries again, and tells
                await self.warm()

    async def _ensure_zygote(self) -> None:
        async with self._starting:
            if self._process is not None and self._process.poll() is None:
                return
            if self._process is not None:
                logger.error("the zygote ended with status %s and is started again", self._process.returncode)
                self._forget()
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = await anyio.to_thread.run_sync(start_zygote, theirs, self._limits)
            ours.setblocking(False)
            self._control = ours
            assert self._tasks is not None
            self._tasks.start_soon(self._hear, ours)

    def _fork(self) -> _Worker:
        assert self._control is not None
        self._numbers += 1
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [zygote.REQUEST.pack(zygote.FORK, self._numbers)], [theirs.fileno()])
        ours.setblocking(False)
        worker = _Worker(self._numbers, ours, SocketReader(ours))
        self._workers[worker.number] = worker
        return worker

    def _end(self, worker: _Worker) -> None:
        worker.close()
        if self._control is not None and not worker.exited.is_set():
            with contextlib.suppress(OSError):  # a zygote that has gone has taken its workers along
                self._control.send(zygote.REQUEST.pack(zygote.KILL, worker.number))

    async def _hear(self, control: socket.socket) -> None:
        buffer = bytearray()
        reader = SocketReader(control)
        with control, contextlib.closing(reader):
            while chunk := await reader.receive():
                buffer += chunk
                while len(buffer) >= zygote.NOTICE.size:
                    _, number, status = zygote.NOTICE.unpack_from(buffer)
                    del buffer[: zygote.NOTICE.size]
                    if worker := self._workers.pop(number, None):
                        worker.status = status
                        worker.exited.set()

    def _forget(self) -> None:
        """Close what belongs to this zygote: its control socket, which ends it, and the warm workers' sockets."""
        for worker in (*self._warm, *self._answered):
            worker.close()
        self._warm.clear()
        self._answered.clear()
        self._workers.clear()
        if self._control is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself
                self._control.shutdown(socket.SHUT_RDWR)  # `_hear` reads from it still, and closes it
        self._control = None

    async def _stop_zygote(self) -> None:
        process, self._process = self._process, None
        self._forget()
        if process is None:
            return
        deadline = anyio.current_time() + ZYGOTE_EXIT_WAIT
        while process.poll() is None and anyio.current_time() < deadline:
            await anyio.sleep(0.005)
        if process.poll() is None:
            process.kill()
            process.wait()


def start_zygote(control: socket.socket, limits: Limits) -> "subprocess.Popen[bytes]":
    """An isolated interpreter (-I: no environment, -S: no site) that finds only this package and starlark."""
    here = Path(__file__).resolve().parents[2]
    library = Path(starlark.__file__).resolve().parents[1]
    start = (
        f"import sys; sys.path[:0] = {[str(here), str(library)]!r}; "
        "from mcp_hub.sandbox.zygote import main; main(sys.argv[1])"
    )
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", start, limits.model_dump_json()],
        stdin=control.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )


def _too_large(size: int) -> LimitError:
    most = protocol.MAX_FRAME_BYTES
    return LimitError(
        "result_characters",
        f"{most} bytes at most between a program and the hub",
        f"The program's answer, or the arguments of a call, had {size} bytes.",
        "Filter in the program, and answer with what matters.",
    )
