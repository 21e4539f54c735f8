"""The connections to one upstream: a pool of them, their bounds, and foreign errors translated.

Above it are the kinds of upstreams, which know what to send; below it is the HTTP client.
"""

import os
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply, UnreachedError

CONNECT_WITHIN = 10.0
"""Seconds to a connection; an upstream that needs longer is down, as far as an agent is concerned."""
ANSWER_WITHIN = 600.0
"""Seconds between two pieces of an answer, and to the first one: models think for minutes, and streams have pings."""
KEPT_FOR = 15.0
"""Seconds that an idle connection is kept: less than servers do, since what is sent while one is closed may be lost."""
HEADER_BYTES = 64 * 1024
"""Of an answer's header, or of all of them in one line."""

OF_ONE_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "expect",
})  # fmt: skip
"""Headers that are about one connection (RFC 9110, 7.6.1), or that the client library writes itself."""


WITHOUT_BODY = (204, 304)
"""Statuses of answers that have none, whatever length they say."""


class Connection:
    """The connections to one upstream. Made inside the event loop that uses it."""

    def __init__(self, name: str, url: str, trust: ssl.SSLContext) -> None:
        """`name` is the upstream's in servers.toml, `url` where it is: the environment may have a proxy for it."""
        self._name = name
        self._proxy = _environments_proxy(url)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_FOR, ssl=trust),  # streams last minutes
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN, sock_read=ANSWER_WITHIN),
            cookie_jar=aiohttp.DummyCookieJar(),  # else one client's would go with another's
            auto_decompress=False,
            skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )

    async def send(self, method: str, url: str, headers: Headers, body: bytes) -> Reply:
        """Send a request; its answer as soon as it begins. Raises UnreachedError, BrokenError.

        Headers of one hop don't pass, and the answer is asked to come uncompressed: it is recorded.
        """
        try:
            response = await self._session.request(
                method,
                URL(url, encoded=True),
                headers=_sent(headers),
                data=body or None,
                allow_redirects=False,
                proxy=self._proxy,
            )
        except (aiohttp.InvalidURL, ValueError) as error:  # a header or a path that HTTP can't have
            raise UnreachedError(f"The request can't be sent to {self._name!r}: {type(error).__name__}.") from None
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ClientConnectorCertificateError,
            aiohttp.ClientHttpProxyError,
            aiohttp.ConnectionTimeoutError,
        ) as error:
            raise UnreachedError(f"The upstream {self._name!r} can't be reached: {_reason(error)}.") from None
        except aiohttp.ClientError as error:
            raise BrokenError(f"The upstream {self._name!r} didn't answer: {_reason(error)}.") from None
        told = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
        # The length stays: of a HEAD, it is the answer. A stream that is given another end hasn't one (Heard).
        dropped = OF_ONE_HOP - ({"content-length"} if response.status not in WITHOUT_BODY else set())
        kept = [(name, value) for name, value in told if name.lower() not in dropped]
        return Reply(response.status, kept, self._pieces(response), response.close)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        content = response.content
        try:
            while piece := await content.readany():
                yield piece
        except aiohttp.ClientError as error:
            # aiohttp keeps back what came before the break, once it knows of the break.
            content.set_exception(None)  # type: ignore[arg-type]
            if rest := content.read_nowait():
                yield rest
            raise BrokenError(f"The upstream {self._name!r} broke off: {_reason(error)}.") from None


def _environments_proxy(url: str) -> str | None:
    """The HTTP proxy that the environment has for a URL."""
    where = urlsplit(url)
    return None if proxy_bypass(where.hostname or "") else getproxies().get(where.scheme)


def _sent(headers: Headers) -> list[tuple[str, str]]:
    dropped = {*OF_ONE_HOP, "accept-encoding"}
    sent = [(name, _utf_8(value)) for name, value in headers if name.lower() not in dropped]
    return [*sent, ("accept-encoding", "identity")]


def _utf_8(value: str) -> str:
    """A header's value, which is here one character for each byte, as the client library takes it."""
    return value if value.isascii() else value.encode("latin-1").decode()


def _reason(error: aiohttp.ClientError) -> str:
    """In our own words: the library's have the URL, an HTTP proxy's password, or what was received in them."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the HTTP proxy of the environment answered {error.status}"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its TLS certificate can't be trusted, or it speaks no TLS"
        case aiohttp.ClientConnectorDNSError():
            return "its name isn't known"
        case aiohttp.ConnectionTimeoutError():
            return f"no connection within {CONNECT_WITHIN:g} s"
        case aiohttp.ServerTimeoutError():
            return f"nothing came for {ANSWER_WITHIN:g} s"
        case aiohttp.ClientOSError() if error.errno:
            return os.strerror(error.errno)
        case aiohttp.ClientPayloadError():
            return "the answer isn't whole"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection"
        case aiohttp.ClientResponseError():
            return "what it sent is no HTTP answer"
        case _:
            return type(error).__name__
