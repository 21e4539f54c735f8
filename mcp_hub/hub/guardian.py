"""A small process that outlives the hub by a moment: it ends the servers' process groups when the hub is gone.

A hub that is killed with SIGKILL can't stop its children. It tells this process of each (`+PGID`, `-PGID`, a
line each on stdin); when stdin ends, those still there are terminated, and killed after a grace. Run as a
script by an isolated interpreter: it imports nothing of the project.
"""

import contextlib
import os
import signal
import sys
import time

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, as the MCP SDK gives its children."""

POLL = 0.02


def main() -> None:
    """Read registrations until stdin ends, then end what is registered."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    end(groups)


def end(groups: set[int]) -> None:
    """Terminate these process groups; kill what is left after the grace."""
    alive = {group for group in groups if signalled(group, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE
    while alive and time.monotonic() < deadline:
        time.sleep(POLL)
        alive = {group for group in alive if signalled(group, 0)}
    for group in alive:
        signalled(group, signal.SIGKILL)


def signalled(group: int, number: int) -> bool:
    """Whether there was a process group to signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
