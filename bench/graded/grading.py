"""Judges final answers: strict about what they say, forgiving about how (a code fence, blanks, the order of a set)."""

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.graded.task import Task
    from bench.graded.worlds import World

CLOSE = 1e-6
"""How far a number may lie from a right one that isn't whole, relative to it; a whole one must be met."""

ANSWER = 500
"""Characters of a wrong answer that are told."""

NUMBER_WORDS = 4
"""Words of an answer that is a number: one that is told in a sentence may deny it."""

_FENCE = re.compile(r"^```[a-z]*\n(.*?)\n?```$", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.,-])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w,]*\d)")


def bare(answer: str) -> str:
    """An answer without its code fence and the blanks around it."""
    stripped = answer.strip()
    fenced = _FENCE.match(stripped)
    return (fenced.group(1) if fenced else stripped).strip()


def graded(task: "Task", world: "World", answer: str) -> str:
    """Why a task's end is wrong, by its answer and its world; "" if it is right. A grader that fails says no, too."""
    try:
        right = task.grade(world, answer)
    except Exception as error:  # a world that it doesn't expect is a wrong one
        return f"the answer was {answer[:ANSWER]!r}, and its grader failed: {type(error).__name__}: {error}"
    return "" if right else f"the answer was {answer[:ANSWER]!r}"


def same_json(answer: str, right: Any) -> bool:
    """Whether an answer is that value as JSON; numbers may differ by CLOSE."""
    try:
        value = json.loads(bare(answer))
    except ValueError:
        return False
    return _same(value, right)


def same_set(answer: str, right: list[Any]) -> bool:
    """Whether an answer is a JSON array of just these values, in any order."""
    try:
        value = json.loads(bare(answer))
    except ValueError:
        return False
    if not isinstance(value, list) or len(value) != len(right):
        return False
    return sorted(map(_key, value)) == sorted(map(_key, right))


def same_number(answer: str, right: float) -> bool:
    """Whether an answer is that number, with a unit or without."""
    found = _NUMBER.findall(bare(answer))
    if len(found) != 1 or len(bare(answer).split()) > NUMBER_WORDS:
        return False
    digits = found[0].replace(",", "")
    return _same(float(digits) if "." in digits else int(digits), right)


def same_text(answer: str, right: str) -> bool:
    """Whether an answer is that text, quotes and a full stop around it aside; case and blanks inside don't count."""
    return _folded(bare(answer)) == _folded(right)


def _folded(text: str) -> str:
    return " ".join(text.strip().rstrip(".").strip("\"'`").split()).casefold()


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _same(value: Any, right: Any) -> bool:
    if isinstance(right, bool) or isinstance(value, bool):
        return value is right
    if isinstance(right, int | float) and isinstance(value, int | float):
        close = 0.0 if isinstance(right, int) else CLOSE * max(1.0, abs(right))
        return abs(value - right) <= close
    if isinstance(right, dict) and isinstance(value, dict):
        return value.keys() == right.keys() and all(_same(value[key], right[key]) for key in right)
    if isinstance(right, list | tuple) and isinstance(value, list):
        return len(value) == len(right) and all(map(_same, value, right))
    return bool(value == right)
