"""Counts what a conversation costs: the input of each request, as it is billed, with prompt caching and without.

Pure. A conversation of n turns is n + 1 requests: each sends the definitions and everything said before it. Input is
counted as the Messages API has it: blocks of tool_use and tool_result as JSON, by an offline tokenizer (bench.tokens).
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.graded.agents import Conversation, Turn
from bench.tokens import tokens as tokens_of_text

PRICES = Path(__file__).with_name("prices.toml")

MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Dollars for a million tokens, and the bounds of the cache and of a conversation, in tokens."""

    date: str
    model: str
    input: float
    output: float
    cache_write: float
    cache_read: float
    least_cached: int
    context: int


class Cache(StrEnum):
    """What the provider's cache holds when a conversation begins."""

    NONE = "without caching"
    COLD = "caching, cold"
    """Nothing: the first request writes all of its input."""
    WARM = "caching, warm"
    """The definitions and the system prompt, by another conversation of the last five minutes."""


@dataclass(frozen=True)
class Upfront:
    """What stands before the first message of every request: tokens of the definitions and of all that is system."""

    definitions: int
    system: int = 0

    @property
    def total(self) -> int:
        """Both."""
        return self.definitions + self.system


@dataclass(frozen=True)
class Bill:
    """What a conversation cost. Tokens are billed tokens: each request's whole input, added up."""

    requests: int
    input: int
    output: int
    largest: int
    """Tokens of the largest request."""
    dollars: dict[Cache, float]


def prices(path: Path = PRICES) -> Prices:
    """The prices of the data file."""
    with path.open("rb") as file:
        read = tomllib.load(file)
    return Prices(**{**read, "date": str(read["date"])})


def bill(upfront: Upfront, request: str, talk: Conversation, price: Prices) -> Bill:
    """What a conversation costs: its request and turns after what stands upfront."""
    inputs = [upfront.total + tokens({"role": "user", "content": request})]
    outputs = []
    for turn in talk.turns:
        used, results = said(turn)
        inputs.append(inputs[-1] + tokens(used) + tokens(results))
        outputs.append(tokens([block["input"] | {"name": block["name"]} for block in used["content"]]))
    outputs.append(tokens(talk.answer))
    output = sum(outputs)
    spent = output * price.output
    dollars = {cache: (spent + _input_cost(inputs, upfront.total, price, cache)) / MILLION for cache in Cache}
    return Bill(len(inputs), sum(inputs), output, inputs[-1], dollars)


def said(turn: Turn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A turn as two messages: what the model sent, and the results."""
    used, results = [], []
    for number, (made, answer) in enumerate(zip(turn.calls, turn.answers, strict=True)):
        use = f"toolu_{number:02}"
        used.append({"type": "tool_use", "id": use, "name": made.tool, "input": made.arguments})
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": use, "content": answer.text}
        results.append({**result, "is_error": True} if answer.is_error else result)
    return {"role": "assistant", "content": used}, {"role": "user", "content": results}


def _input_cost(inputs: Sequence[int], upfront: int, price: Prices, cache: Cache) -> float:
    """Millionths of dollars of the requests' inputs: each request reads what the one before it wrote."""
    if cache is Cache.NONE:
        return sum(inputs) * price.input
    cost = 0.0
    cached = upfront if cache is Cache.WARM and upfront >= price.least_cached else 0
    for size in inputs:
        if size < price.least_cached:
            cost += size * price.input
            continue
        cost += cached * price.cache_read + (size - cached) * price.cache_write
        cached = size
    return cost


def definitions_tokens(definitions: Sequence[Mapping[str, Any]]) -> int:
    """Tokens of tool definitions as a model receives them: name, description, input schema."""
    return tokens(list(definitions))


def tokens(value: Any) -> int:
    """Tokens of a text, or of a value as JSON without blanks, as it is sent."""
    return tokens_of_text(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )
