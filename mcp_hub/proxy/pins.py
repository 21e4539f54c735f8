"""The model asked for -> the model that answers, and the upstream that has it.

Pure. A pin is a rule of `[[proxy.pins]]`. Those for the key go before those for its team, and these before those for
all; among them the first that fits decides. What it leads to isn't looked up again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mcp_hub.errors import HubError
from mcp_hub.proxy.keys import KeyRecord
from mcp_hub.proxy_settings import PinSettings

MOST_CHARACTERS = 200
"""Of a model's name that a client chose, in an error's text."""


@dataclass(frozen=True)
class Route:
    """Where a request goes: the model as its upstream knows it, and the upstream's name in servers.toml."""

    model: str
    upstream: str


class ModelNotAllowedError(HubError):
    """A key may not use a model, or an upstream; the text names what it may use."""

    @classmethod
    def model(cls, asked: str, route: Route, key: KeyRecord) -> "ModelNotAllowedError":
        """`route.model`, which `asked` was pinned to where they differ, isn't one of the key's allowed_models."""
        pinned = "" if asked.endswith(route.model) else f", which {asked[:MOST_CHARACTERS]!r} is pinned to,"
        return cls(
            f"The model {route.model[:MOST_CHARACTERS]!r}{pinned} isn't allowed for the key {key.name!r}. "
            f"Allowed: {', '.join(key.allowed_models)}."
        )

    @classmethod
    def upstream(cls, asked: str, upstream: str, key: KeyRecord) -> "ModelNotAllowedError":
        """`asked` names an upstream that isn't the key's."""
        return cls(
            f"The model {asked[:MOST_CHARACTERS]!r} is of the upstream {upstream!r}. The key {key.name!r} is for "
            f"models of {key.upstream!r} only; ask for one of these, without an upstream's name before it."
        )


class Pins:
    """The pins in force, in the order of the file, and the names of the upstreams; the first is asked by default."""

    def __init__(self, pins: Sequence[PinSettings], upstreams: Sequence[str]) -> None:
        self._pins = pins
        self._upstreams = upstreams

    def resolve(self, asked: str, key: KeyRecord | None) -> list[Route]:
        """Where a request for `asked` (MODEL, or UPSTREAM/MODEL) goes when `key` makes it, and then where that fails.

        Where a pin names a model and no upstream, the key's upstream or else the first one has it: what the client
        put before its own model's name is about that model. Of a pin's fallbacks, those that the key may use are kept.
        Raises ModelNotAllowedError.
        """
        named, model = self._split(asked)
        own = key.upstream if key is not None else None
        if key is not None and own is not None and named not in (None, own):
            raise ModelNotAllowedError.upstream(asked, str(named), key)
        usual = own or self._upstreams[0]
        pin = self._pin(asked, model, key)
        if pin is None:
            route = Route(model, named or usual)
        elif pin.model is None:
            route = Route(model, pin.upstream or named or usual)
        elif pin.upstream is not None:
            route = Route(pin.model, pin.upstream)
        else:
            named, model = self._split(pin.model)
            route = Route(model, named or usual)
        if not _may_use(key, route):
            assert key is not None
            raise ModelNotAllowedError.model(asked, route, key)
        fallbacks = [self._fallback(spelling, route) for spelling in pin.fallbacks] if pin is not None else []
        return [route, *(each for each in dict.fromkeys(fallbacks) if each != route and _may_use(key, each))]

    def _fallback(self, spelling: str, route: Route) -> Route:
        """UPSTREAM/MODEL, or UPSTREAM alone for the same model."""
        if spelling in self._upstreams:
            return Route(route.model, spelling)
        named, model = self._split(spelling)
        return Route(model, named or route.upstream)

    def _split(self, spelling: str) -> tuple[str | None, str]:
        """UPSTREAM/MODEL in its parts. What stands before a slash and is no upstream belongs to the model's name."""
        upstream, slash, model = spelling.partition("/")
        known = next((name for name in self._upstreams if name.lower() == upstream.lower()), None)
        return (known, model) if slash and model and known is not None else (None, spelling)

    def _pin(self, asked: str, model: str, key: KeyRecord | None) -> PinSettings | None:
        fitting = [pin for pin in self._pins if _fits(pin.when, asked) or _fits(pin.when, model)]
        for_key = (pin for pin in fitting if key is not None and pin.key == key.name)
        for_team = (pin for pin in fitting if key is not None and pin.team == key.team)
        for_all = (pin for pin in fitting if pin.key is None and pin.team is None)
        return next((pin for scope in (for_key, for_team, for_all) for pin in scope), None)


def _may_use(key: KeyRecord | None, route: Route) -> bool:
    return key is None or not key.allowed_models or _any_fits(key.allowed_models, route)


def _any_fits(globs: Sequence[str], route: Route) -> bool:
    return any(_fits(glob, route.model) or _fits(glob, f"{route.upstream}/{route.model}") for glob in globs)


def _fits(glob: str, name: str) -> bool:
    """Case doesn't count: there are upstreams that don't mind it, and a pin must not be passed by capitals."""
    return fnmatchcase(name.lower(), glob.lower())
