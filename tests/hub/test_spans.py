"""Spans of programs and their calls: what they say by the conventions, whose part they are, and what they never say."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot
from mcp import Client, StdioServerParameters
from opentelemetry.propagate import inject

from mcp_hub.errors import CallerError, DeniedError, DownstreamError, HubError, LimitError, ScriptError, ToolError
from mcp_hub.hub.spans import Spans
from mcp_hub.sandbox.conversation import Run
from mcp_hub.settings import ServerSettings
from mcp_hub.tracing import ALONG
from tests.ledger import SERVER, LedgerHub, ledger_hub
from tests.spans import Collector, Taken, everything, shown
from tests.support import PATIENCE, served

pytestmark = pytest.mark.anyio

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "the-secret-of-the-settings"
SETTINGS = SERVER.replace('env = { LEDGER = "{ledger}" }', f'env = {{ LEDGER = "{{ledger}}", STORED = "{SECRET}" }}')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    return Taken().used(monkeypatch)


@pytest.fixture
async def api(taken: Taken, tmp_path: Path) -> AsyncIterator[LedgerHub]:
    async with ledger_hub(tmp_path, "", SETTINGS) as opened:
        yield opened


def told(taken: Taken) -> list[dict[str, Any]]:
    return [shown(span, mcp_hub_run=1, mcp_hub_steps=1) for span in taken.spans]


async def test_a_program_with_two_calls_of_which_one_fails(api: LedgerHub, taken: Taken) -> None:
    done = await api.run('api.look(text="a")\nattempt(lambda: api.fail_once(text="a"))\n"done"')
    assert told(taken) == snapshot(
        [
            {
                "name": "tools/call look",
                "kind": "CLIENT",
                "status": "UNSET",
                "mcp.method.name": "tools/call",
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "look",
                "mcp_hub.server": "api",
                "network.transport": "pipe",
            },
            {
                "name": "tools/call fail_once",
                "kind": "CLIENT",
                "status": "ERROR",
                "mcp.method.name": "tools/call",
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "fail_once",
                "mcp_hub.server": "api",
                "network.transport": "pipe",
                "error.type": "tool_error",
            },
            {
                "name": "execute_tool executeToolCode",
                "kind": "INTERNAL",
                "status": "UNSET",
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "executeToolCode",
                "gen_ai.tool.type": "function",
                "mcp_hub.run": "...",
                "mcp_hub.calls": 2,
                "mcp_hub.steps": "...",
            },
        ]
    )
    first, second, program = taken.spans
    assert program.parent is None
    assert {span.parent and span.parent.span_id for span in (first, second)} == {program.context.span_id}
    assert {span.context.trace_id for span in (first, second)} == {program.context.trace_id}
    assert (program.attributes or {})["mcp_hub.run"] == done.run_id


async def test_nothing_that_was_said_and_no_secret_is_in_a_span(api: LedgerHub, taken: Taken) -> None:
    await api.failed('password = "the-secret-of-the-program"\napi.log_in(password=password, text="the-secret-text")')
    await api.failed('fail("the-secret-of-an-error")')
    await api.value('api.look(text="the-secret-argument")["calls"]')
    text = everything(taken.spans)
    assert len(taken.spans) == 5
    for secret in ("the-secret", "log_in failed"):
        assert secret not in text


async def test_a_call_that_was_never_sent_has_none(api: LedgerHub, taken: Taken) -> None:
    await api.failed("api.the_secret_name()")
    await api.failed("api.look(text=1)")
    assert [span.name for span in taken.spans] == ["execute_tool executeToolCode"] * 2


async def test_a_call_from_the_record_has_none(api: LedgerHub, taken: Taken) -> None:
    done = await api.failed('api.look(text="b")\nfail("stop")')
    await api.value('api.look(text="b")\n1', resume=done.run_id)
    assert [span.name for span in taken.spans].count("tools/call look") == 1


async def test_a_program_that_is_cancelled(api: LedgerHub, taken: Taken) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(api.run, 'api.wait(text="w")')
        await api.receives("w")
        tasks.cancel_scope.cancel()
    assert [(each["name"], each["status"], each["error.type"]) for each in told(taken)] == [
        ("tools/call wait", "ERROR", "cancelled"),
        ("execute_tool executeToolCode", "ERROR", "cancelled"),
    ]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ScriptError("syntax", "x"), "syntax"),
        (ScriptError("what the worker made up", "x"), "_OTHER"),
        (LimitError("wall_seconds", "1", "", ""), "wall_seconds"),
        (HubError("x"), "_OTHER"),
    ],
)
def test_why_a_program_failed_is_one_of_a_few_words(error: HubError, kind: str) -> None:
    taken = Taken()
    Spans(taken.tracer, dict).begun("r").ended(Run(error=error), 0)
    assert told(taken)[0]["error.type"] == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ToolError("s", "t", "x"), "tool_error"),
        (DeniedError("s", "t", "x."), "denied"),
        (CallerError("x"), "arguments"),
        (DownstreamError("s", "x."), "unreached"),
        (DownstreamError("s", "x.", may_have_run=True), "unknown"),
        (HubError("x"), "_OTHER"),
    ],
)
def test_why_a_call_failed_is_one_of_a_few_words(error: HubError, kind: str) -> None:
    taken = Taken()
    program = Spans(taken.tracer, dict).begun("r")
    with pytest.raises(HubError), program.call("s", "t"):
        raise error
    assert told(taken)[0]["error.type"] == kind


def test_where_a_server_is_is_told_without_what_is_secret_in_its_url() -> None:
    taken = Taken()
    url = "https://user:the-secret@example.com/mcp?key=the-secret"
    settings = {"web": ServerSettings.model_validate({"url": url})}
    with Spans(taken.tracer, lambda: settings).begun("r").call("web", "t"):
        pass
    (call,) = told(taken)
    assert (call["network.transport"], call["server.address"], call["server.port"]) == ("tcp", "example.com", 443)
    assert "the-secret" not in everything(taken.spans)


def test_what_is_sent_to_a_server_meanwhile_is_a_part_of_the_call() -> None:
    taken = Taken()
    meta: dict[str, str] = {}
    with Spans(taken.tracer, dict).begun("r").call("s", "t"):
        inject(meta)
        assert ALONG.get() == meta
    assert ALONG.get() == {}
    (call,) = taken.spans
    assert meta["traceparent"].startswith(f"00-{call.context.trace_id:032x}-{call.context.span_id:016x}-")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with served(Collector()) as server:
        yield server


async def test_a_real_hub_sends_its_spans_as_parts_of_its_clients(
    collector: Collector, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    config = servers_toml('[servers.echo]\ncommand = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]\n')
    hub = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_hub", "serve", "--config", str(config)],
        env={"MCP_HUB_STATE_DIR": str(tmp_path / "state"), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
        cwd=tmp_path,
    )
    meta: Any = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    with anyio.fail_after(PATIENCE):
        async with Client(hub) as client:
            await client.call_tool("executeToolCode", {"code": "echo.echo(value=1)"}, meta=meta)
    call, program = sorted((span for _, span in collector.spans(2)), key=lambda span: span.name, reverse=True)
    assert (program.name, program.trace_id.hex()) == ("execute_tool executeToolCode", TRACE)
    assert program.parent_span_id.hex() == PARENT
    assert (call.name, call.parent_span_id) == ("tools/call echo", program.span_id)
