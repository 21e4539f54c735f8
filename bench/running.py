"""Runs a bench from the command line: what it says of its progress, of a busy machine, and of a run that breaks off."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.processes import BenchError

BUSY = 0.5
"""A load average from which on somebody else uses the machine."""


class Progress:
    """Says on stderr what is being done: on one line of a terminal, line by line elsewhere."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """What is being done now."""
        seconds = time.monotonic() - self._began
        start, end = ("\r\x1b[2K", "") if self._live else ("", "\n")
        print(f"{start}[{seconds:4.0f} s] {text}", end=end, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the terminal's line empty."""
        if self._live:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


@contextmanager
def running() -> Iterator[Progress]:
    """Run inside: gives where to say what is being done.

    Ctrl-C and BenchError are told and end the process, with status 130 and 1.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
    progress = Progress()
    try:
        yield progress
    except KeyboardInterrupt:
        progress.clear()
        print("Stopped; everything that was started has ended.", file=sys.stderr)
        sys.exit(130)
    except BenchError as error:
        progress.clear()
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
    progress.clear()


@contextmanager
def measuring() -> Iterator[tuple[Progress, list[float]]]:
    """As `running`, for what measures times: gives the load before, too, and says when the machine is busy."""
    with running() as progress:
        before = load()
        if before and before[0] > BUSY:
            progress.say(f"load average {before[0]:.2f}: the machine is busy, so the times will be too long")
        yield progress, before


def load() -> list[float]:
    """The load averages; empty where the OS tells none."""
    return [round(each, 2) for each in os.getloadavg()] if hasattr(os, "getloadavg") else []
