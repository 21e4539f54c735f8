"""Fallbacks: another upstream answers where one fails before its first byte; each try is charged by itself."""

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest

from fixtures.messages_server import MessagesServer
from mcp_hub.proxy import attempts as module
from mcp_hub.proxy.choice import FAILURES
from mcp_hub.proxy.pricing import PriceList
from mcp_hub.proxy.upstreams.answers import ERROR_BYTES
from tests.proxy.conftest import CREDENTIAL, KEY, MODEL, Running, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

HAIKU = "claude-haiku-4-5"
BODY = json.dumps({"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "say hello"}]}).encode()

OVERLOADED = (
    b"HTTP/1.1 529 Overloaded\r\ncontent-type: application/json\r\nrequest-id: req_first\r\n"
    b"content-length: %d\r\n\r\n%s"
)
ERROR = b'{"type":"error","error":{"type":"overloaded_error","message":"the first is busy"}}'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class First:
    """The upstream that is asked first: it does `answer` with each connection, and counts them."""

    def __init__(self, answer: bytes, *, holds: bool = False) -> None:
        """`holds`: it keeps the connection open after what it has sent."""
        self.answer = answer
        self.holds = holds
        self.asked = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async def serve(stream: anyio.abc.SocketStream) -> None:
            self.asked += 1
            async with stream:
                await stream.receive()
                if self.answer:
                    await stream.send(self.answer)
                if self.holds:
                    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                        await stream.receive()

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
            tasks.cancel_scope.cancel()


def settings(first: str, second: str, *, fallback: str = "second", **more: Any) -> dict[str, Any]:
    return {
        "upstreams": [
            {"name": "first", "url": first, "credential": "c"},
            {"name": "second", "url": second, "credential": CREDENTIAL},
        ],
        "pins": [{"when": "*", "fallbacks": [fallback]}],
        **more,
    }


async def ask(running: Running, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(verify=False, timeout=PATIENCE) as client:
        return await client.post(f"{running.url}/v1/messages", content=BODY, headers={"x-api-key": KEY, **headers})


def overloaded(status: int = 529, *more: bytes) -> bytes:
    head = OVERLOADED.replace(b"529 Overloaded", f"{status} No".encode()) % (len(ERROR), ERROR)
    return head.replace(b"\r\n\r\n", b"".join(b"\r\n" + each for each in more) + b"\r\n\r\n", 1)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_where_one_is_busy_or_out_of_order_the_next_answers_and_it_is_told(
    proxied: Serving, upstream: MessagesServer, status: int
) -> None:
    async with First(overloaded(status)).serving() as url, proxied(**settings(url, upstream.url)) as running:
        answer = await ask(running)
        rows = running.spent("upstream")
    assert answer.status_code == 200
    assert answer.headers["x-mcp-hub-upstream"] == "second"
    assert answer.headers["x-mcp-hub-fallback"] == f"first answered {status}"
    assert [(row.group, row.requests, row.errors, row.dollars > 0) for row in rows] == [
        (("first",), 1, 1, False),
        (("second",), 1, 0, True),
    ]


async def test_one_that_cannot_be_reached_costs_nothing_and_the_next_answers(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(**settings("http://127.0.0.1:9", upstream.url)) as running:
        answer = await ask(running)
        first, _ = running.spent("upstream")
    assert answer.status_code == 200
    assert answer.headers["x-mcp-hub-fallback"] == "first could not be asked"
    assert (first.requests, first.dollars) == (1, 0)


async def test_one_that_breaks_off_before_its_answer_may_have_been_at_work_and_is_charged(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with First(b"").serving() as url, proxied(**settings(url, upstream.url)) as running:
        answer = await ask(running)
        first, _ = running.spent("upstream")
    assert answer.status_code == 200
    assert first.usage.output == 100


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_what_another_would_refuse_too_is_not_asked_again(
    proxied: Serving, upstream: MessagesServer, status: int
) -> None:
    async with First(overloaded(status)).serving() as url, proxied(**settings(url, upstream.url)) as running:
        answer = await ask(running)
    assert answer.status_code == status
    assert answer.content == ERROR
    assert upstream.requests == []


async def test_a_stream_that_has_begun_is_not_begun_anew(proxied: Serving, upstream: MessagesServer) -> None:
    begun = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n7\r\n: hi\n\n\n\r\n"
    )
    async with First(begun).serving() as url, proxied(**settings(url, upstream.url)) as running:
        answer = await ask(running)
    assert answer.text.startswith(": hi\n\n")
    assert "event: error" in answer.text
    assert upstream.requests == []


async def test_where_all_fail_the_last_ones_error_passes_as_it_is(proxied: Serving) -> None:
    async with First(overloaded()).serving() as url, First(overloaded(503)).serving() as other:
        async with proxied(**settings(url, other)) as running:
            answer = await ask(running)
    assert (answer.status_code, answer.content) == (503, ERROR)
    assert answer.headers["request-id"] == "req_first"


async def test_a_fallback_is_reserved_and_charged_at_its_own_models_price(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with First(overloaded()).serving() as url:
        async with proxied(**settings(url, upstream.url, fallback=f"second/{HAIKU}")) as running:
            answer = await ask(running)
            _, second = running.spent("model", "upstream")[::-1]
    assert answer.headers["x-mcp-hub-model"] == HAIKU
    assert json.loads(upstream.requests[0]["body"])["model"] == HAIKU
    price = PriceList.shipped().of(HAIKU)
    assert price is not None
    assert second.dollars == 25 * price.input + 5 * price.output + 3 * price.cache_read


async def test_a_fallback_that_a_budget_has_no_room_for_is_not_asked_and_the_first_ones_error_passes(
    proxied: Serving, upstream: MessagesServer
) -> None:
    none_left = {"upstream": {"second": {"token_limit": 1, "token_limit_duration": "1Y"}}}
    async with First(overloaded()).serving() as url:
        async with proxied(**settings(url, upstream.url, budgets=none_left)) as running:
            answer = await ask(running)
    assert (answer.status_code, answer.content) == (529, ERROR)
    assert answer.headers["request-id"] == "req_first"
    assert upstream.served == []  # but for a count of its tokens


async def test_one_that_fails_again_and_again_is_left_alone(proxied: Serving, upstream: MessagesServer) -> None:
    first = First(overloaded())
    async with first.serving() as url, proxied(**settings(url, upstream.url)) as running:
        for _ in range(FAILURES + 3):
            assert (await ask(running)).status_code == 200
        async with httpx2.AsyncClient(verify=False, base_url=running.url) as client:
            metrics = (await client.get("/metrics")).text
    assert first.asked == FAILURES
    assert 'mcp_hub_proxy_upstream_state{state="open",upstream="first"} 1.0' in metrics
    assert 'mcp_hub_proxy_upstream_state{state="closed",upstream="second"} 1.0' in metrics
    assert f'mcp_hub_proxy_fallbacks_total{{upstream="first"}} {FAILURES}.0' in metrics


async def test_one_that_says_when_to_come_again_is_left_alone_until_then(
    proxied: Serving, upstream: MessagesServer
) -> None:
    first = First(overloaded(429, b"retry-after: 60"))
    async with first.serving() as url, proxied(**settings(url, upstream.url)) as running:
        for _ in range(3):
            assert (await ask(running)).status_code == 200
    assert first.asked == 1


async def test_a_session_stays_with_the_upstream_that_has_its_prompt_cache(
    proxied: Serving, upstream: MessagesServer
) -> None:
    first = First(overloaded())
    async with first.serving() as url, proxied(**settings(url, upstream.url)) as running:
        for session in ("mine", "mine", "another", "mine"):
            answer = await ask(running, **{"x-claude-code-session-id": session})
            assert answer.headers["x-mcp-hub-upstream"] == "second"
    assert first.asked == 2, "each session has asked it once"


async def test_without_a_pins_fallbacks_an_error_passes(proxied: Serving, upstream: MessagesServer) -> None:
    async with First(overloaded()).serving() as url, proxied(**{**settings(url, upstream.url), "pins": []}) as running:
        answer = await ask(running)
    assert (answer.status_code, answer.content) == (529, ERROR)
    assert upstream.requests == []


async def test_where_the_next_one_cannot_be_asked_the_one_after_it_is(
    proxied: Serving, upstream: MessagesServer
) -> None:
    none_left = {"upstream": {"second": {"token_limit": 1, "token_limit_duration": "1Y"}}}
    async with First(overloaded()).serving() as url:
        given = settings(url, upstream.url, budgets=none_left)
        third = {"name": "third", "url": upstream.url, "credential": CREDENTIAL}
        given["upstreams"].append(third)
        given["pins"] = [{"when": "*", "fallbacks": ["second", "third"]}]
        async with proxied(**given) as running:
            answer = await ask(running)
    assert answer.headers["x-mcp-hub-upstream"] == "third"


async def test_where_the_one_that_comes_first_for_its_session_cannot_be_asked_the_pins_own_is(
    proxied: Serving, upstream: MessagesServer
) -> None:
    first = First(overloaded(429, b"retry-after: 1"))
    once = {"upstream": {"second": {"request_limit": 1, "request_limit_duration": "1Y"}}}
    session = {"x-claude-code-session-id": "mine"}
    async with first.serving() as url, proxied(**settings(url, upstream.url, budgets=once)) as running:
        assert (await ask(running, **session)).headers["x-mcp-hub-upstream"] == "second"
        first.answer = overloaded(404)
        answer = await ask(running, **session)
    assert answer.status_code == 404, "the first was asked, though the session was at the second"
    assert first.asked == 2


@pytest.mark.parametrize("length", [ERROR_BYTES * 2, 100])
async def test_an_error_that_is_long_or_stalls_is_told_by_its_status_when_no_other_can_be_asked(
    proxied: Serving, upstream: MessagesServer, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(module, "ERROR_WITHIN", 0.05)
    none_left = {"upstream": {"second": {"token_limit": 1, "token_limit_duration": "1Y"}}}
    head = b"HTTP/1.1 503 No\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n{" % length
    answer_of = head + b" " * (length - 1 if length > ERROR_BYTES else 0)
    async with First(answer_of, holds=length == 100).serving() as url:
        async with proxied(**settings(url, upstream.url, budgets=none_left)) as running:
            answer = await ask(running)
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "The upstream answered 503, and its error didn't come whole."


async def test_a_client_that_leaves_during_a_try_leaves_nothing_reserved(
    proxied: Serving, upstream: MessagesServer
) -> None:
    first = First(overloaded(503)[:-5], holds=True)
    async with first.serving() as url, proxied(**settings(url, upstream.url)) as running:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, running)
            with anyio.fail_after(PATIENCE):
                while not first.asked:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        with anyio.fail_after(PATIENCE):
            while not running.spent("upstream"):
                await anyio.sleep(0.01)
        async with httpx2.AsyncClient(verify=False, base_url=running.url) as client:
            metrics = (await client.get("/metrics")).text
    assert "mcp_hub_proxy_under_way 0.0" in metrics.splitlines()
    assert upstream.requests == []
