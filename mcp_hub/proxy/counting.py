"""Asks an upstream how many tokens a prompt has: its count is far below the bound that the bytes give."""

import json

import anyio

from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, UnreachedError, Upstream
from mcp_hub.proxy.wire import COUNT_TOKENS, MessagesRequest

UNCOUNTED = ("max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier")
"""Fields of a request that count_tokens doesn't take."""

COUNT_WITHIN = 10.0
"""Seconds for a count; without one, the bound by bytes holds."""
COUNT_BYTES = 1_000_000
"""Of a count's answer that are read: it is one number."""


async def prompt_tokens(upstream: Upstream, headers: Headers, request: MessagesRequest) -> int | None:
    """The prompt's tokens as the upstream counts them; None where it doesn't say, or not in time."""
    with anyio.move_on_after(COUNT_WITHIN):
        return await _counted(upstream, headers, request)
    return None


async def _counted(upstream: Upstream, headers: Headers, request: MessagesRequest) -> int | None:
    body = await apart(len(request.body), lambda: request.changed(**dict.fromkeys(UNCOUNTED)))
    try:
        reply = await upstream.send("POST", COUNT_TOKENS, headers, body)
        try:
            told = bytearray()
            async for piece in reply.body:
                told += piece
                if len(told) > COUNT_BYTES:
                    return None
        finally:
            reply.close()
        tokens = json.loads(told)["input_tokens"] if reply.status == 200 else None
    except (UnreachedError, BrokenError, ValueError, TypeError, KeyError):
        return None
    return tokens if isinstance(tokens, int) and tokens >= 0 else None
