"""`[proxy]` of servers.toml as frozen, validated values: who may ask which model, and what may be spent.

Pure. Amounts are whole nano-dollars, so that no sum is ever rounded. What depends on variables of the environment that
only the proxy needs is checked as it starts, by `ProxySettings.check`.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from mcp_hub.cache_settings import CacheSettings
from mcp_hub.errors import ConfigError, nearest
from mcp_hub.proxy.pricing import Price, named, nano_dollars
from mcp_hub.table import NO_URL, Table, address, checked_path, is_loopback, is_url, problem_at

KEY_CHARACTERS = 20
"""A shorter key can be guessed."""

MOST_DOLLARS = 1_000_000_000
"""The largest amount; nine times its nano-dollars fit a column of SQLite."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _whole(dollars: Decimal) -> Decimal:
    try:
        nano_dollars(dollars)
    except ValueError:
        raise ValueError("can't be finer than a nano-dollar") from None
    return dollars


def checked_name(text: str) -> str:
    """`text`, as it is, when a key, a team or an upstream can be called so. Raises ValueError when not."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            "must hold only letters, digits, '.', '_' and '-', 64 at most, and begin with one of the first two"
        )
    return text


Dollars = Annotated[Decimal, Field(gt=0, le=MOST_DOLLARS), AfterValidator(_whole)]
Rate = Annotated[Decimal, Field(ge=0, le=MOST_DOLLARS)]
Name = Annotated[str, AfterValidator(checked_name)]
Duration = Literal["1m", "1h", "1d", "1w", "1M", "1Y"]


class Limited(Table):
    """Up to three limits, each with the time that it holds for."""

    budget_limit: Dollars | None = Field(
        None, description="Dollars that may be spent in budget_duration, such as 50 or 0.25."
    )
    budget_duration: Duration | None = Field(
        None, description="1m, 1h, 1d, 1w, 1M (a month) or 1Y; from the clock in UTC, weeks from Monday."
    )
    token_limit: int | None = Field(
        None, ge=1, le=10**15, description="Tokens of all kinds that may be used in token_limit_duration."
    )
    token_limit_duration: Duration | None = Field(None, description="As budget_duration.")
    request_limit: int | None = Field(
        None, ge=1, le=10**15, description="Requests that may be made in request_limit_duration."
    )
    request_limit_duration: Duration | None = Field(None, description="As budget_duration.")
    rolling: bool = Field(
        False, description="true: a duration is the time up to now, in place of the clock's minute, hour, day."
    )

    @model_validator(mode="after")
    def _paired(self) -> Self:
        """A limit without its duration, or the reverse, would limit nothing and look as if it did."""
        for limit, duration in (
            ("budget_limit", "budget_duration"),
            ("token_limit", "token_limit_duration"),
            ("request_limit", "request_limit_duration"),
        ):
            there, absent = (limit, duration) if getattr(self, limit) is not None else (duration, limit)
            if getattr(self, there) is not None and getattr(self, absent) is None:
                raise problem_at(f"{there} needs {absent} beside it", there)
        if self.rolling and not self.limits:
            raise problem_at("rolling needs a limit beside it", "rolling")
        return self

    @property
    def limits(self) -> tuple[tuple[Literal["dollars", "tokens", "requests"], int, Duration], ...]:
        """What is limited, to how much (nano-dollars, tokens, requests), and for which time."""
        found: list[tuple[Literal["dollars", "tokens", "requests"], int, Duration]] = []
        if self.budget_limit is not None and self.budget_duration is not None:
            found.append(("dollars", nano_dollars(self.budget_limit), self.budget_duration))
        if self.token_limit is not None and self.token_limit_duration is not None:
            found.append(("tokens", self.token_limit, self.token_limit_duration))
        if self.request_limit is not None and self.request_limit_duration is not None:
            found.append(("requests", self.request_limit, self.request_limit_duration))
        return tuple(found)


class BudgetSettings(Limited):
    """`[proxy.budgets.TIER.NAME]`: what one customer, team, key or upstream, or each session, may use."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.limits:
            raise ValueError("limits nothing; give budget_limit, token_limit or request_limit")
        return self


class BudgetsSettings(Table):
    """`[proxy.budgets]`: the tiers. All that apply to a request must have room for it."""

    customer: dict[str, BudgetSettings] = Field({}, description="Limits by the customer that a key belongs to.")
    team: dict[str, BudgetSettings] = Field({}, description="Limits by the team that a key belongs to.")
    key: dict[str, BudgetSettings] = Field({}, description="Limits by the name of a key.")
    upstream: dict[str, BudgetSettings] = Field({}, description="Limits by the name of an upstream.")
    session: BudgetSettings | None = Field(None, description="Limits of every single session of a client.")


class KeySettings(Limited):
    """One of `[[proxy.keys]]`: a key of this proxy's own, whose it is, and what may be done with it."""

    name: Name = Field(description="What the key is called in budgets, pins, records and errors.")
    key: str = Field(repr=False, description='The key itself, such as "${CI_KEY}".')
    team: Name | Literal[""] = Field("", description="Whose key it is, for budgets, pins and records.")
    customer: Name | Literal[""] = Field("", description="For whom the team works, for budgets and records.")
    allowed_models: tuple[str, ...] = Field(
        (), description="Globs over the models that may answer. Default: all of them."
    )
    upstream: str | None = Field(None, description="The only upstream for this key, but for what pins say.")
    disabled: bool = Field(False, description="true: the key is known and refused.")


class PinSettings(Table):
    """One of `[[proxy.pins]]`: which model answers in place of the one asked for."""

    when: str = Field(min_length=1, description="Glob over the model asked for.")
    model: str | None = Field(None, min_length=1, description="The model that answers; UPSTREAM/MODEL names both.")
    upstream: str | None = Field(None, description="The upstream that is asked.")
    fallbacks: tuple[str, ...] = Field(
        (),
        description="UPSTREAM/MODEL, or UPSTREAM for the same model: asked in this order where the pin's own fails.",
    )
    key: Name | None = Field(None, description="For this key only. Goes before pins for a team.")
    team: Name | None = Field(None, description="For this team's keys only. Goes before pins for all.")

    @model_validator(mode="after")
    def _pins_something(self) -> Self:
        if self.model is None and self.upstream is None and not self.fallbacks:
            raise ValueError("needs model, upstream or fallbacks")
        if self.key is not None and self.team is not None:
            raise ValueError("has both key and team; a pin is for one of them")
        return self


class UpstreamSettings(Table):
    """One of `[[proxy.upstreams]]`: Anthropic, any URL that is compatible, or a cloud that has its models."""

    name: Name = Field(description="What it is called in pins, budgets and NAME/MODEL spellings.")
    kind: Literal["anthropic", "openrouter", "bedrock", "vertex"] = Field(
        "anthropic", description="What it speaks; anthropic is every URL that is compatible."
    )
    url: str | None = Field(
        None, repr=False, description="Base URL, without /v1. Default: the kind's own; a compatible one needs it."
    )
    region: str | None = Field(None, min_length=1, description="Of bedrock and vertex, such as us-east-1 or global.")
    project: str | None = Field(None, min_length=1, description="Of vertex: the project that is billed.")
    profile: str | None = Field(None, min_length=1, description="Of bedrock: the profile in AWS's own configuration.")
    credential: str | None = Field(
        None, repr=False, description='What requests are sent with, such as "${ANTHROPIC_API_KEY}".'
    )
    credential_file: str | None = Field(
        None,
        min_length=1,
        description="A file that holds it, relative to the folder of this file; in place of credential.",
    )
    credential_header: Literal["x-api-key", "authorization"] = Field(
        "x-api-key", description="The header that takes it; authorization: as a bearer token."
    )

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not is_url(url):
            raise ValueError(NO_URL)
        return url

    @field_validator("credential_file")
    @classmethod
    def _reachable(cls, path: str | None) -> str | None:
        return None if path is None else checked_path(path)

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        needed = {"anthropic": ("url",), "bedrock": ("region",), "vertex": ("region", "project")}.get(self.kind, ())
        for key in needed:
            if getattr(self, key) is None:
                raise ValueError(f"needs {key}, being of the kind {self.kind}")
        known = {"bedrock": ("region", "profile"), "vertex": ("region", "project")}.get(self.kind, ())
        for key in ("region", "project", "profile"):
            if getattr(self, key) is not None and key not in known:
                raise problem_at(f"an upstream of the kind {self.kind} has no {key}", key)
        return self

    def is_regional(self, model: str) -> bool:
        """Whether a model, as it is spelt there, runs at an endpoint that isn't the cloud's global one."""
        if self.kind == "bedrock":
            return not named(model).startswith("global.")
        return self.kind == "vertex" and self.region != "global"

    @property
    def has_credential(self) -> bool:
        """Whether it is asked with a credential that isn't the client's; a cloud's own comes from its environment."""
        given = self.credential is not None or self.credential_file is not None
        return given or self.kind in ("bedrock", "vertex")

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if self.credential is not None and self.credential_file is not None:
            raise ValueError("has both credential and credential_file")
        return self


class PriceSettings(Table):
    """`[proxy.prices.MODEL]`: dollars for a million tokens of each kind, and for a thousand web searches."""

    input: Rate = Field(description="Input that no cache has to do with.")
    output: Rate = Field(description="Output, thinking included.")
    cache_write_5m: Rate | None = Field(None, description="Writing to the cache for 5 minutes. Default: 1.25 * input.")
    cache_write_1h: Rate | None = Field(None, description="Writing to the cache for an hour. Default: 2 * input.")
    cache_read: Rate | None = Field(None, description="Reading from the cache. Default: 0.1 * input.")
    web_searches: Rate = Field(Decimal(10), description="A thousand web searches.")

    @property
    def price(self) -> Price:
        """The same in nano-dollars for one of each."""
        return Price.per_million(**self.model_dump())

    @model_validator(mode="after")
    def _whole(self) -> Self:
        try:
            Price.per_million(**self.model_dump())
        except ValueError:
            raise ValueError(
                "a price is finer than a nano-dollar for a token, or what follows from input for the cache is"
            ) from None
        return self


class ProxySettings(Table):
    """`[proxy]`: the messages proxy."""

    listen: str = Field("127.0.0.1:8484", description="HOST:PORT, or a port of 127.0.0.1.")
    require_key: bool = Field(
        False, description="true: who has no key of this proxy is refused. Declaring [[proxy.keys]] does it too."
    )
    upstreams: tuple[UpstreamSettings, ...] = Field(
        (UpstreamSettings.model_validate({"name": "anthropic", "url": "https://api.anthropic.com"}),),
        min_length=1,
        description="Where models are; the first one is asked unless a pin, a key or the model's name says otherwise.",
    )
    pins: tuple[PinSettings, ...] = Field((), description="Which model answers; the first that fits, in each scope.")
    keys: tuple[KeySettings, ...] = Field((), description="Keys of this proxy that aren't in its database.")
    budgets: BudgetsSettings = BudgetsSettings()
    prices: dict[str, PriceSettings] = Field({}, description="Prices by model, in place of those that are shipped.")
    cache: CacheSettings | None = Field(None, description="Answers are kept and given again; without it, nothing is.")
    wait_seconds: float = Field(
        30, ge=0, le=600, description="Seconds to wait for others' reservations to be settled; 0: not at all."
    )
    when_too_large: Literal["lower", "refuse"] = Field(
        "lower", description="What happens to a max_tokens that a budget has no room for."
    )
    output_floor: int = Field(1024, ge=1, le=1_000_000, description="Tokens below which max_tokens isn't lowered.")
    hosts: tuple[str, ...] = Field(
        (), description="Names under which a TLS proxy in front of it is asked; on loopback, others are refused."
    )
    metrics_token: str | None = Field(
        None, repr=False, description="The bearer token with which /metrics is read; beyond loopback it needs one."
    )
    max_body_mib: int = Field(32, ge=1, le=256, description="Largest body of a request, in MiB.")

    @field_validator("listen")
    @classmethod
    def _address(cls, listen: str) -> str:
        address(listen)
        return listen

    @model_validator(mode="after")
    def _names(self) -> Self:
        upstreams = [upstream.name for upstream in self.upstreams]
        for kind, names in (("upstreams", upstreams), ("keys", [key.name for key in self.keys])):
            for number, name in enumerate(names):
                if name in names[:number]:
                    raise problem_at(f"there is another one of the name {name!r}", kind, number, "name")
        named: Iterable[tuple[str | None, tuple[str | int, ...]]] = (
            *((key.upstream, ("keys", number, "upstream")) for number, key in enumerate(self.keys)),
            *((pin.upstream, ("pins", number, "upstream")) for number, pin in enumerate(self.pins)),
            *(
                (spelling.partition("/")[0], ("pins", number, "fallbacks", place))
                for number, pin in enumerate(self.pins)
                for place, spelling in enumerate(pin.fallbacks)
            ),
            *((name, ("budgets", "upstream", name)) for name in self.budgets.upstream),
        )
        for upstream, at in named:
            if upstream is not None and upstream not in upstreams:
                near = nearest(upstream, upstreams, count=1)
                hint = f"the nearest is {near[0]!r}" if near else f"known are {', '.join(upstreams)}"
                raise problem_at(f"there is no upstream {upstream!r}; {hint}", *at)
        return self

    @property
    def keys_required(self) -> bool:
        """Whether only clients with a key of this proxy are served.

        So it is too when an upstream has a credential: whoever reached the proxy would spend it.
        """
        return self.require_key or bool(self.keys) or any(each.has_credential for each in self.upstreams)

    def check(self) -> None:
        """Whether a proxy can start with these settings, once every variable has its value.

        Raises ConfigError for a key that is empty, short or another one's too, an empty credential or token, an
        upstream that would be sent the proxy's own keys, and an address that others can reach while no key is required.
        """
        names: dict[str, str] = {}
        if self.metrics_token == "":
            raise ConfigError("is empty: is its environment variable set?", key="proxy.metrics_token")
        for key in self.keys:
            place = f"proxy.keys.{key.name}"
            if len(key.key) < KEY_CHARACTERS:
                what = "is too short to be a secret." if key.key else "is empty: is its environment variable set?"
                raise ConfigError(
                    f"the key {what} Use {KEY_CHARACTERS} characters or more, such as `openssl rand -hex 32` prints.",
                    key=place,
                )
            if key.key in names:
                raise ConfigError(f"the key is that of {names[key.key]!r} too; give each its own.", key=place)
            names[key.key] = key.name
        for upstream in self.upstreams:
            place = f"proxy.upstreams.{upstream.name}"
            if upstream.credential == "":
                raise ConfigError("the credential is empty: is its environment variable set?", key=place)
            if self.keys_required and not upstream.has_credential:
                raise ConfigError(
                    "clients come with keys of this proxy, so it needs a credential of its own: give credential or "
                    "credential_file.",
                    key=place,
                )
        if not self.keys_required and len(self.upstreams) > 1:
            raise ConfigError(
                "clients' own credentials are passed on, and only the first upstream may see them: give every upstream "
                "a credential, and clients keys.",
                key="proxy.upstreams",
            )
        host, _ = address(self.listen)
        if not self.keys_required and not is_loopback(host):
            raise ConfigError(
                f"{host} can be reached from other machines, so clients need keys: set require_key = true, or declare "
                "[[proxy.keys]].",
                key="proxy.listen",
            )
