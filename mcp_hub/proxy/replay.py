"""An answer given again: a message as the stream that it could have come in, and a recorded one at its pace.

Pure. A message that came whole is told as the Messages API would have streamed it; one that came as a stream is told by
its own bytes, so that the client sees the order of events that there was.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mcp_hub.proxy.recording import Recorder
from mcp_hub.proxy.responses import KeptAnswer
from mcp_hub.proxy.sse import SseParser

ENDS = ("stop_reason", "stop_sequence", "stop_details")
"""What a stream tells at its end; clients take it from there, also where it isn't told."""

LONGEST_PAUSE = 10.0
"""Seconds between two pieces that are given at their pace: an upstream that hung is no model to follow."""


def message_in(stream: bytes) -> dict[str, Any] | None:
    """The message that a whole stream tells; None for one that isn't complete, or isn't understood."""
    recorder = Recorder()
    for event in SseParser().feed(stream):
        recorder.hear(event)
    return recorder.message()


def stream_of(message: Mapping[str, Any]) -> bytes | None:
    """The events that tell a message; None where they would tell another one, as for what isn't known here."""
    try:
        stream = b"".join(_event(event) for event in _events(message))
        return stream if message_in(stream) == message else None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return None


def paced(answer: KeptAnswer) -> Iterator[tuple[float, bytes]]:
    """The pieces of a recorded stream, each with the seconds to wait before it."""
    start, last = 0, 0.0
    for at, size in answer.pace:
        yield min(max(at - last, 0.0), LONGEST_PAUSE), answer.stream[start : start + size]
        start, last = start + size, at
    if rest := answer.stream[start:]:
        yield 0.0, rest


def _events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    ends = {name: message[name] for name in ENDS if name in message}
    begun = {**message, "content": [], **dict.fromkeys(ends)}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        started, deltas = _told(block)
        yield {"type": "content_block_start", "index": index, "content_block": started}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": ends, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _told(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and the deltas that complete it; one of an unknown type starts whole."""
    kind = block["type"]
    if kind == "text":
        citations = block.get("citations") or []
        cited = [{"type": "citations_delta", "citation": each} for each in citations]
        started = {**block, "text": "", **({"citations": []} if citations else {})}
        return started, [*cited, {"type": "text_delta", "text": block["text"]}]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
        if block.get("signature"):
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", **({"signature": ""} if "signature" in block else {})}, deltas
    if kind == "tool_use":
        arguments = {"type": "input_json_delta", "partial_json": _json(block["input"])}
        return {**block, "input": {}}, [arguments] if block["input"] else []
    return dict(block), []


def _event(data: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), _json(data).encode())


def _json(value: Any) -> str:
    """Raises ValueError for a number that JSON has no name for, as 1e999 is read."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
