"""Spans of requests to models, by OpenTelemetry's conventions for generative AI: one for each that goes out.

`admission` tells it, as it tells the metrics. A span has names, numbers and states: nothing of a prompt or an answer,
and of an upstream's URL the host and the port alone. What a client makes up (a model's name, a session) is cut.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from mcp_hub.proxy.pricing import NANO, Usage
from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.wire import STATUS, MessagesRequest
from mcp_hub.proxy_settings import ProxySettings, UpstreamSettings
from mcp_hub.store.ledger import Entry, Status
from mcp_hub.tracing import Span, Tracer

PROVIDERS = {"anthropic": "anthropic", "bedrock": "aws.bedrock", "vertex": "gcp.vertex_ai", "openrouter": "openrouter"}
"""What the conventions call the kinds of upstreams; they have no word for the last one."""

TRACE_HEADERS = ("traceparent", "tracestate")

MOST_CHARACTERS = 200

Values = dict[str, str | int | float | bool | list[str]]


class Said(NamedTuple):
    """What an answer says of itself, "" where it doesn't; `error` is the type of an error as the upstream names it."""

    model: str = ""
    message_id: str = ""
    stop_reason: str = ""
    error: str = ""


SAID_NOTHING = Said()


class RequestSpan:
    """The span of one request to an upstream, until it has ended."""

    def __init__(self, span: Span, *, streams: bool) -> None:
        self._span = span
        self._streams = streams

    def onward(self, headers: Headers) -> Headers:
        """The headers to send: what the request leads to is a part of its span."""
        own = [each for each in headers if each[0].lower() not in TRACE_HEADERS]
        return [*own, *self._span.headers.items()]

    def ended(
        self, status: Status, http_status: int, used: Usage | None, spent: int, first: float | None, said: Said
    ) -> None:
        """The request has ended: `used` as far as it is known, `spent` in nano-dollars, `first` in seconds."""
        attributes: Values = {"mcp_hub.status": status.value, "mcp_hub.cost_usd": spent / NANO}
        if used is not None and used != Usage():
            attributes["gen_ai.usage.input_tokens"] = used.prompt
            if status in (Status.OK, Status.FAILED):  # else it is the most that there may have been
                attributes["gen_ai.usage.output_tokens"] = used.output
            written = used.cache_write_5m + used.cache_write_1h
            attributes |= {
                f"gen_ai.usage.{name}": count
                for name, count in (
                    ("cache_creation.input_tokens", written),
                    ("cache_read.input_tokens", used.cache_read),
                )
                if count
            }
        if http_status:
            attributes["http.response.status_code"] = http_status
        if first is not None and self._streams:
            attributes["gen_ai.response.time_to_first_chunk"] = first
        attributes |= {
            f"gen_ai.response.{name}": text[:MOST_CHARACTERS]
            for name, text in (("model", said.model), ("id", said.message_id))
            if text
        }
        if said.stop_reason:
            attributes["gen_ai.response.finish_reasons"] = [said.stop_reason[:MOST_CHARACTERS]]
        self._span.end(attributes, _error(status, http_status, said.error))


class Spans:
    """Makes the spans of a proxy's requests."""

    def __init__(self, tracer: Tracer, settings: ProxySettings) -> None:
        self._tracer = tracer
        self._upstreams: Mapping[str, UpstreamSettings] = {each.name: each for each in settings.upstreams}

    def begun(self, entry: Entry, request: MessagesRequest, headers: Headers) -> RequestSpan:
        """A request goes out; `headers` are its client's, which may name the span that it is a part of."""
        model = entry.model[:MOST_CHARACTERS]
        upstream = self._upstreams.get(entry.upstream)
        attributes: Values = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDERS[upstream.kind] if upstream is not None else "_OTHER",
            "gen_ai.request.model": model,
            "gen_ai.request.max_tokens": request.max_tokens,
            "mcp_hub.request": entry.id,
            "mcp_hub.upstream": entry.upstream,
        }
        if upstream is not None and upstream.url is not None:
            where = urlsplit(upstream.url)
            attributes["server.address"] = where.hostname or ""
            attributes["server.port"] = where.port or (443 if where.scheme == "https" else 80)
        if request.stream:
            attributes["gen_ai.request.stream"] = True
        named = {
            "gen_ai.conversation.id": entry.session.partition("/")[2],  # without the key's name (keys.session_of)
            "mcp_hub.key": entry.key,
            "mcp_hub.team": entry.team,
            "mcp_hub.customer": entry.customer,
            "mcp_hub.model_asked": entry.model_asked if entry.model_asked != entry.model else "",
        }
        attributes |= {name: text[:MOST_CHARACTERS] for name, text in named.items() if text}
        lower = {name.lower(): value for name, value in headers}
        parent = {name: lower[name] for name in TRACE_HEADERS if name in lower}
        span = self._tracer.begin(f"chat {model}", "client", attributes, parent)
        return RequestSpan(span, streams=request.stream)


def _error(status: Status, http_status: int, told: str) -> str:
    """The type of an error, one of a few words; "" where there was none, and where a client went away."""
    if told or http_status >= 400:
        return told if told in STATUS else str(http_status) if http_status >= 400 else "_OTHER"
    if status is Status.FAILED:
        return "unreached"
    return "broken" if status is Status.BROKEN else ""
