"""Counts what a conversation costs: the input of each request, as it is billed, with prompt caching and without.

Pure. A conversation of n turns is n + 1 requests: each sends the definitions and everything said before it. Texts are
counted as they are, definitions and other values as JSON without blanks, by an offline tokenizer (bench.tokens).
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.graded.agents import Conversation
from bench.graded.task import Answer, Call
from bench.tokens import tokens

PRICES = Path(__file__).with_name("prices.toml")

MILLION = 1_000_000

MESSAGE = 4
"""Tokens that a message costs beside its text: its role and its borders. An assumption; the API doesn't say."""
BLOCK = 12
"""Tokens that a tool_use or tool_result block costs beside its content: type, id, borders. An assumption, too."""


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
    inputs = [upfront.total + tokens(request) + MESSAGE]
    outputs = []
    for turn in talk.turns:
        outputs.append(sum(map(used, turn.calls)))
        inputs.append(inputs[-1] + outputs[-1] + sum(map(answered, turn.answers)) + 2 * MESSAGE)
    outputs.append(tokens(talk.answer))
    output = sum(outputs)
    spent = output * price.output
    dollars = {cache: (spent + _input_cost(inputs, upfront.total, price, cache)) / MILLION for cache in Cache}
    return Bill(len(inputs), sum(inputs), output, inputs[-1], dollars)


def used(made: Call) -> int:
    """Tokens of a tool_use block: the tool's name and its arguments, texts as they are and the rest as JSON."""
    return BLOCK + tokens(made.tool) + sum(tokens(name) + tokens(value) for name, value in made.arguments.items())


def answered(answer: Answer) -> int:
    """Tokens of a tool_result block: its text as it is."""
    return BLOCK + tokens(answer.text)


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
