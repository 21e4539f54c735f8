"""handle(): key, pin, budget, upstream, answer, settlement: the way of a request, on one screen.

Everything is passed in. A request is admitted at its worst case and settled to what it used, however it ends: by its
answer, by an upstream that breaks off, by a client that goes away. What isn't known to be less is its worst case.
"""

import hmac
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from mcp_hub.prometheus import CONTENT_TYPE
from mcp_hub.proxy import keys, wire
from mcp_hub.proxy.admission import Admission, whose
from mcp_hub.proxy.answer import Outgoing, Passed
from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.attempts import Asked, Attempts
from mcp_hub.proxy.cache import Cache
from mcp_hub.proxy.keys import KeyRecord, Keyring
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pins import ModelNotAllowedError, Pins
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, UnreachedError
from mcp_hub.proxy.wire import COUNT_TOKENS, MESSAGES, AnswerError, MessagesRequest
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.table import address, is_loopback

logger = logging.getLogger(__name__)

METRICS = "/metrics"

SESSION_HEADER = "x-claude-code-session-id"

FORWARDED = ("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "x-original-", "true-client-ip", "cf-")
"""How the headers begin that a proxy in front of this one adds."""

FREE = ("/v1/models",)
"""Paths, and all below them, that cost nothing."""


@dataclass(frozen=True)
class Incoming:
    """A request as it came. `path` begins with /v1, or is /metrics; header names are as the client wrote them.

    `read` gives the body, once; it raises AnswerError for one that is too large.
    """

    method: str
    path: str
    query: str
    headers: Headers = field(repr=False)
    is_local: bool
    """Whether the client is on this machine."""
    read: Callable[[], Awaitable[bytes]] = field(repr=False)

    @cached_property
    def lower_headers(self) -> dict[str, str]:
        """The headers by lower-case names; one that came in several lines is one, as RFC 9110 has it (section 5.3)."""
        joined: dict[str, str] = {}
        for name, value in self.headers:
            lower = name.lower()
            joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
        return joined

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Proxy:
    """The flow, with what it needs; `upstreams` are the names of all, the usual one first."""

    def __init__(
        self,
        settings: ProxySettings,
        keyring: Callable[[], Keyring],
        admission: Admission,
        attempts: Attempts,
        upstreams: Sequence[str],
        metrics: Metrics,
        new_id: Callable[[], str],
        cache: Cache | None = None,
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._pins = Pins(settings.pins, upstreams)
        self._usual = upstreams[0]
        self._admission = admission
        self._attempts = attempts
        self._metrics = metrics
        self._new_id = new_id
        self._cache = cache

    async def handle(self, incoming: Incoming) -> Outgoing:
        """Answer a request; the body must be closed. Raises nothing but cancellation."""
        id = self._new_id()
        try:
            if incoming.path == METRICS:
                return await self._exposition(incoming)
            key = self._who(incoming)
            if incoming.path == MESSAGES and incoming.method == "POST":
                return await self._message(id, incoming, key)
            if incoming.path == COUNT_TOKENS and incoming.method == "POST":
                return await self._count(incoming, key)
            return await self._other(incoming, key)
        except AnswerError as error:
            answered = error
        except ModelNotAllowedError as error:
            # As the API answers for a model that one hasn't: Claude Code takes 403 for a matter of logging in.
            answered = AnswerError("not_found_error", error.text)
        except (UnreachedError, BrokenError) as error:
            answered = AnswerError("api_error", error.text, status=502)
        except Exception as error:  # a fault of ours is told as one, and the proxy goes on
            logger.exception("%s: %s %s failed", id, incoming.method, incoming.path)
            answered = AnswerError("api_error", f"The proxy failed: {type(error).__name__}. Its log says more.")
        self._metrics.refused(answered.type)
        told = answered.text if answered.status >= 500 else answered.type  # others may repeat what a client sent
        logger.info("%s: %s %s: %s %s", id, incoming.method, incoming.path, answered.status, told)
        return Outgoing.of_error(answered, id)

    async def _exposition(self, incoming: Incoming) -> Outgoing:
        """The metrics, for whoever may read them: on loopback, all who reach it, unless there is a token for them."""
        token = self._settings.metrics_token
        if token is None and (self._settings.hosts or not is_loopback(address(self._settings.listen)[0])):
            raise AnswerError("not_found_error", "Beyond loopback, metrics need a token: set proxy.metrics_token.")
        bearer = incoming.lower_headers.get("authorization", "").removeprefix("Bearer ")
        if token is not None and not hmac.compare_digest(keys.digest_of(bearer), keys.digest_of(token)):
            raise AnswerError("authentication_error", "The metrics need the token of proxy.metrics_token as a bearer.")
        try:
            standings = await self._admission.standings(keys.every_cap(self._settings, self._keyring().records))
        except sqlite3.Error as error:
            logger.warning("how budgets stand isn't in the metrics: %s", error)
            standings = []
        return Outgoing(200, [("content-type", CONTENT_TYPE)], await self._metrics.exposition(standings))

    def _who(self, incoming: Incoming) -> KeyRecord | None:
        """Whose request it is; None where no key is asked for and none of ours came."""
        names = [name.lower() for name, _ in incoming.headers]
        if any(names.count(name) > 1 for name in keys.CREDENTIAL_HEADERS):
            raise AnswerError("invalid_request_error", "A credential came twice in one header's name.")
        tokens = keys.presented(incoming.lower_headers)
        if self._settings.keys_required or any(keys.is_ours(token) for token in tokens):
            ring = self._keyring()
            if record := next(filter(None, map(ring.who, tokens)), None):
                return record
            if tokens:
                raise AnswerError("authentication_error", "The key isn't one of this proxy's, or it was revoked.")
            raise AnswerError("authentication_error", "This proxy needs a key of its own, in x-api-key or as a bearer.")
        return None

    async def _message(self, id: str, incoming: Incoming, key: KeyRecord | None) -> Outgoing:
        body = await incoming.read()
        request = await apart(len(body), lambda: MessagesRequest.parse(body))
        routes = self._pins.resolve(request.model, key)
        self._needs_credential(routes[0].upstream, key)
        session = wire.session_id(incoming.lower_headers.get(SESSION_HEADER)) or request.session
        asked = Asked(id, request, incoming.target, self._onward(incoming, key), key, session)
        if self._cache is None:
            return await self._attempts.answer(asked, routes)
        ask = partial(self._attempts.answer, asked, routes)
        return await self._cache.answer(
            asked, routes[0], incoming.lower_headers, ask, is_local=self._is_local(incoming)
        )

    async def _count(self, incoming: Incoming, key: KeyRecord | None) -> Outgoing:
        body = await incoming.read()
        request = await apart(len(body), lambda: MessagesRequest.parse(body, counts_tokens=True))
        route, *_ = self._pins.resolve(request.model, key)
        sent = await apart(len(body), lambda: self._attempts.prepared(request, route, counts_tokens=True))
        return await self._passed(incoming, key, route.upstream, sent.body)

    async def _other(self, incoming: Incoming, key: KeyRecord | None) -> Outgoing:
        upstream = key.upstream if key is not None and key.upstream else self._usual
        caps = keys.caps_of(self._settings, key, upstream=upstream, session=keys.session_of(None, key))
        reads = incoming.method in ("GET", "HEAD")
        free = reads and any(incoming.path == path or incoming.path.startswith(f"{path}/") for path in FREE)
        if caps and not free:
            text = f"{incoming.method} {incoming.path} can't be counted, and {whose(caps[0])} needs that."
            raise AnswerError("billing_error", text)
        if not reads and (self._settings.pins or (key is not None and key.allowed_models)):
            text = f"{incoming.method} {incoming.path} could ask any model, and models are pinned or limited here."
            raise AnswerError("not_found_error", text)
        if not free:
            name = key.name if key is not None else ""
            logger.info("%s %s of key %r passes uncounted", incoming.method, incoming.path, name)
            self._metrics.uncounted(name)
        return await self._passed(incoming, key, upstream, await incoming.read())

    def _is_local(self, incoming: Incoming) -> bool:
        """Whether the client is on this machine, and not behind a proxy there, as far as that one says so."""
        is_forwarded = any(name.startswith(FORWARDED) for name in incoming.lower_headers)
        return incoming.is_local and not self._settings.hosts and not is_forwarded

    def _needs_credential(self, upstream: str, key: KeyRecord | None) -> None:
        """A key of ours goes to no upstream, which needs a credential of its own then."""
        if key is not None and not any(
            each.has_credential for each in self._settings.upstreams if each.name == upstream
        ):
            text = (
                f"A key of this proxy can't be used with the upstream {upstream!r}, which has no credential of its own."
            )
            raise AnswerError("api_error", f"{text} Give it one: credential, in servers.toml.", status=503)

    async def _passed(self, incoming: Incoming, key: KeyRecord | None, upstream: str, body: bytes) -> Outgoing:
        self._needs_credential(upstream, key)
        sent = self._onward(incoming, key)
        reply = await self._attempts.upstream(upstream).send(incoming.method, incoming.target, sent, body)
        return Outgoing(reply.status, reply.headers, Passed(reply))

    def _onward(self, incoming: Incoming, key: KeyRecord | None) -> Headers:
        """The headers to send on: no key of ours, and no credential beside one."""
        return [
            (name, value)
            for name, value in incoming.headers
            if name.lower() not in keys.CREDENTIAL_HEADERS
            or (key is None and not keys.is_ours(keys.credential(name.lower(), value)))
        ]
