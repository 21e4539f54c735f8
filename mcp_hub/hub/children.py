"""Starts the servers' processes and ends them: groups of their own, a chosen environment, a log, a guardian.

Above is `downstream`, which speaks to a child; below are the OS and `guardian`.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread

from mcp_hub.errors import DownstreamError
from mcp_hub.hub import guardian
from mcp_hub.settings import SECRET_CHARACTERS, ServerSettings

PASSED_ALWAYS = ("PATH", "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""What any program needs of the hub's environment: issue 1's PATH, HOME and locale, with time zone and TMPDIR."""

STDIN_GRACE = 2.0
"""Seconds a child gets to exit after its stdin has ended (MCP 2025-11-25, lifecycle, shutdown)."""
TERMINATE_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
KILL_GRACE = 1.0
"""Seconds for the OS to report a killed child; only a child stuck in the kernel runs this out."""
EXIT_POLL = 0.01

LOG_BYTES = 1_000_000
"""A log that has grown beyond this is set aside as NAME.log.1 when its server starts."""

LOG_TAIL_BYTES = 4096

START_MARK = "--- start of "
"""Begins the line in a log that separates one start of a server from the one before."""

LAST_WORDS_CHARACTERS = 200


@dataclass
class Child:
    """One running server process and the parent's ends of its stdin and stdout."""

    process: "subprocess.Popen[bytes]"
    stdin: socket.socket
    stdout: socket.socket
    log: Path
    secrets: tuple[str, ...]

    async def exited(self) -> int:
        """Wait for the process to end; its exit status, negative for a signal."""
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # it has gone, or the OS refuses the descriptor: then poll
                fd = os.pidfd_open(self.process.pid)
                try:
                    await anyio.wait_readable(fd)
                finally:
                    os.close(fd)
        while (status := self.process.poll()) is None:
            await anyio.sleep(EXIT_POLL)
        return status

    def last_words(self) -> str:
        """The last line on stderr, without the secrets that the child was given; "" when there is none."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_TAIL_BYTES))
                tail = file.read().decode(errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in tail.rpartition(START_MARK)[2].splitlines()[1:]]
        last = next((line for line in reversed(lines) if line), "")
        for secret in self.secrets:
            last = last.replace(secret, "***")
        return last[:LAST_WORDS_CHARACTERS]


class Children:
    """Every child of this hub. An async context manager is made for each by `start`."""

    def __init__(self, log_folder: Path, environ: Mapping[str, str]) -> None:
        self._log_folder = log_folder
        self._environ = environ
        self._guardian: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._starting_guardian = anyio.Lock()

    @asynccontextmanager
    async def start(self, name: str, settings: ServerSettings) -> AsyncIterator[Child]:
        """Start the command; on the way out end it and everything in its process group.

        Raises DownstreamError when it can't be started.
        """
        async with self._starting_guardian:
            if self._guardian is None:
                self._guardian = await anyio.to_thread.run_sync(_start_guardian)
        with anyio.CancelScope(shield=True):  # a child that is being started must not be forgotten
            child = await anyio.to_thread.run_sync(self._spawn, name, settings)
        self._tell_guardian("+", child.process.pid)
        try:
            yield child
        finally:
            with anyio.CancelScope(shield=True):
                await _end(child)
                self._tell_guardian("-", child.process.pid)

    async def aclose(self) -> None:
        """Let the guardian go; all children have ended by now, so it ends at once."""
        if self._guardian is not None:
            process, line = self._guardian
            line.close()
            await anyio.to_thread.run_sync(process.wait)

    def environment(self, settings: ServerSettings) -> dict[str, str]:
        """What a child gets: PATH, HOME, the locale, what `env_pass` names, what `env` sets. Nothing else."""
        passed = (*PASSED_ALWAYS, *settings.env_pass)
        return {**{key: self._environ[key] for key in passed if key in self._environ}, **settings.env}

    def log_of(self, name: str) -> Path:
        """Where a server's stderr goes."""
        return self._log_folder / f"{name}.log"

    def _spawn(self, name: str, settings: ServerSettings) -> Child:
        assert settings.command is not None
        log = self.log_of(name)
        our_in, their_in = socket.socketpair()
        our_out, their_out = socket.socketpair()
        try:
            with _log_file(log, settings.command[0]) as errors, their_in, their_out:
                process = subprocess.Popen(
                    settings.command,
                    stdin=their_in.fileno(),
                    stdout=their_out.fileno(),
                    stderr=errors,
                    cwd=settings.cwd,
                    env=self.environment(settings),
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            our_in.close()
            our_out.close()
            raise _cannot_start(name, settings, error) from None
        our_in.setblocking(False)
        our_out.setblocking(False)
        passed = (self._environ[key] for key in settings.env_pass if key in self._environ)
        secrets = (*settings.secrets, *(value for value in passed if len(value) >= SECRET_CHARACTERS))
        return Child(process, our_in, our_out, log, secrets)

    def _tell_guardian(self, sign: str, pid: int) -> None:
        assert self._guardian is not None
        with contextlib.suppress(OSError):  # without a guardian the hub still ends its children itself
            self._guardian[1].send(f"{sign}{pid}\n".encode())


def _log_file(log: Path, program: str) -> BinaryIO:
    """A server's log, opened to be added to; nowhere, when it can't be kept: a server works without one."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        file = log.open("ab")
        log.chmod(0o600)
    except OSError:
        return Path(os.devnull).open("ab")
    file.write(f"{START_MARK}{program}\n".encode())
    file.flush()
    return file


def _start_guardian() -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """The guardian and the hub's end of its stdin, which never blocks: a line is far smaller than its buffer."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(guardian.__file__)],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
    ours.setblocking(False)
    return process, ours


async def _end(child: Child) -> None:
    child.stdin.close()
    if not await _gone(child, STDIN_GRACE):
        guardian.signalled(child.process.pid, signal.SIGTERM)
        if not await _gone(child, TERMINATE_GRACE):
            guardian.signalled(child.process.pid, signal.SIGKILL)
            await _gone(child, KILL_GRACE)
    guardian.signalled(child.process.pid, signal.SIGKILL)  # what it started and left behind in its group
    child.stdout.close()


async def _gone(child: Child, seconds: float) -> bool:
    with anyio.move_on_after(seconds):
        await child.exited()
    return child.process.poll() is not None


def _cannot_start(name: str, settings: ServerSettings, error: OSError | ValueError) -> DownstreamError:
    assert settings.command is not None
    program = settings.command[0]
    if settings.cwd is not None and not Path(settings.cwd).is_dir():
        problem = f"can't start: its working directory {settings.cwd} doesn't exist. Correct servers.{name}.cwd."
    elif isinstance(error, FileNotFoundError):
        problem = (
            f"can't start: there is no program {program!r}. Install it, or correct servers.{name}.command in "
            "servers.toml."
        )
    elif isinstance(error, PermissionError):
        problem = f"can't start: {program!r} isn't executable. Correct servers.{name}.command in servers.toml."
    else:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        problem = f"can't start {program!r}: {reason}."
    return NotStartableError(name, problem)


class NotStartableError(DownstreamError):
    """Trying again won't help until somebody changes something."""
