"""Amazon Bedrock's streams as the Messages API would send them: frames as they come -> server-sent events.

Pure. A frame is AWS's event stream encoding (application/vnd.amazon.eventstream), which botocore reads and whose
checksums it compares; it holds one event of the Messages API, in base64 inside of JSON.
"""

import base64
import json
import struct
from typing import Any

from mcp_hub.proxy import wire
from mcp_hub.proxy.upstreams import bedrock_errors
from mcp_hub.proxy.upstreams.upstream import BrokenError

CONTENT_TYPE = "application/vnd.amazon.eventstream"

METRICS = "amazon-bedrock-invocationMetrics"
"""What Bedrock adds to the last event; the Messages API has no such field, and strict clients would stumble."""


class BedrockEvents:
    """Takes a stream's bytes in chunks of any size; the events don't depend on where the chunks were cut."""

    def __init__(self, name: str) -> None:
        """`name` is the upstream's in servers.toml. Needs botocore."""
        from botocore.eventstream import EventStreamBuffer, ParserError

        self._name = name
        self._frames = EventStreamBuffer()
        self._malformed = (ParserError, struct.error, LookupError, TypeError, ValueError, RecursionError)
        self._pending = 0
        self.ended = False
        """An exception was told: nothing comes after it."""

    def events(self, data: bytes) -> tuple[bytes, BrokenError | None]:
        """The events that these bytes complete, and where a frame is damaged, the error after them."""
        events: list[bytes] = []
        self._pending += len(data)
        self._frames.add_data(data)
        try:
            for frame in self._frames:
                self._pending -= frame.prelude.total_length
                events.append(self._event(frame.headers, frame.payload))
                if self.ended:
                    break
        except self._malformed as error:
            text = f"The stream of the upstream {self._name!r} is damaged: {type(error).__name__}."
            return b"".join(events), BrokenError(text)
        return b"".join(events), None

    def finish(self) -> None:
        """The stream is at its end. Raises BrokenError inside a frame."""
        if self._pending and not self.ended:
            raise BrokenError(f"The upstream {self._name!r} broke off inside an event.")

    def _event(self, headers: dict[str, Any], payload: bytes) -> bytes:
        if headers.get(":message-type") in ("exception", "error"):
            self.ended = True
            told = bedrock_errors.in_stream(headers, payload)
            return wire.error_event(told.type, told.message)
        if headers.get(":event-type") != "chunk":
            return b""  # a kind of tomorrow, which AWS's own clients leave out too
        data = base64.b64decode(json.loads(payload)["bytes"], validate=True)
        event = json.loads(data)
        if METRICS in event:
            del event[METRICS]
            data = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        if not isinstance(kind := event["type"], str) or not kind.isprintable():
            raise ValueError("no type of an event")
        # A line break can stand only between two tokens, and would end the field here.
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
