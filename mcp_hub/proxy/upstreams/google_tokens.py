"""Access tokens of Google's: had from its credentials, renewed ahead of their end by one thread, for all who ask.

google-auth is an extra. It blocks, and so works in a thread. What it needs of HTTP is here: tokens come from whom the
certificates trust that answers come from.
"""

import http.client
import importlib
import logging
import re
import ssl
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio

from mcp_hub.errors import ConfigError
from mcp_hub.proxy.upstreams.threads import Threads
from mcp_hub.proxy.upstreams.upstream import UnreachedError

logger = logging.getLogger(__name__)

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
INSTALL = "pip install 'mcp_hub[vertex]'"

ANSWER_WITHIN = 20.0
"""Seconds for an answer of whoever gives tokens."""
RENEWED_WITHIN = 20.0
"""Seconds for a new token, however its answer comes."""
RENEWING_AT_ONCE = 4
"""Threads that renew; more than one only where others hang and nobody waits for them any more."""
ANSWER_BYTES = 1024 * 1024
TOLD_CHARACTERS = 300
"""Of a foreign error."""

_SECRET = re.compile(r"\S{30,}")
"""What could be a key or a token in a foreign error; no word is that long."""


class Tokens(Protocol):
    """Where the tokens of requests come from."""

    async def token(self, refused: str | None = None) -> str | None:
        """A token that lasts for minutes, another one than `refused`; None where there is no other.

        Raises UnreachedError.
        """
        ...


@dataclass(frozen=True)
class GivenToken:
    """A token of the configuration: it lasts as long as it lasts."""

    value: str = field(repr=False)

    async def token(self, refused: str | None = None) -> str | None:
        """The token, unless it was refused."""
        return None if refused == self.value else self.value


class Credentials(Protocol):
    """What is used of google-auth's own."""

    token: str | None

    @property
    def token_state(self) -> Any:
        """One of its TokenState."""
        ...

    def refresh(self, request: Any) -> None:
        """Get a new token."""
        ...


class GoogleTokens:
    """Tokens of google-auth's credentials, for one upstream."""

    def __init__(
        self, name: str, load: Callable[[Callable[..., Any]], Credentials], remedy: str, trust: ssl.SSLContext
    ) -> None:
        """`load` gives the credentials, in a thread, once; `remedy` is what to do when there is no token."""
        self._name = name
        self._load = load
        self._remedy = remedy
        self._errors: Any = importlib.import_module("google.auth.exceptions")
        self._states: Any = importlib.import_module("google.auth.credentials").TokenState
        self._request = _Request(trust, self._errors.TransportError)
        self._credentials: Credentials | None = None
        self._turn = anyio.Lock()
        self._threads = Threads(RENEWING_AT_ONCE)
        self._renewals = 0
        self._failure: str | None = None

    async def token(self, refused: str | None = None) -> str:
        """A token that lasts for minutes, another one than `refused`. Raises UnreachedError.

        Whoever comes while it is renewed waits for that and shares how it ends; as long as there is an old one that
        lasts, nobody waits but who renews it, and a failure is only logged.
        """
        if (token := self._usable(self._states.FRESH, refused)) is not None:
            return token
        if self._turn.locked() and (token := self._usable(self._states.STALE, refused)) is not None:
            return token
        renewals = self._renewals
        async with self._turn:
            if self._renewals == renewals:
                try:
                    self._failure = await self._threads.run(self._renew, RENEWED_WITHIN)
                except TimeoutError:
                    self._failure = f"there was no answer within {RENEWED_WITHIN:g} s."
                self._renewals += 1
            failure = self._failure
        token = self._usable(self._states.FRESH, None) or self._usable(self._states.STALE, refused)
        if failure is not None and token is not None and token != refused:
            logger.warning("the token of the upstream %r isn't renewed yet: %s", self._name, failure)
            return token
        if failure is not None or token is None:
            problem = failure or "it has expired already; is the clock right?"
            raise UnreachedError(f"The upstream {self._name!r} has no token of Google's: {problem} {self._remedy}")
        return token

    def _usable(self, state: Any, refused: str | None) -> str | None:
        """The token there is, when it is in this state and not the one that was refused."""
        held = self._credentials
        if held is None or held.token is None or held.token == refused or held.token_state is not state:
            return None
        return held.token

    def _renew(self) -> str | None:
        """Get a new token; what went wrong, None for nothing. In a thread."""
        try:
            if self._credentials is None:
                self._credentials = self._load(self._request)
            self._credentials.refresh(self._request)
        except (self._errors.GoogleAuthError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return told(error)
        return None


def open_tokens(name: str, file: str | None, token: str | None, trust: ssl.SSLContext) -> Tokens:
    """The tokens of an upstream: of a credentials file, or the one given, or of what Google's machine has by default.

    Raises ConfigError when google-auth isn't there, the file can't be used, or the token can't stand in a header.
    """
    key = f"proxy.upstreams.{name}"
    if token is not None:
        if not token.strip().isascii() or not token.strip().isprintable():
            raise ConfigError("the credential has a character that no header can have.", key=key)
        return GivenToken(token.strip())
    try:
        auth: Any = importlib.import_module("google.auth")
        errors: Any = importlib.import_module("google.auth.exceptions")
    except ImportError:
        raise ConfigError(f"an upstream of the kind vertex needs google-auth: {INSTALL}", key=key) from None
    if file is None:
        remedy = (
            "Run `gcloud auth application-default login`, or give credential_file, such as a service account's key."
        )
        return GoogleTokens(name, lambda request: auth.default(scopes=[SCOPE], request=request)[0], remedy, trust)
    try:
        with warnings.catch_warnings():
            # It warns of files from elsewhere, which may lead to other hosts; this one is the operator's.
            warnings.simplefilter("ignore", DeprecationWarning)
            loaded: Credentials = auth.load_credentials_from_file(file, scopes=[SCOPE])[0]
    except (errors.GoogleAuthError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"the credential_file {file} can't be used: {told(error)} It must be a credentials file of Google's."
        raise ConfigError(text, key=key) from None
    remedy = f"Is the credential_file {file} still valid, and can its token_uri be reached?"
    return GoogleTokens(name, lambda _: loaded, remedy, trust)


def told(error: BaseException) -> str:
    """A foreign error as a sentence, without what could be a secret."""
    text = " ".join(str(error.args[0] if error.args else "").split())
    text = _SECRET.sub("...", text)[:TOLD_CHARACTERS]
    return f"{text.rstrip('.') or type(error).__name__}."


@dataclass(frozen=True)
class _Response:
    """A google.auth.transport.Response; `headers` are found whatever their case."""

    status: int
    headers: Message
    data: bytes = field(repr=False)


class _Request:
    """A google.auth.transport.Request over urllib, which follows no redirects: a secret goes where it was meant to."""

    def __init__(self, trust: ssl.SSLContext, failed: Callable[[str], Exception]) -> None:
        """`failed` makes the error that google-auth expects."""
        self._failed = failed
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.UnknownHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=trust),
        ):
            self._opener.add_handler(handler)

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: object,
    ) -> _Response:
        """Make a request. Raises google-auth's TransportError."""
        try:
            asked = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - HTTP alone
            with self._opener.open(asked, timeout=timeout or ANSWER_WITHIN) as answer:
                return _Response(answer.status, answer.headers, answer.read(ANSWER_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise self._failed(f"{urlsplit(url).hostname} can't be reached: {reason}") from error
