"""The hub's process without the price of its start: forked from one that has imported everything.

Most of what a hub's start takes is the import of the SDK, about a second of a processor, and the suite starts some
two hundred hubs. `Prepared` is what `subprocess.Popen` would be with `python -m mcp_hub`: a process with its own id,
environment, folder and streams, which is signalled and waited for. What a real start does is tested by real ones.

This module run as a script, with a socket's number, is the process that forks: it gets five descriptors for each hub
and tells, on the last of them, the hub's process id and in the end its status, a line each.
"""

import atexit
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

import anyio
import psutil

ROOT = Path(__file__).parent.parent

PREPARED_WITHIN = 60.0
"""Seconds for the process that forks to import everything and to fork: once, on a slow and busy machine."""

MOST_DESCRIPTORS = 1024
"""More than the process that forks has; a hub begins with none but its three streams."""


class Prepared:
    """A process that runs `mcp_hub` with these arguments; as `subprocess.Popen` has it, as far as tests need it.

    `stdin`, `stdout` and `stderr` are as there: an open file, DEVNULL, PIPE, for `stderr` STDOUT too.
    """

    def __init__(
        self,
        arguments: list[str],
        *,
        stdin: int | IO[Any],
        stdout: int | IO[Any],
        stderr: int | IO[Any],
        cwd: Path,
        env: Mapping[str, str],
    ) -> None:
        self.returncode: int | None = None
        given: list[int] = []
        self.stdin = _stream(stdin, "wb", given)
        self.stdout = _stream(stdout, "rb", given)
        self.stderr = None if stderr == subprocess.STDOUT else _stream(stderr, "rb", given)
        if stderr == subprocess.STDOUT:
            given.append(os.dup(given[-1]))
        self._end, end = os.pipe()
        asked, ask = os.pipe()
        socket.send_fds(forking()[1], [b"h"], [*given, asked, end])
        for each in (*given, asked, end):
            os.close(each)
        with open(ask, "w") as request:  # noqa: PTH123 - a descriptor
            json.dump({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}, request)
        self._told = os.fdopen(self._end, "rb", buffering=0)
        self.pid = int(self._line(PREPARED_WITHIN) or 0)
        assert self.pid, "the process that forks hubs has ended: is something in mcp_hub that can't be imported?"

    def poll(self) -> int | None:
        """The exit status, if it has ended; of a signal, its negative number."""
        if self.returncode is None and (line := self._line(0)):
            self.returncode = int(line)
            self._told.close()
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the end; the exit status. Raises TimeoutExpired after `timeout` seconds."""
        if self.returncode is None:
            select.select([self._end], [], [], timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(f"mcp_hub, process {self.pid}", timeout)
        return status

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _line(self, seconds: float) -> bytes:
        return self._told.readline() if select.select([self._end], [], [], seconds)[0] else b""


def started(arguments: list[str], **more: Any) -> subprocess.Popen[bytes]:
    """The same with a start of its own, as a person or a client starts it."""
    return subprocess.Popen([sys.executable, "-m", "mcp_hub", *arguments], **more)


@functools.cache
def forking() -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """The process that forks hubs, which ends with this one, and the socket to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.prepared", str(theirs.fileno())]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # what has threads can't be forked
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return process, ours


def children_of(pid: int) -> list[int]:
    """The processes that a process started; from the kernel's own list, where there is one, in a hundredth of the time.

    The children of the process that forks hubs count as this process's own, and it itself doesn't.
    """
    try:
        lists = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        found = [int(child) for each in lists for child in each.split()]
    except OSError:
        found = [child.pid for child in psutil.Process(pid).children()]
    if forking.cache_info().currsize and (between := forking()[0].pid) in found:
        found.remove(between)
        found += children_of(between)
    return found


def _stream(wanted: int | IO[Any], mode: str, given: list[int]) -> IO[bytes] | None:
    """One of a process's streams: add its descriptor to `given`; this process's end of a pipe."""
    if not isinstance(wanted, int):
        given.append(os.dup(wanted.fileno()))
    elif wanted == subprocess.DEVNULL:
        given.append(os.open(os.devnull, os.O_RDWR))
    else:
        reading, writing = os.pipe()
        ours, theirs = (writing, reading) if mode == "wb" else (reading, writing)
        given.append(theirs)
        return os.fdopen(ours, mode)
    return None


def _fork_for_each(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each request and tell how each fork ended, until nobody can ask any more; in a fork, its request."""
    ends: dict[int, int] = {}
    ended, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = select.select([control.fileno(), ended], [], [])[0]
        if ended in ready:
            os.read(ended, MOST_DESCRIPTORS)
            _tell_ends(ends)
        if control.fileno() not in ready:
            continue
        asked, descriptors, _, _ = socket.recv_fds(control, 1, 5)
        if not asked:
            return None
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _in_place(control, descriptors)
        ends[pid] = descriptors.pop()
        os.write(ends[pid], b"%d\n" % pid)
        for each in descriptors:
            os.close(each)


def _tell_ends(ends: dict[int, int]) -> None:
    while ends:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        end = ends.pop(pid)
        os.write(end, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(end)


def _in_place(control: socket.socket, descriptors: list[int]) -> dict[str, Any]:
    """Take the streams that were given and let go of everything else; the request."""
    with open(descriptors[3]) as asked:  # noqa: PTH123 - a descriptor
        request: dict[str, Any] = json.load(asked)
    control.detach()
    for number, each in enumerate(descriptors[:3]):
        os.dup2(each, number)
    os.closerange(3, MOST_DESCRIPTORS)
    return request


def main() -> NoReturn:
    """Import what a hub needs, fork for each request, and be a hub in the forks."""
    import jsonschema  # noqa: F401

    import mcp_hub.cli
    import mcp_hub.hub.http
    import mcp_hub.serving
    import mcp_hub.store.database

    anyio.run(anyio.sleep, 0)  # it imports its backend then
    gc.freeze()
    request = _fork_for_each(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        sys.exit()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.exit(mcp_hub.cli.main(request["arguments"], prog_name="mcp_hub"))


if __name__ == "__main__":
    main()
