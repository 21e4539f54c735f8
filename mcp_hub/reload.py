"""Notices that the files of the configuration have changed: by looking, twice a second.

It works on every file system and for every way in which an editor saves; it costs a few stat calls.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

LOOK_EVERY = 0.5
"""Seconds between two looks: a person who saved a file doesn't notice the wait."""

Stamps = tuple[tuple[int, int, int] | None, ...]


def stamps(files: Sequence[Path]) -> Stamps:
    """What tells a changed file: time, size and number of each; None for one that isn't there."""
    return tuple(map(_stamp, files))


async def watch(files: Sequence[Path], seen: Stamps, on_change: Callable[[], Awaitable[None]]) -> None:
    """Call `on_change` after each change of `files` since `seen`, until cancelled.

    A file that is being written is let be: a change counts when two looks in a row have seen the same.
    """
    last = seen
    while True:
        now = await anyio.to_thread.run_sync(stamps, files)
        if now == last and now != seen:
            seen = now
            await on_change()
        last = now
        await anyio.sleep(LOOK_EVERY)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
