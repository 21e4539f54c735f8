"""The most that a request can be billed, read off its body before it is sent.

Pure. Text is at most as many tokens as it has bytes; what isn't text has a table. The bound must hold for every
request, so where nothing documented bounds a thing, the model's context window does: a longer prompt is refused
by the API, and costs nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from mcp_hub.proxy.pricing import Usage

CONTEXT_WINDOW = 1_000_000
"""Tokens of the largest prompt that a model takes (Anthropic's documentation, context windows)."""

REQUEST_TOKENS = 1_000
"""For what the API adds to a prompt without a figure being given: structured output, thinking, effort. The frame of
each message and block needs no allowance: its JSON is longer than the few tokens that stand for it."""

TOOL_PROMPT_TOKENS = 2_000
"""The system prompt that tools bring along: 159 to 804 tokens by model and tool_choice (Anthropic's documentation,
pricing of tool use), and room for a model that isn't in that table."""

TYPED_TOOL_TOKENS = 3_000
"""A tool that the request only names by type, and the API describes: 245 tokens for bash, 700 for the text editor,
735 and up to 499 of prompt for computer use (the same page); the others' are undocumented."""

IMAGE_TOKENS = 4_784
"""The largest image, of a model that takes high resolution: larger ones are scaled down (Anthropic's documentation,
vision). How it is compressed says nothing about its tokens."""

DOCUMENT_TOKENS = CONTEXT_WINDOW
"""A PDF, or a file that only its id is known of: a page is an image and its text, but both are compressed, so its
bytes bound neither pages nor text."""

SERVER_ROUNDS = 10
"""How often the API asks the model again, within one request, after tools that it ran itself (Anthropic's
documentation, server tools: after ten it answers with `pause_turn`). Each round reads the whole prompt again."""

SEARCH_TOKENS = 30_000
"""What a web search brings: ten results of 2,500 tokens each, the documentation's figure for an average page (web
fetch), and a fifth more. The one allowance here that no documented maximum stands behind."""

FETCH_FACTOR = 2
"""A fetched page may have more than max_content_tokens: the documentation calls that limit approximate."""

ELSEWHERE_BILLED = {
    "advisor": "its advisor tool asks another model, at that model's price",
    "fallbacks": "its fallbacks may have it answered by another model, at that model's price",
    "compact": "its compaction is an answer of its own, which max_tokens doesn't bound",
}
"""Why a request can't be bounded, by what is in it."""

CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
"""The types of tools that the client runs, though the API describes them."""


@dataclass
class _Found:
    """What stands in a body and isn't billed by its bytes."""

    images: int = 0
    documents: int = 0
    data_bytes: int = 0
    normalized_bytes: int = 0
    cached: bool = False
    cached_for_an_hour: bool = False


def uncountable(request: Mapping[str, Any]) -> str | None:
    """Why no bound holds for `request`, going on from "it can't be counted: "; None if `worst_case` does."""
    if any(_type(tool).startswith("advisor") for tool in _dicts(request.get("tools"))):
        return ELSEWHERE_BILLED["advisor"]
    if request.get("fallbacks"):
        return ELSEWHERE_BILLED["fallbacks"]
    management = request.get("context_management")
    edits = management.get("edits") if isinstance(management, Mapping) else None
    if any(_type(edit).startswith("compact") for edit in _dicts(edits)):
        return ELSEWHERE_BILLED["compact"]
    return None


def worst_case(request: Mapping[str, Any], size: int, window: int = CONTEXT_WINDOW) -> Usage:
    """The most that the API can bill for `request`, as long as it isn't `uncountable`.

    `size` is the body's length in bytes; `window` the most tokens that the model's prompt may have. The whole prompt
    counts as written to the cache, at the dearest lifetime that the request asks for, or as plain input if it asks
    for none; price it with `worst_cost`, since the cache may as well have read it.
    """
    found = _Found()
    _look_through(request, found)
    found.data_bytes = sum(_data_bytes(block) for block in _content_blocks(request))
    tools = _dicts(request.get("tools"))
    typed = [tool for tool in tools if _type(tool) not in ("", "custom")]
    output = _positive(request.get("max_tokens"))
    prompt = (
        REQUEST_TOKENS
        + size
        - found.data_bytes
        + found.normalized_bytes
        + found.images * IMAGE_TOKENS
        + found.documents * DOCUMENT_TOKENS
        + (TOOL_PROMPT_TOKENS if tools else 0)
        + len(typed) * TYPED_TOOL_TOKENS
    )
    served = [_Served.of(tool, window) for tool in typed if not _type(tool).startswith(CLIENT_TOOLS)]
    served += [_Served(SERVER_ROUNDS, window)] * bool(request.get("mcp_servers"))
    prompt = _with_rounds(min(prompt, window), output, served, window)
    searches = sum(tool.uses for tool in served if tool.searches)
    if found.cached_for_an_hour:
        return Usage(cache_write_1h=prompt, output=output, web_searches=searches)
    if found.cached or served:  # the API caches between its rounds by itself
        return Usage(cache_write_5m=prompt, output=output, web_searches=searches)
    return Usage(input=prompt, output=output, web_searches=searches)


@dataclass(frozen=True)
class _Served:
    """A tool that the API runs: how often at most, and the tokens that each use brings into the prompt."""

    uses: int
    brings: int
    searches: bool = False

    @classmethod
    def of(cls, tool: Mapping[str, Any], window: int) -> "_Served":
        kind, uses = _type(tool), _positive(tool.get("max_uses")) or SERVER_ROUNDS
        if kind.startswith("web_search"):
            return cls(uses, SEARCH_TOKENS, searches=True)
        if kind.startswith("web_fetch"):
            return cls(uses, _positive(tool.get("max_content_tokens")) * FETCH_FACTOR or window)
        if kind.startswith("tool_search"):
            return cls(SERVER_ROUNDS, 0)  # what it finds stands in the body
        return cls(SERVER_ROUNDS, window)


def _with_rounds(prompt: int, output: int, served: Sequence[_Served], window: int) -> int:
    """Tokens of the prompt over all rounds: each reads it again, with what was written and brought so far.

    Every round but the first needs a use of a tool, so that as many rounds as possible, one use in each, bring the
    most; uses beyond the last round all come in the first one.
    """
    uses = sum(tool.uses for tool in served)
    rounds = min(uses, SERVER_ROUNDS)
    brings = max((tool.brings for tool in served), default=0)
    read_again = rounds * uses - rounds * (rounds - 1) // 2
    return prompt + min(rounds * window, rounds * (prompt + output) + brings * read_again)


def _look_through(value: object, found: _Found) -> None:
    """Count, anywhere in the body: what is no block in one model's eyes may be one in another's.

    Asks for JSON's own types, since Mapping is much slower to ask for, and a body has thousands of values.
    """
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not value.isascii():
                found.normalized_bytes += _longer_normalized(value)
        elif isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
            if isinstance(value.get("source"), dict):
                kind, source = _type(value), _type(value["source"])
                found.images += kind == "image"
                found.documents += kind == "document" and source not in ("text", "content")
            control = value.get("cache_control")
            if control is not None:
                found.cached = True
                found.cached_for_an_hour |= isinstance(control, dict) and control.get("ttl") == "1h"
        elif isinstance(value, list):
            waiting.extend(value)


def _longer_normalized(text: str) -> int:
    """By how many bytes `text` can grow under NFKC, which Anthropic's published tokenizer applies first.

    Character by character: to normalise a text of combining marks takes time by the square of its length. Composing
    what was decomposed never makes it longer.
    """
    counts = Counter(text)
    return sum(count * _growth(character) for character, count in counts.items() if not character.isascii())


def _growth(character: str) -> int:
    return max(
        0, len(normalize("NFKD", character).encode("utf-8", "replace")) - len(character.encode("utf-8", "replace"))
    )


def _content_blocks(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The blocks that the API reads as such: those of a tool's input, for one, are text."""
    waiting = [message.get("content") for message in _dicts(request.get("messages"))]
    while waiting:
        for block in _dicts(waiting.pop()):
            yield block
            source = block.get("source")
            if _type(block) == "tool_result":
                waiting.append(block.get("content"))
            elif _type(block) == "document" and isinstance(source, Mapping) and _type(source) == "content":
                waiting.append(source.get("content"))


def _data_bytes(block: Mapping[str, Any]) -> int:
    """The bytes of an image or a PDF, which the model doesn't read as text; base64 has no character to escape."""
    source = block.get("source")
    if _type(block) not in ("image", "document") or not isinstance(source, Mapping) or _type(source) != "base64":
        return 0
    data = source.get("data")
    return len(data) if isinstance(data, str) and data.isascii() else 0


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _type(value: object) -> str:
    kind = value.get("type") if isinstance(value, Mapping) else None
    return kind if isinstance(kind, str) else ""


def _positive(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
