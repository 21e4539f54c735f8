"""Amazon Bedrock: requests to /v1/messages become InvokeModel's, signed, and its streams server-sent events.

The body stays what the client wrote but for the fields that Bedrock has in the URL, takes elsewhere, or doesn't take.
"""

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from mcp_hub.errors import ConfigError
from mcp_hub.proxy import wire
from mcp_hub.proxy.upstreams import bedrock_errors
from mcp_hub.proxy.upstreams.answers import made_here, read_error, whole
from mcp_hub.proxy.upstreams.bedrock_events import CONTENT_TYPE, BedrockEvents
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.fields import BETAS, Fields
from mcp_hub.proxy.upstreams.signing import KeySigner, Signer, open_signer
from mcp_hub.proxy.upstreams.threads import Threads
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply, UnreachedError
from mcp_hub.proxy.wire import COUNT_TOKENS, MESSAGES, AnswerError, MessagesRequest
from mcp_hub.proxy_settings import UpstreamSettings

VERSION = "bedrock-2023-05-31"

SIGNING_AT_ONCE = 8
"""Threads in which credentials are found and requests signed: while credentials hang, they would take all others'."""
SIGNED_WITHIN = 20.0
"""Seconds for that: a login's helper program needs some, and an agent waits."""

_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_FOUNDATION = re.compile(r"anthropic\.[^/]+\Z")


class Bedrock:
    """An Upstream that is Amazon Bedrock's runtime in one region."""

    def __init__(self, name: str, url: str, signer: Signer, connection: Connection) -> None:
        """`name` is the upstream's in servers.toml; `url` the endpoint's."""
        self._name = name
        self._url = url.rstrip("/")
        self._signer = signer
        self._connection = connection
        self._fields = Fields.shipped("bedrock")
        self._signing = Threads(SIGNING_AT_ONCE)

    def changes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields that Bedrock doesn't take and nobody misses. Raises BadRequestError for what it can't do."""
        return self._fields.changes(request)

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Send a request to `path`, which begins with /v1. Raises UnreachedError, BrokenError.

        Paths that Bedrock has nothing for are answered here.
        """
        place = path.partition("?")[0]
        if (method, place) not in (("POST", MESSAGES), ("POST", COUNT_TOKENS)):
            text = f"Amazon Bedrock has nothing like {method} {place}: of the Messages API, it has messages and their "
            return made_here(AnswerError("not_found_error", f"{text}count_tokens."))
        counts = place == COUNT_TOKENS
        try:
            url, sent, invoked = await self._signing.run(lambda: self._signed(headers, body, counts), SIGNED_WITHIN)
        except AnswerError as error:
            return made_here(error)
        except TimeoutError:
            text = f"The upstream {self._name!r} can't be asked: credentials weren't found within {SIGNED_WITHIN:g} s."
            raise UnreachedError(text) from None
        reply = await self._connection.send("POST", url, sent, invoked)
        if reply.status >= 300:
            return await self._failed(reply)
        if counts:
            return await self._counted(reply)
        if reply.header("content-type").startswith(CONTENT_TYPE):
            return Reply(reply.status, _headers(reply, "text/event-stream"), self._events(reply), reply.close)
        return Reply(reply.status, _headers(reply), reply.body, reply.close)

    async def close(self) -> None:
        """Close every connection."""
        await self._connection.close()

    def _signed(self, headers: Headers, body: bytes, counts: bool) -> tuple[str, Headers, bytes]:
        """The URL, headers and body for Bedrock. Blocks. Raises BadRequestError, UnreachedError."""
        request = MessagesRequest.parse(body, counts_tokens=counts)
        fields: dict[str, Any] = {
            "model": None,
            "stream": None,
            "anthropic_version": VERSION,
            BETAS: self._fields.betas(headers, request.json) or None,
        }
        if counts:
            # It must be there, and above the budget; nothing is generated. Its model is none of those of a region.
            fields["max_tokens"] = (request.thinking_budget or 0) + 1
            encoded = base64.b64encode(request.changed(**fields)).decode()
            invoked = json.dumps({"input": {"invokeModel": {"body": encoded}}}).encode()
            found = _FOUNDATION.search(request.model)
            place = f"{_quoted(found[0] if found else request.model)}/count-tokens"
        else:
            invoked = request.changed(**fields)
            place = f"{_quoted(request.model)}/{'invoke-with-response-stream' if request.stream else 'invoke'}"
        accepted = CONTENT_TYPE if request.stream and not counts else "application/json"
        own = [("content-type", "application/json"), ("accept", accepted)]
        url = f"{self._url}/model/{place}"
        return url, self._signer.signed("POST", url, own, invoked), invoked

    async def _events(self, reply: Reply) -> AsyncIterator[bytes]:
        events = BedrockEvents(self._name)
        async for piece in reply.body:
            told, problem = events.events(piece)
            if told:
                yield told
            if problem is not None:
                raise problem
            if events.ended:
                return
        events.finish()

    async def _failed(self, reply: Reply) -> Reply:
        """An error of Bedrock's as the Messages API would answer it."""
        body = await read_error(reply)
        told = bedrock_errors.over_http(reply.status, {name.lower(): value for name, value in reply.headers}, body)
        if told.stale:
            self._signer.forget()
        request_id = reply.header("x-amzn-requestid") or None
        kept = [each for each in _headers(reply, "application/json") if each[0].lower() != "location"]
        return whole(told.status, kept, wire.error_body(told.type, told.message, request_id))

    async def _counted(self, reply: Reply) -> Reply:
        """The answer to a request to count tokens."""
        try:
            tokens = json.loads(await read_error(reply))["inputTokens"]
        except (ValueError, TypeError, LookupError):
            raise BrokenError(f"The upstream {self._name!r} didn't say how many tokens it counted.") from None
        headers = _headers(reply, "application/json")
        return whole(reply.status, headers, json.dumps({"input_tokens": tokens}).encode())


def open_bedrock(settings: UpstreamSettings, secret: str | None, connection: Connection) -> Bedrock:
    """The upstream of these settings; `secret` is a Bedrock API key, in place of AWS credentials. Raises ConfigError.

    `connection` is one to `endpoint(settings)`.
    """
    url, place = endpoint(settings), f"proxy.upstreams.{settings.name}"
    try:
        import botocore.eventstream  # noqa: F401 - streams need it, whatever proves whose a request is

        signer = KeySigner(secret) if secret else open_signer(settings.name, settings.region or "", settings.profile)
    except ImportError:
        text = "the kind bedrock needs botocore, which isn't installed: pip install 'mcp_hub[bedrock]'."
        raise ConfigError(text, key=place) from None
    return Bedrock(settings.name, url, signer, connection)


def endpoint(settings: UpstreamSettings) -> str:
    """Where the upstream is: its url, or AWS's own endpoint of the region. Raises ConfigError."""
    region = settings.region or ""
    if not _REGION.fullmatch(region):
        text = f"{region!r} is no region of AWS, such as us-east-1."
        raise ConfigError(text, key=f"proxy.upstreams.{settings.name}.region")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return settings.url or f"https://bedrock-runtime.{region}.{domain}"


def _quoted(model: str) -> str:
    """A model's id, or a profile's ARN, as one segment of a path."""
    return quote(model, safe="-._~")


def _headers(reply: Reply, content_type: str | None = None) -> Headers:
    """The answer's headers, with its id as the Messages API calls it, for a body of another type, if it is one."""
    changed = ("content-type", "content-length") if content_type else ()
    kept = [each for each in reply.headers if each[0].lower() not in changed]
    more = [("content-type", content_type)] if content_type else []
    if request_id := reply.header("x-amzn-requestid"):
        more.append(("request-id", request_id))
    return [*kept, *more]
