"""Streams of the Messages API that aren't quite legal -> legal ones, where what they mean can be known.

Pure. Translators of other APIs break streams in a few ways that clients don't forgive: the arguments of a tool stand
in `content_block_start`, where Claude Code doesn't look; blocks overlap, share a number, have no end or no beginning.
A legal stream passes byte for byte, and so does whatever this can't know the meaning of.

Blocks go out one after the other, numbered in the order in which they began. One that isn't a tool's ends where the
next one begins; a tool's, whose arguments may still come, holds those back that began after it.
"""

import json
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_hub.proxy.sse import Event

START, DELTA, STOP = "content_block_start", "content_block_delta", "content_block_stop"

TOOLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
"""Blocks whose `input` comes as deltas."""

TAKEN_BY: Mapping[str, frozenset[str]] = {
    "text_delta": frozenset({"text"}),
    "thinking_delta": frozenset({"thinking"}),
    "signature_delta": frozenset({"thinking"}),
    "input_json_delta": TOOLS,
}
"""The blocks that take a delta, as far as that is known: what a block of a new kind takes isn't."""
KNOWN = frozenset().union(*TAKEN_BY.values())

BEGUN_BY: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "text_delta": ("text", {"type": "text", "text": ""}),
    "thinking_delta": ("thinking", {"type": "thinking", "thinking": "", "signature": ""}),
}
"""The field of a delta whose text can stand in a block of its own, and that block as it begins."""


MOST_HELD, MOST_BLOCKS = 4 * 1024 * 1024, 256
"""Bytes that are held back, and blocks that are open, at most: with more, a stream passes as it comes."""


@dataclass
class _Block:
    """A block that has begun: `index` is the upstream's, `number` its place among those that go out.

    given: a tool's arguments where they came whole, outside of the deltas.
    start, held: a block that began with arguments waits for its end, since deltas may bring them once more: how it
        begins when it is repaired, and everything as it came; None for one that goes out as it comes.
    """

    type: str
    id: object
    index: int
    number: int
    given: dict[str, Any] = field(default_factory=dict)
    start: bytes = b""
    held: list[bytes] | None = None
    pieces: list[str] = field(default_factory=list)
    ready: list[bytes] = field(default_factory=list)
    closed: bool = False

    def takes(self, delta: str) -> bool:
        """Whether a delta of this type is for such a block."""
        return delta not in TAKEN_BY or self.type not in KNOWN or self.type in TAKEN_BY[delta]


class Repair:
    """Takes the events of one stream, in order; gives the bytes that go on. `rest` has what it still holds back."""

    def __init__(self) -> None:
        self._blocks: deque[_Block] = deque()
        self._begun = 0
        self._strange: set[int] = set()
        self._behind = 0
        self._given_up = False  # at a beginning that isn't understood: then neither is what follows

    def feed(self, event: Event) -> bytes:
        """The bytes that go on, now that this event has come."""
        passed = self._passed(event)
        self._behind = max(0, self._behind + len(event.raw) - len(passed)) if self._blocks else 0
        if self._behind > MOST_HELD or len(self._blocks) > MOST_BLOCKS:
            self._given_up = True
            return passed + self.rest()
        return passed

    def _passed(self, event: Event) -> bytes:
        data = {"type": event.event, **(_parsed(event.data) or {})}
        kind, index = data["type"], data.get("index")
        if self._given_up or not event.text or (kind == START and not _begins(data)):
            self._given_up = True
            return self.rest() + event.raw
        if kind in (START, DELTA, STOP) and type(index) is int:
            passed = self._content(kind, index, event, data)
            return b"".join([*self._drained(), passed])
        if kind == "message_stop" or (kind == "message_delta" and _stops(data)):
            for block in self._blocks:
                self._close(block)
            return b"".join([*self._drained(), event.raw])
        if kind == "error":
            return self.rest() + event.raw
        return event.raw

    def rest(self) -> bytes:
        """What is held back, as it came: the stream has broken off, or ended."""
        pieces = [piece for block in self._blocks for piece in (*block.ready, *(block.held or ()))]
        self._blocks.clear()
        return b"".join(pieces)

    def _content(self, kind: str, index: int, event: Event, data: dict[str, Any]) -> bytes:
        """Take an event about a block in; the bytes of one that passes as it is."""
        if kind == START:
            return self._start(index, event, data, data["content_block"])
        if kind == DELTA:
            delta = data.get("delta")
            return self._delta(index, event, data, delta) if isinstance(delta, dict) else event.raw
        if index in self._strange:
            self._strange.discard(index)
            return event.raw
        stop: bytes | None = None
        for block in self._open(index):
            self._close(block, _numbered(event, data, block) if stop is None else None)
            stop = event.raw
        return b""  # and the end of what never began is nobody's

    def _start(self, index: int, event: Event, data: dict[str, Any], started: dict[str, Any]) -> bytes:
        kind, id = str(started.get("type")), started.get("id")
        given = _arguments(started) if kind in TOOLS else None
        before = next(iter(reversed(self._open(index))), None)
        if before is not None and kind in TOOLS and (before.type, before.id) == (kind, id) and id:
            return b"" if self._give(before, given or {}) else event.raw  # the same call, begun once more
        for block in self._blocks:
            if not block.closed and (block.index == index or block.type not in TOOLS):
                self._close(block)
        block = self._begin(kind, index, id)
        shown = {**data, "content_block": {**started, "input": {}}}
        as_it_came = _numbered(event, data, block)
        if given is None:
            block.ready.append(as_it_came)
        elif not given:
            block.ready.append(as_it_came if started.get("input") == {} else _encoded(shown, block))
        else:
            block.given, block.start, block.held = given, _encoded(shown, block), [as_it_came]
        return b""

    def _delta(self, index: int, event: Event, data: dict[str, Any], delta: dict[str, Any]) -> bytes:
        kind = str(delta.get("type"))
        there = self._open(index)
        block = next((each for each in reversed(there) if each.takes(kind)), None)
        if block is None and kind in BEGUN_BY and isinstance(text := delta.get(BEGUN_BY[kind][0]), str):
            if not text.strip():
                return b""  # a block of spaces alone can't be sent back to the API
            block = self._begin_by(kind, index)
        if block is None:
            self._strange.update({index} if not there else ())
            return event.raw
        piece = delta.get("partial_json") if kind == "input_json_delta" else None
        passed = _numbered(event, data, block)
        if isinstance(piece, dict):  # whole, in place of a text
            if self._give(block, piece):
                return b""
        elif isinstance(piece, str):
            if block.held is not None or not block.pieces:  # of one that passes, it is enough that there are any
                block.pieces += [piece] if piece else []
        elif kind == "input_json_delta" and piece is None:
            passed = _encoded({**data, "delta": {**delta, "partial_json": ""}}, block)
        (block.ready if block.held is None else block.held).append(passed)
        return b""

    def _begin(self, kind: str, index: int, id: object = None) -> _Block:
        block = _Block(kind, id, index, self._begun)
        self._begun += 1
        self._blocks.append(block)
        return block

    def _begin_by(self, delta: str, index: int) -> _Block:
        """A block for a delta that has none: after the one that is open, which it ends unless it is a tool's."""
        for block in self._blocks:
            if not block.closed and block.type not in TOOLS:
                self._close(block)
        begun = BEGUN_BY[delta][1]
        block = self._begin(begun["type"], index)
        block.ready.append(_encoded({"type": START, "index": index, "content_block": begun}, block))
        return block

    def _give(self, block: _Block, arguments: dict[str, Any]) -> bool:
        """Keep arguments that came whole; False when they contradict those that are known."""
        more = _more(block.given, arguments)
        if more is None:
            return False
        block.given = more
        return True

    def _close(self, block: _Block, stop: bytes | None = None) -> None:
        """End a block, with the upstream's own end where there was one."""
        if block.closed:
            return
        block.closed = True
        joined = "".join(block.pieces)
        whole = _encoded(
            {
                "type": DELTA,
                "index": block.index,
                "delta": {"type": "input_json_delta", "partial_json": json.dumps(block.given, ensure_ascii=False)},
            },
            block,
        )
        if block.held is None:
            if block.given and not joined:
                block.ready.append(whole)
        else:
            told = _parsed(joined) if joined else {}
            more = None if told is None else _more(block.given, told)
            if more is None:  # they contradict each other, or the deltas spell nothing
                block.ready += block.held
            elif more == told:
                block.ready += [block.start, *block.held[1:]]
            else:
                block.ready += [block.start, whole]
            block.held = None
        block.ready.append(_encoded({"type": STOP, "index": block.index}, block) if stop is None else stop)

    def _open(self, index: int) -> list[_Block]:
        return [block for block in self._blocks if block.index == index and not block.closed]

    def _drained(self) -> Iterable[bytes]:
        """What can go out now."""
        pieces: list[bytes] = []
        while self._blocks:
            first = self._blocks[0]
            pieces += first.ready
            first.ready.clear()
            if not first.closed:
                break
            self._blocks.popleft()
        return pieces


def _arguments(started: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments that a tool's block begins with; None for an `input` that is nothing known."""
    given = started.get("input")
    if given is None or given == "":
        return {}
    if isinstance(given, str):
        return _parsed(given)
    return given if isinstance(given, dict) else None


def _more(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """The one of two arguments that has all of the other, the second if both are the same; None if neither has."""
    if all(name in other and other[name] == value for name, value in one.items()):
        return other
    if all(name in one and one[name] == value for name, value in other.items()):
        return one
    return None


def _numbered(event: Event, data: Mapping[str, Any], block: _Block) -> bytes:
    """An event as it came, but for the number of its block where that is another."""
    return event.raw if block.number == block.index else _encoded(data, block)


def _encoded(data: Mapping[str, Any], block: _Block) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps({**data, 'index': block.number})}\n\n".encode()


def _stops(data: Mapping[str, Any]) -> bool:
    """Whether a message_delta says that the message is over: others tell of its usage in the middle."""
    delta = data.get("delta")
    return isinstance(delta, dict) and delta.get("stop_reason") is not None


def _begins(data: Mapping[str, Any]) -> bool:
    """Whether this is the beginning of a block, as one can be followed."""
    return type(data.get("index")) is int and isinstance(data.get("content_block"), dict)


def _parsed(text: str) -> dict[str, Any] | None:
    """A JSON object; None for what isn't one, or has a number that couldn't be written again."""
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
