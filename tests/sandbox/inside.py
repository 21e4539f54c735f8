"""What Python code can do in a worker's place: run as a program, it tries each thing in a process of its own.

`python -m tests.sandbox.inside MODE` prints, as JSON, name -> how it went: "done", the name of the error, or how the
process ended. MODE says what is in force: "free" nothing, "zygote" what the zygote has, "worker" what a worker has, and
the name of a feature that alone.
"""

import contextlib
import ctypes
import errno
import fcntl
import gc
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import starlark

from mcp_hub.sandbox import confinement, worker

MEMORY_MIB = 64
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_FS = 0x10000000, 0x200
PTRACE_SEIZE = 0x4206
NUMBERS = {
    "clone": (56, 220),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "process_vm_readv": (310, 270),
    "io_uring_setup": (425, 425),
    "pidfd_open": (434, 434),
    "open_tree": (428, 428),
}
COLUMN = int(os.uname().machine == "aarch64")
"""Looked up before anything is restricted: this question would be refused too."""
X32_GETPID = 0x40000000 + 39
INT_80_GETPID = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
"""x86: mov eax, 20; int 0x80; ret."""


@dataclass(frozen=True)
class Around:
    """What was there before anything was restricted."""

    other: int
    """A process of the same user, outside of the sandbox."""
    udp: socket.socket
    tcp: socket.socket
    closed_port: int
    folder: Path


def system_call(name: str, *arguments: int | None) -> int:
    """A call that Python has no function for. Raises OSError."""
    return raw(NUMBERS[name][COLUMN], *arguments)


def raw(number: int, *arguments: int | None) -> int:
    """A system call by its number. Raises OSError."""
    return checked(LIBC.syscall(*(ctypes.c_long(each or 0) for each in (number, *arguments))))


def checked(result: int) -> int:
    """What a function of libc answered. Raises OSError."""
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def namespace() -> None:
    """Fork into a namespace of users."""
    if system_call("clone", CLONE_NEWUSER | signal.SIGCHLD) == 0:
        os._exit(0)


def thread() -> None:
    """Start a thread, and end it."""
    started = threading.Thread(target=int)
    started.start()
    started.join()


def send_descriptor() -> None:
    """Send an open descriptor to the other end of a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(ours, [b"x"], [0])


def receive_descriptor() -> None:
    """Receive what may have a descriptor with it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.send(b"x")
        theirs.recvmsg(1)


def end_a_fork(signalled: Callable[[int], Any]) -> None:
    """Fork a process inside the sandbox, which ends by itself with a pipe, and signal it."""
    with another_process() as pid:
        signalled(pid)


def dump_memory(pid: int) -> None:
    """Read another process's memory."""
    here, there = ctypes.create_string_buffer(16), ctypes.create_string_buffer(16)
    local, remote = ((ctypes.c_void_p * 2)(ctypes.addressof(each), 16) for each in (here, there))
    system_call("process_vm_readv", pid, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)


REFUSED: dict[str, Callable[[Around], Any]] = {
    "read a file": lambda around: (around.folder / "file").read_text(),
    "write a file": lambda around: (around.folder / "new").open("w").close(),
    "open the null device": lambda _: open(os.devnull).close(),  # noqa: PTH123
    "list a folder": lambda around: os.listdir(around.folder),  # noqa: PTH208
    "look at a file": lambda around: (around.folder / "file").stat(),
    "ask for the folder": lambda _: os.getcwd(),  # noqa: PTH109
    "change the folder": lambda around: os.chdir(around.folder),
    "make a folder": lambda around: (around.folder / "new folder").mkdir(),
    "rename a file": lambda around: (around.folder / "old").rename(around.folder / "renamed"),
    "change a file's mode": lambda around: (around.folder / "file").chmod(0o600),
    "remove a file": lambda around: (around.folder / "doomed").unlink(),
    "a socket to the internet": lambda _: socket.socket(socket.AF_INET).close(),
    "a socket to the internet, version 6": lambda _: socket.socket(socket.AF_INET6).close(),
    "a socket on this machine": lambda _: socket.socket(socket.AF_UNIX).close(),
    "a pair of datagram sockets": lambda _: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "connect": lambda around: around.udp.connect(("127.0.0.1", 9)),
    "connect by TCP": lambda around: around.tcp.connect(("127.0.0.1", around.closed_port)),
    "bind": lambda around: around.udp.bind(("127.0.0.1", 0)),
    "send to an address": lambda around: around.udp.sendto(b"x", ("127.0.0.1", 9)),
    "set a socket's option": lambda around: around.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    "send a descriptor": lambda _: send_descriptor(),
    "receive a descriptor": lambda _: receive_descriptor(),
    "run a program": lambda _: os.execv("/bin/true", ["true"]),
    "start a program": lambda _: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "a thread": lambda _: thread(),
    "a fork in a namespace": lambda _: namespace(),
    "a namespace": lambda _: checked(LIBC.unshare(CLONE_FS)),
    "another process's memory as a file": lambda around: Path(f"/proc/{around.other}/mem").open("rb").close(),
    "another process's memory": lambda around: dump_memory(around.other),
    "trace another process": lambda around: checked(LIBC.ptrace(PTRACE_SEIZE, around.other, None, None)),
    "a handle of another process": lambda around: os.close(system_call("pidfd_open", around.other, 0)),
    "another process's limits": lambda around: resource.prlimit(around.other, resource.RLIMIT_NOFILE),
    "signal another process": lambda around: os.kill(around.other, 0),
    "signal another process's thread": lambda around: system_call("tgkill", around.other, around.other, 0),
    "signal a thread by its number alone": lambda around: system_call("tkill", around.other, 0),
    "end a process inside": lambda _: end_a_fork(lambda pid: os.kill(pid, signal.SIGKILL)),
    "abort a process inside": lambda _: end_a_fork(lambda pid: system_call("tgkill", pid, pid, signal.SIGABRT)),
    "abort a process inside by its number": lambda _: end_a_fork(lambda pid: system_call("tkill", pid, signal.SIGABRT)),
    "signal the zygote": lambda _: os.kill(os.getppid(), 0),
    "signal the group": lambda _: os.killpg(0, 0),
    "signal the first process": lambda _: os.kill(1, 0),
    "have another process signalled": lambda around: fcntl.fcntl(around.udp, fcntl.F_SETOWN, around.other),
    "leave the group": lambda _: os.setpgid(0, 0),
    "leave the session": lambda _: os.setsid(),
    "mount": lambda _: checked(LIBC.mount(b"none", b"/no/such/folder", b"tmpfs", 0, None)),
    "open a file system": lambda _: os.close(system_call("open_tree", -100, None, 0)),
    "change the root": lambda around: os.chroot(around.folder),
    "become another user": lambda _: os.setuid(os.getuid()),
    "the keyrings": lambda _: system_call("keyctl", 0, -3, 1),
    "bpf": lambda _: system_call("bpf", 9999, None, 0),
    "performance counters": lambda _: system_call("perf_event_open", None, 0, -1, -1, 0),
    "io_uring": lambda _: system_call("io_uring_setup", 1, None),
    "userfaultfd": lambda _: os.close(system_call("userfaultfd", 1)),
    "a file in memory": lambda _: os.close(os.memfd_create("x")),
    "watch files": lambda _: os.close(checked(LIBC.inotify_init())),
    "type into a terminal": lambda _: fcntl.ioctl(0, termios.TIOCSTI, b"x"),
    "code made at run time": lambda _: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close(),
    "become dumpable": lambda _: checked(LIBC.prctl(4, 1, 0, 0, 0)),
    "change its filters": lambda _: confinement.restrict_worker(),
}


def fork_and_wait() -> None:
    """A fork that ends, and what its end tells."""
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def talk_to_a_fork() -> None:
    """A socket pair and a pipe between a process and its fork, waited for with select and poll."""
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    if os.fork() == 0:
        theirs.sendall(b"x" * 100_000)
        os.write(writing, b"y")
        os._exit(0)
    received = 0
    while received < 100_000:
        assert select.select([ours.fileno(), reading], [], [])[0]
        received += len(ours.recv(65_536))
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    assert poll.poll()
    assert os.read(reading, 1) == b"y"
    assert os.wait()[1] == 0


def use_memory() -> None:
    """Allocate, grow, free and collect."""
    for _ in range(3):
        held = bytearray(MEMORY_MIB * 2**20 // 4)
        held.extend(bytes(2**20))
        many: list[Any] = [[each] for each in range(100_000)]
        many.append(many)
        del held, many
        gc.collect()


def reach_the_memory_limit() -> None:
    """Allocate more than is there, then have room for notes."""
    with contextlib.suppress(MemoryError):
        bytearray(2 * MEMORY_MIB * 2**20)
        raise AssertionError("there was more memory than allowed")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def evaluate(code: str) -> Any:
    """Run a program in the interpreter."""
    dialect = starlark.Dialect.extended()
    dialect.enable_top_level_stmt = True
    return starlark.eval(starlark.Module(), starlark.parse("x", code, dialect), starlark.Globals.standard())


def abort_in_a_fork() -> None:
    """A fork that aborts, as an allocation that fails in it would."""
    pid = os.fork()
    if pid == 0:
        os.abort()
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def tell_time() -> None:
    """Clocks, a short wait, and random numbers."""
    assert time.time() > time.monotonic_ns() * 0
    time.sleep(0.001)
    assert len(os.urandom(16)) == 16


def jump(code: mmap.mmap | None) -> None:
    """Run machine code that was there before."""
    assert code is not None
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    ctypes.CFUNCTYPE(ctypes.c_int)(address)()


NEEDED: dict[str, Callable[[], Any]] = {
    "fork and wait": fork_and_wait,
    "talk to a fork": talk_to_a_fork,
    "use memory": use_memory,
    "reach the memory limit": reach_the_memory_limit,
    "run a program": lambda: evaluate("[x for x in range(100000) if x % 7 == 0][10]"),
    "abort in a fork": abort_in_a_fork,
    "tell time": tell_time,
}

ENDS: dict[str, Callable[[], Any]] = {
    "exit 7": lambda: os._exit(7),
    "abort": os.abort,
    "allocate too much in a program": lambda: evaluate("'a' * (1 << 27)"),
    "call as x32": lambda: raw(X32_GETPID),
}


def main(mode: str) -> None:
    """Try everything in processes of their own, under what `mode` puts in force."""
    folder = Path(sys.argv[2])
    for name in ("file", "old", "doomed"):
        (folder / name).write_text("x")
    code = None
    if os.uname().machine == "x86_64":
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(INT_80_GETPID)
    limits = {"wall_seconds": 60, "memory_mib": MEMORY_MIB, "base_bytes": worker.address_space()}
    udp, tcp, closed = (socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM, *2 * [socket.SOCK_STREAM]))
    closed.bind(("127.0.0.1", 0))  # and doesn't listen
    with udp, tcp, closed, another_process() as other:
        around = Around(other, udp, tcp, closed.getsockname()[1], folder)
        told: dict[str, Any] = {"missing": restrict(mode)}

        def confined(attempt: Callable[[], Any]) -> str:
            return in_a_fork(attempt, limits if mode == "worker" else None)

        told["refused"] = {name: confined(partial(attempt, around)) for name, attempt in REFUSED.items()}
        told["needed"] = {name: confined(attempt) for name, attempt in NEEDED.items()}
        ends = {**ENDS, "call as 32-bit": lambda: jump(code)}
        told["ends"] = {name: confined(attempt) for name, attempt in ends.items()}
        os.write(1, json.dumps(told).encode())


def restrict(mode: str) -> dict[str, str]:
    """Put in force what the parent of the tries has; what is missing."""
    if mode in confinement.FEATURES:
        for name in ("no_new_privileges", mode):
            confinement.FEATURES[name][1]()
    return confinement.restrict_zygote() if mode in ("zygote", "worker") else {}


def in_a_fork(attempt: Callable[[], Any], limits: dict[str, int] | None) -> str:
    """How an attempt went: "done", the name of its error, or how its process ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if limits is not None:
                confinement.restrict_worker()
                worker.confine(limits)
            attempt()
            told = "done"
        except OSError as error:
            told = errno.errorcode.get(error.errno or 0, str(error))
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    told = b"".join(iter(lambda: os.read(reading, 4096), b"")).decode()
    os.close(reading)
    return told or str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


@contextlib.contextmanager
def another_process() -> Iterator[int]:
    """A process that does nothing until it isn't needed any more."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        yield pid
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1])
