"""Usage to money: what an answer used, what its model costs, and the product of the two.

Pure but for reading the list that is shipped. Money is whole nano-dollars: 1 dollar is 1,000,000,000, and 1 dollar
for a million tokens is 1,000 a token, so that every published price is a whole number.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

PRICES = Path(__file__).parent / "prices.toml"

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""

PER_MILLION = NANO // 1_000_000
"""Nano-dollars for a token at one dollar for a million tokens."""

DATED = re.compile(r"[-@](\d{8}|latest)$")
"""What follows the name of a model in the id of one of its snapshots."""

_SUFFIXES = re.compile(r"(-\d{8}|-latest)?(@\w+)?(-v\d+(:\d+)?)?(\[\w+\])?$")
_ELSEWHERE = re.compile(r"(?:[\w.-]+/)*(?:[a-z-]+\.)?(?:anthropic\.)?claude-[\w.@:-]+(?:\[\w+\])?")
"""A model's id as gateways and clouds spell it: `anthropic/claude-sonnet-4.5`, `eu.anthropic.claude-opus-4-7-v1:0`."""

Amount = str | int | float | Decimal


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

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_write_5m=self.cache_write_5m + other.cache_write_5m,
            cache_write_1h=self.cache_write_1h + other.cache_write_1h,
            cache_read=self.cache_read + other.cache_read,
            web_searches=self.web_searches + other.web_searches,
        )

    @classmethod
    def from_api(cls, usage: Mapping[str, Any]) -> "Usage":
        """Read the API's `usage` object; a field that is missing, unknown or no count is 0.

        Cache writes that `cache_creation` doesn't split are 5-minute ones, the API's default. The `iterations` that
        are a compaction are added: they are billed, and the counts at the top leave them out.
        """
        iterations = usage.get("iterations")
        counted = cls._from_counts(usage)
        for step in iterations if isinstance(iterations, list) else []:
            if isinstance(step, Mapping) and step.get("type") == "compaction":
                counted = counted.plus(cls._from_counts(step))
        return counted

    @classmethod
    def _from_counts(cls, usage: Mapping[str, Any]) -> "Usage":
        split = usage.get("cache_creation")
        hour = _count(split, "ephemeral_1h_input_tokens")
        short = _count(split, "ephemeral_5m_input_tokens")
        return cls(
            input=_count(usage, "input_tokens"),
            output=_count(usage, "output_tokens"),
            cache_write_5m=max(short, _count(usage, "cache_creation_input_tokens") - hour),
            cache_write_1h=hour,
            cache_read=_count(usage, "cache_read_input_tokens"),
            web_searches=_count(usage.get("server_tool_use"), "web_search_requests"),
        )


def _count(counts: object, name: str) -> int:
    value = counts.get(name) if isinstance(counts, Mapping) else None
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


@dataclass(frozen=True)
class Price:
    """Nano-dollars for one token of each kind, and for one web search.

    `percent` is what the tokens' prices are multiplied by, in hundredths; `long_prompt` has the prices of an
    answer to a long prompt, where those differ.
    """

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    web_search: int
    percent: int = 100
    long_prompt: "LongPrompt | None" = None

    @classmethod
    def per_million(
        cls,
        input: Amount,
        output: Amount,
        cache_write_5m: Amount | None = None,
        cache_write_1h: Amount | None = None,
        cache_read: Amount | None = None,
        web_searches: Amount = 10,
    ) -> "Price":
        """Prices in dollars for a million tokens, and for a thousand web searches.

        Cache prices left out follow from `input` as in Anthropic's list: 1.25 times to write for 5 minutes, twice
        for an hour, a tenth to read. ValueError if one is negative or no whole number of nano-dollars for a token.
        """
        base = _decimal(input)
        return cls(
            _per_token(base),
            _per_token(output),
            _per_token(base * Decimal("1.25") if cache_write_5m is None else cache_write_5m),
            _per_token(base * 2 if cache_write_1h is None else cache_write_1h),
            _per_token(base / 10 if cache_read is None else cache_read),
            nano_dollars(_decimal(web_searches) / 1000),
        )


@dataclass(frozen=True)
class LongPrompt:
    """The prices of an answer whose prompt, cache included, has more than `above` tokens."""

    above: int
    price: Price


def cost(usage: Usage, price: Price) -> int:
    """What `usage` costs at `price`, in nano-dollars; what a percentage leaves of one is rounded up."""
    if price.long_prompt is not None and usage.prompt > price.long_prompt.above:
        price = replace(price.long_prompt.price, percent=price.percent)
    tokens = (
        usage.input * price.input
        + usage.output * price.output
        + usage.cache_write_5m * price.cache_write_5m
        + usage.cache_write_1h * price.cache_write_1h
        + usage.cache_read * price.cache_read
    )
    return -(-tokens * price.percent // 100) + usage.web_searches * price.web_search


def worst_cost(usage: Usage, price: Price) -> int:
    """The most that an answer within `usage` can cost, in nano-dollars.

    Within: no more output and web searches, and no longer a prompt; each token of the prompt may turn out to be
    read from the cache, plain input, or written for a lifetime up to its own, whichever is the dearest.
    """
    most = cost(usage, _dearest(price))
    if price.long_prompt is None:
        return most
    return max(most, cost(usage, replace(_dearest(price), long_prompt=None)))


def _dearest(price: Price) -> Price:
    read = max(price.cache_read, price.input)
    short = max(read, price.cache_write_5m)
    above = price.long_prompt
    return replace(
        price,
        input=read,
        cache_read=read,
        cache_write_5m=short,
        cache_write_1h=max(short, price.cache_write_1h),
        long_prompt=above and LongPrompt(above.above, _dearest(above.price)),
    )


class PriceList:
    """The price of each model: what a person set first, then what is shipped."""

    def __init__(self, shipped: Mapping[str, Price], overrides: Mapping[str, Price], percents: "Percents") -> None:
        self._tables = (overrides, shipped)
        self._percents = percents

    @classmethod
    def shipped(cls) -> "PriceList":
        """The list in prices.toml."""
        return cls.parse(PRICES.read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, text: str) -> "PriceList":
        """A list in the form of prices.toml; ValueError or KeyError if it isn't in that form."""
        data = tomllib.loads(text, parse_float=Decimal)
        terms = data["terms"]
        prices: dict[str, Price] = {}
        one_price: set[str] = set()
        for name, model in data["models"].items():
            price = Price.per_million(**model["tokens"], web_searches=terms["web_searches"])
            if "long_prompt" in model:
                beyond = Price.per_million(**model["long_tokens"], web_searches=terms["web_searches"])
                price = replace(price, long_prompt=LongPrompt(model["long_prompt"], beyond))
            names = (name, *model.get("aliases", ()))
            prices |= dict.fromkeys(names, price)
            one_price |= set(names) if model.get("one_price") else set()
        percents = Percents(
            terms["fast_percent"], terms["geo_percent"], terms["regional_percent"], frozenset(one_price)
        )
        return cls(prices, {}, percents)

    def with_overrides(self, overrides: Mapping[str, Price]) -> "PriceList":
        """This list with other prices for some models (ids, or globs over them), or for models that it lacks."""
        theirs, shipped = self._tables
        return PriceList(
            shipped, {**overrides, **{k: v for k, v in theirs.items() if k not in overrides}}, self._percents
        )

    def of(self, model: str, request: Mapping[str, Any] | None = None, *, is_regional: bool = False) -> Price | None:
        """The price of `model`, None if nobody gave one.

        `request` is the body whose `speed` and `inference_geo` change the price; none of it is read otherwise.
        `is_regional`: it runs at a cloud's endpoint that isn't the global one, which has its own price if that is ours.
        """
        theirs, shipped = self._tables
        name = _name(theirs, model)
        price = theirs[name] if name is not None else None
        percents = self._percents
        if price is None:
            name = _name(shipped, model)
            if name is None:
                return None
            price = shipped[name]
            if is_regional and name not in percents.one_price:
                price = replace(price, percent=price.percent * percents.regional // 100)
        if request is None:
            return price
        percent = price.percent
        if request.get("speed") == "fast":
            percent = percent * percents.fast // 100
        if request.get("inference_geo") not in (None, "global"):
            percent = percent * percents.geo // 100
        return replace(price, percent=percent)

    def entry(self, model: str) -> str | None:
        """The name under which `model` has its price: its own, that of its snapshots, or a glob. None: it has none."""
        return next(filter(None, (_name(table, model) for table in self._tables)), None)


@dataclass(frozen=True)
class Percents:
    """What a price is multiplied by: for `speed: "fast"`, an `inference_geo`, and a cloud's regional endpoints; and
    the models that have one price at all endpoints.
    """

    fast: int
    geo: int
    regional: int
    one_price: frozenset[str]


def named(model: str) -> str:
    """The id in an ARN of Amazon Bedrock, which may be a profile's; any other name as it is.

    An application's own profile has a name that doesn't tell its model.
    """
    kind, slash, id = model.rpartition("/")
    return id if slash and kind.startswith("arn:") and not kind.endswith(":application-inference-profile") else model


def usual_name(model: str) -> str:
    """A model's name as Anthropic has it, without provider, region, date and version; others in lower case.

    `us.anthropic.claude-sonnet-4-5-20250929-v1:0` and `anthropic/claude-sonnet-4.5` are both `claude-sonnet-4-5`.
    """
    name = model.lower()
    start = name.rfind("claude-")
    return _SUFFIXES.sub("", name[start:].replace(".", "-"), count=1) if start >= 0 else name


def _name(prices: Mapping[str, Price], model: str) -> str | None:
    """The name of a model's price: as it is spelt, or else as Anthropic spells what gateways and clouds have."""
    id = named(model)
    names = (model, usual_name(id)) if _ELSEWHERE.fullmatch(id) else (model,)
    for name in dict.fromkeys(names):
        for exact in (name, DATED.sub("", name)):
            if exact in prices:
                return exact
        if (found := next((glob for glob in prices if fnmatchcase(name, glob)), None)) is not None:
            return found
    return None


def nano_dollars(dollars: Amount) -> int:
    """Dollars as nano-dollars; ValueError if they are negative, no number, or finer than that."""
    nano = _decimal(dollars) * NANO
    if nano != nano.to_integral_value():
        raise ValueError(f"{dollars} dollars are no whole number of nano-dollars.")
    return int(nano)


def dollars_text(nano: int) -> str:
    """Nano-dollars as a person reads them: "50.00", "0.0375", to the last digit, and at least two after the point."""
    whole, rest = divmod(nano, NANO)
    digits = f"{rest:09}".rstrip("0").ljust(2, "0")
    return f"{whole:,}.{digits}"


def _per_token(dollars: Amount) -> int:
    nano = _decimal(dollars) * PER_MILLION
    if nano != nano.to_integral_value():
        raise ValueError(f"{dollars} dollars for a million tokens are no whole number of nano-dollars for one.")
    return int(nano)


def _decimal(amount: Amount) -> Decimal:
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        raise ValueError(f"{amount!r} is no amount of dollars.") from None
    if not value.is_finite() or value < 0:
        raise ValueError(f"{amount} is no amount of dollars.")
    return value
