"""Runs a command-line client without a terminal, bounded, in a home of its own and with no key or setting of yours."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

RUN_SECONDS = 120.0
"""A whole scripted conversation; it takes about five seconds."""
END_SECONDS = 10.0
"""Until the output of a killed client's process group has ended too."""


@dataclass(frozen=True)
class Done:
    """What a finished run printed."""

    stdout: str
    stderr: str
    exit_code: int | None
    """None: it did not end within its time and was killed."""

    @property
    def told(self) -> str:
        """For a report: how it ended."""
        if self.exit_code == 0:
            return "exit 0"
        return f"exit {self.exit_code}: {self.stderr.strip()[-1000:] or self.stdout.strip()[-1000:]}"


@dataclass(frozen=True)
class Home:
    """A folder that one client may use: its home, and the project that it is started in."""

    folder: Path
    path: str
    """Where programs are found."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def make(self) -> "Home":
        """Make the folders."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(exist_ok=True)
        return self

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        started: Callable[[int], None] = lambda _: None,
        seconds: float = RUN_SECONDS,
    ) -> Done:
        """Run a client to its end; `started` is told the process id."""
        own = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        process = subprocess.Popen(
            list(command),
            cwd=self.work,
            env={**own, "PATH": self.path, "HOME": str(self.home), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started(process.pid)
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate(timeout=END_SECONDS)
            return Done(stdout, stderr, None)
        except BaseException:  # Ctrl-C doesn't reach it: its process group is its own
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_SECONDS)
            raise
        return Done(stdout, stderr, process.returncode)
