"""The zygote: forks, kills and reaps by number, and takes its workers along when its socket ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from mcp_hub.sandbox import protocol, zygote
from mcp_hub.sandbox.branches import Channel
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import start_zygote
from tests.support import PATIENCE, alive, until, wait_until_gone


@contextmanager
def running() -> Iterator[tuple["subprocess.Popen[bytes]", socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours:
        with theirs:
            process = start_zygote(theirs, Limits())
        try:
            yield process, ours
        finally:
            ours.close()
            process.wait(PATIENCE)


def fork(control: socket.socket, number: int) -> socket.socket:
    """Ask for a worker; the pool's end of its socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(control, [zygote.REQUEST.pack(zygote.FORK, number)], [theirs.fileno()])
    ours.settimeout(PATIENCE)
    return ours


def children(process: "subprocess.Popen[bytes]", count: int) -> list[int]:
    """The zygote's workers, once there are `count`."""
    while len(found := psutil.Process(process.pid).children()) < count:
        pass
    return [child.pid for child in found]


def test_a_worker_is_killed_by_its_number_and_its_end_is_told() -> None:
    with running() as (process, control), fork(control, 1), fork(control, 2):
        first, second = children(process, 2)
        control.sendall(zygote.REQUEST.pack(zygote.KILL, 2))
        operation, number, status = zygote.NOTICE.unpack(control.recv(zygote.NOTICE.size))
        assert (operation, number, os.WTERMSIG(status)) == (zygote.EXITED, 2, signal.SIGKILL)
        assert wait_until_gone([second]) == []
        assert psutil.pid_exists(first)


def test_a_number_that_is_no_worker_kills_nothing() -> None:
    with running() as (process, control), fork(control, 7):
        (worker,) = children(process, 1)
        control.sendall(zygote.REQUEST.pack(zygote.KILL, 8))
        with fork(control, 9):
            children(process, 2)
        assert psutil.pid_exists(worker)


def test_workers_end_with_the_zygotes_socket() -> None:
    with running() as (process, control):
        with fork(control, 1), fork(control, 2):
            workers = children(process, 2)
            control.shutdown(socket.SHUT_RDWR)
            assert wait_until_gone(workers) == []
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_meant_for_the_hub_does_not_end_it(number: signal.Signals) -> None:
    with running() as (process, control), fork(control, 1):
        children(process, 1)
        process.send_signal(number)
        with fork(control, 2):
            children(process, 2)


def test_a_worker_has_no_environment_and_no_descriptor_but_its_socket() -> None:
    with running() as (process, control), fork(control, 1):
        (pid,) = children(process, 1)
        worker = psutil.Process(pid)
        assert worker.environ() == {}
        if os.path.exists(f"/proc/{pid}/fd"):  # noqa: PTH110 - a path of the OS, not a file
            while len(descriptors := os.listdir(f"/proc/{pid}/fd")) != 4:  # noqa: PTH208
                pass
            targets = {os.readlink(f"/proc/{pid}/fd/{each}") for each in descriptors}  # noqa: PTH115
            assert len(targets) == 2
            assert os.devnull in targets


def start(worker: socket.socket, code: str) -> None:
    """Have a worker run a program, and wait until it makes its first call."""
    job = {"code": code, "namespaces": {"api": ["get"]}, "unavailable": {}, "servers": ["api"], "scripts": {}}
    worker.sendall(protocol.encode({"type": "run", **job}))
    channel = Channel(worker)
    while (received := channel.receive_bytes()) is not None and received[0] == protocol.NO_ANSWER:
        pass


def members(process: "subprocess.Popen[bytes]", *, zombies: bool = False) -> list[int]:
    """The zygote's descendants that are alive, or those that ended and weren't taken away."""
    found = psutil.Process(process.pid).children(recursive=True)
    return sorted(each.pid for each in found if alive(each.pid) != zombies)


def notice(control: socket.socket) -> tuple[bytes, int, int]:
    """What the zygote tells next: what happened, to which worker, by which signal."""
    operation, number, status = zygote.NOTICE.unpack(control.recv(zygote.NOTICE.size))
    return operation, number, os.WTERMSIG(status)


def exited(control: socket.socket) -> tuple[int, int]:
    """Which worker the zygote tells the end of, and the signal; its other processes may have been told of before."""
    while (told := notice(control))[0] != zygote.EXITED:
        pass
    return told[1:]


MANY = "for i in range(8):\n    attempt(lambda: i)\napi.get()"
ONE = "attempt(lambda: 1)\napi.get()"
OPEN = "attempt(lambda: api.get())"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere init takes orphans away")
def test_what_a_program_leaves_behind_is_taken_away_while_it_runs() -> None:
    with running() as (process, control), fork(control, 1) as worker:
        start(worker, MANY)
        until(lambda: len(members(process)) == 2 and not members(process, zombies=True))


@pytest.mark.parametrize("code", [MANY, ONE, OPEN, "parallel(lambda i: api.get(), range(5))"])
def test_a_workers_number_kills_all_that_its_program_forked(code: str) -> None:
    with running() as (process, control), fork(control, 1) as worker:
        start(worker, code)
        forked = members(process)
        assert len(forked) >= 2
        control.sendall(zygote.REQUEST.pack(zygote.KILL, 1))
        assert exited(control) == (1, signal.SIGKILL)
        until(lambda: not any(psutil.pid_exists(pid) for pid in forked))


@pytest.mark.parametrize("code", [MANY, ONE, OPEN])
def test_all_of_a_program_ends_with_the_process_that_began_it(code: str) -> None:
    with running() as (process, control), fork(control, 1) as worker:
        start(worker, code)
        forked = members(process)
        (first,) = {os.getpgid(pid) for pid in forked}
        os.kill(first, signal.SIGKILL)
        assert exited(control) == (1, signal.SIGKILL)
        until(lambda: not any(psutil.pid_exists(pid) for pid in forked))


def test_the_first_process_ends_as_its_only_successor_that_is_killed() -> None:
    with running() as (process, control), fork(control, 1) as worker:
        start(worker, ONE)
        first, successor = members(process)
        os.kill(successor, signal.SIGXCPU)
        assert notice(control) == (zygote.EXITED, 1, signal.SIGXCPU)
        until(lambda: not psutil.pid_exists(first))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere init takes orphans away, and tells nobody")
def test_the_end_of_a_later_successor_that_is_killed_is_told() -> None:
    with running() as (process, control), fork(control, 1) as worker:
        start(worker, MANY)
        until(lambda: len(members(process)) == 2)
        (successor,) = (pid for pid in members(process) if os.getpgid(pid) != pid)
        os.kill(successor, signal.SIGXCPU)
        assert notice(control) == (zygote.BROKEN, 1, signal.SIGXCPU)
