"""Does what a large body needs apart from the event loop, so that other requests go on meanwhile."""

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

LARGE = 256 * 1024
"""Bytes of a body that mostly take 3 ms to read; a thread of its own costs 0.1 ms, which smaller ones needn't pay. The
JSON module holds the interpreter for one call, so a body of a million numbers stalls the others for a moment all the
same."""

T = TypeVar("T")


async def apart(size: int, work: Callable[[], T]) -> T:
    """What `work`, which looks at a body of `size` bytes, gives: in a thread for a large one, at once for others."""
    return work() if size < LARGE else await anyio.to_thread.run_sync(work)
