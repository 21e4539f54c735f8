"""What of an answer is kept: only a complete message, told once as a whole and once as a stream.

Pure. An answer that was cut, that has an error in it, or that isn't understood to its last event is no answer to give
again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_hub.proxy import replay
from mcp_hub.proxy.flights import Piece
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.recording import answered

CALLS = frozenset({"tool_use"})
"""Blocks that have the client do something: what it does may not be right a second time."""

NEVER = frozenset({"server_tool_use", "mcp_tool_use", "fallback"})
"""Blocks of what the API has done meanwhile, which it would do anew."""

STOPS = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""Why a model stops when it has said all. What was cut at max_tokens, refused, or is to be gone on with isn't kept."""


@dataclass(frozen=True)
class Reading:
    """A complete answer: its message as JSON, its events, when they came (seconds, bytes), and what it has used."""

    message: bytes = field(repr=False)
    stream: bytes = field(repr=False)
    pace: tuple[tuple[float, int], ...] = field(repr=False)
    usage: Usage
    is_kept: bool
    """Whether it may be given again; else it is only known what it has cost."""


def read(pieces: Sequence[Piece], *, streams: bool, tool_calls: bool) -> Reading | None:
    """Read an answer whose body came in these pieces; None for what is no complete message."""
    body = b"".join(piece.data for piece in pieces)
    message = replay.message_in(body) if streams else _message(body)
    if message is None:
        return None
    told = _whole(message) if streams else body
    usage = answered(told) if told is not None else None
    if told is None or usage is None:
        return None
    stream = body if streams else replay.stream_of(message)
    pace = tuple((piece.at - pieces[0].at, len(piece.data)) for piece in pieces) if streams else ()
    kept = stream is not None and _is_kept(message, tool_calls)
    return Reading(told, stream or b"", pace, usage.usage, kept)


def _message(body: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _whole(message: Mapping[str, Any]) -> bytes | None:
    """A message as JSON; None for what is too deep, or has a number that JSON has no name for, as 1e999 is read."""
    try:
        return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None


def _is_kept(message: Mapping[str, Any], tool_calls: bool) -> bool:
    content = message.get("content")
    if message.get("type") != "message" or not isinstance(message.get("stop_reason"), str):
        return False
    if not isinstance(content, list) or not message.get("usage") or message.get("container") is not None:
        return False
    if message["stop_reason"] not in STOPS or not content:
        return False
    kinds = {str(block.get("type")) for block in content if isinstance(block, dict)}
    return not kinds & NEVER and (tool_calls or not kinds & CALLS)
