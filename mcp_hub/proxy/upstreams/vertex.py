"""Google Vertex AI: Claude as Google serves it. Requests are sent as rawPredict, answers pass as they come."""

import ssl
from collections.abc import Mapping
from typing import Any

from mcp_hub.proxy.apart import apart
from mcp_hub.proxy.upstreams import vertex_wire
from mcp_hub.proxy.upstreams.answers import made_here, read_error, whole
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.fields import Fields
from mcp_hub.proxy.upstreams.google_tokens import Tokens, open_tokens
from mcp_hub.proxy.upstreams.upstream import Headers, Reply
from mcp_hub.proxy.upstreams.vertex_wire import Call
from mcp_hub.proxy.wire import COUNT_TOKENS, MESSAGES, AnswerError, BadRequestError, MessagesRequest
from mcp_hub.proxy_settings import UpstreamSettings


class Vertex:
    """An Upstream for one project and one location of Vertex AI."""

    def __init__(self, url: str, project: str, region: str, tokens: Tokens, connection: Connection) -> None:
        """`url` is the base, without /v1."""
        self._url = url.rstrip("/")
        self._project = project
        self._region = region
        self._tokens = tokens
        self._connection = connection
        self._fields = Fields.shipped("vertex")

    def changes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields that Vertex AI doesn't take, left out. Raises BadRequestError for what can't be done there."""
        try:
            return {**vertex_wire.unscoped(request), **self._fields.changes(request)}
        except RecursionError:
            raise BadRequestError("is nested too deep.") from None

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Send a request to `path`, which begins with /v1 and may have a query. Raises UnreachedError, BrokenError.

        There are messages and count_tokens; any other path is answered here.
        """
        try:
            call = await apart(len(body), lambda: self._call(method, path, headers, body))
        except AnswerError as error:
            return made_here(error)
        token = await self._tokens.token()
        reply = await self._sent(call, token)
        if reply.status == 401:  # it was revoked, or a clock is wrong: who isn't let in isn't billed, and may ask again
            refusal = await _failed(reply)
            another = await self._tokens.token(refused=token)
            if another in (None, token):
                return refusal
            reply = await self._sent(call, another)
        return reply if 200 <= reply.status < 300 else await _failed(reply)

    async def close(self) -> None:
        """Close every connection."""
        await self._connection.close()

    def _call(self, method: str, path: str, headers: Headers, body: bytes) -> Call:
        place = path.partition("?")[0]
        if method == "POST" and place == MESSAGES:
            return vertex_wire.message(MessagesRequest.parse(body), headers, self._project, self._region, self._fields)
        if method == "POST" and place == COUNT_TOKENS:
            request = MessagesRequest.parse(body, counts_tokens=True)
            return vertex_wire.count(request, headers, self._project, self._region)
        raise AnswerError(
            "not_found_error", f"Vertex AI has no {method} {place}: it has messages, and counts their tokens."
        )

    async def _sent(self, call: Call, token: str | None) -> Reply:
        headers = [*call.headers, ("authorization", f"Bearer {token}")]
        return await self._connection.send("POST", f"{self._url}{call.path}", headers, call.body)


def open_vertex(
    settings: UpstreamSettings, secret: str | None, connection: Connection, trust: ssl.SSLContext
) -> Vertex:
    """The upstream of a [[proxy.upstreams]] of the kind vertex; `secret` is its `credential`, an access token.

    Raises ConfigError when google-auth isn't installed, or the credential_file can't be used.
    """
    assert settings.project is not None
    assert settings.region is not None
    tokens = open_tokens(settings.name, settings.credential_file, secret, trust)
    return Vertex(url_of(settings), settings.project, settings.region, tokens, connection)


def url_of(settings: UpstreamSettings) -> str:
    """The base URL of an upstream of the kind vertex."""
    return settings.url or vertex_wire.host(settings.region or "")


async def _failed(reply: Reply) -> Reply:
    """An error, read and put as Anthropic puts them."""
    failure = vertex_wire.failure(reply.status, reply.headers, await read_error(reply))
    return whole(failure.status, failure.headers, failure.body)
