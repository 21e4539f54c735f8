"""Server-sent events without I/O: bytes as they come from an upstream -> events, each with its own bytes.

Pure. The rules are the HTML standard's, section 9.2.6 "Interpreting an event stream". A proxy has to pass on what it
doesn't understand as well, so nothing is dropped here: comments, odd line endings and blank lines come out as bytes
of some event, and all of them joined are the input.
"""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""Bytes of an event that are kept in memory while its end hasn't come: as much as the Messages API takes as a request.
What is longer is passed on in pieces, as no event."""

BOM = b"\xef\xbb\xbf"
UNNAMED = "message"
"""The name of an event that has data and no `event` field."""

_BLANK_AFTER_A_LINE = re.compile(rb"\n\n|\n\r\n|\n\r(?=[^\n])|\r\r")
"""The end of a line and the blank line after it. A CR that ends what has come so far may be half of a CRLF, and is
waited for, unless the line before it ended with a CR alone: so the cut between two events doesn't depend on chunks."""
_BLANK_AT_THE_START = re.compile(rb"\n|\r\n|\r(?=[^\n])")
_LONGEST_END = 3


class Event(NamedTuple):
    """One event of a stream. What it says is read when it is asked for: most events only pass.

    raw: its bytes as they came, up to and including the blank line that ended it.
    text: what of them is read: all but the stream's byte order mark, and nothing of what is too long.
    """

    raw: bytes
    text: bytes

    @property
    def event(self) -> str:
        """Its name; "" for what isn't an event to a client (comments, blank lines, fields without data)."""
        return _fields(self.text.decode(errors="replace"))[0]

    @property
    def data(self) -> str:
        """Its `data` lines, joined by line feeds."""
        return _fields(self.text.decode(errors="replace"))[1]


class SseParser:
    """Takes a stream's bytes in chunks of any size; the events don't depend on where the chunks were cut."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._at_start = True
        self._too_long = False

    @property
    def rest(self) -> bytes:
        """Bytes that have come after the last event: at the end of a stream, a beginning that clients discard."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete, in order."""
        buffer = self._buffer
        buffer += data
        events: list[Event] = []
        start = 0
        while found := self._end_of_event(start):
            end = found.end()
            events.append(self._event(bytes(buffer[start:end])))
            start = end
        if len(buffer) - start > self._max_event_bytes:
            events.append(Event(bytes(buffer[start:-_LONGEST_END]), b""))
            start = len(buffer) - _LONGEST_END
            self._too_long = True
        self._searched = max(0, len(buffer) - start - _LONGEST_END)
        del buffer[:start]
        return events

    def _end_of_event(self, start: int) -> re.Match[bytes] | None:
        """The blank line that ends the event which begins at `start`; None while it hasn't come."""
        buffer = self._buffer
        found = None
        if not self._too_long and buffer.startswith((b"\n", b"\r"), start):
            found = _BLANK_AT_THE_START.match(buffer, start)
        return found or _BLANK_AFTER_A_LINE.search(buffer, start or self._searched)

    def _event(self, raw: bytes) -> Event:
        text = raw
        if self._at_start:
            self._at_start = False
            text = raw.removeprefix(BOM)
        if self._too_long:
            self._too_long = False
            text = b""
        return Event(raw, text)


def _fields(text: str) -> tuple[str, str]:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    name = ""
    data: list[str] = []
    for line in text.split("\n"):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event":
            name = value.removeprefix(" ")
    return (name or UNNAMED, "\n".join(data)) if data else ("", "")
