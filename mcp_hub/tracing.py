"""Spans, for those who ask for them: what the hub and the proxy tell a tracer, and whether there is one.

`otel` is the tracer there is, by OpenTelemetry's SDK, which comes with the extra `otel`. Only who asks for spans, by
the variables that OpenTelemetry has for that, pays for them: all others have no tracer, and nothing is imported.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, Protocol

import anyio.to_thread

from mcp_hub.errors import ConfigError

if TYPE_CHECKING:
    from mcp_hub.otel import OtelTracer

EXPORTER, PROTOCOL = "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", PROTOCOL)

HTTP = "http/protobuf"

WITHOUT = f"Set {EXPORTER}=none to go without spans."

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
"""What a span says. Never what a client, a model, a program or a tool has said: only names, numbers and states."""

ALONG: ContextVar[Mapping[str, str]] = ContextVar("ALONG", default={})  # noqa: B039 - nobody changes it
"""What goes along with MCP requests of this task in their `_meta`: the headers of the active span."""

Kind = Literal["client", "internal"]
"""Whether it is a request to another process, or work of this one."""


class Span(Protocol):
    """Something that goes on, and is told when it has ended."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What makes that which is sent with these headers a part of it: W3C's traceparent, and tracestate if any."""
        ...

    def active(self) -> AbstractContextManager[None]:
        """Within, in this task, the MCP SDK sends the same along with its requests."""
        ...

    def end(self, attributes: Attributes, error: str = "") -> None:
        """It has ended; `error` is the type of what went wrong, one of a few words."""
        ...


class Tracer(Protocol):
    """Takes spans. It blocks nobody and raises nothing: a collector that is down is the tracer's own matter."""

    def begin(
        self, name: str, kind: Kind, attributes: Attributes, parent: "Span | Mapping[str, str] | None" = None
    ) -> Span:
        """A span begins now, as a part of another one, or of the one that these headers name, in lower case.

        None: of the one that came with the MCP request which this task serves.
        """
        ...


def is_asked(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for spans. Raises ConfigError where it asks for a way that there isn't."""
    exporter = environ.get(EXPORTER, "").strip().lower()
    if exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not exporter and not any(environ.get(name, "").strip() for name in ENDPOINTS):
        return False
    if exporter not in ("", "otlp"):
        raise ConfigError(f"spans can't be sent by {exporter!r}, only by otlp. {WITHOUT}", key=EXPORTER)
    for name in PROTOCOLS:
        protocol = environ.get(name, "").strip().lower()
        if protocol:
            if protocol != HTTP:
                raise ConfigError(f"spans can't be sent by {protocol!r}, only by {HTTP}. {WITHOUT}", key=name)
            break
    return True


@asynccontextmanager
async def tracer(environ: Mapping[str, str]) -> AsyncIterator[Tracer | None]:
    """A tracer, if the environment asks for spans; on the way out, what it has is sent within a bound of time.

    Raises ConfigError.
    """
    if not is_asked(environ):
        yield None
        return
    made = await anyio.to_thread.run_sync(_otel)  # importing it takes a tenth of a second
    try:
        yield made
    finally:
        await made.close()


def _otel() -> "OtelTracer":
    try:
        from mcp_hub.otel import OtelTracer
    except ImportError as error:
        text = (
            f"spans are asked for, and what sends them isn't installed ({error.name}): install mcp_hub[otel]. {WITHOUT}"
        )
        raise ConfigError(text, key=EXPORTER) from None
    except ValueError as error:  # the SDK reads some of its variables as it is imported
        raise ConfigError(f"spans can't be sent as the OTEL_ variables say: {error}", key="OTEL_") from None
    return OtelTracer.to_collector()
