"""Runs programs in worker processes: hands them out warm, answers their calls, ends them.

Owns the zygote process and, through it, every worker. Above it is whoever has a program and a `call_tool`;
below it are `zygote` and `worker`, whom it doesn't trust: frames are bounded, time is the pool's own clock,
and a worker is killed after its one program, however that ended.
"""

import contextlib
import logging
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import anyio.abc
import anyio.to_thread
import starlark

from mcp_hub.errors import HubError, LimitError
from mcp_hub.sandbox import memory, zygote
from mcp_hub.sandbox.conversation import CallTool, Conversation, Job, Run, Worker
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.slots import Slots
from mcp_hub.sockets import SocketReader

logger = logging.getLogger(__name__)

WARM_WORKERS = 4
"""Workers kept ready, about 1.3 MB each: more programs than an agent starts within a moment."""

TIDY_AFTER = 0.01
"""Seconds from a program's end until its worker is killed and another is forked: the answer has gone out by then."""

ZYGOTE_EXIT_WAIT = 2.0
"""Seconds that the zygote gets to kill its workers and exit, before it is killed itself."""


class Pool:
    """An async context manager; `run` may be called by any number of tasks.

    The zygote starts with the first program, or with `warm`; it is started again if it should die.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._slots = Slots(limits.programs, limits.programs_client)
        self._starting = anyio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._workers: dict[int, Worker] = {}
        self._warm: deque[Worker] = deque()
        self._numbers = 0
        self._used = anyio.Event()
        self._answered: deque[Worker] = deque()
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._keep_warm)
        self._tasks.start_soon(self._watch_memory)
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
        size = len(job.code.encode(errors="replace"))
        if size > self._limits.source_bytes:
            told = f"The program has {size} bytes and was not started."
            most = str(self._limits.source_bytes)
            return Run(error=LimitError("source_bytes", most, told, "Send a shorter one, or several."))
        try:
            async with self._slots.taken(job.client), self._taken() as worker:
                conversation = Conversation(worker, job, call_tool, self._limits)
                await conversation.hold()
                return conversation.run
        except OSError as error:
            logger.warning("no worker could be started: %s", error)
            return Run(error=HubError(f"The interpreter couldn't be started ({error}). Run the program again."))

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[Worker]:
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

    async def _watch_memory(self) -> None:
        """Kill the programs whose processes together use more memory than one may: the OS bounds each by itself."""
        while True:
            await anyio.sleep(memory.SAMPLE_EVERY)
            watched = {worker.group: worker for worker in self._workers.values() if worker.group is not None}
            if not watched or self._process is None:
                continue
            used = await anyio.to_thread.run_sync(memory.used_by_groups, self._process.pid, frozenset(watched))
            for group, size in used.items():
                if size > self._limits.memory_mib * 1024 * 1024:
                    watched[group].too_large = True
                    self._kill(watched[group])

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

    def _fork(self) -> Worker:
        assert self._control is not None
        self._numbers += 1
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [zygote.REQUEST.pack(zygote.FORK, self._numbers)], [theirs.fileno()])
        ours.setblocking(False)
        worker = Worker(self._numbers, ours, SocketReader(ours))
        self._workers[worker.number] = worker
        return worker

    def _end(self, worker: Worker) -> None:
        worker.close()
        self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        """Kill all processes of a worker; one that has ended may have left others."""
        if self._control is not None:
            with contextlib.suppress(OSError):  # a zygote that has gone has taken its workers along
                self._control.send(zygote.REQUEST.pack(zygote.KILL, worker.number))

    async def _hear(self, control: socket.socket) -> None:
        buffer = bytearray()
        reader = SocketReader(control)
        with control, contextlib.closing(reader):
            while chunk := await reader.receive():
                buffer += chunk
                while len(buffer) >= zygote.NOTICE.size:
                    what, number, status = zygote.NOTICE.unpack_from(buffer)
                    del buffer[: zygote.NOTICE.size]
                    if (worker := self._workers.get(number)) is None:
                        continue
                    worker.status = worker.status or status
                    worker.exited.set()
                    if what == zygote.EXITED:
                        del self._workers[number]

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
