"""The processes of one program: a fork for each branch of `parallel`, and for each part that may fail.

Runs in a worker. `parallel` forks a process for each item, which sends what it came to and ends. What may fail
(`attempt`, a lowered `try`) is guarded the other way round: the fork goes on as the program, and the process that
forked it waits. If the fork commits, it stays the program; if it fails, the one that waited goes on, with every
variable as it was. So what succeeds is exactly what the program says, and what fails leaves nothing half done.
"""

import contextlib
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from mcp_hub.sandbox import protocol
from mcp_hub.sandbox.protocol import HEADER, MAIN_LINE, NO_ANSWER, Frame

RECEIVE_BYTES = 65_536

FORK_DEPTH = 32
"""Guarded parts and branches in each other: each is a process that waits."""


LONGEST = 3_700
"""Seconds: more than a program may take."""


class Channel:
    """One end of a socket, blocking: frames to the process above, and its answers."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._received = bytearray()

    def send(self, frame: Frame, number: int = NO_ANSWER) -> None:
        """Send a frame. Raises TypeError and ValueError for what is no JSON, OSError when nobody reads any more."""
        self.send_bytes(protocol.encode(frame, number))

    def send_bytes(self, frame: bytes) -> None:
        """Send an encoded frame. Raises OSError when nobody reads any more."""
        self.connection.sendall(frame)

    def receive(self, number: int = NO_ANSWER) -> Frame:
        """The next frame of that number; others answer calls of branches that have ended, and are dropped.

        Ends this process when there is none: nobody has a use for the program any more.
        """
        while True:
            taken = self.receive_bytes()
            if taken is None:
                os._exit(0)
            if taken[0] == number:
                return protocol.decode(taken[1])

    def receive_bytes(self) -> tuple[int, bytes] | None:
        """The number and the body of the next frame; None when the other end has gone."""
        header = self._exactly(HEADER.size)
        if header is None:
            return None
        size, number = HEADER.unpack(header)
        body = self._exactly(size)
        return None if body is None else (number, body)

    def holds_more(self) -> bool:
        """Whether something of a next frame was received with the last one."""
        return bool(self._received)

    def _exactly(self, size: int) -> bytes | None:
        while len(self._received) < size:
            try:
                chunk = self.connection.recv(RECEIVE_BYTES)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._received += chunk
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken


@dataclass
class _Branch:
    pid: int
    index: int
    channel: Channel


@dataclass
class Branches:
    """The branches of one `parallel`, as the process that forked them keeps them."""

    most: int
    """How many may run at once."""
    values: list[Any] = field(default_factory=list)
    failure: Frame | None = None
    """The `error` frame of the first branch that failed; none is started after it."""
    steps: int = 0
    """Steps that the ended branches took."""
    _running: dict[int, _Branch] = field(default_factory=dict)
    _routes: dict[int, tuple[_Branch, int]] = field(default_factory=dict)
    _number: int = MAIN_LINE

    def add(self, pid: int, connection: socket.socket) -> None:
        """Take charge of a branch that was just forked; its value will stand after those of the ones before."""
        branch = _Branch(pid, len(self.values), Channel(connection))
        self.values.append(None)
        self._running[connection.fileno()] = branch

    def serve(self, above: Channel, most: int) -> None:
        """Pass frames between the branches and `above` until at most `most` branches run."""
        while len(self._running) > most:
            ready, _, _ = select.select([above.connection.fileno(), *self._running], [], [])
            for descriptor in ready:
                if descriptor == above.connection.fileno():
                    self._answer_from(above)
                elif (branch := self._running.get(descriptor)) is not None:
                    self._hear(branch, above)

    def drop(self) -> None:
        """In a new branch: let go of the sockets of the others."""
        for branch in self._running.values():
            branch.channel.connection.close()

    def _answer_from(self, above: Channel) -> None:
        while True:
            taken = above.receive_bytes()
            if taken is None:
                os._exit(0)
            number, body = taken
            if number in self._routes:  # else it is for a branch of a guarded part that failed
                branch, asked = self._routes.pop(number)
                with contextlib.suppress(OSError):  # it has ended meanwhile, and `_hear` finds out why
                    branch.channel.send_bytes(HEADER.pack(len(body), asked) + body)
            if not above.holds_more():
                return

    def _hear(self, branch: _Branch, above: Channel) -> None:
        while True:
            taken = branch.channel.receive_bytes()
            if taken is None:
                self._ended(branch, _death(branch.pid))
                return
            number, body = taken
            if number != NO_ANSWER:
                self._number += 1
                self._routes[self._number] = (branch, number)
                above.send_bytes(HEADER.pack(len(body), self._number) + body)
            else:
                frame = protocol.decode(body)
                if frame["type"] in ("done", "error"):
                    self._ended(branch, frame)
                    return
                above.send_bytes(HEADER.pack(len(body), NO_ANSWER) + body)
            if not branch.channel.holds_more():
                return

    def _ended(self, branch: _Branch, frame: Frame) -> None:
        del self._running[branch.channel.connection.fileno()]
        branch.channel.connection.close()
        _reap(branch.pid)
        self.steps += frame.get("steps", 0)
        if frame["type"] == "done":
            self.values[branch.index] = frame["value"]
        elif self.failure is None:
            self.failure = frame


class Guard:
    """One guarded part: the pipe between the process that waits and the one that went on."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()

    def wait(self, pid: int, above: Channel) -> Frame:
        """In the process that forked: why the guarded part failed. It doesn't return when the part was committed."""
        os.close(self._writing)
        told = b""
        while chunk := os.read(self._reading, RECEIVE_BYTES):
            told += chunk
        os.close(self._reading)
        if told == b"commit":
            self._give_way(pid, above)
        if not told:
            return _death(pid)
        _reap(pid)
        return protocol.decode(told)

    def enter(self) -> None:
        """In the fork: it only writes."""
        os.close(self._reading)

    def commit(self) -> None:
        """The guarded part succeeded: this process is the program from now on, unless the program is being ended."""
        try:
            os.write(self._writing, b"commit")
        except BrokenPipeError:
            os._exit(0)  # the process that waits was killed, and the others are about to be
        os.close(self._writing)

    def fail(self, frame: Frame) -> None:
        """The guarded part failed: tell the process that waits, and end."""
        left = memoryview(protocol.encode(frame)[HEADER.size :])
        while left:
            left = left[os.write(self._writing, left) :]
        os._exit(0)

    def _give_way(self, pid: int, above: Channel) -> None:
        """Another process has become the program. The first one of all keeps the group's number taken, and waits;
        it is the one whose end is heard, so it ends as its successor does that is killed."""
        if os.getpid() != os.getpgrp():
            os._exit(0)
        above.connection.close()
        status = _reap(pid)
        if os.WIFSIGNALED(status):
            signal.raise_signal(os.WTERMSIG(status))
        time.sleep(LONGEST)
        os._exit(0)


def _reap(pid: int) -> int:
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return 0


def _death(pid: int) -> Frame:
    """Why a process ended that said nothing: by a limit of the OS, on time or on memory."""
    status = _reap(pid)
    kind = "cpu" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU else "memory"
    text = "A branch of the program ended without an answer."
    return {"type": "error", "kind": kind, "message": text, "told": text, "python": "MemoryError", "steps": 0}
