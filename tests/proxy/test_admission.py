"""Admission: what makes a request fit that doesn't by its bytes, and what happens when the ledger can't be written."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from fixtures.messages_server import INPUT_TOKENS, MessagesServer
from mcp_hub.store import ledger, writer
from mcp_hub.store.database import FILE_NAME
from tests.proxy.conftest import KEY, MODEL, Running, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

CAP = {"budgets": {"team": {"web": {"budget_limit": "0.05", "budget_duration": "1d"}}}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def body(text: str, **more: Any) -> bytes:
    return json.dumps(
        {"model": MODEL, "max_tokens": 50, **more, "messages": [{"role": "user", "content": text}]}
    ).encode()


async def ask(running: Running, sent: bytes) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        return await client.post(f"{running.url}/v1/messages", content=sent, headers={"x-api-key": KEY})


def paths(upstream: MessagesServer) -> list[str]:
    return [each["path"].removeprefix("/v1/messages") for each in upstream.requests]


async def test_a_prompt_that_does_not_fit_by_its_bytes_is_counted_by_the_upstream(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(**CAP) as running:
        answer = await ask(running, body("x" * 60_000, temperature=0.5))
    assert answer.status_code == 200
    assert paths(upstream) == ["/count_tokens", ""]
    counted = json.loads(upstream.requests[0]["body"])
    assert set(counted) == {"model", "messages"}


async def test_one_that_fits_is_not_counted(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello"))).status_code == 200
    assert paths(upstream) == [""]


async def test_tools_that_the_api_runs_are_not_counted_for_they_bring_more(
    proxied: Serving, upstream: MessagesServer
) -> None:
    search = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello", tools=search))).status_code == 402
    assert upstream.requests == []


async def test_what_still_does_not_fit_is_lowered_after_the_count(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(**CAP) as running:
        answer = await ask(running, body("x" * 60_000, max_tokens=100_000))
    assert answer.status_code == 200
    assert paths(upstream) == ["/count_tokens", ""]
    assert 1024 <= int(answer.headers["x-mcp-hub-max-tokens"]) < 100_000


async def test_servers_that_the_api_calls_are_not_counted_either(proxied: Serving, upstream: MessagesServer) -> None:
    servers = [{"type": "url", "url": "https://mcp.example", "name": "a"}]
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello", mcp_servers=servers))).status_code == 402
    assert upstream.requests == []


async def test_requests_side_by_side_that_must_all_be_lowered_are_all_answered(
    proxied: Serving, upstream: MessagesServer
) -> None:
    """The first takes all the room that there is, and uses little of it."""
    answers: list[int] = []
    async with proxied(**CAP, wait_seconds=PATIENCE) as running:

        async def one() -> None:
            answers.append((await ask(running, body("say hello", max_tokens=128_000))).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(one)
    assert answers == [200] * 4


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """While another process would be writing for long."""
    with closing(sqlite3.connect(state / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger waits no longer than it must for others."""
    for module in (writer, ledger):
        monkeypatch.setattr(module, "BUSY_TIMEOUT", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_ledger_that_cannot_be_written_refuses_what_is_under_a_cap_and_nothing_else(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(**CAP) as running:
        with locked(running.state):
            refused = await ask(running, body("say hello"))
    assert refused.status_code == 503
    assert "nothing can be spent under the cap of team 'web'" in refused.json()["error"]["message"]
    assert upstream.requests == []
    async with proxied() as running:
        with locked(running.state):
            assert (await ask(running, body("say hello"))).status_code == 200
        assert running.spent() == []


@pytest.mark.usefixtures("impatient")
async def test_what_could_not_be_settled_is_settled_later(
    proxied: Serving, upstream: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = ledger.Ledger.settle
    failures = iter([sqlite3.OperationalError("database or disk is full")])

    def once(self: ledger.Ledger, *arguments: Any) -> bool:
        for failure in failures:
            raise failure
        return settle(self, *arguments)

    monkeypatch.setattr(ledger.Ledger, "settle", once)
    async with proxied(**CAP) as running:
        assert (await ask(running, body("say hello"))).status_code == 200
        with anyio.fail_after(PATIENCE):
            while not (rows := running.spent()):
                await anyio.sleep(0.01)
    assert rows[0].usage.input == INPUT_TOKENS
