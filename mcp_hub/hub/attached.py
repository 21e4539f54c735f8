"""Stands in for the meta-tools: hands each call to a hub of the same configuration that is served over HTTP.

Above is `server`, bound to this process's stdio; below is a session with that hub, kept and renewed like one with
any server. The hub itself starts no server and runs no program.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp_types import TextContent

from mcp_hub.errors import DownstreamError
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.journal import LOCAL
from mcp_hub.hub.meta_tools import Answer, meta_tool
from mcp_hub.hub.programs import Report
from mcp_hub.settings import ServerSettings
from mcp_hub.store.running import RunningHub

logger = logging.getLogger(__name__)

NAME = "the HTTP hub"

RECONNECT_WITHIN = 5.0
"""Seconds for a session with the other hub; on one machine it takes milliseconds."""

QUEUE = 60.0
"""Seconds beyond a program's own limit that it may wait for its turn and for servers that start."""

Find = Callable[[], Awaitable[ServerSettings | None]]
"""Looks for a running hub of the same configuration: how to connect to it."""


class Attached:
    """Answers the four meta-tools by asking the other hub. `find` looks for it again when it doesn't answer."""

    def __init__(self, downstreams: Downstreams, settings: ServerSettings, find: Find) -> None:
        self._downstreams = downstreams
        self._settings = settings
        self._find = find

    async def answer(
        self,
        name: str,
        arguments: Mapping[str, Any],
        client: str = LOCAL,  # noqa: ARG002
        report: Report | None = None,
    ) -> Answer:
        """Ask the other hub, which knows this client by its token.

        Raises nothing but cancellation; CallerError for a name that is no meta-tool.
        """
        meta_tool(name)
        if not await self._connected():
            return Answer((self._gone(),), is_error=True)

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
            if report is not None:
                await report(progress, message or "")

        try:
            result = await self._downstreams.call(NAME, name, dict(arguments), on_progress if report else None)
        except DownstreamError as error:
            logger.warning("%s", error.text)
            text = f"{self._gone()} If it was running a program, that may have done part of its work."
            return Answer((text,), is_error=True)
        parts = tuple(block.text for block in result.content if isinstance(block, TextContent))
        return Answer(parts, is_error=result.is_error or False)

    async def _connected(self) -> bool:
        """Connect if need be: to the hub as it was, or else to the one that runs in its place."""
        if await self._downstreams[NAME].ready(RECONNECT_WITHIN):
            return True
        found = await self._find()
        if found is None:
            return False
        if found != self._settings:
            self._settings = found
            self._downstreams.configure({NAME: found})
        return await self._downstreams[NAME].ready(RECONNECT_WITHIN)

    def _gone(self) -> str:
        return (
            f"The hub at {self._settings.url}, to which this one is attached, doesn't answer. Start it again with "
            "`mcp_hub serve --http` and ask again, or restart this client without --attach."
        )


def connection(hub: RunningHub, client: str, wall_seconds: float) -> ServerSettings:
    """How to reach a running hub, as `client`, a name of this process's own; its programs take `wall_seconds`."""
    headers = {"Authorization": f"Bearer {hub.secret}.{client}"}
    return ServerSettings(url=hub.url, headers=headers, timeout=wall_seconds + QUEUE)
