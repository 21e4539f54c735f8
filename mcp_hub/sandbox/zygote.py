"""The clean process that forks a worker for each program.

Owns the workers: it starts, kills and reaps them. Above it is `pool`, over one socket (its stdin): records of
a fixed size, a new worker's own socket attached to the record that asks for it. It has imported what a worker
needs and runs no program but rehearsals of our own, so a fork is clean. When the socket ends, which it also
does when the hub is killed, every worker is killed.
"""

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import unicodedata  # noqa: F401 - the parser imports it at \N{...}, when no file can be opened any more
from collections.abc import Callable

from mcp_hub.sandbox import confinement, worker
from mcp_hub.sandbox.environment import Environment, fresh
from mcp_hub.sandbox.program import Limits

REQUEST = struct.Struct(">cI")
"""FORK with a descriptor attached, or KILL; then the worker's number, which the pool chose."""
NOTICE = struct.Struct(">cIi")
"""EXITED or BROKEN, the worker's number, a wait status: its own, or that of a process of its that was killed."""

REHEARSALS = 30
"""Programs of our own before the first fork: what Python and Starlark set up at first use, and specialise after some
more, is inherited then. A worker takes 2 ms instead of 3."""

SET_CHILD_SUBREAPER = 36
"""prctl's number for it (linux/prctl.h)."""

FORK, KILL, EXITED, BROKEN = b"F", b"K", b"X", b"B"


def main(limits: str) -> None:
    """Serve the control socket on descriptor 0 until it ends. `limits` are every program's, as JSON."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the pool decides when this ends, by closing the socket
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _adopt_orphans()
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)
    wake_write.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno())
    ours = (control.fileno(), wake_read.fileno(), wake_write.fileno())
    environment = fresh()
    bounds: Limits = json.loads(limits)
    stage = fresh()
    for _ in range(REHEARSALS):
        worker.rehearse(stage, bounds)
    bounds = {**bounds, "base_bytes": worker.address_space()}
    missing = confinement.restrict_zygote()  # `mcp_hub check` tells of it
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would touch, and so copy, pages that a worker shares with this process
    workers: dict[int, int] = {}

    def fork(descriptor: int) -> int:
        pid = os.fork()
        if pid == 0:
            _become_worker(descriptor, ours, environment, bounds, filtered="seccomp" not in missing)
        os.close(descriptor)
        return pid

    try:
        while True:
            ready, _, _ = select.select([control, wake_read], [], [])
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    wake_read.recv(4096)
                _reap(control, workers)
            if control in ready and not _obey(control, workers, fork):
                return
    finally:
        for pid in workers.values():
            _kill(pid)


def _obey(control: socket.socket, workers: dict[int, int], fork: Callable[[int], int]) -> bool:
    record, descriptors, _, _ = socket.recv_fds(control, REQUEST.size, 1)
    while record and len(record) < REQUEST.size:
        more = control.recv(REQUEST.size - len(record))
        if not more:
            return False
        record += more
    if not record:
        return False
    operation, number = REQUEST.unpack(record)
    if operation == FORK:
        try:
            workers[number] = fork(descriptors[0])
        except OSError:  # no more processes: this program fails, the next may not
            os.close(descriptors[0])
            control.sendall(NOTICE.pack(EXITED, number, 0))
    elif operation == KILL and number in workers:
        _kill(workers[number])
    return True


def _become_worker(
    descriptor: int, ours: tuple[int, ...], environment: Environment, limits: Limits, *, filtered: bool
) -> None:
    """In the child: keep nothing of the zygote but memory, serve one program, end.

    Every step here is paid for by every program, and each page of memory that it touches must be copied first:
    the zygote's own set-up (ignored signals, null for 0 to 2, no environment) is inherited instead of repeated.
    """
    try:
        # A group, to be killed by; not a session, which would have a share of the processor of its own (sched(7),
        # autogroup): look-ups waited twice as long beside sixteen programs.
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)  # its number will be another descriptor's
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in ours:
            os.close(each)
        if filtered:
            confinement.restrict_worker()
        worker.serve(descriptor, environment, limits)
    finally:
        os._exit(0)


def _reap(control: socket.socket, workers: dict[int, int]) -> None:
    """Take the ended processes away: workers, and where this is a subreaper what a program forked and left behind."""
    numbers = {pid: number for number, pid in workers.items()}
    while True:
        try:
            ended = _ended()
        except ChildProcessError:
            return
        if ended is None:
            return
        pid, group, status = ended
        if pid in numbers:
            group = pid  # one that was killed early hasn't made its own yet
            _kill(pid)  # what it forked ends with it
        if status is None:
            status = os.waitpid(pid, 0)[1]
        number = numbers.get(group)
        if number is None:
            continue
        if pid == group:
            del workers[number]
        elif not os.WIFSIGNALED(status):
            continue
        with contextlib.suppress(OSError):
            control.sendall(NOTICE.pack(EXITED if pid == group else BROKEN, number, status))


def _ended() -> tuple[int, int, int | None] | None:
    """A child that has ended, its process group, and its status once it is reaped; None when none has.

    It isn't reaped yet where the OS allows that: so long its number, and its group's, are its own.
    Raises ChildProcessError when there are no children.
    """
    if sys.platform != "linux":
        pid, status = os.waitpid(-1, os.WNOHANG)
        return (pid, pid, status) if pid else None  # without a subreaper, every child leads a group
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None if found is None else (found.si_pid, os.getpgid(found.si_pid), None)


def _adopt_orphans() -> None:
    """Become the parent of what workers leave behind (prctl(2), PR_SET_CHILD_SUBREAPER); elsewhere init is."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
