"""Sends a request to an upstream and hands its answer on, piece by piece.

Owns the connections. Above it is the flow, which knows what a request may cost; below it, Anthropic or any URL that
speaks its Messages API. Nothing is sent twice: what an upstream has begun to answer, or may have, is billed.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Protocol

import httpx2

from mcp_hub.errors import HubError

Headers = Sequence[tuple[str, str]]

CONNECT_WITHIN = 10.0
"""Seconds to a connection; an upstream that needs longer is down, as far as an agent is concerned."""
ANSWER_WITHIN = 600.0
"""Seconds between two pieces of an answer, and to the first one: models think for minutes, and streams have pings."""
CONNECTIONS = 256
"""Open at once to one upstream, and KEPT_CONNECTIONS of them while they are idle."""
KEPT_CONNECTIONS = 64

OF_ONE_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length",
})  # fmt: skip
"""Headers that are about one connection (RFC 9110, 7.6.1), or that the client library writes itself."""


class UnreachedError(HubError):
    """The request never reached the upstream, so nothing is billed."""


class BrokenError(HubError):
    """The upstream was reached and its answer isn't whole: something may be billed."""


@dataclass(frozen=True)
class Reply:
    """An upstream's answer, whose body is still to come; `close` must be called, also after its end."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes] = field(repr=False)
    """Raises BrokenError where it breaks off."""
    _response: httpx2.Response = field(repr=False)

    def header(self, name: str) -> str:
        """A header's value, "" if there is none; `name` in lower case."""
        return next((value for each, value in self.headers if each.lower() == name), "")

    async def close(self) -> None:
        """Let the connection go; one whose answer isn't read to its end is closed, which cancels the answer."""
        await self._response.aclose()


class Upstream(Protocol):
    """Where models are."""

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Send a request; its answer as soon as it begins. Raises UnreachedError and BrokenError."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class Compatible:
    """Anthropic, or any URL that is compatible."""

    def __init__(self, name: str, url: str, credential: tuple[str, str] | None) -> None:
        """`url` is the base, without /v1; `credential` a header and its value, in place of the client's own."""
        self._name = name
        self._url = url.rstrip("/")
        self._credential = credential
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(ANSWER_WITHIN, connect=CONNECT_WITHIN, pool=CONNECT_WITHIN),
            limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # else one client's would go with another's
        )

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Send a request to `path`, which begins with /v1 and may have a query. Raises UnreachedError, BrokenError."""
        try:
            sent = self._sent(headers)
            request = self._client.build_request(method, f"{self._url}{path}", headers=sent, content=body)
        except (httpx2.InvalidURL, ValueError) as error:  # a header or a path that HTTP can't have
            raise UnreachedError(f"The request can't be sent to {self._name!r}: {type(error).__name__}.") from None
        try:
            response = await self._client.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise UnreachedError(f"The upstream {self._name!r} can't be reached: {_reason(error)}.") from None
        except httpx2.HTTPError as error:
            raise BrokenError(f"The upstream {self._name!r} didn't answer: {_reason(error)}.") from None
        kept = [(name, value) for name, value in _pairs(response) if name.lower() not in OF_ONE_HOP]
        return Reply(response.status_code, kept, self._pieces(response), response)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def _sent(self, headers: Headers) -> list[tuple[str, str]]:
        """The client's headers, with this upstream's credential if it has one, and no compression: it is recorded."""
        dropped = {*OF_ONE_HOP, "accept-encoding"}
        if self._credential is not None:
            dropped |= {"x-api-key", "authorization"}
        sent = [(name, value) for name, value in headers if name.lower() not in dropped]
        return [*sent, ("accept-encoding", "identity"), *([self._credential] if self._credential else [])]

    async def _pieces(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        try:
            async for piece in response.aiter_raw():
                yield piece
        except httpx2.HTTPError as error:
            raise BrokenError(f"The upstream {self._name!r} broke off: {_reason(error)}.") from None


def _pairs(response: httpx2.Response) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]


def _reason(error: httpx2.HTTPError) -> str:
    """In words; what the client library says of a header that it can't send has the header's value in it."""
    told = "" if isinstance(error, httpx2.LocalProtocolError) else str(error).rstrip(".")
    return told or type(error).__name__
