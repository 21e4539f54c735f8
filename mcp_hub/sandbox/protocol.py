"""Frames between the pool and a worker's processes: a length, a call's number, then a JSON object.

    pool -> worker   run       code, namespaces, scripts             once
                     value     value                                 the answer to the call of that number
                     failure   kind, message                         the call failed: an error in the program
    worker -> pool   check     problems, calls                       what is known before it runs; no answer
                     call      server, tool, args, kwargs            waits for value or failure
                     recall    handle                                waits for value or failure
                     forked    group                                 there will be several processes
                     log       text                                  what was printed since the last frame
                     done      value, answered, steps                the program ended
                     error     kind, message, told, python, steps    the program failed

A call's number is 1 in a program's main line. A branch of `parallel` sends the same frames to the process that forked
it, which passes them on under numbers of its own, from 2 on, without reading them: so a number above 1 tells the pool
that other calls may come before the answer. Frames that wait for no answer have the number 0.

The pool trusts nothing that a worker sends: a frame's size is bounded before it is read.
"""

import json
import math
import struct
from typing import Any

HEADER = struct.Struct(">II")
"""Bytes of the JSON object, then the number of the call."""

NO_ANSWER, MAIN_LINE = 0, 1
"""The numbers of a frame that isn't answered, and of the one call that a program's main line can wait for."""

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Largest frame the pool accepts. A result is cut far below it; parsing 4 MiB of JSON takes about 30 ms."""

Frame = dict[str, Any]

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def encode(frame: Frame, number: int = NO_ANSWER) -> bytes:
    """The frame as bytes; NaN and infinities become null, half a surrogate pair `?`.

    Raises TypeError for what JSON can't hold, ValueError for an integer of more than 4,300 digits.
    """
    try:
        text = _encoder.encode(frame)
    except ValueError:
        text = _encoder.encode(_finite(frame))
    body = text.encode("utf-8", "replace")
    return HEADER.pack(len(body), number) + body


def decode(body: bytes) -> Frame:
    """A frame's body -> the frame. Raises ValueError when it isn't a JSON object."""
    try:
        frame = json.loads(body)
    except RecursionError:
        raise ValueError("a frame is nested too deep") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise ValueError("a frame must be an object with a type")
    return frame


def nested_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects stand in each other more than `most` deep; a level at a time, so of any depth."""
    level = [value]
    depth = 0
    while level := [each for each in level if isinstance(each, dict | list | tuple)]:
        depth += 1
        if depth > most:
            return True
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return False


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
