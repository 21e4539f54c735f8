"""The zygote: forks, kills and reaps by number, and takes its workers along when its socket ends."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from mcp_hub.sandbox import zygote
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import start_zygote
from tests.support import PATIENCE, wait_until_gone


@contextmanager
def running() -> Iterator[tuple["subprocess.Popen[bytes]", socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    with ours:
        with theirs:
            process = start_zygote(theirs, Limits())
        yield process, ours
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
