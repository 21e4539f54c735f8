"""Frames between the pool and a worker: a length, then a JSON object.

    pool -> worker   run       code, namespaces, limits              once
                     value     value                                 the answer to a call
                     failure   kind, message                               the call failed: an error in the program
    worker -> pool   call      server, tool, args, kwargs            waits for value or failure
                     log       text                                  what was printed since the last frame
                     done      value, answered, steps                the program ended
                     error     kind, message, steps                  the program failed

The pool trusts nothing that a worker sends: a frame's size is bounded before it is read.
"""

import json
import math
import struct
from typing import Any

HEADER = struct.Struct(">I")

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Largest frame the pool accepts. A result is cut far below it; parsing 4 MiB of JSON takes about 30 ms."""

Frame = dict[str, Any]

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode(frame: Frame) -> bytes:
    """The frame as bytes; NaN and infinities become null, half a surrogate pair `?`.

    Raises TypeError for what JSON can't hold, ValueError for an integer of more than 4,300 digits.
    """
    try:
        text = _encoder.encode(frame)
    except ValueError:
        text = _encoder.encode(_finite(frame))
    body = text.encode("utf-8", "replace")
    return HEADER.pack(len(body)) + body


def decode(body: bytes) -> Frame:
    """A frame's body -> the frame. Raises ValueError when it isn't a JSON object."""
    try:
        frame = json.loads(body)
    except RecursionError:
        raise ValueError("a frame is nested too deep") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise ValueError("a frame must be an object with a type")
    return frame


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
