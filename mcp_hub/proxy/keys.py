"""Who is asking: keys of the proxy's own, what each may do, and which caps hold for it.

Pure. A key that is made here has 256 random bits. Nobody can try them all, so a plain SHA-256 keeps it as well as a
slow hash would, and costs a microsecond for each request. A key that is declared is its owner's to make random.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mcp_hub.proxy.budgets import Cap, Period, Tier
from mcp_hub.proxy_settings import KeySettings, Limited, ProxySettings

PREFIX = "mh-"
"""Begins every key that is made here. What begins so is never sent to an upstream, known or not."""

KEY_BYTES = 32

CREDENTIAL_HEADERS = ("x-api-key", "authorization")


@dataclass(frozen=True)
class KeyRecord:
    """What is known of one key: never the key itself. `digest` is `digest_of` it; "" is no team, no customer."""

    name: str
    digest: str = field(repr=False)
    team: str = ""
    customer: str = ""
    allowed_models: tuple[str, ...] = ()
    """Globs over the models that may answer; none: all may."""
    caps: tuple[Cap, ...] = ()
    upstream: str | None = None
    """The only upstream for it, but for what pins say; None: any."""
    disabled: bool = False


def new_key() -> tuple[str, str]:
    """A fresh key, to be shown once, and its digest, to be kept."""
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    return secret, digest_of(secret)


def digest_of(secret: str) -> str:
    """What is kept of a key: SHA-256, in hexadecimal digits."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def presented(headers: Mapping[str, str]) -> list[str]:
    """The credentials that a request comes with: of `x-api-key` and of `Authorization: Bearer`, in this order.

    `headers` are by lower-case names.
    """
    return [token for name in CREDENTIAL_HEADERS if (token := credential(name, headers.get(name, "")))]


def credential(name: str, value: str) -> str:
    """The credential in one of CREDENTIAL_HEADERS, "" if there is none."""
    if name == "x-api-key":
        return value.strip()
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_ours(token: str) -> bool:
    """Whether a credential looks like a key that was made here, known or not."""
    return token.startswith(PREFIX)


class Keyring:
    """The keys that are known, declared and made; of two records of one key, the first counts."""

    def __init__(self, records: Iterable[KeyRecord]) -> None:
        self.records = tuple(records)
        self._by_digest = {record.digest: record for record in reversed(self.records)}

    def who(self, secret: str) -> KeyRecord | None:
        """The key that `secret` is; None for one that is unknown or disabled.

        It is looked up by its digest: what the time of that tells is about the digest, from which no key follows.
        """
        record = self._by_digest.get(digest_of(secret))
        return None if record is None or record.disabled else record


def declared(settings: ProxySettings) -> tuple[KeyRecord, ...]:
    """The keys of `[[proxy.keys]]`, as `ProxySettings.check` has found them good."""
    return tuple(_record(key) for key in settings.keys)


def caps_of(settings: ProxySettings, key: KeyRecord | None, *, upstream: str, session: str) -> list[Cap]:
    """Every cap that holds for a request of `key` to `upstream`, in a session as `session_of` names it.

    All of them must have room: the customer's, the team's, the key's own and its budget's, the upstream's, the
    session's. None as the key: a client of a proxy that asks for no keys.
    """
    budgets = settings.budgets
    caps: list[Cap] = []
    if key is not None:
        caps += _caps("customer", key.customer, budgets.customer.get(key.customer))
        caps += _caps("team", key.team, budgets.team.get(key.team))
        caps += key.caps
        caps += _caps("key", key.name, budgets.key.get(key.name))
    caps += _caps("upstream", upstream, budgets.upstream.get(upstream))
    caps += _caps("session", session, budgets.session)
    return caps


def every_cap(settings: ProxySettings, records: Sequence[KeyRecord]) -> list[Cap]:
    """The caps of all keys, their teams and customers, and of all upstreams: each once, and none of a session."""
    found = [cap for record in records for cap in caps_of(settings, record, upstream="", session="")]
    for name, budget in settings.budgets.upstream.items():
        found += _caps("upstream", name, budget)
    return list(dict.fromkeys(found))


def session_of(told: str | None, key: KeyRecord | None) -> str:
    """The session that a request counts for: the one that its client tells, among those of its key.

    Requests that tell none are one session for each key. A client may make sessions up: a cap of each bounds a client
    that means well, and the key's own bounds the others.
    """
    return f"{key.name if key is not None else ''}/{told or ''}"


def unused_budgets(settings: ProxySettings, records: Sequence[KeyRecord]) -> list[str]:
    """Budgets for a customer, a team or a key that no key has: misspelt, perhaps, and then they limit nothing."""
    budgets = settings.budgets
    there = {
        "customer": (budgets.customer, {record.customer for record in records}),
        "team": (budgets.team, {record.team for record in records}),
        "key": (budgets.key, {record.name for record in records}),
    }
    return [
        f"No key fits [proxy.budgets.{tier}.{name}], so it limits nothing."
        for tier, (named, known) in there.items()
        for name in named
        if not name or name not in known
    ]


def _record(key: KeySettings) -> KeyRecord:
    return KeyRecord(
        name=key.name,
        digest=digest_of(key.key),
        team=key.team,
        customer=key.customer,
        allowed_models=key.allowed_models,
        caps=tuple(_caps("key", key.name, key)),
        upstream=key.upstream,
        disabled=key.disabled,
    )


def _caps(tier: Tier, name: str, limited: Limited | None) -> list[Cap]:
    if limited is None or not name:
        return []
    return [
        Cap(tier, name, kind, limit, Period.parse(duration, rolling=limited.rolling))
        for kind, limit, duration in limited.limits
    ]
