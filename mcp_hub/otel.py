"""The tracer by OpenTelemetry's SDK: spans go to a collector by OTLP over HTTP, from a thread of the SDK's own.

Imported only by `tracing`, and only where spans are asked for. The SDK's provider isn't made the process's: MCP's SDK
would tell it of every message, and of exceptions with their texts, which may hold what a tool was told.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import anyio
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mcp_hub import __version__
from mcp_hub.errors import ConfigError

logger = logging.getLogger(__name__)

CLOSE_WITHIN = 3.0
"""Seconds for the last spans to go out at the end; a collector that is down doesn't hold up more than that."""

KINDS = {"client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}

_W3C = TraceContextTextMapPropagator()

_Attributes = Mapping[str, str | int | float | bool | Sequence[str]]


class _Parent(Protocol):
    @property
    def headers(self) -> Mapping[str, str]: ...


class OtelSpan:
    """A Span of `tracing`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.headers: dict[str, str] = {}
        _W3C.inject(self.headers, trace.set_span_in_context(span, context.Context()))

    @contextmanager
    def active(self) -> Iterator[None]:
        """As Span's: MCP's SDK takes the span that is the task's present one."""
        token = context.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            context.detach(token)

    def end(self, attributes: _Attributes, error: str = "") -> None:
        """As Span's. No text goes with an error: it may repeat what was sent."""
        self._span.set_attributes(dict(attributes))
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class OtelTracer:
    """A Tracer of `tracing`. Spans are put into a bounded queue, and dropped when that is full."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        named = SERVICE_NAME in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") or os.environ.get("OTEL_SERVICE_NAME")
        own = {SERVICE_VERSION: __version__} if named else {SERVICE_NAME: "mcp_hub", SERVICE_VERSION: __version__}
        # Not at exit: the SDK would wait for half a minute there.
        self._provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("mcp_hub", __version__)

    @classmethod
    def to_collector(cls) -> "OtelTracer":
        """One that sends to where OpenTelemetry's variables say. Raises ConfigError for values that they can't have."""
        try:
            return cls(OTLPSpanExporter())
        except (ValueError, OSError) as error:
            raise ConfigError(f"spans can't be sent as the OTEL_ variables say: {error}", key="OTEL_") from None

    def begin(
        self, name: str, kind: str, attributes: _Attributes, parent: _Parent | Mapping[str, str] | None = None
    ) -> OtelSpan:
        """As Tracer's."""
        within: context.Context | None = None
        if parent is not None:
            headers = parent if isinstance(parent, Mapping) else parent.headers
            within = _W3C.extract(headers, context.Context())
        return OtelSpan(self._tracer.start_span(name, within, KINDS[kind], dict(attributes)))

    async def close(self) -> None:
        """Send what there is, within a bound. A thread that is left behind ends with the process."""
        loop, done = asyncio.get_running_loop(), anyio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, daemon=True).start()
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(CLOSE_WITHIN):
                await done.wait()
        if not done.is_set():
            self._exporter.shutdown()  # it doesn't try again
            logger.warning("the last spans aren't sent: the collector didn't take them in %g seconds", CLOSE_WITHIN)
