"""Spans of programs and of their calls, by OpenTelemetry's conventions for generative AI and for MCP.

`journal` tells it, as it tells the metrics. A span has names, numbers and states: nothing of a program, of its
arguments and results, or of an error's text. A call that was never sent has none: a program made its name up.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from mcp_hub.errors import (
    KINDS,
    CallerError,
    DeniedError,
    DownstreamError,
    HubError,
    LimitError,
    ScriptError,
    ToolError,
)
from mcp_hub.sandbox.conversation import Run
from mcp_hub.settings import ServerSettings
from mcp_hub.tracing import ALONG, Span, Tracer

TOOL = "executeToolCode"
"""The tool by which an agent has a program run."""

OTHER, CANCELLED = "_OTHER", "cancelled"

CAUSES: tuple[tuple[type[HubError], str], ...] = (
    (ToolError, "tool_error"),  # as the conventions have it
    (DeniedError, "denied"),
    (CallerError, "arguments"),
)

Values = dict[str, str | int | float | bool]


class ProgramSpan:
    """The span of one program, until it has ended."""

    def __init__(self, tracer: Tracer, span: Span, servers: Callable[[], Mapping[str, ServerSettings]]) -> None:
        self._tracer = tracer
        self._span = span
        self._servers = servers

    @contextmanager
    def call(self, server: str, tool: str) -> Iterator[None]:
        """A call, while it goes on; `server` is its name in servers.toml, `tool` what the server calls the tool."""
        attributes: Values = {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "mcp_hub.server": server,
            **_place(self._servers().get(server)),
        }
        span = self._tracer.begin(f"tools/call {tool}", "client", attributes, self._span)
        error = CANCELLED
        along = ALONG.set(span.headers)
        try:
            with span.active():
                yield
            error = ""
        except HubError as failed:
            error = _cause(failed)
            raise
        finally:
            ALONG.reset(along)
            span.end({}, error)

    def ended(self, run: Run, calls: int) -> None:
        """The program has ended, after so many calls."""
        self._span.end({"mcp_hub.calls": calls, "mcp_hub.steps": run.steps}, _error(run.error))

    def cancelled(self, calls: int) -> None:
        """It was cancelled."""
        self._span.end({"mcp_hub.calls": calls}, CANCELLED)


class Spans:
    """Makes the spans of a hub's programs; `servers` answers the settings as they are now."""

    def __init__(self, tracer: Tracer, servers: Callable[[], Mapping[str, ServerSettings]]) -> None:
        self._tracer = tracer
        self._servers = servers

    def begun(self, run_id: str) -> ProgramSpan:
        """A program begins, for the MCP request that this task serves."""
        attributes: Values = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": TOOL,
            "gen_ai.tool.type": "function",
            "mcp_hub.run": run_id,
        }
        span = self._tracer.begin(f"execute_tool {TOOL}", "internal", attributes)
        return ProgramSpan(self._tracer, span, self._servers)


def _place(server: ServerSettings | None) -> Values:
    """Where a server is, as the conventions tell it."""
    if server is None:
        return {}
    if server.url is None:
        return {"network.transport": "pipe"}
    where = urlsplit(server.url)
    port = where.port or (443 if where.scheme == "https" else 80)
    return {"network.transport": "tcp", "server.address": where.hostname or "", "server.port": port}


def _cause(error: HubError) -> str:
    """Why a call failed."""
    if isinstance(error, DownstreamError) and not isinstance(error, ToolError):
        return "unknown" if error.may_have_run else "unreached"  # unknown: nobody knows whether it was done
    return next((name for cause, name in CAUSES if isinstance(error, cause)), OTHER)


def _error(error: HubError | None) -> str:
    match error:
        case None:
            return ""
        case ScriptError(kind=kind):
            return kind if kind in KINDS else OTHER
        case LimitError(limit=limit):
            return limit
        case _:
            return OTHER
