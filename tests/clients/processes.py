"""Which processes a run started, and which of them are still there when it is over.

A process belongs to the run if it was seen below the client, or if the run's own folder stands in its command
line or its environment. The second way finds what left the process tree. A hub that is there for several runs, and
what is below it, belongs to none of them.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

GONE_SECONDS = 10.0
"""How long the hub and its servers may take to end once their client has."""
POLL_SECONDS = 0.1
KILL_SECONDS = 5.0


class ProcessWatch:
    """Remembers the processes of one run, whose folder is `folder`; the process `spared` outlives it."""

    def __init__(self, folder: Path, spared: int | None = None) -> None:
        self._mark = str(folder)
        self._spared = spared
        self._seen: dict[psutil.Process, str] = {}

    def snapshot(self, root: int) -> None:
        """Remember every process below `root` as it is now."""
        with suppress(psutil.Error):
            for process in psutil.Process(root).children(recursive=True):
                self._remember(process)

    def snapshot_own(self) -> None:
        """Remember every process below this one as it is now."""
        self.snapshot(os.getpid())

    def saw(self, words: str) -> bool:
        """Whether a remembered process had `words` in its command line."""
        return any(words in command for command in self._seen.values())

    @property
    def count(self) -> int:
        return len(self._seen)

    def survivors(self) -> list[str]:
        """Command lines of what is left, after GONE_SECONDS at most."""
        deadline = time.monotonic() + GONE_SECONDS
        left = self._alive()
        while left and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=POLL_SECONDS)
            left = self._alive()
        return [f"{process.pid} {self._seen[process]}" for process in left]

    def kill_all(self) -> None:
        """Leave nothing running, whatever was found."""
        left = self._alive()
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=KILL_SECONDS)

    def _alive(self) -> list[psutil.Process]:
        for process in psutil.process_iter():
            if process.pid != os.getpid() and self._is_marked(process):
                self._remember(process)
        return [process for process in self._seen if _runs(process)]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return any(self._mark in part for part in (*process.cmdline(), *process.environ().values()))
        except (psutil.Error, OSError):
            return False

    def _remember(self, process: psutil.Process) -> None:
        with suppress(psutil.Error):
            if not self._is_spared(process):
                self._seen[process] = " ".join(process.cmdline()) or process.name()

    def _is_spared(self, process: psutil.Process) -> bool:
        if self._spared is None:
            return False
        return self._spared in (process.pid, *(parent.pid for parent in process.parents()))


def _runs(process: psutil.Process) -> bool:
    """A process that has ended but wasn't collected by its parent yet is over."""
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
