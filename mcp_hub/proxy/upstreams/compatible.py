"""Anthropic, or any URL that is compatible: requests go there as they are, with the upstream's own credential."""

from collections.abc import Mapping
from typing import Any

from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.upstream import Headers, Reply


class Compatible:
    """An Upstream that speaks the Messages API itself."""

    def __init__(self, url: str, credential: tuple[str, str] | None, connection: Connection) -> None:
        """`url` is the base, without /v1; `credential` a header and its value, in place of the client's own."""
        self._url = url.rstrip("/")
        self._credential = credential
        self._connection = connection

    def changes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - the Protocol's
        """Nothing: it takes what Anthropic takes."""
        return {}

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Send a request to `path`, which begins with /v1 and may have a query. Raises UnreachedError, BrokenError."""
        if self._credential is not None:
            own = [each for each in headers if each[0].lower() not in ("x-api-key", "authorization")]
            headers = [*own, self._credential]
        return await self._connection.send(method, f"{self._url}{path}", headers, body)

    async def close(self) -> None:
        """Close every connection."""
        await self._connection.close()
