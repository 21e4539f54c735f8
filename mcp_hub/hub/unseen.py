"""Waits for servers whose tools nobody has seen yet: a program or a look-up that needs one of them is held up by it."""

from collections.abc import Iterable

import anyio

from mcp_hub.hub.catalog import LiveCatalog
from mcp_hub.hub.downstream import ENDING, Downstreams


class Unseen:
    """The servers that have listed their tools neither to this hub nor to an earlier one."""

    def __init__(self, live: LiveCatalog, downstreams: Downstreams, kept_loaded: anyio.Event) -> None:
        self._live = live
        self._downstreams = downstreams
        self._kept_loaded = kept_loaded

    async def wait(self, keys: Iterable[str], most: float | None = None) -> None:
        """Wait for those of these servers; at most `most` seconds, else each for its own timeout."""
        await self._kept_loaded.wait()
        unseen = [key for key in keys if key in self._live.settings and not self._live.knows(key)]
        if unseen:
            longest = max(self._live.settings[key].timeout for key in unseen)
            await self._downstreams.settle(unseen, longest + ENDING if most is None else min(most, longest))
