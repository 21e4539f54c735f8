"""The tracer by the SDK: whose part a span is, what goes with it, and an end that a dead collector doesn't hold up."""

import logging
import socket
from collections.abc import Iterator
from threading import Event

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from mcp_hub import otel
from mcp_hub.errors import ConfigError
from mcp_hub.otel import OtelTracer
from tests.spans import Collector, Taken
from tests.support import PATIENCE, served

pytestmark = pytest.mark.anyio

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLIENTS = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=b"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with served(Collector()) as server:
        yield server


def ended(tracer: OtelTracer) -> None:
    """The tracer's thread has ended."""
    worker = tracer._processor._batch_processor._worker_thread
    worker.join(PATIENCE)
    assert not worker.is_alive()


def ids(span: ReadableSpan) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}" if span.parent else ""


def test_a_clients_span_is_the_parent_and_what_is_sent_names_ours() -> None:
    taken = Taken()
    span = taken.tracer.begin("chat m", "client", {"a": 1}, CLIENTS)
    span.end({"b": ["c", "d"]})
    (told,) = taken.spans
    assert ids(told) == (TRACE, PARENT)
    assert span.headers == {"traceparent": f"00-{TRACE}-{told.context.span_id:016x}-01", "tracestate": "a=b"}
    assert dict(told.attributes or {}) == {"a": 1, "b": ("c", "d")}


def test_a_trace_that_its_client_does_not_record_is_not_recorded_and_goes_on() -> None:
    taken = Taken()
    span = taken.tracer.begin("chat m", "client", {}, {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    span.end({})
    assert taken.spans == []
    assert span.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert span.headers["traceparent"].endswith("-00")


@pytest.mark.parametrize("odd", ["", "x", f"00-{'0' * 32}-{PARENT}-01", "00-" + "f" * 5000])
def test_what_is_no_traceparent_is_no_parent(odd: str) -> None:
    taken = Taken()
    taken.tracer.begin("chat m", "client", {}, {"traceparent": odd}).end({})
    assert ids(taken.spans[0])[1] == ""


def test_a_span_within_another_is_a_part_of_it() -> None:
    taken = Taken()
    outer = taken.tracer.begin("outer", "internal", {}, CLIENTS)
    taken.tracer.begin("inner", "client", {}, outer).end({})
    outer.end({})
    inner, whole = taken.spans
    assert ids(inner) == (TRACE, f"{whole.context.span_id:016x}")


def test_without_a_parent_it_is_part_of_what_the_task_serves() -> None:
    taken = Taken()
    outer = taken.tracer.begin("outer", "internal", {}, {})
    with outer.active():
        taken.tracer.begin("inner", "client", {}).end({})
    taken.tracer.begin("another", "client", {}).end({})
    inner, another = taken.spans
    assert outer.headers["traceparent"].startswith(f"00-{ids(inner)[0]}-{ids(inner)[1]}-")
    assert ids(another)[1] == ""


def test_an_error_is_its_type_and_no_text() -> None:
    taken = Taken()
    taken.tracer.begin("chat m", "client", {}, {}).end({}, "overloaded_error")
    (told,) = taken.spans
    assert (told.status.status_code.name, told.status.description) == ("ERROR", None)
    assert dict(told.attributes or {}) == {"error.type": "overloaded_error"}


def test_it_is_not_made_the_tracer_of_all_that_runs_in_the_process() -> None:
    Taken()
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


async def test_what_there_is_at_the_end_is_sent(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    tracer = OtelTracer.to_collector()
    tracer.begin("chat m", "client", {}, CLIENTS).end({})
    await tracer.close()
    ((service, span),) = collector.spans(1)
    assert (service, span.name, span.trace_id.hex()) == ("mcp_hub", "chat m", TRACE)


async def test_a_service_may_have_another_name(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gateway")
    tracer = OtelTracer.to_collector()
    tracer.begin("chat m", "client", {}, {}).end({})
    await tracer.close()
    assert collector.spans(1)[0][0] == "gateway"


class Stuck(SpanExporter):
    """A collector that never answers."""

    def __init__(self) -> None:
        self.released, self.stopped = Event(), False

    def export(self, spans: object) -> SpanExportResult:
        self.released.wait()
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.stopped = True


async def test_a_collector_that_never_answers_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(otel, "CLOSE_WITHIN", 0.05)
    exporter = Stuck()
    tracer = OtelTracer(exporter)
    for _ in range(5000):  # more than the queue has room for
        tracer.begin("chat m", "client", {}, {}).end({})
    with anyio.fail_after(PATIENCE), caplog.at_level(logging.WARNING):
        await tracer.close()
    assert "the last spans aren't sent" in caplog.text
    assert exporter.stopped  # it would go on trying otherwise
    exporter.released.set()
    ended(tracer)


async def test_one_that_is_down_is_the_sdks_own_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(otel, "CLOSE_WITHIN", 0.05)
        tracer = OtelTracer.to_collector()
        tracer.begin("chat m", "client", {}, {}).end({})
        with anyio.fail_after(PATIENCE):
            await tracer.close()
        ended(tracer)  # or it would go on trying while other tests run


def test_a_value_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(ConfigError, match=r"\[OTEL_\] spans can't be sent as the OTEL_ variables say: "):
        OtelTracer.to_collector()
