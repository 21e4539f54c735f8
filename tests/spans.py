"""Spans as tests look at them: those that a tracer of the SDK has taken, and a collector on loopback."""

import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcp_hub import tracing
from mcp_hub.otel import OtelTracer
from tests.support import PATIENCE


class Taken:
    """A tracer that keeps what it is told."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = OtelTracer(self._exporter)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in that order."""
        self.tracer._provider.force_flush()
        return list(self._exporter.get_finished_spans())

    def used(self, monkeypatch: pytest.MonkeyPatch) -> "Taken":
        """Have this one taken wherever spans are asked for."""

        @asynccontextmanager
        async def mine(environ: Mapping[str, str]) -> AsyncIterator[OtelTracer]:
            yield self.tracer

        monkeypatch.setattr(tracing, "tracer", mine)
        return self


def shown(span: ReadableSpan, **hidden: object) -> dict[str, Any]:
    """All that a span says; `hidden` are attributes that are other ones each time, dots as underscores."""
    attributes = dict(span.attributes or {})
    for name in list(attributes):
        if name.replace(".", "_") in hidden:
            attributes[name] = "..."
    assert not span.events
    assert not span.links
    assert span.status.description is None
    return {"name": span.name, "kind": span.kind.name, "status": span.status.status_code.name, **attributes}


def everything(spans: list[ReadableSpan]) -> str:
    """All text of spans, for what must not be in it."""
    return "\n".join(span.to_json() for span in spans)


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP, as a collector does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[tuple[str, Sent]] = []
        self.more = Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self, count: int) -> list[tuple[str, Sent]]:
        """The service and the span of each, when there are so many."""
        with self.more:
            assert self.more.wait_for(lambda: len(self.taken) >= count, PATIENCE), self.taken
            return list(self.taken)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        with self.server.more:
            for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                of = {pair.key: pair.value.string_value for pair in each.resource.attributes}
                for scope in each.scope_spans:
                    self.server.taken += [(of["service.name"], span) for span in scope.spans]
            self.server.more.notify_all()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...
