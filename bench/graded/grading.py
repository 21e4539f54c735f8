"""Judges final answers: strict about what they say, forgiving about how (a code fence, blanks, the order of a set)."""

import json
import re
from typing import Any

CLOSE = 1e-6
"""How far numbers may lie apart, relative to the right one: answers are written with the digits that were asked for."""

_FENCE = re.compile(r"^```[a-z]*\n(.*?)\n?```$", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def said(answer: str) -> str:
    """An answer without its code fence and the blanks around it."""
    stripped = answer.strip()
    fenced = _FENCE.match(stripped)
    return (fenced.group(1) if fenced else stripped).strip()


def same_json(answer: str, right: Any) -> bool:
    """Whether an answer is that value as JSON; numbers may differ by CLOSE."""
    try:
        value = json.loads(said(answer))
    except ValueError:
        return False
    return _same(value, right)


def same_set(answer: str, right: list[Any]) -> bool:
    """Whether an answer is a JSON array of just these values, in any order."""
    try:
        value = json.loads(said(answer))
    except ValueError:
        return False
    if not isinstance(value, list) or len(value) != len(right):
        return False
    return sorted(map(_key, value)) == sorted(map(_key, right))


def same_number(answer: str, right: float) -> bool:
    """Whether an answer has one number, and it is that one."""
    found = _NUMBER.findall(said(answer))
    return len(found) == 1 and _same(float(found[0].replace(",", "")), right)


def same_text(answer: str, right: str) -> bool:
    """Whether an answer is that text, quotes and a full stop around it aside; case and blanks inside don't count."""
    return _folded(said(answer)) == _folded(right)


def _folded(text: str) -> str:
    return " ".join(text.strip().rstrip(".").strip("\"'`").split()).casefold()


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _same(value: Any, right: Any) -> bool:
    if isinstance(right, bool) or isinstance(value, bool):
        return value is right
    if isinstance(right, int | float) and isinstance(value, int | float):
        return abs(value - right) <= CLOSE * max(1.0, abs(right))
    if isinstance(right, dict) and isinstance(value, dict):
        return value.keys() == right.keys() and all(_same(value[key], right[key]) for key in right)
    if isinstance(right, list | tuple) and isinstance(value, list):
        return len(value) == len(right) and all(map(_same, value, right))
    return bool(value == right)
