"""OpenRouter: the Messages API at openrouter.ai, whose streams are repaired on their way.

Requests and answers pass as they are to any compatible URL, headers of its own both ways. It takes its key as a bearer
token, and has no count_tokens (it answers 404, and its documentation lists none), so that isn't asked.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from mcp_hub.proxy.repair import Repair
from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.upstreams.answers import made_here
from mcp_hub.proxy.upstreams.compatible import Compatible
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply
from mcp_hub.proxy.wire import COUNT_TOKENS, MESSAGES, AnswerError


class OpenRouter:
    """An Upstream."""

    def __init__(self, url: str, credential: tuple[str, str] | None, connection: Connection) -> None:
        """As Compatible's; a credential for x-api-key is sent as a bearer token."""
        if credential is not None and credential[0] == "x-api-key":
            credential = ("authorization", f"Bearer {credential[1]}")
        self._compatible = Compatible(url, credential, connection)

    def changes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing: it takes what Anthropic takes, and fields of its own."""
        return self._compatible.changes(request)

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """As Compatible's; a stream of events comes repaired."""
        place = path.partition("?")[0]
        if place == COUNT_TOKENS:
            return made_here(AnswerError("not_found_error", "OpenRouter has no count_tokens."))
        reply = await self._compatible.send(method, path, headers, body)
        streams = reply.status < 400 and reply.header("content-type").lower().startswith("text/event-stream")
        if place != MESSAGES or not streams or reply.header("content-encoding") not in ("", "identity"):
            return reply
        kept = [each for each in reply.headers if each[0].lower() != "content-length"]
        return replace(reply, headers=kept, body=_repaired(reply.body))

    async def close(self) -> None:
        """Close every connection."""
        await self._compatible.close()


async def _repaired(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """A stream's pieces, repaired, in whole events. Raises BrokenError where it breaks off."""
    parser, repair = SseParser(), Repair()
    try:
        async for piece in body:
            if passed := b"".join(map(repair.feed, parser.feed(piece))):
                yield passed
    except BrokenError:
        if rest := repair.rest() + parser.rest:
            yield rest
        raise
    if rest := repair.rest() + parser.rest:
        yield rest
