"""A peer's process, spoken to in plain JSON lines, several requests at a time, and watched: its memory, its end.

Owns the process, its group and what it started. A watcher ends them all when they use more than KILL_AT together, so
that the machine survives what a peer doesn't.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import psutil

from bench.graded.task import Answer, Call
from bench.processes import ROOT, BenchError, tail

GIB = 1 << 30
KILL_AT = 3 * GIB
ADDRESS_SPACE = 24 * GIB
"""The least that ends a process even between two looks of the watcher; runtimes reserve some GiB without using them."""
LOOK = 0.02
"""Seconds between two looks at the memory."""
ANSWER_WAIT = 120.0
END_GRACE = 5.0
"""Seconds that a peer and its servers get to end by themselves after stdin's end, and again after SIGTERM."""

VERSION = "2025-06-18"


class EndedError(BenchError):
    """The peer's process ended before it answered."""


class Wire:
    """The open connection to one peer."""

    def __init__(self, process: anyio.abc.Process, log: Path) -> None:
        self.process = process
        self.peak = 0
        """The most bytes that the process and all below it were seen to hold."""
        self.killed = False
        """Whether the watcher ended it."""
        self.opened: dict[str, Any] = {}
        """What it answered to initialize."""
        self._log = log
        self._ids = 0
        self._waiting: dict[int, anyio.Event] = {}
        self._answers: dict[int, tuple[dict[str, Any], int]] = {}
        self._over = False

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.returncode is None and not self._over

    async def open(self) -> None:
        """The handshake."""
        me = {"name": "bench", "version": "1"}
        params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": me}
        self.opened, _ = await self.request("initialize", params)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def request(self, method: str, params: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """The result and its length in bytes; an error is a result with the key "error". Raises EndedError."""
        self._ids += 1
        mine = self._ids
        self._waiting[mine] = anyio.Event()
        if not self._over:
            await self._send({"jsonrpc": "2.0", "id": mine, "method": method, "params": params})
            with anyio.fail_after(ANSWER_WAIT):
                await self._waiting[mine].wait()
        if mine not in self._answers:
            raise EndedError(f"it ended before it answered {method}; its stderr: {tail(self._log)}")
        return self._answers.pop(mine)

    async def call(self, call: Call) -> Answer:
        """A tool's answer as a model reads it: its texts, or the protocol error. Raises EndedError."""
        result, _ = await self.request("tools/call", {"name": call.tool, "arguments": call.arguments})
        if "error" in result:
            return Answer(error_text(result["error"]), is_error=True)
        texts = [block.get("text", f"[{block['type']}]") for block in result["content"]]
        return Answer("\n".join(texts), bool(result.get("isError")))

    async def listen(self) -> None:
        """Take in what the peer writes, until it ends."""
        assert self.process.stdout is not None
        buffer: list[bytes] = []
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                head, *lines = (await self.process.stdout.receive(1 << 20)).split(b"\n")
                buffer.append(head)
                for line in lines:
                    await self._take(b"".join(buffer))
                    buffer = [line]
        self._over = True
        for event in self._waiting.values():
            event.set()

    async def watch(self) -> None:
        """Note the peak of the memory; end everything above KILL_AT."""
        while self.alive:
            held = await anyio.to_thread.run_sync(resident_below, self.process.pid)
            self.peak = max(self.peak, held)
            if held > KILL_AT:
                self.killed = True
                for each in tree(self.process.pid):
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
                return
            await anyio.sleep(LOOK)

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # that it ended, `listen` notices
            await self.process.stdin.send(json.dumps(message).encode() + b"\n")

    async def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if "method" in message:
            if "id" in message:
                refusal = {"code": -32601, "message": "Method not found"}
                await self._send({"jsonrpc": "2.0", "id": message["id"], "error": refusal})
            return
        if (event := self._waiting.pop(message.get("id"), None)) is not None:
            result = message.get("result", {"error": message.get("error")})
            self._answers[message["id"]] = result, len(line)
            event.set()


def error_text(error: Mapping[str, Any]) -> str:
    """A protocol error as a client shows it to a model, with its data if there is any."""
    data = f" {json.dumps(error['data'])}" if error.get("data") else ""
    return f"{error.get('message')}{data}"


@asynccontextmanager
async def opened(command: Sequence[str], env: Mapping[str, str], log: Path, *, watched: bool) -> AsyncIterator[Wire]:
    """A peer's process, after the handshake; all it started has ended at the end. Raises EndedError, TimeoutError."""
    with log.open("wb") as errors:
        process = await anyio.open_process(
            [*command], stderr=errors, env={**os.environ, **env}, cwd=ROOT, start_new_session=True
        )
    wire = Wire(process, log)
    if watched and sys.platform == "linux":
        resource.prlimit(process.pid, resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wire.listen)
            if watched:
                tasks.start_soon(wire.watch)
            try:
                await wire.open()
                yield wire
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as several:  # the first one says enough
        raise first_of(several) from None


async def _end(process: anyio.abc.Process) -> None:
    """Close stdin, then terminate, then kill; whatever the process started goes with it."""
    every = tree(process.pid)
    assert process.stdin is not None
    await process.stdin.aclose()
    for action in (None, signal.SIGTERM):
        if action is not None:
            for each in every:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(action)
        with anyio.move_on_after(END_GRACE):
            await process.wait()
            while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in _still(every)):
                await anyio.sleep(LOOK)
            break
    for each in every:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    await process.wait()
    await process.aclose()


def _still(every: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [each for each in every if each.is_running() and psutil.pid_exists(each.pid)]


def first_of(error: BaseException) -> BaseException:
    """An error, or the first within groups of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it, as they stand; none if it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident_below(pid: int) -> int:
    """Bytes that a process and all below it hold, shared pages counted for each."""
    held = 0
    for each in tree(pid):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            held += each.memory_info().rss
    return held


def run_to_its_end(command: Sequence[str], env: Mapping[str, str], wait: float) -> str | None:
    """None, or why it failed: the last line that it wrote."""
    try:
        done = subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, timeout=wait, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {wait:g} s"
    if done.returncode == 0:
        return None
    said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"]
    return said[-1].replace(str(ROOT), "")[:300]
