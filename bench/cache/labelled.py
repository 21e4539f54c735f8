"""The labelled pairs of requests: which may share one answer, which mustn't, and which half they belong to.

pairs.jsonl has one pair a line. Paraphrases ("same") share an answer for certain, if asked in the same state of the
conversation; near misses ("different") look alike and mustn't. The half "dev" is for making the guard, "test" for
measuring it: paraphrases are divided by template, near misses by family, so what is measured wasn't seen before.
"""

import json
from dataclasses import dataclass
from pathlib import Path

PAIRS = Path(__file__).with_name("pairs.jsonl")

LABELS = ("same", "different")
HALVES = ("dev", "test")

PARAPHRASE = "paraphrase"
"""The family of every pair that shares an answer; the others are each a kind of near miss."""

REWORDED = " reworded"
"""How the template of a near miss ends that differs in wording too, not only in the one thing."""

FIELDS = frozenset({"id", "label", "family", "template", "half", "a", "b"})


@dataclass(frozen=True)
class Pair:
    """Two requests, and whether the answer to `a` may be given for `b`."""

    id: str
    same: bool
    family: str
    template: str
    half: str
    a: str
    b: str


def pairs(half: str | None = None) -> list[Pair]:
    """The pairs of one half, "dev" or "test", or all of them, in the file's order.

    Raises ValueError for another half, and for a line that isn't a pair.
    """
    if half not in (None, *HALVES):
        raise ValueError(f"there is no half {half!r} of the labelled pairs: use one of {', '.join(HALVES)}")
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    every = [parsed(line, number) for number, line in enumerate(lines, 1)]
    return [pair for pair in every if half in (None, pair.half)]


def parsed(line: str, number: int) -> Pair:
    """The pair that a line of the file holds. Raises ValueError, with the line's number, if it holds none."""
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{PAIRS.name}, line {number}: not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.keys() != FIELDS:
        raise ValueError(f"{PAIRS.name}, line {number}: not an object with exactly {', '.join(sorted(FIELDS))}")
    if empty := sorted(name for name, text in fields.items() if not isinstance(text, str) or not text.strip()):
        raise ValueError(f"{PAIRS.name}, line {number}: not a text, or empty: {', '.join(empty)}")
    label = fields.pop("label")
    if label not in LABELS or fields["half"] not in HALVES:
        raise ValueError(f"{PAIRS.name}, line {number}: no such label or half: {label}, {fields['half']}")
    return Pair(same=label == "same", **fields)
