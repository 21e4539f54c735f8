"""What a recorded request was, what the cache said to it, and where it differs from the nearest one that came before.

Pure. Two requests are compared part by part of their canonical form, as the cache compares them, so every difference
that is named here is one for which the cache has no hit.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

from mcp_hub.proxy.cache_key import CacheKey

IDS = "ids of tool calls"

COMPARED_APART = frozenset({"system", "fields"})
"""Of what a request has before its messages."""

HEAD = {"workspace": "the state of the workspace", "place": "where the upstream is"}

NOT_KEPT = "nothing: that answer called tools, so it wasn't kept"

SHOWN_CHARACTERS = 60
"""Of a line that has no name of its own."""

PATH = re.compile(r"/[^\s\"'`:,)]+")

TEXTS = (("# gitStatus", "git's status at the start"),)
"""What a text contains, and the name of whatever differs in it."""

LINES = (
    (re.compile(r"Today's date is|currentDate"), "today's date"),
    (re.compile(r"\bRan \d+ tests? in \d"), "how long the tests took"),
    (re.compile(r"^Used often here", re.MULTILINE), "what the hub has seen used often"),
    (re.compile(r"[Ww]orking directory"), "the folder"),
)
"""What a line looks like, and its name."""


class Kind(StrEnum):
    """What a request is for."""

    QUESTION = "question"
    """It ends in what a user has said."""
    TOOL_RESULT = "tool result"
    """It ends in the result of a tool."""
    SIDE = "side request"
    """It offers no tools: a title, a summary, whether there is a quota."""
    TOKENS = "token count"
    """It has no answer of a model."""


class Verdict(StrEnum):
    """What the cache said."""

    EXACT = "exact"
    SIMILAR = "similar"
    SHARED = "shared"
    MISS = "miss"
    BYPASS = "bypass"
    NONE = "none"
    """Nothing: the request doesn't go by the cache."""


SERVED = (Verdict.EXACT, Verdict.SIMILAR, Verdict.SHARED)


@dataclass(frozen=True)
class Asked:
    """A recorded request. `detail` is why the cache didn't serve it, "" where it didn't say."""

    kind: Kind
    verdict: Verdict
    detail: str
    key: CacheKey
    called_tools: bool
    """Whether its answer did."""


def kind_of(target: str, body: Any) -> Kind:
    """What a request to `target` with this body is for."""
    if target.split("?")[0].endswith("/count_tokens"):
        return Kind.TOKENS
    if not isinstance(body, dict) or not body.get("tools"):
        return Kind.SIDE
    said = [message for message in body.get("messages", []) if message.get("role") != "system"]
    content = said[-1].get("content") if said else None
    results = isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)
    return Kind.TOOL_RESULT if results else Kind.QUESTION


def verdict_of(cache_status: str) -> tuple[Verdict, str]:
    """The verdict in a `cache-status`, and its detail."""
    words = [part.strip() for part in cache_status.split(";")]
    found = re.search(r'detail="((?:[^"\\]|\\.)*)"', cache_status)
    detail = re.sub(r"\\(.)", r"\1", found[1]) if found else ""
    if "hit" in words:
        return (Verdict.SIMILAR if "kind=similar" in words else Verdict.EXACT), detail
    if "collapsed" in words:
        return Verdict.SHARED, detail
    if "fwd=bypass" in words:
        return Verdict.BYPASS, detail
    return (Verdict.MISS if cache_status else Verdict.NONE), detail


def nearest(now: CacheKey, earlier: Sequence[Asked]) -> Asked | None:
    """Of the requests before, preferably as long as `now`, the one that begins with most of the same parts.

    Then the one with most parts in common; of several, the last; None where there is none.
    """

    def likeness(asked: Asked) -> tuple[bool, int, int]:
        same = [a == b for a, b in zip(asked.key.parts, now.parts, strict=False)]
        return len(asked.key.parts) == len(now.parts), [*same, False].index(False), sum(same)

    return max(reversed(earlier), key=likeness, default=None)


def obstacles(now: Asked, earlier: Sequence[Asked]) -> list[str]:
    """What stands in the way of an exact hit, in the order in which the request has it."""
    if now.detail and now.verdict is Verdict.BYPASS:
        return [now.detail]
    other = nearest(now.key, earlier)
    if other is None:
        return ["nothing like it came before"]
    return differences(other.key, now.key) or [NOT_KEPT if other.called_tools else "nothing"]


def differences(before: CacheKey, now: CacheKey) -> list[str]:
    """The names of all that differs, each once, in the order of the request; none for the same request."""
    return list(dict.fromkeys(_differences(before, now)))


def _differences(before: CacheKey, now: CacheKey) -> Iterator[str]:
    one, other = json.loads(before.parts[0]), json.loads(now.parts[0])
    if before.parts == now.parts and before.digest != now.digest:
        yield "who shares"
    for name in (each for each in one if each not in COMPARED_APART):
        if one[name] != other[name]:
            yield HEAD.get(name, f"the {name}")
    yield from _in_content("the system prompt", one["system"], other["system"])
    for name in sorted(one["fields"].keys() | other["fields"].keys()):
        if one["fields"].get(name) != other["fields"].get(name):
            yield f"the field {name}"
    for part, with_part in zip(before.parts[1:], now.parts[1:], strict=False):
        if part != with_part:
            yield from _in_message(json.loads(part), json.loads(with_part))
    if len(before.parts) != len(now.parts):
        yield "the number of messages"


def _in_message(one: Any, other: Any) -> Iterator[str]:
    if one.get("role") != other.get("role"):
        yield "whose turn it is"
        return
    whose = {"system": "the client's notes", "assistant": "the model's words"}.get(one["role"], "the user's words")
    yield from _in_content(whose, one["content"], other["content"])


def _in_content(whose: str, one: Any, other: Any) -> Iterator[str]:
    """The differences of two lists of blocks."""
    if not isinstance(one, list) or not isinstance(other, list):
        if one != other:
            yield whose
        return
    for a, b in zip(one, other, strict=False):
        if a != b:
            yield from _in_block(whose, a, b)
    if len(one) != len(other):
        yield f"{whose}: the number of blocks"


def _in_block(whose: str, a: Any, b: Any) -> Iterator[str]:
    match a, b:
        case {"type": "text", "text": str(one)}, {"type": "text", "text": str(other)}:
            notes = "the client's notes" if one.startswith("<system-reminder>") else whose
            if notes == "the user's words":
                yield notes
            else:
                yield from (f"{notes}: {name}" for name in _in_text(one, other))
        case {"type": "tool_use"}, {"type": "tool_use"}:
            if a["id"] != b["id"]:
                yield IDS
            if (a["name"], a["input"]) != (b["name"], b["input"]):
                yield "what a tool is called with"
        case {"type": "tool_result"}, {"type": "tool_result"}:
            if a["tool_use_id"] != b["tool_use_id"]:
                yield IDS
            if a.get("content") != b.get("content"):
                lines = _in_text(_told(a.get("content")), _told(b.get("content")))
                yield from (f"a tool's result: {name}" for name in lines)
        case _:
            yield f"{whose}: a block"


def _told(content: Any) -> str:
    return "\n".join(str(block.get("text", block)) for block in content) if isinstance(content, list) else str(content)


def _in_text(one: str, other: str) -> Iterator[str]:
    """Names of the lines that differ."""
    named = next((name for words, name in TEXTS if words in one or words in other), None)
    if named:
        yield named
        return
    a, b = one.splitlines(), other.splitlines()
    for kind, begin, end, with_begin, with_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind != "equal":
            yield _line_name("\n".join(a[begin:end]), "\n".join(b[with_begin:with_end]))


def _line_name(one: str, other: str) -> str:
    for pattern, name in LINES:
        if pattern.search(one) or pattern.search(other):
            return name
    if PATH.sub("/", one) == PATH.sub("/", other):
        return "a path"
    line = next((line.strip() for line in (other or one).splitlines() if line.strip()), "")
    return repr(line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 3] + "...")
