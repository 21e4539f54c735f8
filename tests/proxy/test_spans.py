"""Spans of requests through the proxy: what they say by the conventions, whose part they are, and what they never say.

What is asked of the stand-in is what it answers, so that a prompt's text would be an answer's, too.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import anyio
import httpx2
import pytest
from inline_snapshot import snapshot

from fixtures.messages_server import MessagesServer
from mcp_hub.proxy.spans import RequestSpan, Said
from mcp_hub.store.ledger import Status
from tests.proxy.conftest import CREDENTIAL, KEY, MODEL, Running, Serving
from tests.spans import Collector, Taken, everything, shown
from tests.support import PATIENCE, served

pytestmark = pytest.mark.anyio

PROMPT = "say the-secret-of-the-prompt"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLIENTS = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=b"}
CHANGING = {"mcp_hub_request": 1, "server_port": 1, "gen_ai_response_time_to_first_chunk": 1, "gen_ai_response_id": 1}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    return Taken().used(monkeypatch)


async def asked(running: Running, text: str, headers: dict[str, str] | None = None, **fields: Any) -> None:
    """Ask, and read the answer to its end, whatever it is."""
    body = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}
    async with httpx2.AsyncClient(verify=False) as client:
        with contextlib.suppress(httpx2.RemoteProtocolError):  # the upstream broke off, and so did the proxy
            await client.post(f"{running.url}/v1/messages", json=body, headers={"x-api-key": KEY, **(headers or {})})


async def ended(taken: Taken) -> list[dict[str, Any]]:
    return [shown(span, **CHANGING) for span in taken.spans]


async def test_an_answer(proxied: Serving, taken: Taken) -> None:
    metadata = {"user_id": '{"session_id": "a-session"}'}
    async with proxied() as running:
        await asked(running, PROMPT, metadata=metadata, stream=True)
    assert await ended(taken) == snapshot(
        [
            {
                "name": "chat claude-sonnet-4-6",
                "kind": "CLIENT",
                "status": "UNSET",
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-sonnet-4-6",
                "gen_ai.request.max_tokens": 100,
                "mcp_hub.request": "...",
                "mcp_hub.upstream": "anthropic",
                "server.address": "127.0.0.1",
                "server.port": "...",
                "gen_ai.request.stream": True,
                "gen_ai.conversation.id": "a-session",
                "mcp_hub.key": "ci",
                "mcp_hub.team": "web",
                "mcp_hub.status": "ok",
                "mcp_hub.cost_usd": 0.0004359,
                "gen_ai.usage.input_tokens": 28,
                "gen_ai.usage.output_tokens": 24,
                "gen_ai.usage.cache_read.input_tokens": 3,
                "http.response.status_code": 200,
                "gen_ai.response.time_to_first_chunk": "...",
                "gen_ai.response.model": "claude-sonnet-4-6",
                "gen_ai.response.id": "...",
                "gen_ai.response.finish_reasons": ("end_turn",),
            }
        ]
    )


async def test_an_answer_without_a_stream(proxied: Serving, taken: Taken) -> None:
    async with proxied(pins=[{"when": "claude-opus-*", "model": MODEL}]) as running:
        await asked(running, PROMPT, model="claude-opus-4-8")
    assert await ended(taken) == snapshot(
        [
            {
                "name": "chat claude-sonnet-4-6",
                "kind": "CLIENT",
                "status": "UNSET",
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-sonnet-4-6",
                "gen_ai.request.max_tokens": 100,
                "mcp_hub.request": "...",
                "mcp_hub.upstream": "anthropic",
                "server.address": "127.0.0.1",
                "server.port": "...",
                "mcp_hub.key": "ci",
                "mcp_hub.team": "web",
                "mcp_hub.model_asked": "claude-opus-4-8",
                "mcp_hub.status": "ok",
                "mcp_hub.cost_usd": 0.0004359,
                "gen_ai.usage.input_tokens": 28,
                "gen_ai.usage.output_tokens": 24,
                "gen_ai.usage.cache_read.input_tokens": 3,
                "http.response.status_code": 200,
                "gen_ai.response.model": "claude-sonnet-4-6",
                "gen_ai.response.id": "...",
                "gen_ai.response.finish_reasons": ("end_turn",),
            }
        ]
    )


async def test_an_error(proxied: Serving, taken: Taken) -> None:
    async with proxied() as running:
        await asked(running, "error 529")
    assert await ended(taken) == snapshot(
        [
            {
                "name": "chat claude-sonnet-4-6",
                "kind": "CLIENT",
                "status": "ERROR",
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-sonnet-4-6",
                "gen_ai.request.max_tokens": 100,
                "mcp_hub.request": "...",
                "mcp_hub.upstream": "anthropic",
                "server.address": "127.0.0.1",
                "server.port": "...",
                "mcp_hub.key": "ci",
                "mcp_hub.team": "web",
                "mcp_hub.status": "failed",
                "mcp_hub.cost_usd": 0.0,
                "http.response.status_code": 529,
                "error.type": "overloaded_error",
            }
        ]
    )


@pytest.mark.parametrize(
    ("asks", "error"),
    [
        ("page 502", "502"),
        ("error 429", "rate_limit_error"),
        ("overload", "overloaded_error"),
        ("cut", "broken"),
    ],
)
async def test_what_went_wrong_is_one_of_a_few_words(proxied: Serving, taken: Taken, asks: str, error: str) -> None:
    async with proxied() as running:
        await asked(running, asks, stream=True)
    (told,) = await ended(taken)
    assert (told["status"], told["error.type"]) == ("ERROR", error)


@pytest.mark.parametrize(
    ("http_status", "told", "error"),
    [(400, "invalid_request_error", "invalid_request_error"), (400, "what it made up", "400"), (200, "x", "_OTHER")],
)
def test_what_an_upstream_makes_up_is_none_of_them(http_status: int, told: str, error: str) -> None:
    taken = Taken()
    span = RequestSpan(taken.tracer.begin("chat m", "client", {}, {}), streams=False)
    span.ended(Status.FAILED, http_status, None, 0, None, Said(error=told))
    assert (taken.spans[0].attributes or {})["error.type"] == error


async def test_an_answer_that_is_cut(proxied: Serving, taken: Taken) -> None:
    async with proxied() as running:
        await asked(running, "cut", stream=True)
    assert await ended(taken) == snapshot(
        [
            {
                "name": "chat claude-sonnet-4-6",
                "kind": "CLIENT",
                "status": "ERROR",
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": "claude-sonnet-4-6",
                "gen_ai.request.max_tokens": 100,
                "mcp_hub.request": "...",
                "mcp_hub.upstream": "anthropic",
                "server.address": "127.0.0.1",
                "server.port": "...",
                "gen_ai.request.stream": True,
                "mcp_hub.key": "ci",
                "mcp_hub.team": "web",
                "mcp_hub.status": "broken",
                "mcp_hub.cost_usd": 0.0015759,
                "gen_ai.usage.input_tokens": 28,
                "gen_ai.usage.cache_read.input_tokens": 3,
                "http.response.status_code": 200,
                "gen_ai.response.time_to_first_chunk": "...",
                "gen_ai.response.model": "claude-sonnet-4-6",
                "gen_ai.response.id": "...",
                "error.type": "broken",
            }
        ]
    )


async def test_an_upstream_that_is_not_there(proxied: Serving, taken: Taken) -> None:
    gone = {"name": "gone", "kind": "openrouter", "url": "http://user:pass@127.0.0.1:9/x?key=1", "credential": "x" * 30}
    async with proxied(upstreams=[gone]) as running:
        await asked(running, PROMPT)
    assert await ended(taken) == snapshot(
        [
            {
                "name": "chat claude-sonnet-4-6",
                "kind": "CLIENT",
                "status": "ERROR",
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openrouter",
                "gen_ai.request.model": "claude-sonnet-4-6",
                "gen_ai.request.max_tokens": 100,
                "mcp_hub.request": "...",
                "mcp_hub.upstream": "gone",
                "server.address": "127.0.0.1",
                "server.port": "...",
                "mcp_hub.key": "ci",
                "mcp_hub.team": "web",
                "mcp_hub.status": "failed",
                "mcp_hub.cost_usd": 0.0,
                "error.type": "unreached",
            }
        ]
    )
    assert "pass" not in everything(taken.spans)


async def test_a_client_that_goes_away_is_no_error(proxied: Serving, taken: Taken) -> None:
    async with proxied() as running, running.client() as client:
        said: list[Any] = [{"role": "user", "content": "wait"}]
        async with client.messages.stream(model=MODEL, max_tokens=9, messages=said) as stream:
            await anext(aiter(stream))
        with anyio.fail_after(PATIENCE):
            while not (told := await ended(taken)):
                await anyio.sleep(0.01)
    assert (told[0]["status"], told[0]["mcp_hub.status"]) == ("UNSET", "left")


async def test_the_clients_span_is_the_parent_and_ours_goes_on_to_the_upstream(
    proxied: Serving, taken: Taken, upstream: MessagesServer
) -> None:
    async with proxied() as running:
        await asked(running, PROMPT, CLIENTS)
    (span,) = taken.spans
    assert (f"{span.context.trace_id:032x}", span.parent and f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    sent = [(name.lower(), value) for name, value in upstream.requests[-1]["pairs"] if name.lower() in CLIENTS]
    assert sent == [("traceparent", f"00-{TRACE}-{span.context.span_id:016x}-01"), ("tracestate", "a=b")]


async def test_without_spans_what_the_client_sends_goes_on(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running:
        await asked(running, PROMPT, CLIENTS)
    sent = {name.lower(): value for name, value in upstream.requests[-1]["pairs"]}
    assert CLIENTS.items() <= sent.items()


async def test_a_request_that_does_not_go_out_has_none(proxied: Serving, taken: Taken) -> None:
    none = {"token_limit": 1, "token_limit_duration": "1d"}
    async with proxied(budgets={"key": {"ci": none}}) as running:
        await asked(running, PROMPT)
    assert taken.spans == []


async def test_nothing_that_was_said_and_no_secret_is_in_a_span(proxied: Serving, taken: Taken) -> None:
    async with proxied() as running:
        for asks in (PROMPT, "tools", "think", "error 500", "cut", "overload"):
            for stream in (True, False):
                await asked(running, asks, CLIENTS, stream=stream, system="the-secret-of-the-system")
    text = everything(taken.spans)
    assert len(taken.spans) == 12
    for secret in (KEY, CREDENTIAL, "the-secret", "as you asked", "Overloaded", "caf\u00e9", "caf\\u00e9", "look"):
        assert secret not in text


async def test_what_a_client_makes_up_is_cut(proxied: Serving, taken: Taken) -> None:
    async with proxied() as running:
        await asked(running, PROMPT, model="claude-" + "x" * 5000)
    texts = [value for value in (taken.spans[0].attributes or {}).values() if isinstance(value, str)]
    assert max(map(len, [*texts, taken.spans[0].name])) <= 210


@pytest.fixture
def collector() -> Iterator[Collector]:
    with served(Collector()) as server:
        yield server


@pytest.mark.parametrize("there", [True, False], ids=["a collector", "a collector that is down"])
def test_a_real_proxy_sends_its_spans_to_a_collector_and_does_without_one(
    upstream: MessagesServer, collector: Collector, tmp_path: Path, there: bool
) -> None:
    settings = f'[[proxy.upstreams]]\nname = "anthropic"\nurl = "{upstream.url}"\n'
    (tmp_path / "servers.toml").write_text(settings)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "MCP_HUB_STATE_DIR": str(tmp_path / "state"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url if there else "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "mcp_hub", "proxy", "--config", str(tmp_path / "servers.toml"), "--listen", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        found = re.search(r"http://\S+", told)
        assert found, told + process.stderr.read()
        with anthropic.Anthropic(base_url=found[0], api_key=CREDENTIAL, max_retries=0) as client:
            said: list[Any] = [{"role": "user", "content": PROMPT}]
            for _ in range(3):
                client.messages.create(model=MODEL, max_tokens=99, messages=said, extra_headers=CLIENTS)
        process.terminate()
        _, rest = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in rest
    if there:
        spans = collector.spans(3)
        assert {(service, span.name, span.trace_id.hex(), span.parent_span_id.hex()) for service, span in spans} == {
            ("mcp_hub", f"chat {MODEL}", TRACE, PARENT)
        }
        assert not any(secret in str(spans) for secret in ("the-secret", CREDENTIAL))
