"""What an answer of the Messages API says of itself: tokens used, model, why it stopped, and the whole message.

Pure. A stream is heard event by event, a non-streaming answer is read at once. Nothing here raises: an answer has
gone to the client already, or is about to, whether it is understood or not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.sse import Event

CONTENT_EVENTS = frozenset({"content_block_start", "content_block_delta", "content_block_stop"})
DELTA = b"event: content_block_delta\n"
"""How nearly every event of a stream begins; it is known by this where its content doesn't matter."""
GROWING_TEXT = {"text_delta": "text", "thinking_delta": "thinking"}
"""Deltas whose field is added to the block's field of the same name."""
REPLACED = {"signature_delta": ("signature",), "compaction_delta": ("content", "encrypted_content")}
"""Deltas that come once, and whose fields are the block's."""


@dataclass(frozen=True)
class ToldError:
    """An error that the upstream reported: its type as the Messages API names it, and its text."""

    type: str
    message: str


@dataclass(frozen=True)
class Answer:
    """A non-streaming answer: what it used, and what it says of itself ("" where it doesn't)."""

    usage: Usage
    model: str
    message_id: str
    stop_reason: str
    counted: bool
    """Whether it tells both its input and its output, as counts."""


def answered(body: bytes) -> Answer | None:
    """Read a non-streaming answer; None for what is no message with its usage."""
    message = _object(body)
    usage = message.get("usage")
    if not isinstance(usage, dict):
        return None
    told = _text(message, "model"), _text(message, "id"), _text(message, "stop_reason")
    used = Usage.from_api(usage)
    counted = _counts(usage, "input_tokens") and _counts(usage, "output_tokens") and used.prompt > 0
    return Answer(used, *told, counted)


def error_type(body: bytes) -> str:
    """The type of an error, as the Messages API names it; "" for a body that doesn't say."""
    return _text(_inner(_object(body), "error"), "type")


class Recorder:
    """Hears the events of one stream as they pass.

    usage: the counts that the upstream has told so far. Those of `message_delta` are cumulative, and take the place of
        `message_start`'s; a stream that was cut before its `message_delta` has used more output than this says.
    model, message_id, stop_reason: "" until they have come.
    complete: whether `message_stop` has come.
    counts_input, counts_output: whether input has been told, and by `message_delta` output, as counts. Some tell their
        input at the end only, and 0 at the beginning: a prompt of 0 tokens is none that was counted.
    error: what an `error` event said.

    With content=False the content isn't read or kept, which costs half as much, and `message` has nothing to tell.
    """

    def __init__(self, content: bool = True) -> None:
        self.usage = Usage()
        self.complete = False
        self.counts_input = False
        self.counts_output = False
        self.error: ToldError | None = None
        self._message: dict[str, Any] = {}
        self._told: dict[str, Any] = {}
        self._blocks: list[_Block] = []
        self._understood = content
        self._reads_content = content

    @property
    def model(self) -> str:
        """The model that the upstream says has answered; the last one where it fell back to another in mid-stream."""
        return _text(self._message, "model")

    @property
    def message_id(self) -> str:
        """The message's id, as in `message_start`."""
        return _text(self._message, "id")

    @property
    def stop_reason(self) -> str:
        """Why the model stopped, as in the last `message_delta`."""
        return _text(self._message, "stop_reason")

    def hear(self, event: Event) -> None:
        """Take in the next event of the stream; what isn't understood is left aside."""
        if not self._reads_content and event.raw.startswith(DELTA):
            return
        said = event.data
        data = _object(said) if said else {}
        kind = _text(data, "type") or event.event
        if kind in CONTENT_EVENTS:
            self._hear_content(kind, data)
        elif kind == "message_start":
            self._understood &= not self._message
            self._message = dict(_inner(data, "message"))
            self._hear_usage(_inner(self._message, "usage"))
        elif kind == "message_delta":
            _update(self._message, {name: data[name] for name in data if name not in ("type", "delta", "usage")})
            _update(self._message, _inner(data, "delta"))
            self.counts_output |= _counts(_inner(data, "usage"), "output_tokens")
            self._hear_usage(_inner(data, "usage"))
        elif kind == "message_stop":
            self.complete = True
        elif kind == "error":
            told = _inner(data, "error")
            self.error = ToldError(_text(told, "type") or "api_error", _text(told, "message") or said)

    def message(self) -> dict[str, Any] | None:
        """The message as the API would have answered without `stream`.

        None for a stream that isn't complete, has an error in it, or brought something that isn't understood.
        """
        if not (self.complete and self._understood and self._message) or self.error:
            return None
        try:
            content = [block.whole() for block in self._blocks]
        except (ValueError, RecursionError):
            return None
        return {**self._message, "content": content, "usage": dict(self._told)}

    def _hear_usage(self, usage: Mapping[str, Any]) -> None:
        _update(self._told, usage)
        self.usage = self.usage.most(Usage.from_api(self._told))
        self.counts_input |= _counts(usage, "input_tokens") and self.usage.prompt > 0

    def _hear_content(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind == "content_block_start":
            started = _inner(data, "content_block")
            if started.get("type") == "fallback":
                _update(self._message, {"model": _text(_inner(started, "to"), "model") or None})
            if self._reads_content:
                self._understood &= bool(started) and data.get("index") == len(self._blocks)
                self._blocks.append(_Block(started))
        elif kind == "content_block_delta" and self._reads_content:
            index = data.get("index")
            if isinstance(index, int) and 0 <= index < len(self._blocks):
                self._understood &= self._blocks[index].add(_inner(data, "delta"))
            else:
                self._understood = False


class _Block:
    """One content block, with what its deltas have brought so far."""

    def __init__(self, started: dict[str, Any]) -> None:
        self._block = started
        self._pieces: dict[str, list[str]] = {}

    def add(self, delta: Mapping[str, Any]) -> bool:
        """Take a delta in; False for one that isn't understood."""
        kind = delta.get("type")
        if kind in GROWING_TEXT:
            return self._grow(GROWING_TEXT[kind], delta.get(GROWING_TEXT[kind]))
        if kind == "input_json_delta":
            return self._grow("input", delta.get("partial_json"))
        if kind == "citations_delta" and "citation" in delta:
            self._block["citations"] = [*(self._block.get("citations") or ()), delta["citation"]]
            return True
        if kind in REPLACED:
            self._block.update((name, delta[name]) for name in REPLACED[kind] if name in delta)
            return True
        return False

    def whole(self) -> dict[str, Any]:
        """The block as it is now. Raises ValueError for arguments of a tool that aren't JSON."""
        block = dict(self._block)
        for name, pieces in self._pieces.items():
            joined = "".join(pieces)
            if name == "input":
                block["input"] = json.loads(joined) if joined else self._block.get("input", {})
            else:
                block[name] = f"{block.get(name) or ''}{joined}"
        return block

    def _grow(self, name: str, piece: object) -> bool:
        if not isinstance(piece, str):
            return False
        self._pieces.setdefault(name, []).append(piece)
        return True


def _object(text: str | bytes) -> dict[str, Any]:
    """A JSON object, or an empty one for what isn't."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _counts(usage: Mapping[str, Any], name: str) -> bool:
    count = usage.get(name)
    return isinstance(count, int) and not isinstance(count, bool) and count >= 0


def _inner(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    """A field that is text; half a surrogate pair, which JSON can spell and a database can't keep, is `?`."""
    value = fields.get(name)
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _update(known: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Take over what a later event tells; null says that there is nothing to change."""
    known.update({name: value for name, value in told.items() if value is not None or name not in known})
