"""The clean process that forks a worker for each program.

Owns the workers: it starts, kills and reaps them. Above it is `pool`, over one socket (its stdin): records of
a fixed size, a new worker's own socket attached to the record that asks for it. It has imported what a worker
needs and runs no program but rehearsals of our own, so a fork is clean. When the socket ends, which it also
does when the hub is killed, every worker is killed.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
from collections.abc import Callable

from mcp_hub.sandbox import worker

REQUEST = struct.Struct(">cI")
"""FORK with a descriptor attached, or KILL; then the worker's number, which the pool chose."""
NOTICE = struct.Struct(">cIi")
"""EXITED, the worker's number, its wait status."""

REHEARSALS = 30
"""Programs of our own before the first fork: what Python and Starlark set up at first use, and specialise after some
more, is inherited then. A worker takes 2 ms instead of 3."""

FORK, KILL, EXITED = b"F", b"K", b"X"


def main(limits: str) -> None:
    """Serve the control socket on descriptor 0 until it ends. `limits` are every program's, as JSON."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the pool decides when this ends, by closing the socket
    signal.signal(signal.SIGCHLD, lambda *_: None)
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)
    wake_write.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno())
    ours = (control.fileno(), wake_read.fileno(), wake_write.fileno())
    fresh = worker.environment()
    bounds: worker.Limits = json.loads(limits)
    for _ in range(REHEARSALS):
        worker.rehearse(worker.environment(), bounds)
    bounds = {**bounds, "base_bytes": worker.address_space()}
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would touch, and so copy, pages that a worker shares with this process
    workers: dict[int, int] = {}

    def fork(descriptor: int) -> int:
        pid = os.fork()
        if pid == 0:
            _become_worker(descriptor, ours, fresh, bounds)
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


def _become_worker(descriptor: int, ours: tuple[int, ...], fresh: worker.Environment, limits: worker.Limits) -> None:
    """In the child: keep nothing of the zygote but memory, serve one program, end.

    Every step here is paid for by every program, and each page of memory that it touches must be copied first:
    the zygote's own set-up (ignored signals, null for 0 to 2, no environment) is inherited instead of repeated.
    """
    try:
        os.setsid()
        for each in ours:
            os.close(each)
        worker.serve(descriptor, fresh, limits)
    finally:
        os._exit(0)


def _reap(control: socket.socket, workers: dict[int, int]) -> None:
    numbers = {pid: number for number, pid in workers.items()}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        number = numbers.get(pid)
        if number is not None:
            del workers[number]
            with contextlib.suppress(OSError):
                control.sendall(NOTICE.pack(EXITED, number, status))


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
