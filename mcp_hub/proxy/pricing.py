"""Usage to money: what an answer used, what its model costs, and the product of the two.

Pure. Money is whole nano-dollars: 1 dollar is 1,000,000,000, and 1 dollar for a
million tokens is 1,000 a token, so that every published price is a whole number and no sum is ever rounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer by kind, as the Messages API's `usage` counts them, and its web searches."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0

    @property
    def prompt(self) -> int:
        """Tokens of the prompt, whatever the cache did with them."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def tokens(self) -> int:
        """Tokens of all kinds, which is what a token_limit counts."""
        return self.prompt + self.output

    def most(self, other: "Usage") -> "Usage":
        """The larger of each count, for two reports of the same answer.

        Of cache writes, the total and its 1-hour part are compared: a later report may give the total alone
        (`cache_creation_input_tokens`), which mustn't count the same tokens under both lifetimes.
        """
        written = max(self.cache_write_5m + self.cache_write_1h, other.cache_write_5m + other.cache_write_1h)
        hour = max(self.cache_write_1h, other.cache_write_1h)
        return Usage(
            input=max(self.input, other.input),
            output=max(self.output, other.output),
            cache_write_5m=written - hour,
            cache_write_1h=hour,
            cache_read=max(self.cache_read, other.cache_read),
            web_searches=max(self.web_searches, other.web_searches),
        )

    @classmethod
    def from_api(cls, usage: Mapping[str, Any]) -> "Usage":
        """Read the API's `usage` object; a field that is missing, unknown or no count is 0.

        Cache writes that `cache_creation` doesn't split are 5-minute ones, the API's default.
        """
        split, searches = usage.get("cache_creation"), usage.get("server_tool_use")
        hour = _count(split, "ephemeral_1h_input_tokens")
        short = _count(split, "ephemeral_5m_input_tokens")
        return cls(
            input=_count(usage, "input_tokens"),
            output=_count(usage, "output_tokens"),
            cache_write_5m=max(short, _count(usage, "cache_creation_input_tokens") - hour),
            cache_write_1h=hour,
            cache_read=_count(usage, "cache_read_input_tokens"),
            web_searches=_count(searches, "web_search_requests"),
        )


def _count(counts: object, name: str) -> int:
    value = counts.get(name) if isinstance(counts, Mapping) else None
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


@dataclass(frozen=True)
class Price:
    """Nano-dollars for one token of each kind, and for one web search."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    web_search: int


def cost(usage: Usage, price: Price) -> int:
    """What `usage` costs at `price`, in nano-dollars."""
    return (
        usage.input * price.input
        + usage.output * price.output
        + usage.cache_write_5m * price.cache_write_5m
        + usage.cache_write_1h * price.cache_write_1h
        + usage.cache_read * price.cache_read
        + usage.web_searches * price.web_search
    )
